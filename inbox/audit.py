"""Who changed what about the desk itself: accounts, hours, texts. Conversations have their timelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from inbox.store.models import AuditLine, Operator
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId


@dataclass(frozen=True, slots=True)
class Noted:
    at: datetime
    who: str
    action: str
    data: Mapping[str, Any]


def note(
    tx: Transaction, action: str, *, by: OperatorId | None, now: datetime, data: Mapping[str, Any] | None = None
) -> None:
    """`action` is a stable word such as "account_changed"; secrets do not belong into `data`."""
    tx.conn.execute(insert(AuditLine).values(at=now, operator_id=by, action=action[:60], data=dict(data or {})))


def latest(conn: Connection, limit: int = 200) -> list[Noted]:
    return [
        Noted(row.at, row.name or "", row.action, row.data)
        for row in conn.execute(
            select(AuditLine.at, AuditLine.action, AuditLine.data, Operator.name)
            .outerjoin(Operator, Operator.id == AuditLine.operator_id)
            .order_by(AuditLine.id.desc())
            .limit(limit)
        )
    ]
