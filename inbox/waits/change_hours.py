"""Editing the opening hours adds a version; the past keeps its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inbox.events import HoursChanged
from inbox.store.models import Calendar
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId
from inbox.waits import calendar, ledger
from inbox.waits.hours import read_hours


def set_hours(
    tx: Transaction,
    zone: str,
    data: Mapping[str, Any],
    *,
    by: OperatorId | None,
    now: datetime,
    team_id: int | None = None,
) -> int:
    """Add a version, in force from `now`; running waits get new due times. Raises BadInput."""
    read_hours(zone, data)
    return _add(tx, zone, dict(data), by, now, team_id)


def follow_desk(tx: Transaction, team_id: int, *, by: OperatorId | None, now: datetime) -> None:
    """From now on the hours of the desk are those of the team, too."""
    if calendar.has_own(tx.conn, now, team_id):
        _add(tx, calendar.current(tx.conn, now).zone, {calendar.FOLLOWS_DESK: True}, by, now, team_id)


def _add(
    tx: Transaction, zone: str, data: dict[str, Any], by: OperatorId | None, now: datetime, team_id: int | None
) -> int:
    calendar_id = tx.insert(Calendar, team_id=team_id, valid_from=now, zone=zone, data=data, created_by=by)
    ledger.recalculate(tx, now=now)
    tx.record(HoursChanged())
    return calendar_id
