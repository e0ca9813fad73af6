"""Which mails of a talk that began in the chat are seen in the visitor's window: those by which it went on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from inbox.mail_trust import is_doubtful
from inbox.people.contacts import fold
from inbox.store.models import Address, Entry, Participant
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId, EntryKind


def is_in_widget(conn: Connection, conversation_id: ConversationId, author: str) -> bool:
    """Whether a mail from this address (folded) is seen in the visitor's window: it answers what went on by mail."""
    return any(
        author in {fold(AddressKind.EMAIL, one["address"]) for one in data.get("mail", {}).get("to", ())}
        for data in _gone_on(conn, conversation_id)
    )


def answers_in_widget(conn: Connection, conversation_id: ConversationId, data: Mapping[str, Any]) -> bool:
    """Whether an operator's mail is seen in the visitor's window: it goes to whom the chat went on with, alone."""
    if not _visits(conn, conversation_id) or is_doubtful(data):
        return False
    mail = data.get("mail", {})
    people = {fold(AddressKind.EMAIL, one["address"]) for one in (*mail.get("to", ()), *mail.get("cc", ()))}
    answered = data.get("answers")
    if answered is None:  # the first mail of a talk that began in the chat
        return len(people) == 1
    before = conn.execute(select(Entry.data).where(Entry.id == answered)).scalar() or {}
    return len(people) == 1 and bool(before.get("in_widget") or before.get("continues_chat"))


def _visits(conn: Connection, conversation_id: ConversationId) -> bool:
    return (
        conn.execute(
            select(Participant.id)
            .join(Address, Address.id == Participant.address_id)
            .where(Participant.conversation_id == conversation_id, Address.kind == AddressKind.VISITOR)
            .limit(1)
        ).first()
        is not None
    )


def _gone_on(conn: Connection, conversation_id: ConversationId) -> list[dict[str, Any]]:
    """The mails by which a talk in the chat went on."""
    if not _visits(conn, conversation_id):
        return []
    return [
        data
        for data in conn.execute(
            select(Entry.data).where(
                Entry.conversation_id == conversation_id,
                Entry.kind == EntryKind.REPLY,
                Entry.channel == ChannelKind.EMAIL,
            )
        ).scalars()
        if data.get("continues_chat") or data.get("in_widget")
    ]
