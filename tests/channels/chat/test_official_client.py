"""The official JavaScript client, unchanged: it connects, writes, loses its line, comes back, doubles nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from inbox.store.database import Database
from tests.channels.chat.desk import SHOP, ChatDesk
from tests.support.processes import program

SCRIPT = Path(__file__).with_name("official_client.mjs")


async def test_the_official_client_works_and_its_messages_are_stored_once(desk: ChatDesk, database: Database) -> None:
    mia = await desk.operator()
    node = program("node", "nodejs")
    process = await asyncio.create_subprocess_exec(
        node, str(SCRIPT), desk.url, SHOP, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None

    async def line() -> dict[str, object]:
        assert process.stdout is not None
        raw = await asyncio.wait_for(process.stdout.readline(), 20)
        assert raw, "the client ended"
        said: dict[str, object] = json.loads(raw)
        return said

    asked = await line()
    assert asked["step"] == "asked"
    conversation = asked["conversation"]
    # The line is cut under the client; meanwhile it writes twice, and the desk answers.
    desk.server.hang_up()
    await desk.reply(conversation, mia, "While you were away.")  # type: ignore[arg-type]
    process.stdin.write(b"lost\n")
    resumed = await line()
    assert resumed == {"step": "resumed", "missed": ["While you were away."], "reconnected": True}
    assert await desk.texts(conversation) == [  # type: ignore[arg-type]
        "Where is my tent?",
        "While you were away.",
        "Written without a line",
        "And once more",
    ]
    process.stdin.write(b"end\n")
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_the_official_client_works_where_websockets_are_blocked_and_upgrades_where_not(desk: ChatDesk) -> None:
    node = program("node", "nodejs")
    for transports in ("polling", "polling,websocket", "websocket"):
        process = await asyncio.create_subprocess_exec(
            node, str(SCRIPT), desk.url, SHOP, transports, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        said = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        assert said == {"step": "through", "transport": transports.split(",")[-1], "ok": True}
        assert await asyncio.wait_for(process.wait(), 10) == 0
