"""Addresses that belong to nobody: the root, static files, how the program is doing."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection, text

from web.api.json import answer
from web.keys import CLOCK, DB, STATIC, WORKERS
from web.pages.forms import see_other

routes = web.RouteTableDef()


@routes.get("/")
async def root(request: web.Request) -> web.Response:
    return see_other("/inbox")


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    """503 while a worker is down: nothing secret, for load balancers and people."""
    workers = request.app[WORKERS]
    return answer(
        {
            "ok": workers.healthy,
            "now": request.app[CLOCK].now(),
            "workers": {
                name: {"running": state.running, "crashes": state.crashes, "last_crash_at": state.last_crash_at}
                for name, state in workers.report().items()
            },
        },
        status=200 if workers.healthy else 503,
    )


@routes.get("/ready")
async def ready(request: web.Request) -> web.Response:
    await request.app[DB].read(_answers)
    return answer({"ok": True})


@routes.get("/favicon.ico")
async def favicon(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": request.app[STATIC].url("icons/favicon.svg")})


@routes.get("/static/{version}/{name:.+}")
async def static(request: web.Request) -> web.Response:
    return await request.app[STATIC].serve(request)


def _answers(conn: Connection) -> None:
    conn.execute(text("SELECT 1"))
