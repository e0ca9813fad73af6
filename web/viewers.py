"""Who is looking at a conversation, and who is writing in it. Kept in memory; with Redis, shared by all processes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import structlog
from redis.exceptions import RedisError

from inbox.vocabulary import ConversationId, EntryKind, OperatorId

log = structlog.get_logger(__name__)

WRITING_SECONDS = 6
"""So long after the last key somebody counts as writing."""
SHARED_SECONDS = 90
"""So long a process that has died is still believed."""

Shown = list[dict[str, Any]]


@dataclass(slots=True)
class _Viewer:
    operator_id: OperatorId
    name: str
    writing: EntryKind | None = None
    writing_until: float = 0.0  # on the loop's clock


class Viewers:
    def __init__(self, redis: Any | None = None, process: str = "") -> None:
        self._here: dict[ConversationId, dict[str, _Viewer]] = {}
        self._redis, self._process = redis, process

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.aclose()

    async def joined(self, conversation_id: ConversationId, sid: str, operator_id: OperatorId, name: str) -> Shown:
        self._here.setdefault(conversation_id, {}).setdefault(sid, _Viewer(operator_id, name))
        return await self._shown(conversation_id)

    async def left(self, conversation_id: ConversationId, sid: str) -> Shown:
        there = self._here.get(conversation_id, {})
        there.pop(sid, None)
        if not there:
            self._here.pop(conversation_id, None)
        return await self._shown(conversation_id)

    async def writes(self, conversation_id: ConversationId, sid: str, kind: EntryKind | None) -> Shown | None:
        """None when that was known already."""
        viewer = self._here.get(conversation_id, {}).get(sid)
        if viewer is None:
            return None
        viewer.writing_until = asyncio.get_running_loop().time() + WRITING_SECONDS
        if viewer.writing is kind:
            return None
        viewer.writing = kind
        return await self._shown(conversation_id)

    async def expire(self) -> list[tuple[ConversationId, Shown]]:
        """Whoever stopped writing without a word."""
        present = asyncio.get_running_loop().time()
        changed = []
        for conversation_id, there in list(self._here.items()):
            stale = [v for v in there.values() if v.writing is not None and v.writing_until <= present]
            for viewer in stale:
                viewer.writing = None
            if stale or self._redis is not None:
                shown = await self._shown(conversation_id)
                if stale:
                    changed.append((conversation_id, shown))
        return changed

    async def everything(self) -> dict[int, Shown]:
        mine = {int(conversation_id): _listed(there) for conversation_id, there in self._here.items()}
        if self._redis is None:
            return mine
        found: dict[int, dict[int, dict[str, Any]]] = {}
        try:
            async for key in self._redis.scan_iter("vuoro:viewers:*", count=500):
                conversation_id = int(key.decode().rpartition(":")[2])
                found[conversation_id] = await self._from_all(ConversationId(conversation_id))
        except RedisError as error:
            log.warning("viewers of other processes are unknown", error=str(error))
            return mine
        return {conversation_id: list(there.values()) for conversation_id, there in found.items() if there}

    async def _shown(self, conversation_id: ConversationId) -> Shown:
        mine = _listed(self._here.get(conversation_id, {}))
        if self._redis is None:
            return mine
        key = f"vuoro:viewers:{conversation_id}"
        try:
            if mine:
                await self._redis.hset(key, self._process, json.dumps(mine))
                await self._redis.expire(key, SHARED_SECONDS)
            else:
                await self._redis.hdel(key, self._process)
            return list((await self._from_all(conversation_id)).values())
        except RedisError as error:
            log.warning("viewers of other processes are unknown", error=str(error))
            return mine

    async def _from_all(self, conversation_id: ConversationId) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        assert self._redis is not None
        for listed in (await self._redis.hgetall(f"vuoro:viewers:{conversation_id}")).values():
            for viewer in json.loads(listed):
                _merge(found, viewer)
        return found


def _listed(there: dict[str, _Viewer]) -> Shown:
    found: dict[int, dict[str, Any]] = {}
    for viewer in there.values():
        writing = viewer.writing.value if viewer.writing is not None else None
        _merge(found, {"operator_id": int(viewer.operator_id), "name": viewer.name, "writing": writing})
    return list(found.values())


def _merge(found: dict[int, dict[str, Any]], viewer: dict[str, Any]) -> None:
    known = found.setdefault(viewer["operator_id"], viewer)
    known["writing"] = known["writing"] or viewer["writing"]
