"""The rows of callbacks: held in one order (conversation, then callback), moved by one conditional update."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update

from inbox.errors import AlreadySettled, AlreadyTaken, InboxError, NotFound
from inbox.events import CallbackChanged, ConversationChanged
from inbox.people import contacts, handling, telephone
from inbox.people.contacts import AddressLine
from inbox.store.models import Address, Callback, CallbackAttempt, Contact, Conversation, Operator
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import (
    AddressKind,
    AttemptOutcome,
    CallbackId,
    CallbackState,
    ContactId,
    ConversationId,
    OperatorId,
    Presence,
)
from inbox.waits import calendar

HELD = (CallbackState.CLAIMED, CallbackState.DIALLING)
LEAD = timedelta(minutes=2)
"""How long before an agreed slot the callback comes to the top."""


def held(tx: Transaction, callback_id: CallbackId) -> tuple[Row[Any], Row[Any]]:
    """The conversation and the callback, both kept until the commit. Raises NotFound."""
    conversation_id = tx.conn.execute(select(Callback.conversation_id).where(Callback.id == callback_id)).scalar()
    if conversation_id is None:
        raise NotFound("callback")
    conversation = locked(tx, ConversationId(conversation_id))
    callback = tx.conn.execute(select(Callback.__table__).where(Callback.id == callback_id).with_for_update()).one()
    return conversation, callback


def settle(
    tx: Transaction, callback: Row[Any], states: tuple[CallbackState, ...], by: OperatorId | None, **values: Any
) -> None:
    """Move the callback on if it stands in one of `states`; else raise whose it is, or that it is settled."""
    changed = tx.conn.execute(
        update(Callback).where(Callback.id == callback.id, Callback.state.in_(states)).values(**values)
    )
    if changed.rowcount != 1:
        raise refusal(tx, callback, by)


def settle_mine(
    tx: Transaction, callback: Row[Any], operator_id: OperatorId, states: tuple[CallbackState, ...], **values: Any
) -> None:
    """The same for a callback that the operator has claimed."""
    changed = tx.conn.execute(
        update(Callback)
        .where(Callback.id == callback.id, Callback.owner_id == operator_id, Callback.state.in_(states))
        .values(**values)
    )
    if changed.rowcount != 1:
        raise refusal(tx, callback, operator_id)


def refusal(tx: Transaction, callback: Row[Any], asked_by: OperatorId | None) -> InboxError:
    if callback.state in HELD and callback.owner_id != asked_by:
        return AlreadyTaken(operator_name(tx, callback.owner_id))
    return AlreadySettled("callback")


def end_attempt(
    tx: Transaction, callback_id: CallbackId, outcome: AttemptOutcome | None, note: str, now: datetime
) -> None:
    """Close the attempt that runs, if one does; without an outcome it counts as not made.

    Who has reached the customer writes the summary next; whoever has not is done with it for now.
    """
    operator_id = tx.conn.execute(
        update(CallbackAttempt)
        .where(CallbackAttempt.callback_id == callback_id, CallbackAttempt.ended_at.is_(None))
        .values(outcome=outcome, note=note, ended_at=now)
        .returning(CallbackAttempt.operator_id)
    ).scalar()
    if operator_id is None:
        return
    conversation_id = ConversationId(
        tx.conn.execute(select(Callback.conversation_id).where(Callback.id == callback_id)).scalar_one()
    )
    over = handling.hung_up if outcome is AttemptOutcome.REACHED else handling.left
    over(tx, OperatorId(operator_id), conversation_id, at=now)


def say_about(
    tx: Transaction,
    conversation: Row[Any],
    callback: Row[Any],
    what: str,
    *,
    by: OperatorId | None,
    now: datetime,
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    """A line in the timeline, and the news to the screens."""
    say(tx, conversation, what, by=by, now=now, data={"callback": callback.id, **(data or {})}, **changes)
    announce(tx, conversation, callback)


def announce(tx: Transaction, conversation: Row[Any], callback: Row[Any]) -> None:
    conversation_id = ConversationId(conversation.id)
    tx.record(CallbackChanged(conversation_id, CallbackId(callback.id)))
    tx.record(ConversationChanged(conversation_id))


def bump(tx: Transaction, conversation: Row[Any], callback: Row[Any]) -> None:
    """News for the screens that leaves no line in the timeline."""
    tx.conn.execute(
        update(Conversation).where(Conversation.id == conversation.id).values(version=Conversation.version + 1)
    )
    announce(tx, conversation, callback)


def given_back(conversation: Row[Any], callback: Row[Any]) -> dict[str, Any]:
    """Who claimed the callback owned its conversation with it; both go back to the queue while the customer waits."""
    if conversation.wait_id is not None and conversation.owner_id == callback.owner_id:
        return {"owner_id": None}
    return {}


def place_of(callback: Row[Any], now: datetime) -> dict[str, Any]:
    """Where a callback goes that nobody holds any more: to the time agreed, while that is ahead, else due."""
    if is_agreed(callback, now):
        return {"state": CallbackState.SCHEDULED, "due_at": callback.slot_from - LEAD}
    return {"state": CallbackState.DUE}


def is_agreed(callback: Row[Any], now: datetime) -> bool:
    return callback.slot_from is not None and callback.slot_from - LEAD > now


def hold_number(tx: Transaction, contact_id: ContactId, number: str, now: datetime) -> None:
    """Make sure that of two requests for one number only one goes on at a time, in whatever conversation."""
    line = AddressLine(AddressKind.PHONE, number)
    contacts.add_address(tx, contact_id, line, now=now)
    tx.conn.execute(select(Address.id).where(Address.kind == line.kind, Address.value == line.value).with_for_update())


def decent_time(tx: Transaction, number: str | None, contact_id: int, at: datetime) -> datetime:
    """The first moment from `at` on inside the calling hours of the customer."""
    if number is None:
        return at
    zone = tx.conn.execute(select(Contact.zone).where(Contact.id == contact_id)).scalar()
    return telephone.calling_time(number, zone, calendar.current(tx.conn, at).zone, at)


def operator_name(tx: Transaction, operator_id: int | None) -> str:
    return tx.conn.execute(select(Operator.name).where(Operator.id == operator_id)).scalar() or ""


def is_here(tx: Transaction, operator_id: int) -> bool:
    presence = tx.conn.execute(
        select(Operator.presence).where(Operator.id == operator_id, Operator.disabled_at.is_(None))
    ).scalar()
    return presence in (Presence.ONLINE, Presence.FINISHING)
