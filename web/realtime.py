"""The Socket.IO server of the desk: python-socketio's protocol and interfaces with cheaper insides.

What differs from the stock server, and why (measured in tests/bench): a packet is encoded once and its frame written
to every recipient at once instead of by one task each; a client that leaves costs its own rooms and not everybody's;
compression, which costs each idle browser 100 kB, is refused; payloads are JSON only, so nothing searches them for
binary parts; events of one connection are handled one after the other, which also keeps a customer's messages in
order. The socket is only a hint: whoever reads too slowly is cut off and resumes from the database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import socketio
import structlog
from engineio import exceptions as engine_errors
from socketio import packet as protocol
from socketio.async_manager import AsyncManager

from web.realtime_rooms import OwnRooms, RedisRooms
from web.realtime_sessions import PONG_WITHIN_SECONDS, Encoded, Engine

log = structlog.get_logger(__name__)

PATH = "socket.io"
PING_EVERY_SECONDS = 25
MAX_PACKET_BYTES = 200_000


def make_server(
    *,
    redis_url: str | None = None,
    foreign_origins: Collection[str] = (),
    foreign_namespaces: Collection[str] = ("/visitor",),
) -> DeskServer:
    """`foreign_origins` may reach the server at all, and then only `foreign_namespaces`; all else is same origin.

    With `redis_url` several processes share rooms.
    """
    manager = RedisRooms(redis_url, "vuoro") if redis_url else OwnRooms()
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

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    def push(self, eio_sid: str, packet: Encoded) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None and not socket.closed:
            socket.push(packet)

    async def _send_packet(self, eio_sid: str, pkt: protocol.Packet) -> None:
        self.push(eio_sid, Encoded(pkt.encode()))

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
