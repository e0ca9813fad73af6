"""One thread for each watched mailbox. The watermark moves only after the mail is committed, so nothing is skipped.

A thread of its own and not the loop's pool: a waiting IDLE would eat the pool. Why IMAPClient and threads:
docs/decisions/0006-one-thread-for-each-mailbox.md.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from channels.email import limits
from channels.email.keeping import keep_from_mailbox
from channels.email.settings import Mailbox, TlsMode
from inbox.clock import Clock
from inbox.mailboxes import Watermark, read_watermark, write_watermark
from inbox.store.database import Database
from inbox.store.transaction import Transaction

log = structlog.get_logger(__name__)

CONNECT_SECONDS, READ_SECONDS = 10, 60
BACK_OFF_SECONDS = (0.5, 60.0)
STORE_SECONDS = 60
FETCH_AT_ONCE = 20
HEADER = b"BODY[HEADER]"
WHOLE = b"BODY[]"


@dataclass(slots=True)
class MailboxState:
    """What a status page shows of one mailbox. `trouble` is empty while all is well."""

    name: str
    connected: bool = False
    trouble: str = ""
    since: datetime | None = None
    taken: int = 0
    waiting_with_server: bool = False


@dataclass(slots=True)
class _Watcher:
    mailbox: Mailbox
    db: Database
    clock: Clock
    loop: asyncio.AbstractEventLoop
    state: MailboxState
    stopping: threading.Event = field(default_factory=threading.Event)
    client: IMAPClient | None = None
    ready: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        pause = BACK_OFF_SECONDS[0]
        while not self.stopping.is_set():
            try:
                self._watch()
                pause = BACK_OFF_SECONDS[0]
            except Exception as error:
                if self.stopping.is_set():
                    return
                if self.state.connected:
                    pause = BACK_OFF_SECONDS[0]  # it worked until now: try soon
                self._say(connected=False, trouble=_words(error))
                log.warning("mailbox not reachable", mailbox=self.mailbox.name, error=_words(error), again_in_s=pause)
            finally:
                self._disconnect()
            # Jitter, so that twenty mailboxes do not come back to a restarted server in the same instant.
            self.stopping.wait(pause * random.uniform(0.7, 1.3))
            pause = min(pause * 2, BACK_OFF_SECONDS[1])

    def stop(self) -> None:
        self.stopping.set()
        client = self.client
        if client is not None:
            with suppress(Exception):
                client.socket().shutdown(socket.SHUT_RDWR)

    def _watch(self) -> None:
        client = self._connect()
        mark = self._select(client)
        self._say(connected=True, trouble="")
        can_idle = client.has_capability("IDLE")
        while not self.stopping.is_set():
            mark = self._take_new(client, mark)
            self.ready.set()
            if can_idle:
                self._idle(client)
            else:
                self.stopping.wait(self.mailbox.poll_seconds)
                if not self.stopping.is_set():
                    client.noop()

    def _connect(self) -> IMAPClient:
        box = self.mailbox
        password = box.password.read()
        context = ssl.create_default_context()
        client = IMAPClient(
            box.host,
            port=box.port,
            ssl=box.tls is TlsMode.TLS,
            ssl_context=context if box.tls is TlsMode.TLS else None,
            timeout=SocketTimeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )
        self.client = client
        client.normalise_times = False  # otherwise INTERNALDATE is naive local time
        if box.tls is TlsMode.STARTTLS:
            client.starttls(context)
        client.login(box.username, password)
        return client

    def _select(self, client: IMAPClient) -> Watermark:
        """Where to go on. A changed UIDVALIDITY makes every number stand for another mail: go on with what came since
        the last one taken, a day early; the desk recognises by content what it has."""
        selected = client.select_folder(self.mailbox.folder, readonly=True)
        validity, following = int(selected[b"UIDVALIDITY"]), int(selected.get(b"UIDNEXT", 1))
        mark: Watermark | None = self._ask(self._read_mark())
        if mark is not None and mark.uid_validity == validity:
            return mark
        if self.mailbox.import_existing:
            mark = Watermark(validity, 0)
        elif mark is None or mark.moved_at is None:
            mark = Watermark(validity, following - 1)
        else:
            since = client.search(["SINCE", (mark.moved_at - timedelta(days=1)).date()])
            mark = Watermark(validity, min(since, default=following) - 1)
        self._ask(self._write_mark(mark))
        return mark

    def _take_new(self, client: IMAPClient, mark: Watermark) -> Watermark:
        # The star always names the last mail, even when it is an old one.
        uids = sorted(uid for uid in client.search(["UID", f"{mark.last_uid + 1}:*"]) if uid > mark.last_uid)
        for start in range(0, len(uids), FETCH_AT_ONCE):
            some = uids[start : start + FETCH_AT_ONCE]
            sizes = client.fetch(some, ["RFC822.SIZE"])
            for uid in some:
                if self.stopping.is_set():
                    return mark
                size = int(sizes.get(uid, {}).get(b"RFC822.SIZE", 0))
                mark = self._take(client, mark, uid, size)
        return mark

    def _take(self, client: IMAPClient, mark: Watermark, uid: int, size: int) -> Watermark:
        truncated = size > limits.MAIL_BYTES
        wanted = "BODY.PEEK[]<0.1000000>" if truncated else "BODY.PEEK[]"
        answer = client.fetch([uid], [wanted]).get(uid, {})
        raw = next((value for key, value in answer.items() if key.startswith(WHOLE)), None)
        following = Watermark(mark.uid_validity, uid)
        if raw is None:  # expunged between the search and now
            self._ask(self._write_mark(following))
            return following
        self._ask(self._keep(bytes(raw), following, truncated))
        self.state.taken += 1
        return following

    def _idle(self, client: IMAPClient) -> None:
        client.idle()
        self.state.waiting_with_server = True
        try:
            client.idle_check(timeout=self.mailbox.idle_seconds)
        finally:
            self.state.waiting_with_server = False
            # "Timed out" and "closed" look the same above; a dead line shows itself here by an exception.
            client.idle_done()

    def _disconnect(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            with suppress(Exception):
                client.shutdown()

    async def _read_mark(self) -> Watermark | None:
        return await self.db.read(read_watermark, self.mailbox.name)

    async def _write_mark(self, mark: Watermark) -> None:
        await self.db.write(write_watermark, self.mailbox.name, mark, now=self.clock.now())

    async def _keep(self, raw: bytes, mark: Watermark, truncated: bool) -> None:
        await self.db.write(_keep_and_mark, raw, self.mailbox.name, mark, truncated=truncated, now=self.clock.now())

    def _ask(self, work: Any) -> Any:
        """Run on the desk's loop and wait; the mail stays on the server as long as this has not succeeded."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(STORE_SECONDS)

    def _say(self, *, connected: bool, trouble: str) -> None:
        if connected != self.state.connected or trouble != self.state.trouble:
            self.state.connected, self.state.trouble, self.state.since = connected, trouble, self.clock.now()


def _keep_and_mark(
    tx: Transaction, raw: bytes, mailbox: str, mark: Watermark, *, truncated: bool, now: datetime
) -> None:
    """One commit: the mail and how far we have read."""
    keep_from_mailbox(
        tx, raw, mailbox=mailbox, uid_validity=mark.uid_validity, uid=mark.last_uid, truncated=truncated, now=now
    )
    write_watermark(tx, mailbox, mark, now=now)


def _words(error: Exception) -> str:
    if isinstance(error, LoginError):
        return f"The mail server refused the sign-in: {error}"
    if isinstance(error, IMAPClientError):
        return f"The mail server answered: {error}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


@asynccontextmanager
async def watching(
    db: Database,
    clock: Clock,
    mailboxes: Sequence[Mailbox],
    states: list[MailboxState],
    thread: Callable[..., threading.Thread] = threading.Thread,
) -> AsyncIterator[None]:
    """Watch all mailboxes while inside. `states` is filled with one line for each, kept up to date."""
    loop = asyncio.get_running_loop()
    watchers: list[_Watcher] = []
    threads: list[threading.Thread] = []
    for mailbox in mailboxes:
        state = MailboxState(mailbox.name)
        states.append(state)
        watcher = _Watcher(mailbox, db, clock, loop, state)
        watchers.append(watcher)
        threads.append(thread(target=watcher.run, name=f"mailbox-{mailbox.name}", daemon=True))
    for one in threads:
        one.start()
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.stop()
        for one in threads:
            await asyncio.to_thread(one.join, 2)
