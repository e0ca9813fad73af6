"""A mail that has not left yet can be taken back: it is a draft again, and the wait runs on from its original start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from inbox import resolutions
from inbox.deliveries import HANDLER
from inbox.errors import AlreadySettled, NotAllowed, NotFound
from inbox.events import CallbackChanged, ConversationChanged, EntryAdded
from inbox.store import outbox
from inbox.store.models import Attachment, Callback, Conversation, Draft, Entry
from inbox.store.transaction import Transaction
from inbox.timeline import locked
from inbox.vocabulary import CallbackId, CallbackState, ConversationId, EntryId, EntryKind, OperatorId, Status
from inbox.waits import ledger
from inbox.words import N_


@dataclass(frozen=True, slots=True)
class Returned:
    """What the composer gets back: the words, for whom, with which files."""

    conversation_id: ConversationId
    text: str
    data: Mapping[str, Any]


def take_back(tx: Transaction, entry_id: EntryId, *, by: OperatorId, now: datetime) -> Returned:
    """The mail has not left: it becomes a draft again and the wait runs on from its original start.

    Raises NotFound, NotAllowed for somebody else's, AlreadySettled when it has left or is just leaving.
    """
    found = tx.conn.execute(select(Entry.conversation_id).where(Entry.id == entry_id)).first()
    if found is None:
        raise NotFound("entry")
    conversation_id = ConversationId(found.conversation_id)
    conversation = locked(tx, conversation_id)
    entry = tx.conn.execute(select(Entry.__table__).where(Entry.id == entry_id)).one()
    if entry.operator_id != by:
        raise NotAllowed(N_("Only who wrote it can take it back."))
    if "leaves_at" not in entry.data or not outbox.withdraw(tx, HANDLER, conversation_id, entry_id, now=now):
        raise AlreadySettled("mail")
    goes_on = conversation  # it may have been merged in these few seconds: people look and write there
    while goes_on.merged_into_id is not None:
        goes_on = locked(tx, ConversationId(goes_on.merged_into_id))
    files = _files_freed(tx, entry_id)
    returned = Returned(ConversationId(goes_on.id), entry.text, _draft_data(entry.data, files))
    keep_draft(tx, returned.conversation_id, by, returned, now)
    tx.conn.execute(
        update(Entry)
        .where(Entry.id == entry_id)
        .values(
            kind=EntryKind.STATUS,
            text="",
            html=None,
            data={"what": "reply_taken_back"},
            delivery=None,
            client_key=None,
            channel=None,
        )
    )
    _reopen_summary(tx, entry.data)
    ran_again = ledger.run_again(tx, conversation_id, entry_id, at=now, why="taken_back") is not None
    if goes_on.id == conversation_id:
        _restore(tx, conversation, entry, ran_again=ran_again)
    elif ran_again:
        _runs_on_where_it_went(tx, conversation_id, goes_on, now)
    tx.record(EntryAdded(conversation_id, entry_id, entry.number))
    tx.record(ConversationChanged(conversation_id))
    return returned


def _restore(tx: Transaction, conversation: Row[Any], entry: Row[Any], *, ran_again: bool) -> None:
    """The conversation as it was before the answer, except for what others have done to it since."""
    before = entry.data["before"]
    values: dict[str, Any] = {}
    if conversation.last_number == entry.number:  # nobody has said anything since
        values |= {"snippet": before["snippet"], "active_at": datetime.fromisoformat(before["active_at"])}
    if conversation.owner_id == entry.operator_id and before["owner_id"] is None:
        values["owner_id"] = None
    untouched = conversation.status in (Status.PENDING, Status.CLOSED)
    if untouched:
        until = before["snoozed_until"]
        values |= {
            "status": Status.OPEN if ran_again and before["status"] != Status.SNOOZED else before["status"],
            "closed_at": None,
            "unread": before["unread"],
            "snoozed_until": datetime.fromisoformat(until) if until else None,
        }
        if before["status"] == Status.CLOSED and not ran_again:
            values["closed_at"] = conversation.closed_at or entry.created_at
    if conversation.status == Status.CLOSED and before["status"] != Status.CLOSED:
        resolutions.taken_back(tx, ConversationId(conversation.id))
    tx.conn.execute(
        update(Conversation)
        .where(Conversation.id == conversation.id)
        .values(**values, version=Conversation.version + 1)
    )


def _runs_on_where_it_went(tx: Transaction, merged: ConversationId, goes_on: Row[Any], now: datetime) -> None:
    conversation_id = ConversationId(goes_on.id)
    ledger.move(tx, merged, conversation_id, at=now)
    if goes_on.status == Status.SNOOZED:
        ledger.resume(tx, conversation_id, at=now)  # it is open now: nothing would wake it any more
    tx.conn.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(status=Status.OPEN, closed_at=None, snoozed_until=None, version=Conversation.version + 1)
    )
    tx.record(ConversationChanged(conversation_id))


def _reopen_summary(tx: Transaction, data: Mapping[str, Any]) -> None:
    """The summary of a call is due again when it was taken back."""
    summary = data.get("summary")
    if summary is None:
        return
    changed = tx.conn.execute(
        update(Callback)
        .where(Callback.id == summary["callback"], Callback.state == CallbackState.DONE)
        .values(state=CallbackState.WRAP_UP, settled_at=None, summary={})
        .returning(Callback.conversation_id)
    ).first()
    if changed is not None:
        tx.record(CallbackChanged(ConversationId(changed.conversation_id), CallbackId(summary["callback"])))


def _files_freed(tx: Transaction, entry_id: EntryId) -> list[dict[str, Any]]:
    rows = tx.conn.execute(
        update(Attachment)
        .where(Attachment.entry_id == entry_id)
        .values(entry_id=None, conversation_id=None)
        .returning(Attachment.id, Attachment.name, Attachment.size_bytes)
    ).all()
    return [{"id": row.id, "name": row.name, "size_bytes": row.size_bytes} for row in sorted(rows)]


def _draft_data(data: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    mail = data.get("mail")
    recipients = None
    if mail is not None:
        recipients = {field: [shown(one) for one in mail[field]] for field in ("to", "cc")}
    return {
        "recipients": recipients,
        "attachments": list(files),
        "block": data.get("block"),
        "seen": 0,
        "summary": data.get("summary"),
    }


def shown(one: Mapping[str, str]) -> str:
    return str(one["address"])


def keep_draft(
    tx: Transaction, conversation_id: ConversationId, operator_id: OperatorId, returned: Returned, now: datetime
) -> None:
    """As the author's draft, above whatever they have begun to write since."""
    mine = (
        Draft.conversation_id == conversation_id,
        Draft.operator_id == operator_id,
        Draft.kind == EntryKind.REPLY,
    )
    begun = tx.conn.execute(select(Draft.text).where(*mine)).scalar()
    tx.conn.execute(delete(Draft).where(*mine))
    tx.conn.execute(
        insert(Draft).values(
            conversation_id=conversation_id,
            operator_id=operator_id,
            kind=EntryKind.REPLY,
            text=f"{returned.text}\n\n{begun}" if begun else returned.text,
            data=dict(returned.data),
            saved_at=now,
        )
    )
