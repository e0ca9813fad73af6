"""Mailboxes and servers that are signed in to with OAuth2: a real Dovecot, a provider of our own."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from imapclient.exceptions import IMAPClientError
from pydantic import SecretStr

from channels.email.imap_session import failure_of
from channels.email.mail_tokens import Access, MailTokens
from channels.email.oauth import OAuthRefused, clean_words, clients
from channels.email.sealing import Seal, SealBroken
from channels.email.settings import Listener, Mailbox, MicrosoftApp, OAuth, Outgoing, Provider, Secret, TlsMode
from inbox import mail_accounts, mailboxes
from inbox.clock import ManualClock
from inbox.errors import BadInput
from inbox.mail_overview import ConfiguredAccount, MailWarning, of_secret, warnings
from inbox.mailboxes import MailTrouble
from inbox.store.database import open_database
from tests.channels.email.desk import DURABLE, MailDesk, mail, open_desk, until
from tests.channels.email.line import line_to
from tests.channels.email.provider import MailProvider, mail_provider
from tests.channels.email.test_listener import deliver_smtp
from tests.support.dovecot import Dovecot
from tests.support.verbs import VerbDesk

_ADMINISTRATORS = itertools.count(1)
SESSION = "the digest of an administrator's cookie"


@pytest.fixture
async def provider(dovecot: Dovecot) -> AsyncIterator[MailProvider]:
    async with mail_provider(lambda user, life: dovecot.access_token(user, life=life)) as made:
        yield made


def watched(user: str, port: int, **more: Any) -> Mailbox:
    return Mailbox(
        name="main", host="127.0.0.1", port=port, tls=TlsMode.NONE, username=user, oauth=Provider.MICROSOFT, **more
    )


@asynccontextmanager
async def desk_with(
    url: str, folder: Path, clock: ManualClock, provider: MailProvider, box: Mailbox
) -> AsyncIterator[MailDesk]:
    async with open_desk(
        url, folder, clock=clock, listener=Listener(), mailboxes=(box,), oauth=provider.oauth()
    ) as desk:
        yield desk


async def consent(desk: MailDesk, provider: MailProvider, user: str, *, signed_in: str = "") -> None:
    administration = desk.status.administration
    assert administration is not None
    provider.signed_in = signed_in or user
    by = await desk.operator(f"Admin-{next(_ADMINISTRATORS)}")
    back = await provider.consent(administration.consent_url(f"microsoft:{user}", SESSION))
    await administration.finish_consent(back, SESSION, by=by)


async def idling(desk: MailDesk) -> None:
    await until(lambda: desk.status.mailboxes[0].waiting_with_server, what="IDLE")


async def arrived(desk: MailDesk, count: int) -> None:
    async def there() -> bool:
        return len(await desk.conversations()) == count

    await until(there, seconds=30, what=f"{count} conversations")


async def told(desk: MailDesk) -> list[MailWarning]:
    assert desk.status.administration is not None
    return await desk.db.read(warnings, desk.status.administration.ways(), now=desk.clock.now())


async def trouble(desk: MailDesk, expected: MailTrouble) -> None:
    await until(lambda: desk.status.mailboxes[0].trouble == expected, what=f"{expected} is shown")


async def test_an_account_is_connected_by_consent_and_its_mail_comes(
    dovecot: Dovecot, database_url: str, tmp_path: Path, clock: ManualClock, provider: MailProvider
) -> None:
    user = dovecot.new_user()
    async with desk_with(database_url, tmp_path, clock, provider, watched(user, dovecot.imap_port)) as desk:
        await trouble(desk, MailTrouble.NOT_CONNECTED)
        assert [one.message for one in await told(desk)] == ["The account %(account)s is not connected."]
        await consent(desk, provider, user)
        await idling(desk)
        await asyncio.to_thread(dovecot.deliver, user, mail("By token"))
        await arrived(desk, 1)
        assert await told(desk) == []
        kept = await desk.db.read(mail_accounts.get, f"microsoft:{user}")
        assert kept is not None
        assert kept.connected_as == user
        assert "refresh" not in kept.tokens  # sealed, not only encoded
        assert provider.complaints == []


async def test_a_token_that_ends_during_a_session_is_renewed_without_alarm(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock, provider: MailProvider
) -> None:
    user = dovecot.new_user()
    box = watched(user, dovecot.imap_port, idle_seconds=1)
    async with desk_with(sqlite_url, tmp_path, clock, provider, box) as desk:
        await consent(desk, provider, user)
        await idling(desk)
        first = await desk.db.read(mailboxes.read_mailbox, "main")
        state = desk.status.mailboxes[0]
        clock.advance(timedelta(hours=1))
        await until(lambda: state.sessions == 2, what="signed in again")
        clock.advance(timedelta(hours=1))
        await until(lambda: state.sessions == 3, what="signed in with the refresh token of the first renewal")
        await idling(desk)
        await asyncio.to_thread(dovecot.deliver, user, mail("After two hours"))
        await arrived(desk, 1)
        assert provider.refreshes == 2
        last = await desk.db.read(mailboxes.read_mailbox, "main")
        assert first is not None
        assert last is not None
        assert last.state_since == first.state_since  # it was never anything but connected


async def test_a_server_that_ends_the_session_because_of_the_token_is_signed_in_to_again_without_alarm(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock, provider: MailProvider
) -> None:
    user = dovecot.new_user()
    async with (
        line_to(dovecot.imap_port) as line,
        desk_with(sqlite_url, tmp_path, clock, provider, watched(user, line.port)) as desk,
    ):
        await consent(desk, provider, user)
        await idling(desk)
        first = await desk.db.read(mailboxes.read_mailbox, "main")
        await line.say_and_close(b"* BYE Session invalidated - AccessTokenExpired\r\n")
        await until(lambda: desk.status.mailboxes[0].sessions == 2, what="signed in again")
        await idling(desk)
        await asyncio.to_thread(dovecot.deliver, user, mail("After the server's word"))
        await arrived(desk, 1)
        last = await desk.db.read(mailboxes.read_mailbox, "main")
        assert first is not None
        assert last is not None
        assert last.state_since == first.state_since


async def test_withdrawn_consent_is_told_and_nothing_is_lost_until_it_is_given_again(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock, provider: MailProvider
) -> None:
    user = dovecot.new_user()
    box = watched(user, dovecot.imap_port, idle_seconds=1)
    async with desk_with(sqlite_url, tmp_path, clock, provider, box) as desk:
        await consent(desk, provider, user)
        await idling(desk)
        provider.refuses = (400, {"error": "invalid_grant", "error_description": "AADSTS50173: grant was revoked"})
        clock.advance(timedelta(hours=2))
        await trouble(desk, MailTrouble.CONSENT_WITHDRAWN)
        (warning,) = await told(desk)
        assert warning.message == "The account %(account)s gets no new tokens."
        assert "AADSTS50173" in warning.said
        await asyncio.to_thread(dovecot.deliver, user, mail("While nobody looked"))
        provider.refuses = None
        await consent(desk, provider, user)
        await arrived(desk, 1)
        assert await told(desk) == []


async def test_another_account_than_the_configured_one_is_named(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock, provider: MailProvider
) -> None:
    user = dovecot.new_user()
    async with desk_with(sqlite_url, tmp_path, clock, provider, watched(user, dovecot.imap_port)) as desk:
        await consent(desk, provider, user, signed_in="somebody.else@imap.test")
        await trouble(desk, MailTrouble.WRONG_ACCOUNT)
        said = [one.message % one.values for one in await told(desk)]
        assert any("somebody.else@imap.test is connected" in one for one in said)


async def test_a_fault_of_the_provider_does_no_harm_while_the_token_lasts(
    sqlite_url: str, clock: ManualClock, provider: MailProvider
) -> None:
    db = open_database(sqlite_url, now=clock.now, durable=DURABLE)
    made = clients(provider.oauth(), "https://desk.test/back")
    tokens = MailTokens(db, clock, Seal("secret"), made, "one")
    await _granted(tokens, made, provider)
    provider.refuses = (503, {"error": "temporarily_unavailable"})
    clock.advance(timedelta(minutes=56))  # four minutes are left: time to renew
    before = await tokens.access("microsoft:help@imap.test")
    kept = await db.read(mail_accounts.get, "microsoft:help@imap.test")
    assert kept is not None
    assert kept.trouble == MailTrouble.SERVER_FAULT
    clock.advance(timedelta(minutes=10))
    with pytest.raises(OAuthRefused) as refused:
        await tokens.access("microsoft:help@imap.test")
    assert refused.value.trouble is MailTrouble.SERVER_FAULT
    provider.refuses = None
    after = await tokens.access("microsoft:help@imap.test")
    assert after.token != before.token
    kept = await db.read(mail_accounts.get, "microsoft:help@imap.test")
    assert kept is not None
    assert kept.trouble == ""
    await db.close()


async def _granted(tokens: MailTokens, made: Any, provider: MailProvider) -> None:
    client = made[Provider.MICROSOFT]
    provider.signed_in = "help@imap.test"
    back = await provider.consent(client.consent_url(state="s", verifier="v" * 43, username="help@imap.test"))
    granted = await client.exchange(back["code"], "v" * 43, now=tokens._clock.now())
    await tokens.keep("microsoft:help@imap.test", granted, by=None)


async def test_two_processes_ask_for_new_tokens_once(
    database_url: str, clock: ManualClock, provider: MailProvider
) -> None:
    """A refresh token is good for one use: the second process to use it would lock the desk out."""
    dbs = [open_database(database_url, now=clock.now, durable=DURABLE) for _ in range(2)]
    made = clients(provider.oauth(), "https://desk.test/back")
    several = [MailTokens(db, clock, Seal("secret"), made, f"process-{n}") for n, db in enumerate(dbs)]
    await _granted(several[0], made, provider)
    clock.advance(timedelta(hours=3))
    got = await asyncio.gather(*(one.access("microsoft:help@imap.test") for one in several * 3))
    assert provider.refreshes == 1
    assert len({access.token for access in got}) == 1
    for db in dbs:
        await db.close()


async def test_a_process_that_died_while_asking_holds_nobody_up_for_long(
    sqlite_url: str, clock: ManualClock, provider: MailProvider
) -> None:
    db = open_database(sqlite_url, now=clock.now, durable=DURABLE)
    made = clients(provider.oauth(), "https://desk.test/back")
    tokens = MailTokens(db, clock, Seal("secret"), made, "alive")
    await _granted(tokens, made, provider)
    clock.advance(timedelta(hours=3))
    await db.write(mail_accounts.claim, "microsoft:help@imap.test", "dead", now=clock.now())
    clock.advance(mail_accounts.CLAIM + timedelta(seconds=1))
    access = await tokens.access("microsoft:help@imap.test")
    assert access.expires_at > clock.now()
    await db.close()


async def test_tokens_that_were_asked_for_before_the_account_was_disconnected_are_not_kept(
    database_url: str, clock: ManualClock
) -> None:
    account, now = "google:help@desk.test", clock.now()
    db = open_database(database_url, now=clock.now, durable=DURABLE)
    ends = now + timedelta(hours=1)
    await db.write(mail_accounts.connect, account, connected_as="", tokens="old", expires_at=ends, by=None, now=now)
    assert await db.write(mail_accounts.claim, account, "asks", now=now)
    await db.write(mail_accounts.disconnect, account, by=await VerbDesk(db, clock).operator("Ann"), now=now)
    assert not await db.write(mail_accounts.renewed, account, "asks", tokens="new", expires_at=ends)
    known = await db.read(mail_accounts.get, account)
    assert known is not None
    assert known.tokens == ""
    await db.close()


async def test_the_way_back_from_a_provider_counts_for_the_browser_that_began_it_and_not_for_ever(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock, provider: MailProvider
) -> None:
    user = dovecot.new_user()
    async with desk_with(sqlite_url, tmp_path, clock, provider, watched(user, dovecot.imap_port)) as desk:
        administration, by = desk.status.administration, await desk.operator()
        assert administration is not None
        provider.signed_in = user
        back = await provider.consent(administration.consent_url(f"microsoft:{user}", SESSION))
        with pytest.raises(BadInput, match="not begun here"):
            await administration.finish_consent(back, "another browser", by=by)
        with pytest.raises(BadInput, match="not begun here"):
            await administration.finish_consent({**back, "state": back["state"][:-2] + "xx"}, SESSION, by=by)
        with pytest.raises(BadInput, match="was not given"):
            await administration.finish_consent(
                {"state": back["state"], "error": "access_denied", "error_description": "No."}, SESSION, by=by
            )
        clock.advance(timedelta(minutes=16))
        with pytest.raises(BadInput, match="too long ago"):
            await administration.finish_consent(back, SESSION, by=by)
        assert await desk.db.read(mail_accounts.get, f"microsoft:{user}") is None


@pytest.mark.parametrize(
    ("said", "connected_as", "expected"),
    [
        ("User is authenticated but not connected.", "help@shop.example", MailTrouble.NO_LICENCE),
        ("User is authenticated but not connected.", "other@shop.example", MailTrouble.WRONG_ACCOUNT),
        ("[ALERT] Your account is not enabled for IMAP use. (Failure)", "", MailTrouble.IMAP_OFF),
        ("[ALERT] IMAP access is disabled for your domain.", "", MailTrouble.IMAP_OFF),
        ("[UNAVAILABLE] Temporary authentication failure", "", MailTrouble.SERVER_FAULT),
        ("Server error while reading", "", MailTrouble.SERVER_FAULT),
        ("The mailbox has no license", "help@shop.example", MailTrouble.NO_LICENCE),
    ],
)
def test_what_mail_servers_say_is_told_apart(
    said: str, connected_as: str, expected: MailTrouble, clock: ManualClock
) -> None:
    box = watched("help@shop.example", 993)
    access = Access("token", clock.now(), connected_as)
    assert failure_of(IMAPClientError(said), box, access).trouble is expected


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (401, {"error": "invalid_client", "error_description": "AADSTS7000222: expired"}, MailTrouble.SECRET_ENDED),
        (401, {"error": "invalid_client", "error_description": "AADSTS7000215: bad"}, MailTrouble.CLIENT_REFUSED),
        (400, {"error": "invalid_grant"}, MailTrouble.CONSENT_WITHDRAWN),
        (400, {"error": "interaction_required", "error_description": "AADSTS50076"}, MailTrouble.CONSENT_WITHDRAWN),
        (502, {}, MailTrouble.SERVER_FAULT),
        (200, {"nothing": "useful"}, MailTrouble.SERVER_FAULT),
    ],
)
async def test_what_providers_say_is_told_apart(
    status: int, answer: dict[str, str], expected: MailTrouble, clock: ManualClock, provider: MailProvider
) -> None:
    provider.refuses = (status, answer)
    client = clients(provider.oauth(), "https://desk.test/back")[Provider.MICROSOFT]
    with pytest.raises(OAuthRefused) as refused:
        await client.refresh("anything", now=clock.now())
    assert refused.value.trouble is expected


def test_the_end_of_a_client_secret_is_told_a_month_and_a_week_before() -> None:
    def said(ends: date, today: date) -> str:
        account = ConfiguredAccount("google:help@shop.example", "google", "help@shop.example", ends)
        now = datetime(today.year, today.month, today.day, tzinfo=UTC)
        return " ".join(one.message % one.values for one in of_secret(account, now))

    ends = date(2026, 6, 30)
    assert said(ends, date(2026, 5, 30)) == ""
    assert "in time" in said(ends, date(2026, 5, 31))
    assert "in time" in said(ends, date(2026, 6, 22))
    assert "in 7 days: no mail after that" in said(ends, date(2026, 6, 23))
    assert "ended on 2026-06-30" in said(ends, date(2026, 6, 30))


def test_what_is_sealed_opens_with_the_same_secret_and_name_only() -> None:
    sealed = Seal("one").close("refresh-token", "google:a@b.example")
    assert "refresh-token" not in sealed
    assert Seal("one").open(sealed, "google:a@b.example") == "refresh-token"
    for seal, name in ((Seal("two"), "google:a@b.example"), (Seal("one"), "google:c@b.example")):
        with pytest.raises(SealBroken):
            seal.open(sealed, name)
    with pytest.raises(SealBroken):
        Seal("one").open(sealed[:-6] + "AAAAAA", "google:a@b.example")


def test_what_servers_say_carries_no_token_into_the_log() -> None:
    assert clean_words("Bad token\r\n" + "ey" + "A" * 200 + " refused\x07") == "Bad token … refused"


def test_a_mailbox_signs_in_with_one_thing_and_needs_its_provider() -> None:
    with pytest.raises(ValueError, match="either password or oauth"):
        Mailbox(name="main", host="h", username="u")
    with pytest.raises(ValueError, match="either password or oauth"):
        watched("u", 993, password=Secret(value=SecretStr("p")))
    assert Mailbox(name="main", username="u", oauth=Provider.GOOGLE).host == "imap.gmail.com"
    app = MicrosoftApp(client_id="x", tenant="contoso.example")
    url = clients(OAuth(microsoft=app), "https://desk.test/back")[Provider.MICROSOFT].authorise_url
    assert url == "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/authorize"


class _TakesTokens:
    """The provider's outgoing server: signs in by XOAUTH2 only, and believes one token."""

    def __init__(self) -> None:
        self.believed = ""
        self.seen: list[bytes] = []
        self.mails: list[bytes] = []

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:
        said = base64.b64decode(args[1])
        self.seen.append(said)
        user, _, rest = said.partition(b"\x01")
        good = user == b"user=sales@imap.test" and rest == f"auth=Bearer {self.believed}\x01\x01".encode()
        return AuthResult(success=good, handled=False)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(bytes(envelope.original_content))
        return "250 Kept"


async def test_answers_leave_through_the_providers_server_with_a_token(
    sqlite_url: str, tmp_path: Path, clock: ManualClock, provider: MailProvider
) -> None:
    handler, loop = _TakesTokens(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, auth_require_tls=False, loop=loop), "127.0.0.1", 0)
    outgoing = Outgoing(
        host="127.0.0.1",
        port=server.sockets[0].getsockname()[1],
        tls=TlsMode.NONE,
        username="sales@imap.test",
        oauth=Provider.MICROSOFT,
    )
    async with open_desk(sqlite_url, tmp_path, clock=clock, outgoing=outgoing, oauth=provider.oauth()) as desk:
        await asyncio.to_thread(deliver_smtp, desk, mail("How much is it?"))
        await arrived(desk, 1)
        (conversation,) = await desk.conversations()
        operator = await desk.operator("Cecilia Cole")
        entry_id = await desk.reply(operator, conversation, "Nine euros.")
        (entry,) = [one for one in await desk.timeline(conversation) if one.id == entry_id]
        assert "Nobody has connected this account yet" in (entry.delivery_error or "")
        assert handler.seen == []

        await consent(desk, provider, "sales@imap.test")
        tokens = desk.status.administration._tokens  # type: ignore[union-attr]
        handler.believed = (await tokens.access("microsoft:sales@imap.test")).token
        clock.advance(timedelta(minutes=10))
        await desk.outbox.work_off()
        (entry,) = [one for one in await desk.timeline(conversation) if one.id == entry_id]
        assert handler.mails, entry.delivery_error
        assert b"Nine euros." in handler.mails[0]
        assert len(handler.seen) == 1
    server.close()
