"""Callbacks: a call that the desk owes somebody, from the missed call to the summary.

It keeps the place in the queue of what it began with: the wait runs on through every try and ends when the customer is
reached, or when somebody confirms that they could not be. Who may dial is settled by one conditional update.

    due -> claimed (a lock of two minutes) -> dialling -> wrap_up -> done
                                              dialling -> retry_wait -> due, or exhausted -> closed_unreached
    scheduled (a time agreed with the customer) -> due; needs_number (withheld, wrong) -> due; any open -> cancelled
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, insert, or_, select, update

from inbox.callback_rows import (
    HELD,
    LEAD,
    announce,
    bump,
    decent_time,
    end_attempt,
    given_back,
    held,
    hold_number,
    is_agreed,
    is_here,
    operator_name,
    place_of,
    refusal,
    say_about,
    settle,
    settle_mine,
)
from inbox.errors import AlreadyTaken, BadInput
from inbox.events import CallbackChanged
from inbox.people import handling, telephone
from inbox.store.models import Callback, CallbackAttempt
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import (
    OPEN_CALLBACK_STATES,
    AttemptOutcome,
    CallbackId,
    CallbackState,
    ChannelKind,
    ContactId,
    ConversationId,
    Ending,
    EntryKind,
    OperatorId,
    Status,
)
from inbox.waits import calendar, ledger
from inbox.words import N_

LOCK = timedelta(minutes=2)
"""How long a claim holds without dialling."""
DIAL_LASTS = timedelta(hours=1)
"""After so long without an outcome a dialled callback is anybody's again: the operator has gone."""
MAX_TRIES = 3
FIRST_RETRY: Mapping[AttemptOutcome, timedelta] = {
    AttemptOutcome.BUSY: timedelta(minutes=5),
    AttemptOutcome.NO_ANSWER: timedelta(minutes=15),
    AttemptOutcome.VOICEMAIL_LEFT: timedelta(minutes=60),
}
LATER_RETRY = timedelta(minutes=60)
LONGEST_SLOT_AHEAD = timedelta(days=28)
MAX_NOTE_CHARS = 4_000
AGREED_CALLBACK = "agreed_callback"

TAKEABLE = (CallbackState.DUE, CallbackState.RETRY_WAIT, CallbackState.EXHAUSTED, CallbackState.SCHEDULED)


@dataclass(frozen=True, slots=True)
class Slot:
    """The time agreed with the customer."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Created:
    callback_id: CallbackId
    conversation_id: ConversationId
    existing: bool  # the number had an open callback already; this is it


@dataclass(frozen=True, slots=True)
class Dialled:
    number: str  # E.164
    uri: str  # RFC 3966
    attempt: int


def create(
    tx: Transaction,
    conversation_id: ConversationId,
    *,
    number: str | None,
    now: datetime,
    by: OperatorId | None = None,
    slot: Slot | None = None,
    missed_call: bool = False,
) -> Created:
    """Owe a call to `number` (E.164; None: withheld or not known yet). One open callback per number. Raises BadInput.

    A missed call has its own entry and wait; any other request gets an entry, and a wait unless one is running.
    """
    if slot is not None:
        _check_slot(slot, now)
    if number is not None and telephone.e164(number, None) != number:
        raise BadInput("number", N_("This is not a telephone number that can be rung. Write it with its country code."))
    conversation = locked(tx, conversation_id)
    if number is not None:
        hold_number(tx, ContactId(conversation.contact_id), number, now)
    same = Callback.number == number if number is not None else Callback.conversation_id == conversation_id
    open_one = tx.conn.execute(
        select(Callback.__table__).where(same, Callback.state.in_(OPEN_CALLBACK_STATES)).order_by(Callback.id).limit(1)
    ).first()
    if open_one is not None:
        return _fold(tx, open_one, missed_call=missed_call, slot=slot, by=by, now=now)
    state = CallbackState.NEEDS_NUMBER if number is None else CallbackState.DUE
    callback_id = CallbackId(
        tx.conn.execute(
            insert(Callback)
            .values(
                conversation_id=conversation_id,
                contact_id=conversation.contact_id,
                number=number,
                state=state,
                due_at=decent_time(tx, number, conversation.contact_id, now),
                missed_calls=1 if missed_call else 0,
                attempts=0,
                created_at=now,
                summary={},
            )
            .returning(Callback.id)
        ).scalar_one()
    )
    if not missed_call:
        added = say(
            tx,
            conversation,
            "callback_asked",
            by=by,
            now=now,
            kind=EntryKind.CALLBACK,
            data={"callback": callback_id, "number": number},
            status=Status.OPEN,
            closed_at=None,
            snoozed_until=None,
            snippet=conversation.snippet,
        )
        if conversation.status == Status.SNOOZED:
            ledger.resume(tx, conversation_id, at=now)  # it is open now: nothing would wake it any more
        ledger.start(tx, conversation_id, channel=ChannelKind.PHONE, entry_id=added.entry_id, at=now)
    tx.record(CallbackChanged(conversation_id, callback_id))
    if slot is not None and number is not None:
        schedule(tx, callback_id, slot, by=by, now=now)
    return Created(callback_id, conversation_id, existing=False)


def take(tx: Transaction, callback_id: CallbackId, operator_id: OperatorId, *, now: datetime) -> ConversationId:
    """Claim it for two minutes, and its conversation with it. Raises AlreadyTaken, AlreadySettled, BadInput."""
    conversation, callback = held(tx, callback_id)
    conversation_id = ConversationId(conversation.id)
    if callback.state == CallbackState.NEEDS_NUMBER:
        raise BadInput("number", N_("No number is known. Ask for one, or type it in."))
    if callback.state in HELD and callback.owner_id == operator_id:
        return conversation_id
    if conversation.owner_id not in (None, operator_id) and is_here(tx, conversation.owner_id):
        raise AlreadyTaken(operator_name(tx, conversation.owner_id))
    ran_out = and_(Callback.state == CallbackState.CLAIMED, Callback.claimed_until <= now)
    claimed = tx.conn.execute(
        update(Callback)
        .where(Callback.id == callback_id, or_(Callback.state.in_(TAKEABLE), ran_out))
        .values(state=CallbackState.CLAIMED, owner_id=operator_id, claimed_until=now + LOCK)
    )
    if claimed.rowcount != 1:
        raise refusal(tx, callback, operator_id)
    say_about(tx, conversation, callback, "callback_taken", by=operator_id, now=now, owner_id=operator_id)
    return conversation_id


def release(tx: Transaction, callback_id: CallbackId, operator_id: OperatorId, *, now: datetime) -> None:
    """Give a claim back: it stands again where it stood. Raises AlreadyTaken, AlreadySettled."""
    conversation, callback = held(tx, callback_id)
    settle_mine(tx, callback, operator_id, HELD, owner_id=None, claimed_until=None, **place_of(callback, now))
    end_attempt(tx, callback_id, None, "", now)
    changes = given_back(conversation, callback)
    say_about(tx, conversation, callback, "callback_released", by=operator_id, now=now, **changes)


def dial(tx: Transaction, callback_id: CallbackId, operator_id: OperatorId, *, now: datetime) -> Dialled:
    """Note that the operator rings now. Raises AlreadyTaken, AlreadySettled (claim it first)."""
    conversation, callback = held(tx, callback_id)
    if callback.number is None:
        raise BadInput("number", N_("No number is known. Ask for one, or type it in."))
    settle_mine(
        tx,
        callback,
        operator_id,
        (CallbackState.CLAIMED,),
        state=CallbackState.DIALLING,
        claimed_until=now + DIAL_LASTS,
    )
    attempt = (
        1
        + tx.conn.execute(
            select(func.count()).select_from(CallbackAttempt).where(CallbackAttempt.callback_id == callback_id)
        ).scalar_one()
    )
    tx.conn.execute(
        insert(CallbackAttempt).values(
            callback_id=callback_id, number=attempt, operator_id=operator_id, started_at=now, note=""
        )
    )
    conversation_id = ConversationId(conversation.id)
    handling.begin(tx, operator_id, conversation_id, ChannelKind.PHONE, at=now, busy_until=now + DIAL_LASTS)
    bump(tx, conversation, callback)
    return Dialled(callback.number, f"tel:{callback.number}", attempt)


def outcome(
    tx: Transaction,
    callback_id: CallbackId,
    operator_id: OperatorId,
    result: AttemptOutcome,
    *,
    now: datetime,
    note: str = "",
    at: datetime | None = None,
) -> CallbackState:
    """What came of dialling; `at` is when the customer's telephone was picked up, where the exchange told.

    Reached ends the wait. Otherwise it is tried again, or exhausted after three tries; a wrong number asks for another.
    """
    if len(note) > MAX_NOTE_CHARS:
        raise BadInput("note", N_("This note is too long."))
    conversation, callback = held(tx, callback_id)
    conversation_id = ConversationId(conversation.id)
    tries = callback.attempts + 1
    values: dict[str, Any] = {"attempts": tries, "owner_id": None, "claimed_until": None}
    changes: dict[str, Any] = {}
    if result is AttemptOutcome.REACHED:
        values |= {"state": CallbackState.WRAP_UP, "owner_id": operator_id}
        changes = {"unread": 0, "owner_id": conversation.owner_id or operator_id}
    elif result is AttemptOutcome.WRONG_NUMBER:
        values |= {"state": CallbackState.NEEDS_NUMBER, "number": None, "slot_from": None, "slot_to": None}
    elif is_agreed(callback, now):
        values |= place_of(callback, now)
    elif tries >= MAX_TRIES:
        values |= {"state": CallbackState.EXHAUSTED}
    else:
        delay = FIRST_RETRY[result] if tries == 1 else LATER_RETRY
        values |= {"state": CallbackState.RETRY_WAIT, "due_at": _retry_at(tx, callback, now + delay)}
    settle_mine(tx, callback, operator_id, (CallbackState.DIALLING,), **values)
    end_attempt(tx, callback_id, result, note, now)
    added = say(
        tx,
        conversation,
        "callback_tried",
        by=operator_id,
        now=now,
        kind=EntryKind.CALLBACK,
        text=note,
        data={
            "callback": callback_id,
            "outcome": result,
            "number": callback.number,
            "attempt": tries,
            "next_at": values["due_at"].isoformat() if "due_at" in values else None,
        },
        snippet=conversation.snippet,
        **changes,
    )
    if result is AttemptOutcome.REACHED:
        ledger.end(
            tx, conversation_id, Ending.ANSWERED, at=min(at or now, now), by=operator_id, entry_id=added.entry_id
        )
    elif result is AttemptOutcome.WRONG_NUMBER:
        ledger.resume(tx, conversation_id, at=now, why=AGREED_CALLBACK)
    announce(tx, conversation, callback)
    return CallbackState(values["state"])


def schedule(tx: Transaction, callback_id: CallbackId, slot: Slot, *, by: OperatorId | None, now: datetime) -> None:
    """The customer agreed to be rung in this slot: the third clock stands until then. Raises BadInput."""
    _check_slot(slot, now)
    conversation, callback = held(tx, callback_id)
    if callback.number is None:
        raise BadInput("number", N_("No number is known. Ask for one, or type it in."))
    if callback.state in HELD and callback.owner_id != by:
        raise refusal(tx, callback, by)
    settle(
        tx,
        callback,
        (*TAKEABLE, *HELD),
        by,
        state=CallbackState.SCHEDULED,
        due_at=max(now, slot.since - LEAD),
        slot_from=slot.since,
        slot_to=slot.until,
        owner_id=None,
        claimed_until=None,
    )
    end_attempt(tx, callback_id, None, "", now)
    data = {"slot_from": slot.since.isoformat(), "slot_to": slot.until.isoformat()}
    changes = given_back(conversation, callback)
    say_about(tx, conversation, callback, "callback_scheduled", by=by, now=now, data=data, **changes)
    if slot.since > now:
        ledger.pause(tx, ConversationId(conversation.id), at=now, until=slot.since, why=AGREED_CALLBACK)


def set_number(tx: Transaction, callback_id: CallbackId, number: str, *, by: OperatorId, now: datetime) -> None:
    """A number (E.164) for a callback that had none, or a better one. Raises BadInput."""
    conversation, callback = held(tx, callback_id)
    if telephone.e164(number, None) != number:
        raise BadInput("number", N_("This is not a telephone number that can be rung. Write it with its country code."))
    hold_number(tx, ContactId(conversation.contact_id), number, now)
    other = tx.conn.execute(
        select(Callback.conversation_id).where(
            Callback.number == number, Callback.state.in_(OPEN_CALLBACK_STATES), Callback.id != callback_id
        )
    ).first()
    if other is not None:
        raise BadInput("number", N_("Somebody owes this number a call already."))
    settle(
        tx,
        callback,
        (CallbackState.NEEDS_NUMBER, *TAKEABLE),
        by,
        number=number,
        state=CallbackState.DUE,
        due_at=decent_time(tx, number, callback.contact_id, now),
    )
    say_about(tx, conversation, callback, "callback_number", by=by, now=now, data={"number": number})


def confirm_unreached(tx: Transaction, callback_id: CallbackId, *, by: OperatorId, now: datetime) -> None:
    """Nobody was reached in all tries, and that is that: the wait ends as unreached. Raises AlreadySettled."""
    conversation, callback = held(tx, callback_id)
    settle(
        tx,
        callback,
        (CallbackState.EXHAUSTED,),
        by,
        state=CallbackState.CLOSED_UNREACHED,
        settled_at=now,
        owner_id=None,
    )
    added = say(
        tx,
        conversation,
        "callback_unreached",
        by=by,
        now=now,
        kind=EntryKind.CALLBACK,
        data={"callback": callback_id, "attempts": callback.attempts},
        status=Status.PENDING,
        unread=0,
        snippet=conversation.snippet,
    )
    ledger.end(tx, ConversationId(conversation.id), Ending.UNREACHED, at=now, by=by, entry_id=added.entry_id)
    announce(tx, conversation, callback)


def cancel(tx: Transaction, callback_id: CallbackId, *, by: OperatorId | None, now: datetime, reason: str = "") -> None:
    """No call is owed any more. The wait runs on until answered or closed. Raises AlreadyTaken, AlreadySettled."""
    conversation, callback = held(tx, callback_id)
    settle(
        tx,
        callback,
        tuple(OPEN_CALLBACK_STATES),
        by,
        state=CallbackState.CANCELLED,
        settled_at=now,
        owner_id=None,
        claimed_until=None,
    )
    end_attempt(tx, callback_id, None, "", now)
    say_about(tx, conversation, callback, "callback_cancelled", by=by, now=now, data={"reason": reason[:300]})
    ledger.resume(tx, ConversationId(conversation.id), at=now, why=AGREED_CALLBACK)


def _fold(
    tx: Transaction, open_one: Row[Any], *, missed_call: bool, slot: Slot | None, by: OperatorId | None, now: datetime
) -> Created:
    """One more request for a call that is owed already: counted, nothing else moves."""
    callback_id, conversation_id = CallbackId(open_one.id), ConversationId(open_one.conversation_id)
    if missed_call:
        tx.conn.execute(
            update(Callback).where(Callback.id == callback_id).values(missed_calls=Callback.missed_calls + 1)
        )
    if slot is not None and open_one.state in TAKEABLE:
        schedule(tx, callback_id, slot, by=by, now=now)
    tx.record(CallbackChanged(conversation_id, callback_id))
    return Created(callback_id, conversation_id, existing=True)


def _retry_at(tx: Transaction, callback: Row[Any], earliest: datetime) -> datetime:
    """The next moment from `earliest` on at which the desk is open and ringing the customer is decent."""
    hours = calendar.current(tx.conn, earliest).hours
    moment = earliest
    for _ in range(8):
        found = decent_time(tx, callback.number, callback.contact_id, hours.next_opening(moment) or moment)
        if found == moment:
            break
        moment = found
    return moment


def _check_slot(slot: Slot, now: datetime) -> None:
    if not slot.since < slot.until or slot.until <= now:
        raise BadInput("slot", N_("Choose a time in the future, with its end after its start."))
    if slot.since > now + LONGEST_SLOT_AHEAD:
        raise BadInput("slot", N_("Choose a time within the next four weeks."))
