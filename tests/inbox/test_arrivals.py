"""Arrivals: kept once, accounted for, and settled by whoever placed them."""

from __future__ import annotations

from inbox.clock import ManualClock
from inbox.store import arrivals
from inbox.store.database import Database
from inbox.vocabulary import ArrivalState


async def test_a_slower_process_that_fails_takes_nothing_back_from_the_one_that_placed_it(
    database: Database, clock: ManualClock
) -> None:
    now = clock.now()
    kept = await database.write(arrivals.keep, source="smtp", dedupe_key="one", raw=b"Hello", envelope={}, now=now)
    await database.write(arrivals.settle, kept.arrival_id, ArrivalState.PLACED, now=now)
    for _ in range(arrivals.MAX_TRIES):
        assert not await database.write(arrivals.failed, kept.arrival_id, "too slow", now=now)
    found = await database.read(arrivals.get, kept.arrival_id)
    assert found is not None
    assert (found.state, found.attempts, found.reason) == (ArrivalState.PLACED, 0, "")


async def test_what_fails_every_time_ends_in_the_tray(database: Database, clock: ManualClock) -> None:
    now = clock.now()
    kept = await database.write(arrivals.keep, source="smtp", dedupe_key="one", raw=b"?", envelope={}, now=now)
    ends = [await database.write(arrivals.failed, kept.arrival_id, "broken", now=now) for _ in range(3)]
    assert ends == [False, False, True]
    assert await database.read(arrivals.waiting, "smtp") == []
