"""Signed-in browsers: listed, expiring, ended at once. Only the digest of a token is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, select, update

from inbox.errors import NotFound
from inbox.people.operators import OperatorRecord, record
from inbox.store.models import Operator, OperatorSession
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, SessionId

SEEN_EVERY = timedelta(minutes=1)
"""A session's last use is noted no more often than this by requests."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    session_id: SessionId
    operator: OperatorRecord
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionLine:
    id: SessionId
    created_at: datetime
    seen_at: datetime
    user_agent: str
    remote: str


def begin(
    tx: Transaction,
    operator_id: OperatorId,
    *,
    token_digest: str,
    lasts: timedelta,
    now: datetime,
    user_agent: str = "",
    remote: str = "",
) -> SessionId:
    return SessionId(
        tx.insert(
            OperatorSession,
            operator_id=operator_id,
            token_digest=token_digest,
            created_at=now,
            seen_at=now,
            expires_at=now + lasts,
            user_agent=user_agent[:300],
            remote=remote[:64],
        )
    )


def find(conn: Connection, token_digest: str, *, now: datetime) -> SignedIn | None:
    """Who holds this token; None when it has expired or was ended, or the account is disabled."""
    row = conn.execute(
        select(
            Operator.__table__,
            OperatorSession.id.label("session_id"),
            OperatorSession.seen_at,
            OperatorSession.expires_at,
        )
        .join(OperatorSession, OperatorSession.operator_id == Operator.id)
        .where(
            OperatorSession.token_digest == token_digest,
            OperatorSession.ended_at.is_(None),
            OperatorSession.expires_at > now,
            Operator.disabled_at.is_(None),
        )
    ).first()
    return None if row is None else SignedIn(SessionId(row.session_id), record(row), row.seen_at, row.expires_at)


def was_here(conn: Connection, operator_id: OperatorId, remote: str) -> bool:
    """Whether the operator has signed in from this address before."""
    return bool(
        conn.execute(
            select(exists().where(OperatorSession.operator_id == operator_id, OperatorSession.remote == remote[:64]))
        ).scalar()
    )


def touch(tx: Transaction, session_ids: Sequence[SessionId], *, now: datetime) -> None:
    """These were used just now."""
    if session_ids:
        tx.conn.execute(
            update(OperatorSession)
            .where(OperatorSession.id.in_(session_ids), OperatorSession.seen_at < now)
            .values(seen_at=now)
        )


def alive(conn: Connection, session_ids: Sequence[SessionId], *, now: datetime) -> set[SessionId]:
    """Which of these have neither ended nor expired."""
    if not session_ids:
        return set()
    return {
        SessionId(i)
        for i in conn.execute(
            select(OperatorSession.id).where(
                OperatorSession.id.in_(session_ids),
                OperatorSession.ended_at.is_(None),
                OperatorSession.expires_at > now,
            )
        ).scalars()
    }


def listing(conn: Connection, operator_id: OperatorId, *, now: datetime) -> list[SessionLine]:
    """Running sessions, last used first."""
    return [
        SessionLine(SessionId(r.id), r.created_at, r.seen_at, r.user_agent, r.remote)
        for r in conn.execute(
            select(OperatorSession.__table__)
            .where(
                OperatorSession.operator_id == operator_id,
                OperatorSession.ended_at.is_(None),
                OperatorSession.expires_at > now,
            )
            .order_by(OperatorSession.seen_at.desc(), OperatorSession.id.desc())
        )
    ]


def end(tx: Transaction, session_id: SessionId, *, of: OperatorId, now: datetime) -> None:
    """Raises NotFound when it is somebody else's or has ended."""
    ended = tx.conn.execute(
        update(OperatorSession)
        .where(
            OperatorSession.id == session_id,
            OperatorSession.operator_id == of,
            OperatorSession.ended_at.is_(None),
        )
        .values(ended_at=now)
    )
    if ended.rowcount != 1:
        raise NotFound("session")


def end_others(tx: Transaction, operator_id: OperatorId, *, but: SessionId | None, now: datetime) -> list[SessionId]:
    """End all of an operator's sessions, except the one in use."""
    query = select(OperatorSession.id).where(
        OperatorSession.operator_id == operator_id, OperatorSession.ended_at.is_(None)
    )
    if but is not None:
        query = query.where(OperatorSession.id != but)
    ids = [SessionId(i) for i in tx.conn.execute(query).scalars()]
    if ids:
        tx.conn.execute(update(OperatorSession).where(OperatorSession.id.in_(ids)).values(ended_at=now))
    return ids


def running(conn: Connection, operator_id: OperatorId) -> list[SessionId]:
    return [
        SessionId(i)
        for i in conn.execute(
            select(OperatorSession.id).where(
                OperatorSession.operator_id == operator_id, OperatorSession.ended_at.is_(None)
            )
        ).scalars()
    ]
