"""What administrators set while the desk runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import Field

from inbox import audit
from inbox.errors import BadInput
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId
from inbox.waits import calendar
from inbox.waits.change_hours import set_hours
from inbox.words import N_
from web.api.json import answer
from web.api.request import Body, body, me, now
from web.keys import DB

routes = web.RouteTableDef()


class Hours(Body):
    zone: str = Field(max_length=64)
    data: dict[str, Any] = Field(max_length=10)


@routes.get("/api/settings/hours")
async def hours(request: web.Request) -> web.Response:
    version = await request.app[DB].read(calendar.current, now(request))
    return answer({"zone": version.zone, "data": version.data, "valid_from": version.valid_from})


@routes.put("/api/settings/hours")
async def put_hours(request: web.Request) -> web.Response:
    wanted = await body(request, Hours)
    await request.app[DB].write(change_hours, wanted.zone, wanted.data, by=me(request), now=now(request))
    return answer({"ok": True})


def change_hours(tx: Transaction, zone: str, data: dict[str, Any], *, by: OperatorId, now: datetime) -> None:
    """Raises BadInput naming the field that is wrong."""
    try:
        set_hours(tx, zone, data, by=by, now=now)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise BadInput("data", N_("These opening hours cannot be read.")) from error
    audit.note(tx, "hours_changed", by=by, now=now, data={"zone": zone})
