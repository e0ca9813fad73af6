"""What administrators set while the desk runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import Field

from inbox import audit
from inbox.errors import BadInput
from inbox.people import teams
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, TeamId
from inbox.waits import calendar
from inbox.waits.change_hours import follow_desk, set_hours
from inbox.words import N_
from web.api.json import answer
from web.api.request import Body, body, me, now
from web.keys import DB

routes = web.RouteTableDef()


class Hours(Body):
    zone: str = Field(max_length=64)
    data: dict[str, Any] = Field(max_length=10)
    team_id: int | None = Field(None, ge=1, lt=2**63)


@routes.get("/api/settings/hours")
async def hours(request: web.Request) -> web.Response:
    written = request.query.get("team_id", "")
    team_id = int(written) if written.isdecimal() and len(written) <= 18 else None
    version = await request.app[DB].read(calendar.current, now(request), team_id)
    return answer({"zone": version.zone, "data": version.data, "valid_from": version.valid_from})


@routes.put("/api/settings/hours")
async def put_hours(request: web.Request) -> web.Response:
    wanted = await body(request, Hours)
    team_id = None if wanted.team_id is None else TeamId(wanted.team_id)
    await request.app[DB].write(
        change_hours, wanted.zone, wanted.data, by=me(request), now=now(request), team_id=team_id
    )
    return answer({"ok": True})


def change_hours(
    tx: Transaction, zone: str, data: dict[str, Any], *, by: OperatorId, now: datetime, team_id: TeamId | None = None
) -> None:
    """Raises BadInput naming the field that is wrong, NotFound for a team that is none."""
    if team_id is not None:
        teams.get(tx.conn, team_id)
    try:
        set_hours(tx, zone, data, by=by, now=now, team_id=team_id)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise BadInput("data", N_("These opening hours cannot be read.")) from error
    audit.note(tx, "hours_changed", by=by, now=now, data={"zone": zone, "team": team_id})


def follow_desk_again(tx: Transaction, team_id: TeamId, *, by: OperatorId, now: datetime) -> None:
    """Raises NotFound."""
    teams.get(tx.conn, team_id)
    follow_desk(tx, team_id, by=by, now=now)
    audit.note(tx, "hours_changed", by=by, now=now, data={"team": team_id, "follows_desk": True})
