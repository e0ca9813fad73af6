"""Shifts: entered, repeated, copied, taken away; nine o'clock stays nine o'clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from inbox.errors import BadInput, NotFound
from inbox.people import operators
from inbox.staffing import shifts
from inbox.staffing.half_hours import of_day, of_week
from inbox.staffing.shifts import Occurrence, ShiftId, ShiftKind, ShiftPlan, Which, minutes_of
from inbox.store.database import Database
from inbox.vocabulary import OperatorId, Role

HELSINKI = ZoneInfo("Europe/Helsinki")
MONDAY = date(2026, 3, 16)
NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)


class Planner:
    def __init__(self, db: Database) -> None:
        self.db, self.bea, self.jonas = db, OperatorId(0), OperatorId(0)

    async def begin(self) -> Planner:
        self.bea, self.jonas = [await self._operator(name) for name in ("Bea", "Jonas")]
        return self

    async def _operator(self, name: str) -> OperatorId:
        return await self.db.write(
            operators.add, email=f"{name}@desk.test", name=name, role=Role.OPERATOR, password_hash="-", now=NOW
        )

    def plan(self, day: date = MONDAY, start: str = "09:00", end: str = "17:00", **more: Any) -> ShiftPlan:
        from_minute, to_minute = minutes_of(start, end)
        return replace(ShiftPlan(self.bea, ShiftKind.ANYTHING, day, from_minute, to_minute), **more)

    async def add(self, plan: ShiftPlan) -> ShiftId:
        return await self.db.write(shifts.add, plan, "Europe/Helsinki", by=self.jonas, now=NOW)

    async def week(self, monday: date) -> list[Occurrence]:
        since, until = shifts.moments(monday, 0, 7 * 1440, HELSINKI)
        return await self.db.read(shifts.between, since, until)


@pytest.fixture
async def planner(database: Database) -> Planner:
    return await Planner(database).begin()


async def test_a_shift_is_on_the_plan_at_its_time_and_on_no_other_day(planner: Planner) -> None:
    await planner.add(planner.plan())
    (found,) = await planner.week(MONDAY)
    assert (found.begins, found.ends) == (datetime(2026, 3, 16, 7, tzinfo=UTC), datetime(2026, 3, 16, 15, tzinfo=UTC))
    assert found.shift.operator_name == "Bea"
    assert await planner.week(MONDAY + timedelta(weeks=1)) == []


async def test_a_weekly_shift_keeps_its_time_when_clocks_are_changed(planner: Planner) -> None:
    await planner.add(planner.plan(weekly=True))
    (before,) = await planner.week(date(2026, 3, 23))
    (after,) = await planner.week(date(2026, 3, 30))
    assert (before.begins.hour, after.begins.hour) == (7, 6)
    assert {one.begins.astimezone(HELSINKI).hour for one in (before, after)} == {9}


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 28), 7), (date(2026, 10, 24), 9), (date(2026, 5, 2), 8)])
async def test_a_night_on_which_clocks_are_changed_is_as_long_as_it_is(planner: Planner, day: date, hours: int) -> None:
    await planner.add(planner.plan(day, "22:00", "06:00"))
    (found,) = [one for one in await planner.week(day - timedelta(days=day.weekday())) if one.day == day]
    assert found.ends - found.begins == timedelta(hours=hours)
    half_hours = [one for n in range(2) for one in of_day(day + timedelta(days=n), HELSINKI)]
    counted = shifts.planned(half_hours, [found])
    assert sum(one.get(ShiftKind.ANYTHING, 0) for one in counted) == 2 * hours


async def test_half_of_a_half_hour_counts_half(planner: Planner) -> None:
    await planner.add(planner.plan(start="09:15", end="10:00"))
    counted = shifts.planned(of_week(MONDAY, HELSINKI), await planner.week(MONDAY))
    assert [one for one in counted if one] == [{ShiftKind.ANYTHING: 0.5}, {ShiftKind.ANYTHING: 1.0}]


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (MONDAY, "16:00", "20:00"),
        (MONDAY, "08:00", "18:00"),
        (MONDAY - timedelta(days=1), "20:00", "10:00"),
    ],
)
async def test_nobody_has_two_shifts_at_a_time(planner: Planner, day: date, start: str, end: str) -> None:
    await planner.add(planner.plan())
    with pytest.raises(BadInput) as refused:
        await planner.add(planner.plan(day, start, end))
    assert refused.value.values["name"] == "Bea"


async def test_one_shift_after_the_other_is_no_overlap_nor_are_two_people(planner: Planner) -> None:
    await planner.add(planner.plan())
    await planner.add(planner.plan(start="17:00", end="20:00"))
    await planner.add(planner.plan(operator_id=planner.jonas))
    assert len(await planner.week(MONDAY)) == 3


async def test_a_weekly_shift_meets_one_that_comes_much_later(planner: Planner) -> None:
    await planner.add(planner.plan(MONDAY + timedelta(weeks=80)))
    with pytest.raises(BadInput):
        await planner.add(planner.plan(weekly=True))
    await planner.add(planner.plan(weekly=True, last_on=MONDAY + timedelta(weeks=79)))


async def test_two_weekly_shifts_of_one_person_are_compared(planner: Planner) -> None:
    await planner.add(planner.plan(weekly=True))
    with pytest.raises(BadInput):
        await planner.add(planner.plan(MONDAY + timedelta(weeks=3), "12:00", "14:00", weekly=True))
    await planner.add(planner.plan(MONDAY + timedelta(days=1), weekly=True))


async def test_one_day_of_a_weekly_shift_is_taken_away(planner: Planner) -> None:
    shift_id = await planner.add(planner.plan(weekly=True))
    second = MONDAY + timedelta(weeks=1)
    await planner.db.write(shifts.remove, shift_id, which=Which.THIS_DAY, day=second, by=planner.jonas, now=NOW)
    assert [len(await planner.week(MONDAY + timedelta(weeks=n))) for n in range(3)] == [1, 0, 1]
    await planner.add(planner.plan(second, "12:00", "20:00"))


async def test_a_weekly_shift_ends_before_a_day(planner: Planner) -> None:
    shift_id = await planner.add(planner.plan(weekly=True))
    third = MONDAY + timedelta(weeks=2)
    await planner.db.write(shifts.remove, shift_id, which=Which.FROM_THIS_DAY, day=third, by=planner.jonas, now=NOW)
    assert [len(await planner.week(MONDAY + timedelta(weeks=n))) for n in range(4)] == [1, 1, 0, 0]
    await planner.db.write(shifts.remove, shift_id, which=Which.FROM_THIS_DAY, day=MONDAY, by=planner.jonas, now=NOW)
    with pytest.raises(NotFound):
        await planner.db.read(shifts.get, shift_id)


async def test_a_day_on_which_it_does_not_come_cannot_be_taken_away(planner: Planner) -> None:
    shift_id = await planner.add(planner.plan(weekly=True))
    tuesday = MONDAY + timedelta(days=1)
    with pytest.raises(BadInput):
        await planner.db.write(shifts.remove, shift_id, which=Which.THIS_DAY, day=tuesday, by=planner.jonas, now=NOW)


async def test_a_week_is_copied_and_what_is_there_already_stays(planner: Planner) -> None:
    await planner.add(planner.plan(weekly=True))
    await planner.add(planner.plan(MONDAY + timedelta(days=6), "22:00", "06:00", operator_id=planner.jonas))
    to = MONDAY + timedelta(weeks=1)
    copied = await planner.db.write(shifts.copy_week, MONDAY, to, HELSINKI, operators=None, by=planner.jonas, now=NOW)
    assert (copied.copied, copied.left_out) == (1, 1)
    begun = [one for one in await planner.week(to) if one.day >= to]
    assert [(one.shift.operator_name, one.day) for one in begun] == [("Bea", to), ("Jonas", to + timedelta(days=6))]


async def test_a_changed_shift_does_not_meet_itself(planner: Planner) -> None:
    shift_id = await planner.add(planner.plan(weekly=True))
    await planner.db.write(shifts.change, shift_id, planner.plan(start="10:00", weekly=True), by=planner.jonas, now=NOW)
    (found,) = await planner.week(MONDAY)
    assert found.shift.from_minute == 600


async def test_who_may_no_longer_sign_in_is_not_planned_from_then_on(planner: Planner) -> None:
    await planner.add(planner.plan(weekly=True))
    at = datetime(2026, 3, 18, tzinfo=UTC)
    await planner.db.write(
        operators.set_account,
        planner.bea,
        by=planner.jonas,
        name="Bea",
        email="bea@desk.test",
        role=Role.OPERATOR,
        disabled=True,
        now=at,
    )
    assert len(await planner.week(MONDAY)) == 1
    assert await planner.week(MONDAY + timedelta(weeks=1)) == []
    with pytest.raises(BadInput):
        await planner.add(planner.plan(MONDAY + timedelta(days=5)))


@pytest.mark.parametrize(
    ("start", "end", "field"), [("9 o'clock", "17:00", "from"), ("09:00", "25:00", "to"), ("", "", "from")]
)
def test_a_time_that_is_none_is_named(start: str, end: str, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        minutes_of(start, end)
    assert refused.value.field == field


async def test_a_shift_of_a_whole_day_and_more_is_refused(planner: Planner) -> None:
    with pytest.raises(BadInput):
        await planner.add(planner.plan(start="09:00", end="09:00"))
