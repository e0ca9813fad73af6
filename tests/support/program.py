"""The whole desk as its own process, started as a customer starts it, killed as power cuts kill it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import socketio

from channels.phone.signature import sign
from inbox.people import operators
from inbox.store.database import Database, open_database
from inbox.vocabulary import Role
from tests.support.conditions import eventually
from tests.support.processes import free_port
from web.security import hash_password

READY_SECONDS = 20
PASSWORD = "correct horse battery"
HOOK_SECRET = "a-secret-of-the-telephone-system"
SHOP = "https://shop.example"


class Program:
    """`vuoro serve` with all three channels on free ports. `start` may be called again after `kill`."""

    def __init__(
        self,
        folder: Path,
        store_url: str,
        *,
        outgoing_port: int | None = None,
        redis_url: str = "",
        mailbox: tuple[int, str, str] | None = None,
    ) -> None:
        """`mailbox`: port, user and password of one on this machine that is watched over IMAP."""
        self.folder, self.store_url = folder, store_url
        self.port, self.smtp_port, self.lmtp_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "desk.log"
        self._process: subprocess.Popen[bytes] | None = None
        outgoing = (
            f'[email.outgoing]\nhost = "127.0.0.1"\nport = {outgoing_port}\ntls = "none"\n' if outgoing_port else ""
        )
        imap = (
            '[[email.mailboxes]]\nname = "support"\nhost = "127.0.0.1"\nport = {}\ntls = "none"\n'
            'username = "{}"\npassword = {{ value = "{}" }}\n'.format(*mailbox)
            if mailbox
            else ""
        )
        self.config = folder / "config.toml"
        self.config.write_text(f"""
[server]
port = {self.port}
url = "{self.url}"

[store]
url = "{store_url}"
folder = "{folder / "data"}"
redis = "{redis_url}"

[security]
secret = "nothing but a test knows this secret"

[[chat.sites]]
key = "shop"
name = "Shop"
origins = ["{SHOP}"]

[email]
keep_folder = "{folder / "kept"}"
addresses = [{{ address = "help@desk.test", name = "Help" }}]

[email.listener]
smtp_port = {self.smtp_port}
lmtp_port = {self.lmtp_port}

{outgoing}

{imap}

[[phone.sources]]
name = "pbx"
secret = "{HOOK_SECRET}"
default_country = "FI"
""")

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "web.cli", "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        async with aiohttp.ClientSession() as http:
            for _ in range(READY_SECONDS * 20):
                if self._process.poll() is not None:
                    raise RuntimeError(f"the desk ended at its start:\n{self.log.read_text()}")
                try:
                    async with http.get(f"{self.url}/ready") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        raise RuntimeError(f"the desk was not ready after {READY_SECONDS} s:\n{self.log.read_text()}")

    def kill(self) -> None:
        """As `kill -9` does: nothing is finished, nothing is flushed."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    async def stop(self, seconds: float = 10) -> int:
        """As Ctrl-C does; the exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGINT)
        status = await asyncio.to_thread(self._process.wait, seconds)
        self._process = None
        return status

    def open_store(self, now: datetime) -> Database:
        """The desk's database, from outside."""
        return open_database(self.store_url, now=lambda: now, durable={})

    async def add_account(self, email: str, name: str, role: Role, now: datetime) -> None:
        db = self.open_store(now)
        try:
            await db.write(
                operators.add,
                email=email,
                name=name,
                password_hash=await hash_password(PASSWORD),
                role=role,
                language="en",
                now=now,
            )
        finally:
            await db.close()

    # --- the outside world ------------------------------------------------------------------------------------------

    async def visitor(self, token: str | None = None) -> Visitor:
        return await Visitor.connect(self, token)

    async def operator(self, email: str) -> Operator:
        return await Operator.sign_in(self, email)

    async def send_mail(self, mail: EmailMessage, *, port: int | None = None) -> None:
        """Returns when the desk has answered 250. Raises aiosmtplib's errors."""
        await aiosmtplib.send(mail, hostname="127.0.0.1", port=port or self.smtp_port, start_tls=False, timeout=10)

    async def report_call(self, event: Mapping[str, Any], *, at: datetime, secret: str = HOOK_SECRET) -> int:
        """Post a signed call event; the status of the answer."""
        body = json.dumps(event).encode()
        headers = {"Content-Type": "application/json", "X-Signature": sign(secret, body, now=at)}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/hooks/phone/pbx", data=body, headers=headers) as answer,
        ):
            return answer.status


class Visitor:
    """A customer at the chat widget, over a real socket."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self._client = client
        self.token: str | None = None
        self.received: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    @classmethod
    async def connect(cls, program: Program, token: str | None) -> Visitor:
        client = socketio.AsyncClient(reconnection=False)
        visitor = cls(client)
        welcomed = asyncio.get_running_loop().create_future()

        def on_welcome(data: dict[str, Any]) -> None:
            if not welcomed.done():
                welcomed.set_result(data)

        def on_entry(data: dict[str, Any]) -> None:
            visitor.received.append(data)
            visitor._news.set()

        client.on("welcome", on_welcome, namespace="/visitor")
        client.on("entry", on_entry, namespace="/visitor")
        await client.connect(
            program.url,
            headers={"Origin": SHOP},
            auth={"site": "shop", "token": token, "language": "en", "page": "/"},
            namespaces=["/visitor"],
            transports=["websocket"],
        )
        visitor.token = (await asyncio.wait_for(welcomed, 10))["token"]
        return visitor

    async def say(self, text: str, client_id: str) -> dict[str, Any]:
        """Returns the acknowledgement. Raises when the line breaks first."""
        answer: dict[str, Any] = await self._client.call(
            "message", {"id": client_id, "text": text}, namespace="/visitor", timeout=10
        )
        return answer

    async def hears(self, text: str, seconds: float = 10) -> dict[str, Any]:
        """The entry with this text, as soon as it is there."""
        async with asyncio.timeout(seconds):
            while True:
                for entry in self.received:
                    if entry["text"] == text:
                        return entry
                self._news.clear()
                await self._news.wait()

    async def leave(self) -> None:
        await self._client.disconnect()


class Operator:
    """Somebody signed in, speaking to the desk's own API."""

    def __init__(self, http: aiohttp.ClientSession, url: str, csrf: str, page: Mapping[str, Any]) -> None:
        self._http, self._url, self._csrf = http, url, csrf
        self.id = int(page["operator"]["id"])

    @classmethod
    async def sign_in(cls, program: Program, email: str) -> Operator:
        http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        async with http.get(f"{program.url}/sign-in") as answer:
            form = await answer.text()
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        async with http.post(
            f"{program.url}/sign-in",
            data={**fields, "email": email, "password": PASSWORD},
            headers={"Origin": program.url},
        ) as answer:
            assert answer.status == 200, await answer.text()
        async with http.get(f"{program.url}/inbox") as answer:
            html = await answer.text()
        found = re.search(r'<script type="application/json" id="page">(.*?)</script>', html, re.DOTALL)
        assert found is not None, html[:2000]
        page = json.loads(found[1])
        return cls(http, program.url, page["csrf"], page)

    async def get(self, path: str) -> Any:
        async with self._http.get(self._url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Mapping[str, Any] | None = None, *, status: int = 200) -> Any:
        async with self._http.post(
            self._url + path, json=body or {}, headers={"X-CSRF": self._csrf, "Origin": self._url}
        ) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def queue(self) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = (await self.get("/api/queue?view=all"))["rows"]
        return rows

    async def waits_until(self, rows: int, seconds: float = 15) -> Sequence[Mapping[str, Any]]:
        """The open conversations, as soon as there are so many."""

        async def enough() -> Sequence[Mapping[str, Any]]:
            found = await self.queue()
            return found if len(found) >= rows else []

        return await eventually(enough, seconds=seconds)

    async def conversation(self, conversation_id: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = await self.get(f"/api/conversations/{conversation_id}")
        return found

    async def reply(self, conversation_id: int, text: str, key: str, **more: Any) -> Mapping[str, Any]:
        opened = await self.conversation(conversation_id)
        written: Mapping[str, Any] = await self.post(
            f"/api/conversations/{conversation_id}/reply",
            {"text": text, "key": key, "seen": opened["row"]["last_number"], **more},
        )
        return written

    async def screen(self) -> Watched:
        """The live line of this operator's screen."""
        cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in self._http.cookie_jar)
        return await Watched.connect(self._url, {"Cookie": cookies, "Origin": self._url})

    async def leave(self) -> None:
        await self._http.close()


class Watched:
    """An operator's screen: the rows of the queue as they are pushed."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self._client = client
        self._subjects: dict[str, asyncio.Future[float]] = {}

    @classmethod
    async def connect(cls, url: str, headers: Mapping[str, str]) -> Watched:
        screen = cls(socketio.AsyncClient(reconnection=False))
        screen._client.on("rows", screen._on_rows, namespace="/desk")
        await screen._client.connect(url, headers=headers, namespaces=["/desk"], transports=["websocket"])
        await screen._client.call("hello", {"version_of_client": "test"}, namespace="/desk", timeout=10)
        return screen

    def awaits(self, subject: str) -> asyncio.Future[float]:
        """When (on the loop's clock) a row with this subject is pushed."""
        return self._subjects.setdefault(subject, asyncio.get_running_loop().create_future())

    def _on_rows(self, data: Mapping[str, Any]) -> None:
        for row in data["rows"]:
            seen = self.awaits(str(row["subject"]))
            if not seen.done():
                seen.set_result(asyncio.get_running_loop().time())

    async def leave(self) -> None:
        await self._client.disconnect()


def rows_of(path: str, sql: str) -> list[Any]:
    """Read a SQLite file of a desk that does not run."""
    with sqlite3.connect(path) as conn:
        return conn.execute(sql).fetchall()
