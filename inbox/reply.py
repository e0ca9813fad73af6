"""Answers that leave the desk: an operator's reply, and what the desk says by itself.

A person's reply ends the wait at once; should its delivery fail for good, the wait runs again from its original start
(`inbox/deliveries.py`). An automatic text never ends one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, Row, delete, insert, select, update

from inbox import lifecycle, mail_stops, resolutions
from inbox.errors import AddressFails, BadInput, CannotReach, NotFound, TimelineMoved
from inbox.events import ConversationChanged, EntryAdded, ReplyWritten
from inbox.people.contacts import failing_among, participant_values
from inbox.store.models import Attachment, AutoreplyDecision, Conversation, Draft, Entry
from inbox.store.transaction import Transaction
from inbox.timeline import Added, NewEntry, append, locked
from inbox.vocabulary import (
    AddressKind,
    AttachmentId,
    Author,
    ChannelKind,
    ConversationId,
    Delivery,
    Ending,
    EntryId,
    EntryKind,
    OperatorId,
    Status,
    WaitId,
)
from inbox.waits import ledger
from inbox.widget_mails import answers_in_widget
from inbox.words import N_

MAX_TEXT_CHARS = 200_000
MAX_KEY_CHARS = 100


@dataclass(frozen=True, slots=True)
class Recipients:
    """What the operator chose; None where the computed list stands."""

    to: Sequence[str] | None = None
    cc: Sequence[str] | None = None
    sender: str | None = None  # one of the desk's own addresses
    answers: EntryId | None = None  # the entry that is answered, where it is not the newest
    history_to_new: bool = False  # quote the mail that is answered, also to those who have not seen it


class Addressing(Protocol):
    """A channel's way to fix, at the moment of sending, whom and how an entry will reach (stored with the entry).

    Raises BadInput for an address that is none, CannotReach when there is nobody to send to.
    """

    def __call__(
        self, conn: Connection, conversation_id: ConversationId, wanted: Recipients, *, automatic: bool
    ) -> dict[str, Any]: ...


Addressings = dict[ChannelKind, Addressing]


UNDO = timedelta(seconds=8)
"""So long a mail from the composer waits for somebody to take it back."""


@dataclass(frozen=True, slots=True)
class Block:
    """What stands out in a mail, above or below its words: what we understood, what we did, what we need, by when."""

    understood: str = ""
    done: str = ""
    needed: str = ""
    by: str = ""
    on_top: bool = False

    def plain(self) -> dict[str, Any]:
        return {name: value for name in self.__dataclass_fields__ if (value := getattr(self, name))}

    def is_empty(self) -> bool:
        return not (self.understood.strip() or self.done.strip() or self.needed.strip())


@dataclass(frozen=True, slots=True)
class ReplyDraft:
    """A reply or note about to be written. `key` is made with the draft: sending it twice stores it once.

    `seen` is the newest entry the author had on the screen; `even_so` sends although others wrote since.
    `channel=None` answers over the channel the customer is best reached by. `hold`: so long a mail can be taken back
    before it leaves. `to_failing`: also to addresses whose last mail came back.
    """

    conversation_id: ConversationId
    operator_id: OperatorId
    text: str
    key: str
    seen: int
    html: str | None = None
    channel: ChannelKind | None = None
    recipients: Recipients = Recipients()
    attachments: Sequence[AttachmentId] = ()
    even_so: bool = False
    then: Status = Status.PENDING
    hold: timedelta = timedelta()
    block: Block | None = None
    to_failing: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)  # what else the entry keeps


@dataclass(frozen=True, slots=True)
class Written:
    entry_id: EntryId
    number: int
    duplicate: bool = False
    leaves_at: datetime | None = None  # until then it can be taken back


def reply(tx: Transaction, draft: ReplyDraft, *, addressings: Addressings, now: datetime) -> Written:
    """Write a public answer: ends the wait, queues the delivery. Raises TimelineMoved, CannotReach, BadInput."""
    before = _written(tx, draft)
    if before is not None:
        return before
    check_text(draft.text, draft.attachments)
    conversation = locked(tx, draft.conversation_id)
    if conversation.merged_into_id is not None:
        raise BadInput("conversation", "This conversation has been merged into another one. Answer there.")
    if not draft.even_so:
        refuse_outdated(tx, draft)
    channel = draft.channel or reply_channel(tx.conn, conversation)
    data = fixed(tx.conn, draft, channel, addressings)
    leaves_at = now + draft.hold if draft.hold and channel is ChannelKind.EMAIL else None
    if channel is ChannelKind.EMAIL and answers_in_widget(tx.conn, draft.conversation_id, data):
        data["in_widget"] = True
    away = channel is ChannelKind.CHAT and conversation.visitor_away_at is not None
    if leaves_at is not None:
        data |= {"leaves_at": leaves_at.isoformat(), "before": _before(conversation)}
    added = append(
        tx,
        conversation,
        NewEntry(
            kind=EntryKind.REPLY,
            author=Author.OPERATOR,
            text=draft.text,
            html=draft.html,
            channel=channel,
            operator_id=draft.operator_id,
            data=data,
            client_key=draft.key,
            delivery=Delivery.QUEUED,
        ),
        now=now,
        status=draft.then,
        closed_at=now if draft.then is Status.CLOSED else None,
        snoozed_until=None,
        unread=0,
        spam=False,
        owner_id=conversation.owner_id or draft.operator_id,
        unread_since=(conversation.unread_since or now) if away else conversation.unread_since,
    )
    _attach(tx, draft, added)
    forget_draft(tx, draft, EntryKind.REPLY)
    ledger.end(tx, draft.conversation_id, Ending.ANSWERED, at=now, by=draft.operator_id, entry_id=added.entry_id)
    if draft.then is Status.CLOSED:
        lifecycle.settle_what_is_open(tx, draft.conversation_id, now=now)
        if conversation.status != Status.CLOSED:
            resolutions.resolved(tx, draft.conversation_id, by=draft.operator_id, at=now)
    tx.record(ReplyWritten(draft.conversation_id, added.entry_id, added.number, channel, leaves_at))
    tx.record(ConversationChanged(draft.conversation_id))
    return Written(added.entry_id, added.number, leaves_at=leaves_at)


def fixed(conn: Connection, draft: ReplyDraft, channel: ChannelKind, addressings: Addressings) -> dict[str, Any]:
    """What the entry keeps besides its words: whom it reaches, fixed now. Raises what sending does."""
    data = dict(draft.data)
    if draft.block is not None and not draft.block.is_empty():
        data["block"] = draft.block.plain()
    if channel not in addressings:
        return data
    data |= addressings[channel](conn, draft.conversation_id, draft.recipients, automatic=False)
    if channel is ChannelKind.EMAIL and not draft.to_failing:
        mail = data.get("mail", {})
        failing = failing_among(conn, [one["address"] for one in (*mail.get("to", ()), *mail.get("cc", ()))])
        if failing:
            raise AddressFails(failing)
    return data


def _before(conversation: Row[Any]) -> dict[str, Any]:
    """What taking the answer back restores."""
    until = conversation.snoozed_until
    return {
        "status": conversation.status,
        "owner_id": conversation.owner_id,
        "unread": conversation.unread,
        "snippet": conversation.snippet,
        "active_at": conversation.active_at.isoformat(),
        "snoozed_until": until.isoformat() if until is not None else None,
    }


def note(tx: Transaction, draft: ReplyDraft, *, now: datetime) -> Written:
    """Write an internal note. It never leaves the desk and touches no clock."""
    before = _written(tx, draft)
    if before is not None:
        return before
    check_text(draft.text, draft.attachments)
    conversation = locked(tx, draft.conversation_id)
    added = append(
        tx,
        conversation,
        NewEntry(
            kind=EntryKind.NOTE,
            author=Author.OPERATOR,
            text=draft.text,
            operator_id=draft.operator_id,
            client_key=draft.key,
        ),
        now=now,
    )
    _attach(tx, draft, added)
    forget_draft(tx, draft, EntryKind.NOTE)
    tx.record(EntryAdded(draft.conversation_id, added.entry_id, added.number))
    return Written(added.entry_id, added.number)


@dataclass(frozen=True, slots=True)
class AutomaticText:
    """`name` says which text it is; one wait gets each name at most once."""

    conversation_id: ConversationId
    wait_id: WaitId | None
    name: str
    text: str
    channel: ChannelKind
    address: str
    reason: str


def write_automatic(tx: Transaction, text: AutomaticText, *, addressings: Addressings, now: datetime) -> Written | None:
    """Write what the desk says by itself. None when this wait has had this text, or has ended meanwhile."""
    conversation = locked(tx, text.conversation_id)
    if text.wait_id is not None and conversation.wait_id != text.wait_id:
        return None
    said = tx.conn.execute(
        select(AutoreplyDecision.id).where(
            AutoreplyDecision.conversation_id == text.conversation_id,
            AutoreplyDecision.wait_id == text.wait_id,
            AutoreplyDecision.text_name == text.name,
            AutoreplyDecision.sent.is_(True),
        )
    ).first()
    if said is not None:
        return None
    if text.channel is ChannelKind.EMAIL and mail_stops.has_complained(tx.conn, text.address):
        raise CannotReach(N_("Nothing automatic goes to this address: it has complained about our mail."))
    data: dict[str, Any] = {"automatic": text.name}
    if text.channel in addressings:
        data |= addressings[text.channel](tx.conn, text.conversation_id, Recipients(), automatic=True)
    added = append(
        tx,
        conversation,
        NewEntry(
            kind=EntryKind.AUTOREPLY,
            author=Author.AUTOREPLY,
            text=text.text,
            channel=text.channel,
            data=data,
            delivery=Delivery.QUEUED,
        ),
        now=now,
    )
    withhold_or_sent(tx, text, sent=True, entry_id=added.entry_id, now=now)
    tx.record(ReplyWritten(text.conversation_id, added.entry_id, added.number, text.channel))
    return Written(added.entry_id, added.number)


def withhold_or_sent(
    tx: Transaction, text: AutomaticText, *, sent: bool, entry_id: EntryId | None = None, now: datetime
) -> None:
    """Keep what was decided about an automatic text, and why: the conversation shows it."""
    tx.conn.execute(
        insert(AutoreplyDecision).values(
            conversation_id=text.conversation_id,
            wait_id=text.wait_id,
            address=text.address[:320],
            sent=sent,
            reason=text.reason[:200],
            text_name=text.name,
            entry_id=entry_id,
            at=now,
        )
    )


def reply_channel(conn: Connection, conversation: Row[Any]) -> ChannelKind:
    """How the customer is answered: as they asked, else as they last wrote, else by mail. Raises CannotReach."""
    asked = conversation.answer_by or conversation.channel
    if asked == ChannelKind.CHAT:
        return ChannelKind.CHAT
    if participant_values(conn, ConversationId(conversation.id), AddressKind.EMAIL):
        return ChannelKind.EMAIL
    if participant_values(conn, ConversationId(conversation.id), AddressKind.VISITOR):
        return ChannelKind.CHAT
    raise CannotReach("No mail address is known. Call back, or add an address to the customer.")


def channel_of_answer(conn: Connection, conversation_id: ConversationId) -> ChannelKind:
    """Over which channel an answer would go. Raises NotFound, CannotReach."""
    conversation = conn.execute(select(Conversation.__table__).where(Conversation.id == conversation_id)).first()
    if conversation is None:
        raise NotFound
    return reply_channel(conn, conversation)


def refuse_outdated(tx: Transaction, draft: ReplyDraft) -> None:
    newest = tx.conn.execute(
        select(Entry.number)
        .where(
            Entry.conversation_id == draft.conversation_id,
            Entry.number > draft.seen,
            Entry.kind.in_((EntryKind.MESSAGE, EntryKind.REPLY, EntryKind.CALL, EntryKind.CALLBACK, EntryKind.NOTE)),
            (Entry.operator_id.is_(None)) | (Entry.operator_id != draft.operator_id),
            (Entry.client_key.is_(None)) | (Entry.client_key.not_like("chat-mail:%")),  # said before, sent again
        )
        .order_by(Entry.number.desc())
        .limit(1)
    ).scalar()
    if newest is not None:
        raise TimelineMoved(draft.seen, newest)


def check_text(text: str, attachments: Sequence[AttachmentId]) -> None:
    if not text.strip() and not attachments:
        raise BadInput("text", "Write something before you send.")
    if len(text) > MAX_TEXT_CHARS:
        raise BadInput(
            "text",
            "This text is longer than %(characters)s characters; attach it as a file.",
            characters=MAX_TEXT_CHARS,
        )


def _written(tx: Transaction, draft: ReplyDraft) -> Written | None:
    """What this draft became before. Raises BadInput for a key that is none or stands for something else."""
    if not draft.key or len(draft.key) > MAX_KEY_CHARS:
        raise BadInput("key", "A key has 1 to %(most)s characters.", most=MAX_KEY_CHARS)
    row = tx.conn.execute(
        select(Entry.id, Entry.number, Entry.conversation_id, Entry.operator_id).where(Entry.client_key == draft.key)
    ).first()
    if row is None:
        return None
    if (row.conversation_id, row.operator_id) != (draft.conversation_id, draft.operator_id):
        raise BadInput("key", "This key has been used for another entry.")
    return Written(EntryId(row.id), row.number, duplicate=True)


def _attach(tx: Transaction, draft: ReplyDraft, added: Added) -> None:
    if not draft.attachments:
        return
    changed = tx.conn.execute(
        update(Attachment)
        .where(
            Attachment.id.in_(draft.attachments),
            Attachment.entry_id.is_(None),
            Attachment.uploaded_by == f"operator:{draft.operator_id}",
        )
        .values(entry_id=added.entry_id, conversation_id=draft.conversation_id)
    )
    if changed.rowcount != len(set(draft.attachments)):
        raise BadInput("attachments", "An attachment is gone or belongs to another entry. Attach it again.")


def forget_draft(tx: Transaction, draft: ReplyDraft, kind: EntryKind) -> None:
    tx.conn.execute(
        delete(Draft).where(
            Draft.conversation_id == draft.conversation_id,
            Draft.operator_id == draft.operator_id,
            Draft.kind == kind,
        )
    )
