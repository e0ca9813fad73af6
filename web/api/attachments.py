"""Files up and down. Bytes from customers are hostile: downloads only, but for plain pictures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from inbox.errors import BadInput, NotFound
from inbox.store import attachments
from inbox.words import N_
from web.api.json import answer
from web.api.request import me, now, path_id
from web.keys import ATTACHMENTS, DB

routes = web.RouteTableDef()

MOST_PARTS = 20
"""Of a form are looked at: passing over thousands would hold up everybody."""


@routes.post("/api/attachments")
async def upload(request: web.Request) -> web.Response:
    if request.content_type != "multipart/form-data":
        raise BadInput("file", N_("Send the file as multipart/form-data in the field “file”."))
    try:
        reader = await request.multipart()
        part = await reader.next()
        passed = 0
        while part is not None and not (isinstance(part, BodyPartReader) and part.name == "file"):
            passed += 1
            part = await reader.next() if passed < MOST_PARTS else None
        if not isinstance(part, BodyPartReader):
            raise BadInput("file", N_("Send the file as multipart/form-data in the field “file”."))
        stored = await request.app[ATTACHMENTS].save(_chunks(part), part.filename or "file")
    except (ValueError, AssertionError, HttpProcessingError) as error:
        raise BadInput("file", N_("The upload is broken. Try again.")) from error
    attachment_id = await request.app[DB].write(
        attachments.add, stored, uploaded_by=f"operator:{me(request)}", now=now(request)
    )
    return answer(
        {
            "id": attachment_id,
            "name": stored.name,
            "media_type": stored.media_type,
            "size_bytes": stored.size_bytes,
        }
    )


@routes.get("/attachments/{id}")
async def download(request: web.Request) -> web.StreamResponse:
    facts = await request.app[DB].read(attachments.get, path_id(request))
    if facts.entry_id is None and facts.uploaded_by != f"operator:{me(request)}":
        raise NotFound("attachment")
    path = request.app[ATTACHMENTS].path(facts.digest)
    inline = facts.media_type in attachments.SHOWN_INLINE and "download" not in request.query
    response = web.FileResponse(path)
    response.content_type = facts.media_type if inline else "application/octet-stream"
    response.headers["Content-Disposition"] = (
        f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(facts.name, safe='')}"
    )
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    response.headers["Cache-Control"] = "private, max-age=3600, immutable"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(65_536):
        yield chunk
