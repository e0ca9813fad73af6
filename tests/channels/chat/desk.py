"""A desk with nothing but the chat channel, on a port of its own, moved by the test's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import socketio
from aiohttp import web

from channels.chat.channel import Chat, WidgetAssets, chat_channel
from channels.chat.settings import ChatSettings
from inbox import lifecycle, reading, reply
from inbox.clock import ManualClock
from inbox.people import operators
from inbox.reading import TimelineEntry
from inbox.reply import ReplyDraft, Written
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database
from inbox.vocabulary import ChannelKind, ConversationId, OperatorId, Presence, Role
from inbox.words import Words
from web.realtime import PATH, DeskServer, is_own_origin, make_server

SHOP = "https://shop.example"
OTHER_SHOP = "https://other.example"
SECRET = "nothing but a test knows this secret"
SETTINGS = ChatSettings.model_validate(
    {
        "sites": [
            {"key": "shop", "name": "Shop", "origins": [SHOP], "email": "help@desk.test"},
            {"key": "other", "name": "Other", "origins": [OTHER_SHOP]},
        ]
    }
)
WEB = Path(__file__).parents[3] / "web"
WORDS = Words(WEB / "locales")
LOADER = (WEB / "static" / "widget" / "loader.js").read_text()


class ChatDesk:
    def __init__(self, db: Database, clock: ManualClock, folder: Path, settings: ChatSettings = SETTINGS) -> None:
        self.db, self.clock, self.settings = db, clock, settings
        self.server: DeskServer = make_server(foreign_origins=settings.origins)
        self.chat: Chat = chat_channel(
            db,
            clock,
            settings,
            SECRET,
            words=WORDS,
            folder=AttachmentFolder(folder, max_bytes=1_000_000),
            assets=WidgetAssets(LOADER, 't("Send")', lambda language, values: f"{language} {values['page']['name']}"),
            own_origin=is_own_origin,
        )
        self.news: list[tuple[ConversationId, Mapping[str, Any]]] = []
        self.chat.namespace.news.append(lambda conversation, said: self.news.append((conversation, dict(said))))
        self.url = ""
        self._stack = AsyncExitStack()
        self._replies = 0

    async def start(self) -> None:
        app = web.Application(client_max_size=2_000_000)
        for namespace in self.chat.channel.namespaces:
            self.server.register_namespace(namespace)
        self.server.attach(app, socketio_path=PATH)
        app.add_routes(self.chat.channel.routes)
        for announce in self.chat.channel.announce:
            self.db.on_commit(announce)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        for background in self.chat.channel.background:
            await self._stack.enter_async_context(background())
        self._stack.push_async_callback(self._hang_up)

    async def _hang_up(self) -> None:
        self.server.hang_up()
        await self.chat.namespace.settle()
        await self.server.shutdown()

    async def stop(self) -> None:
        await self._stack.aclose()

    async def visitor(self, token: str | None = None, **more: Any) -> Visitor:
        visitor = Visitor(self)
        await visitor.connect(token, **more)
        return visitor

    # --- what operators do ------------------------------------------------------------------------------------------

    async def operator(self, name: str = "Mia") -> OperatorId:
        made = await self.db.write(
            operators.add,
            email=f"{name.lower()}@desk.test",
            name=name,
            password_hash="x",
            role=Role.OPERATOR,
            language="en",
            now=self.now,
        )
        await self.db.write(operators.set_presence, made, Presence.ONLINE, now=self.now)
        return made

    async def reply(self, conversation: ConversationId, operator: OperatorId, text: str, **more: Any) -> Written:
        self._replies += 1
        draft = ReplyDraft(conversation, operator, text, key=f"draft:{self._replies}", seen=10_000, **more)
        return await self.db.write(reply.reply, draft, addressings={}, now=self.now)

    async def take(self, conversation: ConversationId, operator: OperatorId) -> None:
        await self.db.write(lifecycle.take, conversation, operator, now=self.now)

    async def timeline(self, conversation: ConversationId) -> list[TimelineEntry]:
        return await self.db.read(reading.timeline, conversation)

    async def texts(self, conversation: ConversationId) -> list[str]:
        return [e.text for e in await self.timeline(conversation) if e.channel is ChannelKind.CHAT]

    @property
    def now(self) -> datetime:
        return self.clock.now()


class Visitor:
    """Somebody at the widget, over a real socket of python-socketio's own client."""

    def __init__(self, desk: ChatDesk) -> None:
        self._desk = desk
        self.client = socketio.AsyncClient(reconnection=False)
        self.heard: list[tuple[str, Any]] = []
        self._news = asyncio.Event()
        self.token = ""
        self.welcome: Mapping[str, Any] = {}
        self.client.on("*", self._hear, namespace="/visitor")

    def _hear(self, event: str, data: Any = None) -> None:
        self.heard.append((event, data))
        self._news.set()

    async def connect(
        self,
        token: str | None = None,
        *,
        site: str = "shop",
        origin: str | None = SHOP,
        language: str = "en",
        transports: tuple[str, ...] = ("websocket",),
    ) -> None:
        await self.client.connect(
            self._desk.url,
            headers={"Origin": origin} if origin else {},
            auth={"site": site, "token": token, "language": language, "page": "https://shop.example/tents"},
            namespaces=["/visitor"],
            transports=list(transports),
        )
        self.welcome = await self.hears("welcome")
        self.token = self.welcome["token"]

    async def ask(self, event: str, data: Any = None) -> dict[str, Any]:
        answer: dict[str, Any] = await self.client.call(event, data, namespace="/visitor", timeout=10)
        return answer

    async def say(self, text: str, client_id: str | None = None, **more: Any) -> dict[str, Any]:
        answer = await self.ask("message", {"id": client_id or uuid4().hex, "text": text, **more})
        assert answer.get("ok"), answer
        return answer

    async def hears(self, event: str, seconds: float = 10) -> Any:
        """The data of the next event of this name that has not been looked at yet."""
        async with asyncio.timeout(seconds):
            while True:
                for index, (name, data) in enumerate(self.heard):
                    if name == event:
                        del self.heard[index]
                        return data
                self._news.clear()
                await self._news.wait()

    async def leave(self) -> None:
        await self.client.disconnect()
