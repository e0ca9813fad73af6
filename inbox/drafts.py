"""Half-written answers, kept on the server per conversation, operator and kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from inbox.errors import BadInput, NotFound
from inbox.reply import MAX_TEXT_CHARS
from inbox.store.models import Conversation, Draft
from inbox.store.transaction import Transaction
from inbox.vocabulary import ConversationId, EntryKind, OperatorId
from inbox.words import N_


def save(
    tx: Transaction,
    conversation_id: ConversationId,
    operator_id: OperatorId,
    kind: EntryKind,
    text: str,
    data: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    """Keep a draft; an empty one is forgotten. Raises BadInput, NotFound."""
    if kind not in (EntryKind.REPLY, EntryKind.NOTE):
        raise BadInput("kind", N_("A draft is a reply or a note."))
    if len(text) > MAX_TEXT_CHARS:
        raise BadInput("text", N_("This text is too long; attach it as a file."))
    mine = (
        Draft.conversation_id == conversation_id,
        Draft.operator_id == operator_id,
        Draft.kind == kind,
    )
    if not text.strip() and not any(data.get(kept) for kept in ("recipients", "attachments", "block")):
        tx.conn.execute(delete(Draft).where(*mine))
        return
    changed = tx.conn.execute(update(Draft).where(*mine).values(text=text, data=dict(data), saved_at=now))
    if changed.rowcount:
        return
    if tx.conn.execute(select(Conversation.id).where(Conversation.id == conversation_id)).first() is None:
        raise NotFound
    tx.conn.execute(
        insert(Draft).values(
            conversation_id=conversation_id,
            operator_id=operator_id,
            kind=kind,
            text=text,
            data=dict(data),
            saved_at=now,
        )
    )
