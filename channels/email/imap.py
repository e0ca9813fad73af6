"""One thread for each watched mailbox. The watermark moves only after the mail is committed, so nothing is skipped.

A thread of its own and not the loop's pool: a waiting IDLE would eat the pool. Why IMAPClient and threads:
docs/decisions/0006-one-thread-for-each-mailbox.md. Which process watches: channels/email/watching.py.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from channels.email.imap_session import MailboxFailure, Session, TokenEnded, failure_of, is_expiry, open_session
from channels.email.keeping import keep_from_mailbox, keep_unfetched
from channels.email.mail_tokens import Access, MailTokens
from channels.email.partial import fetch_partially
from channels.email.settings import Mailbox
from inbox import mailboxes
from inbox.clock import Clock
from inbox.mailboxes import MailTrouble, Watermark
from inbox.store.database import Database
from inbox.store.transaction import Transaction

T = TypeVar("T")

log = structlog.get_logger(__name__)

BACK_OFF_SECONDS = (0.5, 60.0)
STORE_SECONDS = 60
FETCH_AT_ONCE = 20
FETCH_TRIES = 3
RENEWS_AHEAD = timedelta(seconds=30)
"""A session ends itself so long before its token does, and begins again with a new one."""
WHOLE = b"BODY[]"


@dataclass(slots=True)
class MailboxState:
    """How this process does with one mailbox. `trouble` is empty while all is well, `said` are the server's words."""

    name: str
    connected: bool = False
    trouble: str = ""
    said: str = ""
    since: datetime | None = None
    taken: int = 0
    sessions: int = 0
    waiting_with_server: bool = False
    elsewhere: bool = False  # another process watches it


@dataclass(slots=True)
class MailboxWatcher:
    mailbox: Mailbox
    db: Database
    clock: Clock
    loop: asyncio.AbstractEventLoop
    state: MailboxState
    tokens: MailTokens | None
    leased: bool = False
    _stopping: bool = False
    _woken: threading.Event = field(default_factory=threading.Event)
    _client: IMAPClient | None = None
    _access: Access | None = None
    _tries: dict[int, int] = field(default_factory=dict)
    _one_by_one: bool = False

    # --- from the loop ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        self._stopping = True
        self.break_line()

    def set_leased(self, leased: bool) -> None:
        """May this process watch it now? One that may no longer leaves at once."""
        self.state.elsewhere = not leased
        if leased == self.leased:
            return
        self.leased = leased
        if leased:
            self._woken.set()
        else:
            self.break_line()

    def try_now(self) -> None:
        """Something was put right: do not wait for the next try."""
        self._woken.set()

    def break_line(self) -> None:
        self._woken.set()
        client = self._client
        if client is not None:
            with suppress(Exception):
                client.socket().shutdown(socket.SHUT_RDWR)

    # --- in the thread ----------------------------------------------------------------------------------------------

    @property
    def _may_go_on(self) -> bool:
        return self.leased and not self._stopping

    def run(self) -> None:
        pause = BACK_OFF_SECONDS[0]
        while not self._stopping:
            if not self.leased:
                self._woken.wait()
                self._woken.clear()
                continue
            try:
                self._watch()
            except Exception as error:
                if not self._may_go_on:
                    self._forget_state()
                elif self._has_only_expired(error):
                    pause = BACK_OFF_SECONDS[0]
                    log.info("mail session begins again with a new token", mailbox=self.mailbox.name)
                else:
                    if self.state.connected:
                        pause = BACK_OFF_SECONDS[0]  # it worked until now: try soon
                    self._note_failure(failure_of(error, self.mailbox, self._access), pause)
            finally:
                self._disconnect()
            # Jitter, so that twenty mailboxes do not come back to a restarted server in the same instant.
            if self._woken.wait(pause * random.uniform(0.7, 1.3)):
                self._woken.clear()
            pause = min(pause * 2, BACK_OFF_SECONDS[1])

    def _has_only_expired(self, error: Exception) -> bool:
        if isinstance(error, TokenEnded):
            return True
        if self._access is None or not self.state.connected or isinstance(error, MailboxFailure):
            return False
        return is_expiry(error) or self._access.expires_at <= self.clock.now()

    def _watch(self) -> None:
        session = open_session(self.mailbox, self._access_for, self._opened)
        client, self._access = session.client, session.access
        mark = self._select(client)
        self._say(connected=True)
        self.state.sessions += 1
        can_idle = client.has_capability("IDLE")
        while self._may_go_on:
            mark = self._take_new(client, mark)
            seconds = self._seconds_left(session)
            if can_idle:
                self._idle(client, min(seconds, self.mailbox.idle_seconds))
            else:
                self._woken.wait(min(seconds, self.mailbox.poll_seconds))
                self._woken.clear()
                if self._may_go_on:
                    client.noop()

    def _seconds_left(self, session: Session) -> float:
        """Until the token ends. Raises TokenEnded shortly before."""
        if session.access is None:
            return float("inf")
        left = session.access.expires_at - RENEWS_AHEAD - self.clock.now()
        if left <= timedelta():
            raise TokenEnded
        return left.total_seconds()

    def _opened(self, client: IMAPClient) -> None:
        self._client = client
        if not self._may_go_on:
            raise ConnectionAbortedError("stopped")

    def _access_for(self, account: str, refused: str) -> Access:
        if self.tokens is None:
            raise MailboxFailure(MailTrouble.NOT_CONNECTED, "")
        return self._ask(self.tokens.access(account, refused=refused))

    def _select(self, client: IMAPClient) -> Watermark:
        """Where to go on. What lay there before the first connection is left alone, unless it is asked for."""
        box = self.mailbox
        try:
            selected = client.select_folder(box.folder, readonly=True)
        except IMAPClientError as error:
            said = failure_of(error, box, self._access)
            if said.trouble is MailTrouble.SERVER_FAULT and not is_expiry(error) and _names_folder(str(error)):
                raise MailboxFailure(MailTrouble.NO_FOLDER, str(error)) from error
            raise
        validity, following = int(selected[b"UIDVALIDITY"]), _following(client, selected)
        known = self._ask(self.db.read(mailboxes.read_mailbox, box.name))
        if known is None or known.mark is None or known.folder not in ("", box.folder):
            there = 0 if box.import_existing else following - 1
            mark = Watermark(validity, there)
            self._ask(self.db.write(mailboxes.begin, box.name, box.folder, mark, first_uid=there, now=self.clock.now()))
            return mark
        if not known.folder:
            self._ask(self.db.write(mailboxes.note_folder, box.name, box.folder))
        if known.mark.uid_validity == validity:
            return known.mark
        return self._renumbered(client, known.mark, validity, following)

    def _renumbered(self, client: IMAPClient, before: Watermark, validity: int, following: int) -> Watermark:
        """Every number stands for another mail now (RFC 3501, 2.3.1.1): look through what came since the last mail
        taken, a day early. The desk knows by content what it has, and interrupted, all is looked through again."""
        log.warning("mailbox was numbered anew", mailbox=self.mailbox.name, uid_validity=validity)
        if self.mailbox.import_existing or before.moved_at is None:
            uids = client.search(["ALL"])
        else:
            uids = client.search(["SINCE", (before.moved_at - timedelta(days=1)).date()])
        for some in _pieces(sorted(uid for uid in uids if uid < following), FETCH_AT_ONCE):
            sizes = self._sizes(client, some)
            for uid in some:
                if not self._may_go_on:
                    raise ConnectionAbortedError("stopped")
                self._take(client, Watermark(validity, uid), sizes.get(uid), renumbered=True)
        mark = Watermark(validity, following - 1)
        self._ask(self._move(mark))
        return mark

    def _take_new(self, client: IMAPClient, mark: Watermark) -> Watermark:
        # The star always names the last mail, even when it is an old one.
        uids = sorted(uid for uid in client.search(["UID", f"{mark.last_uid + 1}:*"]) if uid > mark.last_uid)
        for some in _pieces(uids, FETCH_AT_ONCE):
            sizes = self._sizes(client, some)
            for uid in some:
                if not self._may_go_on:
                    return mark
                mark = Watermark(mark.uid_validity, uid)
                self._take(client, mark, sizes.get(uid))
        return mark

    def _sizes(self, client: IMAPClient, uids: list[int]) -> dict[int, int]:
        """Empty while some mail makes even this question fail: then each is asked about alone."""
        if self._one_by_one:
            return {}
        try:
            return sizes_of(client, uids)
        except IMAPClientError:
            self._one_by_one = True
            raise

    def _take(self, client: IMAPClient, mark: Watermark, size: int | None, *, renumbered: bool = False) -> None:
        uid, box = mark.last_uid, self.mailbox
        truncated = False
        try:
            if size is None:
                size = sizes_of(client, [uid]).get(uid, 0)
            truncated = size > box.max_mail_bytes
            raw = fetch_partially(client, uid) if truncated else fetch_whole(client, uid)
        except IMAPClientError as error:
            tries = self._tries[uid] = self._tries.get(uid, 0) + 1
            if tries < FETCH_TRIES or is_expiry(error) or not self._may_go_on:
                raise
            log.warning("mail cannot be fetched", mailbox=box.name, uid=uid, error=str(error)[:300])
            said = failure_of(error, box, self._access).said
            self._ask(self._keep_unfetched(mark, size or 0, said, renumbered))
            self._one_by_one = False
            if isinstance(error, IMAPClientAbortError):
                raise  # the line is gone as well; this mail is not asked for again
            return
        self._tries.pop(uid, None)
        if raw is None:  # expunged between the search and now
            if not renumbered:
                self._ask(self._move(mark))
        else:
            self._ask(self._keep(raw, mark, truncated, renumbered))
            self.state.taken += 1

    def _idle(self, client: IMAPClient, seconds: float) -> None:
        client.idle()
        self.state.waiting_with_server = True
        try:
            for told in client.idle_check(timeout=seconds):
                if told and told[0] == b"BYE" and is_expiry(Exception(repr(told))):
                    raise TokenEnded
        finally:
            self.state.waiting_with_server = False
            # "Timed out" and "closed" look the same above; a dead line shows itself here by an exception.
            client.idle_done()

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                client.shutdown()

    async def _move(self, mark: Watermark) -> None:
        await self.db.write(mailboxes.move_mark, self.mailbox.name, mark, took_mail=False, now=self.clock.now())

    async def _keep(self, raw: bytes, mark: Watermark, truncated: bool, renumbered: bool) -> None:
        await self.db.write(
            _keep_and_mark,
            raw,
            self.mailbox.name,
            mark,
            truncated=truncated,
            renumbered=renumbered,
            now=self.clock.now(),
        )

    async def _keep_unfetched(self, mark: Watermark, size: int, said: str, renumbered: bool) -> None:
        await self.db.write(
            _note_unfetched, self.mailbox.name, mark, size, said, renumbered=renumbered, now=self.clock.now()
        )

    def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the desk's loop and wait; the mail stays on the server as long as this has not succeeded."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(STORE_SECONDS)

    def _note_failure(self, failure: MailboxFailure, again_in_s: float) -> None:
        self._say(connected=False, trouble=failure.trouble, said=failure.said)
        log.warning(
            "mailbox not reachable",
            mailbox=self.mailbox.name,
            trouble=failure.trouble,
            said=failure.said,
            again_in_s=again_in_s,
        )

    def _forget_state(self) -> None:
        self.state.connected, self.state.trouble, self.state.said, self._access = False, "", "", None

    def _say(self, *, connected: bool, trouble: str = "", said: str = "") -> None:
        if (connected, trouble, said) == (self.state.connected, self.state.trouble, self.state.said):
            return
        now = self.clock.now()
        self.state.connected, self.state.trouble, self.state.said, self.state.since = connected, trouble, said, now
        with suppress(Exception):  # only for the page; the next change says it again
            self._ask(
                self.db.write(
                    mailboxes.note_state, self.mailbox.name, connected=connected, trouble=trouble, said=said, now=now
                )
            )


def fetch_whole(client: IMAPClient, uid: int) -> bytes | None:
    """None: it has gone."""
    answer = client.fetch([uid], ["BODY.PEEK[]"]).get(uid, {})
    raw = next((value for key, value in answer.items() if key.startswith(WHOLE)), None)
    return None if raw is None else bytes(raw)


def sizes_of(client: IMAPClient, uids: list[int]) -> dict[int, int]:
    answer = client.fetch(uids, ["RFC822.SIZE"])
    return {uid: int(answer.get(uid, {}).get(b"RFC822.SIZE", 0)) for uid in uids}


def _following(client: IMAPClient, selected: dict[bytes, Any]) -> int:
    """The number of the next mail to come; asked for where the server did not say it by itself."""
    if b"UIDNEXT" in selected:
        return int(selected[b"UIDNEXT"])
    return max(client.search(["ALL"]), default=0) + 1


def _names_folder(said: str) -> bool:
    lower = said.casefold()
    return any(words in lower for words in ("exist", "unknown mailbox", "unknown folder", "not found", "no such"))


def _pieces(numbers: list[int], most: int) -> list[list[int]]:
    return [numbers[start : start + most] for start in range(0, len(numbers), most)]


def _keep_and_mark(
    tx: Transaction,
    raw: bytes,
    mailbox: str,
    mark: Watermark,
    *,
    truncated: bool,
    renumbered: bool,
    now: datetime,
) -> None:
    """One commit: the mail and how far we have read."""
    keep_from_mailbox(
        tx,
        raw,
        mailbox=mailbox,
        uid_validity=mark.uid_validity,
        uid=mark.last_uid,
        truncated=truncated,
        renumbered=renumbered,
        now=now,
    )
    if not renumbered:
        mailboxes.move_mark(tx, mailbox, mark, took_mail=True, now=now)


def _note_unfetched(
    tx: Transaction, mailbox: str, mark: Watermark, size_bytes: int, said: str, *, renumbered: bool, now: datetime
) -> None:
    keep_unfetched(
        tx,
        mailbox=mailbox,
        uid_validity=mark.uid_validity,
        uid=mark.last_uid,
        size_bytes=size_bytes,
        said=said,
        now=now,
    )
    if not renumbered:
        mailboxes.move_mark(tx, mailbox, mark, took_mail=False, now=now)
