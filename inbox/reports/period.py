"""Periods of whole local days, cut into half-hours, days, weeks and months of the desk's zone.

Local days have 23, 24 or 25 hours: nothing here counts on 24. Moments are microseconds since 1970 as in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from inbox.errors import BadInput
from inbox.queue_key import microseconds, moment
from inbox.words import N_

Ints = NDArray[np.int64]

SECOND = 1_000_000
QUARTER = 15 * 60 * SECOND
"""No zone's distance from UTC is anything but whole quarters of an hour."""
HALF_HOUR = 30 * 60 * SECOND
DAY = 86_400 * SECOND
SLOTS = 48
"""Half-hours of an ordinary day."""
MOST_DAYS = 800
MOST_POINTS = 1_500
_EPOCH = date(1970, 1, 1)
_THURSDAY = 3
"""Weekday of the first of January 1970; Monday is 0."""


class Cut(StrEnum):
    """Into which pieces a period is cut."""

    HALF_HOUR = "half-hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Named(StrEnum):
    TODAY = "today"
    YESTERDAY = "yesterday"
    THIS_WEEK = "this_week"
    LAST_WEEK = "last_week"
    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class Period:
    """From the midnight that begins `first` to the one that ends `last`; `until` may be cut off earlier."""

    first: date
    last: date
    zone: str
    since: datetime
    until: datetime

    @property
    def since_us(self) -> int:
        return microseconds(self.since)

    @property
    def until_us(self) -> int:
        return microseconds(self.until)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def whole_days(first: date, last: date, zone: str) -> Period:
    """Raises BadInput for a period that is backwards or too long."""
    if last < first:
        raise BadInput("to", N_("A period cannot end before it begins."))
    if (last - first).days >= MOST_DAYS:
        raise BadInput("to", N_("A report covers two years at most."))
    if first.year < 1980 or last.year > 2200:
        raise BadInput("from", N_("There is no such day."))
    return Period(first, last, zone, _midnight(first, zone), _midnight(last + timedelta(days=1), zone))


def named(name: Named, today: date, zone: str) -> Period:
    """Weeks begin on Monday."""
    monday = today - timedelta(days=today.weekday())
    month = today.replace(day=1)
    match name:
        case Named.YESTERDAY:
            first = last = today - timedelta(days=1)
        case Named.THIS_WEEK:
            first, last = monday, today
        case Named.LAST_WEEK:
            first, last = monday - timedelta(days=7), monday - timedelta(days=1)
        case Named.THIS_MONTH:
            first, last = month, today
        case Named.LAST_MONTH:
            last = month - timedelta(days=1)
            first = last.replace(day=1)
        case Named.TODAY | Named.CUSTOM:
            first = last = today
    return whole_days(first, last, zone)


def before(period: Period, now: datetime) -> Period:
    """What it is compared with: the same number of days before it, whole months with the month before.

    Of a period that is not over only as much is compared as has passed.
    """
    ends = period.first - timedelta(days=1)
    whole_month = period.first.day == 1 and (period.last + timedelta(days=1)).day == 1 and period.days <= 31
    if whole_month or (period.first.day == 1 and period.since <= now < period.until and period.days <= 31):
        earlier = whole_days(ends.replace(day=1), ends, period.zone)
    else:
        earlier = whole_days(ends - timedelta(days=period.days - 1), ends, period.zone)
    if period.since <= now < period.until:
        # By the local clock, so that a change to summer time in between moves nothing.
        passed = _local(now, period.zone) - _local(period.since, period.zone)
        until = _instant(_local(earlier.since, period.zone) + passed, period.zone)
        return Period(earlier.first, earlier.last, period.zone, earlier.since, min(earlier.until, until))
    return earlier


def today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


def _midnight(day: date, zone: str) -> datetime:
    return _instant(datetime.combine(day, time()), zone)


def _instant(wall: datetime, zone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _local(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


# --- many moments at once -------------------------------------------------------------------------------------------


class LocalTime:
    """The local clock over a stretch of time, for arrays of moments."""

    def __init__(self, zone: str, since_us: int, until_us: int) -> None:
        tz = ZoneInfo(zone)

        def offset(at_us: int) -> int:
            found = moment(at_us).astimezone(tz).utcoffset()
            assert found is not None
            return int(found.total_seconds())

        begins, offsets = [since_us - DAY], [offset(since_us - DAY)]
        at = begins[0]
        while at < until_us + DAY:
            following = at + DAY
            if offset(following) != offsets[-1]:
                low, high = at, following
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
                begins.append(high)
                offsets.append(offset(high))
                at = high
            else:
                at = following
        self._offset = offsets[0]
        self._steps = [
            (begin, later - earlier) for begin, earlier, later in zip(begins[1:], offsets, offsets[1:], strict=False)
        ]

    def seconds(self, moments_us: Ints) -> Ints:
        """Seconds since 1970 as the clock on the wall counts them."""
        found: Ints = moments_us // SECOND + self._offset
        for begin, step in self._steps:
            found[moments_us >= begin] += step
        return found

    def days(self, moments_us: Ints) -> Ints:
        """Local days since 1970."""
        return self.seconds(moments_us) // 86_400

    def half_hours_of_week(self, moments_us: Ints) -> Ints:
        """0 is Monday from midnight to half past, 335 Sunday's last."""
        seconds = self.seconds(moments_us)
        weekday = (seconds // 86_400 + _THURSDAY) % 7
        found: Ints = weekday * SLOTS + seconds % 86_400 // 1800
        return found


def occurrences(local: LocalTime, since_us: int, until_us: int) -> NDArray[np.float64]:
    """How often each half-hour of the week took place: one in the night of a change twice, or not at all."""
    quarters = np.arange(since_us, until_us, QUARTER, dtype=np.int64)
    found = np.bincount(local.half_hours_of_week(quarters), minlength=7 * SLOTS) if len(quarters) else np.zeros(336)
    return found / 2.0


@dataclass(frozen=True, slots=True)
class Pieces:
    """A period in pieces: `begins[i]` is the first moment of piece i."""

    cut: Cut
    begins: Sequence[datetime]

    def place(self, moments_us: Ints) -> Ints:
        """In which piece each moment lies; moments lie inside the period."""
        edges = np.array([microseconds(at) for at in self.begins], dtype=np.int64)
        falls = np.flatnonzero(moments_us[1:] < moments_us[:-1])
        ordered = int(falls[0]) + 1 if len(falls) else len(moments_us)  # nearly all of them are
        ends = np.append(np.searchsorted(moments_us[:ordered], edges[1:], "left"), ordered)
        head = np.repeat(np.arange(len(edges)), np.diff(ends, prepend=0))
        return np.concatenate([head, np.searchsorted(edges, moments_us[ordered:], "right") - 1])


def pieces(period: Period, cut: Cut) -> Pieces:
    """Raises BadInput when there would be too many. The first week or month may begin before the period does."""
    if cut is Cut.HALF_HOUR:
        count = -(-(period.until_us - period.since_us) // HALF_HOUR)
        if count > MOST_POINTS:
            raise BadInput("by", N_("Half-hours are shown for a month at most."))
        return Pieces(cut, [moment(period.since_us + step * HALF_HOUR) for step in range(count)])
    starts = [period.first]
    while True:
        following = _following(starts[-1], cut)
        if following > period.last:
            break
        starts.append(following)
    return Pieces(cut, [_midnight(day, period.zone) for day in starts])


def fitting(period: Period) -> Cut:
    """The cut that gives a picture neither empty nor crowded."""
    if period.days <= 2:
        return Cut.HALF_HOUR
    if period.days <= 92:
        return Cut.DAY
    return Cut.WEEK


def _following(day: date, cut: Cut) -> date:
    if cut is Cut.DAY:
        return day + timedelta(days=1)
    if cut is Cut.WEEK:
        return day + timedelta(days=7 - day.weekday())
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
