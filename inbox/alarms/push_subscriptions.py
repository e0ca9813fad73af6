"""Browsers of operators that want to be told although no page of the desk is open (Push API, RFC 8030)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, func, select

from inbox.errors import BadInput
from inbox.store.models import PushSubscription
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId
from inbox.words import N_

MOST_BROWSERS = 10


@dataclass(frozen=True, slots=True)
class Subscription:
    id: int
    endpoint: str
    p256dh: str
    auth: str
    user_agent: str
    created_at: datetime


def subscribe(
    tx: Transaction,
    operator_id: OperatorId,
    *,
    endpoint: str,
    p256dh: str,
    auth: str,
    user_agent: str,
    now: datetime,
) -> None:
    """Remember a browser; one that was known, perhaps of a colleague at the same desk, now belongs to this operator."""
    forget(tx, endpoint)
    known = tx.conn.execute(
        select(func.count()).select_from(PushSubscription).where(PushSubscription.operator_id == operator_id)
    ).scalar_one()
    if known >= MOST_BROWSERS:
        raise BadInput("endpoint", N_("At most %(n)s browsers can be told. Remove one first."), n=MOST_BROWSERS)
    tx.insert(
        PushSubscription,
        operator_id=operator_id,
        digest=_digest(endpoint),
        endpoint=endpoint,
        p256dh=p256dh,
        auth=auth,
        user_agent=user_agent[:300],
        created_at=now,
    )


def forget(tx: Transaction, endpoint: str, *, of: OperatorId | None = None) -> None:
    """The browser, or its push service, wants no more."""
    which = delete(PushSubscription).where(PushSubscription.digest == _digest(endpoint))
    tx.conn.execute(which if of is None else which.where(PushSubscription.operator_id == of))


def forget_number(tx: Transaction, subscription_id: int, *, of: OperatorId) -> None:
    tx.conn.execute(
        delete(PushSubscription).where(PushSubscription.id == subscription_id, PushSubscription.operator_id == of)
    )


def of_operator(conn: Connection, operator_id: OperatorId) -> list[Subscription]:
    rows = conn.execute(
        select(PushSubscription.__table__)
        .where(PushSubscription.operator_id == operator_id)
        .order_by(PushSubscription.id)
    )
    return [Subscription(r.id, r.endpoint, r.p256dh, r.auth, r.user_agent, r.created_at) for r in rows]


def _digest(endpoint: str) -> str:
    return sha256(endpoint.encode()).hexdigest()
