"""Visitors who close the website while they wait: a grace to come back, then another way to answer, or an end.

A chat answer is of use only to somebody who is there. Whoever left a mail address or a number keeps their place and
their wait; whoever can't be reached has given up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from inbox import chat_by_mail
from inbox.events import ConversationChanged
from inbox.people import handling
from inbox.store.models import Conversation
from inbox.store.transaction import Transaction
from inbox.timeline import say
from inbox.visitors import newest, ways
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId, Ending, Status
from inbox.waits import ledger

LEAVING_GRACE = timedelta(seconds=60)
"""A line that was down no longer than this was never down."""

GOES_ON = ((AddressKind.EMAIL, ChannelKind.EMAIL), (AddressKind.PHONE, ChannelKind.PHONE))
"""How the wait of a visitor who left goes on, the first that is known of them."""


def left(tx: Transaction, visitor: str, *, now: datetime) -> ConversationId | None:
    """The visitor's last window is closed: should they not come back in time, a wait for a chat answer ends."""
    row = tx.conn.execute(newest(visitor)).first()
    if row is None:
        return None
    chat_by_mail.left(tx, ConversationId(row.id), now=now)
    if not _chat_wait(row):
        return None
    tx.conn.execute(update(Conversation).where(Conversation.id == row.id).values(visitor_left_at=now))
    tx.record(ConversationChanged(ConversationId(row.id)))
    return ConversationId(row.id)


def came_back(tx: Transaction, visitor: str, *, now: datetime) -> None:
    row = tx.conn.execute(newest(visitor)).first()
    if row is None:
        return
    chat_by_mail.came_back(tx, ConversationId(row.id))
    if row.visitor_left_at is None:
        return
    tx.conn.execute(update(Conversation).where(Conversation.id == row.id).values(visitor_left_at=None))
    tx.record(ConversationChanged(ConversationId(row.id)))


def all_left(tx: Transaction, *, now: datetime) -> int:
    """The desk was away itself: every visitor who waits gets the grace to come back."""
    chat_by_mail.all_left(tx, now=now)
    return tx.conn.execute(
        update(Conversation)
        .where(
            Conversation.status == Status.OPEN,
            Conversation.wait_id.is_not(None),
            Conversation.channel == ChannelKind.CHAT,
            Conversation.answer_by.is_(None),
            Conversation.visitor_left_at.is_(None),
            chat_by_mail.had_a_window(),
        )
        .values(visitor_left_at=now)
    ).rowcount


def next_leaving(conn: Connection) -> datetime | None:
    soonest = conn.execute(
        select(func.min(Conversation.visitor_left_at)).where(Conversation.visitor_left_at.is_not(None))
    ).scalar()
    return None if soonest is None else soonest + LEAVING_GRACE


def leaving_due(tx: Transaction, *, now: datetime, limit: int = 200) -> int:
    """End the waits of those who left and can't be reached; the others go on by mail or telephone, same start."""
    rows = tx.conn.execute(
        select(Conversation.__table__)
        .where(Conversation.visitor_left_at.is_not(None), Conversation.visitor_left_at <= now - LEAVING_GRACE)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        conversation_id = ConversationId(row.id)
        if not _chat_wait(row):
            tx.conn.execute(update(Conversation).where(Conversation.id == row.id).values(visitor_left_at=None))
            continue
        reachable_by = ways(tx.conn, conversation_id)
        goes_on = next((channel for kind, channel in GOES_ON if kind in reachable_by), None)
        if goes_on is not None:
            goes_on_by(tx, row, goes_on, now=now)
        else:
            gave_up(tx, row, left_at=row.visitor_left_at, now=now)
    return len(rows)


def goes_on_by(tx: Transaction, row: Row[Any], channel: ChannelKind, *, now: datetime) -> None:
    """They left, but can be reached: the wait goes on, same start. `row`: the conversation, held."""
    conversation_id = ConversationId(row.id)
    say(
        tx,
        row,
        "visitor_left",
        by=None,
        now=now,
        data={"goes_on": channel},
        answer_by=channel,
        visitor_left_at=None,
    )
    ledger.change_channel(tx, conversation_id, channel, at=now)
    tx.record(ConversationChanged(conversation_id))


def gave_up(tx: Transaction, row: Row[Any], *, left_at: datetime, now: datetime) -> None:
    """They left and nobody can reach them: the wait ended when they did. `row`: the conversation, held."""
    conversation_id = ConversationId(row.id)
    ledger.end(tx, conversation_id, Ending.ABANDONED, at=max(left_at, row.waiting_since))
    say(
        tx,
        row,
        "visitor_left",
        by=None,
        now=now,
        data={"goes_on": None},
        status=Status.CLOSED,
        closed_at=now,
        visitor_left_at=None,
        unread=0,
    )
    handling.settled(tx, conversation_id, at=now)
    tx.record(ConversationChanged(conversation_id))


def _chat_wait(row: Row[Any]) -> bool:
    """Somebody who waits at an open chat window, not for a mail or a call."""
    return (
        row.status == Status.OPEN
        and row.wait_id is not None
        and row.channel == ChannelKind.CHAT
        and row.answer_by is None
    )
