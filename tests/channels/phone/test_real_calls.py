"""Real telephone calls over SIP: Kamailio is the exchange, SIPp the caller and the operator's telephone."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from channels.phone.channel import phone_channel
from channels.phone.settings import PhoneSettings, PhoneSource
from inbox import queue
from inbox.clock import SystemClock
from inbox.queue import QueueRow, View
from inbox.store.database import Database, open_database
from inbox.vocabulary import OperatorId
from tests.inbox.calling import calls
from tests.support.conditions import eventually
from tests.support.processes import Server, free_port, own_folder, program

SCENARIOS = Path(__file__).parent / "sip"
TOKEN = "a-token-of-the-exchange"
RINGS_MS = 1500
OPTIONS = (
    "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK1\r\nMax-Forwards: 1\r\n"
    "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class Sip:
    """An exchange on ports of its own, which reports every call to `hook`."""

    def __init__(self, hook: str) -> None:
        self.port, self.operator_port, self.caller_port = free_port(), free_port(), free_port()
        self.folder = own_folder("sip")
        config = (SCENARIOS / "exchange.cfg").read_text()
        for name, value in (
            ("SIP", self.port),
            ("OPERATOR", self.operator_port),
            ("RING", RINGS_MS),
            ("HOOK", hook),
            ("TOKEN", TOKEN),
        ):
            config = config.replace(f"@{name}@", str(value))
        path = self.folder / "exchange.cfg"
        path.write_text(config)
        kamailio = program("kamailio", "kamailio kamailio-utils-modules")
        pid, here = str(self.folder / "pid"), str(self.folder)
        self.server = Server("kamailio", [kamailio, "-DD", "-E", "-f", str(path), "-P", pid, "-Y", here], self.folder)
        self.server.start(self._answers)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(0.3)
            line.bind(("127.0.0.1", 0))
            line.sendto(OPTIONS.format(port=line.getsockname()[1]).encode(), ("127.0.0.1", self.port))
            try:
                return line.recv(4096).startswith(b"SIP/2.0 405")
            except OSError:
                return False

    @asynccontextmanager
    async def operator(self, scenario: str) -> AsyncIterator[None]:
        """The operator's telephone, for one call."""
        telephone = await self._sipp(self.operator_port, "-sf", str(SCENARIOS / f"{scenario}.xml"))
        try:
            await eventually(partial(_is_bound, self.operator_port))
            yield
            await telephone.wait()
        finally:
            if telephone.returncode is None:
                telephone.kill()
                await telephone.wait()

    async def call(self, *scenario: str) -> int:
        """Place one call; what SIPp says of it: 0 as the scenario wants, 1 otherwise."""
        caller = await self._sipp(self.caller_port, *scenario, "-s", "100", f"127.0.0.1:{self.port}", "-timeout", "12s")
        return await caller.wait()

    async def _sipp(self, port: int, *what: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            program("sipp", "sip-tester"),
            *what,
            *("-i", "127.0.0.1", "-p", str(port), "-m", "1", "-nostdin"),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    def remove(self) -> None:
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


async def _is_bound(port: int) -> bool:
    """Whether somebody listens on this UDP port."""
    return f":{port:04X} " in Path("/proc/net/udp").read_text()


@pytest.fixture
async def desk(sqlite_url: str) -> AsyncIterator[Database]:
    """Kamailio's times are the machine's: so are this desk's."""
    db = open_database(sqlite_url, now=SystemClock().now, durable={})
    yield db
    await db.close()


@pytest.fixture
async def sip(desk: Database) -> AsyncIterator[Sip]:
    settings = PhoneSettings(sources=(PhoneSource(name="kamailio", token=SecretStr(TOKEN)),))
    channel = phone_channel(desk, SystemClock(), settings)
    app = web.Application()
    app.add_routes(channel.routes)
    for announce in channel.announce:
        desk.on_commit(announce)
    async with AsyncExitStack() as stack:
        for background in channel.background:
            await stack.enter_async_context(background())
        server = TestServer(app)
        await server.start_server()
        stack.push_async_callback(server.close)
        exchange = await asyncio.to_thread(Sip, f"http://127.0.0.1:{server.port}/hooks/phone/kamailio")
        stack.callback(exchange.remove)
        yield exchange


async def waiting(desk: Database, number: int) -> list[QueueRow]:
    """Everybody who waits, once that is `number` people."""
    rows = (await desk.read(queue.page, View.WAITING, OperatorId(0))).rows
    return list(rows) if len(rows) == number else []


async def outcomes(desk: Database, number: int) -> list[str]:
    async def reported() -> list[Any]:
        found = await desk.read(calls)
        return found if len(found) == number else []

    return [call.outcome for call in await eventually(reported)]


async def test_calls_through_a_real_exchange_wait_until_somebody_answers(desk: Database, sip: Sip) -> None:
    async with sip.operator("operator_rings"):
        assert await sip.call("-sf", str(SCENARIOS / "gives_up.xml")) == 0
    assert await outcomes(desk, 1) == ["canceled"]
    [row] = await eventually(partial(waiting, desk, 1))
    assert (row.subject, row.callback) == ("+358 40 1234567", None)  # given up at once: owed no call by itself

    assert await sip.call("-sn", "uac") == 1  # nobody picks up; the caller is called sipp
    assert await outcomes(desk, 2) == ["canceled", "no_answer"]
    rows = await eventually(partial(waiting, desk, 2))
    assert {one.subject for one in rows} == {"+358 40 1234567", "sipp"}

    async with sip.operator("operator_answers"):
        assert await sip.call("-sf", str(SCENARIOS / "talks.xml")) == 0
    assert await outcomes(desk, 3) == ["canceled", "no_answer", "answered"]
    [left] = await eventually(partial(waiting, desk, 1))
    assert left.subject == "sipp"
    answered = (await desk.read(calls))[-1]
    assert answered.ended_at - answered.started_at >= timedelta(seconds=1)
