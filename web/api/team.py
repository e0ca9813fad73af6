"""Colleagues, presence, what an operator likes."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from inbox.people import operators
from inbox.vocabulary import Presence
from web.api.json import answer
from web.api.request import Body, body, me, now
from web.keys import DB

routes = web.RouteTableDef()


@routes.get("/api/operators")
async def colleagues(request: web.Request) -> web.Response:
    return answer(await request.app[DB].read(operators.colleagues))


class Wanted(Body):
    presence: Presence


@routes.post("/api/presence")
async def presence(request: web.Request) -> web.Response:
    wanted = await body(request, Wanted)
    await request.app[DB].write(operators.set_presence, me(request), wanted.presence, now=now(request))
    return answer({"ok": True, "presence": wanted.presence})


class Preferences(Body):
    preferences: dict[str, str | int | float | bool | None] = Field(max_length=40)


@routes.post("/api/preferences")
async def preferences(request: web.Request) -> web.Response:
    wanted = await body(request, Preferences)
    kept = await request.app[DB].write(operators.prefer, me(request), wanted.preferences)
    return answer({"preferences": kept})
