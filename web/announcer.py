"""After a commit: what changed is read once and sent once to everybody it concerns; under load, gathered first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from inbox import handoff, queue, reading
from inbox.clock import Clock
from inbox.errors import NotFound
from inbox.events import (
    AlarmRaised,
    AnyEvent,
    ArrivalKept,
    ArrivalSettled,
    DeliveryChanged,
    EntryAdded,
    Event,
    HandoffChanged,
    HoursChanged,
    MessageReceived,
    PresenceChanged,
    ReplyWritten,
)
from inbox.people import operators
from inbox.store.database import Database
from inbox.vocabulary import ConversationId, EntryId, HandoffState, OperatorId, Presence
from inbox.waits.mode import ModeNow, desk_mode
from web.api.json import to_json
from web.realtime import DeskServer

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.05
MOST_ROWS = 200
"""Rows in one push; a larger change is sent in several."""
NOBODY = OperatorId(0)
ALARM_KINDS = {"warning": "warned", "target": "missed", "later": "later"}
NAMESPACE = "/desk"


@dataclass(slots=True)
class _Changes:
    conversations: dict[ConversationId, None] = field(default_factory=dict)
    entries: dict[ConversationId, int] = field(default_factory=dict)  # lowest new number
    deliveries: dict[EntryId, DeliveryChanged] = field(default_factory=dict)
    handoffs: dict[int, HandoffChanged] = field(default_factory=dict)
    alarms: list[AlarmRaised] = field(default_factory=list)
    operators: bool = False
    hours: bool = False
    tray: bool = False


@dataclass(slots=True)
class _Read:
    rows: list[queue.QueueRow]
    counts: queue.Counts
    entries: dict[ConversationId, list[reading.TimelineEntry]]
    deliveries: list[tuple[ConversationId, reading.TimelineEntry]]
    offers: dict[int, tuple[handoff.Offer | None, HandoffState]]
    colleagues: list[operators.Colleague]
    mode: ModeNow


class Announcer:
    """Called after every commit with what happened; sends nothing where nobody listens."""

    def __init__(self, server: DeskServer, db: Database, clock: Clock, *, anybody: Callable[[], bool]) -> None:
        self._server, self._db, self._clock, self._anybody = server, db, clock, anybody
        self.shown: Callable[[ConversationId, int], Awaitable[None]] | None = None
        """Told which entries have just reached the screen of somebody who has the conversation open."""
        self._changes = _Changes()
        self._stopped = False
        self._flushing: asyncio.Task[None] | None = None
        self._told_colleagues: list[operators.Colleague] = []
        self._told_mode: ModeNow | None = None

    def __call__(self, happened: Sequence[AnyEvent]) -> None:
        if self._stopped or not (self._anybody() or self._db.several_processes):
            return
        for event in happened:
            self._gather(event)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._soon())

    async def settled(self) -> None:
        """Return when everything announced so far is sent."""
        while self._flushing is not None and not self._flushing.done():
            await asyncio.shield(self._flushing)

    async def stop(self) -> None:
        """Say what is gathered and nothing after it: the database closes next."""
        self._stopped = True
        await self.settled()

    def _gather(self, event: AnyEvent) -> None:
        changes = self._changes
        match event:
            case PresenceChanged():
                changes.operators = True
                return
            case HoursChanged():
                changes.hours = True
                return
            case ArrivalKept() | ArrivalSettled():
                changes.tray = True
                return
            case MessageReceived() | ReplyWritten() | EntryAdded():
                low = changes.entries.get(event.conversation_id, event.number)
                changes.entries[event.conversation_id] = min(low, event.number)
            case DeliveryChanged():
                changes.deliveries[event.entry_id] = event
                return
            case AlarmRaised():
                changes.alarms.append(event)
            case HandoffChanged():
                changes.handoffs[event.handoff_id] = event
        if not isinstance(event, Event):
            return  # nothing that a screen shows
        changes.conversations[event.conversation_id] = None

    async def _soon(self) -> None:
        while self._pending():
            changes, self._changes = self._changes, _Changes()
            try:
                await self._send(changes)
            except Exception:
                log.exception("screens were not told")
            await asyncio.sleep(GATHER_SECONDS)  # the first change goes at once, what follows it together

    def _pending(self) -> bool:
        return self._changes != _Changes()

    def _watched(self, conversation_id: ConversationId) -> bool:
        if self._db.several_processes:
            return True
        return bool(self._server.manager.members(NAMESPACE, f"conv:{conversation_id}"))

    async def _send(self, changes: _Changes) -> None:
        entries = {c: n for c, n in changes.entries.items() if self._watched(c)}
        deliveries = [e for e, d in changes.deliveries.items() if self._watched(d.conversation_id)]
        now = self._clock.now()
        ids = list(changes.conversations)
        found = await self._db.read(_read, ids, entries, deliveries, list(changes.handoffs.values()), now)
        for conversation_id, new in found.entries.items():
            await self._emit("entries", {"conversation_id": conversation_id, "entries": new}, f"conv:{conversation_id}")
            if self.shown is not None and new and self._server.manager.members(NAMESPACE, f"conv:{conversation_id}"):
                await self.shown(conversation_id, new[-1].number)
        for conversation_id, entry in found.deliveries:
            await self._emit(
                "delivery",
                {
                    "conversation_id": conversation_id,
                    "entry_id": entry.id,
                    "number": entry.number,
                    "delivery": entry.delivery,
                    "error": entry.delivery_error,
                    "recipients": entry.data.get("recipients"),
                },
                f"conv:{conversation_id}",
            )
        if ids:
            there = {row.id for row in found.rows}
            for start in range(0, len(ids), MOST_ROWS):
                part = set(ids[start : start + MOST_ROWS])
                await self._emit(
                    "rows",
                    {
                        "rows": [row for row in found.rows if row.id in part],
                        "gone": sorted(part - there),
                        "now": now,
                    },
                    "desk",
                )
            # Only one figure differs from screen to screen, so the rows themselves are encoded once.
            for colleague in found.colleagues:
                if colleague.presence is not Presence.OFFLINE:
                    counts = replace(found.counts, mine=colleague.open)
                    change = {"rows": [], "gone": [], "counts": counts, "now": now}
                    await self._emit("rows", change, f"operator:{colleague.id}")
        for alarm in changes.alarms:
            told = {
                "kind": ALARM_KINDS[alarm.after],
                "conversation_id": alarm.conversation_id,
                "wait_id": alarm.wait_id,
                "at": now,
            }
            for reader in alarm.operators:
                await self._emit("alarm", told, f"operator:{reader}")
        for handoff_id, (offer, state) in found.offers.items():
            event = changes.handoffs[handoff_id]
            for operator_id in {event.to_operator_id, event.from_operator_id} - {None}:
                room = f"operator:{operator_id}"
                if offer is not None:
                    await self._emit("offer", offer, room)
                else:
                    await self._emit("offer_settled", {"handoff_id": handoff_id, "state": state}, room)
        await self._tell_colleagues(found.colleagues)
        await self._tell_mode(found.mode)
        if changes.tray:
            await self._emit("tray", {}, "desk")

    async def look_at_the_clock(self) -> None:
        """Opening and closing change the mode although nothing was committed."""
        await self._tell_mode(await self._db.read(desk_mode, self._clock.now()))

    async def _tell_colleagues(self, colleagues: list[operators.Colleague]) -> None:
        if colleagues != self._told_colleagues:
            self._told_colleagues = colleagues
            await self._emit("operators", colleagues, "desk")

    async def _tell_mode(self, mode: ModeNow) -> None:
        if mode != self._told_mode:
            self._told_mode = mode
            await self._emit("mode", mode, "desk")

    async def _emit(self, event: str, record: Any, room: str) -> None:
        await self._server.emit(event, to_json(record), room=room, namespace=NAMESPACE)


def _read(
    conn: Connection,
    ids: list[ConversationId],
    entries: dict[ConversationId, int],
    deliveries: list[EntryId],
    handoffs: list[HandoffChanged],
    now: datetime,
) -> _Read:
    delivered = []
    for entry_id in deliveries:
        try:
            delivered.append(reading.entry(conn, entry_id))
        except NotFound:
            continue
    offers: dict[int, tuple[handoff.Offer | None, HandoffState]] = {}
    for changed in handoffs:
        open_ones = {o.id: o for o in handoff.offers(conn, conversation_id=changed.conversation_id)}
        offers[changed.handoff_id] = (open_ones.get(changed.handoff_id), handoff.state(conn, changed.handoff_id))
    return _Read(
        rows=queue.rows_of(conn, ids),
        counts=queue.counts(conn, NOBODY, now=now),
        entries={c: reading.timeline(conn, c, after=n - 1) for c, n in entries.items()},
        deliveries=delivered,
        offers=offers,
        colleagues=operators.colleagues(conn),
        mode=desk_mode(conn, now),
    )
