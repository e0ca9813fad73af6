"""What became of an outgoing entry. A failure that is final makes the wait run again and is shown to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from inbox import resolutions
from inbox.errors import BadInput, NotFound
from inbox.events import ConversationChanged, DeliveryChanged, ReplyWritten
from inbox.store import outbox
from inbox.store.models import Conversation, Entry
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import (
    Author,
    ChannelKind,
    ConversationId,
    Delivery,
    Ending,
    EntryId,
    EntryKind,
    OperatorId,
    OutboxId,
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


def note_answers(tx: Transaction, entry_id: EntryId, answers: Mapping[str, str]) -> None:
    """What became of single recipients after the entry had left, kept beside what the server said at first."""
    data = tx.conn.execute(select(Entry.data).where(Entry.id == entry_id).with_for_update(key_share=True)).scalar_one()
    known = {**data, "recipients": {**data.get("recipients", {}), **answers}}
    tx.conn.execute(update(Entry).where(Entry.id == entry_id).values(data=known))


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
        ledger.run_again(tx, wrote_in, entry_id, at=now)
        if wrote_in != conversation_id:
            ledger.move(tx, wrote_in, conversation_id, at=now)
        if conversation.status == Status.SNOOZED:
            ledger.resume(tx, conversation_id, at=now)  # it is open now: nothing would wake it any more
    tx.record(ConversationChanged(conversation_id))


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
    row = tx.conn.execute(
        select(Entry.conversation_id, Entry.number, Entry.channel, Entry.kind, Entry.created_at).where(
            Entry.id == entry_id
        )
    ).first()
    if row is None:
        raise NotFound("entry")
    wrote_in = ConversationId(row.conversation_id)
    conversation_id = ConversationId(_goes_on(tx, wrote_in).id)
    queued = tx.conn.execute(
        update(Entry)
        .where(Entry.id == entry_id, Entry.delivery == Delivery.FAILED)
        .values(delivery=Delivery.QUEUED, delivery_error=None)
    )
    if queued.rowcount != 1:
        raise BadInput("entry", "Only an entry whose delivery failed can be sent again.")
    if row.kind == EntryKind.REPLY and not _wrote_since(tx, (wrote_in, conversation_id), row.created_at):
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
        state = tx.conn.execute(select(Entry.delivery).where(Entry.id == entry_id)).scalar()
        if state == Delivery.FAILED:
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
