"""A week of the staffing plan, from a year of a desk with 2,000 conversations a day, beside one with ten days of it.

A third each of chats, mails and calls; every conversation has a wait and a span of handling. Reading, working out and
one "what if", in milliseconds, medians of a few rounds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from time import perf_counter

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from inbox.people.operators import OperatorRecord
from inbox.reports import packs
from inbox.reports.packs import Pack, Stale
from inbox.staffing.gathering import gather
from inbox.staffing.plan import work_out
from inbox.staffing.scope import scope
from inbox.staffing.shifts import ShiftKind
from inbox.staffing.what_if import OneMore, what_if
from inbox.store.database import Database, open_database
from inbox.vocabulary import OperatorId, Presence, Role
from tests.bench.queue import Row
from tests.support.stores import SqliteTemplate

DAYS, FEW_DAYS = 365, 10
PER_DAY = 2_000
OPERATORS = 30
ROUNDS = 7
NOW = datetime(2026, 3, 11, 9, 30, tzinfo=UTC)
VIEWER = OperatorRecord(OperatorId(1), "", "", "", Role.ADMINISTRATOR, "en", {}, Presence.ONLINE, False)


def fill(path: str, days: int) -> None:
    """Straight into the tables: this is about reading. Busiest at noon, from eight to six, every day of the week."""
    store = sqlite3.connect(path)
    now = int(NOW.timestamp()) * 1_000_000
    midnight = now - now % 86_400_000_000 - days * 86_400_000_000
    total = days * PER_DAY
    second = 1_000_000
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {total - 1})"
    day = f"({midnight} + (i / {PER_DAY}) * 86400000000)"
    within = f"((i % {PER_DAY}) * 36000 / {PER_DAY} + (i * 7919 % 900))"
    began = f"({day} + (6 * 3600 + {within}) * {second})"
    channel = "CASE i % 3 WHEN 0 THEN 'chat' WHEN 1 THEN 'email' ELSE 'phone' END"
    store.executemany(
        "INSERT INTO operators (id, email, name, title, password_hash, role, language, preferences, presence,"
        " presence_since, created_at) VALUES (?, ?, ?, '', '-', 'operator', 'en', '{}', 'offline', ?, ?)",
        [(n, f"o{n}@desk.example", f"Operator {n}", now, now) for n in range(1, OPERATORS + 1)],
    )
    store.execute(f"{numbers} INSERT INTO contacts (id, name, note, created_at) SELECT i + 1, '', '', 0 FROM n")
    columns = {row[1] for row in store.execute("PRAGMA table_info(conversations)")}
    more = {"remote_pictures": "0"} if "remote_pictures" in columns else {}
    store.execute(
        f"{numbers} INSERT INTO conversations (id, contact_id, subject, status, spam, channel, priority, last_number,"
        " snippet, version, created_at, active_at, queue_key, unread, reply_token, visitor_seen, source"
        f"{''.join(', ' + name for name in more)})"
        f" SELECT i + 1, i + 1, '', 'closed', 0, {channel}, 0, 1, '', 1, {began}, {began}, {began}, 0, 't' || i, 0,"
        f" '{{}}'{''.join(', ' + value for value in more.values())} FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO entries (id, conversation_id, number, kind, channel, author, text, data, created_at)"
        f" SELECT i + 1, i + 1, 1, CASE i % 3 WHEN 2 THEN 'call' ELSE 'message' END, {channel}, 'contact', '', '{{}}',"
        f" {began} FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO waits (conversation_id, entry_id, channel, first, calendar_id, started_at,"
        " warn_after_s, target_s, paused_s, ended_at, ending, ended_entry_id, wall_s, open_s, net_s)"
        f" SELECT i + 1, i + 1, {channel}, 1, 1, {began}, 180, 300, 0, {began} + (20 + i % 200) * {second},"
        " CASE i % 30 WHEN 0 THEN 'abandoned' ELSE 'answered' END, i + 1, 20 + i % 200, 20 + i % 200, 20 + i % 200"
        " FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO handling_spans (operator_id, conversation_id, channel, began_at, active_at, ended_at)"
        f" SELECT 1 + i % {OPERATORS}, i + 1, {channel}, {began} + 60 * {second}, {began} + 60 * {second},"
        f" {began} + (240 + i % 240) * {second} FROM n"
    )
    store.commit()
    store.execute("ANALYZE")
    store.close()


async def pack(db: Database) -> None:
    """What the desk does in the background: its past days are packed."""
    await db.write(packs.seal, now=NOW)
    while found := await db.read(packs.stale):
        made = await db.read(_made, found)
        await db.write(packs.keep, made)


def _made(conn: Connection, found: Sequence[Stale]) -> list[Pack]:
    return [packs.make(conn, one) for one in found]


async def rounds(db: Database) -> tuple[float, float, float]:
    """Milliseconds of reading, working out, and one change tried."""
    reading, working, trying = [], [], []
    for number in range(ROUNDS):
        began = perf_counter()
        seen = await db.read(lambda conn: scope(conn, VIEWER, None))
        found = await db.read(gather, seen, NOW.date() + timedelta(weeks=number % 3), now=NOW)
        read = perf_counter()
        plan = work_out(found)
        worked = perf_counter()
        days: Sequence[date] = [found.monday]
        what_if(found, plan, OneMore(days, 9 * 60, 17 * 60, ShiftKind.ANYTHING))
        done = perf_counter()
        reading.append(read - began)
        working.append(worked - read)
        trying.append(done - worked)
    return median(reading) * 1000, median(working) * 1000, median(trying) * 1000


async def bench() -> list[Row]:
    template = SqliteTemplate()
    try:
        measured = []
        for days in (DAYS, FEW_DAYS):
            url = template.copy()
            fill(str(make_url(url).database), days)
            db = open_database(url, now=lambda: NOW, durable={})
            try:
                await pack(db)
                measured.append(await rounds(db))
            finally:
                await db.close()
    finally:
        template.remove()
    names = ("reading", "working out", "one change tried")
    return [
        (f"staffing: {name}, a year of 2,000 a day / ten days (ms)", year, few, year / few)
        for name, year, few in zip(names, *measured, strict=True)
    ]
