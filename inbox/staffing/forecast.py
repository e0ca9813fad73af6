"""What will come in a half-hour: the median of the same half-hour on like days, scaled by the last two weeks.

Pure arithmetic on counts. A half-hour that came twice on a day (autumn) counts with its mean, one that was left out
(spring) not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from inbox.staffing.arrivals import Key
from inbox.staffing.half_hours import HalfHour, occurrences

WEEKS = 8
HOLIDAYS = 8
RECENT = timedelta(days=14)
LEAST_FOR_TREND = 20
"""With fewer arrivals in two weeks their ratio is chance."""
LEAST_DAYS_FOR_TREND = 21
TREND_LIMITS = (0.5, 2.0)


class Basis(StrEnum):
    """Which days a forecast stands on."""

    WEEKDAY = "weekday"
    HOLIDAYS = "holidays"
    OTHER_DAYS = "other_days"  # this weekday has not been seen yet
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Arrivals expected in one half-hour, with the spread of the middle half of what was seen on `days` days."""

    expected: float
    low: float
    high: float
    days: int
    basis: Basis


@dataclass(frozen=True, slots=True)
class Trend:
    """What the last two weeks brought, against what the same weekdays brought on average. 1 where that is chance."""

    ratio: float
    recent: int
    usual: float


NO_TREND = Trend(1.0, 0, 0.0)


class Profile:
    """The past of one channel. `days`: those that count, without marked ones; `holidays` are kept apart."""

    def __init__(self, came: Mapping[Key, int], days: Iterable[date], holidays: Iterable[date], zone: ZoneInfo) -> None:
        self._came, self._zone = came, zone
        self._holidays = sorted(holidays)[-HOLIDAYS:]
        self._by_weekday: dict[int, list[date]] = {}
        self._days = sorted(days)
        for day in self._days:
            self._by_weekday.setdefault(day.weekday(), []).append(day)
        self._known: dict[tuple[Basis, int, int], tuple[float, float, float, int]] = {}
        self.trend = self._trend()

    def forecast(self, half_hour: HalfHour, *, holiday: bool) -> Forecast:
        weekday = half_hour.weekday
        if holiday and self._holidays:
            basis, days, weekday = Basis.HOLIDAYS, self._holidays, 0
        elif weekday in self._by_weekday:
            basis, days = Basis.WEEKDAY, self._by_weekday[weekday]
        elif self._days:
            basis, days, weekday = Basis.OTHER_DAYS, self._days, 0
        else:
            return Forecast(0.0, 0.0, 0.0, 0, Basis.NOTHING)
        place = (basis, weekday, half_hour.place)
        found = self._known.get(place)
        if found is None:
            seen = self._samples(days, half_hour.place)
            found = self._known[place] = (*quartiles(seen), len(seen)) if seen else (0.0, 0.0, 0.0, 0)
        low, middle, high, n = found
        ratio = self.trend.ratio
        return Forecast(middle * ratio, low * ratio, high * ratio, n, basis if n else Basis.NOTHING)

    def _samples(self, days: Sequence[date], place: int) -> list[float]:
        seen = []
        for day in days:
            times = occurrences(day, self._zone).get(place, 0)
            if times:
                seen.append(self._came.get((day, place), 0) / times)
        return sorted(seen)

    def _trend(self) -> Trend:
        if not self._days or (self._days[-1] - self._days[0]).days + 1 < LEAST_DAYS_FOR_TREND:
            return NO_TREND
        totals = dict.fromkeys(self._days, 0)
        for (day, _), came in self._came.items():
            if day in totals:
                totals[day] += came
        recent = [day for day in self._days if day > self._days[-1] - RECENT]
        brought = sum(totals[day] for day in recent)
        usual = 0.0
        for day in recent:
            alike = self._by_weekday[day.weekday()]
            usual += sum(totals[other] for other in alike) / len(alike)
        if brought < LEAST_FOR_TREND or usual <= 0:
            return Trend(1.0, brought, usual)
        least, most = TREND_LIMITS
        return Trend(min(max(brought / usual, least), most), brought, usual)


def quartiles(ascending: Sequence[float]) -> tuple[float, float, float]:
    """P25, median and P75 of a few counts, between two of them in proportion."""
    return quantile(ascending, 0.25), quantile(ascending, 0.5), quantile(ascending, 0.75)


def quantile(ascending: Sequence[float], share: float) -> float:
    place = share * (len(ascending) - 1)
    below = int(place)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (ascending[above] - ascending[below]) * (place - below)
