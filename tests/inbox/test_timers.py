"""Timers: one that cannot do its work keeps no other from its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from inbox.clock import ManualClock
from inbox.store.database import Database
from inbox.timers import TIMERS, Timer, Watcher
from tests.support.verbs import VerbDesk


def broken(tx: Any, *, now: datetime) -> int:
    raise RuntimeError("a row nobody thought of")


def never(conn: Connection) -> datetime | None:
    return None


async def test_a_broken_timer_does_not_keep_the_warnings_from_being_written(desk: VerbDesk, clock: ManualClock) -> None:
    asked = await desk.chat("Hello?")
    row = await desk.row(asked.conversation_id)
    assert row.warn_at is not None
    clock.set(row.warn_at)
    watcher = Watcher(desk.db, clock, (Timer("broken", never, broken), *TIMERS))
    assert await watcher.fire() == row.due_at
    [wait] = await desk.waits(asked.conversation_id)
    assert wait.warned_at == row.warn_at


async def test_when_nothing_works_it_is_not_kept_quiet(database: Database, clock: ManualClock) -> None:
    def due(conn: Connection) -> datetime | None:
        return clock.now()

    with pytest.raises(RuntimeError):
        await Watcher(database, clock, [Timer("broken", due, broken)]).fire()
