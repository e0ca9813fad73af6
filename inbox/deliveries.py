"""What became of an outgoing entry. A failure that is final makes the wait run again and is shown to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from inbox import resolutions
from inbox.errors import BadInput, NotFound
from inbox.events import ConversationChanged, DeliveryChanged, ReplyWritten
from inbox.people import contacts
from inbox.people.contacts import AddressLine
from inbox.store import outbox
from inbox.store.models import Conversation, Entry
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import (
    AddressKind,
    Author,
    ChannelKind,
    ConversationId,
    Delivery,
    Ending,
    EntryId,
    EntryKind,
    OperatorId,
    OutboxId,
    RecipientState,
    Status,
)
from inbox.waits import ledger

HANDLER = "delivery"
"""The outbox handler that hands entries to the senders of their channels."""

_RANK = {
    Delivery.QUEUED: 0,
    Delivery.DELAYED: 0,
    Delivery.KEPT: 1,
    Delivery.SENT: 1,
    Delivery.RECEIVED: 2,
    Delivery.READ: 3,
}


def set_delivery(
    tx: Transaction, entry_id: EntryId, delivery: Delivery, *, error: str = "", data: dict[str, Any] | None = None
) -> bool:
    """Move an entry's delivery forward; a late "sent" never takes back "read". False when nothing changed.

    `data` is merged into the entry's own, for example per-recipient answers of the mail server.
    """
    row = tx.conn.execute(
        select(Entry.conversation_id, Entry.number, Entry.delivery, Entry.data)
        .where(Entry.id == entry_id)
        .with_for_update(key_share=True)  # "sent" by the worker and "read" by the visitor come at the same moment
    ).first()
    if row is None or row.delivery is None:
        return False
    old = Delivery(row.delivery)
    if old is not Delivery.FAILED and _RANK.get(delivery, 9) < _RANK[old]:
        return False
    if old is delivery and not error and not data:
        return False
    values: dict[str, Any] = {"delivery": delivery, "delivery_error": error[:1000] or None}
    if data:
        values["data"] = {**row.data, **data}
    tx.conn.execute(update(Entry).where(Entry.id == entry_id).values(**values))
    tx.record(DeliveryChanged(ConversationId(row.conversation_id), entry_id, row.number, delivery))
    return True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a mail server said about one recipient."""

    state: RecipientState
    said: str


_TAKEN = frozenset({RecipientState.SENT, RecipientState.HELD_UP, RecipientState.BOUNCED})
_LOST = frozenset({RecipientState.FAILED, RecipientState.BOUNCED})


def recipient_states(data: Mapping[str, Any]) -> dict[str, RecipientState]:
    """By address as written, for everybody a mail goes to."""
    mail, known = data.get("mail", {}), data.get("recipients", {})
    return {
        one["address"]: RecipientState(known.get(one["address"], {}).get("state", RecipientState.QUEUED))
        for one in (*mail.get("to", ()), *mail.get("cc", ()))
    }


def still_to_send(data: Mapping[str, Any]) -> list[str]:
    """Whom no server has taken or refused the mail for."""
    return [one for one, state in recipient_states(data).items() if state not in _TAKEN | _LOST]


def note_answers(tx: Transaction, entry_id: EntryId, answers: Mapping[str, Answer], *, now: datetime) -> None:
    """What became of single recipients; an address that failed for good asks before the next send, until it works."""
    row = _held(tx, entry_id)
    if row is None or not answers:
        return
    known = dict(row.data.get("recipients", {}))
    for address, answer in answers.items():
        known[address] = {"state": answer.state, "said": answer.said[:500], "at": now.isoformat()}
    tx.conn.execute(update(Entry).where(Entry.id == entry_id).values(data={**row.data, "recipients": known}))
    lost = [one for one, answer in answers.items() if answer.state is RecipientState.FAILED]
    for one in lost:
        contacts.mark_failing(tx, AddressLine(AddressKind.EMAIL, one), now=now)
    contacts.works_again(tx, [one for one, answer in answers.items() if answer.state is RecipientState.SENT])
    tx.record(DeliveryChanged(ConversationId(row.conversation_id), entry_id, row.number, Delivery(row.delivery)))


def reported(tx: Transaction, entry_id: EntryId, reports: Mapping[str, Answer], *, now: datetime) -> None:
    """A delivery report about a mail that had left: who will not get it, and who waits.

    Somebody in To who will not get it makes the whole answer fail.
    """
    row = _held(tx, entry_id, with_conversation=True)
    if row is None:
        return
    states = recipient_states(row.data)
    believed = {
        one: answer
        for one, answer in reports.items()
        # A server that keeps it waiting says nothing new about what has come back already.
        if one in states and (answer.state is RecipientState.BOUNCED or states[one] not in _LOST)
    }
    note_answers(tx, entry_id, believed, now=now)
    lost = [one for one, answer in believed.items() if answer.state is RecipientState.BOUNCED]
    if lost:
        _tell_lost(tx, entry_id, row.data, {one: believed[one].said for one in lost}, now=now)


def gave_up(tx: Transaction, entry_id: EntryId, error: str, *, now: datetime) -> None:
    """The desk tries no more. Whoever has had the mail keeps it; for the others it has failed."""
    row = _held(tx, entry_id, with_conversation=True)
    if row is None:
        return
    states = recipient_states(row.data)
    if not any(state in _TAKEN for state in states.values()):
        failed_for_good(tx, entry_id, error, now=now)
        return
    known = row.data.get("recipients", {})
    left = {
        one: Answer(RecipientState.FAILED, known.get(one, {}).get("said") or error)
        for one, state in states.items()
        if state not in _TAKEN | _LOST
    }
    note_answers(tx, entry_id, left, now=now)
    left_out = {one: answer.said for one, answer in left.items()}
    left_out |= {one: known[one]["said"] for one, state in states.items() if state is RecipientState.FAILED}
    _tell_lost(tx, entry_id, row.data, left_out, now=now)


def sent(tx: Transaction, entry_id: EntryId, delivery: Delivery, data: dict[str, Any], *, now: datetime) -> None:
    """The entry has left the desk; what was refused meanwhile is told of."""
    kept = tx.conn.execute(select(Entry.data, Entry.delivery).where(Entry.id == entry_id)).first()
    if kept is None:
        return
    lost = _lost(kept.data)
    if kept.delivery == Delivery.FAILED and lost.keys() & _written_to(kept.data):
        return  # the copies are through; who was answered still has nothing
    if lost.keys() - set(kept.data.get("told_lost", ())):
        _held(tx, entry_id, with_conversation=True)
        set_delivery(tx, entry_id, delivery, data=data)
        _tell_lost(tx, entry_id, kept.data, lost, now=now)
        return
    set_delivery(tx, entry_id, delivery, data=data)


def delayed(tx: Transaction, entry_id: EntryId, error: str) -> None:
    """It is tried again later. What has failed for somebody in To stays failed while the copies are tried."""
    if tx.conn.execute(select(Entry.delivery).where(Entry.id == entry_id)).scalar() != Delivery.FAILED:
        set_delivery(tx, entry_id, Delivery.DELAYED, error=error)


def tell_lost(tx: Transaction, entry_id: EntryId, *, now: datetime) -> None:
    """Say now who will not get it, while others are still tried."""
    row = _held(tx, entry_id, with_conversation=True)
    if row is not None and (lost := _lost(row.data)):
        _tell_lost(tx, entry_id, row.data, lost, now=now)


def _lost(data: Mapping[str, Any]) -> dict[str, str]:
    return {one: data["recipients"][one]["said"] for one, state in recipient_states(data).items() if state in _LOST}


def _written_to(data: Mapping[str, Any]) -> set[str]:
    return {one["address"] for one in data.get("mail", {}).get("to", ())}


def _tell_lost(
    tx: Transaction, entry_id: EntryId, data: Mapping[str, Any], lost: Mapping[str, str], *, now: datetime
) -> None:
    """Nobody in To lost: the answer stands and its copies are named. Else the whole answer has failed."""
    to = _written_to(data)
    words = "; ".join(f"{one}: {said}" for one, said in lost.items())[:1000]
    if to & lost.keys():
        failed_for_good(tx, entry_id, words, now=now)
        return
    row = _held(tx, entry_id)
    assert row is not None
    told = sorted({*row.data.get("told_lost", ()), *lost})
    tx.conn.execute(update(Entry).where(Entry.id == entry_id).values(data={**row.data, "told_lost": told}))
    if row.delivery in (Delivery.QUEUED, Delivery.DELAYED):
        set_delivery(tx, entry_id, Delivery.SENT)
    conversation = _goes_on(tx, ConversationId(row.conversation_id))
    say(
        tx,
        conversation,
        "copy_failed",
        by=None,
        now=now,
        data={"entry": entry_id, "number": row.number, "to": list(lost), "error": words[:300]},
    )
    tx.record(DeliveryChanged(ConversationId(row.conversation_id), entry_id, row.number, Delivery.SENT))
    tx.record(ConversationChanged(ConversationId(conversation.id)))


def _held(tx: Transaction, entry_id: EntryId, *, with_conversation: bool = False) -> Any:
    """The entry, held. Its conversation is held first where that is needed, as everywhere."""
    if with_conversation:
        found = tx.conn.execute(select(Entry.conversation_id).where(Entry.id == entry_id)).scalar()
        if found is None:
            return None
        _goes_on(tx, ConversationId(found))
    return tx.conn.execute(
        select(Entry.conversation_id, Entry.number, Entry.delivery, Entry.data)
        .where(Entry.id == entry_id)
        .with_for_update(key_share=True)
    ).first()


def failed_for_good(tx: Transaction, entry_id: EntryId, error: str, *, now: datetime) -> None:
    """The entry will not arrive: say so in the timeline, reopen, let the wait it ended run again."""
    row = tx.conn.execute(select(Entry.conversation_id, Entry.kind).where(Entry.id == entry_id)).first()
    if row is None:
        return
    wrote_in = ConversationId(row.conversation_id)
    conversation = _goes_on(tx, wrote_in)
    conversation_id = ConversationId(conversation.id)
    before = tx.conn.execute(select(Entry.delivery).where(Entry.id == entry_id)).scalar()
    if before == Delivery.FAILED:
        return
    set_delivery(tx, entry_id, Delivery.FAILED, error=error)
    changes: dict[str, Any] = {}
    if row.kind == EntryKind.REPLY:  # an automatic text that bounces is nobody's unanswered question
        changes = {"status": Status.OPEN, "closed_at": None, "snoozed_until": None}
    say(
        tx, conversation, "delivery_failed", by=None, now=now, data={"entry": entry_id, "error": error[:300]}, **changes
    )
    if row.kind == EntryKind.REPLY:
        for answer in _answers(tx, entry_id):
            ledger.run_again(tx, wrote_in, answer, at=now)
        if wrote_in != conversation_id:
            ledger.move(tx, wrote_in, conversation_id, at=now)
        if conversation.status == Status.SNOOZED:
            ledger.resume(tx, conversation_id, at=now)  # it is open now: nothing would wake it any more
    tx.record(ConversationChanged(conversation_id))


def _answers(tx: Transaction, entry_id: EntryId) -> list[EntryId]:
    """The answers a mail carries: itself, or those of the chat that the visitor left unread and has not read since."""
    data = tx.conn.execute(select(Entry.data).where(Entry.id == entry_id)).scalar() or {}
    carried = data.get("continues_chat")
    if not carried:
        return [entry_id]
    unread = select(Entry.id).where(Entry.id.in_(carried), Entry.delivery != Delivery.READ).order_by(Entry.number)
    return [EntryId(one) for one in tx.conn.execute(unread).scalars()]


def _goes_on(tx: Transaction, conversation_id: ConversationId) -> Any:
    """The conversation, or the one it was merged into: there it goes on, and there people will look. Held."""
    conversation = locked(tx, conversation_id)
    while conversation.merged_into_id is not None:
        conversation = locked(tx, ConversationId(conversation.merged_into_id))
    return conversation


def _wrote_since(tx: Transaction, conversations: Sequence[ConversationId], at: datetime) -> bool:
    later = select(Entry.id).where(
        Entry.conversation_id.in_(conversations),
        Entry.created_at > at,
        Entry.author == Author.CONTACT,
        Entry.kind.in_((EntryKind.MESSAGE, EntryKind.CALL)),
    )
    return tx.conn.execute(later.limit(1)).first() is not None


def try_again(tx: Transaction, entry_id: EntryId, *, by: OperatorId, now: datetime) -> None:
    """Queue a failed entry once more. Raises NotFound, BadInput.

    The wait ends again with this attempt, unless the customer has written since: that is not answered by it.
    """
    row = tx.conn.execute(select(Entry.conversation_id).where(Entry.id == entry_id)).first()
    if row is None:
        raise NotFound("entry")
    wrote_in = ConversationId(row.conversation_id)
    conversation_id = ConversationId(_goes_on(tx, wrote_in).id)
    row = tx.conn.execute(select(Entry.__table__).where(Entry.id == entry_id).with_for_update(key_share=True)).one()
    had_failed = row.delivery == Delivery.FAILED
    known = row.data.get("recipients", {})
    again = [one for one, state in recipient_states(row.data).items() if state in _LOST]
    if not (had_failed or (again and row.delivery == Delivery.SENT)):
        raise BadInput("entry", "Only an entry whose delivery failed can be sent again.")
    data = dict(row.data)
    if again:  # the others have it
        waiting = {"state": RecipientState.QUEUED, "said": "", "at": now.isoformat()}
        data |= {"recipients": {**known, **dict.fromkeys(again, waiting)}, "told_lost": []}
    tx.conn.execute(
        update(Entry).where(Entry.id == entry_id).values(delivery=Delivery.QUEUED, delivery_error=None, data=data)
    )
    if had_failed and row.kind == EntryKind.REPLY and not _wrote_since(tx, (wrote_in, conversation_id), row.created_at):
        ledger.end(tx, conversation_id, Ending.ANSWERED, at=now, by=by, entry_id=entry_id)
        tx.conn.execute(
            update(Conversation).where(Conversation.id == conversation_id).values(status=Status.PENDING, unread=0)
        )
        resolutions.reopened(tx, conversation_id, at=now)
    outbox.replaced(tx, HANDLER, wrote_in, entry_id, now=now)
    tx.record(ReplyWritten(wrote_in, entry_id, row.number, ChannelKind(row.channel)))
    tx.record(ConversationChanged(conversation_id))


def run_outbox_again(tx: Transaction, job_id: OutboxId, *, by: OperatorId, now: datetime) -> None:
    """Try once more what the desk gave up on; for an entry that was not delivered this is `try_again`."""
    job = outbox.given_up_job(tx.conn, job_id)
    if job is None:
        return
    entry_id = job.payload.get("entry_id")
    if job.handler == HANDLER and entry_id is not None:
        row = tx.conn.execute(select(Entry.delivery, Entry.data).where(Entry.id == entry_id)).first()
        lost = row is not None and any(state in _LOST for state in recipient_states(row.data).values())
        if row is not None and (row.delivery == Delivery.FAILED or (lost and row.delivery == Delivery.SENT)):
            try_again(tx, EntryId(entry_id), by=by, now=now)
            return
    outbox.run_again(tx, job_id, now=now)


def visitor_has(tx: Transaction, conversation_id: ConversationId, up_to: int, *, read: bool, now: datetime) -> None:
    """The visitor's browser has received, or the visitor has read, everything up to entry `up_to`."""
    state = Delivery.READ if read else Delivery.RECEIVED
    rows = tx.conn.execute(
        select(Entry.id, Entry.delivery)
        .where(
            Entry.conversation_id == conversation_id,
            Entry.number <= up_to,
            Entry.channel == ChannelKind.CHAT,
            Entry.delivery.in_([d for d in _RANK if _RANK[d] < _RANK[state]]),
        )
        .order_by(Entry.number.desc())
        .limit(50)
    ).all()
    for row in reversed(rows):
        set_delivery(tx, EntryId(row.id), state)
    if read:
        tx.conn.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id, Conversation.visitor_seen < up_to)
            .values(visitor_seen=up_to)
        )


def undelivered(conn: Connection, limit: int = 100) -> list[tuple[ConversationId, EntryId, str]]:
    """Entries the desk has given up on, newest first: (conversation, entry, last error)."""
    rows = conn.execute(
        select(Entry.conversation_id, Entry.id, Entry.delivery_error)
        .where(Entry.delivery == Delivery.FAILED)
        .order_by(Entry.id.desc())
        .limit(limit)
    )
    return [(ConversationId(r.conversation_id), EntryId(r.id), r.delivery_error or "") for r in rows]
