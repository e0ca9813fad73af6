"""Who was here when: each change of an operator's presence ends one span and begins the next."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from inbox.store.models import PresenceSpan
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, Presence


def presence_changed(tx: Transaction, operator_id: OperatorId, presence: Presence, *, at: datetime) -> None:
    """The open span ends and one of the new presence begins, both at the same moment."""
    running = tx.conn.execute(
        select(PresenceSpan.id, PresenceSpan.began_at).where(
            PresenceSpan.operator_id == operator_id, PresenceSpan.ended_at.is_(None)
        )
    ).first()
    if running is not None:
        at = max(at, running.began_at)  # the clocks of two processes may differ a little
        tx.conn.execute(update(PresenceSpan).where(PresenceSpan.id == running.id).values(ended_at=at))
    tx.insert(PresenceSpan, operator_id=operator_id, presence=presence, began_at=at)
