"""Keeps the packs: seals days that are over and packs what has none that counts. No report waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from inbox.clock import Clock
from inbox.reports import packs
from inbox.reports.packs import Stale as Stale
from inbox.store.database import Database

EVERY = timedelta(minutes=10)
AT_ONCE = 4
"""Packs kept in one transaction, so that customers' messages never wait long for the writer."""


async def pack_all(db: Database, clock: Clock, progress: Callable[[int], None] = lambda _: None) -> int:
    """Seal and pack whatever there is to pack; how many days of facts that was."""
    await db.write(packs.seal, now=clock.now())
    done = 0
    while todo := await db.read(packs.stale):
        for start in range(0, len(todo), AT_ONCE):
            made = [await db.read(packs.make, one) for one in todo[start : start + AT_ONCE]]
            await db.write(packs.keep, made)
            done += len(made)
            progress(done)
    return done


async def rebuild(db: Database, clock: Clock, progress: Callable[[int], None] = lambda _: None) -> int:
    """Make every pack anew from the ledger."""
    await db.write(packs.forget)
    return await pack_all(db, clock, progress)


async def check(db: Database, progress: Callable[[int], None] = lambda _: None) -> list[Stale]:
    """Compare every pack that counts with the rows it was made of; those that differ."""
    known = await db.read(packs.packed_days)
    found: list[Stale] = []
    if known is not None:
        for day in range(*known):
            found += await db.read(packs.differing, day, day + 1)
            progress(day + 1 - known[0])
    return found


async def keep_packed(db: Database, clock: Clock) -> None:
    """For as long as it is awaited."""
    while True:
        await pack_all(db, clock)
        await clock.wait_until(clock.now() + EVERY, asyncio.Event())
