"""Handing over, and answering an offer."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from inbox import brief, handoff
from inbox.handoff import Brief
from inbox.vocabulary import OperatorId
from web.api.json import answer
from web.api.request import Body, body, me, now, path_id
from web.keys import DB, LANGUAGE, WORDS

routes = web.RouteTableDef()


class BriefBody(Body):
    wants: str = Field("", max_length=4_000)
    done: str = Field("", max_length=4_000)
    next: str = Field("", max_length=4_000)
    promised: str = Field("", max_length=4_000)


class HandOff(Body):
    to: OperatorId | None = Field(None, ge=1, lt=2**63)
    brief: BriefBody


@routes.get("/api/conversations/{id}/brief")
async def draft_brief(request: web.Request) -> web.Response:
    drafted = await request.app[DB].read(
        brief.draft_brief, path_id(request), request.app[WORDS], request[LANGUAGE], now=now(request)
    )
    return answer(drafted)


@routes.post("/api/conversations/{id}/handoff")
async def hand_off(request: web.Request) -> web.Response:
    wanted = await body(request, HandOff)
    handoff_id = await request.app[DB].write(
        handoff.hand_off,
        path_id(request),
        by=me(request),
        to=wanted.to,
        brief=Brief(**wanted.brief.model_dump()),
        now=now(request),
    )
    return answer({"handoff_id": handoff_id})


@routes.post("/api/handoffs/{id}/accept")
async def accept(request: web.Request) -> web.Response:
    conversation_id = await request.app[DB].write(handoff.accept, path_id(request), by=me(request), now=now(request))
    return answer({"conversation_id": conversation_id})


@routes.post("/api/handoffs/{id}/decline")
async def decline(request: web.Request) -> web.Response:
    conversation_id = await request.app[DB].write(handoff.decline, path_id(request), by=me(request), now=now(request))
    return answer({"conversation_id": conversation_id})


@routes.post("/api/handoffs/{id}/cancel")
async def cancel(request: web.Request) -> web.Response:
    conversation_id = await request.app[DB].write(handoff.cancel, path_id(request), by=me(request), now=now(request))
    return answer({"conversation_id": conversation_id})
