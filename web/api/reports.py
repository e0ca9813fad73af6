"""Reports for programs: the same questions and the same figures as the pages."""

from __future__ import annotations

from aiohttp import web

routes = web.RouteTableDef()


@routes.get("/api/reports/waits")
async def waits(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.waits_json(request)


@routes.get("/api/reports/mine/{table}")
async def mine(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.for_programs(request, mine=True)


@routes.get("/api/reports/{table}")
async def table(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.for_programs(request, mine=False)
