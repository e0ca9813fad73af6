"""The wallboard's figures and the waits behind each, for programs."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from inbox.errors import BadInput, NotAllowed
from inbox.reports import personal
from inbox.vocabulary import ChannelKind, OperatorId
from inbox.waits.figures import NOW, Figure
from inbox.waits.listing import Behind, behind
from inbox.words import N_
from web.api.json import answer
from web.api.request import now, query_number
from web.keys import DB
from web.wall import WALL, as_json

routes = web.RouteTableDef()


@routes.get("/api/wallboard")
async def wallboard(request: web.Request) -> web.Response:
    return answer(as_json((await request.app[WALL].board()).live))


@routes.get("/api/waits")
async def waits(request: web.Request) -> web.Response:
    found = await asked_for(request, figure_of(request))
    return answer({"rows": found.rows, "next_after": found.next_after, "now": now(request)})


def figure_of(request: web.Request) -> Figure:
    """Raises BadInput."""
    try:
        return Figure(request.query.get("figure", Figure.WAITING))
    except ValueError:
        raise BadInput("figure", N_("There is no such figure.")) from None


def channel_of(request: web.Request) -> ChannelKind | None:
    """Raises BadInput."""
    written = request.query.get("channel")
    if not written:
        return None
    try:
        return ChannelKind(written)
    except ValueError:
        raise BadInput("channel", N_("There is no such channel.")) from None


async def asked_for(request: web.Request, figure: Figure) -> Behind:
    """The piece of a figure's list that the query string asks for. Raises BadInput, NotAllowed.

    Who answered is left out, and cannot be asked for, where figures of single people are switched off.
    """
    operator_id = query_number(request, "operator")
    named = await request.app[DB].read(personal.others_see)
    if operator_id is not None and figure not in NOW and not named:
        raise NotAllowed(N_("Figures of single people are switched off here."))
    found = await request.app[DB].read(
        behind,
        figure,
        now=now(request),
        channel=channel_of(request),
        operator_id=None if operator_id is None else OperatorId(operator_id),
        after=after_of(request.query.get("after", "")),
    )
    return found if named else nameless(found)


def nameless(found: Behind) -> Behind:
    return replace(found, rows=[replace(row, ended_by="") for row in found.rows])


def after_of(written: str) -> tuple[int, int] | None:
    if not written:
        return None
    try:
        key, wait_id = (int(part) for part in written.split(","))
    except ValueError:
        raise BadInput("after", N_("This does not continue a list.")) from None
    if abs(key) >= 2**62 or not 0 <= wait_id < 2**63:
        raise BadInput("after", N_("This does not continue a list."))
    return key, wait_id
