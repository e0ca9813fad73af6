"""Opening hours: pure arithmetic on aware UTC times. The only place besides the screens that knows local time.

A calendar's `data` (stored as JSON, one immutable version per edit):

    {"weekly": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "sun": []},
     "holidays": {"2026-12-24": [["09:00", "12:00"]], "2026-12-25": []},
     "targets": {"default": {"warn_s": 180, "target_s": 300}, "email": {"warn_s": 600, "target_s": 1200}}}

A missing weekday is closed; a date in `holidays` replaces its weekday; "24:00" ends a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from inbox.errors import BadInput
from inbox.vocabulary import ChannelKind

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON_DAYS = 400
"""How far ahead an opening is looked for: longer than any closed season."""

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
            known = tuple(_joined((_utc(local, a, self.zone, 0), _utc(local, b, self.zone, 1)) for a, b in windows))
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
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput("zone", f"{zone!r} is not a time zone; write one such as Europe/Helsinki.") from error
    weekly_data = data.get("weekly", {})
    for day in weekly_data:
        if day not in WEEKDAYS:
            raise BadInput(f"weekly.{day}", f"{day!r} is not a weekday; use {', '.join(WEEKDAYS)}.")
    weekly = tuple(_windows(weekly_data.get(day, []), f"weekly.{day}") for day in WEEKDAYS)
    holidays = {}
    for written, windows in data.get("holidays", {}).items():
        try:
            local = date.fromisoformat(written)
        except ValueError as error:
            raise BadInput(f"holidays.{written}", f"{written!r} is not a date; write 2026-12-24.") from error
        holidays[local] = _windows(windows, f"holidays.{written}")
    targets = {}
    for channel, values in data.get("targets", {}).items():
        if channel != "default" and channel not in set(ChannelKind):
            raise BadInput(f"targets.{channel}", f"{channel!r} is not a channel.")
        target = Target(int(values.get("warn_s", 180)), int(values.get("target_s", 300)))
        if not 0 < target.warn_s <= target.target_s:
            raise BadInput(f"targets.{channel}", "The warning must come after the start and not after the target.")
        targets[channel] = target
    return OpeningHours(zone_info, weekly, holidays, targets)


def _windows(written: Any, field_name: str) -> tuple[LocalWindow, ...]:
    windows = []
    for window in written:
        try:
            start, end = (_minutes(part) for part in window)
        except (ValueError, TypeError) as error:
            raise BadInput(field_name, 'A window is written ["09:00", "17:00"].') from error
        if not start < end:
            raise BadInput(field_name, f"{window[0]} is not before {window[1]}; split a night at 24:00.")
        windows.append((start, end))
    windows.sort()
    for (_, end), (start, _) in zip(windows, windows[1:], strict=False):
        if start < end:
            raise BadInput(field_name, "Two windows overlap.")
    return tuple(windows)


def _minutes(written: str) -> int:
    if written == "24:00":
        return 24 * 60
    parsed = time.fromisoformat(written)
    return parsed.hour * 60 + parsed.minute


def _utc(local: date, minutes: int, zone: ZoneInfo, fold: int) -> datetime:
    """A local wall time in UTC. Twice there: `fold` picks. Not there (spring): the moment the clocks jump."""
    naive = datetime.combine(local, time()) + timedelta(minutes=minutes)
    first = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == naive:
        return naive.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    early, late = naive.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    after = late.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        middle = middle.replace(microsecond=0)
        if middle in (early, late):
            break
        if middle.astimezone(zone).utcoffset() == after:
            late = middle
        else:
            early = middle
    return late


def _joined(intervals: Iterator[Interval]) -> Iterator[Interval]:
    """Empty intervals (a window swallowed by the spring gap) dropped, touching ones kept apart."""
    for start, end in intervals:
        if start < end:
            yield start, end
