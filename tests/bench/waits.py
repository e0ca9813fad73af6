"""What running waits cost: fifty thousand beside a hundred, in milliseconds of processor time.

`asked`: the watcher asks once for the nearest due moment, as it does after a commit that may change it; while nothing
happens it sleeps and costs nothing. `fired`: a thousand warnings become due at one moment and are written down.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from statistics import median
from time import process_time

from inbox.clock import ManualClock
from inbox.eventlog.importing import import_events, read_log
from inbox.store.database import open_database
from inbox.timers import TIMERS, Watcher, nearest
from tests.support.stores import SqliteTemplate

FEW, MANY, DUE = 100, 50_000, 1_000
ROUNDS = 200
BEGINS = datetime(2026, 3, 10, 10, tzinfo=UTC)

Row = tuple[str, float, float, float]


async def bench() -> list[Row]:
    template = SqliteTemplate()
    try:
        (asked, fired), (asked_few, fired_few) = await _measured(template, MANY), await _measured(template, FEW)
    finally:
        template.remove()
    return [
        (f"watcher asks what is due next: {MANY:,} waits, {FEW}", asked, asked_few, asked / asked_few),
        (f"watcher writes {DUE:,} warnings: {MANY:,} waits more, {FEW} more", fired, fired_few, fired / fired_few),
    ]


async def _measured(template: SqliteTemplate, waits: int) -> tuple[float, float]:
    url, clock = template.copy(), ManualClock(BEGINS)
    db = open_database(url, now=clock.now, durable={})
    try:
        await db.write(import_events, read_log(_lines(waits)))
        costs = []
        for _ in range(ROUNDS):
            began = process_time()
            await db.read(nearest, TIMERS)
            costs.append(process_time() - began)
        clock.set(BEGINS + timedelta(minutes=3))  # the first thousand, and no other
        began = process_time()
        await Watcher(db, clock).fire()
        return median(costs) * 1_000, (process_time() - began) * 1_000
    finally:
        await db.close()
        template.drop(url)


def _lines(waits: int) -> list[str]:
    """A thousand that are due together, and `waits` that began a little later, one after the other."""
    lines = []
    for number in range(DUE + waits):
        at = BEGINS if number < DUE else BEGINS + timedelta(minutes=1, milliseconds=number)
        said = {"conversation": str(number), "channel": "chat", "customer": str(number)}
        lines.append(json.dumps({"at": at.isoformat(), "kind": "message", **said}))
    return lines
