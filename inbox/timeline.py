"""Adding an entry: the one place that numbers entries and keeps the conversation's row in step with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from inbox.errors import NotFound
from inbox.events import EntryAdded
from inbox.queue_key import queue_key
from inbox.store.models import Conversation, Entry
from inbox.store.transaction import Transaction
from inbox.vocabulary import (
    ArrivalId,
    Author,
    ChannelKind,
    ContactId,
    ConversationId,
    Delivery,
    EntryId,
    EntryKind,
    OperatorId,
)

SNIPPET_CHARS = 140


@dataclass(frozen=True, slots=True)
class NewEntry:
    kind: EntryKind
    author: Author
    text: str = ""
    html: str | None = None
    channel: ChannelKind | None = None
    contact_id: ContactId | None = None
    operator_id: OperatorId | None = None
    data: dict[str, Any] = field(default_factory=dict)
    client_key: str | None = None
    delivery: Delivery | None = None
    arrival_id: ArrivalId | None = None


@dataclass(frozen=True, slots=True)
class Added:
    entry_id: EntryId
    number: int


def locked(tx: Transaction, conversation_id: ConversationId) -> Row[Any]:
    """The conversation's row, held until the commit. Raises NotFound."""
    row = tx.conn.execute(
        select(Conversation.__table__).where(Conversation.id == conversation_id).with_for_update()
    ).first()
    if row is None:
        raise NotFound
    return row


def append(
    tx: Transaction, conversation: Row[Any], entry: NewEntry, *, now: datetime, **changes: Any
) -> Added:
    """Add an entry to a locked conversation; `changes` are further columns of the conversation to set.

    Only what people say moves the conversation's time of activity and the line shown in the queue.
    """
    number = conversation.last_number + 1
    # The row in hand may be older than entries added since by the same use case.
    number = max(number, _newest(tx, conversation.id) + 1) if conversation.last_number else number
    entry_id = EntryId(
        tx.conn.execute(
            insert(Entry).values(
                conversation_id=conversation.id,
                number=number,
                kind=entry.kind,
                channel=entry.channel,
                author=entry.author,
                contact_id=entry.contact_id,
                operator_id=entry.operator_id,
                text=entry.text,
                html=entry.html,
                data=entry.data,
                created_at=now,
                client_key=entry.client_key,
                delivery=entry.delivery,
                arrival_id=entry.arrival_id,
            )
        ).inserted_primary_key[0]
    )
    spoken = entry.kind in (EntryKind.MESSAGE, EntryKind.REPLY, EntryKind.CALL, EntryKind.CALLBACK)
    if spoken:
        changes["active_at"] = now
        changes.setdefault("snippet", snippet(entry.text))
        changes["queue_key"] = queue_key(changes.get("due_at", conversation.due_at), now)
    tx.conn.execute(
        update(Conversation)
        .where(Conversation.id == conversation.id)
        .values(last_number=number, version=Conversation.version + 1, **changes)
    )
    return Added(entry_id, number)


def say(
    tx: Transaction,
    conversation: Row[Any],
    what: str,
    *,
    by: OperatorId | None,
    now: datetime,
    kind: EntryKind = EntryKind.STATUS,
    text: str = "",
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> Added:
    """Add a line about what happened (`what` is a stable word the screens translate) and announce it."""
    added = append(
        tx,
        conversation,
        NewEntry(
            kind=kind,
            author=Author.SYSTEM if by is None else Author.OPERATOR,
            operator_id=by,
            text=text,
            data={"what": what, **(data or {})},
        ),
        now=now,
        **changes,
    )
    tx.record(EntryAdded(ConversationId(conversation.id), added.entry_id, added.number))
    return added


def snippet(text: str) -> str:
    return " ".join(text[: SNIPPET_CHARS * 4].split())[:SNIPPET_CHARS]


def _newest(tx: Transaction, conversation_id: int) -> int:
    return tx.conn.execute(
        select(Conversation.last_number).where(Conversation.id == conversation_id)
    ).scalar_one()
