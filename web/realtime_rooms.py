"""Who is in which room of the socket server: a client that leaves costs its own rooms and not everybody's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import socketio
from socketio import packet as protocol
from socketio.async_manager import AsyncManager

from web.realtime_sessions import Encoded

if TYPE_CHECKING:
    from web.realtime import DeskServer


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
                    server.push(eio_sid, Encoded(pkt.encode()))
            return
        encoded: Encoded | None = None
        for sid, eio_sid in list(self.get_participants(namespace, room)):
            if sid in skipped:
                continue
            if encoded is None:
                encoded = Encoded(
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


class RedisRooms(socketio.AsyncRedisManager, OwnRooms):  # type: ignore[misc]
    """The same for several processes: emits and rooms travel through Redis."""

    def __init__(self, url: str, channel: str) -> None:
        super().__init__(url, channel=channel)  # type: ignore[call-arg]

    async def close(self) -> None:
        with suppress(Exception):
            self.thread.cancel()
            await self.thread
