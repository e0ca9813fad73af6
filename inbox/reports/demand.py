"""What staffing plans from: arrivals per half-hour and channel, handling seconds, chats at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from inbox.queue_key import microseconds, moment
from inbox.reports import packs
from inbox.reports.facts import CHANNELS, Kind, joined, only, running_waits
from inbox.reports.outcome import KINDS, NOTHING, first
from inbox.reports.period import DAY, HALF_HOUR
from inbox.reports.presence import at_work
from inbox.reports.work import REPEAT, Handling, handling
from inbox.vocabulary import ChannelKind


def arrivals(conn: Connection, since: datetime, until: datetime) -> Mapping[tuple[datetime, ChannelKind], int]:
    """First waits that began in each half-hour (UTC) of [since, until), abandoned ones and missed calls included.

    Of one customer's arrivals over one channel within half an hour only the first counts, so that bad service does not
    inflate demand. Merged conversations and spam are left out. Half-hours without arrivals are not there.
    """
    since_us, until_us = microseconds(since), microseconds(until)
    ended = packs.load(conn, Kind.WAITS, since_us, until_us)
    waits = joined([ended, running_waits(conn, until, since_us, until_us)], Kind.WAITS)
    begun = only(waits, first(waits["what"]) & (waits["what"] % KINDS != NOTHING))
    order = np.lexsort((begun["at"], begun["contact"], begun["channel"]))
    at, contact, channel = (begun[name][order].astype(np.int64) for name in ("at", "contact", "channel"))
    again = np.zeros(len(at), dtype=np.bool_)
    again[1:] = (contact[1:] == contact[:-1]) & (channel[1:] == channel[:-1]) & (at[1:] - at[:-1] <= REPEAT)
    cells, numbers = np.unique((at // HALF_HOUR * len(CHANNELS) + channel)[~again], return_counts=True)
    return {
        (moment(int(cell) // len(CHANNELS) * HALF_HOUR), CHANNELS[int(cell) % len(CHANNELS)]): int(number)
        for cell, number in zip(cells, numbers, strict=True)
    }


def handle_seconds(
    conn: Connection, since: datetime, until: datetime
) -> Mapping[tuple[datetime, ChannelKind], tuple[int, float]]:
    """Sessions that began in each half-hour (UTC) per channel, and their seconds added up."""
    found = packs.load(conn, Kind.HANDLING, microseconds(since), microseconds(until))
    key = found["at"] // HALF_HOUR * len(CHANNELS) + found["channel"]
    cells, place = np.unique(key, return_inverse=True)
    numbers = np.bincount(place, minlength=len(cells))
    seconds = np.bincount(place, weights=found["lasted"] / 1000, minlength=len(cells))
    return {
        (moment(int(cell) // len(CHANNELS) * HALF_HOUR), CHANNELS[int(cell) % len(CHANNELS)]): (int(n), float(total))
        for cell, n, total in zip(cells, numbers, seconds, strict=True)
    }


def worked(conn: Connection, since: datetime, until: datetime, channel: ChannelKind | None = None) -> Handling:
    """Handling of all operators, over one channel or all: its `concurrency` is the measured number of chats at once."""
    since_us, until_us = microseconds(since), microseconds(until)
    found = packs.load(conn, Kind.HANDLING, since_us - DAY, until_us)
    if channel is not None:
        found = only(found, found["channel"] == CHANNELS.index(channel))
    return handling(found, at_work(conn, since_us, until_us), since_us, until_us, [])[0]
