"""Versions of the opening hours in the store: the past is always counted by the version in force then."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, select

from inbox.store.models import Calendar, WaitLine
from inbox.store.prepared import Prepared
from inbox.vocabulary import WaitStep
from inbox.waits.hours import OpeningHours, read_hours
from inbox.waits.timetable import Change, Timetable, Version

FOLLOWS_DESK = "follows_desk"
"""Stands alone in the data of a team's version that says: from here on the hours of the desk count again."""


def timetable(conn: Connection, since: datetime, team_id: int | None = None) -> Timetable:
    """The versions in force at `since` and ever after: of a team where it has its own, else of the desk."""
    first = _IN_FORCE.first(conn, at=since)
    later = _LATER.all(conn, at=since)
    desk = Timetable([_version(row) for row in ([first, *later] if first is not None else later)])
    return desk if team_id is None else desk.with_own(_own(conn, since, team_id))


def for_wait(conn: Connection, wait: Any) -> Timetable:
    """What counts for a wait: the hours of its team, and for the time before it came there those of the team it had."""
    if wait.team_since is None:
        return timetable(conn, wait.started_at, wait.team_id)
    moves = _TEAM_MOVES.all(conn, wait=wait.id)
    changes = [(row.at, row.data["team"]) for row in moves if "team" in row.data]
    parts = [(wait.started_at, timetable(conn, wait.started_at, changes[0][1][0]))]
    for at, (_, team_id) in changes:
        parts.append((max(at, wait.started_at), timetable(conn, max(at, wait.started_at), team_id)))
    return Timetable.joined(parts)


def current(conn: Connection, at: datetime, team_id: int | None = None) -> Version:
    """The version in force at `at` (the first one for any earlier time)."""
    if team_id is not None:
        return timetable(conn, at, team_id).at(at)
    row = _IN_FORCE.first(conn, at=at)
    return timetable(conn, at).at(at) if row is None else _version(row)


def has_own(conn: Connection, at: datetime, team_id: int) -> bool:
    """Whether the team has hours of its own then."""
    own = _own(conn, at, team_id)
    return bool(own) and own[0][0] <= at and own[0][1] is not None


def exists(conn: Connection) -> bool:
    """Whether opening hours were ever given: a new desk has none."""
    return conn.execute(select(Calendar.id).where(Calendar.team_id.is_(None)).limit(1)).first() is not None


def versions(conn: Connection, since: datetime, until: datetime) -> list[tuple[datetime, datetime, Version]]:
    """Which version was in force when, covering [since, until) without gaps."""
    return timetable(conn, since).spans(since, until)


def open_time(conn: Connection, since: datetime, until: datetime) -> timedelta:
    """Opening time in [since, until), each part by the version in force then."""
    return timetable(conn, since).open_time(since, until) if since < until else timedelta()


def _own(conn: Connection, since: datetime, team_id: int) -> list[Change]:
    first = _OWN_IN_FORCE.first(conn, at=since, team=team_id)
    rows = [*([first] if first is not None else []), *_OWN_LATER.all(conn, at=since, team=team_id)]
    return [(row.valid_from, None if FOLLOWS_DESK in row.data else _version(row)) for row in rows]


_COLUMNS = (Calendar.id, Calendar.valid_from, Calendar.zone, Calendar.data)
_THEN = select(*_COLUMNS).where(Calendar.valid_from <= bindparam("at"))
_NEWEST_FIRST = (Calendar.valid_from.desc(), Calendar.id.desc())
_AFTER = select(*_COLUMNS).where(Calendar.valid_from > bindparam("at")).order_by(Calendar.valid_from, Calendar.id)
_IN_FORCE = Prepared(_THEN.where(Calendar.team_id.is_(None)).order_by(*_NEWEST_FIRST).limit(1))
_LATER = Prepared(_AFTER.where(Calendar.team_id.is_(None)))
_OWN_IN_FORCE = Prepared(_THEN.where(Calendar.team_id == bindparam("team")).order_by(*_NEWEST_FIRST).limit(1))
_OWN_LATER = Prepared(_AFTER.where(Calendar.team_id == bindparam("team")))
_TEAM_MOVES = Prepared(
    select(WaitLine.at, WaitLine.data)
    .where(WaitLine.wait_id == bindparam("wait"), WaitLine.step == WaitStep.MOVED)
    .order_by(WaitLine.id)
)


@lru_cache(64)
def _parsed(zone: str, data: str) -> OpeningHours:
    return read_hours(zone, json.loads(data))


def _version(row: Any) -> Version:
    return Version(row.id, row.valid_from, row.zone, row.data, _parsed(row.zone, json.dumps(row.data)))
