"""When conversations were resolved, and when they were opened again. Spam and merged ones have no resolution."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, update

from inbox.store.models import Resolution
from inbox.store.transaction import Transaction
from inbox.vocabulary import ConversationId, OperatorId


def resolved(tx: Transaction, conversation_id: ConversationId, *, by: OperatorId | None, at: datetime) -> None:
    tx.insert(Resolution, conversation_id=conversation_id, operator_id=by, resolved_at=at)


def reopened(tx: Transaction, conversation_id: ConversationId, *, at: datetime) -> None:
    """It goes on, whoever wanted that."""
    tx.conn.execute(
        update(Resolution)
        .where(Resolution.conversation_id == conversation_id, Resolution.reopened_at.is_(None))
        .values(reopened_at=at)
    )


def taken_back(tx: Transaction, conversation_id: ConversationId) -> None:
    """Closing was a mistake and is forgotten."""
    tx.conn.execute(
        delete(Resolution).where(Resolution.conversation_id == conversation_id, Resolution.reopened_at.is_(None))
    )
