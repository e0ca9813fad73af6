"""Which conversation a Message-ID, a reply token or a subject belongs to, and the mails of a conversation.

Ids are compared whole. `ours` marks ids made by us and random: holding one proves having received that mail. An id
without an entry is awaited: some mail named it as its parent before it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from inbox.errors import NotFound
from inbox.store.models import Address, Contact, Conversation, Entry, MailId, Participant, table
from inbox.store.prepared import Prepared
from inbox.store.transaction import Transaction
from inbox.vocabulary import (
    AddressKind,
    Author,
    ChannelKind,
    ConversationId,
    EntryId,
    EntryKind,
    OperatorId,
    Status,
)

MAX_ID_CHARS = 998
MERGES_FOLLOWED = 20


@dataclass(frozen=True, slots=True)
class KnownMail:
    message_id: str
    conversation_id: ConversationId
    entry_id: EntryId | None
    ours: bool
    digest: str


@dataclass(frozen=True, slots=True)
class SentMail:
    """One mail of a conversation, in or out, as its entry keeps it."""

    entry_id: EntryId
    number: int
    kind: EntryKind
    author: Author
    text: str
    data: Mapping[str, Any]
    created_at: datetime


_MAIL_ID_COLUMNS = ("message_id", "conversation_id", "entry_id", "ours", "digest")
_ADD = Prepared(insert(table(MailId)).values({c: bindparam(c) for c in _MAIL_ID_COLUMNS}))
_REGISTERED = Prepared(
    select(MailId.id, MailId.entry_id).where(
        MailId.message_id == bindparam("message_id"), MailId.conversation_id == bindparam("conversation")
    )
)
_HAS_COME = Prepared(
    update(table(MailId))
    .where(table(MailId).c.id == bindparam("row"))
    .values(entry_id=bindparam("entry_id"), ours=bindparam("ours"), digest=bindparam("digest"))
)
_ASKED_AT_ONCE = (4, 16, 64, 256)


def _known(several: int) -> Prepared:
    return Prepared(
        select(
            MailId.message_id,
            MailId.conversation_id,
            MailId.entry_id,
            MailId.ours,
            MailId.digest,
            Conversation.merged_into_id,
        )
        .join(Conversation, Conversation.id == MailId.conversation_id)
        .where(MailId.message_id.in_([bindparam(f"id{number}") for number in range(several)]))
        .order_by(MailId.id)
        .limit(1000)
    )


_KNOWN = {several: _known(several) for several in _ASKED_AT_ONCE}


def register(
    tx: Transaction,
    message_id: str,
    conversation_id: ConversationId,
    *,
    entry_id: EntryId | None,
    ours: bool,
    digest: str = "",
) -> None:
    """Remember an id. Registering the same mail again changes nothing; an awaited id gets its entry."""
    message_id = message_id[:MAX_ID_CHARS]
    if ours and entry_id is not None:  # it may have been split off while the mail was on its way
        at = tx.conn.execute(select(Entry.conversation_id).where(Entry.id == entry_id)).scalar()
        conversation_id = surviving(tx.conn, ConversationId(at if at is not None else conversation_id))
    rows = _REGISTERED.all(tx.conn, message_id=message_id, conversation=conversation_id)
    if any(row.entry_id == entry_id or entry_id is None for row in rows):
        return
    awaited = next((row.id for row in rows if row.entry_id is None), None)
    if awaited is not None:
        _HAS_COME.run(tx.conn, row=awaited, entry_id=entry_id, ours=ours, digest=digest)
        return
    _ADD.run(
        tx.conn,
        message_id=message_id,
        conversation_id=conversation_id,
        entry_id=entry_id,
        ours=ours,
        digest=digest,
    )


def find(conn: Connection, message_ids: Sequence[str]) -> list[KnownMail]:
    """What is known of these ids; conversations that were merged count as the one they went into."""
    wanted = list(dict.fromkeys(one[:MAX_ID_CHARS] for one in message_ids if one))
    found: list[KnownMail] = []
    while wanted:
        several = next((size for size in _ASKED_AT_ONCE if size >= len(wanted)), _ASKED_AT_ONCE[-1])
        some, wanted = wanted[:several], wanted[several:]
        some += some[-1:] * (several - len(some))
        rows = _KNOWN[several].all(conn, **{f"id{number}": one for number, one in enumerate(some)})
        found += [
            KnownMail(row.message_id, _surviving(conn, row), _entry_id(row.entry_id), row.ours, row.digest)
            for row in rows
        ]
    return found


def by_token(conn: Connection, token: str) -> ConversationId | None:
    """The conversation a reply token was made for."""
    row = conn.execute(
        select(Conversation.id.label("conversation_id"), Conversation.merged_into_id).where(
            Conversation.reply_token == token
        )
    ).first()
    return None if row is None else _surviving(conn, row)


def split_off_from(conn: Connection, conversation_id: ConversationId) -> ConversationId | None:
    """The conversation this one was split off; None when it began by itself."""
    lines = conn.execute(
        select(Entry.data).where(Entry.conversation_id == conversation_id, Entry.kind == EntryKind.STATUS)
    ).scalars()
    return next((surviving(conn, data["other"]) for data in lines if data.get("what") == "split_from"), None)


def surviving(conn: Connection, conversation_id: ConversationId) -> ConversationId:
    """The conversation itself, or the one in which it goes on after merging. Raises NotFound."""
    row = conn.execute(
        select(Conversation.id.label("conversation_id"), Conversation.merged_into_id).where(
            Conversation.id == conversation_id
        )
    ).first()
    if row is None:
        raise NotFound
    return _surviving(conn, row)


def reply_token(conn: Connection, conversation_id: ConversationId) -> str:
    return conn.execute(select(Conversation.reply_token).where(Conversation.id == conversation_id)).scalar_one()


def subject_of(conn: Connection, conversation_id: ConversationId) -> str:
    return conn.execute(select(Conversation.subject).where(Conversation.id == conversation_id)).scalar_one()


_TAKES_PART = Prepared(
    select(Participant.id)
    .join(Address, Address.id == Participant.address_id)
    .where(
        Participant.conversation_id == bindparam("conversation"),
        Address.kind == AddressKind.EMAIL,
        Address.value == bindparam("address"),
    )
    .limit(1)
)


def closed_at(conn: Connection, conversation_id: ConversationId) -> datetime | None:
    """None while it is not closed."""
    return conn.execute(
        select(Conversation.closed_at).where(Conversation.id == conversation_id, Conversation.status == Status.CLOSED)
    ).scalar()


def is_participant(conn: Connection, conversation_id: ConversationId, folded: str) -> bool:
    """Strangers who joined by holding one of our ids are participants from then on."""
    return _TAKES_PART.first(conn, conversation=conversation_id, address=folded) is not None


def recent_subjects(conn: Connection, folded: str, since: datetime) -> list[tuple[ConversationId, str]]:
    """Conversations by mail this address takes part in and which were active since then, newest activity first."""
    return [
        (ConversationId(row.id), row.subject)
        for row in conn.execute(
            select(Conversation.id, Conversation.subject)
            .join(Participant, Participant.conversation_id == Conversation.id)
            .join(Address, Address.id == Participant.address_id)
            .where(
                Address.kind == AddressKind.EMAIL,
                Address.value == folded,
                Conversation.active_at >= since,
                Conversation.merged_into_id.is_(None),
            )
            .order_by(Conversation.active_at.desc(), Conversation.id.desc())
            .limit(50)
        )
    ]


def mails(conn: Connection, conversation_id: ConversationId, *, limit: int = 20) -> list[SentMail]:
    """The public mails of a conversation, newest first."""
    return [
        _mail(row)
        for row in conn.execute(
            select(Entry.id, Entry.number, Entry.kind, Entry.author, Entry.text, Entry.data, Entry.created_at)
            .where(
                Entry.conversation_id == conversation_id,
                Entry.channel == ChannelKind.EMAIL,
                Entry.kind.in_((EntryKind.MESSAGE, EntryKind.REPLY, EntryKind.AUTOREPLY)),
            )
            .order_by(Entry.number.desc())
            .limit(limit)
        )
    ]


def mail(conn: Connection, entry_id: EntryId) -> SentMail | None:
    row = conn.execute(
        select(Entry.id, Entry.number, Entry.kind, Entry.author, Entry.text, Entry.data, Entry.created_at).where(
            Entry.id == entry_id
        )
    ).first()
    return None if row is None else _mail(row)


def mail_in(conn: Connection, conversation_id: ConversationId, entry_id: EntryId) -> SentMail | None:
    """A public mail of this conversation, to be answered; None for anything else."""
    row = conn.execute(
        select(Entry.id, Entry.number, Entry.kind, Entry.author, Entry.text, Entry.data, Entry.created_at).where(
            Entry.id == entry_id,
            Entry.conversation_id == conversation_id,
            Entry.channel == ChannelKind.EMAIL,
            Entry.kind.in_((EntryKind.MESSAGE, EntryKind.REPLY)),
        )
    ).first()
    return None if row is None or not row.data.get("mail") else _mail(row)


@dataclass(frozen=True, slots=True)
class OutgoingFacts:
    """What else is needed to send an entry: who wrote it, its HTML, and the customer's language."""

    operator_id: OperatorId | None
    html: str | None
    language: str | None


def outgoing_facts(conn: Connection, entry_id: EntryId) -> OutgoingFacts:
    row = conn.execute(
        select(Entry.operator_id, Entry.html, Conversation.language, Contact.language.label("contact_language"))
        .join(Conversation, Conversation.id == Entry.conversation_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .where(Entry.id == entry_id)
    ).one()
    return OutgoingFacts(
        None if row.operator_id is None else OperatorId(row.operator_id),
        row.html,
        row.language or row.contact_language,
    )


def address_names(conn: Connection, conversation_id: ConversationId) -> list[tuple[str, bool]]:
    """Mail addresses in a conversation as written, oldest first, and whether each belongs to a stranger who joined."""
    return [
        (row.written, row.new_since is not None)
        for row in conn.execute(
            select(Address.written, Participant.new_since)
            .join(Participant, Participant.address_id == Address.id)
            .where(Participant.conversation_id == conversation_id, Address.kind == AddressKind.EMAIL)
            .order_by(Participant.id)
        )
    ]


def _mail(row: Any) -> SentMail:
    return SentMail(
        EntryId(row.id), row.number, EntryKind(row.kind), Author(row.author), row.text, row.data, row.created_at
    )


def _entry_id(value: int | None) -> EntryId | None:
    return None if value is None else EntryId(value)


def _surviving(conn: Connection, row: Any) -> ConversationId:
    conversation_id, merged = row.conversation_id, row.merged_into_id
    for _ in range(MERGES_FOLLOWED):
        if merged is None:
            break
        conversation_id = merged
        merged = conn.execute(
            select(Conversation.merged_into_id).where(Conversation.id == conversation_id)
        ).scalar_one()
    return ConversationId(conversation_id)
