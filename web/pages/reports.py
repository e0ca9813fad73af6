"""Reports. What computes them is loaded when somebody first asks for one."""

from __future__ import annotations

from aiohttp import web

routes = web.RouteTableDef()


@routes.get("/reports")
async def show(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.page(request, mine=False)


@routes.get("/reports/mine")
async def show_mine(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.page(request, mine=True)


@routes.get("/reports/waits")
async def waits(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.waits_page(request, mine=False)


@routes.get("/reports/mine/waits")
async def my_waits(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.waits_page(request, mine=True)


@routes.get("/reports/tables/{file}")
async def export(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.export(request, mine=False)


@routes.get("/reports/mine/tables/{file}")
async def export_mine(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.export(request, mine=True)


@routes.get("/settings/reports")
async def settings(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.settings_page(request)


@routes.post("/settings/reports")
async def change_settings(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.change_settings(request)


@routes.post("/account/weekly-report")
async def change_mail(request: web.Request) -> web.Response:
    from web.reports import handling

    return await handling.change_mail(request)
