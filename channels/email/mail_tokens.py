"""Access tokens of connected accounts: kept sealed, renewed ahead of their end, by one process at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from channels.email.oauth import Granted, OAuthClient, OAuthRefused, Tokens
from channels.email.sealing import Seal, SealBroken
from channels.email.settings import Provider
from inbox import mail_accounts
from inbox.clock import Clock
from inbox.mail_accounts import MailAccountRecord
from inbox.mailboxes import MailTrouble
from inbox.store.database import Database
from inbox.vocabulary import OperatorId

log = structlog.get_logger(__name__)

AHEAD = timedelta(minutes=5)
"""A token that ends sooner than this is renewed before it is used."""

NOT_SOONER_AGAIN = timedelta(minutes=2)
"""A server that refuses a token as young as this will refuse the next one, too."""

ASKS_AGAIN_SECONDS = 0.2
WAITS_FOR_OTHERS_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Access:
    token: str
    expires_at: datetime
    connected_as: str


class MailTokens:
    """`holder` names this process."""

    def __init__(
        self, db: Database, clock: Clock, seal: Seal, clients: Mapping[Provider, OAuthClient], holder: str
    ) -> None:
        self._db, self._clock, self._seal, self._clients, self._holder = db, clock, seal, clients, holder
        self._locks: dict[str, asyncio.Lock] = {}

    async def keep(self, account: str, granted: Granted, *, by: OperatorId | None) -> None:
        await self._db.write(
            mail_accounts.connect,
            account,
            connected_as=granted.connected_as,
            tokens=self._sealed(account, granted.tokens),
            expires_at=granted.tokens.expires_at,
            by=by,
            now=self._clock.now(),
        )

    async def access(self, account: str, *, refused: str = "") -> Access:
        """A token that lasts a while yet. `refused`: one that a server did not take, though it had not ended.

        Raises OAuthRefused.
        """
        async with self._locks.setdefault(account, asyncio.Lock()):
            give_up = asyncio.get_running_loop().time() + WAITS_FOR_OTHERS_SECONDS
            while True:
                known = await self._db.read(mail_accounts.get, account)
                tokens = self._opened(account, known)
                assert known is not None
                if self._is_good(tokens, refused):
                    return Access(tokens.access_token, tokens.expires_at, known.connected_as)
                claimed = await self._db.write(mail_accounts.claim, account, self._holder, now=self._clock.now())
                if claimed is not None:
                    return await self._renewed(account, claimed, refused)
                if asyncio.get_running_loop().time() > give_up:
                    raise OAuthRefused(MailTrouble.UNREACHABLE, "Another process is asking for new tokens.")
                await asyncio.sleep(ASKS_AGAIN_SECONDS)

    async def _renewed(self, account: str, claimed: MailAccountRecord, refused: str) -> Access:
        """Ask the provider, holding the claim; it is released whatever happens."""
        before: Tokens | None = None
        try:
            before = self._opened(account, claimed)
            if self._is_good(before, refused):  # another process was quicker
                await self._db.write(mail_accounts.release, account, self._holder)
                return Access(before.access_token, before.expires_at, claimed.connected_as)
            client = self._clients.get(Provider(account.partition(":")[0]))
            if client is None:
                raise OAuthRefused(MailTrouble.NOT_CONNECTED, "The provider is not configured.")
            tokens = await client.refresh(before.refresh_token, now=self._clock.now())
        except OAuthRefused as error:
            await self._note_refusal(account, error)
            passes = error.trouble in (MailTrouble.UNREACHABLE, MailTrouble.SERVER_FAULT)
            if passes and before and before.expires_at > self._clock.now() and before.access_token != refused:
                return Access(before.access_token, before.expires_at, claimed.connected_as)
            raise
        except BaseException:
            await asyncio.shield(self._db.write(mail_accounts.release, account, self._holder))
            raise
        await self._db.write(
            mail_accounts.renewed,
            account,
            self._holder,
            tokens=self._sealed(account, tokens),
            expires_at=tokens.expires_at,
        )
        return Access(tokens.access_token, tokens.expires_at, claimed.connected_as)

    async def _note_refusal(self, account: str, error: OAuthRefused) -> None:
        log.warning("mail account has no new tokens", account=account, trouble=error.trouble, said=error.said)
        await self._db.write(
            mail_accounts.refused,
            account,
            self._holder,
            trouble=error.trouble,
            said=error.said,
            now=self._clock.now(),
        )

    def _is_good(self, tokens: Tokens, refused: str) -> bool:
        now = self._clock.now()
        if refused and tokens.access_token == refused:
            return now - tokens.got_at < NOT_SOONER_AGAIN and tokens.expires_at > now
        return tokens.expires_at - now > AHEAD or (
            tokens.expires_at > now and now - tokens.got_at < NOT_SOONER_AGAIN  # its whole life is short
        )

    def _sealed(self, account: str, tokens: Tokens) -> str:
        plain = {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "expires_at": tokens.expires_at.isoformat(),
            "got_at": tokens.got_at.isoformat(),
        }
        return self._seal.close(json.dumps(plain), account)

    def _opened(self, account: str, known: MailAccountRecord | None) -> Tokens:
        """Raises OAuthRefused when nobody has connected it, or the desk's secret is another one."""
        if known is None or not known.tokens:
            raise OAuthRefused(MailTrouble.NOT_CONNECTED, "")
        try:
            plain = json.loads(self._seal.open(known.tokens, account))
        except SealBroken:
            raise OAuthRefused(MailTrouble.NOT_CONNECTED, "The tokens were kept under another secret.") from None
        return Tokens(
            plain["access_token"],
            datetime.fromisoformat(plain["expires_at"]),
            plain["refresh_token"],
            datetime.fromisoformat(plain["got_at"]),
        )
