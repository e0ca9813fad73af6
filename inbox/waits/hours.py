"""Opening hours: pure arithmetic on aware UTC times. The only place besides the screens that knows local time.

A calendar's `data` (stored as JSON, one immutable version per edit):

    {"weekly": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "sun": []},
     "holidays": {"2026-12-24": [["09:00", "12:00"]], "2026-12-25": []},
     "targets": {"default": {"warn_s": 180, "target_s": 300}, "email": {"warn_s": 600, "target_s": 1200}}}

A missing weekday is closed; a date in `holidays` replaces its weekday; "24:00" ends a day.

A moment is open when the clock on the wall shows a time inside a window of that local date. So an hour that comes
twice (autumn) counts twice, and one that is left out (spring) counts not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from inbox.errors import BadInput
from inbox.vocabulary import ChannelKind
from inbox.words import N_

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON_DAYS = 400
"""How far ahead an opening is looked for: longer than any closed season."""

MAX_TARGET_S = 30 * 86_400
_MARGIN = timedelta(hours=3)
"""More than any zone's clocks are ever moved by, but for the changes of the date line, which are whole days."""

_CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")

Interval = tuple[datetime, datetime]
LocalWindow = tuple[int, int]
"""Minutes since local midnight: from, to; to may be 1440."""


@dataclass(frozen=True, slots=True)
class Target:
    """When a wait turns to a warning and when it is missed, both from its start, in whole seconds of opening time."""

    warn_s: int = 180
    target_s: int = 300


@dataclass(frozen=True)
class OpeningHours:
    zone: ZoneInfo
    weekly: tuple[tuple[LocalWindow, ...], ...]
    holidays: Mapping[date, tuple[LocalWindow, ...]]
    targets: Mapping[str, Target] = field(default_factory=dict)
    _days: dict[date, tuple[Interval, ...]] = field(default_factory=dict, compare=False, repr=False)

    def target(self, channel: ChannelKind) -> Target:
        return self.targets.get(channel) or self.targets.get("default") or Target()

    def day(self, local: date) -> tuple[Interval, ...]:
        """The open intervals that begin on this local date, in UTC, in order, without overlap."""
        known = self._days.get(local)
        if known is None:
            windows = self.holidays.get(local)
            if windows is None:
                windows = self.weekly[local.weekday()]
            known = tuple(_joined(_in_utc(local, windows, self.zone)))
            if len(self._days) > 2_000:
                self._days.clear()
            self._days[local] = known
        return known

    def intervals(self, since: datetime, until: datetime) -> Iterator[Interval]:
        """Open intervals inside [since, until), clipped to it."""
        local = since.astimezone(self.zone).date() - timedelta(days=1)
        last = until.astimezone(self.zone).date()
        while local <= last:
            for start, end in self.day(local):
                start, end = max(start, since), min(end, until)
                if start < end:
                    yield start, end
            local += timedelta(days=1)

    def open_time(self, since: datetime, until: datetime) -> timedelta:
        """How much of [since, until) was open."""
        return sum((end - start for start, end in self.intervals(since, until)), timedelta())

    def is_open(self, at: datetime) -> bool:
        return any(True for _ in self.intervals(at, at + timedelta(microseconds=1)))

    def next_opening(self, after: datetime) -> datetime | None:
        """`after` itself when open then; None when nothing opens within the horizon."""
        for start, _ in self.intervals(after, after + timedelta(days=HORIZON_DAYS)):
            return start
        return None

    def closing(self, at: datetime) -> datetime | None:
        """When the interval that holds `at` ends; None when closed then or open without end."""
        end = None
        for start, stop in self.intervals(at, at + timedelta(days=8)):
            if end is None and start > at:
                return None
            if end is not None and start > end:
                return end
            end = stop
        return end if end is not None and end < at + timedelta(days=8) else None

    def add(self, start: datetime, open_time: timedelta) -> datetime | None:
        """The moment at which `open_time` has passed in opening hours since `start`.

        It is the end of a window rather than the start of the next. None when the horizon is reached first.
        """
        left = open_time
        local = start.astimezone(self.zone).date() - timedelta(days=1)
        for _ in range(HORIZON_DAYS):
            for begin, end in self.day(local):
                begin = max(begin, start)
                if begin >= end:
                    continue
                if end - begin >= left:
                    return begin + left
                left -= end - begin
            local += timedelta(days=1)
        return None


ALWAYS: Mapping[str, Any] = {"weekly": {day: [["00:00", "24:00"]] for day in WEEKDAYS}, "holidays": {}, "targets": {}}


def read_hours(zone: str, data: Mapping[str, Any]) -> OpeningHours:
    """Check and read a calendar. Raises BadInput naming the field that is wrong."""
    try:
        zone_info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, AttributeError, OSError) as error:
        raise BadInput(
            "zone", N_("“%(written)s” is not a time zone; write one such as Europe/Helsinki."), written=zone
        ) from error
    if not isinstance(data, Mapping):
        raise BadInput("hours", N_("Opening hours are written as weekly, holidays and targets."))
    for part in data:
        if part not in ("weekly", "holidays", "targets"):
            raise BadInput(str(part), N_("“%(written)s” is not known; use weekly, holidays and targets."), written=part)
    weekly_data = _mapping(data, "weekly")
    for day in weekly_data:
        if day not in WEEKDAYS:
            raise BadInput(
                f"weekly.{day}",
                N_("“%(written)s” is not a weekday; use mon, tue, wed, thu, fri, sat, sun."),
                written=day,
            )
    weekly = tuple(_windows(weekly_data.get(day, []), f"weekly.{day}") for day in WEEKDAYS)
    holidays = {}
    for written, windows in _mapping(data, "holidays").items():
        holidays[_date(written)] = _windows(windows, f"holidays.{written}")
    targets = {}
    for channel, values in _mapping(data, "targets").items():
        if channel != "default" and channel not in set(ChannelKind):
            raise BadInput(f"targets.{channel}", N_("“%(written)s” is not a channel."), written=channel)
        targets[channel] = _target(values, f"targets.{channel}")
    return OpeningHours(zone_info, weekly, holidays, targets)


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name, {})
    if not isinstance(found, Mapping):
        raise BadInput(name, N_("“%(written)s” is written as names and values."), written=name)
    return found


def _date(written: Any) -> date:
    try:
        found = date.fromisoformat(written)
        if found.isoformat() == written and date(1970, 1, 3) <= found <= date(9999, 12, 29):
            return found
    except (ValueError, TypeError):
        pass
    raise BadInput(f"holidays.{written}", N_("“%(written)s” is not a date; write 2026-12-24."), written=written)


def _target(values: Any, field_name: str) -> Target:
    if not isinstance(values, Mapping):
        raise BadInput(field_name, N_('A target is written {"warn_s": 180, "target_s": 300}.'))
    seconds = [values.get("warn_s", 180), values.get("target_s", 300)]
    if any(type(value) is not int for value in seconds):
        raise BadInput(field_name, N_("Targets are whole seconds."))
    warn_s, target_s = seconds
    if not 0 < warn_s <= target_s:
        raise BadInput(field_name, N_("The warning must come after the start and not after the target."))
    if target_s > MAX_TARGET_S:
        raise BadInput(
            field_name, N_("A target is at most %(days)s days of opening time."), days=MAX_TARGET_S // 86_400
        )
    return Target(warn_s, target_s)


def _windows(written: Any, field_name: str) -> tuple[LocalWindow, ...]:
    if not isinstance(written, list | tuple):
        raise BadInput(field_name, N_('Windows are written [["09:00", "12:00"], ["13:00", "17:00"]].'))
    windows = []
    for window in written:
        if not isinstance(window, list | tuple) or len(window) != 2:
            raise BadInput(field_name, N_('A window is written ["09:00", "17:00"].'))
        start, end = (_minutes(part, field_name) for part in window)
        if not start < end:
            raise BadInput(
                field_name,
                N_("%(start)s is not before %(end)s; split a night at 24:00."),
                start=window[0],
                end=window[1],
            )
        windows.append((start, end))
    windows.sort()
    for (_, end), (start, _) in pairwise(windows):
        if start < end:
            raise BadInput(field_name, N_("Two windows overlap."))
    return tuple(windows)


def _minutes(written: Any, field_name: str) -> int:
    if written == "24:00":
        return 24 * 60
    if not isinstance(written, str) or not _CLOCK_TIME.fullmatch(written):
        raise BadInput(field_name, N_("“%(written)s” is not a time of day; write 09:00."), written=written)
    return int(written[:2]) * 60 + int(written[3:])


def _in_utc(local: date, windows: Iterable[LocalWindow], zone: ZoneInfo) -> list[Interval]:
    """The windows of a local date, cut where the zone's distance from UTC changes."""
    midnight = datetime.combine(local, time(), UTC)
    noon_offset = _offset(midnight + timedelta(hours=12) - _offset(midnight, zone), zone)
    since, until = midnight - noon_offset - _MARGIN, midnight - noon_offset + timedelta(days=1) + _MARGIN
    spans = [(since, until, _offset(since, zone))]
    if _offset(until, zone) != spans[0][2]:
        change = _change(since, until, zone)
        spans = [(since, change, _offset(since, zone)), (change, until, _offset(until, zone))]
    found = []
    for begin, end, offset in spans:
        for first, last in windows:
            start = max(begin, midnight + timedelta(minutes=first) - offset)
            stop = min(end, midnight + timedelta(minutes=last) - offset)
            found.append((start, stop))
    return sorted(found)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _change(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """The second between the two at which the clocks are changed."""
    before = _offset(early, zone)
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        if _offset(middle, zone) == before:
            early = middle
        else:
            late = middle
    return late


def _joined(intervals: Iterable[Interval]) -> Iterator[Interval]:
    """Empty intervals dropped, touching ones made one."""
    waiting: Interval | None = None
    for start, end in intervals:
        if start >= end:
            continue
        if waiting is not None and start <= waiting[1]:
            waiting = waiting[0], max(waiting[1], end)
            continue
        if waiting is not None:
            yield waiting
        waiting = start, end
    if waiting is not None:
        yield waiting
