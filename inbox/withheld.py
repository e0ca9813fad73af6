"""Automatic mails that were not sent because something spoke against them: what operators can look through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from inbox.store.models import AutoreplyDecision, Conversation
from inbox.vocabulary import ConversationId
from inbox.words import N_

TOO_MANY = N_("The desk has sent too many automatic mails this hour.")
STAFFED = N_("The desk is staffed.")
NOT_WANTED = N_("No automatic text is wanted on this channel.")
NOT_NEW = N_("The conversation is not new.")
NO_APOLOGY = N_("No apology is wanted on this channel.")
NOBODY_THERE = N_("Nobody is there to be on it.")
NOBODY_WAITS = N_("The customer no longer waits.")
ANSWERED = N_("A person has written since the customer began to wait.")
ORDINARY = (STAFFED, NOT_WANTED, NOT_NEW, NO_APOLOGY, NOBODY_THERE, NOBODY_WAITS, ANSWERED)
"""Reasons for which nothing was due in the first place."""

ALARM_LASTS = timedelta(hours=24)
_LOOKED_BACK = 50_000


@dataclass(frozen=True, slots=True)
class Withheld:
    conversation_id: ConversationId
    subject: str
    address: str
    reason: str
    at: datetime


def listing(conn: Connection, limit: int = 100) -> list[Withheld]:
    """Newest first."""
    rows = conn.execute(
        select(
            AutoreplyDecision.conversation_id,
            Conversation.subject,
            AutoreplyDecision.address,
            AutoreplyDecision.reason,
            AutoreplyDecision.at,
        )
        .join(Conversation, Conversation.id == AutoreplyDecision.conversation_id)
        .where(AutoreplyDecision.sent.is_(False), AutoreplyDecision.reason.not_in(ORDINARY))
        .order_by(AutoreplyDecision.id.desc())
        .limit(limit)
    )
    return [Withheld(ConversationId(r.conversation_id), r.subject, r.address, r.reason, r.at) for r in rows]


@dataclass(frozen=True, slots=True)
class RateAlarm:
    """The desk wanted to write more mail by itself than it may in an hour: most likely a loop."""

    last_at: datetime
    held_back: int


def rate_alarm(conn: Connection, now: datetime) -> RateAlarm | None:
    """None when that has not happened within a day."""
    newest = conn.execute(select(func.max(AutoreplyDecision.id))).scalar()
    if newest is None:
        return None
    row = conn.execute(
        select(func.max(AutoreplyDecision.at).label("last_at"), func.count().label("held_back")).where(
            AutoreplyDecision.id > newest - _LOOKED_BACK,
            AutoreplyDecision.at > now - ALARM_LASTS,
            AutoreplyDecision.sent.is_(False),
            AutoreplyDecision.reason == TOO_MANY,
        )
    ).one()
    return None if not row.held_back else RateAlarm(row.last_at, row.held_back)
