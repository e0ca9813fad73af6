"""What a visitor of a website may do and see: only conversations in which their own visitor address takes part.

A visitor is an address of kind VISITOR, proved by the signed token that `channels/chat` gives out. Mail addresses and
numbers they type are ways to answer, never proof of being somebody. Of a conversation they see what was said over
chat: a thread merged into theirs by an operator stays invisible to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, func, or_, select

from inbox import callbacks, deliveries, ratings
from inbox.callbacks import Slot
from inbox.errors import BadInput, NotFound
from inbox.events import ConversationChanged
from inbox.mail_trust import is_doubtful
from inbox.people import contacts
from inbox.people.contacts import AddressLine, Sender
from inbox.receive import Incoming, Received, receive
from inbox.store.models import Address, Attachment, Conversation, Entry, Operator, Participant, Wait
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import (
    PUBLIC_KINDS,
    AddressKind,
    AttachmentId,
    Author,
    ChannelKind,
    ConversationId,
    EntryId,
    EntryKind,
    Status,
)
from inbox.waits import calendar

SHOWN = 100
"""Entries a visitor gets at once."""


@dataclass(frozen=True, slots=True)
class PublicFile:
    id: AttachmentId
    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PublicEntry:
    """`author` is "you", "operator" or "desk"; `client_id` names the visitor's own message."""

    number: int
    kind: EntryKind
    author: str
    author_name: str
    text: str
    at: datetime
    client_id: str | None
    attachments: Sequence[PublicFile] = ()
    by_mail: bool = False


@dataclass(frozen=True, slots=True)
class VisitorConversation:
    id: ConversationId
    status: Status
    waiting: bool
    answer_by: ChannelKind | None
    owner_name: str
    last_number: int
    visitor_seen: int
    read_up_to: int  # own entries up to this number have certainly been read: a person answered after them
    reachable: bool  # a mail address or number is known
    gone: bool  # was seen leaving
    mail_to: str  # the address they gave, hidden but for its beginning; empty when there is none
    entries: Sequence[PublicEntry]


def current(conn: Connection, visitor: str, *, rejoin_closed: timedelta, now: datetime) -> VisitorConversation | None:
    """The conversation a visitor is in, if it still goes on."""
    row = conn.execute(newest(visitor)).first()
    if row is None:
        return None
    if row.status == Status.CLOSED and (row.closed_at is None or row.closed_at < now - rejoin_closed):
        return None
    conversation_id = ConversationId(row.id)
    return VisitorConversation(
        id=conversation_id,
        status=Status(row.status),
        waiting=row.wait_id is not None,
        answer_by=ChannelKind(row.answer_by) if row.answer_by else None,
        owner_name=row.owner_name or "",
        last_number=row.last_number,
        visitor_seen=row.visitor_seen,
        read_up_to=_read_up_to(conn, conversation_id),
        reachable=bool(ways(conn, conversation_id)),
        gone=row.visitor_left_at is not None or row.visitor_away_at is not None,
        mail_to=_own_address(conn, conversation_id, row.contact_id),
        entries=entries(conn, conversation_id, visitor),
    )


def resumed(conn: Connection, visitor: str, after: int, conversation_id: ConversationId) -> list[PublicEntry]:
    """What was said since entry `after`. Raises NotFound unless the visitor takes part."""
    _require_part(conn, visitor, conversation_id)
    return entries(conn, conversation_id, visitor, after=after)


def entries(
    conn: Connection,
    conversation_id: ConversationId,
    visitor: str,
    *,
    after: int | None = None,
    only: Iterable[int] | None = None,
) -> list[PublicEntry]:
    """What was said over chat, oldest first: the newest, those after a number, or those with the given ids."""
    query = (
        select(
            Entry.id,
            Entry.number,
            Entry.kind,
            Entry.author,
            Entry.text,
            Entry.channel,
            Entry.data,
            Entry.created_at,
            Entry.client_key,
            Operator.name.label("operator_name"),
        )
        .outerjoin(Operator, Operator.id == Entry.operator_id)
        .where(
            Entry.conversation_id == conversation_id,
            Entry.kind.in_(PUBLIC_KINDS),
            or_(Entry.channel == ChannelKind.CHAT, Entry.data["in_widget"].as_boolean()),
        )
    )
    if only is not None:
        rows = list(conn.execute(query.where(Entry.id.in_(list(only))).order_by(Entry.number)))
    elif after is not None:
        rows = list(conn.execute(query.where(Entry.number > after).order_by(Entry.number).limit(SHOWN)))
    else:
        rows = list(conn.execute(query.order_by(Entry.number.desc()).limit(SHOWN)))[::-1]
    files = _files(conn, [row.id for row in rows])
    mine = f"visitor:{visitor}:"
    return [
        PublicEntry(
            number=row.number,
            kind=EntryKind(row.kind),
            author={Author.CONTACT: "you", Author.OPERATOR: "operator"}.get(Author(row.author), "desk"),
            author_name=row.operator_name or "",
            text=row.data.get("mail", {}).get("new_text") or row.text,
            at=row.created_at,
            client_id=row.client_key.removeprefix(mine) if (row.client_key or "").startswith(mine) else None,
            attachments=files.get(row.id, ()) if row.channel == ChannelKind.CHAT else (),
            by_mail=row.channel == ChannelKind.EMAIL,
        )
        for row in rows
        if not is_doubtful(row.data)
    ]


def said_to(conn: Connection, news: Sequence[tuple[ConversationId, EntryId]]) -> list[tuple[str, PublicEntry]]:
    """For entries just written: who among the visitors must see which."""
    found: list[tuple[str, PublicEntry]] = []
    by_conversation: dict[ConversationId, list[int]] = {}
    for conversation_id, entry_id in news:
        by_conversation.setdefault(conversation_id, []).append(entry_id)
    for conversation_id, ids in by_conversation.items():
        for visitor in of_conversation(conn, conversation_id):
            found += [(visitor, entry) for entry in entries(conn, conversation_id, visitor, only=ids)]
    return found


def of_conversation(conn: Connection, conversation_id: ConversationId) -> list[str]:
    """The visitors who take part."""
    return contacts.participant_values(conn, conversation_id, AddressKind.VISITOR)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a conversation stands, for the widget's head line."""

    status: Status
    waiting: bool
    owner_name: str
    answer_by: ChannelKind | None


def standings(
    conn: Connection, conversation_ids: Iterable[ConversationId]
) -> list[tuple[str, ConversationId, Standing]]:
    """For conversations that have changed: each visitor in them, and how they stand."""
    rows = conn.execute(
        select(
            Address.value,
            Conversation.id,
            Conversation.status,
            Conversation.wait_id,
            Conversation.answer_by,
            Operator.name.label("owner_name"),
        )
        .join(Participant, Participant.conversation_id == Conversation.id)
        .join(Address, Address.id == Participant.address_id)
        .outerjoin(Operator, Operator.id == Conversation.owner_id)
        .where(Conversation.id.in_(list(conversation_ids)), Address.kind == AddressKind.VISITOR)
    )
    return [
        (
            row.value,
            ConversationId(row.id),
            Standing(
                Status(row.status),
                row.wait_id is not None,
                row.owner_name or "",
                ChannelKind(row.answer_by) if row.answer_by else None,
            ),
        )
        for row in rows
    ]


def waited(
    conn: Connection, conversation_ids: Sequence[ConversationId], now: datetime
) -> dict[ConversationId, timedelta]:
    """How much opening time has passed in the running waits of these conversations, agreed pauses left out."""
    if not conversation_ids:
        return {}
    hours = calendar.current(conn, now).hours
    return {
        ConversationId(row.conversation_id): hours.open_time(row.started_at, row.paused_at or now)
        - timedelta(seconds=row.paused_s)
        for row in conn.execute(
            select(Wait.conversation_id, Wait.started_at, Wait.paused_at, Wait.paused_s).where(
                Wait.conversation_id.in_(conversation_ids), Wait.ended_at.is_(None)
            )
        )
    }


def file_for(conn: Connection, visitor: str, attachment_id: AttachmentId) -> None:
    """Raises NotFound unless the visitor may have this file: their own upload, or sent to them over chat."""
    row = conn.execute(
        select(Attachment.uploaded_by, Attachment.conversation_id, Entry.kind, Entry.channel)
        .outerjoin(Entry, Entry.id == Attachment.entry_id)
        .where(Attachment.id == attachment_id)
    ).first()
    if row is None:
        raise NotFound("file")
    if row.uploaded_by == uploader(visitor):
        return
    if row.kind not in PUBLIC_KINDS or row.channel != ChannelKind.CHAT or row.conversation_id is None:
        raise NotFound("file")
    _require_part(conn, visitor, ConversationId(row.conversation_id))


def uploader(visitor: str) -> str:
    """How a visitor's uploads are signed."""
    return f"visitor:{visitor}"[:40]


def write(tx: Transaction, visitor: str, incoming: Incoming, *, now: datetime) -> Received:
    """A visitor's message or question. Raises BadInput for files that aren't theirs."""
    if incoming.attachments:
        mine = tx.conn.execute(
            select(func.count()).where(
                Attachment.id.in_(incoming.attachments), Attachment.uploaded_by == uploader(visitor)
            )
        ).scalar_one()
        if mine != len(set(incoming.attachments)):
            raise BadInput("attachments", "This file is gone. Attach it again.")
    return receive(tx, incoming, now=now)


def ask_callback(
    tx: Transaction, visitor: str, incoming: Incoming, number: str, slot: Slot | None, *, now: datetime
) -> Received:
    """A visitor wants to be rung: what they wrote with it, then the callback. Asking again doubles nothing."""
    received = write(tx, visitor, incoming, now=now)
    if not received.duplicate:
        callbacks.create(tx, received.conversation_id, number=number, slot=slot, now=now)
    return received


def give_contact(tx: Transaction, sender: Sender, conversation_id: ConversationId | None, *, now: datetime) -> None:
    """Note a name and ways to answer that a visitor typed."""
    known = contacts.ensure(tx, sender, now=now)
    for line in sender.claimed:
        address_id = contacts.add_address(tx, known.contact_id, line, now=now)
        if address_id is None:
            address_id = contacts.ensure_address(tx, line, "", now=now)
        if conversation_id is not None:
            contacts.join(tx, conversation_id, address_id, now=now)
    if conversation_id is not None:
        tx.record(ConversationChanged(conversation_id))


def answer_by(tx: Transaction, conversation_id: ConversationId, channel: ChannelKind, *, now: datetime) -> None:
    """The visitor wants the answer another way; their place and their wait stay."""
    conversation = locked(tx, conversation_id)
    if conversation.answer_by == channel:
        return
    say(tx, conversation, "answer_by", by=None, now=now, data={"channel": channel}, answer_by=channel)
    tx.record(ConversationChanged(conversation_id))


def has(
    tx: Transaction, visitor: str, conversation_id: ConversationId, up_to: int, *, read: bool, now: datetime
) -> None:
    """The visitor's browser has received, or the visitor has read, up to entry `up_to`. Raises NotFound."""
    _require_part(tx.conn, visitor, conversation_id)
    deliveries.visitor_has(tx, conversation_id, up_to, read=read, now=now)


def rate(
    tx: Transaction, visitor: str, score: int, words: str | None, *, rejoin_closed: timedelta, now: datetime
) -> None:
    """What the visitor thinks of the conversation they were in last. Raises NotFound once that is over for good."""
    found = current(tx.conn, visitor, rejoin_closed=rejoin_closed, now=now)
    if found is None:
        raise NotFound
    ratings.rate(tx, found.id, score, words, now=now)


def newest(visitor: str) -> Any:
    """The query for the conversation a visitor joined last."""
    return (
        select(
            Conversation.id,
            Conversation.status,
            Conversation.closed_at,
            Conversation.wait_id,
            Conversation.channel,
            Conversation.answer_by,
            Conversation.last_number,
            Conversation.visitor_seen,
            Conversation.visitor_left_at,
            Conversation.visitor_away_at,
            Conversation.contact_id,
            Operator.name.label("owner_name"),
        )
        .join(Participant, Participant.conversation_id == Conversation.id)
        .join(Address, Address.id == Participant.address_id)
        .outerjoin(Operator, Operator.id == Conversation.owner_id)
        .where(
            Address.kind == AddressKind.VISITOR,
            Address.value == visitor,
            Conversation.merged_into_id.is_(None),
            Conversation.spam.is_(False),
        )
        .order_by(Participant.id.desc())
        .limit(1)
    )


def _own_address(conn: Connection, conversation_id: ConversationId, contact_id: int) -> str:
    """Where mail to this visitor goes: enough to know it again, too little to learn somebody else's."""
    written = conn.execute(
        select(Address.written)
        .join(Participant, Participant.address_id == Address.id)
        .where(
            Participant.conversation_id == conversation_id,
            Address.kind == AddressKind.EMAIL,
            Participant.new_since.is_(None),
        )
        .order_by((Address.contact_id != contact_id), Participant.id.desc())
        .limit(1)
    ).scalar()
    if written is None:
        return ""
    return hidden(written)


def hidden(written: str) -> str:
    local, _, domain = written.rpartition("@")
    return f"{local[:1]}…@{domain}"


def _require_part(conn: Connection, visitor: str, conversation_id: ConversationId) -> None:
    takes_part = conn.execute(
        select(
            exists().where(
                Participant.conversation_id == conversation_id,
                Participant.address_id == Address.id,
                Address.kind == AddressKind.VISITOR,
                Address.value == visitor,
            )
        )
    ).scalar()
    if not takes_part:
        raise NotFound


def _read_up_to(conn: Connection, conversation_id: ConversationId) -> int:
    return (
        conn.execute(
            select(func.max(Entry.number)).where(
                Entry.conversation_id == conversation_id, Entry.kind == EntryKind.REPLY
            )
        ).scalar()
        or 0
    )


def ways(conn: Connection, conversation_id: ConversationId) -> set[AddressKind]:
    """Kinds of addresses under which the customer can be reached after they left the website."""
    return {
        AddressKind(kind)
        for kind in conn.execute(
            select(Address.kind)
            .distinct()
            .join(Participant, Participant.address_id == Address.id)
            .where(Participant.conversation_id == conversation_id, Address.kind != AddressKind.VISITOR)
        ).scalars()
    }


def _files(conn: Connection, entry_ids: Sequence[int]) -> dict[int, list[PublicFile]]:
    found: dict[int, list[PublicFile]] = {}
    if entry_ids:
        for row in conn.execute(
            select(Attachment.id, Attachment.entry_id, Attachment.name, Attachment.media_type, Attachment.size_bytes)
            .where(Attachment.entry_id.in_(entry_ids))
            .order_by(Attachment.id)
        ):
            found.setdefault(row.entry_id, []).append(
                PublicFile(AttachmentId(row.id), row.name, row.media_type, row.size_bytes)
            )
    return found


def visitor_line(visitor: str) -> AddressLine:
    return AddressLine(AddressKind.VISITOR, visitor)
