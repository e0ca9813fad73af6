"""The figures of the desk, all from the ledger, as they are at this moment.

Percentiles are by nearest rank from raw waits and come with their number: below 20 a reader should see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from inbox.store.models import Callback, Contact, Conversation, Operator, Wait
from inbox.vocabulary import (
    OPEN_CALLBACK_STATES,
    ChannelKind,
    ConversationId,
    Ending,
    OperatorId,
    Presence,
    Status,
    WaitId,
)
from inbox.waits import calendar, ledger
from inbox.waits.figures import Figure, condition, half_hour, past_target, past_warning, running, today
from inbox.waits.mode import CAPACITY, ModeNow, desk_mode


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Net seconds of answered waits. None where there is none."""

    n: int
    median_s: int | None
    p90_s: int | None
    p95_s: int | None


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`; `percent` is None of nothing."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        return 100 * self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """Three ways in use to say "share answered in target"; the desk shows the first, which hides nothing.

    `all_counted`: answered in target / everybody who was owed an answer, short abandons left out, those still waiting
    past the target in. `answered_only`: answered in target / answered. `with_abandoned`: (answered + abandoned in
    target) / (answered + abandoned).
    """

    all_counted: Share
    answered_only: Share
    with_abandoned: Share


@dataclass(frozen=True, slots=True)
class ChannelWaiting:
    channel: ChannelKind
    in_target: int
    warned: int
    missed: int
    agreed: int

    @property
    def waiting(self) -> int:
        return self.in_target + self.warned + self.missed


@dataclass(frozen=True, slots=True)
class LongestWait:
    """The oldest unpaused wait. `net_s` is its third clock at the moment of reading, `ticks` whether that runs now."""

    wait_id: WaitId
    conversation_id: ConversationId
    channel: ChannelKind
    contact_name: str
    started_at: datetime
    net_s: int
    ticks: bool
    warn_after_s: int
    target_s: int


@dataclass(frozen=True, slots=True)
class OperatorNow:
    id: OperatorId
    name: str
    presence: Presence
    presence_since: datetime
    load: int
    capacity: int
    channels: Sequence[ChannelKind]
    answered_today: int | None  # None: figures of single people are switched off


@dataclass(frozen=True, slots=True)
class Live:
    """The wallboard's figures, all of one moment."""

    now: datetime
    zone: str
    mode: ModeNow
    warn_after_s: int
    target_s: int
    longest: LongestWait | None
    channels: Sequence[ChannelWaiting]
    service: ServiceLevel
    service_half_hour: Share
    waits: Percentiles
    abandoned: int
    short_abandoned: int
    callbacks_due: int
    callbacks_open: int
    oldest_callback_at: datetime | None
    operators: Sequence[OperatorNow]

    @property
    def waiting(self) -> int:
        return sum(channel.waiting for channel in self.channels)

    @property
    def in_target(self) -> int:
        return sum(channel.in_target for channel in self.channels)

    @property
    def warned(self) -> int:
        return sum(channel.warned for channel in self.channels)

    @property
    def missed(self) -> int:
        return sum(channel.missed for channel in self.channels)

    @property
    def agreed(self) -> int:
        return sum(channel.agreed for channel in self.channels)


def live(conn: Connection, now: datetime, *, named: bool = True) -> Live:
    """Everything the wallboard shows. `named`: with what each single operator has answered."""
    version = calendar.current(conn, now)
    target = version.hours.target(ChannelKind.CHAT)
    since = today(conn, now)
    abandoned, short, callbacks = _abandoned(conn, now, since), _short(conn, now, since), _callbacks(conn, now)
    return Live(
        now=now,
        zone=version.zone,
        mode=desk_mode(conn, now),
        warn_after_s=target.warn_s,
        target_s=target.target_s,
        longest=longest(conn, now),
        channels=waiting(conn, now),
        service=service_level(conn, now, since),
        service_half_hour=service_level(conn, now, half_hour(now)).all_counted,
        waits=percentiles(conn, and_(Wait.started_at >= since, Wait.ending == Ending.ANSWERED)),
        abandoned=abandoned,
        short_abandoned=short,
        callbacks_due=callbacks.due,
        callbacks_open=callbacks.open,
        oldest_callback_at=callbacks.oldest,
        operators=operators(conn, since, named=named),
    )


def longest(conn: Connection, now: datetime) -> LongestWait | None:
    """The unpaused wait whose third clock shows most; of several at zero (closed hours) the oldest."""
    query = select(Wait.__table__).where(running(), Wait.paused_at.is_(None)).order_by(Wait.started_at, Wait.id)
    # Without pauses the oldest start has waited longest; those with pauses are few and looked at one by one.
    candidates = [
        *conn.execute(query.where(Wait.paused_s == 0).limit(1)),
        *conn.execute(query.where(Wait.paused_s > 0).limit(100)),
    ]
    if not candidates:
        return None
    clocks = {row.id: ledger.clocks(conn, row, now) for row in candidates}
    row = max(candidates, key=lambda row: (clocks[row.id].net, clocks[row.id].wall))
    return LongestWait(
        wait_id=WaitId(row.id),
        conversation_id=ConversationId(row.conversation_id),
        channel=ChannelKind(row.channel),
        contact_name=conn.execute(
            select(Contact.name)
            .join(Conversation, Conversation.contact_id == Contact.id)
            .where(Conversation.id == row.conversation_id)
        ).scalar_one(),
        started_at=row.started_at,
        net_s=int(clocks[row.id].net.total_seconds()),
        ticks=calendar.current(conn, now).hours.is_open(now),
        warn_after_s=row.warn_after_s,
        target_s=row.target_s,
    )


def waiting(conn: Connection, now: datetime) -> list[ChannelWaiting]:
    """Everybody who waits now, per channel and state; every channel is named."""
    state = case(
        (Wait.paused_at.is_not(None), "agreed"),
        (past_target(now), "missed"),
        (past_warning(now), "warned"),
        else_="in_target",
    )
    found: dict[str, dict[str, int]] = {}
    for row in conn.execute(
        select(Wait.channel, state.label("state"), func.count().label("n"))
        .where(running())
        .group_by(Wait.channel, state)
    ):
        found.setdefault(row.channel, {})[row.state] = row.n
    return [
        ChannelWaiting(
            channel,
            **{name: found.get(channel, {}).get(name, 0) for name in ("in_target", "warned", "missed", "agreed")},
        )
        for channel in ChannelKind
    ]


def service_level(conn: Connection, now: datetime, since: datetime) -> ServiceLevel:
    """Of the waits that started since then, by each of the three definitions."""

    def number(*conditions: ColumnElement[bool]) -> Any:
        return func.coalesce(func.sum(case((and_(*conditions), 1), else_=0)), 0)

    in_time = Wait.net_s <= Wait.target_s
    row = conn.execute(
        select(
            number(condition(Figure.COUNTED, now=now, since=since)).label("counted"),
            number(Wait.ending == Ending.ANSWERED).label("answered"),
            number(Wait.ending == Ending.ANSWERED, in_time).label("answered_in_time"),
            number(Wait.ending == Ending.ABANDONED).label("abandoned"),
            number(Wait.ending == Ending.ABANDONED, in_time).label("abandoned_in_time"),
        ).where(or_(Wait.started_at >= since))
    ).one()
    return ServiceLevel(
        Share(row.answered_in_time, row.counted),
        Share(row.answered_in_time, row.answered),
        Share(row.answered_in_time + row.abandoned_in_time, row.answered + row.abandoned),
    )


def percentiles(conn: Connection, which: ColumnElement[bool]) -> Percentiles:
    """Nearest rank over the net seconds of ended waits."""
    return percentiles_of(
        conn.execute(select(Wait.net_s).where(which, Wait.net_s.is_not(None)).order_by(Wait.net_s)).scalars().all()
    )


def percentiles_of(ascending: Sequence[int | None]) -> Percentiles:
    n = len(ascending)
    if not n:
        return Percentiles(0, None, None, None)
    median, p90, p95 = (ascending[nearest_rank(n, percent)] for percent in (50, 90, 95))
    return Percentiles(n, median, p90, p95)


def nearest_rank(n: int, percent: float) -> int:
    """Index, in sorted order, of a percentile of `n` values."""
    return max(0, math.ceil(n * percent / 100) - 1)


def operators(conn: Connection, since: datetime, *, named: bool = True) -> list[OperatorNow]:
    """Everybody with an account, those at work first. Not ranked by anything they did."""
    people = conn.execute(
        select(Operator.id, Operator.name, Operator.presence, Operator.presence_since).where(
            Operator.disabled_at.is_(None)
        )
    ).all()
    open_now: dict[int, list[str]] = {}
    for row in conn.execute(
        select(Conversation.owner_id, Conversation.channel).where(
            Conversation.owner_id.in_([person.id for person in people]),
            Conversation.status == Status.OPEN,
            Conversation.spam.is_(False),
        )
    ):
        open_now.setdefault(row.owner_id, []).append(row.channel)
    answered = {
        row.ended_by: row.n
        for row in conn.execute(
            select(Wait.ended_by, func.count().label("n"))
            .where(Wait.ended_at >= since, Wait.ending == Ending.ANSWERED, Wait.ended_by.is_not(None))
            .group_by(Wait.ended_by)
        )
    }
    order = {presence: place for place, presence in enumerate(Presence)}
    found = [
        OperatorNow(
            id=OperatorId(row.id),
            name=row.name,
            presence=Presence(row.presence),
            presence_since=row.presence_since,
            load=len(open_now.get(row.id, ())),
            capacity=CAPACITY,
            channels=[channel for channel in ChannelKind if channel in open_now.get(row.id, ())],
            answered_today=answered.get(row.id, 0) if named else None,
        )
        for row in people
    ]
    return sorted(found, key=lambda operator: (order[operator.presence], operator.name, operator.id))


def _abandoned(conn: Connection, now: datetime, since: datetime) -> int:
    return _number(conn, condition(Figure.ABANDONED, now=now, since=since))


def _short(conn: Connection, now: datetime, since: datetime) -> int:
    return _number(conn, condition(Figure.SHORT_ABANDONED, now=now, since=since))


def _number(conn: Connection, which: ColumnElement[bool]) -> int:
    return conn.execute(select(func.count()).select_from(Wait).where(which)).scalar_one()


@dataclass(frozen=True, slots=True)
class _Callbacks:
    due: int
    open: int
    oldest: datetime | None


def _callbacks(conn: Connection, now: datetime) -> _Callbacks:
    """Open callbacks, those whose time has come, and since when the oldest of these has been due."""
    due = and_(Callback.state.in_(OPEN_CALLBACK_STATES), Callback.due_at <= now)
    row = conn.execute(
        select(func.count().label("n"), func.min(Callback.due_at).label("oldest")).select_from(Callback).where(due)
    ).one()
    everything = conn.execute(
        select(func.count()).select_from(Callback).where(Callback.state.in_(OPEN_CALLBACK_STATES))
    ).scalar_one()
    return _Callbacks(row.n, everything, row.oldest)
