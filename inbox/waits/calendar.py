"""Versions of the opening hours in the store: the past is always counted by the version in force then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, select

from inbox.store.models import Calendar
from inbox.waits.hours import OpeningHours, read_hours


@dataclass(frozen=True, slots=True)
class Version:
    id: int
    valid_from: datetime
    zone: str
    data: Mapping[str, Any]
    hours: OpeningHours


@lru_cache(64)
def _parsed(zone: str, data: str) -> OpeningHours:
    return read_hours(zone, json.loads(data))


def _version(row: Any) -> Version:
    return Version(row.id, row.valid_from, row.zone, row.data, _parsed(row.zone, json.dumps(row.data)))


_COLUMNS = (Calendar.id, Calendar.valid_from, Calendar.zone, Calendar.data)


def current(conn: Connection, at: datetime) -> Version:
    """The version in force at `at` (the first one for any earlier time)."""
    row = conn.execute(
        select(*_COLUMNS).where(Calendar.valid_from <= at).order_by(Calendar.valid_from.desc(), Calendar.id.desc()).limit(1)
    ).first()
    if row is None:
        row = conn.execute(select(*_COLUMNS).order_by(Calendar.valid_from, Calendar.id).limit(1)).one()
    return _version(row)


def versions(conn: Connection, since: datetime, until: datetime) -> list[tuple[datetime, datetime, Version]]:
    """Which version was in force when, covering [since, until] without gaps."""
    rows = conn.execute(
        select(*_COLUMNS).where(Calendar.valid_from <= until).order_by(Calendar.valid_from, Calendar.id)
    ).all()
    if not rows:
        return [(since, until, current(conn, since))]
    found = [_version(row) for row in rows]
    spans = []
    for index, version in enumerate(found):
        start = since if index == 0 else max(version.valid_from, since)
        end = until if index + 1 == len(found) else min(found[index + 1].valid_from, until)
        if start < end or (start == end == since == until):
            spans.append((start, end, version))
    return spans or [(since, until, found[-1])]


def open_time(conn: Connection, since: datetime, until: datetime) -> timedelta:
    """Opening time in [since, until), each part by the version in force then."""
    if until <= since:
        return timedelta()
    return sum((v.hours.open_time(a, b) for a, b, v in versions(conn, since, until)), timedelta())
