"""The socket of the visitors. Every event is answered; an answer means committed, an error has a code and a sentence.

A connection belongs to one visitor, proved by the token; what a visitor asks for is looked up by that visitor and
never by ids they send.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from aiohttp import web
from socketio import AsyncNamespace
from socketio.exceptions import ConnectionRefusedError as Refused

from channels.chat import wire
from channels.chat.rates import Buckets, TooManyBegun, TooMuch
from channels.chat.settings import ChatSettings, ChatSite
from channels.chat.slots import callback_slots
from channels.chat.tokens import Tokens
from inbox import ratings, visitor_leaving, visitor_windows, visitors
from inbox.clock import Clock
from inbox.errors import BadInput, InboxError
from inbox.people.contacts import AddressLine, Sender
from inbox.receive import Incoming, Received
from inbox.store.database import Database
from inbox.visitors import VisitorConversation, visitor_line
from inbox.vocabulary import ChannelKind, ConversationId
from inbox.waits.estimate import Estimate
from inbox.waits.mode import ModeNow, desk_mode
from inbox.words import N_, Words

log = structlog.get_logger(__name__)

NAMESPACE = "/visitor"
WRITING_LASTS = timedelta(seconds=3)
"""More often than this nobody is told that somebody writes."""

VisitorNews = Callable[[ConversationId, Mapping[str, Any]], None]
"""Told {"online"}, {"typing"} or {"seen"} of a conversation's visitor; operators' screens show it."""


@dataclass(slots=True)
class Connected:
    """One window of a visitor."""

    visitor: str
    site: ChatSite
    language: str
    page: str
    remote: str
    conversation_id: ConversationId | None = None
    waiting: bool = False
    told_writing_at: datetime | None = None
    told: tuple[Estimate, datetime] | None = None  # what was last said about the wait ahead, and when


class VisitorNamespace(AsyncNamespace):  # type: ignore[misc]
    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: ChatSettings,
        tokens: Tokens,
        words: Words,
        *,
        remote_of: Callable[[web.Request], str],
        own_origin: Callable[[Mapping[str, Any]], bool],
        goes_on_by_mail: bool = False,
    ) -> None:
        super().__init__(NAMESPACE)
        self._db, self._clock, self._settings, self._tokens, self._words = db, clock, settings, tokens, words
        self._remote_of, self._own_origin = remote_of, own_origin
        self._goes_on_by_mail = goes_on_by_mail
        self._process = secrets.token_hex(8)
        self.connected: dict[str, Connected] = {}  # by sid
        self._windows: dict[str, set[str]] = {}  # visitor → sids
        self.news: list[VisitorNews] = []
        self.wake_ticker: Callable[[], None] = lambda: None
        self._messages = Buckets(clock, settings.messages_per_minute)
        self._events = Buckets(clock, settings.events_per_minute)
        self._connects = Buckets(clock, settings.connects_per_minute)
        self._begins = Buckets(clock, settings.conversations_per_minute)
        self._leaving: set[asyncio.Task[None]] = set()
        self._handlers: Mapping[str, Callable[[str, Connected, Mapping[str, Any]], Awaitable[dict[str, Any]]]] = {
            "message": self._message,
            "resume": self._resume,
            "rate": self._rate,
            "seen": self._seen,
            "received": self._received,
            "typing": self._typing,
            "contact": self._contact,
            "leave_question": self._leave_question,
            "callback": self._callback,
            "slots": self._slots,
        }

    # --- coming and going -------------------------------------------------------------------------------------------

    async def trigger_event(self, event: str, *args: Any) -> Any:
        if event == "connect":
            await self._connect(*args)
            return None
        if event == "disconnect":
            await self._disconnect(args[0])
            return None
        sid = args[0]
        window = self.connected.get(sid)
        if window is None:
            return _error("not_found", "This connection has ended.")
        handler = self._handlers.get(event)
        if handler is None:
            return _error("unknown_event", "This event does not exist.")
        try:
            self._events.take(window.visitor)
            return await handler(sid, window, wire.fields(args[1] if len(args) > 1 else {}))
        except InboxError as error:
            return described(self._words, window.language, error)

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: Any = None) -> None:
        auth = auth if isinstance(auth, dict) else {}
        site = self._settings.site(auth.get("site"))
        if site is None:
            raise Refused({"message": "unknown_site"})
        origin = environ.get("HTTP_ORIGIN")
        if origin and origin not in site.origins and not self._own_origin(environ):
            raise Refused({"message": "not_allowed"})
        remote = self._remote_of(environ["aiohttp.request"])
        try:
            self._connects.take(remote)
        except TooMuch:
            raise Refused({"message": "rate_limited"}) from None
        visitor = self._tokens.visitor(auth.get("token"), site.key) or self._tokens.new_visitor()
        language = self._words.choose(site.language, wire.short(auth.get("language")))
        self.connected[sid] = Connected(visitor, site, language, wire.short(auth.get("page")), remote)
        self._windows.setdefault(visitor, set()).add(sid)
        await self.server.enter_room(sid, room_of(visitor), namespace=NAMESPACE)

    async def after_connect(self, sid: str) -> None:
        """The client knows that it is connected: tell it everything it needs to draw its first screen."""
        window = self.connected.get(sid)
        if window is None:
            return
        now = self._clock.now()
        found, mode = await self._db.read(self._first_view, window.visitor, now)
        if found is not None:
            window.conversation_id, window.waiting = found.id, found.waiting
            if found.gone:
                await self._db.write(visitor_leaving.came_back, window.visitor, now=now)
            self._tell(found.id, online=True)
        if self._db.several_processes:
            await self._db.write(visitor_windows.opened, window.visitor, self._process, now=now)
        if sid not in self.connected:
            return
        await self.emit("welcome", self._welcome(window, found, mode, now), to=sid)
        if window.waiting:
            self.wake_ticker()

    def _first_view(self, conn: Any, visitor: str, now: datetime) -> tuple[VisitorConversation | None, ModeNow]:
        found = visitors.current(conn, visitor, rejoin_closed=self._rejoin, now=now)
        return found, desk_mode(conn, now)

    def _welcome(
        self, window: Connected, found: VisitorConversation | None, mode: ModeNow, now: datetime
    ) -> dict[str, Any]:
        return {
            "token": self._tokens.sign(window.visitor, window.site.key),
            "visitor": window.visitor,
            "site": {"name": window.site.name, "greeting": window.site.greeting},
            "mode": wire.mode(mode),
            "conversation": None if found is None else wire.conversation(found, window.visitor, self._tokens),
            "goes_on_by_mail": self._goes_on_by_mail,
            "now": wire.iso(now),
        }

    async def _disconnect(self, sid: str) -> None:
        window = self.connected.pop(sid, None)
        if window is None:
            return
        windows = self._windows.get(window.visitor, set())
        windows.discard(sid)
        if windows:
            return
        self._windows.pop(window.visitor, None)
        if window.conversation_id is not None or self._db.several_processes:
            # Not awaited: the socket is gone, and the store must not hold up those who stay.
            task = asyncio.create_task(self._left(window.visitor, window.conversation_id))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _left(self, visitor: str, conversation_id: ConversationId | None) -> None:
        try:
            if self._db.several_processes:
                await self._db.write(visitor_windows.closed, visitor, self._process, now=self._clock.now())
            else:
                await self._db.write(visitor_leaving.left, visitor, now=self._clock.now())
        except Exception:
            log.exception("could not note that a visitor left")
        if conversation_id is not None:
            self._tell(conversation_id, online=False)

    async def stay_known(self) -> None:
        """Tell the other processes that this one lives, and note whose visitors a silent one has taken with it."""
        while True:
            task = asyncio.create_task(self._say_alive())
            self._leaving.add(task)  # so that the store closes after it
            task.add_done_callback(self._leaving.discard)
            await asyncio.shield(task)
            await self._clock.wait_until(self._clock.now() + visitor_windows.SAYS_SO_EVERY, asyncio.Event())

    async def _say_alive(self) -> None:
        now = self._clock.now()
        try:
            await self._db.write(visitor_windows.alive, self._process, now=now)
            await self._db.write(visitor_windows.bury_silent, now=now)
        except Exception:
            log.exception("visitors' windows could not be noted")

    async def settle(self) -> None:
        """Wait for what is being written about visitors who left: before the store closes."""
        while self._leaving:
            await asyncio.wait(self._leaving)

    # --- what visitors do -------------------------------------------------------------------------------------------

    async def _message(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        self._messages.take(window.visitor)
        self._may_begin(window)
        attachments = wire.files(data)
        incoming = self._incoming(
            window,
            wire.client_id(data),
            wire.text(data, required=not attachments),
            who=wire.contact(wire.fields(data["contact"]), window.site.country) if data.get("contact") else None,
            answer_by=wire.answer_channel(data.get("answer_by")),
            attachments=attachments,
        )
        received = await self._db.write(visitors.write, window.visitor, incoming, now=self._clock.now())
        return await self._accepted(sid, window, incoming, received)

    def _may_begin(self, window: Connected) -> None:
        """Raises TooManyBegun. Whoever has a conversation writes into it and begins none."""
        if window.conversation_id is None:
            try:
                self._begins.take(window.remote)
            except TooMuch:
                raise TooManyBegun from None

    async def _leave_question(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        self._messages.take(window.visitor)
        self._may_begin(window)
        incoming, number = question(self, window, data)
        now = self._clock.now()
        if number is None:
            received = await self._db.write(visitors.write, window.visitor, incoming, now=now)
        else:
            received = await self._db.write(visitors.ask_callback, window.visitor, incoming, number, None, now=now)
        return {**await self._accepted(sid, window, incoming, received), "reference": str(received.conversation_id)}

    async def _callback(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        self._messages.take(window.visitor)
        self._may_begin(window)
        number = wire.phone(wire.text(data, "number", limit=60), window.site.country)
        assert number is not None
        who = wire.Contact(phone=number)
        written = wire.text(data, required=False)
        if not written:
            written = self._words.say(window.language, N_("Please call me back."))
        incoming = self._incoming(window, wire.client_id(data), written, who=who)
        received = await self._db.write(
            visitors.ask_callback,
            window.visitor,
            incoming,
            number.value,
            wire.slot(data.get("slot")),
            now=self._clock.now(),
        )
        return {**await self._accepted(sid, window, incoming, received), "reference": str(received.conversation_id)}

    async def _contact(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        who = wire.contact(data, window.site.country)
        if not who.lines and not who.name:
            raise BadInput("email", N_("Write your mail address."))
        now = self._clock.now()
        sender = Sender(visitor_line(window.visitor), who.name, claimed=tuple(who.lines))
        await self._db.write(visitors.give_contact, sender, window.conversation_id, now=now)
        wanted = wire.answer_channel(data.get("answer_by"))
        if wanted is not None and window.conversation_id is not None:
            if wanted is ChannelKind.EMAIL and who.email is None:
                raise BadInput("email", N_("Write your mail address."))
            await self._db.write(visitors.answer_by, window.conversation_id, wanted, now=now)
        mail_to = "" if who.email is None else visitors.hidden(who.email.written)
        return {"ok": True, "reference": str(window.conversation_id or ""), "mail_to": mail_to}

    async def _resume(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        after = wire.number(data, "after")
        found = await self._db.read(visitors.current, window.visitor, rejoin_closed=self._rejoin, now=self._clock.now())
        if found is None:
            return {"ok": True, "entries": []}
        missed = await self._db.read(visitors.resumed, window.visitor, after, found.id)
        return {"ok": True, "entries": [wire.entry(e, window.visitor, self._tokens) for e in missed]}

    async def _rate(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        """What the visitor thinks of it; the sentence may come later, with the same mark."""
        words = None if data.get("words") is None else wire.text(data, "words", required=False, limit=ratings.MAX_WORDS)
        await self._db.write(
            visitors.rate, window.visitor, wire.number(data, "score"), words, rejoin_closed=self._rejoin,
            now=self._clock.now(),
        )  # fmt: skip
        return {"ok": True}

    async def _seen(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        return await self._has(window, wire.number(data, "number"), read=True)

    async def _received(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        return await self._has(window, wire.number(data, "number"), read=False)

    async def _has(self, window: Connected, number: int, *, read: bool) -> dict[str, Any]:
        if window.conversation_id is not None and number:
            await self._db.write(
                visitors.has, window.visitor, window.conversation_id, number, read=read, now=self._clock.now()
            )
            if read:
                self._tell(window.conversation_id, seen=number)
        return {"ok": True}

    async def _typing(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        on, now = wire.flag(data, "on"), self._clock.now()
        if window.conversation_id is None:
            return {"ok": True}
        if not on:
            window.told_writing_at = None
            self._tell(window.conversation_id, typing=False)
        elif window.told_writing_at is None or now - window.told_writing_at >= WRITING_LASTS:
            window.told_writing_at = now
            self._tell(window.conversation_id, typing=True)
        return {"ok": True}

    async def _slots(self, sid: str, window: Connected, data: Mapping[str, Any]) -> dict[str, Any]:
        slots = await self._db.read(callback_slots, self._clock.now())
        return {"ok": True, "slots": [{"from": wire.iso(s.since), "to": wire.iso(s.until)} for s in slots]}

    # --- what the desk does -----------------------------------------------------------------------------------------

    async def operator_writing(self, conversation_id: ConversationId, name: str, on: bool) -> None:
        """An operator has begun or stopped writing a reply; for the visitors of the conversation."""
        await self._to_visitors_of(conversation_id, "typing", {"name": name, "on": on})

    async def operators_have_read(self, conversation_id: ConversationId, number: int) -> None:
        """Operators have everything up to entry `number` on their screens."""
        await self._to_visitors_of(conversation_id, "seen", {"number": number})

    async def _to_visitors_of(self, conversation_id: ConversationId, event: str, data: dict[str, Any]) -> None:
        for visitor in await self._db.read(visitors.of_conversation, conversation_id):
            await self.to_visitor(visitor, event, data)

    async def to_visitor(self, visitor: str, event: str, data: Any, *, skip_sid: str | None = None) -> None:
        """To every window of a visitor, in every process."""
        if visitor in self._windows or self._db.several_processes:
            await self.emit(event, data, room=room_of(visitor), skip_sid=skip_sid)

    def windows(self, visitor: str) -> list[Connected]:
        return [self.connected[sid] for sid in self._windows.get(visitor, ())]

    def is_online(self, visitor: str) -> bool:
        return visitor in self._windows

    # --- inside -----------------------------------------------------------------------------------------------------

    @property
    def _rejoin(self) -> timedelta:
        return timedelta(hours=self._settings.rejoin_hours)

    def _incoming(
        self,
        window: Connected,
        client_id: str,
        text: str,
        *,
        who: wire.Contact | None = None,
        answer_by: ChannelKind | None = None,
        attachments: list[Any] | None = None,
    ) -> Incoming:
        who = who or wire.Contact()
        first = window.conversation_id is None
        return Incoming(
            channel=ChannelKind.CHAT,
            sender=Sender(
                visitor_line(window.visitor), who.name, window.language if first else None, claimed=tuple(who.lines)
            ),
            text=text,
            client_key=f"visitor:{window.visitor}:{client_id}",
            join_open=True,
            rejoin_closed=self._rejoin,
            answer_by=answer_by,
            source={"site": window.site.key, "page": window.page} if first else {},
            attachments=tuple(attachments or ()),
        )

    async def _accepted(self, sid: str, window: Connected, incoming: Incoming, received: Received) -> dict[str, Any]:
        at = wire.iso(self._clock.now())
        for other in self.windows(window.visitor):
            other.conversation_id, other.waiting = received.conversation_id, True
        if window.conversation_id != received.conversation_id:  # the last window closed meanwhile
            window.conversation_id, window.waiting = received.conversation_id, True
        if received.began or received.reopened:
            self._tell(received.conversation_id, online=True)
        if not received.duplicate and (len(self._windows.get(window.visitor, ())) > 1 or self._db.several_processes):
            if incoming.attachments:
                echoes = await self._db.read(
                    visitors.entries, received.conversation_id, window.visitor, only=[received.entry_id]
                )
                said: list[dict[str, Any]] = [wire.entry(e, window.visitor, self._tokens) for e in echoes]
            else:
                key = incoming.client_key or ""
                said = [
                    {
                        "number": received.number,
                        "kind": "message",
                        "author": "you",
                        "author_name": "",
                        "text": incoming.text,
                        "at": at,
                        "id": key.rpartition(":")[2],
                        "attachments": [],
                    }
                ]
            for one in said:
                await self.to_visitor(window.visitor, "entry", one, skip_sid=sid)
        return {
            "ok": True,
            "number": received.number,
            "at": at,
            "conversation": received.conversation_id,
            "duplicate": received.duplicate,
        }

    def _tell(self, conversation_id: ConversationId, **news: Any) -> None:
        for listener in self.news:
            try:
                listener(conversation_id, news)
            except Exception:
                log.exception("telling operators about a visitor failed")


def room_of(visitor: str) -> str:
    return f"visitor:{visitor}"


def question(namespace: VisitorNamespace, window: Connected, data: Mapping[str, Any]) -> tuple[Incoming, str | None]:
    """A question left with a way to answer it; the number when a call is wanted. Raises BadInput."""
    who = wire.contact(data, window.site.country)
    call = wire.flag(data, "callback")
    if call and who.phone is None:
        raise BadInput("phone", N_("Write the number at which we can call you."))
    if who.email is None and who.phone is None:
        raise BadInput("email", N_("Write your mail address, or a telephone number and that we may call."))
    incoming = namespace._incoming(
        window,
        wire.client_id(data),
        wire.text(data),
        who=who,
        answer_by=ChannelKind.EMAIL if who.email is not None else ChannelKind.PHONE,
    )
    number: AddressLine | None = who.phone if call or who.email is None else None
    return incoming, number.value if number is not None else None


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": code, "message": message}


def described(words: Words, language: str, error: InboxError) -> dict[str, Any]:
    said: dict[str, Any] = {"error": error.code, "message": words.say(language, error.message, **error.values)}
    if isinstance(error, BadInput):
        said["field"] = error.field
    return said
