"""When most comes, per channel: half-hours of the week by what they usually bring, and how much of it is missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from inbox.staffing.gathering import Gathered
from inbox.staffing.half_hours import occurrences
from inbox.staffing.plan import days_of_past
from inbox.vocabulary import ChannelKind

SHOWN = 15


@dataclass(frozen=True, slots=True)
class Busy:
    """`weekday` 0 is Monday, `place` half-hours since midnight. `mean`: arrivals per occurrence, of `times` of them."""

    weekday: int
    place: int
    came: int
    missed: int
    times: int

    @property
    def mean(self) -> float:
        return self.came / self.times if self.times else 0.0

    @property
    def missed_percent(self) -> float | None:
        return 100 * self.missed / self.came if self.came else None


def busiest(found: Gathered, *, shown: int = SHOWN) -> Mapping[ChannelKind, Sequence[Busy]]:
    """The busiest first; of equally busy ones the earlier in the week."""
    days, _, _ = days_of_past(found)
    result = {}
    for channel, counted in found.arrivals.channels.items():
        came, missed = _by_week(counted.came, days), _by_week(counted.missed, days)
        times = _times(found, days)
        half_hours = [
            Busy(weekday, place, n, missed.get((weekday, place), 0), times.get((weekday, place), 1))
            for (weekday, place), n in came.items()
            if n
        ]
        result[channel] = sorted(half_hours, key=lambda one: (-one.mean, one.weekday, one.place))[:shown]
    return result


def _by_week(counts: Mapping[tuple[date, int], int], days: Sequence[date]) -> dict[tuple[int, int], int]:
    wanted = set(days)
    found: dict[tuple[int, int], int] = {}
    for (day, place), n in counts.items():
        if day in wanted:
            found[day.weekday(), place] = found.get((day.weekday(), place), 0) + n
    return found


def _times(found: Gathered, days: Sequence[date]) -> dict[tuple[int, int], int]:
    """How often each half-hour of the week came: one that clocks skip did not, one that came twice did twice."""
    times: dict[tuple[int, int], int] = {}
    for day in days:
        for place, n in occurrences(day, found.zone).items():
            times[day.weekday(), place] = times.get((day.weekday(), place), 0) + n
    return times
