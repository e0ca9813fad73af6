"""What the desk knows about itself from the last weeks: handling times, chats at once, patience, who was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import BigInteger, Connection, func, or_, select, type_coerce

from inbox.call_facts import ANSWERED, Direction
from inbox.queue_key import microseconds
from inbox.staffing.arrivals import QUARTER_MICROS
from inbox.staffing.half_hours import HalfHour, Places
from inbox.staffing.past import Columns, Past, of_channel, where
from inbox.store.models import Call, Callback, Conversation, PresenceSpan, Wait
from inbox.vocabulary import OPEN_CALLBACK_STATES, ChannelKind, OperatorId, Presence, TeamId

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


def handle_sums(handling: Columns, zone: ZoneInfo) -> Mapping[ChannelKind, Mapping[tuple[int, int], tuple[int, float]]]:
    """Per channel, weekday and place of the clock: conversations handled and seconds, by when handling began."""
    places = Places(zone)
    found: dict[ChannelKind, dict[tuple[int, int], tuple[int, float]]] = {}
    for channel in ChannelKind:
        spans = of_channel(handling, channel)
        _, first, which = np.unique(spans["conversation"], return_index=True, return_inverse=True)
        micros = np.bincount(which, weights=spans["ended"] - spans["at"], minlength=len(first))
        # Facts come in the order of their moments, so the first of a conversation is its earliest.
        quarters, where = np.unique(spans["at"][first] // QUARTER_MICROS, return_inverse=True)
        numbers = np.bincount(where, minlength=len(quarters))
        sums = np.bincount(where, weights=micros, minlength=len(quarters))
        cells = found[channel] = {}
        for quarter, n, total in zip(quarters, numbers, sums, strict=True):
            day, place = places.of_quarter(int(quarter))
            known = cells.get((day.weekday(), place), (0, 0.0))
            cells[day.weekday(), place] = known[0] + int(n), known[1] + float(total) / 1_000_000
    return found


def concurrency(handling: Columns, since: datetime, *, otherwise: float) -> Concurrency:
    """Measured on chats begun since then; `otherwise` where too few were handled."""
    chats = of_channel(where(handling, handling["at"] >= microseconds(since)), ChannelKind.CHAT)
    n = len(np.unique(chats["conversation"]))
    if n < LEAST_CHATS:
        return Concurrency(otherwise, 0)
    order = np.lexsort((chats["at"], chats["operator"]))
    began, ended, whose = (chats[name][order].astype(np.int64) for name in ("at", "ended", "operator"))
    spent = engaged = 0
    for operator in np.unique(whose):
        mine = whose == operator
        until = np.maximum.accumulate(ended[mine])
        before = np.concatenate([[0], until[:-1]])
        spent += int((ended[mine] - began[mine]).sum())
        engaged += int(np.maximum(0, ended[mine] - np.maximum(began[mine], before)).sum())
    return Concurrency(spent / engaged, n) if engaged else Concurrency(otherwise, 0)


def patience(
    conn: Connection, past: Past, since: datetime, until: datetime, team_id: TeamId | None, *, otherwise_s: int
) -> Mapping[ChannelKind, Patience]:
    """Of callers and of chat visitors."""
    past = past.between(since, until)
    return {
        ChannelKind.PHONE: _measured(*_callers(conn, past, since, until, team_id), otherwise_s),
        ChannelKind.CHAT: _measured(*_visitors(past), otherwise_s),
    }


def _measured(came: int, left: int, waited_s: float, otherwise_s: int) -> Patience:
    if left < LEAST_LEFT or waited_s <= 0:
        return Patience(float(otherwise_s), left, came, measured=False)
    return Patience(waited_s / left, left, came, measured=True)


def _callers(
    conn: Connection, past: Past, since: datetime, until: datetime, team_id: TeamId | None
) -> tuple[int, int, float]:
    """Callers who hung up, with how long it rang; and the waits of those whose call was taken."""
    rang = type_coerce(Call.ended_at, BigInteger) - type_coerce(Call.started_at, BigInteger)
    missed = (
        select(func.count(), func.sum(rang))
        .select_from(Call)
        .where(
            Call.direction == Direction.INBOUND,
            Call.started_at >= since,
            Call.started_at < until,
            Call.rank < ANSWERED,
            Call.ended_at.is_not(None),
        )
    )
    if team_id is not None:
        missed = missed.join(Conversation, Conversation.id == Call.conversation_id).where(
            Conversation.team_id == team_id
        )
    left, rang_micros = conn.execute(missed).one()
    taken = where(past.ringing, past.ringing["missed"] == 0)
    waits = of_channel(past.waits, ChannelKind.PHONE)
    waited_s = waits["waited_s"][waits["taken"] & np.isin(waits["at"], taken["at"])].sum()
    return left + len(taken["at"]), left, float(rang_micros or 0) / 1_000_000 + float(waited_s)


def _visitors(past: Past) -> tuple[int, int, float]:
    chats = of_channel(where(past.waits, past.waits["first"]), ChannelKind.CHAT)
    chats = where(chats, chats["left"] | chats["taken"])
    return len(chats["at"]), int(chats["left"].sum()), float(chats["waited_s"].sum())


def backlog(conn: Connection, team_id: TeamId | None, *, now: datetime) -> tuple[int, int]:
    """Mails and callbacks that wait to be done."""
    mails = select(func.count()).select_from(Wait).where(Wait.ended_at.is_(None), Wait.channel == ChannelKind.EMAIL)
    callbacks = (
        select(func.count())
        .select_from(Callback)
        .where(Callback.state.in_(OPEN_CALLBACK_STATES), Callback.due_at <= now)
    )
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
