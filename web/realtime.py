"""The Socket.IO server of the desk: python-socketio's protocol and interfaces with cheaper insides.

What differs from the stock server, and why (measured in tests/bench): a packet is encoded once and its frame written
to every recipient at once instead of by one task each; a client that leaves costs its own rooms and not everybody's;
compression, which costs each idle browser 100 kB, is refused; payloads are JSON only, so nothing searches them for
binary parts; events of one connection are handled one after the other, which also keeps a customer's messages in
order. The socket is only a hint: whoever reads too slowly is cut off and resumes from the database.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

import socketio
import structlog
from aiohttp import WSMsgType, web
from engineio import AsyncServer as EngineServer
from engineio import exceptions as engine_errors
from engineio import packet as engine
from engineio.async_socket import AsyncSocket
from socketio import packet as protocol
from socketio.async_manager import AsyncManager

log = structlog.get_logger(__name__)

PATH = "socket.io"
PING_EVERY_SECONDS = 25
PONG_WITHIN_SECONDS = 20
MAX_PACKET_BYTES = 200_000
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


def make_server(
    *,
    redis_url: str | None = None,
    foreign_origins: Collection[str] = (),
    foreign_namespaces: Collection[str] = ("/visitor",),
) -> DeskServer:
    """`foreign_origins` may reach the server at all, and then only `foreign_namespaces`; all else is same origin.

    With `redis_url` several processes share rooms.
    """
    manager = _RedisRooms(redis_url, "vuoro") if redis_url else OwnRooms()
    return DeskServer(manager, frozenset(foreign_origins), frozenset(foreign_namespaces))


def is_own_origin(environ: Mapping[str, Any]) -> bool:
    """Whether a connection comes from the desk's own pages, or from no browser at all."""
    origin = environ.get("HTTP_ORIGIN")
    if not origin:
        return True
    scheme = environ.get("HTTP_X_FORWARDED_PROTO", environ["wsgi.url_scheme"]).split(",")[0].strip()
    hosts = {environ.get("HTTP_HOST", ""), environ.get("HTTP_X_FORWARDED_HOST", "").split(",")[0].strip()}
    return origin in {f"{scheme}://{host}" for host in hosts if host}


class DeskServer(socketio.AsyncServer):  # type: ignore[misc]
    def __init__(
        self, manager: AsyncManager, foreign_origins: frozenset[str], foreign_namespaces: frozenset[str]
    ) -> None:
        self._foreign_namespaces = foreign_namespaces
        super().__init__(
            client_manager=manager,
            serializer=_JsonPacket,
            async_mode="aiohttp",
            async_handlers=False,
            monitor_clients=False,
            ping_interval=PING_EVERY_SECONDS,
            ping_timeout=PONG_WITHIN_SECONDS,
            max_http_buffer_size=MAX_PACKET_BYTES,
            cors_allowed_origins=lambda origin, environ: origin in foreign_origins or is_own_origin(environ),
            cors_credentials=False,
            logger=False,
        )

    def hang_up(self) -> None:
        """Close every connection at once; clients come back by themselves. For stopping the process."""
        for socket in list(self.eio.sockets.values()):
            socket.hang_up()

    def _engineio_server_class(self) -> type[_Engine]:
        return _Engine

    def push(self, eio_sid: str, packet: _Encoded) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None and not socket.closed:
            socket.push(packet)

    async def _send_packet(self, eio_sid: str, pkt: protocol.Packet) -> None:
        self.push(eio_sid, _Encoded(pkt.encode()))

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        namespace = namespace or "/"
        environ = self.environ[eio_sid]
        if namespace not in self._foreign_namespaces and not is_own_origin(environ):
            await self._send_packet(
                eio_sid, self.packet_class(protocol.CONNECT_ERROR, data={"message": "not_allowed"}, namespace=namespace)
            )
            return
        await super()._handle_connect(eio_sid, namespace, data if isinstance(data, dict) else None)
        # The handler of "connect" runs before the client knows that it is connected: what it says is said here.
        greet = getattr(self.namespace_handlers.get(namespace), "after_connect", None)
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if greet is not None and sid is not None and self.manager.is_connected(sid, namespace):
            await greet(sid)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        try:
            if not isinstance(data, str) or data[:1] not in "01234" or data[:1] == "":
                raise ValueError("not a packet this server takes")
            pkt = self.packet_class(encoded_packet=data)
            if pkt.packet_type == protocol.EVENT:
                if not isinstance(pkt.data, list) or not pkt.data or not isinstance(pkt.data[0], str):
                    raise ValueError("an event without a name")
                await self._handle_event(eio_sid, pkt.namespace, pkt.id, pkt.data)
            elif pkt.packet_type == protocol.CONNECT:
                await self._handle_connect(eio_sid, pkt.namespace, pkt.data)
            elif pkt.packet_type == protocol.DISCONNECT:
                await self._handle_disconnect(eio_sid, pkt.namespace, self.reason.CLIENT_DISCONNECT)
            elif pkt.packet_type == protocol.ACK:
                if not isinstance(pkt.data, list):
                    raise ValueError("an answer without a list")
                await self._handle_ack(eio_sid, pkt.namespace, pkt.id, pkt.data)
            else:
                raise ValueError("a packet only servers send")
        except (ValueError, TypeError, IndexError, RecursionError) as error:
            log.info("a client broke the protocol", error=str(error)[:100])
            raise engine_errors.UnknownPacketError from None

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: list[Any]) -> None:
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if sid is None or not self.manager.is_connected(sid, namespace):
            return
        try:
            if data[0] in self.reserved_events:  # else a client could call the handlers meant for the server
                answer: Any = {"error": "unknown_event", "message": "This event does not exist."}
            else:
                answer = await self._trigger_event(data[0], namespace, sid, *data[1:])
        except Exception:
            log.exception("an event failed", name=data[0][:40], namespace=namespace)
            answer = {"error": "internal", "message": "Something went wrong on our side."}
        if id is None:
            return
        if answer is self.not_handled or answer is None:
            said: list[Any] = []
        else:
            said = list(answer) if isinstance(answer, tuple) else [answer]
        await self._send_packet(eio_sid, self.packet_class(protocol.ACK, namespace=namespace, id=id, data=said))


class _JsonPacket(protocol.Packet):  # type: ignore[misc]
    uses_binary_events = False


class _Encoded:
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


_PING = _Encoded("", engine.PING)
_CLOSE_FRAME = b"\x88\x02" + struct.pack("!H", 1001)


class _Socket(AsyncSocket):  # type: ignore[misc]
    """One Engine.IO session. Over a websocket it writes at once; the queue serves long polling only."""

    closed: bool
    closing: bool
    connected: bool
    upgraded: bool
    _transport: asyncio.Transport | None = None
    _timer: asyncio.TimerHandle | None = None

    def push(self, packet: _Encoded) -> None:
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


def _encoded(pkt: engine.Packet) -> _Encoded:
    text = pkt.encode()
    return _Encoded(text[1:], int(text[0]))


class _Engine(EngineServer):  # type: ignore[misc]
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
            _Encoded(
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


class OwnRooms(AsyncManager):  # type: ignore[misc]
    """Who is where, kept per client as well as per room."""

    def __init__(self) -> None:
        super().__init__()
        self._clients: dict[str, dict[str, str]] = {}  # namespace → sid → Engine.IO sid
        self._sids: dict[str, dict[str, str]] = {}  # namespace → Engine.IO sid → sid
        self._members: dict[str, dict[str, dict[str, str]]] = {}  # namespace → room → sid → Engine.IO sid
        self._joined: dict[str, set[str]] = {}  # sid → rooms
        self._not_yet: set[str] = set()
        self._leaving: set[str] = set()

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        room = to or room
        values = list(data) if isinstance(data, tuple) else [] if data is None else [data]
        skipped = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        server: DeskServer = self.server
        if callback is not None:
            for sid, eio_sid in list(self.get_participants(namespace, room)):
                if sid not in skipped:
                    number = self._generate_ack_id(sid, callback)
                    pkt = server.packet_class(protocol.EVENT, namespace=namespace, data=[event, *values], id=number)
                    server.push(eio_sid, _Encoded(pkt.encode()))
            return
        encoded: _Encoded | None = None
        for sid, eio_sid in list(self.get_participants(namespace, room)):
            if sid in skipped:
                continue
            if encoded is None:
                encoded = _Encoded(
                    server.packet_class(protocol.EVENT, namespace=namespace, data=[event, *values]).encode()
                )
            server.push(eio_sid, encoded)

    def get_namespaces(self) -> list[str]:
        return list(self._clients)

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        clients = self._clients.get(namespace, {})
        if room is None:
            yield from clients.items()
        elif isinstance(room, str):
            if room in clients:
                yield room, clients[room]
            else:
                yield from self._members.get(namespace, {}).get(room, {}).items()
        else:
            found: dict[str, str] = {}
            for one in room:
                found.update(self.get_participants(namespace, one))
            yield from found.items()

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        if eio_sid in self._sids.get(namespace, {}):
            return None
        sid: str = self.server.eio.generate_id()
        self._clients.setdefault(namespace, {})[sid] = eio_sid
        self._sids.setdefault(namespace, {})[eio_sid] = sid
        self._not_yet.add(sid)
        return sid

    async def connect(self, sid: str, namespace: str) -> str:
        self._not_yet.discard(sid)
        return sid

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        return sid in self._not_yet and sid in self._clients.get(namespace, {})

    def is_connected(self, sid: str, namespace: str) -> bool:
        return sid in self._clients.get(namespace, {}) and sid not in self._not_yet and sid not in self._leaving

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        return self._sids.get(namespace, {}).get(eio_sid)

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        return self._clients.get(namespace, {}).get(sid)

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        self._leaving.add(sid)
        return self.eio_sid_from_sid(sid, namespace)

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        for room in list(self._joined.get(sid, ())):
            self.basic_leave_room(sid, namespace, room)
        eio_sid = self._clients.get(namespace, {}).pop(sid, None)
        if eio_sid is not None:
            self._sids[namespace].pop(eio_sid, None)
        self.callbacks.pop(sid, None)
        self._not_yet.discard(sid)
        self._leaving.discard(sid)

    def basic_enter_room(self, sid: str, namespace: str, room: str, eio_sid: str | None = None) -> None:
        clients = self._clients.get(namespace, {})
        if sid not in clients:
            raise ValueError("sid is not connected to requested namespace")
        if room in clients:
            raise ValueError("cannot enter the room of a client")
        self._members.setdefault(namespace, {}).setdefault(room, {})[sid] = clients[sid]
        self._joined.setdefault(sid, set()).add(room)

    def basic_leave_room(self, sid: str, namespace: str, room: str) -> None:
        rooms = self._members.get(namespace, {})
        members = rooms.get(room)
        if members is None or members.pop(sid, None) is None:
            return
        if not members:
            del rooms[room]
        joined = self._joined[sid]
        joined.discard(room)
        if not joined:
            del self._joined[sid]

    def basic_close_room(self, room: str, namespace: str) -> None:
        for sid in list(self._members.get(namespace, {}).get(room, ())):
            self.basic_leave_room(sid, namespace, room)

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        return [sid, *self._joined.get(sid, ())]

    def members(self, namespace: str, room: str) -> int:
        """How many clients of this process are in a room."""
        return len(self._members.get(namespace, {}).get(room, ()))


class _RedisRooms(socketio.AsyncRedisManager, OwnRooms):  # type: ignore[misc]
    """The same for several processes: emits and rooms travel through Redis."""

    def __init__(self, url: str, channel: str) -> None:
        super().__init__(url, channel=channel)  # type: ignore[call-arg]

    async def close(self) -> None:
        with suppress(Exception):
            self.thread.cancel()
            await self.thread
