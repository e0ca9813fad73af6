"""Handling time: who worked on which conversation from when to when.

It begins when an operator takes a conversation, has one of theirs open on a screen, writes in one, or rings; it ends
when they leave it, hand it on, close it or go away. A screen that was forgotten counts IDLE_AFTER and no longer.
Of one operator and one conversation spans never overlap; of several conversations they do.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, or_, select, update

from inbox.store.models import Conversation, HandlingSpan, table
from inbox.store.prepared import Prepared
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, ConversationId, OperatorId

IDLE_AFTER = timedelta(minutes=10)
"""So long after the last sign of work somebody is thought to have left."""

_OPEN = Prepared(
    select(HandlingSpan.__table__).where(
        HandlingSpan.operator_id == bindparam("operator"),
        HandlingSpan.conversation_id == bindparam("conversation"),
        HandlingSpan.ended_at.is_(None),
    )
)
_ACTIVE = Prepared(
    update(table(HandlingSpan))
    .where(
        HandlingSpan.operator_id == bindparam("operator"),
        HandlingSpan.conversation_id == bindparam("conversation"),
        HandlingSpan.ended_at.is_(None),
        HandlingSpan.active_at < bindparam("new_active_at", type_=table(HandlingSpan).c.active_at.type),
        HandlingSpan.active_at > bindparam("not_idle_since", type_=table(HandlingSpan).c.active_at.type),
    )
    .values(active_at=bindparam("new_active_at", type_=table(HandlingSpan).c.active_at.type))
)


def begin(
    tx: Transaction,
    operator_id: OperatorId,
    conversation_id: ConversationId,
    channel: ChannelKind,
    *,
    at: datetime,
    busy_until: datetime | None = None,
) -> None:
    """The operator works on it now; a span that runs goes on. `busy_until`: no other sign is to be expected till then.

    The caller holds the conversation's row.
    """
    running = _OPEN.first(tx.conn, operator=operator_id, conversation=conversation_id)
    active_at = max(at, busy_until or at)
    if running is not None and _ends_by_itself(running) > at:
        channel = ChannelKind.PHONE if ChannelKind.PHONE in (channel, running.channel) else channel
        tx.conn.execute(
            update(HandlingSpan)
            .where(HandlingSpan.id == running.id)
            .values(active_at=max(active_at, running.active_at), channel=channel)
        )
        return
    if running is not None:
        _end(tx, running, at)
    tx.insert(
        HandlingSpan,
        operator_id=operator_id,
        conversation_id=conversation_id,
        channel=channel,
        began_at=at,
        active_at=active_at,
    )


def took(tx: Transaction, operator_id: OperatorId, conversation: Row[Any], *, at: datetime) -> None:
    """Who takes a conversation leaves the others for it. The caller holds the conversation's row."""
    conversation_id = ConversationId(conversation.id)
    _end_all(
        tx,
        at,
        HandlingSpan.operator_id == operator_id,
        HandlingSpan.conversation_id != conversation_id,
        HandlingSpan.active_at <= at,  # not who is on the telephone
    )
    begin(tx, operator_id, conversation_id, ChannelKind(conversation.channel), at=at)


def looks_at(
    tx: Transaction, operator_id: OperatorId, conversation_id: ConversationId, *, writes: bool = False, now: datetime
) -> None:
    """A screen of theirs shows it: that is work when it is theirs, or when they write in it."""
    conversation = tx.conn.execute(
        select(Conversation.channel, Conversation.owner_id)
        .where(Conversation.id == conversation_id)
        .with_for_update(key_share=True)
    ).first()
    if conversation is not None and (writes or conversation.owner_id == operator_id):
        begin(tx, operator_id, conversation_id, ChannelKind(conversation.channel), at=now)


def active(tx: Transaction, operator_id: OperatorId, conversation_id: ConversationId, *, at: datetime) -> None:
    """A sign of work, where a span runs."""
    _ACTIVE.run(
        tx.conn, operator=operator_id, conversation=conversation_id, new_active_at=at, not_idle_since=at - IDLE_AFTER
    )


def is_running(conn: Connection, operator_id: OperatorId, conversation_id: ConversationId) -> bool:
    return _OPEN.first(conn, operator=operator_id, conversation=conversation_id) is not None


def left(tx: Transaction, operator_id: OperatorId, conversation_id: ConversationId, *, at: datetime) -> None:
    """The operator has turned to something else."""
    _end_all(tx, at, HandlingSpan.operator_id == operator_id, HandlingSpan.conversation_id == conversation_id)


def left_everything(tx: Transaction, operator_id: OperatorId, *, at: datetime) -> None:
    """The operator is away."""
    _end_all(tx, at, HandlingSpan.operator_id == operator_id)


def settled(tx: Transaction, conversation_id: ConversationId, *, at: datetime) -> None:
    """Nobody works on what is closed or merged."""
    _end_all(tx, at, HandlingSpan.conversation_id == conversation_id)


def hung_up(tx: Transaction, operator_id: OperatorId, conversation_id: ConversationId, *, at: datetime) -> None:
    """The call they made is over; they write down what came of it, and may forget to."""
    tx.conn.execute(
        update(HandlingSpan)
        .where(
            HandlingSpan.operator_id == operator_id,
            HandlingSpan.conversation_id == conversation_id,
            HandlingSpan.ended_at.is_(None),
        )
        .values(active_at=at)
    )


def was_on_the_telephone(
    tx: Transaction,
    operator_id: OperatorId,
    conversation_id: ConversationId,
    since: datetime,
    until: datetime,
    *,
    wraps_up: bool,
) -> None:
    """The exchange says afterwards that they talked: one span over the call and whatever it overlaps with.

    `wraps_up`: and it goes on, until the summary is written or nothing is done any more.
    """
    overlapping = tx.conn.execute(
        select(HandlingSpan.__table__).where(
            HandlingSpan.operator_id == operator_id,
            HandlingSpan.conversation_id == conversation_id,
            HandlingSpan.began_at <= until,
            or_(HandlingSpan.ended_at.is_(None), HandlingSpan.ended_at >= since),
        )
    ).all()
    goes_on = wraps_up or any(span.ended_at is None for span in overlapping)
    tx.conn.execute(delete(HandlingSpan).where(HandlingSpan.id.in_([span.id for span in overlapping])))
    tx.insert(
        HandlingSpan,
        operator_id=operator_id,
        conversation_id=conversation_id,
        channel=ChannelKind.PHONE,
        began_at=min([since, *(span.began_at for span in overlapping)]),
        active_at=max([until, *(span.active_at for span in overlapping)]),
        ended_at=None if goes_on else max([until, *(span.ended_at for span in overlapping)]),
    )


def next_idle(conn: Connection) -> datetime | None:
    soonest = conn.execute(select(func.min(HandlingSpan.active_at)).where(HandlingSpan.ended_at.is_(None))).scalar()
    return None if soonest is None else soonest + IDLE_AFTER


def end_idle(tx: Transaction, *, now: datetime, limit: int = 200) -> int:
    """End what shows no sign of work any more, dated at the moment it was thought left."""
    spans = tx.conn.execute(
        select(HandlingSpan.__table__)
        .where(HandlingSpan.ended_at.is_(None), HandlingSpan.active_at <= now - IDLE_AFTER)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for span in spans:
        _end(tx, span, now)
    return len(spans)


def _end_all(tx: Transaction, at: datetime, *which: ColumnElement[bool]) -> None:
    for span in tx.conn.execute(select(HandlingSpan.__table__).where(HandlingSpan.ended_at.is_(None), *which)).all():
        _end(tx, span, at)


def _end(tx: Transaction, span: Any, at: datetime) -> None:
    ended_at = max(span.began_at, min(at, _ends_by_itself(span)))
    tx.conn.execute(
        update(HandlingSpan)
        .where(HandlingSpan.id == span.id, HandlingSpan.ended_at.is_(None))
        .values(ended_at=ended_at)
    )


def _ends_by_itself(span: Any) -> datetime:
    ends: datetime = span.active_at + IDLE_AFTER
    return ends
