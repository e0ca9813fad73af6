"""One reading of the wallboard at 10,000 running waits beside a hundred, in milliseconds; pushed once a second."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from sqlalchemy.engine import make_url

from inbox.queue_key import microseconds
from inbox.store.database import open_database
from inbox.waits.metrics import live
from tests.support.stores import SqliteTemplate

NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
ROUNDS = 10

Row = tuple[str, float, float, float]


async def bench() -> list[Row]:
    template = SqliteTemplate()
    try:
        large, small = [await _milliseconds(template, waits) for waits in (10_000, 100)]
    finally:
        template.remove()
    return [("a wallboard of 10,000 running waits, beside 100: ms", large, small, large / small)]


async def _milliseconds(template: SqliteTemplate, waits: int) -> float:
    url = template.copy()
    store = sqlite3.connect(Path(str(make_url(url).database)))
    began = microseconds(NOW - timedelta(minutes=20))
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {waits})"
    store.execute("INSERT INTO contacts (id, name, note, created_at) VALUES (1, 'Vera', '', 0)")
    store.execute(
        f"{numbers} INSERT INTO conversations (id, contact_id, subject, status, spam, channel, priority, last_number,"
        " snippet, version, created_at, active_at, queue_key, unread, reply_token, visitor_seen, source)"
        " SELECT i, 1, '', 'open', 0, 'chat', 0, 0, '', 1, 0, 0, i, 0, 't' || i, 0, '{}' FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO waits (id, conversation_id, channel, first, calendar_id, started_at, warn_after_s,"
        " target_s, warn_at, due_at, paused_s)"
        f" SELECT i, i, 'chat', 1, 1, {began} + i * 100000, 180, 300, {began} + i * 100000 + 180000000,"
        f" {began} + i * 100000 + 300000000, 0 FROM n"
    )
    store.commit()
    store.execute("ANALYZE")
    store.commit()
    store.close()
    db = open_database(url, now=lambda: NOW, durable={})
    try:
        times = []
        for _ in range(ROUNDS):
            began_at = perf_counter()
            await db.read(live, NOW)
            times.append(1000 * (perf_counter() - began_at))
        return min(times)
    finally:
        await db.close()
