"""Opening hours, holidays and targets as one form. Everybody above operator reads, administrators write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from aiohttp import web
from sqlalchemy import Connection

from inbox.errors import BadInput, NotFound
from inbox.people import teams
from inbox.vocabulary import ChannelKind, Role, TeamId
from inbox.waits import calendar
from inbox.waits.hours import WEEKDAYS
from inbox.words import N_
from web.api.request import me, now, operator
from web.api.settings import change_hours, follow_desk_again
from web.keys import DB
from web.pages.forms import fields, see_other, shown_again
from web.templating import page_response

routes = web.RouteTableDef()

DAY_NAMES: Mapping[str, str] = {
    "mon": N_("Monday"),
    "tue": N_("Tuesday"),
    "wed": N_("Wednesday"),
    "thu": N_("Thursday"),
    "fri": N_("Friday"),
    "sat": N_("Saturday"),
    "sun": N_("Sunday"),
}
TARGETS: Sequence[str] = ("default", *ChannelKind)
_WINDOW = re.compile(r"(\d{1,2}:\d{2})\s*[-–—]\s*(\d{1,2}:\d{2})")


@routes.get("/settings/hours")
async def show(request: web.Request) -> web.Response:
    whose = await request.app[DB].read(_whose, _team_id(request), now(request))
    version = whose.pop("version")
    return page_response(request, "hours.html", _context(request, written(version.zone, version.data), whose))


@routes.post("/settings/hours")
async def change(request: web.Request) -> web.Response:
    said, team_id, db = await fields(request), _team_id(request), request.app[DB]
    of_team = {} if team_id is None else {"team": str(team_id)}
    whose = await db.read(_whose, team_id, now(request))
    try:
        if team_id is not None and "follow" in said:
            await db.write(follow_desk_again, team_id, by=me(request), now=now(request))
        else:
            zone, data = read(said)
            await db.write(change_hours, zone, data, by=me(request), now=now(request), team_id=team_id)
    except BadInput as error:
        return shown_again(request, "hours.html", error, _context(request, said, whose))
    return see_other("/settings/hours", saved="hours", **of_team)


def _team_id(request: web.Request) -> TeamId | None:
    """Raises NotFound for what is no team's number."""
    written = request.query.get("team", "")
    if not written:
        return None
    if not written.isdecimal() or len(written) > 18:
        raise NotFound("team")
    return TeamId(int(written))


def _whose(conn: Connection, team_id: TeamId | None, present: datetime) -> dict[str, Any]:
    return {
        "version": calendar.current(conn, present, team_id),
        "teams": teams.every(conn),
        "team": None if team_id is None else teams.get(conn, team_id),
        "own": team_id is not None and calendar.has_own(conn, present, team_id),
    }


def _context(request: web.Request, said: Mapping[str, str], whose: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **whose,
        "said": said,
        "days": [(day, DAY_NAMES[day]) for day in WEEKDAYS],
        "targets": TARGETS,
        "zones": [(zone, zone) for zone in sorted(available_timezones())],
        "may_change": operator(request).may(Role.ADMINISTRATOR),
        "saved": request.query.get("saved", ""),
    }


def written(zone: str, data: Mapping[str, Any]) -> dict[str, str]:
    """A calendar as the fields of the form."""
    said = {"zone": zone}
    for day in WEEKDAYS:
        said[day] = _windows_as_text(data.get("weekly", {}).get(day, []))
    said["holidays"] = "\n".join(
        f"{date} {_windows_as_text(windows)}".strip() for date, windows in sorted(data.get("holidays", {}).items())
    )
    for name in TARGETS:
        target = data.get("targets", {}).get(name)
        said[f"warn_{name}"] = f"{target['warn_s'] / 60:g}" if target else ""
        said[f"target_{name}"] = f"{target['target_s'] / 60:g}" if target else ""
    return said


def read(said: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The fields of the form as a calendar. Raises BadInput naming the field."""
    weekly = {day: _windows(said.get(day, ""), day) for day in WEEKDAYS}
    holidays: dict[str, list[list[str]]] = {}
    for line in said.get("holidays", "").splitlines():
        if line.strip():
            date, _, rest = line.strip().partition(" ")
            holidays[date] = _windows(rest, "holidays")
    targets: dict[str, dict[str, int]] = {}
    for name in TARGETS:
        warn, target = said.get(f"warn_{name}", ""), said.get(f"target_{name}", "")
        if warn or target:
            targets[name] = {"warn_s": _seconds(warn, f"warn_{name}"), "target_s": _seconds(target, f"target_{name}")}
    return said.get("zone", ""), {"weekly": weekly, "holidays": holidays, "targets": targets}


def _windows(text: str, field: str) -> list[list[str]]:
    found = [[_clock(a), _clock(b)] for a, b in _WINDOW.findall(text)]
    if _WINDOW.sub("", text).strip(" ,;\t"):
        raise BadInput(field, N_("Write times such as 09:00–12:00, 13:00–17:00, or nothing for a closed day."))
    return found


def _clock(text: str) -> str:
    return text if len(text) == 5 else f"0{text}"


def _seconds(text: str, field: str) -> int:
    try:
        minutes = float(text.replace(",", "."))
    except ValueError as error:
        raise BadInput(field, N_("Write a number of minutes.")) from error
    if not 0 < minutes <= 60 * 24 * 30:
        raise BadInput(field, N_("Write a number of minutes."))
    return round(minutes * 60)


def _windows_as_text(windows: Any) -> str:
    return ", ".join(f"{start}–{end}" for start, end in windows)
