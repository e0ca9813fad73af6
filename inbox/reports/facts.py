"""What reports count: for each kind of fact the columns they need, as whole numbers.

-1 stands for "none". Times are microseconds since 1970, as the store keeps them. A fact belongs to the day in UTC of
its moment; running waits are facts of this instant and never packed. A column may hold only what the row itself says or
what never changes, so that the triggers on the table see every change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, func, or_, select, type_coerce
from sqlalchemy.orm import aliased

from inbox.call_facts import ANSWERED, MISSED, Direction
from inbox.queue_key import moment
from inbox.reports.period import Ints
from inbox.store.models import (
    Call,
    Callback,
    CallbackAttempt,
    Conversation,
    HandlingSpan,
    Rating,
    Resolution,
    Touchpoint,
    Wait,
)
from inbox.vocabulary import OPEN_CALLBACK_STATES, AttemptOutcome, CallbackState, ChannelKind, Ending

NONE = -1

CHANNELS: Sequence[ChannelKind] = (ChannelKind.CHAT, ChannelKind.EMAIL, ChannelKind.PHONE)
"""Stored as their place in this line, which never changes."""
ENDINGS: Sequence[Ending] = (
    Ending.ANSWERED, Ending.NO_ANSWER_NEEDED, Ending.CLOSED, Ending.MERGED, Ending.SPAM, Ending.ABANDONED,
    Ending.UNREACHED,
)  # fmt: skip


class Kind(StrEnum):
    WAITS = "waits"
    RESOLUTIONS = "resolutions"
    HANDLING = "handling"
    RATINGS = "ratings"
    CALLS = "calls"
    CALLBACKS = "callbacks"


class CallbackEnd(IntEnum):
    OPEN = 0
    REACHED = 1
    UNREACHED = 2
    CANCELLED = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """Column names and the width in which they are packed; the first one is the fact's moment."""

    layout: int
    columns: Mapping[str, str]
    statement: Any
    moment: ColumnElement[datetime]


Facts = Mapping[str, Ints]
"""Arrays of one length, by column."""


def _micros(column: Any) -> ColumnElement[int]:
    return func.coalesce(type_coerce(column, BigInteger), NONE)


def _or_none(column: Any) -> ColumnElement[int]:
    return func.coalesce(column, NONE)


def _place(column: Any, line: Sequence[str]) -> ColumnElement[int]:
    return case({value: place for place, value in enumerate(line)}, value=column, else_=NONE)


_EARLIER = aliased(Resolution)
_CAME_BY = Touchpoint.__table__
"""A conversation's channel may change; the one by which it came does not."""

_SHAPES: Mapping[Kind, Shape] = {
    Kind.WAITS: Shape(
        1,
        {
            "at": "<i8",
            "conversation": "<i8",
            "contact": "<i8",
            "operator": "<i4",
            "team": "<i4",
            "touchpoint": "<i4",
            "net": "<i4",
            "wall": "<i4",
            "target": "<i4",
            "told_low": "<i4",
            "told_high": "<i4",
            "channel": "i1",
            "ending": "i1",
            "first": "i1",
        },
        select(
            _micros(Wait.started_at),
            Wait.conversation_id,
            Conversation.contact_id,
            _or_none(Wait.ended_by),
            _or_none(Wait.team_id),
            _or_none(Conversation.touchpoint_id),
            _or_none(Wait.net_s),
            _or_none(Wait.wall_s),
            Wait.target_s,
            _or_none(Wait.told_low_s),
            _or_none(Wait.told_high_s),
            _place(Wait.channel, CHANNELS),
            _place(Wait.ending, ENDINGS),
            case((Wait.first, 1), else_=0),
        )
        .join(Conversation, Conversation.id == Wait.conversation_id)
        .where(Wait.ended_at.is_not(None)),
        Wait.__table__.c.started_at,
    ),
    Kind.RESOLUTIONS: Shape(
        1,
        {
            "at": "<i8",
            "conversation": "<i8",
            "contact": "<i8",
            "reopened": "<i8",
            "began": "<i8",
            "operator": "<i4",
            "touchpoint": "<i4",
            "earlier": "<i4",
            "channel": "i1",
        },
        select(
            _micros(Resolution.resolved_at),
            Resolution.conversation_id,
            Conversation.contact_id,
            _micros(Resolution.reopened_at),
            _micros(Conversation.created_at),
            _or_none(Resolution.operator_id),
            _or_none(Conversation.touchpoint_id),
            select(func.count())
            .select_from(_EARLIER)
            .where(_EARLIER.conversation_id == Resolution.conversation_id, _EARLIER.id < Resolution.id)
            .scalar_subquery(),
            _place(_CAME_BY.c.channel, CHANNELS),
        )
        .join(Conversation, Conversation.id == Resolution.conversation_id)
        .outerjoin(_CAME_BY, _CAME_BY.c.id == Conversation.touchpoint_id),
        Resolution.__table__.c.resolved_at,
    ),
    Kind.HANDLING: Shape(
        1,
        {
            "at": "<i8",
            "ended": "<i8",
            "conversation": "<i8",
            "operator": "<i4",
            "touchpoint": "<i4",
            "channel": "i1",
        },
        select(
            _micros(HandlingSpan.began_at),
            _micros(HandlingSpan.ended_at),
            HandlingSpan.conversation_id,
            HandlingSpan.operator_id,
            _or_none(Conversation.touchpoint_id),
            _place(HandlingSpan.channel, CHANNELS),
        )
        .join(Conversation, Conversation.id == HandlingSpan.conversation_id)
        .where(HandlingSpan.ended_at.is_not(None)),
        HandlingSpan.__table__.c.began_at,
    ),
    Kind.RATINGS: Shape(
        1,
        {
            "at": "<i8",
            "conversation": "<i8",
            "operator": "<i4",
            "touchpoint": "<i4",
            "score": "i1",
            "channel": "i1",
        },
        select(
            _micros(Rating.at),
            Rating.conversation_id,
            _or_none(Rating.operator_id),
            _or_none(Conversation.touchpoint_id),
            Rating.score,
            _place(_CAME_BY.c.channel, CHANNELS),
        )
        .join(Conversation, Conversation.id == Rating.conversation_id)
        .outerjoin(_CAME_BY, _CAME_BY.c.id == Conversation.touchpoint_id),
        Rating.__table__.c.at,
    ),
    Kind.CALLS: Shape(
        1,
        {"at": "<i8", "conversation": "<i8", "contact": "<i8", "touchpoint": "<i4", "missed": "i1"},
        select(
            _micros(Call.started_at),
            _or_none(Call.conversation_id),
            _or_none(Conversation.contact_id),
            _or_none(Conversation.touchpoint_id),
            case((Call.rank < ANSWERED, 1), else_=0),
        )
        .outerjoin(Conversation, Conversation.id == Call.conversation_id)
        .where(Call.direction == Direction.INBOUND, Call.rank >= MISSED),
        Call.__table__.c.started_at,
    ),
    Kind.CALLBACKS: Shape(
        1,
        {
            "at": "<i8",
            "conversation": "<i8",
            "first_try": "<i8",
            "reached": "<i8",
            "operator": "<i4",
            "touchpoint": "<i4",
            "missed_calls": "<i4",
            "tries": "<i4",
            "end": "i1",
        },
        select(
            _micros(Callback.created_at),
            Callback.conversation_id,
            func.coalesce(
                select(type_coerce(func.min(CallbackAttempt.started_at), BigInteger))
                .where(CallbackAttempt.callback_id == Callback.id)
                .scalar_subquery(),
                NONE,
            ),
            func.coalesce(
                select(type_coerce(func.min(CallbackAttempt.started_at), BigInteger))
                .where(CallbackAttempt.callback_id == Callback.id, CallbackAttempt.outcome == AttemptOutcome.REACHED)
                .scalar_subquery(),
                NONE,
            ),
            _or_none(Callback.owner_id),
            _or_none(Conversation.touchpoint_id),
            Callback.missed_calls,
            select(func.count())
            .select_from(CallbackAttempt)
            .where(CallbackAttempt.callback_id == Callback.id)
            .scalar_subquery(),
            case(
                (Callback.state.in_(OPEN_CALLBACK_STATES), CallbackEnd.OPEN),
                (Callback.state.in_((CallbackState.WRAP_UP, CallbackState.DONE)), CallbackEnd.REACHED),
                (Callback.state == CallbackState.CLOSED_UNREACHED, CallbackEnd.UNREACHED),
                else_=CallbackEnd.CANCELLED,
            ),
        ).join(Conversation, Conversation.id == Callback.conversation_id),
        Callback.__table__.c.created_at,
    ),
}


def shape(kind: Kind) -> Shape:
    return _SHAPES[kind]


def read(conn: Connection, kind: Kind, since_us: int, until_us: int) -> Facts:
    """The facts of [since, until) from the tables themselves, in the order of their moments."""
    form = _SHAPES[kind]
    return _arrays(
        form,
        conn.execute(
            form.statement.where(form.moment >= moment(since_us), form.moment < moment(until_us)).order_by(form.moment)
        ).all(),
    )


def running_waits(conn: Connection, now: datetime, since_us: int, until_us: int) -> tuple[Facts, NDArray[np.bool_]]:
    """Waits that have not ended, and which of them are past their target (a clock that stands is past nothing)."""
    form = _SHAPES[Kind.WAITS]
    late = and_(Wait.paused_at.is_(None), or_(Wait.missed_at.is_not(None), Wait.due_at <= now))
    rows = conn.execute(
        select(*form.statement.selected_columns, case((late, 1), else_=0))
        .join(Conversation, Conversation.id == Wait.conversation_id)
        .where(Wait.ended_at.is_(None), Wait.started_at >= moment(since_us), Wait.started_at < moment(until_us))
    ).all()
    found = _arrays(form, [row[:-1] for row in rows])
    return found, np.array([row[-1] == 1 for row in rows], dtype=np.bool_)


def _arrays(form: Shape, rows: Sequence[Any]) -> dict[str, Ints]:
    if not rows:
        return {name: np.zeros(0, dtype=width) for name, width in form.columns.items()}
    return {
        name: np.array(values, dtype=np.int64).astype(width)
        for (name, width), values in zip(form.columns.items(), zip(*rows, strict=True), strict=True)
    }


def joined(pieces: Sequence[Facts], kind: Kind) -> Facts:
    if len(pieces) == 1:
        return pieces[0]
    columns = _SHAPES[kind].columns
    if not pieces:
        return {name: np.zeros(0, dtype=width) for name, width in columns.items()}
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in columns}


def only(facts: Facts, which: NDArray[np.bool_]) -> Facts:
    if which.all():
        return facts
    return {name: values[which] for name, values in facts.items()}
