"""What reports count: for each kind of fact the columns they need, as whole numbers.

-1 stands for "none". Times are microseconds since 1970, as the store keeps them. A fact belongs to the day in UTC of
its moment; running waits are facts of this instant and never packed. A column may hold only what the row itself says or
what never changes, so that the triggers on the table see every change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, func, literal, or_, select, type_coerce
from sqlalchemy.orm import aliased

from inbox.call_facts import ANSWERED, MISSED, Direction
from inbox.queue_key import moment
from inbox.reports.outcome import ENDINGS, outcomes, told
from inbox.reports.period import SECOND, Ints
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
from inbox.vocabulary import OPEN_CALLBACK_STATES, AttemptOutcome, CallbackState, ChannelKind

NONE = -1

CHANNELS: Sequence[ChannelKind] = (ChannelKind.CHAT, ChannelKind.EMAIL, ChannelKind.PHONE)
"""Stored as their place in this line, which never changes."""


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
    """`raw` names the columns of `statement`; `derive` makes of them what is kept, in these names and widths.

    `layout` rises when any of it changes: older packs then count no more.
    """

    layout: int
    raw: Sequence[str]
    columns: Mapping[str, str]
    derive: Callable[[Mapping[str, Ints]], Mapping[str, Any]]
    statement: Any
    moment: ColumnElement[datetime]


Facts = Mapping[str, Ints]
"""Arrays of one length, by column."""


def _micros(column: Any) -> ColumnElement[int]:
    return func.coalesce(type_coerce(column, BigInteger), NONE)


def _or_none(column: Any) -> ColumnElement[int]:
    return func.coalesce(column, NONE)


def place(column: Any, line: Sequence[str]) -> ColumnElement[int]:
    return case({value: place for place, value in enumerate(line)}, value=column, else_=NONE)


_EARLIER = aliased(Resolution)
_CAME_BY = Touchpoint.__table__
"""A conversation's channel may change; the one by which it came does not."""

_IDS = {"conversation": "<i4", "contact": "<i4", "operator": "<i4", "team": "<i4", "touchpoint": "<i4"}


def _columns(*names: str, **widths: str) -> Mapping[str, str]:
    """The moment, ids, and what else there is."""
    return {"at": "<i8", **{name: _IDS[name] for name in names}, **widths}


def _wait(raw: Mapping[str, Ints]) -> Mapping[str, Any]:
    return {**raw, "what": outcomes(raw), "told": told(raw)}


def _resolution(raw: Mapping[str, Ints]) -> Mapping[str, Any]:
    reopened = np.where(raw["reopened"] == NONE, NONE, (raw["reopened"] - raw["at"]) // SECOND)
    return {
        **raw,
        "reopened": reopened,
        "took": np.maximum(raw["at"] - raw["began"], 0) // SECOND,
        "earlier": np.minimum(raw["earlier"], 1),
    }


def _session(raw: Mapping[str, Ints]) -> Mapping[str, Any]:
    return {**raw, "lasted": np.clip((raw["ended"] - raw["at"]) // 1000, 0, 2**31 - 1)}


def _callback(raw: Mapping[str, Ints]) -> Mapping[str, Any]:
    return {
        **raw,
        **{
            name: np.where(raw[name] == NONE, NONE, np.maximum(raw[name] - raw["at"], 0) // SECOND)
            for name in ("first_try", "reached")
        },
    }


def _as_it_is(raw: Mapping[str, Ints]) -> Mapping[str, Any]:
    return raw


_SHAPES: Mapping[Kind, Shape] = {
    Kind.WAITS: Shape(
        1,
        (
            "at",
            "conversation",
            "contact",
            "operator",
            "team",
            "touchpoint",
            "net",
            "wall",
            "target",
            "told_low",
            "told_high",
            "channel",
            "ending",
            "first",
            "late",
        ),
        _columns(
            "conversation", "contact", "operator", "team", "touchpoint", net="<i4", channel="i1", what="i1", told="i1"
        ),
        _wait,
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
            place(Wait.channel, CHANNELS),
            place(Wait.ending, ENDINGS),
            case((Wait.first, 1), else_=0),
            literal(0),
        )
        .join(Conversation, Conversation.id == Wait.conversation_id)
        .where(Wait.ended_at.is_not(None)),
        Wait.__table__.c.started_at,
    ),
    Kind.RESOLUTIONS: Shape(
        1,
        ("at", "conversation", "contact", "reopened", "began", "operator", "touchpoint", "earlier", "channel"),
        _columns(
            "conversation", "contact", "operator", "touchpoint", took="<i4", reopened="<i4", earlier="i1", channel="i1"
        ),
        _resolution,
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
            place(_CAME_BY.c.channel, CHANNELS),
        )
        .join(Conversation, Conversation.id == Resolution.conversation_id)
        .outerjoin(_CAME_BY, _CAME_BY.c.id == Conversation.touchpoint_id),
        Resolution.__table__.c.resolved_at,
    ),
    Kind.HANDLING: Shape(
        1,
        ("at", "ended", "conversation", "operator", "touchpoint", "channel"),
        _columns("conversation", "operator", "touchpoint", lasted="<i4", channel="i1"),
        _session,
        select(
            _micros(HandlingSpan.began_at),
            _micros(HandlingSpan.ended_at),
            HandlingSpan.conversation_id,
            HandlingSpan.operator_id,
            _or_none(Conversation.touchpoint_id),
            place(HandlingSpan.channel, CHANNELS),
        )
        .join(Conversation, Conversation.id == HandlingSpan.conversation_id)
        .where(HandlingSpan.ended_at.is_not(None)),
        HandlingSpan.__table__.c.began_at,
    ),
    Kind.RATINGS: Shape(
        1,
        ("at", "conversation", "operator", "touchpoint", "score", "channel"),
        _columns("conversation", "operator", "touchpoint", score="i1", channel="i1"),
        _as_it_is,
        select(
            _micros(Rating.at),
            Rating.conversation_id,
            _or_none(Rating.operator_id),
            _or_none(Conversation.touchpoint_id),
            Rating.score,
            place(_CAME_BY.c.channel, CHANNELS),
        )
        .join(Conversation, Conversation.id == Rating.conversation_id)
        .outerjoin(_CAME_BY, _CAME_BY.c.id == Conversation.touchpoint_id),
        Rating.__table__.c.at,
    ),
    Kind.CALLS: Shape(
        1,
        ("at", "conversation", "contact", "touchpoint", "missed"),
        _columns("conversation", "contact", "touchpoint", missed="i1"),
        _as_it_is,
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
        ("at", "conversation", "first_try", "reached", "operator", "touchpoint", "tries", "end"),
        _columns("conversation", "operator", "touchpoint", first_try="<i4", reached="<i4", tries="<i4", end="i1"),
        _callback,
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
            select(func.count())
            .select_from(CallbackAttempt)
            .where(CallbackAttempt.callback_id == Callback.id)
            .scalar_subquery(),
            case(
                (Callback.state.in_(OPEN_CALLBACK_STATES), int(CallbackEnd.OPEN)),
                (Callback.state.in_((CallbackState.WRAP_UP, CallbackState.DONE)), int(CallbackEnd.REACHED)),
                (Callback.state == CallbackState.CLOSED_UNREACHED, int(CallbackEnd.UNREACHED)),
                else_=int(CallbackEnd.CANCELLED),
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


def running_waits(conn: Connection, now: datetime, since_us: int, until_us: int) -> Facts:
    """Waits that have not ended. A clock that stands is past nothing."""
    form = _SHAPES[Kind.WAITS]
    late = and_(Wait.paused_at.is_(None), or_(Wait.missed_at.is_not(None), Wait.due_at <= now))
    return _arrays(
        form,
        conn.execute(
            select(*list(form.statement.selected_columns)[:-1], case((late, 1), else_=0))
            .join(Conversation, Conversation.id == Wait.conversation_id)
            .where(Wait.ended_at.is_(None), Wait.started_at >= moment(since_us), Wait.started_at < moment(until_us))
        ).all(),
    )


def _arrays(form: Shape, rows: Sequence[Any]) -> dict[str, Ints]:
    if not rows:
        return _nothing(form)
    kept = form.derive(
        {name: np.array(values, dtype=np.int64) for name, values in zip(form.raw, zip(*rows, strict=True), strict=True)}
    )
    return {name: _narrowed(kept[name], width) for name, width in form.columns.items()}


def _narrowed(values: Any, width: str) -> Ints:
    form = np.dtype(width)
    if len(values) and values.dtype != form and values.max() > np.iinfo(form).max:
        raise OverflowError("a number does not fit into a pack")
    found: Ints = values.astype(form)
    return found


def _nothing(form: Shape) -> dict[str, Ints]:
    return {name: np.zeros(0, dtype=width) for name, width in form.columns.items()}


def joined(pieces: Sequence[Facts], kind: Kind) -> Facts:
    pieces = [piece for piece in pieces if len(piece["at"])]
    if not pieces:
        return _nothing(_SHAPES[kind])
    if len(pieces) == 1:
        return pieces[0]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in _SHAPES[kind].columns}


def only(facts: Facts, which: NDArray[np.bool_]) -> Facts:
    if which.all():
        return facts
    return {name: values[which] for name, values in facts.items()}
