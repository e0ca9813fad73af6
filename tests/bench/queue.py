"""The queue page and opening a conversation, at a hundred thousand conversations beside a thousand.

A tenth is open and waits, five messages each. Both desks are read in alternating rounds of one run; the figures are
medians in milliseconds, through the same `Database.read` that the pages use.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter

from sqlalchemy.engine import make_url

from inbox import queue, reading
from inbox.clock import SystemClock
from inbox.queue import View
from inbox.queue_key import NOT_WAITING, microseconds
from inbox.store.database import Database, open_database
from inbox.vocabulary import ConversationId, OperatorId
from tests.support.stores import SqliteTemplate

SMALL, LARGE = 1_000, 100_000
MESSAGES = 5
ROUNDS = 100
VIEWER = OperatorId(1)

Row = tuple[str, float, float, float]
"""What was measured, at the large desk, at the small one, the first divided by the second."""


def fill(path: str, conversations: int, now: int) -> None:
    """Straight into the tables: this is about reading. `now` in microseconds."""
    store = sqlite3.connect(path)
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {conversations})"
    minute = 60_000_000
    store.execute(
        "INSERT INTO operators (id, email, name, title, password_hash, role, language, preferences, presence,"
        " presence_since, created_at)"
        " VALUES (1, 'mia@desk.example', 'Mia', '', '-', 'operator', 'en', '{}', 'online', ?, ?)",
        (now, now),
    )
    store.execute(
        f"{numbers} INSERT INTO contacts (id, name, note, created_at) SELECT i, 'Customer ' || i, '', {now} FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO addresses (id, contact_id, kind, value, written, created_at)"
        f" SELECT i, i, 'visitor', 'v' || i, 'v' || i, {now} FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO conversations (id, contact_id, subject, status, spam, channel, priority, last_number,"
        " snippet, version, created_at, active_at, waiting_since, warn_at, due_at, queue_key, unread, reply_token,"
        " visitor_seen, source)"
        f" SELECT i, i, 'Parcel ' || i, CASE WHEN i % 10 = 0 THEN 'open' ELSE 'closed' END, 0, 'chat', 0, {MESSAGES},"
        f" 'Where is it?', 1, {now} - i, {now} - i, CASE WHEN i % 10 = 0 THEN {now} - i * {minute} END,"
        f" CASE WHEN i % 10 = 0 THEN {now} - i * {minute} + 3 * {minute} END,"
        f" CASE WHEN i % 10 = 0 THEN {now} - i * {minute} + 5 * {minute} END,"
        f" CASE WHEN i % 10 = 0 THEN {now} - i * {minute} + 5 * {minute} ELSE {2 * NOT_WAITING - now} + i END,"
        " 0, 'token' || i, 0, '{}' FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO participants (conversation_id, address_id, added_at) SELECT i, i, {now} FROM n"
    )
    store.execute(
        f"{numbers}, m(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM m WHERE j < {MESSAGES})"
        " INSERT INTO entries (conversation_id, number, kind, channel, author, contact_id, text, data, created_at)"
        f" SELECT i, j, 'message', 'chat', 'contact', i, 'Where is my parcel? It is message ' || j, '{{}}', {now}"
        " FROM n, m"
    )
    store.commit()
    store.execute("ANALYZE")
    store.commit()
    store.close()


class _Desk:
    def __init__(self, template: SqliteTemplate, conversations: int) -> None:
        self.size, self._chance = conversations, random.Random(7)
        clock = SystemClock()
        url = template.copy()
        fill(str(make_url(url).database), conversations, microseconds(clock.now()))
        self.clock = clock
        self.db: Database = open_database(url, now=clock.now, durable={})

    async def page(self) -> None:
        found = await self.db.read(queue.page, View.WAITING, VIEWER)
        assert len(found.rows) == min(100, self.size // 10)

    async def page_and_counts(self) -> None:
        await self.page()
        await self.db.read(queue.counts, VIEWER, now=self.clock.now())

    async def open(self) -> None:
        which = ConversationId(self._chance.randint(1, self.size))
        found = await self.db.read(reading.open_conversation, which, VIEWER)
        assert len(found.entries) == MESSAGES


async def _milliseconds(work: Callable[[], Awaitable[None]]) -> float:
    began = perf_counter()
    await work()
    return (perf_counter() - began) * 1000


async def bench() -> list[Row]:
    template = SqliteTemplate()
    try:
        small = await asyncio.to_thread(_Desk, template, SMALL)
        large = await asyncio.to_thread(_Desk, template, LARGE)
        rows = []
        for name, small_work, large_work in (
            ("queue page of 100 rows, ms at 1e5 and 1e3 conversations", small.page, large.page),
            ("the same with the counts of all states", small.page_and_counts, large.page_and_counts),
            ("opening a conversation, ms at 1e5 and 1e3 conversations", small.open, large.open),
        ):
            for _ in range(10):
                await small_work()
                await large_work()
            pairs = [(await _milliseconds(small_work), await _milliseconds(large_work)) for _ in range(ROUNDS)]
            little, much = (median(values) for values in zip(*pairs, strict=True))
            rows.append((name, much, little, much / little))
        await small.db.close()
        await large.db.close()
        return rows
    finally:
        template.remove()


if __name__ == "__main__":
    for row in asyncio.run(bench()):
        print("{:60} {:8.2f} {:8.2f} {:6.2f} x".format(*row))
