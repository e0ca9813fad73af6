"""Conversations the desk begins: a new matter with one or several people, and an entry forwarded to somebody outside.

They start no wait. What is forwarded is a conversation of its own, so that its answers never come before the customer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from inbox import later, mail_stops
from inbox.errors import BadInput, CannotReach, NotFound
from inbox.events import ConversationChanged
from inbox.people import contacts
from inbox.people.contacts import AddressLine, Sender
from inbox.queue_key import queue_key
from inbox.reply import MAX_KEY_CHARS, Addressings, Block, Recipients, ReplyDraft, Written, check_text, reply
from inbox.store.models import Attachment, Contact, Conversation, Entry, PlannedReply
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import (
    AddressKind,
    AttachmentId,
    ChannelKind,
    ConversationId,
    EntryId,
    EntryKind,
    OperatorId,
    PlannedId,
    Status,
)
from inbox.words import N_

MAX_SUBJECT_CHARS = 500
TOPIC = "outgoing"
"""What somebody who does not want mail to many is unsubscribed from."""
FORWARDED = (EntryKind.MESSAGE, EntryKind.REPLY)
_WRITTEN = re.compile(r"^([^<>]{0,300})<([^<>]{1,330})>\s*$")


@dataclass(frozen=True, slots=True)
class NewMail:
    """`bulk`: mail to many, that can be unsubscribed from; whoever has done so is left out."""

    operator_id: OperatorId
    key: str
    subject: str
    text: str
    recipients: Recipients
    attachments: Sequence[AttachmentId] = ()
    block: Block | None = None
    bulk: bool = False
    hold: timedelta = timedelta()
    send_at: datetime | None = None
    to_failing: bool = False
    forwards: EntryId | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    conversation_id: ConversationId
    written: Written | None  # None: planned for later
    planned: PlannedId | None = None
    left_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Forwarded:
    """An entry as it is quoted to somebody else. `author` is empty where its author's address is not known."""

    conversation_id: ConversationId
    number: int
    subject: str
    author: str
    to: Sequence[str]
    text: str
    created_at: datetime
    attachments: Sequence[AttachmentId]


def begin(tx: Transaction, mail: NewMail, *, addressings: Addressings, now: datetime) -> Begun:
    """Write the first mail of a new conversation. The same key again returns the first result.

    Raises BadInput, CannotReach, AddressFails.
    """
    before = _begun(tx.conn, mail)
    if before is not None:
        return before
    check_text(mail.text, mail.attachments)
    subject = " ".join(mail.subject.split())
    if not subject:
        raise BadInput("subject", N_("A new conversation needs a subject. It stays the same for all that follows."))
    if len(subject) > MAX_SUBJECT_CHARS:
        raise BadInput("subject", N_("A subject has at most %(most)s characters."), most=MAX_SUBJECT_CHARS)
    recipients, left_out = _without_stopped(tx.conn, mail)
    people = [_named(one) for one in (*(recipients.to or ()), *(recipients.cc or ())) if one.strip()]
    if not recipients.to or not people:
        raise BadInput("to", N_("Whom is it for? Write an address under To."))
    name, first = people[0]
    contact_id = contacts.ensure(tx, Sender(first, name), now=now).contact_id
    conversation_id = _conversation(tx, mail, contact_id, subject, now)
    for name, line in people:
        contacts.join(tx, conversation_id, contacts.ensure_address(tx, line, name, now=now), now=now)
    draft = ReplyDraft(
        conversation_id=conversation_id,
        operator_id=mail.operator_id,
        text=mail.text,
        key=mail.key,
        seen=0,
        channel=ChannelKind.EMAIL,
        recipients=recipients,
        attachments=mail.attachments,
        hold=mail.hold,
        block=mail.block,
        to_failing=mail.to_failing,
        data={"begins": True, **({"bulk": True} if mail.bulk else {})},
        even_so=True,
    )
    written: Written | None = None
    planned: PlannedId | None = None
    if mail.send_at is None:
        written = reply(tx, draft, addressings=addressings, now=now)
    else:
        planned = later.plan(tx, draft, mail.send_at, addressings=addressings, now=now)
    if mail.forwards is not None:
        _tell_forwarded(tx, mail, conversation_id, now)
    tx.record(ConversationChanged(conversation_id))
    return Begun(conversation_id, written, planned, left_out)


def forwardable(conn: Connection, entry_id: EntryId) -> Forwarded:
    """What of an entry can go to somebody outside. Raises NotFound for what is no message or answer."""
    row = conn.execute(
        select(Entry.__table__, Contact.name.label("contact_name"), Conversation.subject)
        .join(Conversation, Conversation.id == Entry.conversation_id)
        .outerjoin(Contact, Contact.id == Entry.contact_id)
        .where(Entry.id == entry_id, Entry.kind.in_(FORWARDED))
    ).first()
    if row is None:
        raise NotFound("entry")
    mail = row.data.get("mail", {})
    author = mail.get("author") or {"name": row.contact_name or "", "address": ""}
    files = conn.execute(select(Attachment.id).where(Attachment.entry_id == entry_id).order_by(Attachment.id)).scalars()
    return Forwarded(
        ConversationId(row.conversation_id),
        row.number,
        mail.get("subject") or row.subject,
        _person(author),
        [_person(one) for one in mail.get("to", ())],
        row.text,
        row.created_at,
        [AttachmentId(one) for one in files],
    )


def copy_files(
    tx: Transaction, entry_id: EntryId, *, by: OperatorId, now: datetime
) -> list[tuple[AttachmentId, str, int]]:
    """The files of an entry once more, to be sent with another: (id, name, bytes). Their contents are kept once."""
    rows = tx.conn.execute(
        select(Attachment.__table__).where(Attachment.entry_id == entry_id).order_by(Attachment.id)
    ).all()
    copies = []
    for row in rows:
        copied = tx.conn.execute(
            insert(Attachment)
            .values(
                uploaded_by=f"operator:{by}",
                name=row.name,
                original_name=row.original_name,
                media_type=row.media_type,
                size_bytes=row.size_bytes,
                digest=row.digest,
                content_id=None,
                created_at=now,
            )
            .returning(Attachment.id)
        ).scalar_one()
        copies.append((AttachmentId(copied), str(row.name), int(row.size_bytes)))
    return copies


def _person(one: dict[str, str]) -> str:
    name, address = one.get("name", ""), one.get("address", "")
    return f"{name} <{address}>" if name and address else name or address


def _without_stopped(conn: Connection, mail: NewMail) -> tuple[Recipients, list[str]]:
    """Raises CannotReach when nobody is left."""
    if not mail.bulk:
        return mail.recipients, []
    everybody = [*(mail.recipients.to or ()), *(mail.recipients.cc or ())]
    stopped = {one for one in everybody if mail_stops.is_stopped(conn, _named(one)[1].written, TOPIC)}
    if not stopped:
        return mail.recipients, []
    to, cc = ([one for one in lines or () if one not in stopped] for lines in (mail.recipients.to, mail.recipients.cc))
    if not to and not cc:
        raise CannotReach(N_("All of them have asked not to get such mail any more."))
    return replace(mail.recipients, to=to or cc, cc=cc if to else []), sorted(stopped)


def _named(written: str) -> tuple[str, AddressLine]:
    """Name and address of a line as people write it; the channel refuses what is no address."""
    found = _WRITTEN.match(written)
    name, address = (found[1].strip(' "'), found[2]) if found else ("", written.strip())
    return name, AddressLine(AddressKind.EMAIL, address)


def _conversation(tx: Transaction, mail: NewMail, contact_id: int, subject: str, now: datetime) -> ConversationId:
    source = {} if mail.forwards is None else {"forwarded_entry": mail.forwards}
    language = tx.conn.execute(select(Contact.language).where(Contact.id == contact_id)).scalar()
    return ConversationId(
        tx.insert(
            Conversation,
            contact_id=contact_id,
            subject=subject,
            status=Status.PENDING,
            channel=ChannelKind.EMAIL,
            language=language,
            owner_id=mail.operator_id,
            created_at=now,
            active_at=now,
            queue_key=queue_key(None, now),
            reply_token=uuid4().hex,
            source=source,
        )
    )


def _begun(conn: Connection, mail: NewMail) -> Begun | None:
    """What this key became before. Raises BadInput for one that stands for something else."""
    if not mail.key or len(mail.key) > MAX_KEY_CHARS:
        raise BadInput("key", N_("A key has 1 to %(most)s characters."), most=MAX_KEY_CHARS)
    row = conn.execute(
        select(Entry.id, Entry.number, Entry.conversation_id, Entry.operator_id, Entry.data).where(
            Entry.client_key == mail.key
        )
    ).first()
    if row is not None:
        if row.operator_id != mail.operator_id or not row.data.get("begins"):
            raise BadInput("key", N_("This key has been used for another entry."))
        return Begun(ConversationId(row.conversation_id), Written(EntryId(row.id), row.number, duplicate=True))
    planned = conn.execute(
        select(PlannedReply.id, PlannedReply.conversation_id, PlannedReply.operator_id).where(
            PlannedReply.client_key == mail.key
        )
    ).first()
    if planned is None:
        return None
    if planned.operator_id != mail.operator_id:
        raise BadInput("key", N_("This key has been used for another entry."))
    return Begun(ConversationId(planned.conversation_id), None, PlannedId(planned.id))


def _tell_forwarded(tx: Transaction, mail: NewMail, conversation_id: ConversationId, now: datetime) -> None:
    assert mail.forwards is not None
    entry = tx.conn.execute(
        select(Entry.conversation_id, Entry.number, Entry.author).where(
            Entry.id == mail.forwards, Entry.kind.in_(FORWARDED)
        )
    ).first()
    if entry is None:
        raise NotFound("entry")
    say(
        tx,
        locked(tx, ConversationId(entry.conversation_id)),
        "forwarded",
        by=mail.operator_id,
        now=now,
        data={"number": entry.number, "to": list(mail.recipients.to or ()), "other": conversation_id},
    )
