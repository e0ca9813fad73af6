"""What happens to callbacks by itself: claims run out, retries and agreed times come due. See inbox/timers.py."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from inbox.callback_rows import HELD, bump, end_attempt, given_back, held, is_here, place_of, say_about
from inbox.callbacks import DIAL_LASTS
from inbox.people import handling
from inbox.queue_key import microseconds
from inbox.store.models import Callback, Conversation
from inbox.store.transaction import Transaction
from inbox.vocabulary import CallbackId, CallbackState, ConversationId, OperatorId

_COMES_DUE = (CallbackState.RETRY_WAIT, CallbackState.SCHEDULED)
_MAY_MISS_SLOT = (CallbackState.DUE, CallbackState.RETRY_WAIT)


def next_due(conn: Connection) -> datetime | None:
    moments = [
        conn.execute(select(func.min(column)).where(Callback.state.in_(states), column.is_not(None))).scalar()
        for column, states in (
            (Callback.claimed_until, HELD),
            (Callback.due_at, _COMES_DUE),
            (Callback.slot_to, _MAY_MISS_SLOT),
        )
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def fire_due(tx: Transaction, *, now: datetime, limit: int = 100) -> int:
    """Move on what is due by `now`: each exactly once, also with several processes."""
    ids = tx.conn.execute(select(Callback.id).where(_is_due(now)).order_by(Callback.id).limit(limit)).scalars().all()
    return sum(_fire(tx, CallbackId(callback_id), now) for callback_id in ids)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(
        and_(Callback.state.in_(HELD), Callback.claimed_until <= now),
        and_(Callback.state.in_(_COMES_DUE), Callback.due_at <= now),
        and_(Callback.state.in_(_MAY_MISS_SLOT), Callback.slot_to <= now),
    )


def _fire(tx: Transaction, callback_id: CallbackId, now: datetime) -> int:
    conversation, callback = held(tx, callback_id)
    state = CallbackState(callback.state)
    if state in HELD and callback.claimed_until is not None and callback.claimed_until <= now:
        _set(tx, callback_id, owner_id=None, claimed_until=None, **place_of(callback, now))
        if state is CallbackState.DIALLING and callback.owner_id is not None:
            # Nobody said how it went: the operator has turned to something else long ago.
            tried_at = callback.claimed_until - DIAL_LASTS
            handling.left(
                tx, OperatorId(callback.owner_id), ConversationId(conversation.id), at=tried_at + handling.IDLE_AFTER
            )
        end_attempt(tx, callback_id, None, "", now)
        say_about(tx, conversation, callback, "callback_lapsed", by=None, now=now, **given_back(conversation, callback))
        return 1
    if state in _COMES_DUE and callback.due_at <= now:
        _set(tx, callback_id, state=CallbackState.DUE)
        if state is CallbackState.SCHEDULED and conversation.wait_id is not None:
            # It comes up in the queue a little before its time; the clock stands until then.
            tx.conn.execute(
                update(Conversation)
                .where(Conversation.id == conversation.id, Conversation.due_at.is_(None))
                .values(queue_key=microseconds(callback.slot_from or now))
            )
        owner = conversation.owner_id
        if owner is not None and conversation.wait_id is not None and not is_here(tx, owner):
            say_about(tx, conversation, callback, "released", by=None, now=now, owner_id=None)
        else:
            bump(tx, conversation, callback)
        return 1
    if state in _MAY_MISS_SLOT and callback.slot_to is not None and callback.slot_to <= now:
        _set(tx, callback_id, slot_from=None, slot_to=None)
        data = {"slot_from": callback.slot_from.isoformat(), "slot_to": callback.slot_to.isoformat()}
        say_about(tx, conversation, callback, "callback_slot_missed", by=None, now=now, data=data)
        return 1
    return 0


def _set(tx: Transaction, callback_id: CallbackId, **values: object) -> None:
    tx.conn.execute(update(Callback).where(Callback.id == callback_id).values(**values))
