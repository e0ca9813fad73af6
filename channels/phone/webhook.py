"""`POST /hooks/phone/{source}`: a telephone system reports a call. Proved, kept, answered; understood afterwards.

What is proved to come from the source is never refused for its content: a body that makes no sense is kept in the tray,
and the answer names the field. What is not proved changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from aiohttp import web

from channels.phone.event import CallEvent, Reader
from channels.phone.settings import PhoneSettings, PhoneSource
from channels.phone.signature import is_proved
from inbox.clock import Clock
from inbox.errors import BadInput, StoreBusy
from inbox.store import arrivals
from inbox.store.database import Database

PATH = "/hooks/phone/{source}"
BIGGEST_BODY = 64 * 1024
BODY_WITHIN_SECONDS = 10
PER_MINUTE = 1_200
"""Events of one source. An exchange that was cut off sends what it has kept all at once."""
REFUSED_PER_MINUTE = 60
"""Unproved requests of one network address that are told what was wrong."""
MOST_ADDRESSES = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: datetime


class Allowance:
    """So much per minute for each name, filling up again evenly."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock, self._per_minute = clock, per_minute
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str) -> bool:
        bucket = self._filled(name)
        if bucket.left < 1:
            return False
        if name not in self._buckets and len(self._buckets) >= MOST_ADDRESSES:
            self._buckets.clear()
        self._buckets[name] = bucket
        bucket.left -= 1
        return True

    def _filled(self, name: str) -> _Bucket:
        now = self._clock.now()
        bucket = self._buckets.get(name) or _Bucket(float(self._per_minute), now)
        passed_s = max(0.0, (now - bucket.at).total_seconds())
        bucket.left = min(float(self._per_minute), bucket.left + passed_s * self._per_minute / 60)
        bucket.at = now
        return bucket


class Webhook:
    def __init__(
        self, db: Database, clock: Clock, settings: PhoneSettings, remote_of: Callable[[web.Request], str]
    ) -> None:
        self._db, self._clock, self._settings, self._remote_of = db, clock, settings, remote_of
        self._events = Allowance(clock, PER_MINUTE)
        self._refused = Allowance(clock, REFUSED_PER_MINUTE)

    async def report(self, request: web.Request) -> web.Response:
        source = self._settings.source(request.match_info["source"])
        body = await _body(request)
        if body is None:
            return _refuse(413, "too_large", f"An event has at most {BIGGEST_BODY} bytes.")
        if source is None or not is_proved(source, request.headers, body, now=self._clock.now()):
            # Only what proves nothing is counted: nobody can lock the exchange out from behind the same proxy.
            if not self._refused.take(self._remote_of(request)):
                return _refuse(429, "rate_limited", "Too many requests that prove nothing.", retry_after_s=60)
            return _refuse(401, "not_proved", "The signature or token does not fit this source.")
        if not self._events.take(source.name):
            return _refuse(429, "rate_limited", "Too many events at once.", retry_after_s=10)
        return await self._keep(request, source, body)

    async def _keep(self, request: web.Request, source: PhoneSource, body: bytes) -> web.Response:
        event, problem = _understood(reader(self._settings, source), body)
        name = event.event_id if event is not None and event.event_id else f"sha256:{sha256(body).hexdigest()}"
        try:
            kept = await self._db.write(
                arrivals.keep,
                source=f"phone:{source.name}",
                dedupe_key=f"phone:{source.name}:{name}",
                raw=body,
                envelope={"peer": self._remote_of(request), "content_type": request.content_type[:100]},
                now=self._clock.now(),
            )
        except StoreBusy:
            return _refuse(503, "store_busy", "Not stored. Send it again in a moment.", retry_after_s=2)
        answer: dict[str, Any] = {"stored": True, "duplicate": kept.duplicate, "arrival": kept.arrival_id}
        if problem is not None:
            answer["problem"] = {"field": problem.field, "message": str(problem)}
        return web.json_response(answer, status=200 if kept.duplicate else 202)


def reader(settings: PhoneSettings, source: PhoneSource) -> Reader:
    return Reader(source.name, settings.country(source), source.zone, source.lines)


def _understood(read_by: Reader, body: bytes) -> tuple[CallEvent | None, BadInput | None]:
    try:
        return read_by.read(body), None
    except BadInput as problem:
        return None, problem


async def _body(request: web.Request) -> bytes | None:
    """The body, or None when it is too large."""
    if (request.content_length or 0) > BIGGEST_BODY:
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > BIGGEST_BODY:
                    return None
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return bytes(body)


def _refuse(status: int, code: str, message: str, *, retry_after_s: int = 0) -> web.Response:
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="phone"'
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)
