"""The whole application on a free port, on both databases, with people signed in over HTTP as browsers do it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from aiohttp import web
from itsdangerous import Signer
from yarl import URL

from channels.chat.settings import ChatSettings
from channels.email.settings import DnsSettings, EmailSettings, SupportAddress
from inbox.clock import ManualClock
from inbox.people import operators, sessions
from inbox.store.database import Database
from inbox.vocabulary import OperatorId, Role
from tests.support.verbs import VerbDesk
from web import keys
from web.app import DURABLE, Config, build
from web.config import SecurityTable, ServerTable, StoreTable
from web.cookies import COOKIE, digest, new_token
from web.live import Desk
from web.security import hash_password_now
from web.serving import listening_socket, start

PASSWORD = "long enough to keep"
HASHED = hash_password_now(PASSWORD)


class Browser:
    """Somebody at a browser, signed in or not. `answer` is the body of the last response."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.csrf = ""
        self.operator_id = OperatorId(0)
        self.headers: Mapping[str, str] = {}
        self.location = ""

    async def sign_in(self, email: str, password: str = PASSWORD, **more: str) -> int:
        status, _ = await self.form("/sign-in", {"email": email, "password": password, **more})
        if status == 303:
            status, html = await self.page("/account")
            found = re.search(r'name="csrf" value="([^"]+)"', html)
            assert found is not None
            self.csrf = found[1]
        return status

    async def page(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.http.get(
            self.url + path, headers={"Accept": "text/html", **headers}, allow_redirects=False
        ) as answer:
            self.headers, self.location = answer.headers, answer.headers.get("Location", "")
            return answer.status, await answer.text()

    async def form(self, path: str, fields: Mapping[str, str], **headers: str) -> tuple[int, str]:
        async with self.http.post(
            self.url + path,
            data={"csrf": self.csrf, **fields},
            headers={"Accept": "text/html", "Origin": self.url, **headers},
            allow_redirects=False,
        ) as answer:
            self.headers, self.location = answer.headers, answer.headers.get("Location", "")
            return answer.status, await answer.text()

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """One call of the API; `body` is sent as JSON."""
        said = {"X-CSRF": self.csrf, "Content-Type": "application/json", **headers}
        data = json.dumps(body if body is not None else {}) if method != "GET" else None
        async with self.http.request(method, self.url + path, data=data, headers=said) as answer:
            self.headers = answer.headers
            return answer.status, await answer.json()

    async def get(self, path: str) -> Any:
        status, answer = await self.call("GET", path)
        assert status == 200, answer
        return answer

    async def post(self, path: str, body: Any = None) -> Any:
        status, answer = await self.call("POST", path, body)
        assert status == 200, answer
        return answer

    async def screen(self, **options: Any) -> Screen:
        """A live connection with this browser's cookie."""
        cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in self.http.cookie_jar)
        return await Screen.connect(self.url, {"Cookie": cookies, "Origin": self.url}, **options)


class Screen:
    """One connection of the namespace /desk; `heard` collects what is pushed."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self.heard: list[tuple[str, Any]] = []

    @classmethod
    async def connect(cls, url: str, headers: Mapping[str, str]) -> Screen:
        screen = cls(socketio.AsyncClient(reconnection=False))
        screen.client.on("*", screen._on_any, namespace="/desk")
        await screen.client.connect(url, headers=headers, namespaces=["/desk"], transports=["websocket"])
        return screen

    async def _on_any(self, event: str, data: Any = None) -> None:
        self.heard.append((event, data))

    async def tell(self, event: str, data: Any = None) -> Any:
        return await self.client.call(event, data, namespace="/desk", timeout=10)

    def all(self, event: str) -> list[Any]:
        return [data for name, data in self.heard if name == event]

    async def leave(self) -> None:
        await self.client.disconnect()


class Application:
    def __init__(self, app: web.Application, url: str, db: Database, clock: ManualClock) -> None:
        self.app, self.url, self.db, self.clock = app, url, db, clock
        self.customers = VerbDesk(db, clock, app[keys.ADDRESSINGS])
        self._browsers: list[Browser] = []
        self._screens: list[Screen] = []

    @property
    def desk(self) -> Desk:
        return self.app[keys.DESK]

    def browser(self) -> Browser:
        self._browsers.append(Browser(self.url))
        return self._browsers[-1]

    async def account(self, name: str, role: Role = Role.OPERATOR) -> OperatorId:
        return await self.db.write(
            operators.add,
            email=f"{name.casefold()}@desk.test",
            name=name,
            role=role,
            password_hash=HASHED,
            now=self.clock.now(),
        )

    async def signed_in(self, name: str = "Bea", role: Role = Role.OPERATOR) -> Browser:
        """With a session of their own, without the slow work of checking a password."""
        browser, token, now = self.browser(), new_token(), self.clock.now()
        browser.operator_id = await self.account(name, role)
        await self.db.write(
            sessions.begin, browser.operator_id, token_digest=digest(token), lasts=timedelta(hours=24 * 14), now=now
        )
        browser.http.cookie_jar.update_cookies({COOKIE: token}, URL(self.url))
        browser.csrf = Signer(self.app[keys.SECRET], salt="csrf").get_signature(digest(token)).decode()
        return browser

    async def screen(self, browser: Browser) -> Screen:
        self._screens.append(await browser.screen())
        return self._screens[-1]

    async def told(self) -> None:
        """Everything announced so far has been sent."""
        await self.desk.announcer.settled()

    async def close(self) -> None:
        for screen in self._screens:
            await screen.leave()
        for browser in self._browsers:
            await browser.http.close()


@pytest.fixture
def durable() -> Mapping[type, Sequence[str]]:
    """Without automatic replies, which would write between a test's two looks at a timeline."""
    return {event: [handler for handler in handlers if handler != "autoreply"] for event, handlers in DURABLE.items()}


@pytest.fixture
async def application(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Application]:
    sock = listening_socket("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    config = Config(
        server=ServerTable(url=url, port=sock.getsockname()[1]),
        store=StoreTable(folder=tmp_path),
        security=SecurityTable(upload_mb=1, sign_in_tries_per_minute=8),
        chat=ChatSettings.model_validate(
            {"sites": [{"key": "shop", "name": "Shop", "origins": ["https://shop.example"]}]}
        ),
        email=EmailSettings(
            addresses=(SupportAddress(address="help@desk.test"),),
            keep_folder=tmp_path / "outgoing-mail",
            dns=DnsSettings(nameservers=("127.0.0.1",), port=9, timeout_seconds=0.1),  # nobody answers there
        ),
    )
    app = build(config, clock=clock, db=database)
    runner = await start(app, sock)
    opened = Application(app, url, database, clock)
    yield opened
    await opened.close()
    await runner.cleanup()
