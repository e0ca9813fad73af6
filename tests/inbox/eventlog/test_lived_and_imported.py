"""A log that is imported gives the ledger of a desk that lived through it: every wait, every line, to the second."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from inbox.clock import ManualClock
from inbox.eventlog.exporting import export_events
from inbox.eventlog.importing import Log, import_events
from inbox.store.database import open_database
from inbox.store.models import Conversation
from tests.inbox.eventlog.logs import RandomLog, day, log_of
from tests.support.lived import LivedDesk, ledger_of, names_of_imported
from tests.support.stores import PostgresServer, SqliteTemplate

DST = (87, 88, 297, 298)  # days around the two nights in which Europe's clocks are changed


async def lived(url: str, log: Log) -> dict[str, list[Any]]:
    clock = ManualClock(min(line.known_at for line in log.lines))
    db = open_database(url, now=clock.now, durable={})
    try:
        desk = LivedDesk(db, clock)
        await desk.live(log.lines)
        names = {int(begun.id): name for name, begun in desk.begun.items() if begun.id is not None}
        return await db.read(ledger_of, names)
    finally:
        await db.close()


async def imported(url: str, log: Log) -> dict[str, list[Any]]:
    clock = ManualClock(max(line.known_at for line in log.lines))
    db = open_database(url, now=clock.now, durable={})
    try:
        await db.write(import_events, log)
        return await db.read(ledger_of, await db.read(names_of_imported))
    finally:
        await db.close()


def same(store: SqliteTemplate | PostgresServer, log: Log) -> None:
    urls = store.copy(), store.copy()
    try:
        first, second = asyncio.run(lived(urls[0], log)), asyncio.run(imported(urls[1], log))
    finally:
        for url in urls:
            store.drop(url)
    for name in first.keys() | second.keys():
        assert second.get(name) == first.get(name), name


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), begins=st.sampled_from([*DST, *range(300)]), conversations=st.integers(1, 4))
def test_any_history(sqlite_template: SqliteTemplate, seed: int, begins: int, conversations: int) -> None:
    drawn = RandomLog(seed, day(begins), 1.5).drawn(conversations)
    same(sqlite_template, log_of(drawn))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(seed=737, begins=87, conversations=1)  # the last line changes nothing
@example(seed=2026, begins=87, conversations=4)  # reopened soon after it was marked as spam, and not by mistake
@given(seed=st.integers(0, 2**32), begins=st.sampled_from(DST), conversations=st.integers(1, 4))
def test_any_living_desk_exported_and_imported(
    sqlite_template: SqliteTemplate, seed: int, begins: int, conversations: int
) -> None:
    drawn = RandomLog(seed, day(begins), 1.5).drawn(conversations)
    last = max(line.known_at for line in log_of(drawn).lines)
    # Something that both know of ends the log: time passes to its last line, and not every line changes the desk.
    end = {"at": (last + timedelta(minutes=1)).isoformat(), "kind": "presence", "operator": "zoe", "presence": "online"}
    log = log_of([*drawn, end])
    urls = sqlite_template.copy(), sqlite_template.copy()
    try:
        first, lines = asyncio.run(exported(urls[0], log))
        assert asyncio.run(imported(urls[1], log_of(lines))) == first
    finally:
        for url in urls:
            sqlite_template.drop(url)


async def exported(url: str, log: Log) -> tuple[dict[str, list[Any]], list[dict[str, Any]]]:
    clock = ManualClock(min(line.known_at for line in log.lines))
    db = open_database(url, now=clock.now, durable={})
    try:
        await LivedDesk(db, clock).live(log.lines)
        lines = await db.read(lambda conn: list(export_events(conn)))
        return await db.read(lambda conn: ledger_of(conn, numbered(conn))), lines
    finally:
        await db.close()


def numbered(conn: Connection) -> dict[int, str]:
    return {found: str(found) for found in conn.execute(select(Conversation.id)).scalars()}


@pytest.mark.parametrize("seed", [3, 11])
def test_on_postgresql_too(postgres: PostgresServer, seed: int) -> None:
    same(postgres, log_of(RandomLog(seed, day(87), 1.5).drawn(4)))
