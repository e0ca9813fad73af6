"""`vuoro rebuild-reports` and `vuoro check-reports`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from rich.console import Console

from inbox.clock import SystemClock
from inbox.reports import keeper
from inbox.store.database import open_database
from web.config import DeskConfig


def rebuild(config: DeskConfig) -> None:
    """Blocking."""
    console = Console(highlight=False)

    async def run() -> int:
        clock = SystemClock()
        db = open_database(config.store.url, now=clock.now, durable={})
        try:
            with console.status("Packing …") as shown:
                return await keeper.rebuild(db, clock, lambda done: shown.update(f"Packing … {done} days"))
        finally:
            await db.close()

    console.print(f"{asyncio.run(run())} days of facts are packed.")


def check(config: DeskConfig) -> bool:
    """Blocking. Whether everything that is packed says what the ledger says."""
    console = Console(highlight=False)

    async def run() -> list[keeper.Stale]:
        clock = SystemClock()
        db = open_database(config.store.url, now=clock.now, durable={})
        try:
            with console.status("Comparing …") as shown:
                return await keeper.check(db, lambda done: shown.update(f"Comparing … {done} days"))
        finally:
            await db.close()

    differing = asyncio.run(run())
    for one in differing:
        day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=one.day)
        console.print(f"[bold]{one.kind} of {day:%Y-%m-%d}[/bold] differs from the ledger.")
    if differing:
        console.print("`vuoro rebuild-reports` makes them anew.")
    else:
        console.print("Everything that is packed says what the ledger says.")
    return not differing
