"""Shifts as forms: a week of them, one to change, and for operators their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import Connection

from inbox.errors import BadInput, NotAllowed
from inbox.people.operators import OperatorRecord
from inbox.staffing import shifts
from inbox.staffing.half_hours import WEEK
from inbox.staffing.scope import Person, may_plan, scope
from inbox.staffing.shifts import Occurrence, ShiftId, ShiftKind, ShiftPlan, ShiftRecord, Which, clock_of, minutes_of
from inbox.vocabulary import OperatorId
from inbox.words import N_
from web.api.request import now, operator, path_id
from web.api.staffing import (
    add_shift,
    change_shift,
    copy_shifts,
    day_of,
    kind_of,
    my_occurrences,
    query_day,
    remove_shift,
    shifts_of_week,
    team_of,
)
from web.keys import DB
from web.pages.forms import fields, see_other, shown_again
from web.pages.staffing import frame, kept, teller
from web.staffing_words import KINDS, Teller
from web.templating import page_response

routes = web.RouteTableDef()


@routes.get("/staffing/shifts")
async def show(request: web.Request) -> web.Response:
    return page_response(request, "staffing_shifts.html", await _context(request, {}))


@routes.post("/staffing/shifts")
async def add(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        await request.app[DB].write(add_shift, _plan(said), by=operator(request), now=now(request))
    except (BadInput, NotAllowed) as error:
        return shown_again(request, "staffing_shifts.html", error, await _context(request, said), field="operator")
    return see_other("/staffing/shifts", **_kept(said), saved="added")


@routes.post("/staffing/shifts/copy")
async def copy(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        copied = await request.app[DB].write(
            copy_shifts,
            day_of(said.get("week", ""), "week"),
            day_of(said.get("copy_to", ""), "copy_to"),
            team_id=team_of(request),
            by=operator(request),
            now=now(request),
        )
    except BadInput as error:
        return shown_again(request, "staffing_shifts.html", error, await _context(request, said), field="copy_to")
    query = {"week": said.get("copy_to", ""), "copied": str(copied.copied), "left_out": str(copied.left_out)}
    team = team_of(request)
    return see_other("/staffing/shifts", **query, **({"team": str(team)} if team is not None else {}))


@routes.get("/staffing/shifts/{id}")
async def show_one(request: web.Request) -> web.Response:
    return page_response(request, "staffing_shift.html", await _one(request, None))


@routes.post("/staffing/shifts/{id}")
async def change(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        plan = _plan(said)
        await request.app[DB].write(change_shift, path_id(request), plan, by=operator(request), now=now(request))
    except BadInput as error:
        return shown_again(request, "staffing_shift.html", error, await _one(request, said))
    return see_other("/staffing/shifts", week=said.get("on") or plan.first_on.isoformat(), saved="changed")


@routes.post("/staffing/shifts/{id}/remove")
async def remove(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        which = Which(said.get("which", Which.ALL))
    except ValueError:
        raise BadInput("which", N_("This is not one of the choices.")) from None
    day = day_of(said["on"], "on") if said.get("on") else None
    await request.app[DB].write(
        remove_shift, path_id(request), which=which, day=day, by=operator(request), now=now(request)
    )
    return see_other("/staffing/shifts", **({"week": day.isoformat()} if day else {}), saved="removed")


@routes.get("/my-shifts")
async def mine(request: web.Request) -> web.Response:
    tell, found = teller(request), await my_occurrences(request)
    return page_response(
        request, "my_shifts.html", {"rows": [{**_row(tell, one), "full": tell.full_day(one.day)} for one in found]}
    )


async def _context(request: web.Request, said: Mapping[str, str]) -> dict[str, Any]:
    seen, monday, zone, found = await shifts_of_week(request)
    tell = teller(request)
    days = [monday + timedelta(days=n) for n in range(7)]
    today = now(request).astimezone(ZoneInfo(zone)).date()
    return {
        **frame(request, seen, monday, "shifts"),
        "said": {"day": (today if today in days else monday).isoformat(), "from": "09:00", "to": "17:00", **said},
        "zone": zone,
        "people": _people(tell, seen.people),
        "kinds": _kinds(tell),
        "days": [
            {
                "name": tell.full_day(day),
                "rows": [_row(tell, one) for one in found if one.day == day],
                "hours": tell.number(sum(_hours(one) for one in found if one.day == day)),
            }
            for day in days
        ],
        "copy_to": (monday + WEEK).isoformat(),
        "query": kept(seen, monday),
        "saved": request.query.get("saved", ""),
        "copied": request.query.get("copied", ""),
        "left_out": request.query.get("left_out", ""),
    }


async def _one(request: web.Request, said: Mapping[str, str] | None) -> dict[str, Any]:
    shift_id: ShiftId = path_id(request)
    viewer, on = operator(request), query_day(request, "on")

    def read(conn: Connection) -> tuple[ShiftRecord, list[Person]]:
        return _visible(conn, viewer, shift_id)

    shift, people = await request.app[DB].read(read)
    tell = teller(request)
    day = on if on is not None and shift.comes_on(on) else shift.first_on
    if said is not None:
        day = day_of(said["on"], "on") if said.get("on") else day
    return {
        "shift": shift,
        "on": day.isoformat(),
        "on_said": tell.full_day(day),
        "left_out": ", ".join(tell.full_day(one) for one in shift.left_out),
        "people": _people(tell, people),
        "kinds": _kinds(tell),
        "said": said if said is not None else _written(shift),
        "zone": shift.zone,
    }


def _visible(conn: Connection, viewer: OperatorRecord, shift_id: ShiftId) -> tuple[ShiftRecord, list[Person]]:
    """Raises NotFound, NotAllowed."""
    shift = shifts.get(conn, shift_id)
    may_plan(conn, viewer, shift.operator_id)
    seen = scope(conn, viewer, None)
    people = {person.id: person for person in seen.people}
    for team in () if seen.whole_desk else seen.teams:
        people |= {person.id: person for person in scope(conn, viewer, team.id).people}
    people.setdefault(shift.operator_id, Person(shift.operator_id, shift.operator_name))
    return shift, sorted(people.values(), key=lambda person: person.name)


def _plan(said: Mapping[str, str]) -> ShiftPlan:
    """Raises BadInput naming the field that is wrong."""
    who = said.get("operator", "")
    if not who.isascii() or not who.isdigit() or len(who) > 18:
        raise BadInput("operator", N_("Choose an operator."))
    from_minute, to_minute = minutes_of(said.get("from", ""), said.get("to", ""))
    last_on = said.get("last_on", "")
    return ShiftPlan(
        OperatorId(int(who)),
        kind_of(said.get("kind", "")),
        day_of(said.get("day", ""), "day"),
        from_minute,
        to_minute,
        said.get("weekly") == "yes",
        day_of(last_on, "last_on") if last_on else None,
        said.get("note", ""),
    )


def _written(shift: ShiftRecord) -> dict[str, str]:
    return {
        "operator": str(shift.operator_id),
        "kind": shift.kind.value,
        "day": shift.first_on.isoformat(),
        "from": clock_of(shift.from_minute),
        "to": clock_of(shift.to_minute),
        "weekly": "yes" if shift.weekly else "",
        "last_on": "" if shift.endless or not shift.weekly else shift.last_on.isoformat(),
        "note": shift.note,
    }


def _row(tell: Teller, one: Occurrence) -> dict[str, Any]:
    shift = one.shift
    return {
        "id": shift.id,
        "on": one.day.isoformat(),
        "who": shift.operator_name,
        "times": f"{clock_of(shift.from_minute)}–{clock_of(shift.to_minute)}",
        "night": shift.to_minute > shifts.DAY_MINUTES,
        "hours": tell.number(_hours(one)),
        "kind": tell.say(KINDS[shift.kind]),
        "weekly": shift.weekly,
        "note": shift.note,
    }


def _hours(one: Occurrence) -> float:
    """Hours that really pass: a night on which clocks are changed has one more or less."""
    return (one.ends - one.begins).total_seconds() / 3600


def _people(tell: Teller, people: Any) -> list[tuple[str, str]]:
    return [("", tell.say(N_("Choose"))), *((str(person.id), person.name) for person in people)]


def _kinds(tell: Teller) -> list[tuple[str, str]]:
    return [(kind.value, tell.say(KINDS[kind])) for kind in ShiftKind]


def _kept(said: Mapping[str, str]) -> dict[str, str]:
    day: date = day_of(said.get("day", ""), "day")
    return {"week": day.isoformat(), **({"team": said["team"]} if said.get("team") else {})}
