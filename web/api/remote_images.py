"""Pictures that a mail points at: fetched by the desk when asked for, once or always for this sender."""

from __future__ import annotations

import re
from html import unescape

from aiohttp import web

from inbox import image_senders, reading
from inbox.errors import NotFound
from web.api.json import answer
from web.api.request import Body, body, me, now, path_id
from web.keys import DB, REMOTE_IMAGES

routes = web.RouteTableDef()

_HELD_BACK = re.compile(r'data-remote-src="([^"]{1,8000})"')


class Always(Body):
    show: bool


@routes.get("/entries/{id}/images/{number}")
async def image(request: web.Request) -> web.Response:
    _, kept = await request.app[DB].read(reading.entry_html, path_id(request))
    number = int(request.match_info["number"]) if request.match_info["number"].isdecimal() else 0
    addresses = _HELD_BACK.findall(kept or "")
    if not 1 <= number <= len(addresses):
        raise NotFound("image")
    picture = await request.app[REMOTE_IMAGES].get(unescape(addresses[number - 1]))
    return web.Response(
        body=picture.content,
        content_type=picture.media_type,
        headers={
            "Cache-Control": "private, max-age=86400",
            "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    )


@routes.post("/api/entries/{id}/images")
async def always(request: web.Request) -> web.Response:
    wanted = await body(request, Always)
    await request.app[DB].write(
        image_senders.show_always, path_id(request), wanted.show, by=me(request), now=now(request)
    )
    return answer({"ok": True})


def shown(html: str, entry_id: int) -> str:
    """The mail with its pictures pointing at the desk, which fetches them."""
    count = 0

    def local(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f'src="/entries/{entry_id}/images/{count}"'

    return _HELD_BACK.sub(local, html)
