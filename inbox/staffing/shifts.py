"""Shifts: who is planned to work when. Local times, so that nine o'clock stays nine o'clock when clocks are changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, NewType
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, select, update

from inbox import audit
from inbox.errors import BadInput, NotFound
from inbox.staffing.half_hours import WEEK, HalfHour, midnight, monday_of
from inbox.store.models import Operator, Shift
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId
from inbox.words import N_

ShiftId = NewType("ShiftId", int)

WITHOUT_END = date(9999, 12, 31)
LONGEST_MINUTES = 16 * 60
DAY_MINUTES = 24 * 60
CHECKED_WEEKS = 54
"""How far ahead two weekly shifts are compared: over a year, every change of the clocks included."""
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class ShiftKind(StrEnum):
    """What an operator does in a shift."""

    ANYTHING = "anything"
    PHONE = "phone"
    CHAT = "chat"
    WRITTEN = "written"  # mails and callbacks
    OTHER = "other"  # training, meetings: at work, but not for customers


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """What is entered. `to_minute` above 1440: past midnight. `last_on` of one that does not repeat is its day."""

    operator_id: OperatorId
    kind: ShiftKind
    first_on: date
    from_minute: int
    to_minute: int
    weekly: bool = False
    last_on: date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ShiftRecord:
    id: ShiftId
    operator_id: OperatorId
    operator_name: str
    kind: ShiftKind
    zone: str
    first_on: date
    last_on: date
    weekly: bool
    from_minute: int
    to_minute: int
    left_out: Sequence[date]
    note: str

    @property
    def endless(self) -> bool:
        return self.weekly and self.last_on == WITHOUT_END

    def comes_on(self, day: date) -> bool:
        if not self.first_on <= day <= self.last_on or day in self.left_out:
            return False
        return day.weekday() == self.first_on.weekday() if self.weekly else day == self.first_on


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One shift on one day, as moments."""

    shift: ShiftRecord
    day: date
    begins: datetime
    ends: datetime


# --- reading --------------------------------------------------------------------------------------------------------


def between(
    conn: Connection, since: datetime, until: datetime, *, operators: Sequence[OperatorId] | None = None
) -> list[Occurrence]:
    """Every shift that touches [since, until), by its beginning; of disabled accounts only those before that."""
    first, last = since.date() - timedelta(days=2), until.date() + timedelta(days=1)
    query = _shifts().where(Shift.last_on >= first.isoformat(), Shift.first_on <= last.isoformat())
    if operators is not None:
        query = query.where(Shift.operator_id.in_(operators))
    found = [
        one
        for row in conn.execute(query)
        for one in occurrences(_record(row), first, last)
        if one.begins < until and one.ends > since and (row.disabled_at is None or one.begins < row.disabled_at)
    ]
    return sorted(found, key=lambda one: (one.begins, one.shift.operator_name, one.shift.id))


def get(conn: Connection, shift_id: ShiftId) -> ShiftRecord:
    """Raises NotFound."""
    row = conn.execute(_shifts().where(Shift.id == shift_id)).first()
    if row is None:
        raise NotFound("shift")
    return _record(row)


def occurrences(shift: ShiftRecord, first: date, last: date) -> Iterable[Occurrence]:
    """The times of a shift that begin on a day from `first` to `last`."""
    day = max(first, shift.first_on)
    if shift.weekly:
        day += timedelta(days=(shift.first_on.weekday() - day.weekday()) % 7)
    while day <= min(last, shift.last_on):
        if shift.comes_on(day):
            begins, ends = moments(day, shift.from_minute, shift.to_minute, ZoneInfo(shift.zone))
            if begins < ends:
                yield Occurrence(shift, day, begins, ends)
        day += WEEK if shift.weekly else timedelta(days=1)


def moments(day: date, from_minute: int, to_minute: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When a shift begins and ends. A time that the clocks skip is the moment at which they do."""
    return _moment(day, from_minute, zone), _moment(day, to_minute, zone)


def _moment(day: date, minute: int, zone: ZoneInfo) -> datetime:
    days, minute = divmod(minute, DAY_MINUTES)
    wall = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), zone)
    return wall.astimezone(UTC)


def planned(half_hours: Sequence[HalfHour], found: Iterable[Occurrence]) -> list[dict[ShiftKind, float]]:
    """How many people are planned in each half-hour, by kind. Who is there for half of it counts half."""
    counted: list[dict[ShiftKind, float]] = [{} for _ in half_hours]
    for occurrence in found:
        for index, half_hour in enumerate(half_hours):
            if half_hour.begins >= occurrence.ends:
                break
            overlap = min(half_hour.ends, occurrence.ends) - max(half_hour.begins, occurrence.begins)
            if overlap > timedelta():
                kind = occurrence.shift.kind
                share = overlap / (half_hour.ends - half_hour.begins)
                counted[index][kind] = counted[index].get(kind, 0.0) + share
    return counted


# --- writing --------------------------------------------------------------------------------------------------------


def add(tx: Transaction, plan: ShiftPlan, zone: str, *, by: OperatorId, now: datetime) -> ShiftId:
    """Raises BadInput naming the field, also when the operator has another shift at that time."""
    checked = _checked(plan)
    _hold(tx, checked.operator_id)
    wanted = _as_record(ShiftId(0), checked, zone, [])
    _refuse_overlap(tx.conn, wanted)
    shift_id = ShiftId(tx.insert(Shift, **_values(wanted), left_out=[], created_by=by, created_at=now))
    audit.note(tx, "shift_added", by=by, now=now, data=_noted(wanted))
    return shift_id


def change(tx: Transaction, shift_id: ShiftId, plan: ShiftPlan, *, by: OperatorId, now: datetime) -> None:
    """The whole shift, on every day it comes. Raises NotFound, BadInput."""
    old = get(tx.conn, shift_id)
    checked = _checked(plan)
    _hold(tx, checked.operator_id)
    left_out = [day for day in old.left_out if checked.weekly]
    wanted = replace(_as_record(shift_id, checked, old.zone, left_out), id=shift_id)
    _refuse_overlap(tx.conn, wanted)
    tx.conn.execute(
        update(Shift)
        .where(Shift.id == shift_id)
        .values(**_values(wanted), left_out=[day.isoformat() for day in left_out])
    )
    audit.note(tx, "shift_changed", by=by, now=now, data=_noted(wanted))


class Which(StrEnum):
    """What of a weekly shift is taken away."""

    ALL = "all"
    THIS_DAY = "this_day"
    FROM_THIS_DAY = "from_this_day"


def remove(
    tx: Transaction,
    shift_id: ShiftId,
    *,
    which: Which = Which.ALL,
    day: date | None = None,
    by: OperatorId,
    now: datetime,
) -> None:
    """Raises NotFound; BadInput for a day on which the shift does not come."""
    tx.conn.execute(select(Shift.id).where(Shift.id == shift_id).with_for_update())
    shift = get(tx.conn, shift_id)
    if which is not Which.ALL and (day is None or not shift.comes_on(day)):
        raise BadInput("day", N_("The shift does not come on this day."))
    remaining = shift.last_on
    if which is Which.FROM_THIS_DAY and day is not None:
        remaining = day - timedelta(days=1)
    if which is Which.ALL or not shift.weekly or remaining < shift.first_on:
        tx.conn.execute(delete(Shift).where(Shift.id == shift_id))
    elif which is Which.THIS_DAY and day is not None:
        left_out = sorted({*shift.left_out, day})
        tx.conn.execute(
            update(Shift).where(Shift.id == shift_id).values(left_out=[one.isoformat() for one in left_out])
        )
    else:
        tx.conn.execute(update(Shift).where(Shift.id == shift_id).values(last_on=remaining.isoformat()))
    audit.note(tx, "shift_removed", by=by, now=now, data={**_noted(shift), "which": which})


@dataclass(frozen=True, slots=True)
class Copied:
    copied: int
    left_out: int


def copy_week(
    tx: Transaction,
    monday: date,
    to_monday: date,
    zone: ZoneInfo,
    *,
    operators: Sequence[OperatorId] | None,
    by: OperatorId,
    now: datetime,
) -> Copied:
    """Every shift that begins in one week, as single shifts into another; what would overlap is left out."""
    monday, to_monday = monday_of(monday), monday_of(to_monday)
    if monday == to_monday:
        raise BadInput("to", N_("Choose another week to copy to."))
    since, until = midnight(monday, zone), midnight(monday + WEEK, zone)
    found = [one for one in between(tx.conn, since, until, operators=operators) if since <= one.begins]
    for operator_id in sorted({one.shift.operator_id for one in found}):
        tx.conn.execute(select(Operator.id).where(Operator.id == operator_id).with_for_update())
    copied = left_out = 0
    for one in found:
        shift, day = one.shift, one.day + (to_monday - monday)
        wanted = replace(shift, id=ShiftId(0), first_on=day, last_on=day, weekly=False, left_out=[])
        if _overlapping(tx.conn, wanted) is not None:
            left_out += 1
            continue
        tx.insert(Shift, **_values(wanted), left_out=[], created_by=by, created_at=now)
        copied += 1
    audit.note(
        tx, "shifts_copied", by=by, now=now, data={"from": monday.isoformat(), "to": to_monday.isoformat(), "n": copied}
    )
    return Copied(copied, left_out)


def minutes_of(from_clock: str, to_clock: str) -> tuple[int, int]:
    """Two times of the clock as minutes; an end not after the beginning is on the next day. Raises BadInput."""
    start, end = _minute(from_clock, "from"), _minute(to_clock, "to")
    return start, end if end > start else end + DAY_MINUTES


def clock_of(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _minute(written: str, field_name: str) -> int:
    if written == "24:00":
        return DAY_MINUTES
    found = _CLOCK.fullmatch(written.strip())
    if found is None:
        raise BadInput(field_name, N_("“%(written)s” is not a time of day; write 09:00."), written=written)
    return int(found[1]) * 60 + int(found[2])


def _checked(plan: ShiftPlan) -> ShiftPlan:
    if not 0 <= plan.from_minute < DAY_MINUTES:
        raise BadInput("from", N_("A shift begins between 00:00 and 23:59."))
    if not 0 < plan.to_minute - plan.from_minute <= LONGEST_MINUTES:
        raise BadInput("to", N_("A shift lasts at most %(hours)s hours."), hours=LONGEST_MINUTES // 60)
    if not date(2000, 1, 1) <= plan.first_on <= date(9000, 1, 1):
        raise BadInput("day", N_("Choose a day."))
    if plan.weekly and plan.last_on is not None and plan.last_on < plan.first_on:
        raise BadInput("last_on", N_("The last day is before the first."))
    last_on = (plan.last_on or WITHOUT_END) if plan.weekly else plan.first_on
    return replace(plan, last_on=last_on, note=plan.note.strip()[:200])


def _hold(tx: Transaction, operator_id: OperatorId) -> None:
    """Two shifts of one operator are entered one after the other. Raises BadInput for nobody."""
    held = tx.conn.execute(select(Operator.disabled_at).where(Operator.id == operator_id).with_for_update()).first()
    if held is None or held.disabled_at is not None:
        raise BadInput("operator", N_("There is no such operator."))


def _refuse_overlap(conn: Connection, wanted: ShiftRecord) -> None:
    other = _overlapping(conn, wanted)
    if other is not None:
        raise BadInput(
            "from",
            N_("%(name)s has a shift from %(start)s to %(end)s on %(day)s already."),
            name=other.shift.operator_name,
            start=clock_of(other.shift.from_minute),
            end=clock_of(other.shift.to_minute),
            day=other.day.isoformat(),
        )


def _overlapping(conn: Connection, wanted: ShiftRecord) -> Occurrence | None:
    """The first time of another shift of the same operator that a time of this one touches."""
    margin = timedelta(days=2)
    last = min(wanted.last_on, wanted.first_on + CHECKED_WEEKS * WEEK)
    rows = conn.execute(
        _shifts().where(
            Shift.operator_id == wanted.operator_id,
            Shift.last_on >= (wanted.first_on - margin).isoformat(),
            Shift.id != wanted.id,
        )
    )
    others = [_record(row) for row in rows]
    if wanted.weekly and others:
        # A series meets one that begins later only from there on.
        last = min(wanted.last_on, max(last, max(other.first_on for other in others) + CHECKED_WEEKS * WEEK))
    for other in others:
        until = min(last, other.last_on) + margin
        mine = list(occurrences(wanted, max(wanted.first_on, other.first_on - margin), until))
        theirs = list(occurrences(other, wanted.first_on - margin, until))
        for one in theirs:
            if any(one.begins < own.ends and own.begins < one.ends for own in mine):
                return one
    return None


def _shifts() -> Any:
    return select(Shift.__table__, Operator.name.label("operator_name"), Operator.disabled_at).join(
        Operator, Operator.id == Shift.operator_id
    )


def _as_record(shift_id: ShiftId, plan: ShiftPlan, zone: str, left_out: Sequence[date]) -> ShiftRecord:
    return ShiftRecord(
        shift_id,
        plan.operator_id,
        "",
        plan.kind,
        zone,
        plan.first_on,
        plan.last_on or plan.first_on,
        plan.weekly,
        plan.from_minute,
        plan.to_minute,
        left_out,
        plan.note,
    )


def _values(shift: ShiftRecord) -> dict[str, Any]:
    return {
        "operator_id": shift.operator_id,
        "kind": shift.kind,
        "zone": shift.zone,
        "first_on": shift.first_on.isoformat(),
        "last_on": shift.last_on.isoformat(),
        "weekly": shift.weekly,
        "from_minute": shift.from_minute,
        "to_minute": shift.to_minute,
        "note": shift.note,
    }


def _noted(shift: ShiftRecord) -> dict[str, Any]:
    values = _values(shift)
    return {name: values[name] for name in ("operator_id", "kind", "first_on", "last_on", "from_minute", "to_minute")}


def _record(row: Any) -> ShiftRecord:
    return ShiftRecord(
        ShiftId(row.id),
        OperatorId(row.operator_id),
        row.operator_name,
        ShiftKind(row.kind),
        row.zone,
        date.fromisoformat(row.first_on),
        date.fromisoformat(row.last_on),
        row.weekly,
        row.from_minute,
        row.to_minute,
        [date.fromisoformat(day) for day in row.left_out],
        row.note,
    )
