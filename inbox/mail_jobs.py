"""Work on a whole mailbox that takes a while: taking old mail in, comparing, fetching what is missing.

One process at a time works on a job; one whose process died is gone on with by the next that looks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, or_, select, update

from inbox import audit
from inbox.errors import BadInput, NotFound
from inbox.store.models import MailJob
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId
from inbox.words import N_

LEASE = timedelta(seconds=30)
MAX_TRIES = 20
"""A job that fails is tried again later; so often a line may break in a long night."""


class JobKind(StrEnum):
    IMPORT = "import"
    COMPARE = "compare"
    FETCH = "fetch"  # what a comparison found missing


class JobState(StrEnum):
    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class JobRecord:
    id: int
    kind: JobKind
    mailbox: str
    options: Mapping[str, Any]
    state: JobState
    total: int
    done: int
    result: Mapping[str, Any]
    error: str
    tries: int
    created_at: datetime
    settled_at: datetime | None
    leased_until: datetime | None


def start(
    tx: Transaction,
    kind: JobKind,
    mailbox: str,
    options: Mapping[str, Any],
    *,
    by: OperatorId | None,
    now: datetime,
    holder: str = "",
) -> int:
    """Raises BadInput while such a job of this mailbox is under way. `holder` begins with it at once."""
    under_way = tx.conn.execute(
        select(MailJob.id).where(MailJob.mailbox == mailbox, MailJob.kind == kind, MailJob.state == JobState.OPEN)
    ).first()
    if under_way is not None:
        raise BadInput("mailbox", N_("The same is under way for this mailbox. Wait until it is done, or stop it."))
    job_id = tx.insert(
        MailJob,
        kind=kind,
        mailbox=mailbox,
        options=dict(options),
        state=JobState.OPEN,
        created_by=by,
        created_at=now,
        leased_by=holder,
        leased_until=now + LEASE if holder else None,
        total=0,
        done=0,
        result={},
        error="",
        tries=0,
    )
    audit.note(tx, f"mail_{kind}_started", by=by, now=now, data={"mailbox": mailbox, **options})
    return job_id


def get(conn: Connection, job_id: int) -> JobRecord:
    """Raises NotFound."""
    row = conn.execute(select(MailJob.__table__).where(MailJob.id == job_id)).first()
    if row is None:
        raise NotFound("job")
    return _record(row)


def latest(conn: Connection, limit: int = 20) -> list[JobRecord]:
    rows = conn.execute(select(MailJob.__table__).order_by(MailJob.id.desc()).limit(limit))
    return [_record(row) for row in rows]


def last_comparison(conn: Connection, mailbox: str) -> JobRecord | None:
    row = conn.execute(
        select(MailJob.__table__)
        .where(MailJob.mailbox == mailbox, MailJob.kind == JobKind.COMPARE, MailJob.state == JobState.DONE)
        .order_by(MailJob.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _record(row)


def claim(tx: Transaction, holder: str, *, now: datetime, but: Collection[int] = ()) -> JobRecord | None:
    """The oldest open job nobody works on, now held by `holder`. `but`: jobs that it works on already."""
    for job_id in tx.conn.execute(
        select(MailJob.id)
        .where(
            MailJob.state == JobState.OPEN,
            MailJob.id.not_in(but),
            or_(MailJob.leased_until.is_(None), MailJob.leased_until < now),
        )
        .order_by(MailJob.id)
        .limit(10)
    ).scalars():
        if hold(tx, job_id, holder, now=now):
            return get(tx.conn, job_id)
    return None


def hold(tx: Transaction, job_id: int, holder: str, *, now: datetime) -> bool:
    """Go on holding an open job, or take one whose lease has run out."""
    changed = tx.conn.execute(
        update(MailJob)
        .where(
            MailJob.id == job_id,
            MailJob.state == JobState.OPEN,
            or_(MailJob.leased_by == holder, MailJob.leased_until.is_(None), MailJob.leased_until < now),
        )
        .values(leased_by=holder, leased_until=now + LEASE)
    )
    return bool(changed.rowcount)


def progress(
    tx: Transaction, job_id: int, holder: str, *, done: int, total: int, now: datetime, error: str = ""
) -> bool:
    """False: somebody has stopped it, or another process works on it."""
    changed = tx.conn.execute(
        update(MailJob)
        .where(MailJob.id == job_id, MailJob.state == JobState.OPEN, MailJob.leased_by == holder)
        .values(done=done, total=total, leased_until=now + LEASE, error=error)
    )
    return bool(changed.rowcount)


def finish(tx: Transaction, job_id: int, holder: str, result: Mapping[str, Any], *, now: datetime) -> None:
    tx.conn.execute(
        update(MailJob)
        .where(MailJob.id == job_id, MailJob.state == JobState.OPEN, MailJob.leased_by == holder)
        .values(state=JobState.DONE, result=dict(result), error="", settled_at=now, leased_by="", leased_until=None)
    )


def fail(tx: Transaction, job_id: int, holder: str, error: str, *, again_at: datetime | None, now: datetime) -> bool:
    """Note an error; with `again_at` it is tried again then, unless it was tried too often. True: it has ended."""
    tries = tx.conn.execute(select(MailJob.tries).where(MailJob.id == job_id)).scalar_one() + 1
    ended = again_at is None or tries >= MAX_TRIES
    values: dict[str, Any] = {"error": error[:1000], "tries": tries, "leased_by": "", "leased_until": again_at}
    if ended:
        values |= {"state": JobState.FAILED, "settled_at": now, "leased_until": None}
    tx.conn.execute(
        update(MailJob)
        .where(MailJob.id == job_id, MailJob.state == JobState.OPEN, MailJob.leased_by == holder)
        .values(**values)
    )
    return ended


def stop(tx: Transaction, job_id: int, *, by: OperatorId | None, now: datetime) -> None:
    """What has been done stays done. Raises NotFound."""
    job = get(tx.conn, job_id)
    changed = tx.conn.execute(
        update(MailJob)
        .where(MailJob.id == job_id, MailJob.state == JobState.OPEN)
        .values(state=JobState.STOPPED, settled_at=now, leased_by="", leased_until=None)
    )
    if changed.rowcount:
        audit.note(tx, f"mail_{job.kind}_stopped", by=by, now=now, data={"mailbox": job.mailbox})


def _record(row: Any) -> JobRecord:
    return JobRecord(
        row.id,
        JobKind(row.kind),
        row.mailbox,
        row.options,
        JobState(row.state),
        row.total,
        row.done,
        row.result,
        row.error,
        row.tries,
        row.created_at,
        row.settled_at,
        row.leased_until,
    )
