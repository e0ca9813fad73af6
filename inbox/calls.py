"""Calls: whatever a telephone system says about one call, in whatever order and however often, becomes one record.

The state of a record only rises: ringing, missed, voicemail, answered. A missed call is an entry with a running wait in
the caller's conversation, dated at the start of the call; several of one number fold into one conversation and one
callback. A call that was answered ends the wait, also when the news of it comes late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from inbox import callbacks, resolutions
from inbox.call_facts import (
    ANSWERED,
    RINGING,
    VOICEMAIL,
    CallFacts,
    Direction,
    address_of,
    merged,
    not_ahead,
    outcome_of,
    shown,
    text,
)
from inbox.callback_endings import talked
from inbox.events import ConversationChanged, EntryAdded
from inbox.people import contacts, handling, telephone
from inbox.people.contacts import AddressLine, Sender
from inbox.receive import Incoming, find_open, receive
from inbox.store.models import Address, Call, Callback, CallbackAttempt, Conversation, Entry, Operator
from inbox.store.transaction import Transaction
from inbox.timeline import locked, snippet
from inbox.vocabulary import (
    OPEN_CALLBACK_STATES,
    AddressKind,
    AttemptOutcome,
    CallbackState,
    CallOutcome,
    ChannelKind,
    ConversationId,
    Ending,
    EntryId,
    EntryKind,
    OperatorId,
    Status,
)
from inbox.waits import ledger


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where the call is found; nowhere when it concerns nobody who waits (still ringing, an outgoing one)."""

    conversation_id: ConversationId | None
    entry_id: EntryId | None
    outcome: CallOutcome | None


def record_call(tx: Transaction, facts: CallFacts, *, now: datetime, heard_at: datetime | None = None) -> Recorded:
    """Take in one report of a call, which reached us at `heard_at`. Reporting the same again changes nothing."""
    facts = not_ahead(facts, heard_at or now)
    address = AddressLine(AddressKind.PHONE, address_of(facts))
    # Two calls of one number at once must not open two conversations.
    tx.conn.execute(
        select(Address.id).where(Address.kind == address.kind, Address.value == address.value).with_for_update()
    )
    call, before = merged(tx, facts)
    take_in = _inbound if call.direction == Direction.INBOUND else _outbound
    recorded = take_in(tx, call, before, facts, address, now)
    if recorded.conversation_id is not None and call.rank == ANSWERED:
        _note_talk(tx, recorded.conversation_id, call, facts, now)
    return recorded


def _inbound(
    tx: Transaction, call: Any, before: int, facts: CallFacts, address: AddressLine, now: datetime
) -> Recorded:
    if call.rank == RINGING:
        return Recorded(None, None, None)
    began = call.entry_id is None
    if began:
        waits = call.rank == ANSWERED or not _got_through_since(tx, call)
        call = _enter(tx, call, facts, address, starts_wait=waits, now=now)
    else:
        owed_nothing = _refresh(tx, call).get("short", False)
        waits = owed_nothing and call.rank == VOICEMAIL > before
    if call.rank == ANSWERED and before < ANSWERED:
        _end_wait(tx, call, facts, correction=not began, now=now)
    elif waits:
        _owe_callback(tx, call, now)
    return _recorded(call)


def _outbound(
    tx: Transaction, call: Any, before: int, facts: CallFacts, address: AddressLine, now: datetime
) -> Recorded:
    reported = _report_attempt(tx, call, facts, now)
    if reported is not None:
        tx.conn.execute(update(Call).where(Call.id == call.id).values(conversation_id=reported))
        return Recorded(reported, None, outcome_of(call))
    if call.entry_id is not None:
        _refresh(tx, call)
    elif call.rank > RINGING and (facts.by_hand is not None or (call.rank == ANSWERED and _expected(tx, address, now))):
        call = _enter(tx, call, facts, address, starts_wait=False, now=now)
    if call.entry_id is not None and call.rank == ANSWERED and before < ANSWERED:
        _end_wait(tx, call, facts, correction=False, now=now)
    return _recorded(call)


# --- its entry ------------------------------------------------------------------------------------------------------


def _enter(
    tx: Transaction, call: Any, facts: CallFacts, address: AddressLine, *, starts_wait: bool, now: datetime
) -> Any:
    """Give the call its entry in the caller's conversation."""
    received = receive(
        tx,
        Incoming(
            channel=ChannelKind.PHONE,
            sender=Sender(address, name=call.data.get("name", "")),
            text=text(call),
            kind=EntryKind.CALL,
            subject=telephone.spoken(call.number) if call.number else call.data.get("shown", ""),
            client_key=f"call:{call.id}",
            join_open=True,
            occurred_at=call.started_at,
            starts_wait=starts_wait,
            data={"call": shown(tx, call)},
            source={"line": call.data.get("line", "")},
            arrival_id=facts.arrival_id,
        ),
        now=now,
    )
    tx.conn.execute(
        update(Call)
        .where(Call.id == call.id)
        .values(conversation_id=received.conversation_id, entry_id=received.entry_id)
    )
    return tx.conn.execute(select(Call.__table__).where(Call.id == call.id)).one()


def _refresh(tx: Transaction, call: Any) -> dict[str, Any]:
    """Bring the entry up to what is known by now; what it showed before."""
    entry = tx.conn.execute(
        select(Entry.conversation_id, Entry.number, Entry.data, Entry.text).where(Entry.id == call.entry_id)
    ).one()
    known, words = shown(tx, call), text(call)
    before: dict[str, Any] = entry.data.get("call", {})
    if before == known and entry.text == words:
        return before
    conversation = locked(tx, ConversationId(entry.conversation_id))
    tx.conn.execute(
        update(Entry).where(Entry.id == call.entry_id).values(text=words, data={**entry.data, "call": known})
    )
    changes = {"snippet": snippet(words)} if conversation.last_number == entry.number else {}
    tx.conn.execute(
        update(Conversation)
        .where(Conversation.id == conversation.id)
        .values(version=Conversation.version + 1, **changes)
    )
    conversation_id = ConversationId(conversation.id)
    tx.record(EntryAdded(conversation_id, EntryId(call.entry_id), entry.number))
    tx.record(ConversationChanged(conversation_id))
    return before


# --- what it does to the wait and to callbacks ----------------------------------------------------------------------


def _got_through_since(tx: Transaction, call: Any) -> bool:
    """News of this missed call comes after news of a later one in which the customer was answered."""
    if call.number is None:
        return False
    later = select(Call.id).where(
        Call.number == call.number, Call.rank == ANSWERED, Call.started_at >= call.started_at, Call.id != call.id
    )
    return tx.conn.execute(later.limit(1)).first() is not None


def _owe_callback(tx: Transaction, call: Any, now: datetime) -> None:
    conversation = locked(tx, call.conversation_id)
    if conversation.spam or conversation.status != Status.OPEN:
        return
    if shown(tx, call)["short"]:
        owed = select(Callback.id).where(Callback.number == call.number, Callback.state.in_(OPEN_CALLBACK_STATES))
        if call.number is None or tx.conn.execute(owed).first() is None:
            return
    callbacks.create(tx, call.conversation_id, number=call.number, missed_call=True, now=now)


def _end_wait(tx: Transaction, call: Any, facts: CallFacts, *, correction: bool, now: datetime) -> None:
    """The customer was talked to: end the wait when they were, not when we heard of it."""
    conversation = _goes_on(tx, call.conversation_id)
    conversation_id = ConversationId(conversation.id)
    operator_id = facts.by_hand or _operator(tx, call.data.get("operator", ""))
    answered_at = call.data.get("answered_at")
    talked_from = datetime.fromisoformat(answered_at) if answered_at else call.started_at
    talked_to = max(talked_from, call.ended_at or talked_from)
    wait = ledger.running(tx, conversation_id)
    if conversation.spam or (wait is not None and wait.started_at > talked_to):
        return  # what waits now came after the talk
    if wait is not None:
        at = min(talked_from, now)
        ledger.end(tx, conversation_id, Ending.ANSWERED, at=at, by=operator_id, entry_id=call.entry_id)
        if _start_again(tx, conversation_id, call, talked_to):
            return
    if wait is not None or not correction:
        status = Status.PENDING if operator_id is None else Status.OPEN  # theirs until the summary has gone out
        if conversation.status == Status.CLOSED:
            resolutions.reopened(tx, conversation_id, at=now)
        tx.conn.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id)
            .values(
                version=Conversation.version + 1,
                status=status,
                closed_at=None,
                unread=0,
                owner_id=conversation.owner_id or operator_id,
            )
        )
    talked(tx, conversation, number=call.number, by=operator_id, correction=correction, now=now)
    tx.record(ConversationChanged(conversation_id))


def _note_talk(tx: Transaction, conversation_id: ConversationId, call: Any, facts: CallFacts, now: datetime) -> None:
    """Talking to the customer was work, and so is writing the summary, where this is no old news."""
    operator_id = facts.by_hand or _operator(tx, call.data.get("operator", ""))
    answered_at = call.data.get("answered_at")
    if operator_id is None or answered_at is None or call.ended_at is None:
        return
    conversation = _goes_on(tx, conversation_id)
    owed = select(Callback.id).where(
        Callback.conversation_id == conversation.id,
        Callback.state == CallbackState.WRAP_UP,
        Callback.owner_id == operator_id,
    )
    fresh = now - call.ended_at < handling.IDLE_AFTER
    handling.was_on_the_telephone(
        tx,
        operator_id,
        ConversationId(conversation.id),
        datetime.fromisoformat(answered_at),
        call.ended_at,
        wraps_up=fresh and tx.conn.execute(owed.limit(1)).first() is not None,
    )


def _goes_on(tx: Transaction, conversation_id: ConversationId) -> Any:
    """The conversation, or the one it was merged into. Held."""
    conversation = locked(tx, conversation_id)
    while conversation.merged_into_id is not None:
        conversation = locked(tx, ConversationId(conversation.merged_into_id))
    return conversation


def _start_again(tx: Transaction, conversation_id: ConversationId, call: Any, talked_to: datetime) -> bool:
    """News of an answered call has come late: what the customer did after the talk waits from when they did it."""
    later = tx.conn.execute(
        select(Entry.id, Entry.channel, Entry.created_at, Entry.data)
        .where(
            Entry.conversation_id == conversation_id,
            Entry.kind.in_((EntryKind.MESSAGE, EntryKind.CALL)),
            Entry.created_at > talked_to,
            Entry.id != call.entry_id,
        )
        .order_by(Entry.number)
    ).all()
    for entry in later:
        at = entry.created_at
        if "call" in entry.data:
            at = datetime.fromisoformat(entry.data["call"]["started_at"])
            if not entry.data["call"]["missed"] or at <= talked_to:
                continue
        ledger.start(tx, conversation_id, channel=ChannelKind(entry.channel), entry_id=EntryId(entry.id), at=at)
        return True
    return False


def _report_attempt(tx: Transaction, call: Any, facts: CallFacts, now: datetime) -> ConversationId | None:
    """The exchange rang for a callback and says what came of it; the conversation concerned, if it is one of ours."""
    if facts.callback_id is None:
        return None
    row = tx.conn.execute(
        select(Callback.conversation_id, Callback.state, Callback.owner_id).where(Callback.id == facts.callback_id)
    ).first()
    if row is None:
        return None
    attempt = tx.conn.execute(
        select(CallbackAttempt.number).where(
            CallbackAttempt.callback_id == facts.callback_id, CallbackAttempt.ended_at.is_(None)
        )
    ).scalar()
    current = attempt is not None and facts.attempt in (None, attempt)
    if row.state == CallbackState.DIALLING and current and call.outcome is not None:
        at = call.data.get("answered_at")
        callbacks.outcome(
            tx,
            facts.callback_id,
            row.owner_id,
            _attempt_outcome(CallOutcome(call.outcome)),
            at=datetime.fromisoformat(at) if at else None,
            now=now,
        )
    return ConversationId(row.conversation_id)


def _attempt_outcome(outcome: CallOutcome) -> AttemptOutcome:
    match outcome:
        case CallOutcome.ANSWERED:
            return AttemptOutcome.REACHED
        case CallOutcome.VOICEMAIL:
            return AttemptOutcome.VOICEMAIL_LEFT
        case CallOutcome.BUSY:
            return AttemptOutcome.BUSY
        case _:
            return AttemptOutcome.NO_ANSWER


def _expected(tx: Transaction, address: AddressLine, now: datetime) -> bool:
    """Whether an outgoing call concerns a conversation that goes on, and no operator is about to tick it off."""
    known = contacts.find(tx.conn, address)
    if known is None:
        return False
    dialling = select(Callback.id).where(Callback.number == address.value, Callback.state == CallbackState.DIALLING)
    if tx.conn.execute(dialling).first() is not None:
        return False
    return find_open(tx, known.address_id, timedelta(), now) is not None


def _operator(tx: Transaction, said: str) -> OperatorId | None:
    """The operator an exchange means: by mail address, by the extension in their settings, or by id."""
    wanted = said.strip().casefold()
    if not wanted:
        return None
    rows = tx.conn.execute(select(Operator.id, Operator.email, Operator.preferences)).all()
    for row in rows:
        if wanted == row.email or wanted == str(row.preferences.get("extension", "")).casefold():
            return OperatorId(row.id)
    by_id = {str(row.id): row.id for row in rows}
    return OperatorId(by_id[wanted]) if wanted in by_id else None


def _recorded(call: Any) -> Recorded:
    return Recorded(call.conversation_id, call.entry_id, outcome_of(call))
