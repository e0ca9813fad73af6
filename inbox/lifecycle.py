"""Taking, assigning, snoozing, closing, reopening: none of it is hidden, each leaves a line in the timeline.

Who owns a conversation is settled by one conditional update, never by reading first and writing later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from inbox import callback_endings, resolutions
from inbox.errors import AlreadyTaken, BadInput, NothingWaiting
from inbox.events import ConversationChanged, HandoffChanged
from inbox.people import handling
from inbox.queue_key import NOT_WAITING
from inbox.store.models import Conversation, Handoff, Operator, Tag
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import (
    ConversationId,
    Ending,
    HandoffId,
    HandoffState,
    OperatorId,
    Status,
)
from inbox.waits import ledger

TAKE_BACK = timedelta(minutes=2)
"""Who reopens within this time of closing takes a mistake back."""

TAKE_TRIES = 20
AGREED_SNOOZE = "agreed_snooze"


def take_next(tx: Transaction, operator_id: OperatorId, *, now: datetime) -> ConversationId:
    """Give the operator the most urgent unowned conversation. Raises NothingWaiting."""
    for _ in range(TAKE_TRIES):
        next_id = tx.conn.execute(
            select(Conversation.id)
            .where(
                Conversation.status == Status.OPEN,
                Conversation.queue_key < NOT_WAITING,
                Conversation.owner_id.is_(None),
                Conversation.spam.is_(False),
            )
            .order_by(Conversation.queue_key, Conversation.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar()
        if next_id is None:
            raise NothingWaiting
        try:
            take(tx, ConversationId(next_id), operator_id, now=now)
        except AlreadyTaken:
            continue
        return ConversationId(next_id)
    raise NothingWaiting


def take(tx: Transaction, conversation_id: ConversationId, operator_id: OperatorId, *, now: datetime) -> None:
    """Make an unowned conversation mine. Raises AlreadyTaken; taking what is mine already changes nothing."""
    taken = tx.conn.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id, Conversation.owner_id.is_(None))
        .values(owner_id=operator_id)
    )
    conversation = locked(tx, conversation_id)
    if taken.rowcount != 1:
        if conversation.owner_id == operator_id:
            return
        raise AlreadyTaken(operator_name(tx.conn, conversation.owner_id))
    say(tx, conversation, "taken", by=operator_id, now=now)
    handling.took(tx, operator_id, conversation, at=now)
    tx.record(ConversationChanged(conversation_id))


def assign(
    tx: Transaction,
    conversation_id: ConversationId,
    to: OperatorId | None,
    *,
    by: OperatorId,
    expected: OperatorId | None,
    now: datetime,
) -> None:
    """Change the owner from `expected` to `to` (None: the queue). Raises AlreadyTaken when it moved meanwhile."""
    if to is not None:
        _require_operator(tx.conn, to)
    mine = Conversation.owner_id.is_(None) if expected is None else Conversation.owner_id == expected
    changed = tx.conn.execute(update(Conversation).where(Conversation.id == conversation_id, mine).values(owner_id=to))
    conversation = locked(tx, conversation_id)
    if changed.rowcount != 1:
        if conversation.owner_id == to:
            return
        raise AlreadyTaken(operator_name(tx.conn, conversation.owner_id))
    withdraw_offers(tx, conversation_id, now=now)
    if expected is not None:
        handling.left(tx, expected, conversation_id, at=now)
    name = operator_name(tx.conn, to) if to is not None else ""
    say(tx, conversation, "assigned" if to is not None else "released", by=by, now=now, data={"to": to, "name": name})
    tx.record(ConversationChanged(conversation_id))


def release_all(tx: Transaction, owner_id: OperatorId, *, by: OperatorId, now: datetime) -> int:
    """Give everything that is not closed back to the queue: its owner will not come back. How many those were."""
    ids = tx.conn.execute(
        select(Conversation.id)
        .where(Conversation.owner_id == owner_id, Conversation.status != Status.CLOSED)
        .order_by(Conversation.id)
    ).scalars()
    released = 0
    for conversation_id in list(ids):
        assign(tx, ConversationId(conversation_id), None, by=by, expected=owner_id, now=now)
        released += 1
    return released


def snooze(
    tx: Transaction,
    conversation_id: ConversationId,
    until: datetime,
    *,
    by: OperatorId,
    now: datetime,
    agreed: bool = False,
) -> None:
    """Put away until `until`. The clock runs on unless the customer agreed. Raises BadInput."""
    if until <= now:
        raise BadInput("until", "Choose a time in the future.")
    conversation = locked(tx, conversation_id)
    _refuse_merged(conversation)
    say(
        tx,
        conversation,
        "snoozed",
        by=by,
        now=now,
        data={"until": until.isoformat(), "agreed": agreed},
        status=Status.SNOOZED,
        snoozed_until=until,
    )
    if agreed:
        ledger.pause(tx, conversation_id, at=now, until=until, why=AGREED_SNOOZE)
    else:
        ledger.resume(tx, conversation_id, at=now, why=AGREED_SNOOZE)
    handling.left(tx, by, conversation_id, at=now)
    tx.record(ConversationChanged(conversation_id))


def wake(tx: Transaction, conversation_id: ConversationId, *, by: OperatorId | None, now: datetime) -> None:
    """Bring a snoozed conversation back."""
    conversation = locked(tx, conversation_id)
    if conversation.status != Status.SNOOZED:
        return
    say(tx, conversation, "woken", by=by, now=now, status=Status.OPEN, snoozed_until=None)
    # What was agreed was the time on the line, even when the desk stood still then and wakes it later.
    ledger.resume(tx, conversation_id, at=min(now, conversation.snoozed_until or now), why=AGREED_SNOOZE)
    tx.record(ConversationChanged(conversation_id))


def next_wake(conn: Connection) -> datetime | None:
    return conn.execute(
        select(func.min(Conversation.snoozed_until)).where(
            Conversation.snoozed_until.is_not(None), Conversation.status == Status.SNOOZED
        )
    ).scalar()


def wake_due(tx: Transaction, *, now: datetime) -> int:
    ids = tx.conn.execute(
        select(Conversation.id)
        .where(Conversation.snoozed_until <= now, Conversation.status == Status.SNOOZED)
        .limit(200)
        .with_for_update(skip_locked=True)
    ).scalars()
    woken = 0
    for conversation_id in list(ids):
        wake(tx, ConversationId(conversation_id), by=None, now=now)
        woken += 1
    return woken


def close(
    tx: Transaction,
    conversation_id: ConversationId,
    *,
    by: OperatorId | None,
    now: datetime,
    ending: Ending = Ending.CLOSED,
) -> None:
    """Close; a running wait ends with `ending` (CLOSED, or NO_ANSWER_NEEDED when the operator says so)."""
    conversation = locked(tx, conversation_id)
    if conversation.status == Status.CLOSED:
        return
    ledger.end(tx, conversation_id, ending, at=now, by=by)
    settle_what_is_open(tx, conversation_id, now=now)
    say(
        tx,
        conversation,
        "closed" if ending is not Ending.NO_ANSWER_NEEDED else "no_answer_needed",
        by=by,
        now=now,
        status=Status.CLOSED,
        closed_at=now,
        snoozed_until=None,
        unread=0,
    )
    resolutions.resolved(tx, conversation_id, by=by, at=now)
    tx.record(ConversationChanged(conversation_id))


def reopen(
    tx: Transaction,
    conversation_id: ConversationId,
    *,
    by: OperatorId | None,
    now: datetime,
    mistake: bool | None = None,
) -> None:
    """Open a closed conversation again. No wait starts: nobody has written.

    Within TAKE_BACK of closing it was a mistake, unless `mistake` says whether: the wait that closing ended runs again
    from its original start, and it was never resolved.
    """
    conversation = locked(tx, conversation_id)
    _refuse_merged(conversation)
    if conversation.status not in (Status.CLOSED, Status.PENDING):
        return
    changes: dict[str, Any] = {}
    closed_at = conversation.closed_at
    mistaken = closed_at is not None and (now - closed_at <= TAKE_BACK if mistake is None else mistake)
    if mistaken:
        resolutions.taken_back(tx, conversation_id)
    if mistaken and ledger.take_back(tx, conversation_id, closed_at, at=now) is not None:
        conversation, changes = locked(tx, conversation_id), {"unread": 1}
    say(
        tx,
        conversation,
        "reopened",
        by=by,
        now=now,
        data={"mistake": mistaken},
        status=Status.OPEN,
        closed_at=None,
        spam=False,
        **changes,
    )
    tx.record(ConversationChanged(conversation_id))


def mark_spam(tx: Transaction, conversation_id: ConversationId, *, by: OperatorId, now: datetime) -> None:
    conversation = locked(tx, conversation_id)
    ledger.end(tx, conversation_id, Ending.SPAM, at=now, by=by)
    settle_what_is_open(tx, conversation_id, now=now)
    resolutions.taken_back(tx, conversation_id)
    say(tx, conversation, "spam", by=by, now=now, status=Status.CLOSED, closed_at=now, spam=True, unread=0)
    tx.record(ConversationChanged(conversation_id))


def set_priority(
    tx: Transaction, conversation_id: ConversationId, priority: int, *, by: OperatorId, now: datetime
) -> None:
    if priority not in (0, 1, 2):
        raise BadInput("priority", "Priority is 0 (normal), 1 (high) or 2 (urgent).")
    say(tx, locked(tx, conversation_id), "priority", by=by, now=now, data={"to": priority}, priority=priority)
    tx.record(ConversationChanged(conversation_id))


def set_tags(
    tx: Transaction, conversation_id: ConversationId, names: list[str], *, by: OperatorId, now: datetime
) -> None:
    """Replace the tags. A name is at most 60 characters; raises BadInput."""
    wanted = {name.strip() for name in names if name.strip()}
    if any(len(name) > 60 for name in wanted) or len(wanted) > 20:
        raise BadInput("tags", "At most 20 tags of at most 60 characters.")
    conversation = locked(tx, conversation_id)
    tx.conn.execute(delete(Tag).where(Tag.conversation_id == conversation_id))
    if wanted:
        tx.conn.execute(insert(Tag), [{"conversation_id": conversation_id, "name": n} for n in sorted(wanted)])
    say(tx, conversation, "tags", by=by, now=now, data={"tags": sorted(wanted)})
    tx.record(ConversationChanged(conversation_id))


def settle_what_is_open(tx: Transaction, conversation_id: ConversationId, *, now: datetime) -> None:
    """A closed conversation is on offer to nobody, owes no call and gives no work. The caller holds its row."""
    withdraw_offers(tx, conversation_id, now=now)
    handling.settled(tx, conversation_id, at=now)
    callback_endings.conversation_ended(tx, conversation_id, now=now)


def withdraw_offers(tx: Transaction, conversation_id: ConversationId, *, now: datetime) -> None:
    """What has moved on is no longer on offer to a colleague. The caller holds the conversation's row."""
    for offer in tx.conn.execute(
        update(Handoff)
        .where(Handoff.conversation_id == conversation_id, Handoff.state == HandoffState.OFFERED)
        .values(state=HandoffState.CANCELLED, settled_at=now)
        .returning(Handoff.id, Handoff.to_operator_id, Handoff.from_operator_id)
    ).all():
        tx.record(HandoffChanged(conversation_id, HandoffId(offer.id), offer.to_operator_id, offer.from_operator_id))


def _refuse_merged(conversation: Any) -> None:
    if conversation.merged_into_id is not None:
        raise BadInput("conversation", "This conversation has been merged into another one. Answer there.")


def operator_name(conn: Connection, operator_id: int | None) -> str:
    if operator_id is None:
        return ""
    return conn.execute(select(Operator.name).where(Operator.id == operator_id)).scalar() or ""


def _require_operator(conn: Connection, operator_id: OperatorId) -> None:
    row = conn.execute(select(Operator.id).where(Operator.id == operator_id, Operator.disabled_at.is_(None))).first()
    if row is None:
        raise BadInput("to", "There is no such operator.")
