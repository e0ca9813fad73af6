"""Operators' screens: one announcer tells them what changed, the database stays the truth.

Pushes may be missed: on every connect a screen asks for a snapshot (`hello`) and for the entries it lacks (`watch`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from socketio import AsyncNamespace
from socketio.exceptions import ConnectionRefusedError

from inbox import handoff, queue, reading
from inbox.clock import Clock
from inbox.errors import BadInput, InboxError, NotAllowed, NotFound
from inbox.people import handling, operators, sessions
from inbox.people.sessions import SignedIn
from inbox.store.database import Database
from inbox.vocabulary import ConversationId, EntryKind, OperatorId, Presence, Role
from inbox.waits.mode import desk_mode
from inbox.words import N_, Words
from web.announcer import Announcer
from web.api.json import to_json
from web.api.refusals import refusal
from web.cookies import session_digest
from web.realtime import DeskServer, is_own_origin
from web.viewers import Viewers

log = structlog.get_logger(__name__)

NAMESPACE = "/desk"
EVENTS_PER_TEN_SECONDS = 100
MOST_WATCHED = 20
"""Conversations one screen may follow at a time."""
SIGN_EVERY_SECONDS = 30
"""How often an operator who writes gives a new sign of work."""
BACK_WITHIN = timedelta(seconds=15)
"""A screen that comes back so soon was loaded again, not left."""
PIECE = 500
"""Entries a screen gets at once when it catches up."""


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Watch(_Payload):
    conversation_id: int = Field(ge=1, lt=2**63)
    after: int = Field(0, ge=0, lt=2**31)


class _Which(_Payload):
    conversation_id: int = Field(ge=1, lt=2**63)


class _Writing(_Which):
    kind: EntryKind | None = None


class _Presence(_Payload):
    presence: Presence


class _Anything(_Payload):
    pass


@dataclass(slots=True)
class Screen:
    """One connection of one operator."""

    signed_in: SignedIn
    watching: set[ConversationId] = field(default_factory=set)
    signs: dict[ConversationId, float] = field(default_factory=dict)  # last sign of work, on the loop's clock
    window: int = 0
    events: int = 0

    @property
    def operator_id(self) -> OperatorId:
        return self.signed_in.operator.id


class Desk(AsyncNamespace):  # type: ignore[misc]
    """Namespace `/desk`. `writing` listeners hear when an operator writes to a visitor."""

    def __init__(self, server: DeskServer, db: Database, clock: Clock, words: Words, viewers: Viewers) -> None:
        super().__init__(NAMESPACE)
        self._db, self._clock, self._words, self._viewers = db, clock, words, viewers
        self.screens: dict[str, Screen] = {}
        self.announcer = Announcer(server, db, clock, anybody=lambda: bool(self.screens))
        self._visitors: dict[ConversationId, dict[str, Any]] = {}
        self._gone: dict[tuple[OperatorId, ConversationId], datetime] = {}
        self._telling: set[asyncio.Future[Any]] = set()
        self.on_operator_writing: list[Callable[[ConversationId, str, bool], Awaitable[None]]] = []
        self.on_operator_read: list[Callable[[ConversationId, int], Awaitable[None]]] = []
        self.announcer.shown = self._shown

    # --- the way in ---------------------------------------------------------------------------------------------

    async def trigger_event(self, event: str, *args: Any) -> Any:
        if event == "connect":
            return await self._connect(*args)
        if event == "disconnect":
            return await self._disconnect(args[0])
        sid, payload = args[0], args[1] if len(args) > 1 else {}
        known = self._EVENTS.get(event)
        if known is None:
            return {"error": "unknown_event", "message": f"There is no event {event[:40]!r}."}
        screen = self.screens.get(sid)
        if screen is None:
            return {"error": "signed_out", "message": "Connect again."}
        language = screen.signed_in.operator.language
        model, handler = known
        try:
            self._count(screen)
            checked = model.model_validate({} if payload is None else payload)
            answer = await handler(self, sid, screen, checked)
            return {"ok": True, **to_json(answer or {})}
        except ValidationError as error:
            refused = refusal(error, "payload")
            said = self._words.say(language, refused.message)
            return {"error": refused.code, "message": said, "field": refused.field}
        except InboxError as error:
            said = self._words.say(language, error.message, **error.values)
            return {"error": error.code, "message": said}
        except Exception:
            log.exception("socket event failed", name=event)
            return {"error": "internal", "message": self._words.say(language, N_("Something went wrong on our side."))}

    def _count(self, screen: Screen) -> None:
        window = int(asyncio.get_running_loop().time() // 10)
        if screen.window != window:
            screen.window, screen.events = window, 0
        screen.events += 1
        if screen.events > EVENTS_PER_TEN_SECONDS:
            raise _TooFast

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        held = session_digest(environ["aiohttp.request"])
        if not is_own_origin(environ) or held is None:
            raise ConnectionRefusedError("signed_out")
        signed_in = await self._db.read(sessions.find, held, now=self._clock.now())
        if signed_in is None:
            raise ConnectionRefusedError("signed_out")
        self.screens[sid] = Screen(signed_in)
        await self.enter_room(sid, "desk")
        await self.enter_room(sid, f"operator:{signed_in.operator.id}")
        now = self._clock.now()
        await self._db.write(_here, signed_in, now=now)

    async def _disconnect(self, sid: str) -> None:
        screen = self.screens.pop(sid, None)
        if screen is None:
            return
        for conversation_id in list(screen.watching):
            if await self._left(sid, screen, conversation_id):
                self._gone[screen.operator_id, conversation_id] = self._clock.now()

    async def end_sessions(self, session_ids: set[int]) -> None:
        """Cut off screens whose session has ended."""
        for sid, screen in list(self.screens.items()):
            if screen.signed_in.session_id in session_ids:
                await self.emit("signed_out", {}, to=sid)
                await self.disconnect(sid)

    # --- events -------------------------------------------------------------------------------------------------

    async def _hello(self, sid: str, screen: Screen, _: _Anything) -> Mapping[str, Any]:
        now = self._clock.now()
        found = await self._db.read(snapshot, screen.operator_id, now)
        viewers = [{"conversation_id": c, "viewers": v} for c, v in (await self._viewers.everything()).items()]
        return {**found, "viewers": viewers}

    async def _watch(self, sid: str, screen: Screen, wanted: _Watch) -> Mapping[str, Any]:
        conversation_id = ConversationId(wanted.conversation_id)
        if conversation_id not in screen.watching and len(screen.watching) >= MOST_WATCHED:
            raise BadInput("conversation_id", N_("Close one of the conversations you follow first."))
        await self.enter_room(sid, f"conv:{conversation_id}")
        try:
            row, entries = await self._db.read(_catch_up, conversation_id, wanted.after)
        except InboxError:
            await self.leave_room(sid, f"conv:{conversation_id}")
            raise
        screen.watching.add(conversation_id)
        self._gone.pop((screen.operator_id, conversation_id), None)
        operator = screen.signed_in.operator
        await self._show_viewers(
            conversation_id, await self._viewers.joined(conversation_id, sid, operator.id, operator.name)
        )
        if row is not None:
            await self._shown(conversation_id, row.last_number)
            if row.owner_id == operator.id:
                await self._db.write(handling.looks_at, operator.id, conversation_id, now=self._clock.now())
        return {
            "row": row,
            "entries": entries,
            "more": len(entries) == PIECE,
            "visitor": self._visitors.get(conversation_id),
            "now": self._clock.now(),
        }

    async def _shown(self, conversation_id: ConversationId, number: int) -> None:
        """An operator has everything up to entry `number` on the screen."""
        for listener in self.on_operator_read:
            await listener(conversation_id, number)

    async def _unwatch(self, sid: str, screen: Screen, which: _Which) -> None:
        conversation_id = ConversationId(which.conversation_id)
        if conversation_id in screen.watching:
            await self.leave_room(sid, f"conv:{conversation_id}")
            if await self._left(sid, screen, conversation_id):
                await self._left_work(screen.operator_id, conversation_id, self._clock.now())

    async def _writing(self, sid: str, screen: Screen, writing: _Writing) -> None:
        conversation_id = ConversationId(writing.conversation_id)
        if conversation_id not in screen.watching:
            return
        if writing.kind is not None:
            await self._sign_of_work(screen, conversation_id)
        changed = await self._viewers.writes(conversation_id, sid, writing.kind)
        if changed is not None:
            await self._show_viewers(conversation_id, changed)
        if writing.kind in (EntryKind.REPLY, None):
            for listener in self.on_operator_writing:
                await listener(conversation_id, screen.signed_in.operator.name, writing.kind is not None)

    async def _set_presence(self, sid: str, screen: Screen, wanted: _Presence) -> None:
        now = self._clock.now()
        await self._db.write(operators.set_presence, screen.operator_id, wanted.presence, now=now)
        if wanted.presence in (Presence.ONLINE, Presence.FINISHING):  # back at what was left open
            for conversation_id in list(screen.watching):
                await self._db.write(handling.looks_at, screen.operator_id, conversation_id, now=now)

    async def _wall(self, sid: str, screen: Screen, _: _Anything) -> None:
        if not screen.signed_in.operator.may(Role.SUPERVISOR):
            raise NotAllowed
        await self.enter_room(sid, "wall")

    _EVENTS: Mapping[str, tuple[type[_Payload], Callable[..., Any]]] = {
        "hello": (_Anything, _hello),
        "watch": (_Watch, _watch),
        "unwatch": (_Which, _unwatch),
        "writing": (_Writing, _writing),
        "presence": (_Presence, _set_presence),
        "wall": (_Anything, _wall),
    }

    # --- who looks at what --------------------------------------------------------------------------------------

    async def _left(self, sid: str, screen: Screen, conversation_id: ConversationId) -> bool:
        """Whether none of the operator's screens shows it any more."""
        screen.watching.discard(conversation_id)
        screen.signs.pop(conversation_id, None)
        viewers = await self._viewers.left(conversation_id, sid)
        await self._show_viewers(conversation_id, viewers)
        return not any(viewer["operator_id"] == screen.operator_id for viewer in viewers)

    async def _left_work(self, operator_id: OperatorId, conversation_id: ConversationId, at: datetime) -> None:
        if await self._db.read(handling.is_running, operator_id, conversation_id):
            await self._db.write(handling.left, operator_id, conversation_id, at=at)

    async def _sign_of_work(self, screen: Screen, conversation_id: ConversationId) -> None:
        present = asyncio.get_running_loop().time()
        if present - screen.signs.get(conversation_id, -math.inf) < SIGN_EVERY_SECONDS:
            return
        screen.signs[conversation_id] = present
        await self._db.write(handling.looks_at, screen.operator_id, conversation_id, writes=True, now=self._clock.now())

    async def _show_viewers(self, conversation_id: ConversationId, viewers: list[dict[str, Any]]) -> None:
        await self.emit("viewers", {"conversation_id": conversation_id, "viewers": viewers}, room="desk")

    def visitor_news(self, conversation_id: ConversationId, news: Mapping[str, Any]) -> None:
        """A visitor came, left, writes or has read: told to whoever has the conversation open."""
        known = self._visitors.setdefault(conversation_id, {"online": False, "typing": False, "seen": 0})
        known.update(news)
        told = asyncio.ensure_future(
            self.emit("visitor", {"conversation_id": conversation_id, **known}, room=f"conv:{conversation_id}")
        )
        self._telling.add(told)
        told.add_done_callback(self._telling.discard)
        if not known["online"] and not known["typing"]:
            del self._visitors[conversation_id]

    # --- heartbeat ----------------------------------------------------------------------------------------------

    async def heartbeat(self) -> None:
        """Runs for ever: notes who is connected, sends away ended sessions, sets the silent offline."""
        while True:
            await self.beat()
            await self._clock.wait_until(self._clock.now() + operators.HEARD_EVERY, asyncio.Event())

    async def beat(self) -> None:
        now = self._clock.now()
        connected = {screen.signed_in.session_id for screen in self.screens.values()}
        alive = await self._db.read(sessions.alive, list(connected), now=now)
        await self._db.write(_still_here, list(alive), now=now)
        if connected - alive:
            await self.end_sessions({int(i) for i in connected - alive})
        if self.screens:
            await self.announcer.look_at_the_clock()
        for (operator_id, watched), since in list(self._gone.items()):
            if now - since >= BACK_WITHIN:
                self._gone.pop((operator_id, watched), None)
                await self._left_work(operator_id, watched, since)
        for conversation_id, viewers in await self._viewers.expire():
            await self._show_viewers(conversation_id, viewers)


class _TooFast(InboxError):
    code = "rate_limited"

    def __init__(self) -> None:
        super().__init__(N_("Too many tries. Wait a moment."))


def snapshot(conn: Any, me: OperatorId, now: Any) -> dict[str, Any]:
    """All a screen needs to begin, or to begin again."""
    page = queue.page(conn, queue.View.WAITING, me)
    return {
        "now": now,
        "operator": operators.get(conn, me),
        "queue": {
            "rows": page.rows,
            "next_after": page.next_after,
            "counts": queue.counts(conn, me, now=now),
        },
        "operators": operators.colleagues(conn),
        "offers": handoff.offers(conn, operator_id=me),
        "mode": desk_mode(conn, now),
    }


def _catch_up(conn: Any, conversation_id: ConversationId, after: int) -> tuple[Any, Any]:
    row = queue.row(conn, conversation_id)
    if row is None:
        raise NotFound
    return row, reading.timeline(conn, conversation_id, after=after, limit=PIECE)


def _here(tx: Any, signed_in: SignedIn, *, now: Any) -> None:
    sessions.touch(tx, [signed_in.session_id], now=now)
    operators.arrived(tx, signed_in.operator.id, now=now)


def _still_here(tx: Any, session_ids: list[Any], *, now: Any) -> None:
    sessions.touch(tx, session_ids, now=now)
    operators.leave_unseen(tx, seen_since=now - operators.SILENT_AFTER, now=now)
