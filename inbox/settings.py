"""What administrators change while the desk runs, kept by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from inbox.store.models import Setting
from inbox.store.transaction import Transaction


def get(conn: Connection, name: str) -> Mapping[str, Any] | None:
    return conn.execute(select(Setting.value).where(Setting.name == name)).scalar()


def put(tx: Transaction, name: str, value: Mapping[str, Any], *, now: datetime) -> None:
    changed = tx.conn.execute(update(Setting).where(Setting.name == name).values(value=dict(value), changed_at=now))
    if not changed.rowcount:
        tx.conn.execute(insert(Setting).values(name=name, value=dict(value), changed_at=now))
