"""Chat: durable messages of the real desk beside a bare relay that stores nothing, interleaved in one run.

200 visitors, one unacknowledged message each; 5 operators with the queue open. The desk's acknowledgement comes after
its commit with `synchronous=FULL`. Delivery is from sending to an operator's screen. Servers run as processes of their
own; the load comes from this one, over plain websockets.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import aiohttp
import psutil

from tests.bench.chat_servers import OPERATORS, PASSWORD, operator_mail

VISITORS = 200
IDLE = 400
ROUNDS = 3
SECONDS = 4.0
PACED_PER_SECOND = 200
TEXT = "Where is the tent that I ordered last week, order number 10442, please? Thank you!"

Row = tuple[str, float, float, float]
"""What was measured, ours, the reference, ours divided by the reference."""

ROOT = Path(__file__).parents[2]


@dataclass
class Server:
    kind: str
    url: str
    process: psutil.Process
    visitors: list[Socket] = field(default_factory=list)
    sent: dict[Any, float] = field(default_factory=dict)  # what identifies a message on operators' screens → when sent
    delivered: list[float] = field(default_factory=list)

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


class Socket:
    """One Socket.IO client by hand: enough protocol to connect, ask and hear."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, namespace: str) -> None:
        self.ws, self.namespace = ws, namespace
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self.on_event: Callable[[str, Any], None] = lambda name, data: None
        self._reader: asyncio.Task[None] | None = None
        self.conversation = 0

    @classmethod
    async def connect(
        cls, http: aiohttp.ClientSession, url: str, namespace: str, auth: Any, *, cookie: str = "", compress: int = 0
    ) -> Socket:
        headers = {"Cookie": cookie} if cookie else {}
        ws = await http.ws_connect(
            f"{url}/socket.io/?EIO=4&transport=websocket", headers=headers, compress=compress, max_msg_size=0
        )
        await ws.receive_str()
        await ws.send_str(f"40{namespace},{json.dumps(auth)}")
        answer = await ws.receive_str()
        if not answer.startswith(f"40{namespace}"):
            raise RuntimeError(answer)
        socket = cls(ws, namespace)
        socket._reader = asyncio.create_task(socket._read())
        return socket

    async def _read(self) -> None:
        skip = len(self.namespace) + 3
        async for message in self.ws:
            text: str = message.data
            if text == "2":
                await self.ws.send_str("3")
            elif text[:2] == "43":
                start = text.index("[")
                asked = self._asked.pop(int(text[skip:start]), None)
                if asked is not None and not asked.done():
                    asked.set_result(text[start:])
            elif text[:2] == "42":
                name, *data = json.loads(text[skip:])
                self.on_event(name, data[0] if data else None)

    async def ask(self, event: str, data: Any) -> str:
        """The answer as JSON text."""
        self._count += 1
        asked = self._asked[self._count] = asyncio.get_running_loop().create_future()
        await self.ws.send_str(f"42{self.namespace},{self._count}{json.dumps([event, data])}")
        answer: str = await asyncio.wait_for(asked, 30)
        return answer

    async def close(self) -> None:
        await self.ws.close()
        if self._reader is not None:
            await self._reader


@asynccontextmanager
async def running(kind: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    with tempfile.TemporaryDirectory(prefix="vuoro-bench-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.chat_servers", kind, folder],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            port = ""
            while not port.strip().isdigit():  # log lines may come first
                port = (await asyncio.to_thread(process.stdout.readline)).decode()
                if not port:
                    raise RuntimeError(f"the {kind} did not start")
            drain = asyncio.create_task(asyncio.to_thread(process.stdout.read))
            yield f"http://127.0.0.1:{int(port)}", psutil.Process(process.pid)
            process.stdin.close()
            await drain
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


async def _operator(http: aiohttp.ClientSession, server: Server, number: int) -> None:
    if server.kind == "relay":
        socket = await Socket.connect(http, server.url, "/visitor", {"operator": True})
        socket.on_event = lambda name, data: _arrived(server, data["id"])
        return
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(f"{server.url}/sign-in") as page:
            hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', await page.text()))
        form = {**hidden, "email": operator_mail(number), "password": PASSWORD}
        async with browser.post(f"{server.url}/sign-in", data=form, headers={"Origin": server.url}) as page:
            page.raise_for_status()
        cookie = "; ".join(f"{c.key}={c.value}" for c in browser.cookie_jar)
    socket = await Socket.connect(http, server.url, "/desk", {}, cookie=cookie)

    def hear(name: str, data: Any) -> None:
        if name == "rows":
            for row in data["rows"]:
                for key in [k for k in server.sent if k[0] == row["id"] and k[1] <= row["last_number"]]:
                    _arrived(server, key)

    socket.on_event = hear
    await socket.ask("hello", {"version_of_client": "bench"})


def _arrived(server: Server, key: Any) -> None:
    """The first screen counts, as the others come in the same breath."""
    sent = server.sent.pop(key, None)
    if sent is not None:
        server.delivered.append(perf_counter() - sent)


async def _say(server: Server, visitor: Socket, *, watched: bool) -> None:
    key = uuid4().hex
    begin = perf_counter()
    if watched and server.kind == "relay":
        server.sent[key] = begin
    answer = await visitor.ask("message", {"id": key, "text": TEXT})
    if '"ok":true' not in answer:
        raise RuntimeError(answer)
    if watched and server.kind == "desk":
        said = json.loads(answer)[0]
        server.sent[(said["conversation"], said["number"])] = begin


async def _flat_out(server: Server, seconds: float) -> tuple[float, float]:
    """Acknowledged messages per second, and the server's CPU seconds for each."""
    done = 0
    until = perf_counter() + seconds

    async def write(visitor: Socket) -> None:
        nonlocal done
        while perf_counter() < until:
            await _say(server, visitor, watched=False)
            done += 1

    cpu, begin = server.cpu_s(), perf_counter()
    await asyncio.gather(*(write(visitor) for visitor in server.visitors))
    took = perf_counter() - begin
    return done / took, (server.cpu_s() - cpu) / done


async def _settled(server: Server) -> None:
    """Return when the server has done what followed from the first messages: waits, automatic replies, screens."""
    for _ in range(60):
        cpu = server.cpu_s()
        await asyncio.sleep(0.5)
        if server.cpu_s() - cpu < 0.05:
            return


async def _paced(server: Server, seconds: float) -> None:
    server.sent.clear()
    begin, said = perf_counter(), []
    for number in range(int(seconds * PACED_PER_SECOND)):
        await asyncio.sleep(max(0, begin + number / PACED_PER_SECOND - perf_counter()))
        visitor = server.visitors[number % len(server.visitors)]
        said.append(asyncio.create_task(_say(server, visitor, watched=True)))
    await asyncio.gather(*said)
    for _ in range(100):
        if not server.sent:
            return
        await asyncio.sleep(0.02)


async def _idle_kb(http: aiohttp.ClientSession, server: Server) -> float:
    """Resident memory for each idle visitor who connects as a browser does, offering compression."""
    warm = [await _visitor(http, server, compress=15) for _ in range(50)]
    before = server.process.memory_info().rss
    idle = [await _visitor(http, server, compress=15) for _ in range(IDLE)]
    await asyncio.sleep(0.5)
    grown = server.process.memory_info().rss - before
    for socket in warm + idle:
        await socket.close()
    return float(grown) / IDLE / 1000


async def _visitor(http: aiohttp.ClientSession, server: Server, *, compress: int = 0) -> Socket:
    return await Socket.connect(http, server.url, "/visitor", {"site": "shop", "token": None}, compress=compress)


async def bench(*, rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Row]:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        servers: list[Server] = []
        memory: list[float] = []
        for kind in ("desk", "relay"):
            url, process = await stack.enter_async_context(running(kind))
            server = Server(kind, url, process)
            memory.append(await _idle_kb(http, server))
            for number in range(OPERATORS):
                await _operator(http, server, number)
            server.visitors = [await _visitor(http, server) for _ in range(VISITORS)]
            await _flat_out(server, 1)
            await _settled(server)
            servers.append(server)
        rates: dict[str, list[float]] = {"desk": [], "relay": []}
        cpus: dict[str, list[float]] = {"desk": [], "relay": []}
        for _ in range(rounds):
            for server in servers:
                rate, cpu = await _flat_out(server, seconds)
                rates[server.kind].append(rate)
                cpus[server.kind].append(cpu)
            for server in servers:
                await _paced(server, seconds / 2)
    rows: list[Row] = []
    for name, values, scale in (("messages/s", rates, 1.0), ("CPU µs each", cpus, 1e6)):
        ours, theirs = (statistics.median(values[kind]) * scale for kind in ("desk", "relay"))
        rows.append((f"chat, durable and acknowledged, {name}", ours, theirs, ours / theirs))
    for percent in (50, 99):
        ours, theirs = (statistics.quantiles(server.delivered, n=100)[percent - 1] * 1e3 for server in servers)
        rows.append((f"chat, visitor to operator's queue, p{percent} ms", ours, theirs, ours / theirs))
    rows.append(("chat, memory of an idle visitor, kB", memory[0], memory[1], memory[0] / memory[1]))
    return rows


if __name__ == "__main__":
    for name, ours, theirs, ratio in asyncio.run(bench()):
        sys.stdout.write(f"{name:50} {ours:12.2f} {theirs:12.2f} {ratio:8.2f}\n")
