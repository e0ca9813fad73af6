"""The loop that empties one handler's part of the outbox: woken by commits, asleep until the next attempt is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

import structlog

from inbox.clock import Clock
from inbox.events import AnyEvent
from inbox.store import outbox
from inbox.store.database import Database, longest_sleep
from inbox.store.outbox import Job

log = structlog.get_logger(__name__)

Handle = Callable[[Job], Awaitable[None]]
"""Does the work and settles the row (outbox.done or outbox.failed). What it raises is a failure worth retrying."""

AT_ONCE = 8


class OutboxWorker:
    """`quiet`: events that put nothing into the outbox, so that a busy chat does not make it look all the time.

    `heeds`: the only events that do, where they are few.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        handler: str,
        handle: Handle,
        *,
        quiet: Collection[type] = (),
        heeds: Collection[type] | None = None,
    ) -> None:
        self._db, self._clock, self._handler, self._handle = db, clock, handler, handle
        self._quiet = frozenset(quiet)
        self._heeds = None if heeds is None else frozenset(heeds)
        self._woken = asyncio.Event()

    def wake(self, happened: Sequence[AnyEvent]) -> None:
        if self._heeds is not None:
            if any(type(event) in self._heeds for event in happened):
                self._woken.set()
        elif not all(type(event) in self._quiet for event in happened):
            self._woken.set()

    def look(self) -> None:
        """Something was put into the outbox that no event tells of."""
        self._woken.set()

    async def work_off(self) -> int:
        """Handle all that is due now; how many rows that were."""
        handled = 0
        while jobs := await self._db.write(outbox.claim, self._handler, now=self._clock.now(), limit=AT_ONCE):
            await asyncio.gather(*(self._one(job) for job in jobs))
            handled += len(jobs)
        return handled

    async def run(self) -> None:
        longest = longest_sleep(self._db)
        while True:
            self._woken.clear()
            due = await self._db.read(outbox.next_at, self._handler)
            if due is not None and due <= self._clock.now() and await self.work_off():
                continue
            limit = self._clock.now() + longest
            due = limit if due is None or due <= self._clock.now() else min(due, limit)
            await self._clock.wait_until(due, self._woken)

    async def _one(self, job: Job) -> None:
        keeping = asyncio.create_task(self._keep(job))
        try:
            await self._handle(job)
        except Exception as error:
            log.exception("outbox handler failed", handler=self._handler, job=job.id)
            await self._db.write(
                outbox.failed, job, f"{type(error).__name__}: {error}", retry=True, now=self._clock.now()
            )
        finally:
            keeping.cancel()

    async def _keep(self, job: Job) -> None:
        """A slow mail server must not make another process send the same mail once more."""
        while True:
            await self._clock.wait_until(self._clock.now() + outbox.LEASE / 2, asyncio.Event())
            try:
                await self._db.write(outbox.keep, job, now=self._clock.now())
            except Exception:
                log.exception("lease could not be kept", handler=self._handler, job=job.id)
