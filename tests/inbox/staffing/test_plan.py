"""A week planned from what the desk lived through, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from inbox import settings
from inbox.call_facts import CallFacts, Direction
from inbox.calls import record_call
from inbox.clock import ManualClock
from inbox.people import operators
from inbox.people.operators import OperatorRecord
from inbox.staffing import settings as staffing_settings
from inbox.staffing import shifts
from inbox.staffing.busiest import busiest
from inbox.staffing.forecast import Basis
from inbox.staffing.gathering import Gathered, gather
from inbox.staffing.measured import HandleBasis
from inbox.staffing.plan import SlotPlan, WeekPlan, work_out
from inbox.staffing.scope import scope
from inbox.staffing.shifts import ShiftKind, ShiftPlan
from inbox.staffing.what_if import OneMore, OneMoved, what_if
from inbox.store.database import Database
from inbox.store.models import HandlingSpan, PresenceSpan
from inbox.store.transaction import Transaction
from inbox.vocabulary import CallOutcome, ChannelKind, ConversationId, OperatorId, Presence, Role
from inbox.waits.change_hours import set_hours
from tests.support.verbs import VerbDesk

HELSINKI = ZoneInfo("Europe/Helsinki")
TUESDAY = date(2026, 3, 10)  # the clock stands at noon of it
MONDAY = date(2026, 3, 9)
NEXT_MONDAY = date(2026, 3, 16)
VIEWER = OperatorRecord(OperatorId(0), "", "", "", Role.ADMINISTRATOR, "en", {}, Presence.ONLINE, False)
NINE = 18
WEEKDAYS = {day: [["08:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def local(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=HELSINKI).astimezone(UTC)


class History:
    """Calls of a desk, straight through the verb that takes them in."""

    def __init__(self, db: Database) -> None:
        self.db, self._count = db, 0

    async def call(
        self, at: datetime, *, number: str = "", taken: bool = True, rang_s: int = 15
    ) -> ConversationId | None:
        self._count += 1
        answered = at + timedelta(seconds=rang_s)
        recorded = await self.db.write(
            record_call,
            CallFacts(
                provider="pbx",
                account="desk",
                call_id=str(self._count),
                direction=Direction.INBOUND,
                started_at=at,
                answered_at=answered if taken else None,
                ended_at=answered + timedelta(seconds=180 if taken else 0),
                number=number or f"+35840{self._count:07}",
                outcome=CallOutcome.ANSWERED if taken else CallOutcome.ABANDONED_IN_QUEUE,
            ),
            now=at + timedelta(seconds=300),
        )
        return recorded.conversation_id

    async def mondays(self, counts: Sequence[int], *, first: date = MONDAY) -> None:
        """So many calls at nine on the Mondays up to `first`, the newest last."""
        for weeks, count in enumerate(reversed(counts)):
            for n in range(count):
                await self.call(local(first - timedelta(weeks=weeks), 9, n % 30))


async def gathered(db: Database, week: date = NEXT_MONDAY, *, now: datetime) -> Gathered:
    seen = await db.read(scope, VIEWER, None)
    return await db.read(gather, seen, week, now=now)


async def plan_of(db: Database, week: date = NEXT_MONDAY, *, now: datetime) -> WeekPlan:
    return work_out(await gathered(db, week, now=now))


def at_nine(plan: WeekPlan, day: date) -> SlotPlan:
    return next(slot for slot in plan.day(day) if slot.half_hour.place == NINE)


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


async def operator(db: Database, name: str, now: datetime) -> OperatorId:
    return await db.write(
        operators.add, email=f"{name}@desk.test", name=name, role=Role.OPERATOR, password_hash="-", now=now
    )


async def test_an_empty_desk_has_no_plan_and_needs_nobody_beyond_the_least(
    database: Database, clock: ManualClock
) -> None:
    plan = await plan_of(database, now=clock.now())
    assert not plan.known
    assert plan.standing.first_day is None
    assert {slot.at_work for slot in plan.slots} == {0}
    assert len(plan.slots) == 336


async def test_calls_of_past_mondays_are_expected_on_the_next(
    history: History, database: Database, clock: ManualClock
) -> None:
    await history.mondays([5, 2, 4, 6, 4])
    plan = await plan_of(database, now=clock.now())
    found = at_nine(plan, NEXT_MONDAY).channels[ChannelKind.PHONE]
    assert (found.forecast.expected, found.forecast.basis) == (4, Basis.WEEKDAY)
    assert found.forecast.days == 4  # the very first day is not whole
    assert (found.handle.seconds, found.handle.basis) == (300, HandleBasis.SETTING)
    assert at_nine(plan, NEXT_MONDAY).need.phone >= 2
    assert at_nine(plan, NEXT_MONDAY + timedelta(days=1)).need.phone == 0


async def test_a_caller_who_tries_again_within_half_an_hour_counts_once(
    history: History, database: Database, clock: ManualClock
) -> None:
    day = MONDAY
    await history.call(local(day - timedelta(days=1), 9))
    for minute in (0, 5, 12, 29):
        await history.call(local(day, 9, minute), number="+358501234567", taken=False)
    await history.call(local(day, 10, 10), number="+358501234567")
    found = (await gathered(database, now=clock.now())).arrivals.channels[ChannelKind.PHONE]
    assert [found.came.get((day, place), 0) for place in (18, 19, 20)] == [1, 0, 1]
    assert [found.missed.get((day, place), 0) for place in (18, 19, 20)] == [1, 0, 0]


async def test_a_chat_that_was_left_is_demand_and_counts_as_missed(database: Database, clock: ManualClock) -> None:
    desk = VerbDesk(database, clock)
    await desk.chat("Hello?")
    now = clock.now()
    found = await gathered(database, MONDAY, now=now + timedelta(minutes=30))
    assert found.arrivals.channels[ChannelKind.CHAT].came == {(TUESDAY, 24): 1}


async def test_a_marked_day_is_left_out(history: History, database: Database, clock: ManualClock) -> None:
    await history.mondays([1, 3, 3, 30])
    marked = staffing_settings.StaffingSettings(marked_days={MONDAY.isoformat(): "the telephone rang by itself"})
    by = await operator(database, "Sari", clock.now())
    await database.write(staffing_settings.change, marked, by=by, now=clock.now())
    plan = await plan_of(database, now=clock.now())
    assert at_nine(plan, NEXT_MONDAY).channels[ChannelKind.PHONE].forecast.expected == 3
    assert plan.standing.left_out == [MONDAY]


async def test_a_holiday_is_planned_like_the_holiday_before(
    history: History, database: Database, clock: ManualClock
) -> None:
    """Also one longer ago than the weeks that are read."""
    holiday, coming = date(2025, 12, 26), NEXT_MONDAY
    hours = {
        "weekly": WEEKDAYS,
        "holidays": {holiday.isoformat(): [["08:00", "18:00"]], coming.isoformat(): [["08:00", "18:00"]]},
    }
    await database.write(set_hours, "Europe/Helsinki", hours, by=None, now=local(date(2025, 12, 1), 8))
    await history.call(local(date(2025, 12, 20), 9))
    await history.call(local(holiday, 9))
    await history.mondays([6, 6, 6])
    plan = await plan_of(database, now=clock.now())
    found = at_nine(plan, NEXT_MONDAY)
    assert found.holiday
    assert found.channels[ChannelKind.PHONE].forecast.expected == 1
    assert found.channels[ChannelKind.PHONE].forecast.basis is Basis.HOLIDAYS
    assert plan.standing.holidays == [coming]


async def test_closed_half_hours_need_nobody_and_leave_their_work_to_the_opening(
    history: History, database: Database, clock: ManualClock
) -> None:
    hours = {"weekly": {day: [["12:00", "18:00"]] for day in WEEKDAYS}}
    await database.write(set_hours, "Europe/Helsinki", hours, by=None, now=local(date(2025, 12, 1), 8))
    await history.mondays([1, 12, 12, 12])
    plan = await plan_of(database, now=clock.now())
    assert (at_nine(plan, NEXT_MONDAY).scheduled, at_nine(plan, NEXT_MONDAY).open) == (0, False)
    worked = sum(slot.written.worked_s for slot in plan.day(NEXT_MONDAY))
    expected = at_nine(plan, NEXT_MONDAY).channels[ChannelKind.PHONE].forecast.expected
    assert worked == pytest.approx(expected * 300)


async def test_the_weeks_on_which_clocks_are_changed_have_their_half_hours(
    history: History, database: Database, clock: ManualClock
) -> None:
    await history.mondays([1, 2])
    spring = await plan_of(database, date(2026, 3, 23), now=clock.now())
    autumn = await plan_of(database, date(2026, 10, 19), now=clock.now())
    assert (len(spring.slots), len(autumn.slots)) == (334, 338)


def handle(
    tx: Transaction, who: OperatorId, spans: Sequence[tuple[ConversationId, datetime, int, ChannelKind]]
) -> None:
    for conversation_id, began, seconds, channel in spans:
        ended = began + timedelta(seconds=seconds)
        tx.insert(
            HandlingSpan,
            operator_id=who,
            conversation_id=conversation_id,
            channel=channel,
            began_at=began,
            active_at=ended,
            ended_at=ended,
        )


async def test_handling_is_measured_per_half_hour_then_day_then_month(
    history: History, database: Database, clock: ManualClock
) -> None:
    who = await operator(database, "Bea", clock.now())
    spans: list[Any] = []
    for n in range(6):
        conversation = await history.call(local(MONDAY, 9, n))
        spans.append((conversation, local(MONDAY, 9, n), 100, ChannelKind.PHONE))
    for n in range(3):
        conversation = await history.call(local(MONDAY, 14, n))
        spans += [
            (conversation, local(MONDAY, 14, n), 300, ChannelKind.PHONE),
            (conversation, local(MONDAY, 15, n), 100, ChannelKind.PHONE),
        ]
    await database.write(handle, who, spans)
    plan = await plan_of(database, now=clock.now())
    day = {slot.half_hour.place: slot.channels[ChannelKind.PHONE].handle for slot in plan.day(NEXT_MONDAY)}
    assert (day[18].seconds, day[18].basis, day[18].n) == (100, HandleBasis.HALF_HOUR, 6)
    assert (day[28].seconds, day[28].basis, day[28].n) == (200, HandleBasis.WEEKDAY, 9)
    tuesday = at_nine(plan, NEXT_MONDAY + timedelta(days=1)).channels[ChannelKind.PHONE].handle
    assert (tuesday.seconds, tuesday.basis) == (200, HandleBasis.MONTH)


async def test_chats_at_once_are_measured(database: Database, clock: ManualClock) -> None:
    desk, who = VerbDesk(database, clock), await operator(database, "Bea", clock.now())
    spans: list[Any] = []
    for n in range(20):
        conversation = (await desk.chat("Hello?", visitor=f"v{n}")).conversation_id
        # Two at a time, each of ten minutes.
        spans.append((conversation, local(MONDAY, 9) + timedelta(minutes=20 * (n // 2)), 600, ChannelKind.CHAT))
    await database.write(handle, who, spans)
    found = await gathered(database, now=clock.now())
    assert (found.concurrency.factor, found.concurrency.chats) == (2.0, 20)


async def test_callers_who_leave_bring_erlang_a_beside(
    history: History, database: Database, clock: ManualClock
) -> None:
    await history.mondays([1])
    for n in range(10):
        await history.call(local(MONDAY, 11, n), taken=False, rang_s=40)
        await history.call(local(MONDAY, 11, n), taken=True, rang_s=20)
    found = (await gathered(database, now=clock.now())).patience[ChannelKind.PHONE]
    assert (found.left, found.came, found.measured) == (10, 21, True)
    assert found.seconds == pytest.approx((10 * 40 + 10 * 20 + 15) / 10)
    plan = await plan_of(database, now=clock.now())
    assert any(slot.by_erlang_a is not None for slot in plan.slots)


def spans_of(tx: Transaction, who: OperatorId, *spans: tuple[Presence, datetime, datetime | None]) -> None:
    for presence, began, ended in spans:
        tx.insert(PresenceSpan, operator_id=who, presence=presence, began_at=began, ended_at=ended)


async def test_who_was_really_there_stands_beside(database: Database, clock: ManualClock) -> None:
    bea, jonas = [await operator(database, name, local(MONDAY, 7)) for name in ("Bea", "Jonas")]
    at = local(MONDAY, 9)
    minutes = timedelta(minutes=1)
    await database.write(
        spans_of,
        bea,
        (Presence.ONLINE, at - 45 * minutes, at + 15 * minutes),
        (Presence.AWAY, at + 15 * minutes, at + 90 * minutes),
    )
    await database.write(spans_of, jonas, (Presence.FINISHING, at, at + 30 * minutes))
    plan = await plan_of(database, MONDAY, now=clock.now())
    day = {slot.half_hour.place: slot.present for slot in plan.day(MONDAY)}
    assert [day[place] for place in (15, 16, 17, 18, 19)] == [0, 0.5, 1, 1.5, 0]
    assert {slot.present for slot in plan.day(MONDAY + timedelta(days=5))} == {None}


async def shift(
    db: Database, who: OperatorId, day: date, start: int, end: int, now: datetime, kind: ShiftKind = ShiftKind.ANYTHING
) -> shifts.ShiftId:
    return await db.write(
        shifts.add, ShiftPlan(who, kind, day, start * 60, end * 60), "Europe/Helsinki", by=who, now=now
    )


async def test_needed_against_planned(history: History, database: Database, clock: ManualClock) -> None:
    await history.mondays([1, 4, 4, 4])
    now = clock.now()
    bea, jonas = [await operator(database, name, now) for name in ("Bea", "Jonas")]
    await shift(database, bea, NEXT_MONDAY, 9, 17, now)
    before = at_nine(await plan_of(database, now=now), NEXT_MONDAY)
    assert before.gap == 1 - before.scheduled < 0
    await shift(database, jonas, NEXT_MONDAY, 9, 17, now, ShiftKind.WRITTEN)
    written = at_nine(await plan_of(database, now=now), NEXT_MONDAY)
    assert written.gap == before.gap  # who writes mails answers no call
    assert written.people_planned == 2


async def test_one_more_and_one_moved_are_answered_without_writing(
    history: History, database: Database, clock: ManualClock
) -> None:
    await history.mondays([1, 4, 4, 4])
    now = clock.now()
    bea = await operator(database, "Bea", now)
    shift_id = await shift(database, bea, NEXT_MONDAY, 12, 20, now)
    found = await gathered(database, now=now)
    plan = work_out(found)
    more = what_if(found, plan, OneMore([NEXT_MONDAY], 9 * 60, 10 * 60))
    assert [slot.half_hour.place for slot in more.after] == [18, 19]
    assert more.after[0].gap == more.before[0].gap + 1
    assert (more.before[0].expected.phone_level or 0) < (more.after[0].expected.phone_level or 0)
    assert more.week_after.missing_hours < more.week_before.missing_hours
    moved = what_if(found, plan, OneMoved(shift_id, NEXT_MONDAY, 9 * 60, 17 * 60))
    gone = {slot.half_hour.place: slot.people_planned for slot in moved.after}
    assert (gone[18], gone[39]) == (1, 0)
    assert await plan_of(database, now=now) == plan


async def test_the_busiest_half_hours_with_the_share_that_was_missed(
    history: History, database: Database, clock: ManualClock
) -> None:
    await history.call(local(MONDAY - timedelta(weeks=2, days=3), 9))
    for weeks in (0, 1):
        for n in range(4):
            await history.call(local(MONDAY - timedelta(weeks=weeks), 9, n), taken=n > 0, rang_s=20)
        await history.call(local(MONDAY - timedelta(weeks=weeks), 13))
    found = busiest(await gathered(database, now=clock.now()))[ChannelKind.PHONE]
    assert [(one.weekday, one.place, one.came, one.times) for one in found] == [(0, 18, 8, 3), (0, 26, 2, 3)]
    assert (found[0].missed_percent, found[1].missed_percent) == (25, 0)


async def test_a_past_week_is_planned_as_it_could_have_been_and_shows_what_came(
    history: History, database: Database, clock: ManualClock
) -> None:
    await history.mondays([1, 3, 3, 9])
    plan = await plan_of(database, MONDAY, now=clock.now())
    found = at_nine(plan, MONDAY).channels[ChannelKind.PHONE]
    assert (found.forecast.expected, found.came) == (3, 9)


async def test_unknown_settings_of_another_version_are_passed_over(database: Database, clock: ManualClock) -> None:
    await database.write(settings.put, "staffing", {"level_percent": 90, "from_the_future": 1}, now=clock.now())
    assert (await database.read(staffing_settings.read)).level_percent == 90
