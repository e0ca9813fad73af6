"""Figures over the hours of a day and of a week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, select, type_coerce

from inbox.queue_key import moment
from inbox.store.models import Wait
from inbox.vocabulary import Ending
from inbox.waits import calendar
from inbox.waits.figures import half_hour, today
from inbox.waits.metrics import Percentiles, nearest_rank, percentiles_of

HALF_HOUR = timedelta(minutes=30)
QUARTER_MICROS = 15 * 60 * 1_000_000
"""No zone's distance from UTC is anything but whole quarters of an hour."""


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
        slots.append(Slot(begins, percentiles_of(sorted(seconds.get(begins, [])))))
        begins += HALF_HOUR
    return slots


def by_hour_of_week(conn: Connection, now: datetime, *, weeks: int = 4) -> list[HeatCell]:
    """Median wait by local weekday and hour, over whole days before today."""
    zone = calendar.current(conn, now).hours.zone
    until = today(conn, now)
    local_hours: dict[int, tuple[int, int]] = {}
    seconds: dict[tuple[int, int], list[int]] = {}
    for micros, net_s in conn.execute(
        select(type_coerce(Wait.started_at, BigInteger).label("micros"), Wait.net_s).where(
            Wait.started_at >= until - timedelta(weeks=weeks),
            Wait.started_at < until,
            Wait.ending == Ending.ANSWERED,
        )
    ):
        quarter = micros // QUARTER_MICROS
        place = local_hours.get(quarter)
        if place is None:
            wall = moment(micros).astimezone(zone)
            place = local_hours[quarter] = wall.weekday(), wall.hour
        seconds.setdefault(place, []).append(net_s or 0)
    return [
        HeatCell(weekday, hour, len(found), sorted(found)[nearest_rank(len(found), 50)])
        for (weekday, hour), found in sorted(seconds.items())
    ]
