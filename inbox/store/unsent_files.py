"""Uploads that were never sent: forgotten after a day, unless a draft or a planned answer waits with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, delete, select

from inbox.clock import Clock
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database
from inbox.store.models import Attachment, Draft, PlannedReply
from inbox.store.transaction import Transaction
from inbox.vocabulary import PlannedState

log = structlog.get_logger(__name__)

KEPT = timedelta(days=1)
LOOKS_EVERY = timedelta(hours=1)
AT_ONCE = 500


class UnsentFiles:
    """Run `run` for as long as the desk stands."""

    def __init__(self, db: Database, clock: Clock, folder: AttachmentFolder) -> None:
        self._db, self._clock, self._folder = db, clock, folder

    async def run(self) -> None:
        while True:
            await self.clean()
            await self._clock.wait_until(self._clock.now() + LOOKS_EVERY, asyncio.Event())

    async def clean(self) -> int:
        """How many uploads were forgotten."""
        since = self._clock.now() - KEPT
        count = 0
        while True:
            forgotten, free = await self._db.write(forget, since)
            count += forgotten
            for digest in free:
                await asyncio.to_thread(self._folder.remove, digest, untouched_since=since)
            if forgotten < AT_ONCE:
                break
        if count:
            log.info("uploads that nobody sent were removed", count=count)
        return count


def forget(tx: Transaction, before: datetime) -> tuple[int, list[str]]:
    """Drop the uploads made before a moment and not sent. How many, and the files that nothing names any more."""
    waiting = _waiting(tx.conn)
    rows = tx.conn.execute(
        select(Attachment.id, Attachment.digest)
        .where(Attachment.entry_id.is_(None), Attachment.created_at < before, Attachment.id.not_in(waiting))
        .order_by(Attachment.created_at)
        .limit(AT_ONCE)
    ).all()
    if not rows:
        return 0, []
    # Asked again: one of them may have been sent a moment ago.
    ids = [row.id for row in rows]
    tx.conn.execute(delete(Attachment).where(Attachment.id.in_(ids), Attachment.entry_id.is_(None)))
    digests = {row.digest for row in rows}
    still = set(tx.conn.execute(select(Attachment.digest).where(Attachment.digest.in_(digests)).distinct()).scalars())
    return len(rows), sorted(digests - still)


def _waiting(conn: Connection) -> set[int]:
    drafts = conn.execute(select(Draft.data)).scalars()
    planned = conn.execute(
        select(PlannedReply.data).where(PlannedReply.state.in_((PlannedState.WAITING, PlannedState.HELD)))
    ).scalars()
    return {number for data in (*drafts, *planned) for number in _ids(data.get("attachments") or ())}


def _ids(files: Iterable[Any]) -> Iterable[int]:
    for one in files:
        number = one.get("id") if isinstance(one, dict) else one
        if isinstance(number, int):
            yield number
