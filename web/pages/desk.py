"""The frames of the live screens: readable at once, taken over by the scripts. And the same queue as a plain page."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from inbox import queue
from inbox.search import search
from inbox.waits import calendar
from inbox.waits.mode import desk_mode
from web.api.queue import after_of, read_page, view_of
from web.api.request import me, now, path_id
from web.keys import DB
from web.templating import page_response, script_data

routes = web.RouteTableDef()

PLAIN_PIECE = 50


@routes.get("/inbox")
@routes.get("/inbox/{id}")
async def inbox(request: web.Request) -> web.Response:
    conversation = path_id(request) if "id" in request.match_info else None
    present = now(request)
    found = await request.app[DB].read(_first, me(request), present)
    page = script_data(request, queue=found["queue"], targets=found["targets"], mode=found["mode"].mode)
    page["conversation"] = conversation
    return page_response(
        request, "inbox.html", {"page": page, "rows": found["queue"]["rows"], "counts": found["queue"]["counts"]}
    )


@routes.get("/queue")
async def plain(request: web.Request) -> web.Response:
    """The same list as an ordinary paged page."""
    view = view_of(request)
    found = await request.app[DB].read(
        read_page, me(request), view, after=after_of(request), limit=PLAIN_PIECE, now=now(request)
    )
    return page_response(request, "queue.html", {**found, "view": view, "views": list(queue.View)})


@routes.get("/search")
async def searching(request: web.Request) -> web.Response:
    wanted = request.query.get("q", "")
    rows = await request.app[DB].read(search, wanted) if wanted.strip() else []
    return page_response(request, "search.html", {"q": wanted, "rows": rows})


def _first(conn: Any, viewer: Any, present: Any) -> dict[str, Any]:
    hours = calendar.current(conn, present).hours
    return {
        "queue": read_page(conn, viewer, queue.View.WAITING, now=present),
        "targets": {"default": hours.targets.get("default") or {"warn_s": 180, "target_s": 300}, **hours.targets},
        "mode": desk_mode(conn, present),
    }
