"""Ctrl-C with open sockets: quick, clean, nothing acknowledged is lost. And how the program says it is well."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import aiohttp
import socketio

from inbox.clock import SystemClock
from inbox.people import operators
from inbox.store.database import open_database
from inbox.vocabulary import Role
from tests.support.conditions import eventually
from tests.support.program import Operator, Program, rows_of
from tests.web.conftest import Application
from web import keys


async def test_ctrl_c_with_open_sockets_ends_within_two_seconds_and_keeps_what_was_said(
    tmp_path: Path, sqlite_url: str
) -> None:
    program = Program(tmp_path, sqlite_url)
    await program.add_account("bea@desk.test", "Bea", Role.OPERATOR, SystemClock().now())
    await program.start()
    operator = await Operator.sign_in(program, "bea@desk.test")
    visitors = [await program.visitor() for _ in range(5)]
    screen = socketio.AsyncClient(reconnection=False)
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in operator._http.cookie_jar)
    await screen.connect(program.url, headers={"Cookie": cookies}, namespaces=["/desk"], transports=["websocket"])
    slow = asyncio.create_task(_slow_request(program.url))
    answers = await asyncio.gather(
        *(visitor.say(f"number {n}", f"client-id-{n}") for n, visitor in enumerate(visitors))
    )
    assert all(answer["ok"] for answer in answers)
    began = time.monotonic()
    status = await program.stop()
    assert time.monotonic() - began < 2 + 2 * _load()
    assert status == 0
    said = rows_of(sqlite_url.removeprefix("sqlite:///"), "SELECT text FROM entries WHERE kind = 'message'")
    assert sorted(text for (text,) in said) == [f"number {n}" for n in range(5)]
    assert "Traceback" not in program.log.read_text()
    await asyncio.gather(slow, return_exceptions=True)
    for visitor in visitors:
        await visitor.leave()
    await screen.disconnect()
    await operator.leave()


def _load() -> float:
    """Seconds to add where other programs hold the processors."""
    return max(0.0, os.getloadavg()[0] / (os.cpu_count() or 1) - 1)


async def _slow_request(url: str) -> None:
    """A client that keeps a connection open and sends nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
    try:
        await reader.read()
    finally:
        writer.close()


async def test_the_log_holds_no_secrets(tmp_path: Path, sqlite_url: str) -> None:
    program = Program(tmp_path, sqlite_url)
    await program.add_account("bea@desk.test", "Bea", Role.OPERATOR, SystemClock().now())
    await program.start()
    operator = await Operator.sign_in(program, "bea@desk.test")
    async with aiohttp.ClientSession() as http:
        await http.post(f"{program.url}/sign-in", data={"email": "bea@desk.test", "password": "hunter2 hunter2"})
        await http.post(f"{program.url}/hooks/phone/pbx", data="{}", headers={"Authorization": "Bearer hunter2"})
    [cookie] = [cookie.value for cookie in operator._http.cookie_jar]
    await operator.leave()
    await program.stop()
    log = program.log.read_text()
    assert "the desk is open" in log
    for secret in ("hunter2", "nothing but a test knows", "a-secret-of-the-telephone", cookie):
        assert secret not in log


async def test_health_names_a_loop_that_crashed(application: Application) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{application.url}/health") as answer:
            assert answer.status == 200
            assert {"timers", "delivery", "autoreply", "presence"} <= (await answer.json())["workers"].keys()
        again = asyncio.Event()
        crashes = 0

        async def loop() -> None:
            nonlocal crashes
            crashes += 1
            if crashes == 1:
                raise RuntimeError("a fault")
            again.set()
            await asyncio.Event().wait()

        workers = application.app[keys.WORKERS]
        workers.start("fragile", loop)

        async def crashed() -> bool:
            return workers.states["fragile"].crashes > 0

        await eventually(crashed)
        async with http.get(f"{application.url}/health") as answer:
            assert answer.status == 503
            assert (await answer.json())["workers"]["fragile"]["crashes"] == 1
        application.clock.set(application.clock.now().replace(minute=1))
        await asyncio.wait_for(again.wait(), 10)
        async with http.get(f"{application.url}/health") as answer:
            assert answer.status == 200


async def test_a_new_desk_has_opening_hours_from_its_first_start(tmp_path: Path) -> None:
    program = Program(tmp_path, f"sqlite:///{tmp_path / 'new.sqlite'}")
    await program.start()
    await program.stop()
    db = open_database(program.store_url, now=SystemClock().now, durable={})
    assert await db.read(operators.accounts) == []
    await db.close()
    assert rows_of(str(tmp_path / "new.sqlite"), "SELECT zone FROM calendars") == [("Europe/Helsinki",)]
    assert (tmp_path / "data" / "secret").exists() is False  # the configuration has one
