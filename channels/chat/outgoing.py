"""What visitors are told without asking: new entries, how their matter stands, their place in the queue, the mode.

Called after every commit; what happened is gathered until the loop is free, read once and sent. A push may be missed:
a widget asks for what it lacks whenever it connects.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from channels.background import running
from channels.chat import wire
from channels.chat.namespace import VisitorNamespace
from channels.chat.tokens import Tokens
from inbox import queue, visitors
from inbox.clock import Clock
from inbox.events import (
    AnyEvent,
    CallbackChanged,
    ConversationChanged,
    HoursChanged,
    MessageReceived,
    PresenceChanged,
    ReplyWritten,
    WaitEnded,
    WaitStarted,
)
from inbox.store.database import Database
from inbox.store.transaction import Transaction
from inbox.visitors import PublicEntry, Standing
from inbox.vocabulary import ChannelKind, ConversationId, EntryId, Status
from inbox.waits.estimate import Estimate, outlook, steady, tell
from inbox.waits.estimate import words as spoken
from inbox.waits.mode import ModeNow, desk_mode
from inbox.words import Words

log = structlog.get_logger(__name__)

TICK = timedelta(seconds=1)
"""Places are told at most this often."""
RETOLD = timedelta(seconds=20)
"""An expected wait changes by itself while the visitor waits."""


class Outgoing:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        namespace: VisitorNamespace,
        tokens: Tokens,
        words: Words,
    ) -> None:
        self._db, self._clock, self._namespace, self._tokens = db, clock, namespace, tokens
        self._words = words
        self._entries: list[tuple[ConversationId, EntryId]] = []
        self._changed: set[ConversationId] = set()
        self._mode_changed = False
        self._sending: asyncio.Task[None] | None = None
        self._tick = asyncio.Event()
        namespace.wake_ticker = self._tick.set

    def announce(self, happened: Sequence[AnyEvent]) -> None:
        if not self._namespace.connected and not self._db.several_processes:
            return
        for event in happened:
            match event:
                case ReplyWritten(channel=ChannelKind.CHAT | ChannelKind.EMAIL):
                    self._entries.append((event.conversation_id, event.entry_id))
                case MessageReceived(channel=ChannelKind.EMAIL):  # the visitor's own, should they answer by mail
                    self._entries.append((event.conversation_id, event.entry_id))
                case ConversationChanged() | CallbackChanged():
                    self._changed.add(event.conversation_id)
                case WaitStarted() | WaitEnded():
                    self._tick.set()
                case PresenceChanged() | HoursChanged():
                    self._mode_changed = True
                    self._tick.set()
        if (self._entries or self._changed or self._mode_changed) and (self._sending is None or self._sending.done()):
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def settled(self) -> None:
        """Return when everything announced so far is sent."""
        while self._sending is not None and not self._sending.done():
            await asyncio.wait([self._sending])

    async def _send(self) -> None:
        while self._entries or self._changed or self._mode_changed:
            entries, self._entries = self._entries, []
            changed, self._changed = self._changed, set()
            mode_changed, self._mode_changed = self._mode_changed, False
            try:
                said, standings, mode = await self._db.read(_news, entries, changed, mode_changed, self._clock.now())
                for visitor, entry in said:
                    await self._namespace.to_visitor(visitor, "entry", wire.entry(entry, visitor, self._tokens))
                for visitor, conversation_id, standing in standings:
                    await self._tell_standing(visitor, conversation_id, standing)
                if mode is not None:
                    await self._namespace.emit("mode", wire.mode(mode))
            except Exception:
                log.exception("visitors were not told")

    async def _tell_standing(self, visitor: str, conversation_id: ConversationId, standing: Standing) -> None:
        for window in self._namespace.windows(visitor):
            if window.conversation_id == conversation_id or standing.status != Status.CLOSED:
                window.conversation_id, window.waiting = conversation_id, standing.waiting
        await self._namespace.to_visitor(
            visitor,
            "standing",
            {
                "status": standing.status.value,
                "waiting": standing.waiting,
                "joined": standing.owner_name,
                "answer_by": standing.answer_by.value if standing.answer_by else None,
            },
        )

    @asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        """Tell everybody who waits their place, as long as this is entered."""
        try:
            async with running(self._tick_forever(), "places in the queue"):
                yield
        finally:
            await self._namespace.settle()
            await self.settled()

    async def _tick_forever(self) -> None:
        while True:
            self._tick.clear()
            try:
                await self.tell_places()
            except Exception:
                log.exception("places were not told")
            now = self._clock.now()
            # A second of quiet, in which everything that happens is folded into one message, then until something does.
            await self._clock.wait_until(now + TICK, asyncio.Event())
            # Another process announces nothing here, so its changes are looked for.
            await self._clock.wait_until(now + (2 * TICK if self._db.several_processes else RETOLD), self._tick)

    async def tell_places(self) -> None:
        waiting = {
            sid: window
            for sid, window in self._namespace.connected.items()
            if window.waiting and window.conversation_id is not None
        }
        if not waiting:
            return
        ids = {window.conversation_id for window in waiting.values() if window.conversation_id is not None}
        now = self._clock.now()
        found = await self._db.read(_expectations, ids, now)
        first_told: list[tuple[ConversationId, Estimate]] = []
        for sid, window in waiting.items():
            conversation_id = window.conversation_id
            fresh = found.get(conversation_id) if conversation_id is not None else None
            if conversation_id is None or fresh is None or sid not in self._namespace.connected:
                continue
            before = window.told
            shown = fresh if before is None else steady(before[0], before[1], fresh, now)
            if before is not None and shown == before[0]:
                continue
            if before is None:
                first_told.append((conversation_id, shown))
            window.told = (shown, now)
            await self._namespace.emit(
                "queue",
                {
                    "place": shown.place,
                    "low_s": shown.low_s,
                    "high_s": shown.high_s,
                    "words": spoken(self._words, window.language, shown),
                    "other_ways": shown.offers_other_ways,
                },
                to=sid,
            )
        if any(told.low_s is not None for _, told in first_told):
            await self._db.write(_keep_what_was_told, first_told)


def _expectations(conn: Connection, ids: set[ConversationId], now: datetime) -> dict[ConversationId, Estimate]:
    """What each of these visitors can expect now; whoever has no place is left out."""
    places = queue.places(conn)
    waited = visitors.waited(conn, [c for c in ids if c in places], now)
    if not waited:
        return {}
    ahead = outlook(conn, ChannelKind.CHAT, now)
    return {c: ahead.expect(span, places[c]) for c, span in waited.items()}


def _keep_what_was_told(tx: Transaction, told: Sequence[tuple[ConversationId, Estimate]]) -> None:
    for conversation_id, estimate in told:
        tell(tx, conversation_id, estimate)


def _news(
    conn: Connection,
    entries: Sequence[tuple[ConversationId, EntryId]],
    changed: set[ConversationId],
    mode_changed: bool,
    now: datetime,
) -> tuple[list[tuple[str, PublicEntry]], list[tuple[str, ConversationId, Standing]], ModeNow | None]:
    return (
        visitors.said_to(conn, entries) if entries else [],
        visitors.standings(conn, changed) if changed else [],
        desk_mode(conn, now) if mode_changed else None,
    )
