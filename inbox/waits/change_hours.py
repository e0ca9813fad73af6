"""Editing the opening hours adds a version; the past keeps its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from inbox.events import HoursChanged
from inbox.store.models import Calendar
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId
from inbox.waits import ledger
from inbox.waits.hours import read_hours


def set_hours(tx: Transaction, zone: str, data: Mapping[str, Any], *, by: OperatorId | None, now: datetime) -> int:
    """Add a version, in force from `now`; running waits get new due times. Raises BadInput."""
    read_hours(zone, data)
    calendar_id = tx.conn.execute(
        insert(Calendar).values(valid_from=now, zone=zone, data=dict(data), created_by=by).returning(Calendar.id)
    ).scalar_one()
    ledger.recalculate(tx, now=now)
    tx.record(HoursChanged())
    return int(calendar_id)
