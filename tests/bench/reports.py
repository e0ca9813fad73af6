"""A year of a desk with 2,000 conversations a day: how long reports take to open, in milliseconds.

The reference is the same report of one week. `VUORO_BENCH_CONVERSATIONS` makes the desk smaller for a quick look.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter

from sqlalchemy.engine import make_url

from inbox.clock import ManualClock
from inbox.reports import keeper
from inbox.reports.loading import Question, load
from inbox.reports.period import whole_days
from inbox.reports.question import EVERYTHING, Filter, Group
from inbox.reports.report import work_out
from inbox.store.database import Database, open_database
from inbox.vocabulary import ChannelKind, OperatorId
from tests.support.history import History, Size
from tests.support.stores import SqliteTemplate

CONVERSATIONS = int(os.environ.get("VUORO_BENCH_CONVERSATIONS", "2000"))
LAST_DAY = date(2026, 3, 9)
NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
ZONE = "Europe/Helsinki"
ROUNDS = 5

ASKED: tuple[tuple[str, Filter, Group | None], ...] = (
    ("a year by channel", EVERYTHING, Group.CHANNEL),
    ("a year by operator", EVERYTHING, Group.OPERATOR),
    ("a year by tag", EVERYTHING, Group.TAG),
    ("a year of chats", Filter(channel=ChannelKind.CHAT), Group.CHANNEL),
    ("a year of one operator", Filter(operator_id=OperatorId(3)), None),
    ("a year of one tag", Filter(tag="delivery"), Group.CHANNEL),
)

Row = tuple[str, float, float, float]


async def bench() -> list[Row]:
    template = SqliteTemplate()
    url = template.copy()
    History(Path(str(make_url(url).database)), Size(CONVERSATIONS, 366), last_day=LAST_DAY, zone=ZONE).write()
    clock = ManualClock(NOW)
    db = open_database(url, now=clock.now, durable={})
    rows: list[Row] = []
    try:
        began = perf_counter()
        packed = await keeper.pack_all(db, clock)
        each = 1000 * (perf_counter() - began) / packed
        rows.append((f"packing one day of facts ({packed} of them)", each, each, 1.0))
        for what, wanted, group in ASKED:
            year = await _milliseconds(db, date(2025, 3, 10), wanted, group)
            week = await _milliseconds(db, date(2026, 3, 3), wanted, group)
            rows.append((f"{what}: milliseconds, beside a week", year, week, year / week))
    finally:
        await db.close()
        template.remove()
    return rows


async def _milliseconds(db: Database, first: date, wanted: Filter, group: Group | None) -> float:
    """Quickest of some rounds: the machine has other things to do."""
    question = Question(whole_days(first, LAST_DAY, ZONE), wanted, group=group)
    times = []
    for _ in range(ROUNDS):
        began = perf_counter()
        loaded = await db.read(load, question, now=NOW)
        await asyncio.to_thread(work_out, loaded)
        times.append(1000 * (perf_counter() - began))
    return min(times)
