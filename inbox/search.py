"""Finding a conversation by customer, address, subject or words of its entries.

One function per question answers with conversation ids, so a full-text index can replace the text question alone.
Every question looks at a bounded number of newest rows: a search never becomes slower than the desk can bear.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from inbox.errors import BadInput
from inbox.queue import QueueRow, rows_of
from inbox.store.models import Address, Contact, Conversation, Entry, Participant
from inbox.vocabulary import ConversationId
from inbox.words import N_

MAX_FOUND = 100
MAX_QUERY_CHARS = 200
MAX_WORDS = 8
NEWEST_ENTRIES = 200_000
"""How far back entry texts are searched, counted in entries of the whole desk."""


def search(conn: Connection, wanted: str, *, limit: int = MAX_FOUND) -> list[QueueRow]:
    """Conversations in which all words are found, the most recently active first. Raises BadInput."""
    words = wanted.split()
    if len(wanted) > MAX_QUERY_CHARS or len(words) > MAX_WORDS:
        raise BadInput("q", N_("Search for fewer words."))
    if not words:
        return []
    found: dict[ConversationId, None] = {}
    for question in (_by_customer, _by_subject, _by_text):
        for conversation_id in question(conn, words, limit):
            found.setdefault(conversation_id)
        if len(found) >= limit:
            break
    return sorted(rows_of(conn, list(found)[:limit]), key=lambda row: row.active_at, reverse=True)


def _by_customer(conn: Connection, words: Sequence[str], limit: int) -> list[ConversationId]:
    matching = (
        select(Participant.conversation_id)
        .join(Address, Address.id == Participant.address_id)
        .join(Contact, Contact.id == Address.contact_id)
        .where(*(or_(_contains(Contact.name, w), _contains(Address.written, w)) for w in words))
        .order_by(Participant.conversation_id.desc())
        .limit(limit)
    )
    return [ConversationId(i) for i in conn.execute(matching).scalars()]


def _by_subject(conn: Connection, words: Sequence[str], limit: int) -> list[ConversationId]:
    matching = (
        select(Conversation.id)
        .where(*(_contains(Conversation.subject, w) for w in words))
        .order_by(Conversation.id.desc())
        .limit(limit)
    )
    return [ConversationId(i) for i in conn.execute(matching).scalars()]


def _by_text(conn: Connection, words: Sequence[str], limit: int) -> list[ConversationId]:
    newest = conn.execute(select(Entry.id).order_by(Entry.id.desc()).limit(1)).scalar() or 0
    matching = (
        select(Entry.conversation_id)
        .where(Entry.id > newest - NEWEST_ENTRIES, *(_contains(Entry.text, w) for w in words))
        .order_by(Entry.id.desc())
        .limit(limit * 5)
    )
    return list(dict.fromkeys(ConversationId(i) for i in conn.execute(matching).scalars()))[:limit]


def _contains(column: InstrumentedAttribute[str], word: str) -> ColumnElement[bool]:
    return column.icontains(word, autoescape=True)
