"""What reports keep ready for whole days is never older than the rows it was made of."""

from __future__ import annotations

from datetime import timedelta

from inbox import ratings
from inbox.clock import ManualClock
from inbox.queue_key import microseconds
from inbox.reports import keeper, packs
from inbox.reports.facts import Kind
from inbox.reports.period import DAY
from tests.support.verbs import VerbDesk


async def test_a_customer_who_thinks_again_days_later_is_counted_once(desk: VerbDesk, clock: ManualClock) -> None:
    asked = await desk.mail("Where is it?")
    await desk.db.write(ratings.rate, asked.conversation_id, 1, "Late.", now=clock.now())
    monday = microseconds(clock.now()) // DAY * DAY
    clock.advance(timedelta(days=2))
    await keeper.pack_all(desk.db, clock)
    await desk.db.write(ratings.rate, asked.conversation_id, 5, None, now=clock.now())
    found = await desk.db.read(packs.load, Kind.RATINGS, monday, monday + 4 * DAY)
    assert list(found["score"]) == [5]
    await keeper.pack_all(desk.db, clock)
    assert await keeper.check(desk.db) == []
