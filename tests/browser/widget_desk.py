"""The whole desk and a shop on another origin that embeds its widget, in the test's own process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Frame, FrameLocator, Page

from inbox import reading, reply
from inbox.clock import SystemClock
from inbox.people import operators
from inbox.reply import ReplyDraft
from inbox.store.database import Database, open_database
from inbox.vocabulary import ConversationId, EntryKind, OperatorId, Presence, Role
from inbox.waits.change_hours import set_hours
from inbox.waits.hours import WEEKDAYS
from tests.support.processes import free_port
from web import keys
from web.app import DURABLE, Config, build
from web.demo_shop import shop_app

CLOSED: dict[str, Any] = {"weekly": {day: [] for day in WEEKDAYS}, "holidays": {}, "targets": {}}


FIRST = ConversationId(1)


class WidgetDesk:
    mia: OperatorId

    def __init__(self, folder: Path, store_url: str) -> None:
        self.port, self.shop_port = free_port(), free_port()
        self.url, self.shop = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.shop_port}"
        self.clock = SystemClock()
        self.db: Database = open_database(store_url, now=self.clock.now, durable=DURABLE)
        self._folder, self._store_url = folder, store_url
        self._desk, self._shop = AsyncExitStack(), AsyncExitStack()
        self._replies = 0

    async def start(self, shop: Callable[[str], web.Application] = shop_app) -> None:
        await self.start_desk()
        self.mia = await self.operator("Mia")
        await _serve(shop(self.url), self.shop_port, self._shop)

    async def start_desk(self) -> None:
        site = {"key": "shop", "name": "Teapots & Co", "origins": [self.shop], "email": "help@desk.test",
                "privacy_url": "https://desk.test/privacy"}  # fmt: skip
        config = Config.model_validate(
            {
                "server": {"port": self.port, "url": self.url},
                "store": {"url": self._store_url, "folder": self._folder},
                "security": {"secret": "nothing but a test knows this secret"},
                "chat": {"sites": [site]},
                "email": {"addresses": [{"address": "help@desk.test"}], "keep_folder": self._folder / "outgoing"},
            }
        )
        self.app = app = build(config, clock=self.clock, db=self.db)
        self.screens = app[keys.DESK]
        self.chat = app[keys.SERVER].namespace_handlers["/visitor"]
        self._desk = AsyncExitStack()
        await _serve(app, self.port, self._desk)

    async def stop_desk(self) -> None:
        await self._desk.aclose()

    async def stop(self) -> None:
        await self._shop.aclose()
        await self._desk.aclose()
        await self.db.close()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def operator(self, name: str = "Mia") -> OperatorId:
        made = await self.db.write(
            operators.add, email=f"{name.lower()}@desk.test", name=name, password_hash="x", role=Role.OPERATOR,
            language="en", now=self.now,
        )  # fmt: skip
        await self.db.write(operators.set_presence, made, Presence.ONLINE, now=self.now)
        return made

    async def close_the_doors(self) -> None:
        await self.db.write(set_hours, "Europe/Helsinki", CLOSED, by=None, now=self.now)

    async def reply(self, conversation: ConversationId, operator: OperatorId, text: str) -> None:
        self._replies += 1
        draft = ReplyDraft(conversation, operator, text, key=f"draft:{self._replies}", seen=10_000)
        await self.db.write(reply.reply, draft, addressings={}, now=self.now)

    async def texts(self) -> list[str]:
        """What people said in the first conversation: an automatic reply may come at any moment."""
        said = await self.db.read(reading.timeline, FIRST, public_only=True)
        return [entry.text for entry in said if entry.kind is not EntryKind.AUTOREPLY]


async def _serve(app: web.Application, port: int, stack: AsyncExitStack) -> None:
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port).start()


def panel(page: Page) -> FrameLocator:
    return page.frame_locator("vuoro-chat iframe")


def panel_frame(page: Page) -> Frame:
    return next(frame for frame in page.frames if "/widget/panel" in frame.url)
