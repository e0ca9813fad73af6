"""What the desk knows about itself from the last weeks: handling times, chats at once, patience, who was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Connection, func, or_, select, type_coerce

from inbox.call_facts import ANSWERED, Direction
from inbox.staffing.arrivals import QUARTER_MICROS
from inbox.staffing.half_hours import HalfHour, Places
from inbox.store.models import Call, Callback, Conversation, HandlingSpan, PresenceSpan, Wait
from inbox.vocabulary import OPEN_CALLBACK_STATES, ChannelKind, Ending, OperatorId, Presence, TeamId

HANDLE_DAYS = 30
CONCURRENCY_DAYS = 14
LEAST_HANDLED = 5
"""Conversations that a half-hour or a weekday must have had for its own handling time."""
LEAST_CHATS = 20
LEAST_LEFT = 10
"""Customers who gave up, below which the patience of all is a guess."""
LEAVING_FROM = 0.03

AT_WORK = (Presence.ONLINE, Presence.FINISHING)


class HandleBasis(StrEnum):
    HALF_HOUR = "half_hour"  # the same half-hour of the same weekday
    WEEKDAY = "weekday"
    MONTH = "month"  # the last 30 days
    SETTING = "setting"


@dataclass(frozen=True, slots=True)
class Handle:
    """Seconds of one person for one conversation, as measured on `n` of them."""

    seconds: float
    n: int
    basis: HandleBasis


class HandleTimes:
    """Handling time of one channel: that of the half-hour, else of the weekday, else of the month, else as set."""

    def __init__(self, sums: Mapping[tuple[int, int], tuple[int, float]], setting_s: int) -> None:
        self._cells = sums
        self._setting_s = setting_s
        self._days: dict[int, tuple[int, float]] = {}
        self.n, self._total = 0, 0.0
        for (weekday, _), (n, seconds) in sums.items():
            known = self._days.get(weekday, (0, 0.0))
            self._days[weekday] = known[0] + n, known[1] + seconds
            self.n += n
            self._total += seconds

    def of(self, weekday: int, place: int) -> Handle:
        for found, basis in (
            (self._cells.get((weekday, place)), HandleBasis.HALF_HOUR),
            (self._days.get(weekday), HandleBasis.WEEKDAY),
        ):
            if found is not None and found[0] >= LEAST_HANDLED and found[1] > 0:
                return Handle(found[1] / found[0], found[0], basis)
        return self.month

    @property
    def month(self) -> Handle:
        if self.n and self._total > 0:
            return Handle(self._total / self.n, self.n, HandleBasis.MONTH)
        return Handle(float(self._setting_s), 0, HandleBasis.SETTING)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Chats at once: seconds of handling / seconds in which there was any. `chats` 0: the factor of the setting."""

    factor: float
    chats: int


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a customer waits before leaving: the waiting time of all / those who left. `left` of `came` did."""

    seconds: float
    left: int
    came: int
    measured: bool

    @property
    def share_left(self) -> float:
        return self.left / self.came if self.came else 0.0

    @property
    def matters(self) -> bool:
        return self.share_left > LEAVING_FROM


def _team(query: Any, operators: Sequence[OperatorId] | None) -> Any:
    return query if operators is None else query.where(HandlingSpan.operator_id.in_(operators))


def handle_sums(
    conn: Connection, since: datetime, until: datetime, zone: ZoneInfo, operators: Sequence[OperatorId] | None
) -> Mapping[ChannelKind, Mapping[tuple[int, int], tuple[int, float]]]:
    """Per channel, weekday and place of the clock: conversations handled and seconds, by when handling began."""
    began, ended = type_coerce(HandlingSpan.began_at, BigInteger), type_coerce(HandlingSpan.ended_at, BigInteger)
    each = _team(
        select(
            HandlingSpan.channel,
            func.min(began).label("began"),
            func.sum(ended - began).label("micros"),
        )
        .where(HandlingSpan.began_at >= since, HandlingSpan.began_at < until, HandlingSpan.ended_at.is_not(None))
        .group_by(HandlingSpan.conversation_id, HandlingSpan.channel),
        operators,
    ).subquery()
    quarter = (each.c.began // QUARTER_MICROS).label("quarter")
    places = Places(zone)
    found: dict[ChannelKind, dict[tuple[int, int], tuple[int, float]]] = {channel: {} for channel in ChannelKind}
    for row in conn.execute(
        select(each.c.channel, quarter, func.count().label("n"), func.sum(each.c.micros).label("micros")).group_by(
            each.c.channel, quarter
        )
    ):
        day, place = places.of_quarter(row.quarter)
        cells = found[ChannelKind(row.channel)]
        n, seconds = cells.get((day.weekday(), place), (0, 0.0))
        cells[day.weekday(), place] = n + row.n, seconds + float(row.micros) / 1_000_000
    return found


def concurrency(
    conn: Connection,
    since: datetime,
    until: datetime,
    operators: Sequence[OperatorId] | None,
    *,
    otherwise: float,
) -> Concurrency:
    """Measured on chats; `otherwise` where too few were handled."""
    began, ended = type_coerce(HandlingSpan.began_at, BigInteger), type_coerce(HandlingSpan.ended_at, BigInteger)
    rows = conn.execute(
        _team(
            select(HandlingSpan.operator_id, began, ended, HandlingSpan.conversation_id)
            .where(
                HandlingSpan.began_at >= since,
                HandlingSpan.began_at < until,
                HandlingSpan.ended_at.is_not(None),
                HandlingSpan.channel == ChannelKind.CHAT,
            )
            .order_by(HandlingSpan.operator_id, HandlingSpan.began_at),
            operators,
        )
    )
    handled = engaged = 0
    chats = set()
    whose, until_now = None, 0
    for operator_id, start, end, conversation_id in rows:
        chats.add(conversation_id)
        handled += end - start
        if operator_id != whose:
            whose, until_now = operator_id, 0
        engaged += max(0, end - max(start, until_now))
        until_now = max(until_now, end)
    if len(chats) < LEAST_CHATS or not engaged:
        return Concurrency(otherwise, 0)
    return Concurrency(handled / engaged, len(chats))


def patience(
    conn: Connection, since: datetime, until: datetime, team_id: TeamId | None, *, otherwise_s: int
) -> Mapping[ChannelKind, Patience]:
    """Of callers and of chat visitors."""
    return {
        ChannelKind.PHONE: _measured(*_callers(conn, since, until, team_id), otherwise_s),
        ChannelKind.CHAT: _measured(*_visitors(conn, since, until, team_id), otherwise_s),
    }


def _measured(came: int, left: int, waited_s: float, otherwise_s: int) -> Patience:
    if left < LEAST_LEFT or waited_s <= 0:
        return Patience(float(otherwise_s), left, came, measured=False)
    return Patience(waited_s / left, left, came, measured=True)


def _callers(conn: Connection, since: datetime, until: datetime, team_id: TeamId | None) -> tuple[int, int, float]:
    """Callers who hung up, with how long it rang; and the waits of those who were answered in the call."""
    rang = type_coerce(Call.ended_at, BigInteger) - type_coerce(Call.started_at, BigInteger)
    missed = select(func.count(), func.sum(rang)).where(
        Call.direction == Direction.INBOUND,
        Call.started_at >= since,
        Call.started_at < until,
        Call.rank < ANSWERED,
        Call.ended_at.is_not(None),
    )
    answered = select(func.count(), func.sum(Wait.wall_s)).where(
        Wait.started_at >= since,
        Wait.started_at < until,
        Wait.channel == ChannelKind.PHONE,
        Wait.ending == Ending.ANSWERED,
        Wait.ended_entry_id == Wait.entry_id,
    )
    if team_id is not None:
        missed = missed.join(Conversation, Conversation.id == Call.conversation_id).where(
            Conversation.team_id == team_id
        )
        answered = answered.where(Wait.team_id == team_id)
    left, rang_micros = conn.execute(missed).one()
    taken, waited_s = conn.execute(answered).one()
    return left + taken, left, float(rang_micros or 0) / 1_000_000 + float(waited_s or 0)


def _visitors(conn: Connection, since: datetime, until: datetime, team_id: TeamId | None) -> tuple[int, int, float]:
    query = select(Wait.ending, func.count(), func.sum(Wait.wall_s)).where(
        Wait.started_at >= since,
        Wait.started_at < until,
        Wait.channel == ChannelKind.CHAT,
        Wait.first.is_(True),
        Wait.ending.in_((Ending.ANSWERED, Ending.ABANDONED)),
    )
    if team_id is not None:
        query = query.where(Wait.team_id == team_id)
    came = left = 0
    waited_s = 0.0
    for ending, n, seconds in conn.execute(query.group_by(Wait.ending)):
        came += n
        left += n if ending == Ending.ABANDONED else 0
        waited_s += float(seconds or 0)
    return came, left, waited_s


def backlog(conn: Connection, team_id: TeamId | None, *, now: datetime) -> tuple[int, int]:
    """Mails and callbacks that wait to be done."""
    mails = select(func.count()).where(Wait.ended_at.is_(None), Wait.channel == ChannelKind.EMAIL)
    callbacks = select(func.count()).where(Callback.state.in_(OPEN_CALLBACK_STATES), Callback.due_at <= now)
    if team_id is not None:
        mails = mails.where(Wait.team_id == team_id)
        callbacks = callbacks.join(Conversation, Conversation.id == Callback.conversation_id).where(
            Conversation.team_id == team_id
        )
    return conn.execute(mails).scalar_one(), conn.execute(callbacks).scalar_one()


def present(
    conn: Connection, half_hours: Sequence[HalfHour], operators: Sequence[OperatorId] | None, *, now: datetime
) -> list[float | None]:
    """How many operators were online on average in each half-hour; None for those to come."""
    since, until = half_hours[0].begins, min(half_hours[-1].ends, now)
    seconds = [0.0] * len(half_hours)
    if since < until:
        query = select(PresenceSpan.began_at, PresenceSpan.ended_at).where(
            PresenceSpan.presence.in_(AT_WORK),
            PresenceSpan.began_at < until,
            or_(PresenceSpan.ended_at.is_(None), PresenceSpan.ended_at > since),
        )
        if operators is not None:
            query = query.where(PresenceSpan.operator_id.in_(operators))
        for began_at, ended_at in conn.execute(query):
            _add(seconds, half_hours, max(began_at, since), min(ended_at or until, until))
    found: list[float | None] = []
    for half_hour, there in zip(half_hours, seconds, strict=True):
        passed = (min(half_hour.ends, now) - half_hour.begins).total_seconds()
        found.append(there / passed if passed > 0 else None)
    return found


def _add(seconds: list[float], half_hours: Sequence[HalfHour], began: datetime, ended: datetime) -> None:
    first = int((began - half_hours[0].begins) / timedelta(minutes=30))
    for index in range(max(0, first - 2), len(half_hours)):
        half_hour = half_hours[index]
        if half_hour.begins >= ended:
            return
        overlap = (min(ended, half_hour.ends) - max(began, half_hour.begins)).total_seconds()
        if overlap > 0:
            seconds[index] += overlap
