"""Outbox handler "delivery": hands each written entry to the sender of its channel and records what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog

from channels.channel import DeliveryFailed, Sender
from inbox import deliveries
from inbox.clock import Clock
from inbox.store import outbox
from inbox.store.database import Database
from inbox.store.outbox import Job
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, ConversationId, Delivery, EntryId

log = structlog.get_logger(__name__)

HANDLER = deliveries.HANDLER


class Deliver:
    """Send one entry outside any transaction, then settle its outbox row together with the entry's state."""

    def __init__(self, db: Database, clock: Clock, senders: Mapping[ChannelKind, Sender]) -> None:
        self._db, self._clock, self._senders = db, clock, senders

    async def __call__(self, job: Job) -> None:
        entry_id = EntryId(job.payload["entry_id"])
        conversation_id = ConversationId(job.payload["conversation_id"])
        channel = ChannelKind(job.payload["channel"])
        sender = self._senders.get(channel)
        try:
            if sender is None:
                raise DeliveryFailed("Nothing can be sent over this channel.", retry=False)
            sent = await sender(conversation_id, entry_id)
        except DeliveryFailed as error:
            await self._db.write(_failed, job, entry_id, str(error), retry=error.retry, now=self._clock.now())
        except Exception as error:  # a fault of ours must end as visibly as one of theirs
            log.exception("sending failed", channel=channel, entry=entry_id)
            reason = f"{type(error).__name__}: {error}"
            await self._db.write(_failed, job, entry_id, reason, retry=True, now=self._clock.now())
        else:
            await self._db.write(_sent, job, entry_id, sent.delivery, sent.data, now=self._clock.now())


def _sent(
    tx: Transaction, job: Job, entry_id: EntryId, delivery: Delivery, data: dict[str, object], *, now: datetime
) -> None:
    deliveries.sent(tx, entry_id, delivery, data, now=now)
    outbox.done(tx, job.id, now=now)


def _failed(tx: Transaction, job: Job, entry_id: EntryId, error: str, *, retry: bool, now: datetime) -> None:
    if outbox.failed(tx, job, error, retry=retry, now=now):
        deliveries.gave_up(tx, entry_id, error, now=now)
    else:
        deliveries.delayed(tx, entry_id, error)
