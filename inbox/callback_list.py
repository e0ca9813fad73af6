"""The read side of callbacks: what is owed by telephone, and what has been tried."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from inbox.errors import NotFound
from inbox.people import telephone
from inbox.store.models import Callback, CallbackAttempt, Contact, Conversation, Operator
from inbox.vocabulary import (
    OPEN_CALLBACK_STATES,
    AttemptOutcome,
    CallbackId,
    CallbackState,
    ConversationId,
    OperatorId,
)


@dataclass(frozen=True, slots=True)
class CallbackLine:
    """`due_at` in the future while `due`: outside the customer's calling hours until then."""

    id: CallbackId
    conversation_id: ConversationId
    contact_name: str
    subject: str
    number: str | None  # E.164
    number_spoken: str
    state: CallbackState
    owner_id: OperatorId | None
    owner_name: str
    due_at: datetime
    claimed_until: datetime | None
    slot_from: datetime | None
    slot_to: datetime | None
    missed_calls: int
    attempts: int
    created_at: datetime
    waiting_since: datetime | None
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    number: int
    operator_name: str
    started_at: datetime
    ended_at: datetime | None
    outcome: AttemptOutcome | None
    note: str


def listing(
    conn: Connection, states: Collection[CallbackState] = OPEN_CALLBACK_STATES, *, limit: int = 200
) -> list[CallbackLine]:
    """Callbacks in the given states, the soonest due first."""
    rows = conn.execute(_lines().where(Callback.state.in_(states)).order_by(Callback.due_at, Callback.id).limit(limit))
    return [_line(row) for row in rows]


def get(conn: Connection, callback_id: CallbackId) -> CallbackLine:
    """Raises NotFound."""
    row = conn.execute(_lines().where(Callback.id == callback_id)).first()
    if row is None:
        raise NotFound("callback")
    return _line(row)


def of_conversation(conn: Connection, conversation_id: ConversationId) -> list[CallbackLine]:
    """Every callback of a conversation, newest first."""
    rows = conn.execute(
        _lines().where(Callback.conversation_id == conversation_id).order_by(Callback.id.desc()).limit(20)
    )
    return [_line(row) for row in rows]


def attempts(conn: Connection, callback_id: CallbackId) -> Sequence[Attempt]:
    rows = conn.execute(
        select(CallbackAttempt.__table__, Operator.name)
        .join(Operator, Operator.id == CallbackAttempt.operator_id)
        .where(CallbackAttempt.callback_id == callback_id)
        .order_by(CallbackAttempt.number)
    )
    return [
        Attempt(r.number, r.name, r.started_at, r.ended_at, AttemptOutcome(r.outcome) if r.outcome else None, r.note)
        for r in rows
    ]


def _lines() -> Any:
    return (
        select(
            Callback.__table__,
            Contact.name.label("contact_name"),
            Conversation.subject,
            Conversation.waiting_since,
            Operator.name.label("owner_name"),
        )
        .join(Conversation, Conversation.id == Callback.conversation_id)
        .join(Contact, Contact.id == Callback.contact_id)
        .outerjoin(Operator, Operator.id == Callback.owner_id)
    )


def _line(r: Any) -> CallbackLine:
    return CallbackLine(
        id=CallbackId(r.id),
        conversation_id=ConversationId(r.conversation_id),
        contact_name=r.contact_name,
        subject=r.subject,
        number=r.number,
        number_spoken=telephone.spoken(r.number) if r.number else "",
        state=CallbackState(r.state),
        owner_id=r.owner_id,
        owner_name=r.owner_name or "",
        due_at=r.due_at,
        claimed_until=r.claimed_until,
        slot_from=r.slot_from,
        slot_to=r.slot_to,
        missed_calls=r.missed_calls,
        attempts=r.attempts,
        created_at=r.created_at,
        waiting_since=r.waiting_since,
        summary=r.summary,
    )
