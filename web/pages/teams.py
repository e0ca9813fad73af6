"""Teams: members, and the doors through which customers come to them. For administrators."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from inbox import audit, touchpoints
from inbox.errors import BadInput
from inbox.people import operators, teams
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, OperatorId, TeamId
from web.api.request import me, now, path_id
from web.keys import DB, DOORS
from web.pages.forms import fields, see_other, shown_again
from web.templating import page_response

routes = web.RouteTableDef()


@routes.get("/settings/teams")
async def listing(request: web.Request) -> web.Response:
    return page_response(request, "teams.html", await _list(request))


@routes.post("/settings/teams")
async def add(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        team_id = await request.app[DB].write(_add, said.get("name", ""), by=me(request), now=now(request))
    except BadInput as error:
        return shown_again(request, "teams.html", error, {**await _list(request), "said": said})
    return see_other(f"/settings/teams/{team_id}", saved="added")


@routes.get("/settings/teams/{id}")
async def show(request: web.Request) -> web.Response:
    return page_response(request, "team.html", await _one(request, TeamId(path_id(request))))


@routes.post("/settings/teams/{id}")
async def change(request: web.Request) -> web.Response:
    team_id, said, form = TeamId(path_id(request)), await fields(request), await request.post()
    chosen = [str(value) for value in form.getall("members", ())]
    members = [OperatorId(int(value)) for value in chosen if value.isdecimal() and len(value) <= 18]
    doors = [str(value) for value in form.getall("doors", ())]
    lines = [f"{ChannelKind.PHONE}:{line}" for line in said.get("lines", "").splitlines() if line.strip()]
    try:
        await request.app[DB].write(
            _change,
            team_id,
            name=said.get("name", ""),
            members=members,
            doors=[*doors, *lines],
            by=me(request),
            now=now(request),
        )
    except BadInput as error:
        return shown_again(request, "team.html", error, await _one(request, team_id))
    return see_other(f"/settings/teams/{team_id}", saved="changed")


async def _list(request: web.Request) -> dict[str, Any]:
    db = request.app[DB]
    people = {account.id: account.name for account in await db.read(operators.accounts)}
    return {"teams": await db.read(teams.every), "people": people, "said": {}}


async def _one(request: web.Request, team_id: TeamId) -> dict[str, Any]:
    def found(conn: Connection) -> dict[str, Any]:
        every = teams.every(conn)
        team = teams.get(conn, team_id)
        lines = {point.name.casefold() for point in touchpoints.every(conn) if point.channel is ChannelKind.PHONE}
        return {
            "team": team,
            "accounts": [account for account in operators.accounts(conn) if not account.disabled],
            "elsewhere": {door: other.name for other in every if other.id != team.id for door in other.doors},
            "known_lines": sorted(lines - {""}),
        }

    context = await request.app[DB].read(found)
    prefix = f"{ChannelKind.PHONE}:"
    mine = [door for door in context["team"].doors if not door.startswith(prefix)]
    known = [door for door in request.app[DOORS] if door not in mine]
    return {
        **context,
        "doors": [*mine, *known],
        "lines": [door.removeprefix(prefix) for door in context["team"].doors if door.startswith(prefix)],
        "saved": request.query.get("saved", ""),
    }


def _add(tx: Transaction, name: str, *, by: OperatorId, now: datetime) -> TeamId:
    team_id = teams.add(tx, name)
    audit.note(tx, "team_added", by=by, now=now, data={"team": team_id, "name": name.strip()})
    return team_id


def _change(
    tx: Transaction,
    team_id: TeamId,
    *,
    name: str,
    members: Collection[OperatorId],
    doors: Collection[str],
    by: OperatorId,
    now: datetime,
) -> None:
    teams.change(tx, team_id, name=name, members=members, doors=doors, now=now)
    audit.note(tx, "team_changed", by=by, now=now, data={"team": team_id, "name": name.strip()})
