"""The read side of the queue: one list over all channels, most urgent first, paged by key along an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from inbox.queue_key import NOT_WAITING, microseconds
from inbox.store.models import Callback, Contact, Conversation, Operator, Tag
from inbox.vocabulary import OPEN_CALLBACK_STATES, ChannelKind, ConversationId, OperatorId, Status

FIRST_WINDOW = 100
PIECE = 500


class View(StrEnum):
    WAITING = "waiting"  # everybody who waits
    MINE = "mine"
    UNASSIGNED = "unassigned"
    ALL = "all"  # everything open
    PENDING = "pending"
    SNOOZED = "snoozed"
    CALLBACKS = "callbacks"
    SPAM = "spam"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class QueueRow:
    """What a row of the queue shows. Times are absolute: the browser counts."""

    id: ConversationId
    queue_key: int
    contact_name: str
    tier: str | None
    subject: str
    snippet: str
    channel: ChannelKind
    status: Status
    owner_id: OperatorId | None
    owner_name: str
    priority: int
    unread: int
    waiting_since: datetime | None
    warn_at: datetime | None
    due_at: datetime | None
    paused: bool  # waits, but agreed to: no clock runs
    snoozed_until: datetime | None
    active_at: datetime
    last_number: int
    version: int
    callback: str | None  # state of the open callback
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[QueueRow]
    next_after: tuple[int, int] | None  # (queue_key, id) of the last row when there is more


@dataclass(frozen=True, slots=True)
class Counts:
    """Of everybody who waits, by state, and of the views."""

    in_target: int
    warned: int
    missed: int
    mine: int
    unassigned: int
    callbacks: int

    @property
    def waiting(self) -> int:
        return self.in_target + self.warned + self.missed


_WAITS = and_(Conversation.status == Status.OPEN, Conversation.queue_key < NOT_WAITING, Conversation.spam.is_(False))


def page(
    conn: Connection,
    view: View,
    viewer: OperatorId,
    *,
    after: tuple[int, int] | None = None,
    limit: int = FIRST_WINDOW,
    channel: ChannelKind | None = None,
) -> Page:
    """One page of a view. `after` is the key of the last row already shown."""
    query = _rows().where(_condition(view, viewer))
    if channel is not None:
        query = query.where(Conversation.channel == channel)
    if after is not None:
        key, last_id = after
        query = query.where(
            Conversation.queue_key >= key,  # lets the index seek; the next line decides
            or_(Conversation.queue_key > key, Conversation.id > last_id),
        )
    rows = conn.execute(query.order_by(Conversation.queue_key, Conversation.id).limit(min(limit, PIECE) + 1)).all()
    more = len(rows) > min(limit, PIECE)
    rows = rows[: min(limit, PIECE)]
    found = _with_details(conn, rows)
    return Page(found, (rows[-1].queue_key, rows[-1].id) if more else None)


def row(conn: Connection, conversation_id: ConversationId) -> QueueRow | None:
    found = rows_of(conn, [conversation_id])
    return found[0] if found else None


def rows_of(conn: Connection, conversation_ids: Sequence[ConversationId]) -> list[QueueRow]:
    """Rows of several conversations, in queue order."""
    if not conversation_ids:
        return []
    rows = conn.execute(
        _rows().where(Conversation.id.in_(conversation_ids)).order_by(Conversation.queue_key, Conversation.id)
    ).all()
    return _with_details(conn, rows)


def counts(conn: Connection, viewer: OperatorId, *, now: datetime) -> Counts:
    missed = conn.execute(select(func.count()).where(_WAITS, Conversation.queue_key <= microseconds(now))).scalar_one()
    warned = conn.execute(
        select(func.count()).where(_WAITS, Conversation.queue_key > microseconds(now), Conversation.warn_at <= now)
    ).scalar_one()
    waiting = conn.execute(select(func.count()).where(_WAITS)).scalar_one()
    mine, unassigned = (
        conn.execute(select(func.count()).select_from(Conversation).where(_condition(view, viewer))).scalar_one()
        for view in (View.MINE, View.UNASSIGNED)
    )
    callbacks = conn.execute(
        select(func.count()).select_from(Callback).where(Callback.state.in_(OPEN_CALLBACK_STATES))
    ).scalar_one()
    return Counts(waiting - warned - missed, warned, missed, mine, unassigned, callbacks)


def places(conn: Connection, channel: ChannelKind | None = None, limit: int = 5_000) -> dict[ConversationId, int]:
    """Everybody's place in the queue: 1 is next. Over all channels, since all are served from one list."""
    ids = conn.execute(
        select(Conversation.id, Conversation.channel)
        .where(_WAITS)
        .order_by(Conversation.queue_key, Conversation.id)
        .limit(limit)
    ).all()
    return {
        ConversationId(row.id): place for place, row in enumerate(ids, 1) if channel is None or row.channel == channel
    }


def _condition(view: View, viewer: OperatorId) -> ColumnElement[bool]:
    alive = Conversation.spam.is_(False)
    match view:
        case View.WAITING:
            return _WAITS
        case View.MINE:
            return and_(Conversation.owner_id == viewer, Conversation.status == Status.OPEN, alive)
        case View.UNASSIGNED:
            return and_(Conversation.owner_id.is_(None), Conversation.status == Status.OPEN, alive)
        case View.ALL:
            return and_(Conversation.status == Status.OPEN, alive)
        case View.PENDING:
            return and_(Conversation.status == Status.PENDING, alive)
        case View.SNOOZED:
            return and_(Conversation.status == Status.SNOOZED, alive)
        case View.CALLBACKS:
            return Conversation.id.in_(select(Callback.conversation_id).where(Callback.state.in_(OPEN_CALLBACK_STATES)))
        case View.SPAM:
            return and_(Conversation.spam.is_(True), Conversation.status == Status.CLOSED)
        case View.CLOSED:
            return and_(Conversation.status == Status.CLOSED, alive)


def _rows() -> Any:
    c = Conversation
    return (
        select(
            c.id,
            c.queue_key,
            c.subject,
            c.snippet,
            c.channel,
            c.status,
            c.owner_id,
            c.priority,
            c.unread,
            c.waiting_since,
            c.warn_at,
            c.due_at,
            c.wait_id,
            c.snoozed_until,
            c.active_at,
            c.last_number,
            c.version,
            Contact.name.label("contact_name"),
            Contact.tier,
            Operator.name.label("owner_name"),
        )
        .join(Contact, Contact.id == c.contact_id)
        .outerjoin(Operator, Operator.id == c.owner_id)
    )


def _with_details(conn: Connection, rows: Sequence[Row[Any]]) -> list[QueueRow]:
    ids = [row.id for row in rows]
    tags: dict[int, list[str]] = {}
    callbacks: dict[int, str] = {}
    if ids:
        for tag in conn.execute(
            select(Tag.conversation_id, Tag.name).where(Tag.conversation_id.in_(ids)).order_by(Tag.name)
        ):
            tags.setdefault(tag.conversation_id, []).append(tag.name)
        for found in conn.execute(
            select(Callback.conversation_id, Callback.state).where(
                Callback.conversation_id.in_(ids), Callback.state.in_(OPEN_CALLBACK_STATES)
            )
        ):
            callbacks[found.conversation_id] = found.state
    return [
        QueueRow(
            id=ConversationId(r.id),
            queue_key=r.queue_key,
            contact_name=r.contact_name,
            tier=r.tier,
            subject=r.subject,
            snippet=r.snippet,
            channel=ChannelKind(r.channel),
            status=Status(r.status),
            owner_id=r.owner_id,
            owner_name=r.owner_name or "",
            priority=r.priority,
            unread=r.unread,
            waiting_since=r.waiting_since,
            warn_at=r.warn_at,
            due_at=r.due_at,
            paused=r.wait_id is not None and r.due_at is None,
            snoozed_until=r.snoozed_until,
            active_at=r.active_at,
            last_number=r.last_number,
            version=r.version,
            callback=callbacks.get(r.id),
            tags=tags.get(r.id, ()),
        )
        for r in rows
    ]
