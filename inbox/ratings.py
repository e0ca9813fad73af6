"""What customers thought of it: a mark from 1 to 5 and, if they like, a sentence. The last one counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from inbox.errors import BadInput
from inbox.events import ConversationChanged
from inbox.store.models import Conversation, Rating, Resolution, Wait
from inbox.store.transaction import Transaction
from inbox.timeline import locked
from inbox.vocabulary import ConversationId, Ending, OperatorId
from inbox.words import N_

BEST = 5
SATISFIED = 4
"""Marks from here on count as satisfied."""
MAX_WORDS = 2_000


@dataclass(frozen=True, slots=True)
class RatingRecord:
    score: int
    words: str
    at: datetime


def rate(tx: Transaction, conversation_id: ConversationId, score: int, words: str | None, *, now: datetime) -> None:
    """Keep what the customer thinks; `words=None` leaves the sentence written before. Raises BadInput, NotFound."""
    if not 1 <= score <= BEST:
        raise BadInput("score", N_("A mark is a number from 1 to 5."))
    if words is not None and len(words) > MAX_WORDS:
        raise BadInput("words", N_("This text is longer than %(characters)s characters."), characters=MAX_WORDS)
    conversation_id = goes_on(tx, conversation_id)
    values: dict[str, Any] = {"score": score, "operator_id": _who_helped(tx.conn, conversation_id), "at": now}
    if words is not None:
        values["words"] = words.strip()
    changed = tx.conn.execute(update(Rating).where(Rating.conversation_id == conversation_id).values(**values))
    if not changed.rowcount:
        tx.conn.execute(insert(Rating).values({"words": "", **values, "conversation_id": conversation_id}))
    tx.conn.execute(
        update(Conversation).where(Conversation.id == conversation_id).values(version=Conversation.version + 1)
    )
    tx.record(ConversationChanged(conversation_id))


def of_conversation(conn: Connection, conversation_id: ConversationId) -> RatingRecord | None:
    row = conn.execute(
        select(Rating.score, Rating.words, Rating.at).where(Rating.conversation_id == conversation_id)
    ).first()
    return None if row is None else RatingRecord(row.score, row.words, row.at)


def goes_on(tx: Transaction, conversation_id: ConversationId) -> ConversationId:
    """The conversation, or the one it was merged into, held. Raises NotFound."""
    conversation = locked(tx, conversation_id)
    while conversation.merged_into_id is not None:
        conversation = locked(tx, ConversationId(conversation.merged_into_id))
    return ConversationId(conversation.id)


def _who_helped(conn: Connection, conversation_id: ConversationId) -> OperatorId | None:
    """Who resolved it last, else who answered last, else who owns it."""
    resolved = select(Resolution.operator_id).where(
        Resolution.conversation_id == conversation_id, Resolution.operator_id.is_not(None)
    )
    answered = select(Wait.ended_by).where(
        Wait.conversation_id == conversation_id, Wait.ending == Ending.ANSWERED, Wait.ended_by.is_not(None)
    )
    owner = select(Conversation.owner_id).where(Conversation.id == conversation_id)
    for query in (
        resolved.order_by(Resolution.id.desc()).limit(1),
        answered.order_by(Wait.ended_at.desc(), Wait.id.desc()).limit(1),
        owner,
    ):
        found = conn.execute(query).scalar()
        if found is not None:
            return OperatorId(found)
    return None
