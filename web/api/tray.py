"""What the desk could not understand, could not do or could not deliver."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from inbox import accounting, deliveries, withheld
from inbox.errors import BadInput
from inbox.store import arrivals, outbox
from inbox.vocabulary import ArrivalState
from inbox.words import N_
from web.api.json import answer
from web.api.request import me, now, path_id
from web.keys import DB

routes = web.RouteTableDef()


@routes.get("/api/tray")
async def tray(request: web.Request) -> web.Response:
    return answer(await request.app[DB].read(lines, request.query.get("state", "tray")))


@routes.post("/api/arrivals/{id}/run-again")
async def arrival_again(request: web.Request) -> web.Response:
    await request.app[DB].write(accounting.run_again, path_id(request), by=me(request), now=now(request))
    return answer({"ok": True})


@routes.post("/api/outbox/{id}/run-again")
async def outbox_again(request: web.Request) -> web.Response:
    await request.app[DB].write(deliveries.run_outbox_again, path_id(request), by=me(request), now=now(request))
    return answer({"ok": True})


def lines(conn: Connection, state: str) -> dict[str, Any]:
    """`state`: tray, set_aside, given_up, undelivered or withheld. Raises BadInput."""
    match state:
        case "tray" | "set_aside":
            return {"arrivals": arrivals.listing(conn, [ArrivalState(state)])}
        case "given_up":
            return {"jobs": outbox.given_up(conn)}
        case "undelivered":
            return {
                "entries": [
                    {"conversation_id": c, "entry_id": e, "error": error}
                    for c, e, error in deliveries.undelivered(conn)
                ]
            }
        case "withheld":
            return {"withheld": withheld.listing(conn)}
        case _:
            raise BadInput("state", N_("This is none of the known values."))
