"""What a screen shows of one conversation: its head, its timeline, its customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from inbox import image_senders, later
from inbox.call_facts import WITHHELD
from inbox.errors import NotFound
from inbox.later import Planned
from inbox.mail_trust import is_doubtful
from inbox.queue import QueueRow, row
from inbox.store.models import (
    Address,
    Attachment,
    AutoreplyDecision,
    Callback,
    Contact,
    Conversation,
    Draft,
    Entry,
    Operator,
    Organisation,
    Participant,
)
from inbox.vocabulary import (
    PUBLIC_KINDS,
    AddressKind,
    AttachmentId,
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

_SHOWN = Address.value.not_like(f"{WITHHELD}%")
"""A withheld caller's address stands for one call; people cannot use it."""

WINDOW = 100
"""Entries in one piece of a timeline."""


@dataclass(frozen=True, slots=True)
class AttachmentRecord:
    id: AttachmentId
    name: str
    media_type: str
    size_bytes: int
    digest: str
    content_id: str | None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    id: EntryId
    number: int
    kind: EntryKind
    channel: ChannelKind | None
    author: Author
    author_name: str
    operator_id: OperatorId | None
    text: str
    has_html: bool
    data: Mapping[str, Any]
    created_at: datetime
    delivery: Delivery | None
    delivery_error: str | None
    client_key: str | None
    attachments: Sequence[AttachmentRecord] = ()
    shows_images: bool = False  # remote pictures of this sender are shown without asking


@dataclass(frozen=True, slots=True)
class AddressRecord:
    kind: AddressKind
    written: str
    failing: bool


@dataclass(frozen=True, slots=True)
class ParticipantRecord:
    kind: AddressKind
    written: str
    name: str
    contact_id: ContactId
    stranger: bool  # joined by holding one of our ids; gets nothing automatically


@dataclass(frozen=True, slots=True)
class OtherConversation:
    id: ConversationId
    subject: str
    status: Status
    channel: ChannelKind
    active_at: datetime
    owner_name: str


@dataclass(frozen=True, slots=True)
class CustomerCard:
    contact_id: ContactId
    name: str
    language: str | None
    zone: str | None
    tier: str | None
    note: str
    organisation: str
    since: datetime
    addresses: Sequence[AddressRecord]
    others: Sequence[OtherConversation]


@dataclass(frozen=True, slots=True)
class CallbackRecord:
    id: int
    state: str
    number: str | None
    owner_id: OperatorId | None
    owner_name: str
    due_at: datetime
    claimed_until: datetime | None
    slot_from: datetime | None
    slot_to: datetime | None
    missed_calls: int
    attempts: int


@dataclass(frozen=True, slots=True)
class DraftRecord:
    kind: str
    text: str
    data: Mapping[str, Any]
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class AutomaticDecision:
    sent: bool
    reason: str
    text_name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ConversationView:
    """Everything the workspace needs to open a conversation, in one read."""

    row: QueueRow
    language: str | None
    answer_by: ChannelKind | None
    visitor_seen: int
    source: Mapping[str, Any]
    merged_into_id: ConversationId | None
    entries: Sequence[TimelineEntry]
    more_before: int | None  # number to page from, when older entries exist
    card: CustomerCard
    participants: Sequence[ParticipantRecord]
    callback: CallbackRecord | None
    drafts: Sequence[DraftRecord]
    planned: Sequence[Planned]
    automatic: Sequence[AutomaticDecision]


def open_conversation(conn: Connection, conversation_id: ConversationId, viewer: OperatorId) -> ConversationView:
    """Raises NotFound."""
    shown = row(conn, conversation_id)
    if shown is None:
        raise NotFound
    head = conn.execute(select(Conversation.__table__).where(Conversation.id == conversation_id)).one()
    entries = timeline(conn, conversation_id)
    return ConversationView(
        row=shown,
        language=head.language,
        answer_by=ChannelKind(head.answer_by) if head.answer_by else None,
        visitor_seen=head.visitor_seen,
        source=head.source,
        merged_into_id=head.merged_into_id,
        entries=entries,
        more_before=earlier(conn, conversation_id, entries),
        card=card(conn, ContactId(head.contact_id), conversation_id),
        participants=_participants(conn, conversation_id),
        callback=_callback(conn, conversation_id),
        drafts=[
            DraftRecord(d.kind, d.text, d.data, d.saved_at)
            for d in conn.execute(
                select(Draft.kind, Draft.text, Draft.data, Draft.saved_at).where(
                    Draft.conversation_id == conversation_id, Draft.operator_id == viewer
                )
            )
        ],
        planned=later.of_conversation(conn, conversation_id),
        automatic=[
            AutomaticDecision(d.sent, d.reason, d.text_name, d.at)
            for d in conn.execute(
                select(
                    AutoreplyDecision.sent, AutoreplyDecision.reason, AutoreplyDecision.text_name, AutoreplyDecision.at
                )
                .where(AutoreplyDecision.conversation_id == conversation_id)
                .order_by(AutoreplyDecision.id.desc())
                .limit(10)
            )
        ],
    )


def must_exist(conn: Connection, conversation_id: ConversationId) -> None:
    """Raises NotFound."""
    if conn.execute(select(Conversation.id).where(Conversation.id == conversation_id)).first() is None:
        raise NotFound


def timeline(
    conn: Connection,
    conversation_id: ConversationId,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = WINDOW,
    public_only: bool = False,
) -> list[TimelineEntry]:
    """A piece of the timeline, oldest first: the newest `limit`, those before, or those after an entry number."""
    query = _entries().where(Entry.conversation_id == conversation_id)
    if public_only:
        query = query.where(Entry.kind.in_(PUBLIC_KINDS))
    if after is not None:
        rows = list(conn.execute(query.where(Entry.number > after).order_by(Entry.number).limit(limit)))
    else:
        if before is not None:
            query = query.where(Entry.number < before)
        rows = list(conn.execute(query.order_by(Entry.number.desc()).limit(limit)))[::-1]
    return _timeline(conn, rows)


def earlier(conn: Connection, conversation_id: ConversationId, entries: Sequence[TimelineEntry]) -> int | None:
    """The number to page from, where something was said before these entries. Splitting leaves gaps in the numbers."""
    if not entries or entries[0].number <= 1:
        return None
    first = entries[0].number
    found = conn.execute(
        select(Entry.id).where(Entry.conversation_id == conversation_id, Entry.number < first).limit(1)
    ).first()
    return None if found is None else first


def entry(conn: Connection, entry_id: EntryId) -> tuple[ConversationId, TimelineEntry]:
    """Raises NotFound."""
    rows = list(conn.execute(_entries().where(Entry.id == entry_id)))
    if not rows:
        raise NotFound("entry")
    return ConversationId(rows[0].conversation_id), _timeline(conn, rows)[0]


def entry_html(conn: Connection, entry_id: EntryId) -> tuple[ConversationId, str | None]:
    """The sanitised HTML of an entry. Raises NotFound."""
    found = conn.execute(select(Entry.conversation_id, Entry.html).where(Entry.id == entry_id)).first()
    if found is None:
        raise NotFound("entry")
    return ConversationId(found.conversation_id), found.html


def card(conn: Connection, contact_id: ContactId, besides: ConversationId | None = None) -> CustomerCard:
    contact = conn.execute(
        select(Contact.__table__, Organisation.name.label("organisation"))
        .outerjoin(Organisation, Organisation.id == Contact.organisation_id)
        .where(Contact.id == contact_id)
    ).first()
    if contact is None:
        raise NotFound("customer")
    others = conn.execute(
        select(
            Conversation.id,
            Conversation.subject,
            Conversation.status,
            Conversation.channel,
            Conversation.active_at,
            Operator.name,
        )
        .outerjoin(Operator, Operator.id == Conversation.owner_id)
        .where(
            Conversation.contact_id == contact_id,
            Conversation.id != (besides or 0),
            Conversation.merged_into_id.is_(None),
        )
        .order_by(Conversation.id.desc())
        .limit(10)
    )
    return CustomerCard(
        contact_id=contact_id,
        name=contact.name,
        language=contact.language,
        zone=contact.zone,
        tier=contact.tier,
        note=contact.note,
        organisation=contact.organisation or "",
        since=contact.created_at,
        addresses=[
            AddressRecord(AddressKind(a.kind), a.written, a.failing_since is not None)
            for a in conn.execute(
                select(Address.kind, Address.written, Address.failing_since)
                .where(Address.contact_id == contact_id, Address.kind != AddressKind.VISITOR, _SHOWN)
                .order_by(Address.id)
            )
        ],
        others=[
            OtherConversation(
                ConversationId(o.id), o.subject, Status(o.status), ChannelKind(o.channel), o.active_at, o.name or ""
            )
            for o in others
        ],
    )


def _entries() -> Any:
    return (
        select(
            Entry.id,
            Entry.conversation_id,
            Entry.number,
            Entry.kind,
            Entry.channel,
            Entry.author,
            Entry.operator_id,
            Entry.text,
            Entry.html.is_not(None).label("has_html"),
            Entry.data,
            Entry.created_at,
            Entry.delivery,
            Entry.delivery_error,
            Entry.client_key,
            Contact.name.label("contact_name"),
            Operator.name.label("operator_name"),
        )
        .outerjoin(Contact, Contact.id == Entry.contact_id)
        .outerjoin(Operator, Operator.id == Entry.operator_id)
    )


def _timeline(conn: Connection, rows: Sequence[Row[Any]]) -> list[TimelineEntry]:
    attached: dict[int, list[AttachmentRecord]] = {}
    if rows:
        for a in conn.execute(
            select(Attachment.__table__).where(Attachment.entry_id.in_([r.id for r in rows])).order_by(Attachment.id)
        ):
            attached.setdefault(a.entry_id, []).append(
                AttachmentRecord(AttachmentId(a.id), a.name, a.media_type, a.size_bytes, a.digest, a.content_id)
            )
    pictured = [r.data for r in rows if (r.data.get("mail") or {}).get("remote_images")]
    shown_for = image_senders.shown_for(conn, pictured)
    return [
        TimelineEntry(
            id=EntryId(r.id),
            number=r.number,
            kind=EntryKind(r.kind),
            channel=ChannelKind(r.channel) if r.channel else None,
            author=Author(r.author),
            author_name=r.operator_name or r.contact_name or "",
            operator_id=r.operator_id,
            text=r.text,
            has_html=bool(r.has_html),
            data=r.data,
            created_at=r.created_at,
            delivery=Delivery(r.delivery) if r.delivery else None,
            delivery_error=r.delivery_error,
            client_key=r.client_key,
            attachments=attached.get(r.id, ()),
            shows_images=image_senders.author_of(r.data) in shown_for and not is_doubtful(r.data),
        )
        for r in rows
    ]


def _participants(conn: Connection, conversation_id: ConversationId) -> list[ParticipantRecord]:
    return [
        ParticipantRecord(AddressKind(p.kind), p.written, p.name, ContactId(p.contact_id), p.new_since is not None)
        for p in conn.execute(
            select(Address.kind, Address.written, Contact.name, Contact.id.label("contact_id"), Participant.new_since)
            .join(Participant, Participant.address_id == Address.id)
            .join(Contact, Contact.id == Address.contact_id)
            .where(Participant.conversation_id == conversation_id, _SHOWN)
            .order_by(Participant.id)
        )
    ]


def _callback(conn: Connection, conversation_id: ConversationId) -> CallbackRecord | None:
    """The newest callback of the conversation, whatever its state."""
    c = conn.execute(
        select(Callback.__table__, Operator.name.label("owner_name"))
        .outerjoin(Operator, Operator.id == Callback.owner_id)
        .where(Callback.conversation_id == conversation_id)
        .order_by(Callback.id.desc())
        .limit(1)
    ).first()
    if c is None:
        return None
    return CallbackRecord(
        c.id,
        c.state,
        c.number,
        c.owner_id,
        c.owner_name or "",
        c.due_at,
        c.claimed_until,
        c.slot_from,
        c.slot_to,
        c.missed_calls,
        c.attempts,
    )
