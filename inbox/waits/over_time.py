"""Figures over the hours of a day and of a week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from inbox.store.models import Wait
from inbox.vocabulary import Ending
from inbox.waits import calendar
from inbox.waits.figures import half_hour, today
from inbox.waits.metrics import Percentiles, nearest_rank

HALF_HOUR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Slot:
    """Answered waits that started in one half-hour."""

    begins: datetime
    waits: Percentiles


@dataclass(frozen=True, slots=True)
class HeatCell:
    """Median net wait of one hour of the week (0 is Monday), and of how many waits."""

    weekday: int
    hour: int
    n: int
    median_s: int


def by_half_hour(conn: Connection, now: datetime) -> list[Slot]:
    """Today, from the first half-hour in which somebody was answered to this one; empty ones in between are there."""
    since = today(conn, now)
    seconds: dict[datetime, list[int]] = {}
    for row in conn.execute(
        select(Wait.started_at, Wait.net_s).where(Wait.started_at >= since, Wait.ending == Ending.ANSWERED)
    ):
        seconds.setdefault(half_hour(row.started_at), []).append(row.net_s)
    slots = []
    begins = min(seconds, default=None)
    while begins is not None and begins <= now:
        slots.append(Slot(begins, _of(seconds.get(begins, []))))
        begins += HALF_HOUR
    return slots


def by_hour_of_week(conn: Connection, now: datetime, *, weeks: int = 4) -> list[HeatCell]:
    """Median wait by local weekday and hour, over whole days before today."""
    zone = calendar.current(conn, now).hours.zone
    until = today(conn, now)
    local_hours: dict[int, tuple[int, int]] = {}
    seconds: dict[tuple[int, int], list[int]] = {}
    for row in conn.execute(
        select(Wait.started_at, Wait.net_s).where(
            Wait.started_at >= until - timedelta(weeks=weeks),
            Wait.started_at < until,
            Wait.ending == Ending.ANSWERED,
        )
    ):
        quarter = int(row.started_at.timestamp()) // 900
        place = local_hours.get(quarter)
        if place is None:
            wall = row.started_at.astimezone(zone)
            place = local_hours[quarter] = wall.weekday(), wall.hour
        seconds.setdefault(place, []).append(row.net_s)
    return [
        HeatCell(weekday, hour, len(found), sorted(found)[nearest_rank(len(found), 50)])
        for (weekday, hour), found in sorted(seconds.items())
    ]


def _of(seconds: list[int]) -> Percentiles:
    ordered = sorted(seconds)
    if not ordered:
        return Percentiles(0, None, None, None)
    median, p90, p95 = (ordered[nearest_rank(len(ordered), percent)] for percent in (50, 90, 95))
    return Percentiles(len(ordered), median, p90, p95)
