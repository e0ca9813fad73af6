"""Plain forms: post, redirect, get; a refused one is shown again with its values and the reason."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from inbox.errors import InboxError
from web.errors import STATUS
from web.keys import LANGUAGE, WORDS
from web.security import posted
from web.templating import page_response

MAX_FIELD_CHARS = 100_000


async def fields(request: web.Request) -> dict[str, str]:
    """The text fields of a form, trimmed."""
    said = await posted(request)
    return {name: value.strip()[:MAX_FIELD_CHARS] for name, value in said.items() if isinstance(value, str)}


def shown_again(
    request: web.Request, template: str, error: InboxError, context: dict[str, Any], *, field: str = ""
) -> web.Response:
    said = request.app[WORDS].say(request[LANGUAGE], error.message, **error.values)
    return page_response(
        request,
        template,
        {**context, "problem": said, "field": getattr(error, "field", field)},
        status=STATUS.get(error.code, 422),
    )


def see_other(path: str, **query: str) -> web.Response:
    """Answer a form with another page, so that reloading does not send it again."""
    location = f"{path}?{urlencode(query)}" if query else path
    return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})
