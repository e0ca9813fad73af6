"""Adding an entry: the one place that numbers entries and keeps the conversation's row in step with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from inbox import resolutions
from inbox.errors import NotFound
from inbox.events import EntryAdded
from inbox.people import handling
from inbox.queue_key import queue_key
from inbox.store.models import Conversation, Entry, table
from inbox.store.prepared import Prepared
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
    Status,
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
    filed: bool = False  # of long ago: what is newer in the conversation goes on being its newest


@dataclass(frozen=True, slots=True)
class Added:
    entry_id: EntryId
    number: int


_LOCKED = Prepared(select(Conversation.__table__).where(Conversation.id == bindparam("id")).with_for_update())

_ENTRY_COLUMNS = (
    "conversation_id", "number", "kind", "channel", "author", "contact_id", "operator_id", "text", "html", "data",
    "created_at", "client_key", "delivery", "arrival_id",
)  # fmt: skip

_INSERT_ENTRY = Prepared(
    insert(table(Entry)).values({c: bindparam(c) for c in _ENTRY_COLUMNS}).returning(table(Entry).c.id)
)


@lru_cache(64)
def _advance(changed: tuple[str, ...]) -> Prepared:
    """Raise number and version of a conversation and set the columns `changed`."""
    conversations = table(Conversation)
    return Prepared(
        update(conversations)
        .where(conversations.c.id == bindparam("conversation"))
        .values(
            {
                **{column: bindparam(f"new_{column}", type_=conversations.c[column].type) for column in changed},
                "last_number": conversations.c.last_number + 1,
                "version": conversations.c.version + 1,
            }
        )
        .returning(conversations.c.last_number)
    )


def locked(tx: Transaction, conversation_id: ConversationId) -> Any:
    """The conversation's row, held until the commit. Raises NotFound."""
    row = _LOCKED.first(tx.conn, id=conversation_id)
    if row is None:
        raise NotFound
    return row


def append(tx: Transaction, conversation: Any, entry: NewEntry, *, now: datetime, **changes: Any) -> Added:
    """Add an entry to a locked conversation; `changes` are further columns of the conversation and their new values.

    Only what people say moves the conversation's time of activity and the line shown in the queue.
    """
    spoken = entry.kind in (EntryKind.MESSAGE, EntryKind.REPLY, EntryKind.CALL, EntryKind.CALLBACK)
    if spoken and not (entry.filed and now < conversation.active_at):
        changes["active_at"] = now
        changes.setdefault("snippet", snippet(entry.text))
        changes["queue_key"] = queue_key(changes.get("due_at", conversation.due_at), now)
    number = _advance(tuple(sorted(changes))).scalar(
        tx.conn, conversation=conversation.id, **{f"new_{column}": value for column, value in changes.items()}
    )
    entry_id = EntryId(
        _INSERT_ENTRY.scalar(
            tx.conn,
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
    )
    if entry.operator_id is not None:
        handling.active(tx, entry.operator_id, ConversationId(conversation.id), at=now)
    if conversation.status == Status.CLOSED and changes.get("status", Status.CLOSED) != Status.CLOSED:
        resolutions.reopened(tx, ConversationId(conversation.id), at=now)
    return Added(entry_id, number)


def say(
    tx: Transaction,
    conversation: Any,
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
