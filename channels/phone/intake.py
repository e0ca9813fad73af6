"""The loop that turns kept call events into calls: woken by commits, and at the start for what a crash left over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog

from channels.background import running
from channels.phone.event import CallEvent, Reader
from channels.phone.settings import PhoneSettings
from channels.phone.webhook import reader
from inbox.calls import record_call
from inbox.clock import Clock
from inbox.errors import BadInput
from inbox.events import AnyEvent, ArrivalKept
from inbox.store import arrivals
from inbox.store.arrivals import ArrivalRecord
from inbox.store.database import Database, longest_sleep
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalId, ArrivalState
from inbox.words import N_

log = structlog.get_logger(__name__)

PREFIX = "phone:"
AT_ONCE = 50
AFTER_TROUBLE = timedelta(seconds=2)

UNKNOWN_TYPE = N_("The type of this event is not known to this version.")
GOES_ON = N_("The call had not ended yet.")
OWED_NOTHING = N_("This call is owed no answer.")


class Intake:
    """`wake` is told after each commit; `running` keeps the loop going for as long as it is entered."""

    def __init__(self, db: Database, clock: Clock, settings: PhoneSettings) -> None:
        self._db, self._clock, self._settings = db, clock, settings
        self._woken = asyncio.Event()

    def wake(self, happened: Sequence[AnyEvent]) -> None:
        if any(isinstance(one, ArrivalKept) and one.source.startswith(PREFIX) for one in happened):
            self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with running(self.run(), "phone intake"):
            yield

    async def run(self) -> None:
        longest = longest_sleep(self._db)
        while True:
            self._woken.clear()
            pause = longest
            try:
                if await self.work_off():
                    continue
            except Exception:
                log.exception("call events wait")
                pause = AFTER_TROUBLE
            await self._clock.wait_until(self._clock.now() + pause, self._woken)

    async def work_off(self) -> int:
        """Take in everything that is waiting, oldest first; how many events that were."""
        done = 0
        while waiting := await self._db.read(arrivals.waiting, PREFIX, AT_ONCE):
            for arrival in waiting:
                await self._one(arrival)
            done += len(waiting)
        return done

    async def _one(self, arrival: ArrivalRecord) -> None:
        now = self._clock.now()
        try:
            event = self._reader(arrival).read(arrival.raw, arrival_id=arrival.id)
        except BadInput as problem:
            reason = f"{problem.field}: {problem}"
            await self._db.write(arrivals.settle, arrival.id, ArrivalState.TRAY, reason=reason, now=now)
            return
        try:
            await self._db.write(place, arrival.id, event, received_at=arrival.received_at, now=now)
        except Exception as error:
            log.exception("call event could not be taken in", arrival=arrival.id)
            await self._db.write(arrivals.failed, arrival.id, f"{type(error).__name__}: {error}", now=now)

    def _reader(self, arrival: ArrivalRecord) -> Reader:
        name = arrival.source.removeprefix(PREFIX)
        source = self._settings.source(name)
        if source is None:  # kept before the source was taken out of the configuration
            return Reader(name, self._settings.default_country)
        return reader(self._settings, source)


def place(tx: Transaction, arrival_id: ArrivalId, event: CallEvent, *, received_at: datetime, now: datetime) -> None:
    """Record the call and say what became of the arrival, in one commit."""
    if event.type is None:
        arrivals.settle(
            tx,
            arrival_id,
            ArrivalState.SET_ASIDE,
            reason=UNKNOWN_TYPE,
            now=now,
        )
        return
    recorded = record_call(tx, event.facts, heard_at=received_at, now=now)
    if recorded.entry_id is not None:
        arrivals.settle(tx, arrival_id, ArrivalState.PLACED, entry_id=recorded.entry_id, now=now)
    else:
        reason = GOES_ON if recorded.outcome is None else OWED_NOTHING
        arrivals.settle(tx, arrival_id, ArrivalState.SET_ASIDE, reason=reason, now=now)
