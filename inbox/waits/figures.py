"""What each figure of the desk counts: one definition, used by the number and by the list of waits behind it.

A figure of today counts waits that *started* since midnight in the desk's zone.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, and_, or_

from inbox.store.models import Wait
from inbox.vocabulary import Ending
from inbox.waits import calendar

SHORT_ABANDON_S = 10
"""Who leaves sooner than this never gave the desk a chance: counted apart."""

COUNTED_ENDINGS = (Ending.ANSWERED, Ending.ABANDONED, Ending.UNREACHED, Ending.CLOSED)
"""Endings of waits that were owed an answer. Merged, spam and "no answer needed" were not."""


class Figure(StrEnum):
    LONGEST = "longest"  # running waits whose clock is not paused, longest first
    WAITING = "waiting"
    IN_TARGET = "in_target"
    WARNED = "warned"
    MISSED = "missed"  # running, past the target
    AGREED = "agreed"  # running, paused as agreed with the customer
    COUNTED = "counted"  # today, finished or past the target, short abandons left out: what the service level is of
    ANSWERED = "answered"
    ANSWERED_IN_TARGET = "answered_in_target"
    MISSED_TODAY = "missed_today"  # today, not answered within the target
    ABANDONED = "abandoned"
    SHORT_ABANDONED = "short_abandoned"


NOW = frozenset({Figure.LONGEST, Figure.WAITING, Figure.IN_TARGET, Figure.WARNED, Figure.MISSED, Figure.AGREED})
"""What is about this moment, and not about what was done."""


def today(conn: Connection, now: datetime) -> datetime:
    """The last midnight in the desk's zone."""
    zone = ZoneInfo(calendar.current(conn, now).zone)
    return datetime.combine(now.astimezone(zone).date(), time(), zone).astimezone(now.tzinfo)


def half_hour(now: datetime) -> datetime:
    """The start of the half-hour that `now` is in."""
    return now - timedelta(minutes=now.minute % 30, seconds=now.second, microseconds=now.microsecond)


def running() -> ColumnElement[bool]:
    return Wait.ended_at.is_(None)


def past_target(now: datetime) -> ColumnElement[bool]:
    return and_(running(), or_(Wait.missed_at.is_not(None), Wait.due_at <= now))


def past_warning(now: datetime) -> ColumnElement[bool]:
    return and_(running(), or_(Wait.warned_at.is_not(None), Wait.warn_at <= now))


def short_abandon() -> ColumnElement[bool]:
    return and_(Wait.ending == Ending.ABANDONED, Wait.wall_s < SHORT_ABANDON_S)


def condition(figure: Figure, *, now: datetime, since: datetime) -> ColumnElement[bool]:
    """Which waits a figure counts; `since` bounds the start of those that are not about this moment."""
    ticking = and_(running(), Wait.paused_at.is_(None))
    in_period = Wait.started_at >= since
    answered = and_(in_period, Wait.ending == Ending.ANSWERED)
    counted = and_(
        in_period, or_(and_(Wait.ending.in_(COUNTED_ENDINGS), ~short_abandon()), and_(ticking, past_target(now)))
    )
    match figure:
        case Figure.LONGEST | Figure.WAITING:
            return ticking
        case Figure.IN_TARGET:
            return and_(ticking, ~past_warning(now))
        case Figure.WARNED:
            return and_(ticking, past_warning(now), ~past_target(now))
        case Figure.MISSED:
            return and_(ticking, past_target(now))
        case Figure.AGREED:
            return and_(running(), Wait.paused_at.is_not(None))
        case Figure.COUNTED:
            return counted
        case Figure.ANSWERED:
            return answered
        case Figure.ANSWERED_IN_TARGET:
            return and_(answered, Wait.net_s <= Wait.target_s)
        case Figure.MISSED_TODAY:
            return and_(counted, or_(Wait.ending.is_(None), Wait.ending != Ending.ANSWERED, Wait.net_s > Wait.target_s))
        case Figure.ABANDONED:
            return and_(in_period, Wait.ending == Ending.ABANDONED, ~short_abandon())
        case Figure.SHORT_ABANDONED:
            return and_(in_period, short_abandon())
