"""The half-hours of local days. A day on which clocks are changed has 46 or 50 of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

HALF_HOUR = timedelta(minutes=30)
HALF_HOUR_S = 1800
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class HalfHour:
    """`place` is what the clock on the wall says at its start, in half-hours since midnight: 0 to 47.

    In the autumn two half-hours of one day have the same place; `again` marks the second.
    """

    day: date
    place: int
    begins: datetime
    ends: datetime
    again: bool = False

    @property
    def weekday(self) -> int:
        return self.day.weekday()

    @property
    def seconds(self) -> float:
        return (self.ends - self.begins).total_seconds()

    @property
    def clock(self) -> str:
        return f"{self.place // 2:02}:{self.place % 2 * 30:02}"


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@lru_cache(1024)
def of_day(day: date, zone: ZoneInfo) -> tuple[HalfHour, ...]:
    """Every half-hour of a local day, in the order in which they pass."""
    found: list[HalfHour] = []
    begins, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    while begins < end:
        wall = begins.astimezone(zone)
        ends = min(begins + HALF_HOUR, end)
        found.append(HalfHour(day, wall.hour * 2 + wall.minute // 30, begins, ends, wall.fold == 1))
        begins = ends
    return tuple(found)


def of_week(monday: date, zone: ZoneInfo) -> list[HalfHour]:
    return [half_hour for n in range(7) for half_hour in of_day(monday + timedelta(days=n), zone)]


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


@lru_cache(1024)
def occurrences(day: date, zone: ZoneInfo) -> Mapping[int, int]:
    """How often each place of the clock comes on a local day: twice or not at all when clocks are changed."""
    times: dict[int, int] = {}
    for half_hour in of_day(day, zone):
        times[half_hour.place] = times.get(half_hour.place, 0) + 1
    return times


class Places:
    """Where moments fall: local day and place. Quarters of an hour are looked up once."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._known: dict[int, tuple[date, int]] = {}

    def of_quarter(self, quarter: int) -> tuple[date, int]:
        """`quarter`: quarters of an hour since 1970. No zone's distance from UTC is anything but whole quarters."""
        known = self._known.get(quarter)
        if known is None:
            wall = datetime.fromtimestamp(quarter * 900, UTC).astimezone(self._zone)
            known = self._known[quarter] = wall.date(), wall.hour * 2 + wall.minute // 30
        return known

    def of(self, moment: datetime) -> tuple[date, int]:
        return self.of_quarter(int(moment.timestamp()) // 900)
