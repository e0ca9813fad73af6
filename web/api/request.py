"""What handlers take from a request: checked bodies, path and query values, who is asking."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, TypeVar

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from inbox.errors import BadInput, NotFound
from inbox.people.operators import OperatorRecord
from inbox.vocabulary import OperatorId
from inbox.words import N_
from web.api.refusals import refusal
from web.keys import CLOCK, SIGNED_IN

BIGGEST_ID = 2**63 - 1
MAX_JSON_BYTES = 1_000_000


class Body(BaseModel):
    """The body of an API call: what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


B = TypeVar("B", bound=BaseModel)


async def body(request: web.Request, model: type[B]) -> B:
    """Read and check a JSON body. Raises BadInput naming the first field that is wrong."""
    if request.content_type != "application/json":
        raise BadInput("body", N_("Send JSON with the content type application/json."))
    raw = await request.read()
    if len(raw) > MAX_JSON_BYTES:
        raise BadInput("body", N_("This is too long."))
    try:
        data = json.loads(raw) if raw else {}
    except (ValueError, RecursionError) as error:
        raise BadInput("body", N_("This is not valid JSON.")) from error
    return checked(model, data)


def checked(model: type[B], data: Any) -> B:
    """Raises BadInput naming the first field that is wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise refusal(error, "body") from error
    except RecursionError as error:
        raise BadInput("body", N_("This is nested too deeply.")) from error


def path_id(request: web.Request, name: str = "id") -> Any:
    """A number in the path as an id. Raises NotFound for what cannot be one."""
    value = request.match_info[name]
    if not value.isascii() or not value.isdigit() or len(value) > 19 or int(value) > BIGGEST_ID:
        raise NotFound
    return int(value)


def query_number(request: web.Request, name: str, default: int | None = None, *, most: int = BIGGEST_ID) -> int | None:
    """A whole number of the query string. Raises BadInput."""
    value = request.query.get(name)
    if value is None or value == "":
        return default
    if not value.isascii() or not value.isdigit() or len(value) > 19 or int(value) > most:
        raise BadInput(name, N_("This must be a whole number."))
    return int(value)


_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def query_time(request: web.Request, name: str) -> datetime | None:
    """A moment with its time zone. Raises BadInput."""
    value = request.query.get(name)
    if not value:
        return None
    try:
        return _TIME.validate_python(value)
    except ValidationError as error:
        raise BadInput(name, N_("Write a time with its zone, such as 2026-03-10T10:00:00Z.")) from error


def operator(request: web.Request) -> OperatorRecord:
    """Who is signed in. The access table has let nobody else through."""
    return request[SIGNED_IN].operator


def me(request: web.Request) -> OperatorId:
    return operator(request).id


def now(request: web.Request) -> datetime:
    return request.app[CLOCK].now()
