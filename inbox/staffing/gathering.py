"""What a plan is worked out of, read from the store: the past, the shifts, who was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from inbox.staffing import half_hours, measured, shifts
from inbox.staffing import past as past_of
from inbox.staffing import settings as staffing_settings
from inbox.staffing.arrivals import Arrivals, arrivals, first_arrival
from inbox.staffing.forecast import WEEKS
from inbox.staffing.half_hours import HalfHour, midnight
from inbox.staffing.measured import Concurrency, Patience
from inbox.staffing.past import Past
from inbox.staffing.scope import Scope
from inbox.staffing.settings import CHAT_FACTORS, StaffingSettings
from inbox.staffing.shifts import Occurrence
from inbox.vocabulary import ChannelKind
from inbox.waits import calendar
from inbox.waits.timetable import Timetable

HOLIDAYS_FROM = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a plan is worked out of. `until`: what came later says nothing yet."""

    monday: date
    zone: ZoneInfo
    now: datetime
    scope: Scope
    settings: StaffingSettings
    timetable: Timetable
    first_day: date | None
    until: datetime
    arrivals: Arrivals
    holiday_arrivals: Arrivals
    holidays: frozenset[date]
    handled: Mapping[ChannelKind, Mapping[tuple[int, int], tuple[int, float]]]
    concurrency: Concurrency
    patience: Mapping[ChannelKind, Patience]
    backlog: tuple[int, int]
    occurrences: Sequence[Occurrence]
    half_hours: Sequence[HalfHour]
    present: Sequence[float | None]


def zone_of(conn: Connection, now: datetime) -> ZoneInfo:
    return ZoneInfo(calendar.current(conn, now).zone)


def gather(conn: Connection, scope: Scope, monday: date, *, now: datetime) -> Gathered:
    """`monday`: any day of the week wanted."""
    zone = zone_of(conn, now)
    monday = half_hours.monday_of(monday)
    week = half_hours.of_week(monday, zone)
    today = midnight(now.astimezone(zone).date(), zone)
    until = min(today, week[0].begins)
    since = until - WEEKS * half_hours.WEEK
    wanted = staffing_settings.read(conn)
    timetable = calendar.timetable(conn, until - HOLIDAYS_FROM)
    holidays = _holidays(timetable, until - HOLIDAYS_FROM, week[-1].ends, zone)
    first = first_arrival(conn, team_id=scope.team_id)
    team_id, operators = scope.team_id, scope.operators
    measured_from = until - timedelta(days=measured.HANDLE_DAYS)
    handling = past_of.handled(conn, measured_from, until, operators)

    def read(spans: Sequence[tuple[datetime, datetime]]) -> list[Past]:
        return [past_of.read(conn, begins, ends, team_id=team_id, now=now) for begins, ends in spans]

    past = read(_spans(since, until, week, now))
    return Gathered(
        monday=monday,
        zone=zone,
        now=now,
        scope=scope,
        settings=wanted,
        timetable=timetable,
        first_day=None if first is None else first.astimezone(zone).date(),
        until=until,
        arrivals=arrivals(past, zone),
        holiday_arrivals=arrivals(read(_days(holidays, since, zone)), zone),
        holidays=holidays,
        handled=measured.handle_sums(handling, zone),
        concurrency=measured.concurrency(
            handling,
            until - timedelta(days=measured.CONCURRENCY_DAYS),
            otherwise=CHAT_FACTORS[wanted.chats_at_once],
        ),
        patience=measured.patience(conn, past[0], measured_from, until, team_id, otherwise_s=wanted.patience_s),
        backlog=measured.backlog(conn, team_id, now=now) if week[0].begins <= now < week[-1].ends else (0, 0),
        occurrences=shifts.between(conn, week[0].begins, week[-1].ends, operators=operators),
        half_hours=week,
        present=measured.present(conn, week, operators, now=now),
    )


def _spans(
    since: datetime, until: datetime, week: Sequence[HalfHour], now: datetime
) -> list[tuple[datetime, datetime]]:
    """The past to plan from, and what has come of the week itself."""
    begins, passed = week[0].begins, min(week[-1].ends, now)
    if begins < until:
        return [(since, max(until, passed))]
    return [(since, until), *([(begins, passed)] if begins < passed else [])]


def _days(days: frozenset[date], before: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """Holidays older than the weeks that are read anyway."""
    return [
        (midnight(day, zone), midnight(day + timedelta(days=1), zone))
        for day in sorted(days)
        if midnight(day + timedelta(days=1), zone) <= before
    ]


def _holidays(timetable: Timetable, since: datetime, until: datetime, zone: ZoneInfo) -> frozenset[date]:
    """Days that were, or will be, holidays by the hours in force then."""
    found = set()
    for begins, ends, version in timetable.spans(since, until):
        first, last = begins.astimezone(zone).date(), ends.astimezone(zone).date()
        found |= {day for day in version.hours.holidays if first <= day <= last}
    return frozenset(found)
