"""Versions of the opening hours in the store: the past is always counted by the version in force then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, bindparam, select

from inbox.store.models import Calendar
from inbox.store.prepared import Prepared
from inbox.waits.hours import OpeningHours, read_hours


@dataclass(frozen=True, slots=True)
class Version:
    id: int
    valid_from: datetime
    zone: str
    data: Mapping[str, Any]
    hours: OpeningHours


class Timetable:
    """Every version from some moment on, as one line of time. Before the first one it is the first that counts."""

    def __init__(self, found: Sequence[Version]) -> None:
        if not found:
            raise LookupError("A desk needs opening hours before anybody can wait.")
        self._versions = found

    def at(self, moment: datetime) -> Version:
        return next((v for v in reversed(self._versions) if v.valid_from <= moment), self._versions[0])

    def spans(self, since: datetime, until: datetime) -> list[tuple[datetime, datetime, Version]]:
        """Which version is in force when, covering [since, until) without gaps."""
        starts = [since, *(max(v.valid_from, since) for v in self._versions[1:]), until]
        return [
            (start, min(end, until), version)
            for (start, end), version in zip(pairwise(starts), self._versions, strict=True)
            if start < min(end, until)
        ]

    def open_time(self, since: datetime, until: datetime) -> timedelta:
        """Opening time in [since, until), each part by the version in force then."""
        return sum((v.hours.open_time(a, b) for a, b, v in self.spans(since, until)), timedelta())

    def add(self, start: datetime, open_time: timedelta) -> datetime | None:
        """The moment at which `open_time` has passed in opening hours since `start`. None when the desk never opens."""
        for version, following in zip(self._versions, [*self._versions[1:], None], strict=True):
            if following is None:
                return version.hours.add(start, open_time)
            if following.valid_from <= start:
                continue
            reached = version.hours.add(start, open_time)
            if reached is not None and reached <= following.valid_from:
                return reached
            open_time -= version.hours.open_time(start, following.valid_from)
            start = following.valid_from
        return None


def timetable(conn: Connection, since: datetime) -> Timetable:
    """The versions in force at `since` and ever after."""
    first = _IN_FORCE.first(conn, at=since)
    later = _LATER.all(conn, at=since)
    return Timetable([_version(row) for row in ([first, *later] if first is not None else later)])


def current(conn: Connection, at: datetime) -> Version:
    """The version in force at `at` (the first one for any earlier time)."""
    row = _IN_FORCE.first(conn, at=at)
    return timetable(conn, at).at(at) if row is None else _version(row)


def exists(conn: Connection) -> bool:
    """Whether opening hours were ever given: a new desk has none."""
    return conn.execute(select(Calendar.id).limit(1)).first() is not None


def versions(conn: Connection, since: datetime, until: datetime) -> list[tuple[datetime, datetime, Version]]:
    """Which version was in force when, covering [since, until) without gaps."""
    return timetable(conn, since).spans(since, until)


def open_time(conn: Connection, since: datetime, until: datetime) -> timedelta:
    """Opening time in [since, until), each part by the version in force then."""
    return timetable(conn, since).open_time(since, until) if since < until else timedelta()


_COLUMNS = (Calendar.id, Calendar.valid_from, Calendar.zone, Calendar.data)
_IN_FORCE = Prepared(
    select(*_COLUMNS)
    .where(Calendar.valid_from <= bindparam("at"))
    .order_by(Calendar.valid_from.desc(), Calendar.id.desc())
    .limit(1)
)
_LATER = Prepared(
    select(*_COLUMNS).where(Calendar.valid_from > bindparam("at")).order_by(Calendar.valid_from, Calendar.id)
)


@lru_cache(64)
def _parsed(zone: str, data: str) -> OpeningHours:
    return read_hours(zone, json.loads(data))


def _version(row: Any) -> Version:
    return Version(row.id, row.valid_from, row.zone, row.data, _parsed(row.zone, json.dumps(row.data)))
