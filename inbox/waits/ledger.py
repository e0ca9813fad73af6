"""The wait ledger: one wait = one spell in which a customer is owed an answer by a person (WAITS rules in docs).

A wait opens at the first unanswered thing the customer did and closes only by a person's public answer, a connected
call, the customer leaving, or closing. Every step is a line that is added and never changed; the row of the wait and
the copy on its conversation are kept in step with the lines in the same transaction.

Three clocks: wall time, opening time, and opening time less pauses agreed with the customer. Targets run on the third.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from inbox.events import WaitEnded, WaitMissed, WaitStarted, WaitWarned
from inbox.queue_key import queue_key
from inbox.store.models import Conversation, Wait, WaitLine
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, ConversationId, Ending, EntryId, OperatorId, WaitId, WaitStep
from inbox.waits import calendar

NEVER = timedelta(days=366)
"""Due time, from the start, of a wait on a desk that never opens."""


def running(tx: Transaction, conversation_id: ConversationId) -> Row[Any] | None:
    return tx.conn.execute(
        select(Wait.__table__).where(Wait.conversation_id == conversation_id, Wait.ended_at.is_(None))
    ).first()


def start(
    tx: Transaction,
    conversation_id: ConversationId,
    *,
    channel: ChannelKind,
    entry_id: EntryId | None,
    at: datetime,
    team_id: int | None = None,
) -> WaitId | None:
    """Begin a wait unless one is running (writing again keeps the place). The id of the new wait, else None.

    The caller holds the conversation's row, so two messages cannot both begin one.
    """
    if running(tx, conversation_id) is not None:
        return None
    version = calendar.current(tx.conn, at)
    target = version.hours.target(channel)
    warn_at = version.hours.add(at, timedelta(seconds=target.warn_s)) or at + NEVER
    due_at = version.hours.add(at, timedelta(seconds=target.target_s)) or at + NEVER
    earlier = tx.conn.execute(select(Wait.id).where(Wait.conversation_id == conversation_id).limit(1)).first()
    wait_id = WaitId(
        tx.conn.execute(
            insert(Wait).values(
                conversation_id=conversation_id,
                entry_id=entry_id,
                channel=channel,
                team_id=team_id,
                first=earlier is None,
                calendar_id=version.id,
                started_at=at,
                warn_after_s=target.warn_s,
                target_s=target.target_s,
                warn_at=warn_at,
                due_at=due_at,
                paused_s=0,
            )
        ).inserted_primary_key[0]
    )
    _line(tx, wait_id, at, WaitStep.STARTED, {"channel": channel, "entry": entry_id})
    _show(tx, conversation_id, wait_id=wait_id, since=at, warn_at=warn_at, due_at=due_at)
    tx.record(WaitStarted(conversation_id, wait_id, entry_id, channel))
    return wait_id


def end(
    tx: Transaction,
    conversation_id: ConversationId,
    ending: Ending,
    *,
    at: datetime,
    by: OperatorId | None = None,
    entry_id: EntryId | None = None,
) -> WaitId | None:
    """End the running wait, if there is one, and fix its three clocks."""
    wait = running(tx, conversation_id)
    if wait is None:
        return None
    at = max(at, wait.started_at)
    paused_s = wait.paused_s + _pause_so_far(tx, wait, at)
    open_s = _seconds(calendar.open_time(tx.conn, wait.started_at, at))
    tx.conn.execute(
        update(Wait)
        .where(Wait.id == wait.id)
        .values(
            ended_at=at,
            ending=ending,
            ended_by=by,
            ended_entry_id=entry_id,
            wall_s=_seconds(at - wait.started_at),
            open_s=open_s,
            net_s=max(0, open_s - paused_s),
            paused_s=paused_s,
            paused_at=None,
        )
    )
    wait_id = WaitId(wait.id)
    _line(tx, wait_id, at, WaitStep.ENDED, {"ending": ending, "by": by, "entry": entry_id})
    _show(tx, conversation_id, wait_id=None, since=None, warn_at=None, due_at=None)
    tx.record(WaitEnded(conversation_id, wait_id, ending))
    return wait_id


def run_again(tx: Transaction, conversation_id: ConversationId, entry_id: EntryId, *, at: datetime) -> WaitId | None:
    """The answer `entry_id` could not be delivered: the wait it ended runs again from its original start.

    A wait that began in between is folded into it. None when `entry_id` ended no wait.
    """
    wait = tx.conn.execute(
        select(Wait.__table__).where(Wait.conversation_id == conversation_id, Wait.ended_entry_id == entry_id)
    ).first()
    if wait is None or wait.ended_at is None:
        return None
    end(tx, conversation_id, Ending.MERGED, at=at)
    warn_at, due_at = _due(tx, wait, wait.paused_s, at)
    tx.conn.execute(
        update(Wait)
        .where(Wait.id == wait.id)
        .values(ended_at=None, ending=None, ended_by=None, ended_entry_id=None, wall_s=None, open_s=None, net_s=None,
                warn_at=warn_at, due_at=due_at)
    )
    wait_id = WaitId(wait.id)
    _line(tx, wait_id, at, WaitStep.RUNS_AGAIN, {"undelivered": entry_id})
    _show(tx, conversation_id, wait_id=wait_id, since=wait.started_at, warn_at=warn_at, due_at=due_at)
    return wait_id


def pause(tx: Transaction, conversation_id: ConversationId, *, at: datetime, until: datetime, why: str) -> bool:
    """Stop the third clock because the customer agreed to wait until `until`. False when nothing runs unpaused."""
    wait = running(tx, conversation_id)
    if wait is None or wait.paused_at is not None:
        return False
    tx.conn.execute(update(Wait).where(Wait.id == wait.id).values(paused_at=at, warn_at=None, due_at=None))
    _line(tx, WaitId(wait.id), at, WaitStep.PAUSED, {"until": until.isoformat(), "why": why})
    _show(tx, conversation_id, wait_id=wait.id, since=wait.started_at, warn_at=None, due_at=None)
    return True


def resume(tx: Transaction, conversation_id: ConversationId, *, at: datetime) -> bool:
    """The agreed pause is over: the third clock goes on where it stood."""
    wait = running(tx, conversation_id)
    if wait is None or wait.paused_at is None:
        return False
    paused_s = wait.paused_s + _pause_so_far(tx, wait, at)
    warn_at, due_at = _due(tx, wait, paused_s, at)
    tx.conn.execute(
        update(Wait)
        .where(Wait.id == wait.id)
        .values(paused_at=None, paused_s=paused_s, warn_at=warn_at, due_at=due_at)
    )
    _line(tx, WaitId(wait.id), at, WaitStep.RESUMED, {})
    _show(tx, conversation_id, wait_id=wait.id, since=wait.started_at, warn_at=warn_at, due_at=due_at)
    return True


def move(tx: Transaction, source: ConversationId, target: ConversationId, *, at: datetime) -> None:
    """Merging: the older of two running waits goes on in `target`, the younger ends as merged."""
    moving, staying = running(tx, source), running(tx, target)
    if moving is None:
        return
    if staying is not None and staying.started_at <= moving.started_at:
        end(tx, source, Ending.MERGED, at=at)
        return
    if staying is not None:
        end(tx, target, Ending.MERGED, at=at)
    tx.conn.execute(update(Wait).where(Wait.id == moving.id).values(conversation_id=target))
    _line(tx, WaitId(moving.id), at, WaitStep.MOVED, {"from": source, "to": target})
    _show(tx, source, wait_id=None, since=None, warn_at=None, due_at=None)
    _show(tx, target, wait_id=moving.id, since=moving.started_at, warn_at=moving.warn_at, due_at=moving.due_at)


def next_due(conn: Any) -> datetime | None:
    """The nearest moment at which a running wait turns to a warning or a miss."""
    soonest: list[datetime] = []
    for column, done in ((Wait.warn_at, Wait.warned_at), (Wait.due_at, Wait.missed_at)):
        at = conn.execute(select(func.min(column)).where(Wait.ended_at.is_(None), done.is_(None))).scalar()
        if at is not None:
            soonest.append(at)
    return min(soonest, default=None)


def fire_due(tx: Transaction, *, now: datetime, limit: int = 500) -> int:
    """Write the warnings and misses that are due by `now`, each exactly once, dated at the second they were due."""
    fired = 0
    for column, done, step in (
        (Wait.warn_at, Wait.warned_at, WaitStep.WARNED),
        (Wait.due_at, Wait.missed_at, WaitStep.MISSED),
    ):
        rows = tx.conn.execute(
            select(Wait.id, Wait.conversation_id, column.label("at"))
            .where(Wait.ended_at.is_(None), done.is_(None), column <= now)
            .order_by(column)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        for row in rows:
            changed = tx.conn.execute(
                update(Wait)
                .where(Wait.id == row.id, Wait.ended_at.is_(None), done.is_(None))
                .values({done.key: row.at})
            )
            if changed.rowcount != 1:
                continue
            fired += 1
            wait_id, conversation_id = WaitId(row.id), ConversationId(row.conversation_id)
            _line(tx, wait_id, row.at, step, {})
            if step is WaitStep.WARNED:
                tx.record(WaitWarned(conversation_id, wait_id, row.at))
            else:
                tx.record(WaitMissed(conversation_id, wait_id, row.at))
    return fired


def recalculate(tx: Transaction, *, now: datetime) -> None:
    """Opening hours have changed: running, unpaused waits get due times by the version now in force."""
    for wait in tx.conn.execute(
        select(Wait.__table__).where(Wait.ended_at.is_(None), Wait.paused_at.is_(None))
    ).all():
        warn_at, due_at = _due(tx, wait, wait.paused_s, now)
        tx.conn.execute(update(Wait).where(Wait.id == wait.id).values(warn_at=warn_at, due_at=due_at))
        _show(tx, wait.conversation_id, wait_id=wait.id, since=wait.started_at, warn_at=warn_at, due_at=due_at)


def _due(tx: Transaction, wait: Row[Any], paused_s: int, now: datetime) -> tuple[datetime, datetime]:
    """Warning and due time of a wait, given what it has used up by `now`; a moment that has passed stays in the past."""
    hours = calendar.current(tx.conn, now).hours
    used = calendar.open_time(tx.conn, wait.started_at, now) - timedelta(seconds=paused_s)
    moments = []
    for after_s, old, fired in (
        (wait.warn_after_s, wait.warn_at, wait.warned_at),
        (wait.target_s, wait.due_at, wait.missed_at),
    ):
        if fired is not None:
            moments.append(fired)
            continue
        left = timedelta(seconds=after_s) - used
        if left <= timedelta():
            moments.append(old if old is not None and old <= now else now)
        else:
            moments.append(hours.add(now, left) or wait.started_at + NEVER)
    return moments[0], moments[1]


def _pause_so_far(tx: Transaction, wait: Row[Any], at: datetime) -> int:
    """Open seconds in the pause that runs, if one does."""
    if wait.paused_at is None:
        return 0
    return _seconds(calendar.open_time(tx.conn, wait.paused_at, at))


def _line(tx: Transaction, wait_id: WaitId, at: datetime, step: WaitStep, data: dict[str, Any]) -> None:
    tx.conn.execute(insert(WaitLine).values(wait_id=wait_id, at=at, step=step, data=data))


def _show(
    tx: Transaction,
    conversation_id: int,
    *,
    wait_id: int | None,
    since: datetime | None,
    warn_at: datetime | None,
    due_at: datetime | None,
) -> None:
    active_at = tx.conn.execute(select(Conversation.active_at).where(Conversation.id == conversation_id)).scalar_one()
    tx.conn.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(
            wait_id=wait_id,
            waiting_since=since,
            warn_at=warn_at,
            due_at=due_at,
            queue_key=queue_key(due_at, active_at),
            version=Conversation.version + 1,
        )
    )


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
