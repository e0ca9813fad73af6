"""The Engine.IO sessions under the desk's Socket.IO server: frames encoded once, one write to each client.

Compression, which costs each idle browser 100 kB, is refused; who stays silent or reads too slowly is cut off.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import WSMsgType, web
from engineio import AsyncServer as EngineServer
from engineio import exceptions as engine_errors
from engineio import packet as engine
from engineio.async_socket import AsyncSocket

log = structlog.get_logger(__name__)

PONG_WITHIN_SECONDS = 20
MAX_UNSENT_BYTES = 1_000_000
"""A client that has let this much pile up is cut off."""

_HEADERS = {
    name: "HTTP_" + name.upper().replace("-", "_")
    for name in (
        "Host",
        "Origin",
        "Upgrade",
        "Connection",
        "Accept-Encoding",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "Access-Control-Request-Headers",
    )
}


class Encoded:
    """A packet on its way: text for long polling, a whole websocket frame for everybody else, each made once."""

    __slots__ = ("_frame", "text")

    def __init__(self, text: str, kind: int = engine.MESSAGE) -> None:
        self.text = f"{kind}{text}"
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        if self._frame is None:
            payload = self.text.encode("utf-8", "replace")
            size = len(payload)
            if size < 126:
                head = struct.pack("!BB", 0x81, size)
            elif size < 65_536:
                head = struct.pack("!BBH", 0x81, 126, size)
            else:
                head = struct.pack("!BBQ", 0x81, 127, size)
            self._frame = head + payload
        return self._frame


class _Polled(engine.Packet):  # type: ignore[misc]
    """An encoded packet in the queue of a long-polling client."""

    def __init__(self, text: str) -> None:
        super().__init__(engine.MESSAGE, data=text[1:])
        self.encode_cache = text


_PING = Encoded("", engine.PING)
_CLOSE_FRAME = b"\x88\x02" + struct.pack("!H", 1001)


class _Socket(AsyncSocket):  # type: ignore[misc]
    """One Engine.IO session. Over a websocket it writes at once; the queue serves long polling only."""

    closed: bool
    closing: bool
    connected: bool
    upgraded: bool
    _transport: asyncio.Transport | None = None
    _timer: asyncio.TimerHandle | None = None

    def push(self, packet: Encoded) -> None:
        if self._transport is None:
            self.queue.put_nowait(_Polled(packet.text))
            if self.queue.qsize() > 1_000:
                self.hang_up()
            return
        if self._transport.is_closing():
            return
        self._transport.write(packet.frame)
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.info("a client reads too slowly and is cut off")
            self._transport.abort()

    async def send(self, pkt: engine.Packet) -> None:
        if self.closed:
            raise engine_errors.SocketIsClosedError
        self.push(_encoded(pkt))

    def schedule_ping(self) -> None:
        """After a pong (or at the start): the next ping is due."""
        if self.closed or self.closing:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self.server.ping_interval, self._ping)

    def _ping(self) -> None:
        self.push(_PING)
        self._timer = asyncio.get_running_loop().call_later(self.server.ping_timeout, self._silent)

    def _silent(self) -> None:
        self.server.start_background_task(self.close, False, True, self.server.reason.PING_TIMEOUT)

    async def check_ping_timeout(self) -> bool:
        return not self.closed

    async def receive(self, pkt: engine.Packet) -> None:
        """From long polling."""
        if pkt.packet_type == engine.PONG:
            self.schedule_ping()
        elif pkt.packet_type == engine.MESSAGE:
            await self.server.on_text(self.sid, pkt.data)
        elif pkt.packet_type == engine.CLOSE:
            await self.close(wait=False, abort=True, reason=self.server.reason.CLIENT_DISCONNECT)
        else:
            raise engine_errors.UnknownPacketError

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        if self.closed or self.closing:
            return
        self.closing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            await self.server._trigger_event(
                "disconnect", self.sid, reason or self.server.reason.SERVER_DISCONNECT, run_async=False
            )
        finally:
            self.closed = True
            self.server.sockets.pop(self.sid, None)
            self.hang_up()

    def hang_up(self) -> None:
        if self._transport is None:
            self.queue.put_nowait(None)
        elif not self._transport.is_closing():
            self._transport.write(_CLOSE_FRAME)
            self._transport.close()

    async def _upgrade_websocket(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        if self.upgraded or self.upgrading:
            raise OSError("this session has a websocket")
        request: web.Request = environ["aiohttp.request"]
        response = web.WebSocketResponse(compress=False, max_msg_size=self.server.max_http_buffer_size)
        await response.prepare(request)
        if self.connected and not await self._moved_here(response):
            await response.close()
            return response
        self.connected = self.upgraded = True
        self._transport = request.transport
        waiting = []
        while not self.queue.empty():
            waiting.append(self.queue.get_nowait())
        for pkt in waiting:
            if pkt is None or self._transport is None:
                self.hang_up()
            else:
                self.push(_encoded(pkt))
        try:
            await self._listen(response)
        finally:
            await self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        return response

    async def _moved_here(self, response: web.WebSocketResponse) -> bool:
        """A long-polling session moves to the websocket: probe, answer, let the open poll end, wait for the word."""
        self.upgrading = True
        try:
            if (await response.receive(timeout=PONG_WITHIN_SECONDS)).data != f"{engine.PING}probe":
                return False
            await response.send_str(f"{engine.PONG}probe")
            self.queue.put_nowait(engine.Packet(engine.NOOP))
            return bool((await response.receive(timeout=PONG_WITHIN_SECONDS)).data == str(engine.UPGRADE))
        except TimeoutError:
            return False
        finally:
            self.upgrading = False

    async def _listen(self, response: web.WebSocketResponse) -> None:
        while True:
            message = await response.receive()
            if message.type is not WSMsgType.TEXT:  # closed, broken, or binary, which no client of ours sends
                return
            text = message.data
            kind = text[:1]
            if kind == "4":
                try:
                    await self.server.on_text(self.sid, text[1:])
                except engine_errors.UnknownPacketError:
                    return
            elif kind == "3":
                self.schedule_ping()
            elif kind not in ("5", "6"):  # 1: the client closes
                return


def _encoded(pkt: engine.Packet) -> Encoded:
    text = pkt.encode()
    return Encoded(text[1:], int(text[0]))


class Engine(EngineServer):  # type: ignore[misc]
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._async: dict[str, Any] = {**self._async, "translate_request": _environ}

    @property
    def on_text(self) -> Callable[[str, Any], Any]:
        handler: Callable[[str, Any], Any] = self.handlers["message"]
        return handler

    async def _handle_connect(self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None) -> Any:
        sid = self.generate_id()
        socket = self.sockets[sid] = _Socket(self, sid)
        socket.push(
            Encoded(
                engine.Packet.json.dumps(
                    {
                        "sid": sid,
                        "upgrades": self._upgrades(sid, transport),
                        "pingTimeout": int(self.ping_timeout * 1000),
                        "pingInterval": int(self.ping_interval * 1000),
                        "maxPayload": self.max_http_buffer_size,
                    }
                ),
                engine.OPEN,
            )
        )
        await self._trigger_event("connect", sid, environ, run_async=False)
        socket.schedule_ping()
        if transport == "websocket":
            try:
                return await socket.handle_get_request(environ)
            finally:
                self.sockets.pop(sid, None)
        socket.connected = True
        try:
            return self._ok(await socket.poll(), jsonp_index=jsonp_index)
        except engine_errors.QueueEmpty:
            return self._bad_request()


def _environ(request: web.Request) -> dict[str, Any]:
    """What the protocol and the namespaces read of a request; kept for as long as the connection lives."""
    environ: dict[str, Any] = {
        "wsgi.input": request.content,
        "wsgi.url_scheme": request.scheme,
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
        "PATH_INFO": request.path,
        "aiohttp.request": request,
    }
    for name, key in _HEADERS.items():
        if name in request.headers:
            environ[key] = request.headers[name]
    if request.content_length is not None:
        environ["CONTENT_LENGTH"] = str(request.content_length)
    return environ
