"""How many customers came, per local day and half-hour: from first waits, so whoever left again is counted too.

A call is an arrival each time, but repeats of one caller within half an hour are one: else bad service would look like
demand. Spam and what was merged into another wait is none. What was asked for as a callback is work for later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Connection, and_, case, func, or_, select, type_coerce

from inbox.staffing.half_hours import Places
from inbox.store.models import Conversation, Entry, Wait
from inbox.vocabulary import ChannelKind, Ending, EntryKind, TeamId

REPEAT_MICROS = 30 * 60 * 1_000_000
QUARTER_MICROS = 900_000_000
_NO_WORK = (Ending.SPAM, Ending.MERGED)
_MICROS = type_coerce(Wait.started_at, BigInteger)

Key = tuple[date, int]
"""A local day and a place of the clock."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What came in one channel, and how many of them were missed: calls nobody took, chats left, mails past target."""

    came: Mapping[Key, int]
    missed: Mapping[Key, int]


@dataclass(slots=True)
class _Count:
    came: dict[Key, int] = field(default_factory=dict)
    missed: dict[Key, int] = field(default_factory=dict)

    def add(self, key: Key, came: int, missed: int) -> None:
        self.came[key] = self.came.get(key, 0) + came
        if missed:
            self.missed[key] = self.missed.get(key, 0) + missed


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`callbacks`: what customers asked for to be called back, without having called."""

    channels: Mapping[ChannelKind, Counted]
    callbacks: Counted

    def days(self) -> set[date]:
        return {day for counted in (*self.channels.values(), self.callbacks) for day, _ in counted.came}


def arrivals(
    conn: Connection, spans: Sequence[tuple[datetime, datetime]], zone: ZoneInfo, *, team_id: TeamId | None = None
) -> Arrivals:
    """What came within the spans, which do not overlap and are in order."""
    places = Places(zone)
    counts = {channel: _Count() for channel in ChannelKind}
    callbacks = _Count()
    for since, until in spans:
        for row in _written(conn, since, until, team_id):
            counts[ChannelKind(row.channel)].add(places.of_quarter(row.quarter), row.came, row.missed)
        for micros, missed, asked in _called(_phone(conn, since, until, team_id)):
            (callbacks if asked else counts[ChannelKind.PHONE]).add(
                places.of_quarter(micros // QUARTER_MICROS), 1, missed
            )
    return Arrivals(
        {channel: Counted(count.came, count.missed) for channel, count in counts.items()},
        Counted(callbacks.came, callbacks.missed),
    )


def first_arrival(conn: Connection, *, team_id: TeamId | None = None) -> datetime | None:
    """When the first customer ever came."""
    query = select(Wait.started_at)
    if team_id is not None:
        query = query.where(Wait.team_id == team_id)
    found: datetime | None = conn.execute(query.order_by(Wait.started_at).limit(1)).scalar()
    return found


def _in_span(since: datetime, until: datetime, team_id: TeamId | None) -> Any:
    which = and_(
        Wait.started_at >= since,
        Wait.started_at < until,
        or_(Wait.ending.is_(None), Wait.ending.not_in(_NO_WORK)),
    )
    return which if team_id is None else and_(which, Wait.team_id == team_id)


def _written(conn: Connection, since: datetime, until: datetime, team_id: TeamId | None) -> Iterable[Any]:
    """Chats and mails, counted by the database per quarter of an hour, of which local half-hours are made."""
    quarter = (_MICROS // QUARTER_MICROS).label("quarter")
    missed = case(
        (and_(Wait.channel == ChannelKind.CHAT, Wait.ending == Ending.ABANDONED), 1),
        (and_(Wait.channel == ChannelKind.EMAIL, Wait.missed_at.is_not(None)), 1),
        else_=0,
    )
    return conn.execute(
        select(quarter, Wait.channel, func.count().label("came"), func.sum(missed).label("missed"))
        .where(_in_span(since, until, team_id), Wait.first.is_(True), Wait.channel != ChannelKind.PHONE)
        .group_by(quarter, Wait.channel)
    )


def _phone(conn: Connection, since: datetime, until: datetime, team_id: TeamId | None) -> Iterable[Any]:
    """Every wait for a person on the telephone, with who it was and how it began."""
    return conn.execute(
        select(
            _MICROS.label("micros"),
            Conversation.contact_id,
            Wait.first,
            Wait.ending,
            Wait.entry_id,
            Wait.ended_entry_id,
            Entry.kind,
        )
        .join(Conversation, Conversation.id == Wait.conversation_id)
        .outerjoin(Entry, Entry.id == Wait.entry_id)
        .where(_in_span(since, until, team_id), Wait.channel == ChannelKind.PHONE)
        .order_by(_MICROS)
    )


def _called(rows: Iterable[Any]) -> Iterable[tuple[int, int, bool]]:
    """Moment, 1 when missed, and whether a callback was asked for; repeats of a caller left out."""
    counted: dict[int, int] = {}
    for micros, contact_id, first, ending, entry_id, ended_entry_id, kind in rows:
        if kind not in (None, EntryKind.CALL):
            if first:
                yield micros, int(ending == Ending.UNREACHED), True
            continue
        if micros - counted.get(contact_id, -REPEAT_MICROS) < REPEAT_MICROS:
            continue
        counted[contact_id] = micros
        # The call that began the wait also ended it: somebody picked up.
        taken = ending == Ending.ANSWERED and (entry_id is None or ended_entry_id == entry_id)
        yield micros, int(not taken), False


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
