"""The socket server: what a browser offers and gets, slow readers, silent clients, leaving cheaply."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.channels.chat.desk import SHOP, ChatDesk
from tests.support.conditions import eventually
from web import realtime, realtime_sessions
from web.realtime_rooms import OwnRooms

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


async def test_compression_is_refused_although_browsers_offer_it(desk: ChatDesk) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(desk.url + WEBSOCKET, compress=15, headers={"Origin": SHOP}) as socket:
            assert not socket.compress
            await socket.receive_str()
            await socket.send_str('40/visitor,{"site":"shop"}')
            assert (await socket.receive_str()).startswith("40/visitor")
            assert (await socket.receive_str()).startswith('42/visitor,["welcome"')


async def test_a_client_that_stops_answering_is_let_go(desk: ChatDesk) -> None:
    desk.server.eio.ping_interval = desk.server.eio.ping_timeout = 0.05
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(desk.url + WEBSOCKET, headers={"Origin": SHOP}) as socket:
            await socket.receive_str()
            assert await socket.receive_str() == "2"
            await socket.send_str("3")
            assert await socket.receive_str() == "2"
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    assert desk.server.eio.sockets == {}


async def test_a_client_that_reads_too_slowly_is_cut_off(desk: ChatDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = await desk.visitor()
    monkeypatch.setattr(realtime_sessions, "MAX_UNSENT_BYTES", 10_000)
    reader, writer = await asyncio.open_connection(*desk.url.removeprefix("http://").split(":"), limit=1_000)
    writer.write(
        f"GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await reader.readuntil(b'"sid"')
    deaf = next(iter(set(desk.server.eio.sockets) - {quick.client.eio.sid}))
    for _ in range(200):  # more than the kernel holds for somebody who does not read
        desk.server.push(deaf, realtime_sessions.Encoded("x" * 100_000))
        await asyncio.sleep(0)

    async def cut_off() -> bool:
        return deaf not in desk.server.eio.sockets

    await eventually(cut_off)
    writer.close()
    assert (await quick.say("Undisturbed"))["ok"]


async def test_leaving_touches_only_the_rooms_one_was_in() -> None:
    rooms = OwnRooms()

    class Ids:
        count = 0

        def generate_id(self) -> str:
            self.count += 1
            return f"sid{self.count}"

    class Server:
        eio = Ids()
        packet_class = realtime._JsonPacket

    rooms.set_server(Server())
    sids = [str(await rooms.pre_connect(f"eio{n}", "/visitor")) for n in range(3)]
    for sid in sids:
        await rooms.connect(sid, "/visitor")
        await rooms.enter_room(sid, "/visitor", "all")
    await rooms.enter_room(sids[0], "/visitor", "own")
    assert sorted(rooms.get_rooms(sids[0], "/visitor")) == ["all", "own", sids[0]]
    assert await rooms.pre_connect("eio0", "/visitor") is None
    await rooms.disconnect(sids[0], "/visitor")
    assert [sid for sid, _ in rooms.get_participants("/visitor", "all")] == sids[1:]
    assert list(rooms.get_participants("/visitor", "own")) == []
    assert [sid for sid, _ in rooms.get_participants("/visitor", sids[1])] == [sids[1]]
    assert [sid for sid, _ in rooms.get_participants("/visitor", ["all", sids[1]])] == sids[1:]
    assert not rooms.is_connected(sids[0], "/visitor")
    with pytest.raises(ValueError, match="not connected"):
        await rooms.enter_room(sids[0], "/visitor", "all")
    await rooms.close_room("all", "/visitor")
    assert rooms.members("/visitor", "all") == 0


async def test_stopping_with_open_lines_takes_no_time(desk: ChatDesk) -> None:
    for _ in range(5):
        await desk.visitor()
    async with asyncio.timeout(2):
        await desk.stop()
    assert desk.chat.namespace.connected == {}
