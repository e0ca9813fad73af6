"""What happens by itself when its time has come: slept towards, not swept.

Each timer knows its nearest due moment and what to do then. The database is the truth, so a restart only asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection

from inbox import callback_timers, handoff, lifecycle, visitor_leaving
from inbox.clock import Clock
from inbox.events import AnyEvent, MessageReceived
from inbox.people import handling
from inbox.store.database import SHARED_SLEEP, Database, longest_sleep
from inbox.store.transaction import Transaction
from inbox.waits import ledger

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timer:
    name: str
    next_due: Callable[[Connection], datetime | None]
    fire: Callable[..., int]  # (tx, *, now) → how many were due


TIMERS: Sequence[Timer] = (
    Timer("waits", ledger.next_due, ledger.fire_due),
    Timer("handoffs", handoff.next_return, handoff.return_due),
    Timer("snoozes", lifecycle.next_wake, lifecycle.wake_due),
    Timer("visitors", visitor_leaving.next_leaving, visitor_leaving.leaving_due),
    Timer("callbacks", callback_timers.next_due, callback_timers.fire_due),
    Timer("handling", handling.next_idle, handling.end_idle),
)


def nearest(conn: Connection, timers: Sequence[Timer]) -> datetime | None:
    return min((due for timer in timers if (due := timer.next_due(conn)) is not None), default=None)


def fire_all(tx: Transaction, timers: Sequence[Timer], *, now: datetime) -> int:
    return sum(timer.fire(tx, now=now) for timer in timers)


class Watcher:
    """Runs the timers for as long as `run` is awaited. `wake` is called after every commit."""

    def __init__(self, db: Database, clock: Clock, timers: Sequence[Timer] = TIMERS) -> None:
        self._db, self._clock, self._timers = db, clock, timers
        self._woken = asyncio.Event()

    def wake(self, happened: Sequence[AnyEvent]) -> None:
        # One more message in a wait that runs changes no due time; a chat is full of them.
        if not all(type(event) is MessageReceived for event in happened):
            self._woken.set()

    async def fire(self) -> datetime | None:
        """Do all that is due; the moment of what comes next."""
        while True:
            now = self._clock.now()
            due = await self._db.read(nearest, self._timers)
            if due is None or due > now:
                return due
            if not await self._fire_all(now):
                # Another process holds the due rows; let it finish.
                return now + SHARED_SLEEP

    async def _fire_all(self, now: datetime) -> int:
        try:
            return await self._db.write(fire_all, self._timers, now=now)
        except Exception:
            log.exception("timers failed together, now each alone")
        fired, failed = 0, 0
        for timer in self._timers:  # one that cannot do its work must not keep the others from theirs
            try:
                fired += await self._db.write(timer.fire, now=now)
            except Exception:
                failed += 1
                log.exception("timer failed", timer=timer.name)
                if failed == len(self._timers):
                    raise
        return fired

    async def run(self) -> None:
        longest = longest_sleep(self._db)
        while True:
            due = await self.fire()
            limit = self._clock.now() + longest
            await self._clock.wait_until(limit if due is None else min(due, limit), self._woken)
