"""Mail check: what the world's name servers say about the addresses the desk writes from."""

from __future__ import annotations

from aiohttp import web

from inbox import withheld
from web.api.request import now
from web.keys import DB, MAIL_CHECK
from web.templating import page_response

routes = web.RouteTableDef()


@routes.get("/settings/mail-check")
async def show(request: web.Request) -> web.Response:
    return page_response(
        request,
        "mail_check.html",
        {
            "reports": await request.app[MAIL_CHECK].run(),
            "alarm": await request.app[DB].read(withheld.rate_alarm, now(request)),
        },
    )
