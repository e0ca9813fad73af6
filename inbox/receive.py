"""The one way in: everything a customer does, over any channel, enters by `receive`.

In one transaction: seen before? whose? which conversation? entry, status, wait. What must follow (the automatic
reply, screens) hangs on the recorded events: see `DURABLE` in `web/app.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, insert, select, update

from inbox import touchpoints
from inbox.events import ConversationChanged, MessageReceived
from inbox.people import contacts, teams
from inbox.people.contacts import AddressLine, Known, Sender
from inbox.queue_key import queue_key
from inbox.store.models import Attachment, Conversation, Entry, Participant, UtcDateTime, table
from inbox.store.prepared import Prepared
from inbox.store.transaction import Transaction
from inbox.timeline import NewEntry, append, locked, snippet
from inbox.vocabulary import (
    AddressId,
    ArrivalId,
    AttachmentId,
    Author,
    ChannelKind,
    ContactId,
    ConversationId,
    EntryId,
    EntryKind,
    Status,
)
from inbox.waits import ledger


@dataclass(frozen=True, slots=True)
class History:
    """Something of long ago that is only filed: it waits for nobody, reopens nothing and tells no screen.

    A conversation that begins with it has `status`.
    """

    at: datetime
    status: Status = Status.CLOSED


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a customer did, in the desk's words.

    `conversation_id` where the channel knows it belongs; else `join_open` puts it into the sender's newest
    conversation that is not closed (or was closed no longer ago than `rejoin_closed`), else a new one begins.
    `occurred_at` is when the customer began to wait, where that was before it reached us (a call).
    `starts_wait=False` is for machines: kept and shown, but it reopens nothing and starts no clock.
    """

    channel: ChannelKind
    sender: Sender
    text: str
    kind: EntryKind = EntryKind.MESSAGE
    html: str | None = None
    subject: str = ""
    client_key: str | None = None
    conversation_id: ConversationId | None = None
    join_open: bool = False
    rejoin_closed: timedelta = timedelta()
    occurred_at: datetime | None = None
    starts_wait: bool = True
    answer_by: ChannelKind | None = None
    cc: Sequence[AddressLine] = ()
    stranger: bool = False
    takes_part: bool = True  # False: it joins, but its sender and `cc` do not become participants by it
    data: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    attachments: Sequence[AttachmentId] = ()
    arrival_id: ArrivalId | None = None
    history: History | None = None


@dataclass(frozen=True, slots=True)
class Received:
    conversation_id: ConversationId
    entry_id: EntryId
    number: int
    contact_id: ContactId
    began: bool = False
    duplicate: bool = False
    reopened: bool = False


def receive(tx: Transaction, incoming: Incoming, *, now: datetime) -> Received:
    """Store what a customer did, once. The same `client_key` again changes nothing and returns the first result."""
    if incoming.client_key is not None:
        before = _seen(tx, incoming.client_key)
        if before is not None:
            return before
    known = contacts.ensure(tx, incoming.sender, now=now)
    conversation, began = _conversation(tx, incoming, known, now)
    conversation_id = ConversationId(conversation.id)
    number = conversation.last_number + 1
    history = incoming.history
    # What people called spam stays put away.
    starts_wait = incoming.starts_wait and not conversation.spam and history is None
    if began or (incoming.conversation_id is not None and incoming.takes_part):
        _join(tx, conversation_id, incoming, known, number, now, began=began)
    for line in incoming.sender.claimed:
        _note_claim(tx, conversation_id, known, line, now)

    changes: dict[str, Any] = {}
    reopened = False
    if starts_wait:
        reopened = conversation.status != Status.OPEN and not began
        changes = {
            "status": Status.OPEN,
            "closed_at": None,
            "snoozed_until": None,
            "channel": incoming.channel,
            "unread": conversation.unread + 1,
            "visitor_left_at": None,
        }
    elif history is not None and conversation.status == Status.CLOSED:
        changes["closed_at"] = now if conversation.closed_at is None else max(conversation.closed_at, now)
    if incoming.answer_by is not None:
        changes["answer_by"] = incoming.answer_by
    if incoming.subject and not conversation.subject:
        changes["subject"] = incoming.subject[:1000]
    added = append(
        tx,
        conversation,
        NewEntry(
            kind=incoming.kind,
            author=Author.CONTACT,
            text=incoming.text,
            html=incoming.html,
            channel=incoming.channel,
            contact_id=known.contact_id,
            data=dict(incoming.data),
            client_key=incoming.client_key,
            arrival_id=incoming.arrival_id,
            filed=history is not None,
        ),
        now=now,
        **changes,
    )
    if incoming.attachments:
        tx.conn.execute(
            update(Attachment)
            .where(Attachment.id.in_(incoming.attachments), Attachment.entry_id.is_(None))
            .values(entry_id=added.entry_id, conversation_id=conversation_id)
        )
    if history is not None:
        if not began or history.status != Status.CLOSED:
            tx.record(ConversationChanged(conversation_id))
        return Received(conversation_id, added.entry_id, added.number, known.contact_id, began=began)
    tx.record(MessageReceived(conversation_id, added.entry_id, added.number, incoming.channel))
    if starts_wait and conversation.wait_id is not None and conversation.status == Status.SNOOZED:
        ledger.resume(tx, conversation_id, at=now)  # what was agreed is over when the customer writes again
    began_at, said = ledger.believable(incoming.occurred_at, now)
    if starts_wait and (conversation.wait_id is None or began_at < conversation.waiting_since):
        ledger.start(
            tx,
            conversation_id,
            channel=incoming.channel,
            entry_id=added.entry_id,
            at=began_at,
            said=said,
        )
    if began or reopened:
        tx.record(ConversationChanged(conversation_id))
    return Received(conversation_id, added.entry_id, added.number, known.contact_id, began=began, reopened=reopened)


_GOING_ON = Prepared(
    select(Conversation.__table__)
    .join(Participant, Participant.conversation_id == Conversation.id)
    .where(
        Participant.address_id == bindparam("address"),
        Conversation.merged_into_id.is_(None),
        Conversation.spam.is_(False),
        (Conversation.status != Status.CLOSED)
        | (Conversation.closed_at > bindparam("closed_since", type_=UtcDateTime())),
    )
    .order_by(Participant.id.desc())
    .limit(1)
    .with_for_update(of=Conversation.__table__)
)

_SEEN = Prepared(
    select(Entry.id, Entry.number, Entry.conversation_id, Entry.contact_id).where(
        Entry.client_key == bindparam("client_key")
    )
)

_CONVERSATION_COLUMNS = (
    "contact_id", "subject", "status", "spam", "channel", "language", "priority", "last_number", "snippet", "version",
    "created_at", "active_at", "queue_key", "unread", "reply_token", "visitor_seen", "source", "touchpoint_id",
    "team_id",
)  # fmt: skip

_BEGIN = Prepared(
    insert(table(Conversation))
    .values({c: bindparam(c) for c in _CONVERSATION_COLUMNS})
    .returning(*table(Conversation).c)
)


def find_open(tx: Transaction, address_id: AddressId, rejoin_closed: timedelta, now: datetime) -> Any:
    """The newest conversation of an address that is still going on, locked; None when there is none."""
    return _GOING_ON.first(tx.conn, address=address_id, closed_since=now - rejoin_closed)


def _seen(tx: Transaction, client_key: str) -> Received | None:
    row = _SEEN.first(tx.conn, client_key=client_key)
    if row is None:
        return None
    return Received(
        ConversationId(row.conversation_id), EntryId(row.id), row.number, ContactId(row.contact_id), duplicate=True
    )


def _conversation(tx: Transaction, incoming: Incoming, known: Known, now: datetime) -> tuple[Any, bool]:
    if incoming.conversation_id is not None:
        row = locked(tx, incoming.conversation_id)
        while row.merged_into_id is not None:
            row = locked(tx, ConversationId(row.merged_into_id))
        return row, False
    if incoming.join_open:
        found = find_open(tx, known.address_id, incoming.rejoin_closed, now)
        if found is not None:
            return found, False
    return (
        _BEGIN.first(
            tx.conn,
            contact_id=known.contact_id,
            subject=incoming.subject[:1000] or snippet(incoming.text)[:80],
            status=_first_status(incoming),
            spam=False,
            channel=incoming.channel,
            language=incoming.sender.language,
            priority=0,
            last_number=0,
            snippet="",
            version=1,
            created_at=now,
            active_at=now,
            queue_key=queue_key(None, now),
            unread=0,
            reply_token=uuid4().hex,
            visitor_seen=0,
            source=dict(incoming.source),
            touchpoint_id=touchpoints.ensure(tx, incoming.channel, incoming.source),
            team_id=teams.team_of(tx.conn, incoming.channel, incoming.source),
        ),
        True,
    )


def _first_status(incoming: Incoming) -> Status:
    if incoming.history is not None:
        return incoming.history.status
    return Status.OPEN if incoming.starts_wait else Status.CLOSED


def _join(
    tx: Transaction,
    conversation_id: ConversationId,
    incoming: Incoming,
    known: Known,
    number: int,
    now: datetime,
    *,
    began: bool,
) -> None:
    contacts.join(
        tx, conversation_id, known.address_id, now=now, new_since=number if incoming.stranger and not began else None
    )
    for line in incoming.cc:
        contacts.join(tx, conversation_id, contacts.ensure_address(tx, line, "", now=now), now=now)


def _note_claim(
    tx: Transaction, conversation_id: ConversationId, known: Known, line: AddressLine, now: datetime
) -> None:
    address_id = contacts.add_address(tx, known.contact_id, line, now=now)
    if address_id is None:  # somebody else's: a way to answer here, no proof of being them
        address_id = contacts.ensure_address(tx, line, "", now=now)
    contacts.join(tx, conversation_id, address_id, now=now)
