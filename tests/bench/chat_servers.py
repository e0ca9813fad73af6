"""The two servers of the chat benchmark, each run as a process of its own: the real desk, and a bare relay.

`python -m tests.bench.chat_servers desk <folder>` or `… relay <folder>` prints one line with its port when it listens.
The relay is python-socketio on aiohttp as documented, on uvloop, and stores nothing.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import socketio
import uvloop
from aiohttp import web

OPERATORS = 5
PASSWORD = "correct horse battery"
BACKLOG = 4096


def operator_mail(number: int) -> str:
    return f"operator{number}@desk.test"


async def desk(folder: Path) -> None:
    """Everything on: SQLite with synchronous=FULL, timers, outbox, operators' screens, places in the queue."""
    from inbox.clock import SystemClock
    from inbox.people import operators
    from inbox.vocabulary import Presence, Role
    from web import keys
    from web.app import Config, build
    from web.security import hash_password

    limits = dict.fromkeys(
        (
            "messages_per_minute",
            "events_per_minute",
            "connects_per_minute",
            "questions_per_minute",
            "conversations_per_minute",
        ),
        10**9,
    )
    config = Config.model_validate(
        {
            "server": {"port": 0},
            "store": {"url": f"sqlite:///{folder}/desk.sqlite", "folder": folder},
            "security": {"secret": "known to a benchmark", "sign_in_tries_per_minute": 1000},
            "chat": {"sites": [{"key": "shop", "name": "Shop", "origins": ["https://shop.example"]}], **limits},
        }
    )
    clock = SystemClock()
    app = build(config, clock=clock)
    runner = await _listen(app)
    hashed = await hash_password(PASSWORD)
    for number in range(OPERATORS):
        made = await app[keys.DB].write(
            operators.add, email=operator_mail(number), name=f"Operator {number}", password_hash=hashed,
            role=Role.OPERATOR, language="en", now=clock.now(),
        )  # fmt: skip
        await app[keys.DB].write(operators.set_presence, made, Presence.ONLINE, now=clock.now())
    await _run(runner)


async def relay(folder: Path) -> None:
    server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")

    async def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        if isinstance(auth, dict) and auth.get("operator"):
            await server.enter_room(sid, "operators", namespace="/visitor")

    async def message(sid: str, data: dict[str, Any]) -> dict[str, Any]:
        await server.emit("message", data, room="operators", namespace="/visitor")
        return {"ok": True}

    server.on("connect", connect, namespace="/visitor")
    server.on("message", message, namespace="/visitor")
    app = web.Application()
    server.attach(app)
    await _run(await _listen(app))


async def _listen(app: web.Application) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=BACKLOG).start()
    return runner


async def _run(runner: web.AppRunner) -> None:
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until whoever started us ends
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run({"desk": desk, "relay": relay}[sys.argv[1]](Path(sys.argv[2])))
