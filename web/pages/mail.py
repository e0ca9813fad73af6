"""The signature under every mail, and the page behind the link by which people unsubscribe."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from inbox import mail_stops, signature
from inbox.errors import BadInput, NotFound
from inbox.mail_stops import StopReason, Wish
from inbox.vocabulary import Role
from web.api.request import me, now, operator
from web.keys import CONFIG, DB, UNSUBSCRIBE
from web.pages.forms import fields, see_other, shown_again
from web.templating import page_response

routes = web.RouteTableDef()


@routes.get("/settings/mail")
async def show(request: web.Request) -> web.Response:
    text = await request.app[DB].read(signature.text)
    return page_response(request, "mail.html", _context(request, text))


@routes.post("/settings/mail")
async def change(request: web.Request) -> web.Response:
    said = await fields(request)
    text = said.get("text", "")
    try:
        await request.app[DB].write(signature.change, text, by=me(request), now=now(request))
    except BadInput as error:
        return shown_again(request, "mail.html", error, _context(request, text))
    return see_other("/settings/mail", saved="mail")


@routes.get("/unsubscribe/{token}")
async def ask(request: web.Request) -> web.Response:
    """Changes nothing: mail programs and scanners follow links by themselves."""
    wish = _wish(request)
    stopped = await request.app[DB].read(mail_stops.is_stopped, wish.address, wish.topic)
    return _unsubscribe_page(request, wish, stopped=stopped)


@routes.post("/unsubscribe/{token}")
async def unsubscribe(request: web.Request) -> web.Response:
    """RFC 8058: the mail program posts here without a session; the page's own button does the same."""
    wish = _wish(request)
    await request.app[DB].write(mail_stops.stop, wish.address, wish.topic, StopReason.UNSUBSCRIBED, now=now(request))
    return _unsubscribe_page(request, wish, stopped=True)


def _wish(request: web.Request) -> Wish:
    """Raises NotFound for a link that we have not made."""
    wish = request.app[UNSUBSCRIBE].read(request.match_info["token"])
    if wish is None:
        raise NotFound("page")
    return wish


def _unsubscribe_page(request: web.Request, wish: Wish, *, stopped: bool) -> web.Response:
    response = page_response(
        request,
        "unsubscribe.html",
        {"address": wish.address, "stopped": stopped, "token": request.match_info["token"]},
    )
    response.headers["Referrer-Policy"] = "no-referrer"  # the address of this page is a key
    response.headers["Cache-Control"] = "no-store"
    return response


def _context(request: web.Request, text: str) -> dict[str, Any]:
    who = operator(request)
    return {
        "text": text,
        "built_in": signature.BUILT_IN,
        "values": list(signature.VALUES.items()),
        "preview": signature.lines(
            text or signature.BUILT_IN, name=who.name, role=who.title, desk=request.app[CONFIG].desk.name
        ),
        "may_change": who.may(Role.ADMINISTRATOR),
        "saved": request.query.get("saved", ""),
    }
