"""The outbox: what must still follow, delivered in order per conversation, with back-off and visible failure.

A worker claims a row for a while (the lease), works outside any transaction, and settles it in another. A crash in
between lets the lease run out and the row is tried again; handlers are therefore idempotent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select, update
from sqlalchemy.orm import aliased

from inbox.store.models import Outbox, UtcDateTime
from inbox.store.transaction import Transaction
from inbox.vocabulary import ConversationId, OutboxId, OutboxState

LEASE = timedelta(minutes=2)
BACK_OFF = (5, 15, 60, 300, 900, 1800, 3600, 7200, 14400)
"""Seconds to wait after the first, second … failure."""
MAX_ATTEMPTS = len(BACK_OFF) + 1


@dataclass(frozen=True, slots=True)
class Job:
    id: OutboxId
    handler: str
    conversation_id: ConversationId | None
    payload: Mapping[str, Any]
    attempts: int


def claim(tx: Transaction, handler: str, *, now: datetime, limit: int = 20) -> list[Job]:
    """Lease what is due. A row waits while an earlier one of its conversation and handler is not settled."""
    rows = tx.conn.execute(
        select(Outbox.__table__)
        .where(
            Outbox.handler == handler,
            Outbox.state == OutboxState.QUEUED,
            Outbox.next_at <= now,
            (Outbox.leased_until.is_(None)) | (Outbox.leased_until <= now),
            _has_its_turn(),
        )
        .order_by(Outbox.next_at, Outbox.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        tx.conn.execute(
            update(Outbox)
            .where(Outbox.id.in_([row.id for row in rows]))
            .values(leased_until=now + LEASE, attempts=Outbox.attempts + 1)
        )
    return [Job(OutboxId(r.id), r.handler, r.conversation_id, r.payload, r.attempts + 1) for r in rows]


def _has_its_turn() -> ColumnElement[bool]:
    earlier = aliased(Outbox)
    blocked = exists().where(
        earlier.conversation_id == Outbox.conversation_id,
        earlier.handler == Outbox.handler,
        earlier.state == OutboxState.QUEUED,
        earlier.id < Outbox.id,
    )
    return Outbox.conversation_id.is_(None) | ~blocked


def keep(tx: Transaction, job: Job, *, now: datetime) -> None:
    """The work takes long: lease the row for longer, unless it is settled or has gone to somebody else."""
    tx.conn.execute(
        update(Outbox).where(_is_mine(job), Outbox.leased_until.is_not(None)).values(leased_until=now + LEASE)
    )


def _is_mine(job: Job) -> ColumnElement[bool]:
    return and_(Outbox.id == job.id, Outbox.state == OutboxState.QUEUED, Outbox.attempts == job.attempts)


def done(tx: Transaction, job_id: OutboxId, *, now: datetime) -> None:
    tx.conn.execute(
        update(Outbox)
        .where(Outbox.id == job_id, Outbox.state == OutboxState.QUEUED)
        .values(state=OutboxState.DONE, settled_at=now, leased_until=None)
    )


def failed(tx: Transaction, job: Job, error: str, *, retry: bool, now: datetime) -> bool:
    """Try again later, or give up and keep the error for people to see. True when given up.

    Nothing changes when the lease ran out meanwhile and somebody else has the row.
    """
    given_up = not retry or job.attempts >= MAX_ATTEMPTS
    values: dict[str, Any] = {"last_error": error[:1000], "leased_until": None}
    if given_up:
        values |= {"state": OutboxState.GIVEN_UP, "settled_at": now}
    else:
        values["next_at"] = now + timedelta(seconds=BACK_OFF[job.attempts - 1])
    changed = tx.conn.execute(update(Outbox).where(_is_mine(job)).values(**values))
    return given_up and changed.rowcount == 1


def next_at(conn: Connection, handler: str) -> datetime | None:
    """When the next row of this handler wants to be looked at."""
    larger = func.greatest if conn.dialect.name == "postgresql" else func.max
    moment: ColumnElement[datetime] = larger(
        Outbox.next_at, func.coalesce(Outbox.leased_until, Outbox.next_at), type_=UtcDateTime()
    )
    return conn.execute(
        select(moment.label("moment"))
        .where(Outbox.handler == handler, Outbox.state == OutboxState.QUEUED, _has_its_turn())
        .order_by("moment")
        .limit(1)
    ).scalar()


@dataclass(frozen=True, slots=True)
class GivenUp:
    id: OutboxId
    handler: str
    conversation_id: ConversationId | None
    attempts: int
    last_error: str
    created_at: datetime


def given_up(conn: Connection, limit: int = 100) -> list[GivenUp]:
    """What the desk could not do, newest first: for the tray."""
    return [
        GivenUp(OutboxId(r.id), r.handler, r.conversation_id, r.attempts, r.last_error, r.created_at)
        for r in conn.execute(
            select(Outbox.__table__).where(Outbox.state == OutboxState.GIVEN_UP).order_by(Outbox.id.desc()).limit(limit)
        )
    ]


def given_up_job(conn: Connection, job_id: OutboxId) -> Job | None:
    """A row the desk has given up on; None when it has not."""
    row = conn.execute(
        select(Outbox.__table__).where(Outbox.id == job_id, Outbox.state == OutboxState.GIVEN_UP)
    ).first()
    return None if row is None else Job(OutboxId(row.id), row.handler, row.conversation_id, row.payload, row.attempts)


def withdraw(tx: Transaction, handler: str, conversation_id: ConversationId, entry_id: int, *, now: datetime) -> bool:
    """Take a row about an entry back before it is due. False when somebody has begun to work on it."""
    rows = tx.conn.execute(
        select(Outbox.id, Outbox.payload).where(
            Outbox.conversation_id == conversation_id,
            Outbox.handler == handler,
            Outbox.state == OutboxState.QUEUED,
            Outbox.next_at > now,
            Outbox.attempts == 0,
        )
    ).all()
    ids = [row.id for row in rows if row.payload.get("entry_id") == entry_id]
    if not ids:
        return False
    taken = tx.conn.execute(
        update(Outbox)
        .where(Outbox.id.in_(ids), Outbox.state == OutboxState.QUEUED, Outbox.attempts == 0)
        .values(state=OutboxState.DONE, settled_at=now)
    )
    return taken.rowcount == len(ids)


def replaced(tx: Transaction, handler: str, conversation_id: ConversationId, entry_id: int, *, now: datetime) -> None:
    """Given-up rows about an entry are settled: a new one has taken their place."""
    rows = tx.conn.execute(
        select(Outbox.id, Outbox.payload).where(
            Outbox.conversation_id == conversation_id,
            Outbox.handler == handler,
            Outbox.state == OutboxState.GIVEN_UP,
        )
    ).all()
    ids = [row.id for row in rows if row.payload.get("entry_id") == entry_id]
    if ids:
        tx.conn.execute(update(Outbox).where(Outbox.id.in_(ids)).values(state=OutboxState.DONE, settled_at=now))


def moved(tx: Transaction, source: ConversationId, target: ConversationId, entry_ids: Collection[int]) -> None:
    """Entries went to another conversation: what must still follow from them follows from there."""
    for row in tx.conn.execute(
        select(Outbox.id, Outbox.payload).where(
            Outbox.conversation_id == source, Outbox.state.in_((OutboxState.QUEUED, OutboxState.GIVEN_UP))
        )
    ).all():
        if row.payload.get("entry_id") in entry_ids:
            payload = {**row.payload, "conversation_id": target}
            tx.conn.execute(update(Outbox).where(Outbox.id == row.id).values(conversation_id=target, payload=payload))


def run_again(tx: Transaction, job_id: OutboxId, *, now: datetime) -> None:
    """Queue a given-up row once more, from the first attempt."""
    tx.conn.execute(
        update(Outbox)
        .where(Outbox.id == job_id, Outbox.state == OutboxState.GIVEN_UP)
        .values(state=OutboxState.QUEUED, attempts=0, next_at=now, settled_at=None)
    )
