"""All watched mailboxes of a desk: threads, and the leases by which only one process watches each of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from channels.background import running
from channels.email.imap import MailboxState, MailboxWatcher
from channels.email.mail_tokens import MailTokens
from channels.email.settings import Mailbox
from inbox import mailboxes
from inbox.clock import Clock
from inbox.store.database import Database

log = structlog.get_logger(__name__)

LEASED_AGAIN_EVERY = timedelta(seconds=10)
"""Well within a lease, so that one slow commit loses nothing."""

STOP_SECONDS = 2


class Watching:
    def __init__(self, db: Database, clock: Clock, watchers: Sequence[MailboxWatcher], holder: str) -> None:
        self._db, self._clock, self._watchers, self._holder = db, clock, watchers, holder

    def try_now(self, account: str) -> None:
        """The account was connected: its mailboxes need not wait for their next try."""
        for watcher in self._watchers:
            if watcher.mailbox.account == account:
                watcher.try_now()

    async def lease(self) -> None:
        """Take or keep the leases of all mailboxes."""
        for watcher in self._watchers:
            try:
                leased = await self._db.write(
                    mailboxes.take_lease,
                    watcher.mailbox.name,
                    self._holder,
                    now=self._clock.now(),
                    alone=not self._db.several_processes,
                )
            except Exception:
                # Nobody can store mail while the database is away; what this process had it keeps.
                log.exception("mailbox could not be leased", mailbox=watcher.mailbox.name)
                continue
            if not leased and watcher.leased:
                log.warning("another process watches this mailbox now", mailbox=watcher.mailbox.name)
            watcher.set_leased(leased)

    async def go_on_leasing(self) -> None:
        if not self._db.several_processes:
            await asyncio.Event().wait()
        woken = asyncio.Event()
        while True:
            await self._clock.wait_until(self._clock.now() + LEASED_AGAIN_EVERY, woken)
            await self.lease()

    async def give_back(self) -> None:
        """Say that nobody watches now, so that another process can begin at once."""
        for watcher in self._watchers:
            if not watcher.leased:
                continue
            name = watcher.mailbox.name
            with suppress(Exception):
                await self._db.write(
                    mailboxes.note_state, name, connected=False, trouble="", said="", now=self._clock.now()
                )
                await self._db.write(mailboxes.give_lease_back, name, self._holder)


@asynccontextmanager
async def watching(
    db: Database,
    clock: Clock,
    watched: Sequence[Mailbox],
    states: list[MailboxState],
    *,
    tokens: MailTokens | None = None,
    holder: str,
) -> AsyncIterator[Watching]:
    """Watch all mailboxes while inside. `states` is filled with one line for each, kept up to date.

    `holder` names this process among those that share the store.
    """
    loop = asyncio.get_running_loop()
    states.clear()
    watchers: list[MailboxWatcher] = []
    threads: list[threading.Thread] = []
    for mailbox in watched:
        state = MailboxState(mailbox.name)
        states.append(state)
        watcher = MailboxWatcher(mailbox, db, clock, loop, state, tokens)
        watchers.append(watcher)
        threads.append(threading.Thread(target=watcher.run, name=f"mailbox-{mailbox.name}", daemon=True))
    everything = Watching(db, clock, watchers, holder)
    await everything.lease()
    for one in threads:
        one.start()
    try:
        async with running(everything.go_on_leasing(), "mailbox leases"):
            yield everything
    finally:
        for watcher in watchers:
            watcher.stop()
        for one in threads:
            await asyncio.to_thread(one.join, STOP_SECONDS)
        await everything.give_back()
