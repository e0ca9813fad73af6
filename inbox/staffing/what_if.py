"""What one more person, or one shift moved, would change. Nothing is written: the same plan with other shifts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from inbox.errors import BadInput
from inbox.staffing import shifts
from inbox.staffing.gathering import Gathered
from inbox.staffing.half_hours import HALF_HOUR_S
from inbox.staffing.plan import SlotPlan, WeekPlan, expected, gap
from inbox.staffing.shifts import Occurrence, ShiftId, ShiftKind, ShiftRecord
from inbox.vocabulary import ChannelKind, OperatorId
from inbox.words import N_


@dataclass(frozen=True, slots=True)
class OneMore:
    """One more person on these days, minutes from midnight."""

    days: Sequence[date]
    from_minute: int
    to_minute: int
    kind: ShiftKind = ShiftKind.ANYTHING


@dataclass(frozen=True, slots=True)
class OneMoved:
    """The shift that begins on `day`, at another time of that day."""

    shift_id: ShiftId
    day: date
    from_minute: int
    to_minute: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Over open half-hours. Levels are weighted by what comes; None: nothing of that kind does."""

    phone_level: float | None
    chat_level: float | None
    missing_hours: float
    over_hours: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Half-hours in which something changes, before and after, and the whole week."""

    before: Sequence[SlotPlan]
    after: Sequence[SlotPlan]
    week_before: Totals
    week_after: Totals
    days_before: Totals
    days_after: Totals


def what_if(found: Gathered, plan: WeekPlan, asked: OneMore | OneMoved) -> Answer:
    """Raises BadInput for a shift that does not come on that day of the week."""
    changed = with_change(plan, _changed(found, asked))
    pairs = [(old, new) for old, new in zip(plan.slots, changed, strict=True) if old.planned != new.planned]
    days = {new.half_hour.day for _, new in pairs}
    return Answer(
        [old for old, _ in pairs],
        [new for _, new in pairs],
        totals(plan.slots),
        totals(changed),
        totals([slot for slot in plan.slots if slot.half_hour.day in days]),
        totals([slot for slot in changed if slot.half_hour.day in days]),
    )


def with_change(plan: WeekPlan, occurrences: Iterable[Occurrence]) -> list[SlotPlan]:
    """The plan's half-hours with other shifts: what is needed stays the same."""
    shrinkage = plan.settings.shrinkage
    planned = shifts.planned([slot.half_hour for slot in plan.slots], occurrences)
    return [
        slot
        if slot.planned == people
        else replace(
            slot,
            planned=people,
            gap=gap(people, slot.scheduled, slot.need, slot.written.people, shrinkage),
            expected=expected(slot.live, people, shrinkage),
        )
        for slot, people in zip(plan.slots, planned, strict=True)
    ]


def totals(slots: Sequence[SlotPlan]) -> Totals:
    missing = over = 0.0
    for slot in slots:
        if slot.open:
            hours = slot.half_hour.seconds / HALF_HOUR_S / 2
            missing += max(0.0, -slot.gap) * hours
            over += max(0.0, slot.gap) * hours
    return Totals(_level(slots, ChannelKind.PHONE), _level(slots, ChannelKind.CHAT), round(missing, 2), round(over, 2))


def _level(slots: Sequence[SlotPlan], channel: ChannelKind) -> float | None:
    came = kept = 0.0
    for slot in slots:
        level = slot.expected.phone_level if channel is ChannelKind.PHONE else slot.expected.chat_level
        if slot.open and level is not None:
            rate = slot.live.phone.rate if channel is ChannelKind.PHONE else slot.live.chat.rate
            came += rate * slot.half_hour.seconds
            kept += rate * slot.half_hour.seconds * level
    return kept / came if came else None


def _changed(found: Gathered, asked: OneMore | OneMoved) -> list[Occurrence]:
    if isinstance(asked, OneMoved):
        moved = next(
            (one for one in found.occurrences if one.shift.id == asked.shift_id and one.day == asked.day), None
        )
        if moved is None:
            raise BadInput("shift", N_("The shift does not come on this day."))
        zone = ZoneInfo(moved.shift.zone)
        begins, ends = shifts.moments(asked.day, asked.from_minute, asked.to_minute, zone)
        return [one for one in found.occurrences if one is not moved] + [
            Occurrence(moved.shift, asked.day, begins, ends)
        ]
    return [*found.occurrences, *(_one_more(asked, day, found.zone) for day in asked.days)]


def _one_more(asked: OneMore, day: date, zone: ZoneInfo) -> Occurrence:
    begins, ends = shifts.moments(day, asked.from_minute, asked.to_minute, zone)
    nobody = ShiftRecord(
        ShiftId(0), OperatorId(0), "", asked.kind, zone.key, day, day, False, asked.from_minute, asked.to_minute, [], ""
    )
    return Occurrence(nobody, day, begins, ends)
