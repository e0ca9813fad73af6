"""The one place where a failure becomes an answer: JSON for programs, a page for people."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from sqlalchemy.exc import DBAPIError

from inbox.errors import AddressFails, BadInput, InboxError, TimelineMoved
from inbox.words import N_
from web.api.json import answer
from web.keys import LANGUAGE, WORDS
from web.rates import RateLimited
from web.templating import page_response

log = structlog.get_logger(__name__)

STATUS: Mapping[str, int] = {
    "not_found": 404,
    "nothing_waiting": 404,
    "not_allowed": 403,
    "csrf": 403,
    "signed_out": 401,
    "already_taken": 409,
    "already_settled": 409,
    "timeline_moved": 409,
    "bad_input": 422,
    "cannot_reach": 422,
    "address_fails": 409,
    "rate_limited": 429,
    "too_large": 413,
    "store_busy": 503,
}


class SignedOut(InboxError):
    code = "signed_out"

    def __init__(self) -> None:
        super().__init__(N_("You are signed out. Sign in again; what you have written is kept."))


class Forged(InboxError):
    """The request was not made by a page of this desk, or by one opened before signing in again."""

    code = "csrf"

    def __init__(self) -> None:
        super().__init__(N_("This page is out of date. Reload it and try again."))


class _Answer(Exception):
    """A failure in the shape in which it is answered."""

    def __init__(self, status: int, code: str, message: str, extra: dict[str, Any], headers: dict[str, str]) -> None:
        self.status, self.code, self.message, self.extra, self.headers = status, code, message, extra, headers


@web.middleware
async def errors(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except asyncio.CancelledError:
        raise
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _respond(request, _from_http(request, error))
    except Exception as error:
        return _respond(request, _described(request, error))


def described(words: Any, language: str, error: InboxError) -> dict[str, Any]:
    """An error of the desk as both the API and the sockets say it."""
    said: dict[str, Any] = {
        "code": error.code,
        "message": words.say(language, error.message, **error.values),
        **_extra(error),
    }
    return said


def _extra(error: InboxError) -> dict[str, Any]:
    if isinstance(error, BadInput):
        return {"field": error.field}
    if isinstance(error, AddressFails):
        return {"addresses": list(error.addresses)}
    if isinstance(error, TimelineMoved):
        return {"since": error.since, "last_number": error.last_number}
    return {}


def _described(request: web.Request, error: Exception) -> _Answer:
    words, language = request.app[WORDS], request.get(LANGUAGE, "en")
    if isinstance(error, InboxError):
        headers = {"Retry-After": "1"} if error.code == "store_busy" else {}
        return _Answer(
            STATUS.get(error.code, 400),
            error.code,
            words.say(language, error.message, **error.values),
            _extra(error),
            headers,
        )
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        return _Answer(400, "bad_request", words.say(language, N_("This request is broken.")), {}, {})
    if isinstance(error, RateLimited):
        return _Answer(
            429,
            "rate_limited",
            words.say(language, N_("Too many tries. Wait a moment.")),
            {"retry_after_s": error.retry_after_s},
            {"Retry-After": str(error.retry_after_s)},
        )
    reference = secrets.token_hex(4)
    log.error("request failed", reference=reference, method=request.method, path=_place(request), exc_info=error)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _Answer(
            503,
            "store_busy",
            words.say(language, N_("The store does not answer. Try again in a moment.")),
            {"reference": reference},
            {"Retry-After": "2"},
        )
    return _Answer(
        500,
        "internal",
        words.say(language, N_("Something went wrong on our side. Nothing you have written is lost.")),
        {"reference": reference},
        {},
    )


def _place(request: web.Request) -> str:
    """The address as it may be logged: without what is a right for whoever holds it."""
    resource = request.match_info.route.resource
    known = resource.canonical if resource is not None else ""
    return known if "{token}" in known or "{signed}" in known else request.path


def _from_http(request: web.Request, error: web.HTTPException) -> _Answer:
    words, language = request.app[WORDS], request.get(LANGUAGE, "en")
    match error.status:
        case 404:
            return _Answer(404, "not_found", words.say(language, N_("There is nothing at this address.")), {}, {})
        case 405:
            allow = error.headers.get("Allow", "")
            return _Answer(
                405, "wrong_method", words.say(language, N_("This cannot be done here.")), {}, {"Allow": allow}
            )
        case 413:
            return _Answer(413, "too_large", words.say(language, N_("This is too large.")), {}, {})
        case status:
            return _Answer(status, "bad_request", words.say(language, N_("This request is broken.")), {}, {})


def wants_json(request: web.Request) -> bool:
    return request.path.startswith(("/api/", "/widget/api/", "/socket.io")) or (
        "text/html" not in request.headers.get("Accept", "")
    )


def _respond(request: web.Request, said: _Answer) -> web.StreamResponse:
    if wants_json(request):
        response = answer({"error": {"code": said.code, "message": said.message, **said.extra}}, status=said.status)
    elif said.code == "signed_out":
        response = web.Response(
            status=303, headers={"Location": f"/sign-in?next={_escaped(request.path_qs)}", "Cache-Control": "no-store"}
        )
    else:
        response = page_response(
            request,
            "error.html",
            {"message": said.message, "reference": said.extra.get("reference", ""), "code": said.code},
            status=said.status,
        )
    response.headers.update(said.headers)
    return response


def _escaped(path: str) -> str:
    from urllib.parse import quote

    return quote(path if path.startswith("/") and not path.startswith("//") else "/", safe="/")
