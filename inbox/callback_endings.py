"""Callbacks that end from elsewhere: the conversation was closed or merged, or the customer rang and got through."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from inbox.callback_rows import end_attempt
from inbox.events import CallbackChanged
from inbox.store.models import Callback
from inbox.store.transaction import Transaction
from inbox.vocabulary import OPEN_CALLBACK_STATES, CallbackId, CallbackState, ConversationId, OperatorId


def conversation_ended(tx: Transaction, conversation_id: ConversationId, *, now: datetime) -> None:
    """The conversation is closed: what it still owed by telephone is owed no more."""
    for callback in tx.conn.execute(
        select(Callback.__table__).where(
            Callback.conversation_id == conversation_id, Callback.state.in_(OPEN_CALLBACK_STATES)
        )
    ).all():
        tx.conn.execute(
            update(Callback)
            .where(Callback.id == callback.id)
            .values(state=CallbackState.CANCELLED, settled_at=now, owner_id=None, claimed_until=None)
        )
        end_attempt(tx, CallbackId(callback.id), None, "", now)
        tx.record(CallbackChanged(conversation_id, CallbackId(callback.id)))


def moved(tx: Transaction, source: ConversationId, target: ConversationId) -> None:
    """The conversations were merged: calls owed in `source` are owed in `target`."""
    tx.conn.execute(update(Callback).where(Callback.conversation_id == source).values(conversation_id=target))


def talked(
    tx: Transaction,
    conversation: Row[Any],
    *,
    number: str | None,
    by: OperatorId | None,
    now: datetime,
    correction: bool = False,
) -> None:
    """The customer got through: nothing is owed by telephone but the summary. Settles every open callback here.

    `correction`: late news of a call that has been taken for a missed one; whoever rang back owes the summary already.
    """
    here = Callback.conversation_id == conversation.id
    if number is not None:
        here = or_(here, Callback.number == number)
    open_ones = tx.conn.execute(
        select(Callback.id, Callback.conversation_id)
        .where(here, Callback.state.in_(OPEN_CALLBACK_STATES))
        .order_by(Callback.id)
    ).all()
    for index, row in enumerate(open_ones):
        first = index == 0
        tx.conn.execute(
            update(Callback)
            .where(Callback.id == row.id)
            .values(
                state=CallbackState.WRAP_UP if first else CallbackState.DONE,
                settled_at=None if first else now,
                owner_id=by,
                claimed_until=None,
            )
        )
        end_attempt(tx, CallbackId(row.id), None, "", now)
        tx.record(CallbackChanged(ConversationId(row.conversation_id), CallbackId(row.id)))
    if open_ones:
        return
    if correction:
        settled = select(Callback.id).where(
            Callback.conversation_id == conversation.id,
            Callback.state.in_((CallbackState.WRAP_UP, CallbackState.DONE)),
        )
        if tx.conn.execute(settled.limit(1)).first() is not None:
            return
    callback_id = CallbackId(
        tx.conn.execute(
            insert(Callback)
            .values(
                conversation_id=conversation.id,
                contact_id=conversation.contact_id,
                number=number,
                state=CallbackState.WRAP_UP,
                owner_id=by,
                due_at=now,
                missed_calls=0,
                attempts=0,
                created_at=now,
                summary={},
            )
            .returning(Callback.id)
        ).scalar_one()
    )
    tx.record(CallbackChanged(ConversationId(conversation.id), callback_id))
