"""Single entries: the sanitised body of a mail, its original, another try to send."""

from __future__ import annotations

import re

from aiohttp import web
from sqlalchemy import Connection

from inbox import deliveries, mail_trust, reading
from inbox.errors import NotFound
from inbox.store import arrivals
from inbox.vocabulary import EntryId
from web.api import remote_images
from web.api.json import answer
from web.api.request import me, now, path_id
from web.keys import DB

routes = web.RouteTableDef()

MAIL_POLICY = (
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src 'self' data: cid:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
_FRAME = (
    "<!doctype html><html><head><meta charset=utf-8><meta name=color-scheme content=light>"
    "<style>body{font:15px/1.45 system-ui,sans-serif;margin:0;overflow-wrap:anywhere;background:#fff;color:#171c26}"
    "img{max-width:100%;height:auto}blockquote{margin:0 0 0 8px;padding-left:8px;border-left:2px solid #d7dbe3}"
    "table{max-width:100%}pre{white-space:pre-wrap}</style><base target=_blank></head><body>"
)
_CID = re.compile(r'(src=")cid:([^"]{1,300})"')


@routes.get("/entries/{id}/html")
async def html(request: web.Request) -> web.Response:
    shown = await request.app[DB].read(_body, path_id(request), request.query.get("remote") == "1")
    return web.Response(
        text=f"{_FRAME}{shown}</body></html>",
        content_type="text/html",
        headers={
            "Content-Security-Policy": MAIL_POLICY,
            "Cache-Control": "private, no-cache",  # it depends on what is remembered of the sender
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    )


@routes.get("/entries/{id}/raw")
async def raw(request: web.Request) -> web.Response:
    entry_id = path_id(request)
    original = await request.app[DB].read(arrivals.raw_of_entry, entry_id)
    return web.Response(
        body=original,
        headers={
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Disposition": f'attachment; filename="entry-{entry_id}.eml.txt"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
        },
    )


@routes.post("/api/entries/{id}/try-again")
async def try_again(request: web.Request) -> web.Response:
    await request.app[DB].write(deliveries.try_again, path_id(request), by=me(request), now=now(request))
    return answer({"ok": True})


@routes.post("/api/entries/{id}/trust")
async def trust(request: web.Request) -> web.Response:
    await request.app[DB].write(mail_trust.trust, path_id(request), by=me(request), now=now(request))
    return answer({"ok": True})


def _body(conn: Connection, entry_id: EntryId, remote: bool) -> str:
    """Pictures of the mail itself point at our attachments; others are named but not loaded unless asked for."""
    _, kept = reading.entry_html(conn, entry_id)
    if kept is None:
        raise NotFound("entry")
    _, entry = reading.entry(conn, entry_id)
    own = {a.content_id.strip("<>"): a.id for a in entry.attachments if a.content_id}

    def local(found: re.Match[str]) -> str:
        attachment = own.get(found[2])
        return f'{found[1]}/attachments/{attachment}"' if attachment is not None else found[0]

    shown = _CID.sub(local, kept)
    return remote_images.shown(shown, entry_id) if remote or entry.shows_images else shown
