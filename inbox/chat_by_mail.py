"""Answers in the chat that the visitor left unread go out by mail, once, some time after they left.

Nothing goes out while a window of theirs is open, or what they have read. It is the operator's own answer going on over
another channel: no automatic mail, no second answer, no end of a wait. What they write back comes to the same
conversation, and is in the widget when they return.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, insert, select, update

from inbox.errors import BadInput, CannotReach
from inbox.events import ConversationChanged, ReplyWritten
from inbox.mail_ids import surviving
from inbox.reply import Addressings, Recipients
from inbox.store.models import Address, Attachment, Conversation, Entry, Operator, Participant
from inbox.store.transaction import Transaction
from inbox.timeline import NewEntry, append, locked, say
from inbox.vocabulary import (
    FROM_A_LOG,
    AddressKind,
    Author,
    ChannelKind,
    ConversationId,
    Delivery,
    EntryId,
    EntryKind,
    Status,
)

FORGOTTEN = timedelta(days=1)
"""After a standstill of the desk, only talks newer than this are gone into: nobody wants mail about last month."""

_NOT_SEEN = (Delivery.QUEUED, Delivery.SENT, Delivery.RECEIVED)
_NOBODY = ("no-reply", "noreply", "no.reply", "donotreply", "do-not-reply", "postmaster", "mailer-daemon", "bounce")
_NOWHERE = ("invalid", "localhost", "local", "localdomain")


def left(tx: Transaction, conversation_id: ConversationId, *, now: datetime) -> None:
    """The visitor's last window is closed."""
    unread = _unread(tx.conn, conversation_id)
    tx.conn.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(visitor_away_at=now, unread_since=now if unread else None)
    )


def came_back(tx: Transaction, conversation_id: ConversationId) -> None:
    tx.conn.execute(
        update(Conversation).where(Conversation.id == conversation_id).values(visitor_away_at=None, unread_since=None)
    )


def all_left(tx: Transaction, *, now: datetime) -> None:
    """The desk was away itself and has seen nobody leave."""
    gone = (Conversation.status != Status.CLOSED) & (Conversation.channel == ChannelKind.CHAT)
    recent = gone & (Conversation.active_at >= now - FORGOTTEN) & Conversation.visitor_away_at.is_(None)
    recent &= had_a_window()
    ids = list(tx.conn.execute(select(Conversation.id).where(recent)).scalars())
    for conversation_id in ids:
        left(tx, ConversationId(conversation_id), now=now)


def had_a_window() -> ColumnElement[bool]:
    """Of conversations: somebody takes part through a browser. Nobody of an imported history does."""
    return exists().where(
        Participant.conversation_id == Conversation.id,
        Address.id == Participant.address_id,
        Address.kind == AddressKind.VISITOR,
        Address.value.not_like(f"{FROM_A_LOG}%"),
    )


def next_due(conn: Connection, *, after: timedelta) -> datetime | None:
    soonest = conn.execute(
        select(func.min(Conversation.unread_since)).where(Conversation.unread_since.is_not(None))
    ).scalar()
    return None if soonest is None else soonest + after


def fire_due(tx: Transaction, *, after: timedelta, addressings: Addressings, now: datetime, limit: int = 50) -> int:
    """Write the mails that are due. How many conversations were looked at."""
    rows = tx.conn.execute(
        select(Conversation.id)
        .where(Conversation.unread_since.is_not(None), Conversation.unread_since <= now - after)
        .order_by(Conversation.unread_since)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).scalars()
    due = list(rows)
    for conversation_id in due:
        _go_on(tx, ConversationId(conversation_id), addressings, now)
    return len(due)


def _go_on(tx: Transaction, said_in: ConversationId, addressings: Addressings, now: datetime) -> None:
    tx.conn.execute(update(Conversation).where(Conversation.id == said_in).values(unread_since=None))
    unread = _unread(tx.conn, said_in)
    conversation = locked(tx, surviving(tx.conn, said_in))
    conversation_id = ConversationId(conversation.id)
    if not unread or conversation.spam:
        return
    to, why = _address(tx.conn, conversation_id, conversation.contact_id)
    data: dict[str, Any] = {}
    if to is not None:
        try:
            wanted = Recipients(to=[to], cc=[])
            data = addressings[ChannelKind.EMAIL](tx.conn, conversation_id, wanted, automatic=False)
        except (BadInput, CannotReach, KeyError):
            why = "cannot_send"
    if not data:
        say(tx, conversation, "chat_unread", by=None, now=now, data={"why": why})
        tx.record(ConversationChanged(conversation_id))
        return
    _keep_subject(tx.conn, data)
    ids = [row.id for row in unread]
    added = append(
        tx,
        conversation,
        NewEntry(
            kind=EntryKind.REPLY,
            author=Author.OPERATOR,
            text=_words(unread),
            channel=ChannelKind.EMAIL,
            operator_id=unread[-1].operator_id,
            data={**data, "continues_chat": ids},
            client_key=f"chat-mail:{unread[-1].id}",
            delivery=Delivery.QUEUED,
        ),
        now=now,
    )
    _copy_files(tx, ids, conversation_id, added.entry_id)
    tx.record(ReplyWritten(conversation_id, added.entry_id, added.number, ChannelKind.EMAIL))
    tx.record(ConversationChanged(conversation_id))


def _unread(conn: Connection, conversation_id: ConversationId) -> Sequence[Any]:
    """People's answers in the chat that the visitor has not seen and no mail has carried, oldest first."""
    carried: set[EntryId] = set()
    home = surviving(conn, conversation_id)
    for data in conn.execute(
        select(Entry.data).where(
            Entry.conversation_id == home, Entry.kind == EntryKind.REPLY, Entry.channel == ChannelKind.EMAIL
        )
    ).scalars():
        carried.update(data.get("continues_chat", ()))
    return [
        row
        for row in conn.execute(
            select(Entry.id, Entry.text, Entry.operator_id, Operator.name)
            .join(Conversation, Conversation.id == Entry.conversation_id)
            .outerjoin(Operator, Operator.id == Entry.operator_id)
            .where(
                Entry.conversation_id == conversation_id,
                Entry.kind == EntryKind.REPLY,
                Entry.channel == ChannelKind.CHAT,
                Entry.number > Conversation.visitor_seen,
                Entry.delivery.in_(_NOT_SEEN),
            )
            .order_by(Entry.number)
        )
        if row.id not in carried
    ]


def _address(conn: Connection, conversation_id: ConversationId, contact_id: int) -> tuple[str | None, str]:
    """The address the visitor gave, as written; else why there is none to write to."""
    known = conn.execute(
        select(Address.written, Address.value, Address.failing_since, Address.contact_id)
        .join(Participant, Participant.address_id == Address.id)
        .where(
            Participant.conversation_id == conversation_id,
            Address.kind == AddressKind.EMAIL,
            Participant.new_since.is_(None),
        )
        .order_by(Participant.id.desc())  # whoever gives another one has corrected the first
    ).all()
    if not known:
        return None, "no_address"
    # Their own, where one is known: the others may be of people who were merged in or had a copy.
    theirs = [one for one in known if one.contact_id == contact_id] or known
    works = [one for one in theirs if one.failing_since is None and looks_real(one.value)]
    return (works[0].written, "") if works else (None, "address_fails")


def looks_real(folded: str) -> bool:
    """An address that somebody may read."""
    local, at, domain = folded.rpartition("@")
    last = domain.rpartition(".")[2]
    return bool(at and local) and "." in domain and last not in _NOWHERE and not local.startswith(_NOBODY)


def _keep_subject(conn: Connection, data: dict[str, Any]) -> None:
    """Several mails that go on with one talk have one subject; only an answer to the customer's own is an answer."""
    answered = data.get("answers")
    if answered is None:
        return
    before = conn.execute(select(Entry.kind, Entry.data).where(Entry.id == answered)).first()
    if before is not None and before.kind == EntryKind.REPLY:
        data["mail"]["subject"] = before.data["mail"]["subject"]
    data.pop("answers")  # it stands above in the same mailbox: nothing to quote


def _words(unread: Sequence[Any]) -> str:
    """What was said, in its order; with names where several said it."""
    if len({row.operator_id for row in unread}) == 1:
        return "\n\n".join(row.text for row in unread if row.text.strip())
    return "\n\n".join(f"{row.name}:\n{row.text}" for row in unread)


def _copy_files(tx: Transaction, ids: Collection[int], conversation_id: ConversationId, entry_id: EntryId) -> None:
    for row in tx.conn.execute(select(Attachment.__table__).where(Attachment.entry_id.in_(ids))).mappings().all():
        values = {**row, "conversation_id": conversation_id, "entry_id": entry_id}
        values.pop("id")
        tx.conn.execute(insert(Attachment).values(**values))
