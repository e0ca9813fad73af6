"""The tray: what could not be understood, done or delivered, and the button to try it again."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from inbox import accounting, deliveries, withheld
from inbox.errors import BadInput, NotFound
from inbox.mail_words import explain
from inbox.store import arrivals
from web.api.request import me, now, path_id
from web.api.tray import lines
from web.keys import DB
from web.pages.forms import see_other
from web.pages.mailboxes import mail_warnings
from web.templating import page_response

routes = web.RouteTableDef()

STATES = ("tray", "set_aside", "given_up", "undelivered", "withheld")


@routes.get("/tray")
async def show(request: web.Request) -> web.Response:
    state = request.query.get("state", "tray")
    found = await request.app[DB].read(lines, state)
    return page_response(
        request,
        "tray.html",
        {
            "arrivals": found.get("arrivals", []),
            "jobs": found.get("jobs", []),
            "entries": found.get("entries", []),
            "withheld": found.get("withheld", []),
            "alarm": await request.app[DB].read(withheld.rate_alarm, now(request)),
            "state": state,
            "states": STATES,
            "explain": explain,
            "saved": request.query.get("saved", ""),
            "warnings": await mail_warnings(request),
        },
    )


@routes.get("/tray/arrivals/{id}")
async def original(request: web.Request) -> web.Response:
    """The bytes as they came, as a download."""
    arrival = await request.app[DB].read(arrivals.get, path_id(request))
    if arrival is None:
        raise NotFound("arrival")
    return web.Response(
        body=arrival.raw,
        headers={
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Disposition": f'attachment; filename="arrival-{arrival.id}.txt"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
        },
    )


@routes.post("/tray/arrivals/{id}/run-again")
async def arrival_again(request: web.Request) -> web.Response:
    with suppress(BadInput):  # the mail server is being asked for it already
        await request.app[DB].write(accounting.run_again, path_id(request), by=me(request), now=now(request))
    return see_other("/tray", saved="again")


@routes.post("/tray/arrivals/{id}/dismiss")
async def dismiss(request: web.Request) -> web.Response:
    await request.app[DB].write(accounting.dismiss, path_id(request), by=me(request), now=now(request))
    return see_other("/tray", saved="dismissed")


@routes.post("/tray/outbox/{id}/run-again")
async def job_again(request: web.Request) -> web.Response:
    await request.app[DB].write(deliveries.run_outbox_again, path_id(request), by=me(request), now=now(request))
    return see_other("/tray", state="given_up", saved="again")
