"""The queue: pages of it, taking the next, searching."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from inbox import lifecycle, queue
from inbox.errors import BadInput
from inbox.search import search
from inbox.vocabulary import ChannelKind, OperatorId
from inbox.words import N_
from web.api.json import answer
from web.api.request import me, now, query_number
from web.keys import DB

routes = web.RouteTableDef()


@routes.get("/api/queue")
async def page(request: web.Request) -> web.Response:
    view = view_of(request)
    channel = request.query.get("channel")
    limit = query_number(request, "limit", queue.FIRST_WINDOW, most=queue.PIECE)
    found = await request.app[DB].read(
        read_page,
        me(request),
        view,
        after=after_of(request),
        limit=limit or queue.FIRST_WINDOW,
        channel=_one_of(ChannelKind, channel, "channel") if channel else None,
        now=now(request),
    )
    return answer(found)


@routes.post("/api/take-next")
async def take_next(request: web.Request) -> web.Response:
    taken = await request.app[DB].write(lifecycle.take_next, me(request), now=now(request))
    return answer({"conversation_id": taken})


@routes.get("/api/search")
async def find(request: web.Request) -> web.Response:
    rows = await request.app[DB].read(search, request.query.get("q", ""))
    return answer({"rows": rows, "now": now(request)})


def read_page(
    conn: Connection,
    viewer: OperatorId,
    view: queue.View,
    *,
    now: Any,
    after: tuple[int, int] | None = None,
    limit: int = queue.FIRST_WINDOW,
    channel: ChannelKind | None = None,
) -> dict[str, Any]:
    """A page of the queue with the counts of its head, from one view of the store."""
    found = queue.page(conn, view, viewer, after=after, limit=limit, channel=channel)
    return {
        "rows": found.rows,
        "next_after": found.next_after,
        "counts": queue.counts(conn, viewer, now=now),
        "now": now,
    }


def view_of(request: web.Request) -> queue.View:
    """Raises BadInput."""
    found: queue.View = _one_of(queue.View, request.query.get("view") or queue.View.WAITING, "view")
    return found


def after_of(request: web.Request) -> tuple[int, int] | None:
    value = request.query.get("after")
    if not value:
        return None
    key, comma, last = value.partition(",")
    if not (comma and key.isascii() and last.isascii() and key.isdigit() and last.isdigit()) or len(value) > 39:
        raise BadInput("after", N_("Use the value of next_after."))
    return min(int(key), 2**63 - 1), min(int(last), 2**63 - 1)


def _one_of(kinds: Any, value: str, field: str) -> Any:
    try:
        return kinds(value)
    except ValueError as error:
        raise BadInput(field, N_("This is none of the known values.")) from error
