"""How many customers came, per local day and half-hour: from first waits and calls, those who left again included.

A call is an arrival each time, but repeats of one caller within half an hour are one: else bad service would look like
demand. Spam and what was merged into another wait is none. What was asked for as a callback is work for later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Connection, select

from inbox.staffing.half_hours import Places
from inbox.staffing.past import Bools, Ints, Past, of_channel, where
from inbox.store.models import Wait
from inbox.vocabulary import ChannelKind, TeamId

QUARTER_MICROS = 900_000_000

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

    def add(self, places: Places, at: Ints, missed: Bools) -> None:
        for counts, moments in ((self.came, at), (self.missed, at[missed])):
            for quarter, n in zip(*np.unique(moments // QUARTER_MICROS, return_counts=True), strict=True):
                key = places.of_quarter(int(quarter))
                counts[key] = counts.get(key, 0) + int(n)

    def counted(self) -> Counted:
        return Counted(self.came, self.missed)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`callbacks`: what customers asked for to be called back, without having called."""

    channels: Mapping[ChannelKind, Counted]
    callbacks: Counted


def arrivals(spans: Sequence[Past], zone: ZoneInfo) -> Arrivals:
    """What came within the spans, which do not overlap and are in order."""
    places = Places(zone)
    counts = {channel: _Count() for channel in ChannelKind}
    callbacks = _Count()
    for past in spans:
        for channel, missed in ((ChannelKind.CHAT, "left"), (ChannelKind.EMAIL, "late")):
            written = of_channel(where(past.waits, past.waits["first"]), channel)
            counts[channel].add(places, written["at"], written[missed])
        counts[ChannelKind.PHONE].add(places, *past.calls())
        asked = past.callbacks["at"]
        callbacks.add(places, asked, np.zeros(len(asked), dtype=np.bool_))
    return Arrivals({channel: count.counted() for channel, count in counts.items()}, callbacks.counted())


def first_arrival(conn: Connection, *, team_id: TeamId | None = None) -> datetime | None:
    """When the first customer ever came."""
    query = select(Wait.started_at)
    if team_id is not None:
        query = query.where(Wait.team_id == team_id)
    found: datetime | None = conn.execute(query.order_by(Wait.started_at).limit(1)).scalar()
    return found


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
