"""The staffing plan: a week, a day of it, what a change would do, the busiest times, and what is asked of the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from babel.dates import get_day_names

from inbox.errors import BadInput
from inbox.staffing import settings as staffing_settings
from inbox.staffing.busiest import Busy, busiest
from inbox.staffing.half_hours import HALF_HOUR_S, WEEK
from inbox.staffing.plan import SlotPlan, WeekPlan
from inbox.staffing.scope import Scope
from inbox.staffing.settings import StaffingSettings
from inbox.staffing.shifts import ShiftKind, clock_of
from inbox.staffing.what_if import Answer, Totals, totals
from inbox.vocabulary import ChannelKind
from inbox.words import N_
from web.api.request import me, now
from web.api.staffing import answered, asked_change, gathered, planned, query_day
from web.keys import DB, LANGUAGE, WORDS
from web.pages.forms import fields, see_other, shown_again
from web.staffing_chart import Bar, Frame, Legend, people_chart
from web.staffing_words import KINDS, Teller, how, missing_lines, standing_lines
from web.templating import page_response

routes = web.RouteTableDef()

WIDE, NARROW = Frame(960, 220, 2, "chart-wide"), Frame(360, 220, 6, "chart-narrow")
CHANNELS: Mapping[ChannelKind, str] = {
    ChannelKind.PHONE: N_("Calls"),
    ChannelKind.CHAT: N_("Chats"),
    ChannelKind.EMAIL: N_("Mails"),
}
MISSED: Mapping[ChannelKind, str] = {
    ChannelKind.PHONE: N_("Missed"),
    ChannelKind.CHAT: N_("Left before an answer"),
    ChannelKind.EMAIL: N_("Past the target"),
}


def teller(request: web.Request) -> Teller:
    return Teller(request.app[WORDS], request[LANGUAGE])


@routes.get("/staffing")
async def week(request: web.Request) -> web.Response:
    _, plan = await planned(request)
    tell, chosen = teller(request), _chosen_day(request, plan)
    shown = _shown(plan)
    return page_response(
        request,
        "staffing.html",
        {
            **frame(request, plan.scope, plan.monday, "plan"),
            "known": plan.known,
            "missing": missing_lines(tell, plan),
            "standing": standing_lines(tell, plan),
            "any_shift": any(slot.people_planned for slot in plan.slots),
            "figures": _figures(tell, totals(plan.slots), plan),
            "grid": _grid(tell, plan, shown),
            "days": _days(tell, plan, chosen, request),
            "chosen": tell.full_day(chosen),
            "chart": _chart(tell, plan, chosen),
            "rows": [_row(tell, plan, slot) for slot in plan.day(chosen) if slot.half_hour.place in shown],
            "erlang_a": any(slot.by_erlang_a is not None for slot in plan.slots),
            "changed_clocks": len(plan.day(chosen)) if len(plan.day(chosen)) != 48 else 0,
        },
    )


@routes.get("/staffing/what-if")
async def try_change(request: web.Request) -> web.Response:
    found, plan = await planned(request)
    tell, query = teller(request), request.query
    context: dict[str, Any] = {
        **frame(request, plan.scope, plan.monday, "what-if"),
        "known": plan.known,
        "missing": missing_lines(tell, plan),
        "said": {
            "day": query.get("day", _chosen_day(request, plan).isoformat()),
            "from": query.get("from", "09:00"),
            "to": query.get("to", "17:00"),
            "shift": query.get("shift", ""),
            "kind": query.get("kind", ShiftKind.ANYTHING.value),
            "change": query.get("change", ""),
        },
        "day_choices": [
            *((day.isoformat(), tell.day(day)) for day in (plan.monday + timedelta(days=n) for n in range(7))),
            ("weekdays", tell.say(N_("Monday to Friday"))),
            ("all", tell.say(N_("Every day"))),
        ],
        "kinds": [(kind.value, tell.say(name)) for kind, name in KINDS.items()],
        "shift_choices": [
            (
                f"{one.shift.id}@{one.day.isoformat()}",
                f"{tell.day(one.day)} {clock_of(one.shift.from_minute)}–{clock_of(one.shift.to_minute)} "
                f"{one.shift.operator_name}",
            )
            for one in found.occurrences
            if plan.monday <= one.day <= plan.sunday
        ],
        "result": None,
    }
    if not query.get("change"):
        return page_response(request, "staffing_what_if.html", context)
    try:
        result = await answered(found, plan, asked_change(request, found))
    except BadInput as error:
        return shown_again(request, "staffing_what_if.html", error, context)
    return page_response(request, "staffing_what_if.html", {**context, "result": _result(tell, plan, result)})


@routes.get("/staffing/busiest")
async def busiest_times(request: web.Request) -> web.Response:
    found = await gathered(request)
    tell = teller(request)
    names = get_day_names("wide", "stand-alone", locale=tell.locale)
    lists = busiest(found)
    return page_response(
        request,
        "staffing_busiest.html",
        {
            **frame(request, found.scope, found.monday, "busiest"),
            "channels": [
                {
                    "id": channel.value,
                    "name": tell.say(CHANNELS[channel]),
                    "missed": tell.say(MISSED[channel]),
                    "rows": [_busy(tell, names, one) for one in lists[channel]],
                }
                for channel in CHANNELS
            ],
        },
    )


@routes.get("/staffing/settings")
async def show_settings(request: web.Request) -> web.Response:
    wanted = await request.app[DB].read(staffing_settings.read)
    return page_response(request, "staffing_settings.html", await _settings_context(request, _written(wanted)))


@routes.post("/staffing/settings")
async def change_settings(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        await request.app[DB].write(staffing_settings.change, _read(said), by=me(request), now=now(request))
    except BadInput as error:
        return shown_again(request, "staffing_settings.html", error, await _settings_context(request, said))
    return see_other("/staffing/settings", saved="yes")


# --- the frame of every page ----------------------------------------------------------------------------------------


def frame(request: web.Request, scope: Scope, monday: date, tab: str) -> dict[str, Any]:
    """Heading, weeks before and after, teams: the same on every page about staffing."""
    tell = teller(request)

    def address(path: str, **more: str) -> str:
        return f"{path}?{urlencode({**kept(scope, monday), **more})}"

    tabs = [
        ("plan", "/staffing", N_("Plan")),
        ("what-if", "/staffing/what-if", N_("Try a change")),
        ("busiest", "/staffing/busiest", N_("Busiest times")),
        ("shifts", "/staffing/shifts", N_("Shifts")),
        ("settings", "/staffing/settings", N_("What is asked")),
    ]
    here = next((path for name, path, _ in tabs if name == tab), "/staffing")
    team = {"team": str(scope.team_id)} if scope.team_id is not None else {}
    return {
        "tab": tab,
        "tabs": [(name, address(path), tell.say(text)) for name, path, text in tabs],
        "week_said": f"{tell.day(monday)} – {tell.full_day(monday + timedelta(days=6))}",
        "monday": monday.isoformat(),
        "before": f"{here}?{urlencode({'week': (monday - WEEK).isoformat(), **team})}",
        "after": f"{here}?{urlencode({'week': (monday + WEEK).isoformat(), **team})}",
        "this_week": f"{here}?{urlencode(team)}" if team else here,
        "here": here,
        "team": "" if scope.team_id is None else str(scope.team_id),
        "team_choices": [
            *([("", tell.say(N_("The whole desk")))] if scope.whole_desk else []),
            *((str(team.id), team.name) for team in scope.teams),
        ],
        "export": {
            "csv": address("/api/staffing/plan.csv"),
            "json": address("/api/staffing/plan"),
            "shifts": address("/api/staffing/shifts.csv"),
        },
    }


def kept(scope: Scope, monday: date) -> dict[str, str]:
    team = {"team": str(scope.team_id)} if scope.team_id is not None else {}
    return {"week": monday.isoformat(), **team}


def _chosen_day(request: web.Request, plan: WeekPlan) -> date:
    """The asked day of the week, else today, else its Monday."""
    wanted = query_day(request, "day") if request.path == "/staffing" else None
    today = plan.now.astimezone(plan.zone).date()
    for day in (wanted, today):
        if day is not None and plan.monday <= day <= plan.sunday:
            return day
    return plan.monday


# --- the plan -------------------------------------------------------------------------------------------------------


def _shown(plan: WeekPlan) -> set[int]:
    """Half-hours of the clock that say anything on any day of the week, without gaps between."""
    told = {
        slot.half_hour.place
        for slot in plan.slots
        if slot.people_planned or slot.scheduled or slot.live.load or (slot.present or 0) > 0
    }
    return set(range(min(told), max(told) + 1)) if told else set(range(16, 36))


def _figures(tell: Teller, found: Totals, plan: WeekPlan) -> Mapping[str, str]:
    needed = sum(slot.scheduled * slot.half_hour.seconds for slot in plan.slots) / 3600
    people = sum(slot.people_planned * slot.half_hour.seconds for slot in plan.slots) / 3600
    return {
        "needed": tell.number(needed),
        "planned": tell.number(people),
        "missing": tell.number(found.missing_hours),
        "over": tell.number(found.over_hours),
        "phone": tell.percent(found.phone_level),
        "chat": tell.percent(found.chat_level),
        "level": tell.percent(plan.settings.level),
    }


def _sign(slot: SlotPlan) -> str:
    """The class of a cell: too few, too many, or as needed."""
    if not slot.open and not slot.people_planned:
        return "closed"
    if slot.gap < 0:
        return "short"
    return "over" if slot.gap > 0 else "even"


def _grid(tell: Teller, plan: WeekPlan, shown: set[int]) -> dict[str, Any]:
    """Half-hours down, days across. Where a half-hour comes twice on a day, the worse of both is shown."""
    cells: dict[tuple[int, date], SlotPlan] = {}
    for slot in plan.slots:
        key = slot.half_hour.place, slot.half_hour.day
        if key not in cells or slot.gap < cells[key].gap:
            cells[key] = slot
    days = [plan.monday + timedelta(days=n) for n in range(7)]
    return {
        "days": [tell.day(day) for day in days],
        "rows": [
            (f"{place // 2:02}:{place % 2 * 30:02}", [_cell(tell, cells.get((place, day))) for day in days])
            for place in sorted(shown)
        ],
    }


def _cell(tell: Teller, slot: SlotPlan | None) -> dict[str, str]:
    if slot is None:
        return {"kind": "none", "text": "–", "said": tell.say(N_("The clocks skip this half-hour."))}
    if _sign(slot) == "closed":
        return {"kind": "closed", "text": "·", "said": tell.say(N_("Closed"))}
    said = tell.say(
        N_("needed %(needed)s, planned %(planned)s"), needed=slot.scheduled, planned=tell.number(slot.people_planned)
    )
    if slot.present is not None:
        said += tell.say(N_(", online %(n)s"), n=tell.number(slot.present))
    return {
        "kind": _sign(slot),
        "text": tell.signed(slot.gap),
        "small": f"{tell.number(slot.people_planned)}/{slot.scheduled}",
        "said": said,
    }


def _days(tell: Teller, plan: WeekPlan, chosen: date, request: web.Request) -> list[tuple[str, str, bool]]:
    days = [plan.monday + timedelta(days=n) for n in range(7)]
    query = kept(plan.scope, plan.monday)
    return [
        (f"/staffing?{urlencode({**query, 'day': day.isoformat()})}#day", tell.day(day), day == chosen) for day in days
    ]


def _chart(tell: Teller, plan: WeekPlan, chosen: date) -> dict[str, Any]:
    title = tell.say(N_("People on %(day)s"), day=tell.full_day(chosen))
    bars = [Bar(slot.half_hour.clock, slot.scheduled, slot.people_planned, slot.present) for slot in plan.day(chosen)]
    legend = Legend(tell.say(N_("needed")), tell.say(N_("planned")), tell.say(N_("online")))
    return {
        "title": title,
        "wide": people_chart(title, bars, legend, frame=WIDE, shown=tell.number),
        "narrow": people_chart(title, bars, legend, frame=NARROW, shown=tell.number),
    }


def _row(tell: Teller, plan: WeekPlan, slot: SlotPlan) -> dict[str, Any]:
    return {
        "time": tell.half_hour(slot.half_hour),
        "open": slot.open,
        "coming": [
            {
                "n": tell.number(one.forecast.expected),
                "spread": f"{tell.number(one.forecast.low)}–{tell.number(one.forecast.high)}"
                if one.forecast.high
                else "",
                "came": "" if one.came is None else str(one.came),
            }
            for one in (slot.channels[channel] for channel in CHANNELS)
        ],
        "needed": slot.scheduled,
        "by_a": "–" if slot.by_erlang_a is None else slot.by_erlang_a,
        "planned": tell.number(slot.people_planned),
        "present": "–" if slot.present is None else tell.number(slot.present),
        "gap": tell.signed(slot.gap),
        "sign": _sign(slot),
        **_levels(tell, slot),
        "how": how(tell, plan, slot),
    }


def _levels(tell: Teller, slot: SlotPlan) -> dict[str, str]:
    found = slot.expected
    nothing = not slot.live.load
    return {
        "phone": tell.percent(found.phone_level),
        "chat": tell.percent(found.chat_level),
        "phone_asa": _asa(tell, found.phone_level, found.phone_asa_s),
        "chat_asa": _asa(tell, found.chat_level, found.chat_asa_s),
        "occupancy": "–" if nothing else tell.percent(found.occupancy),
    }


def _asa(tell: Teller, level: float | None, asa_s: float | None) -> str:
    if level is None:
        return "–"
    return tell.say(N_("grows")) if asa_s is None else tell.seconds(asa_s)


# --- what a change would do -----------------------------------------------------------------------------------------


def _result(tell: Teller, plan: WeekPlan, result: Answer) -> dict[str, Any]:
    return {
        "rows": [
            {
                "day": tell.day(new.half_hour.day),
                "time": tell.half_hour(new.half_hour),
                "needed": new.scheduled,
                "planned": (tell.number(old.people_planned), tell.number(new.people_planned)),
                "gap": (tell.signed(old.gap), tell.signed(new.gap)),
                "sign": (_sign(old), _sign(new)),
                "before": _levels(tell, old),
                "after": _levels(tell, new),
            }
            for old, new in zip(result.before, result.after, strict=True)
            if new.open or new.people_planned or old.people_planned
        ],
        "totals": [
            (tell.say(name), _totals(tell, before), _totals(tell, after))
            for name, before, after in (
                (N_("The days concerned"), result.days_before, result.days_after),
                (N_("The whole week"), result.week_before, result.week_after),
            )
        ],
    }


def _totals(tell: Teller, found: Totals) -> dict[str, str]:
    return {
        "phone": tell.percent(found.phone_level),
        "chat": tell.percent(found.chat_level),
        "missing": tell.number(found.missing_hours),
        "over": tell.number(found.over_hours),
    }


def _busy(tell: Teller, names: Mapping[int, str], one: Busy) -> dict[str, str]:
    return {
        "day": names[one.weekday].capitalize(),
        "time": f"{one.place // 2:02}:{one.place % 2 * 30:02}",
        "mean": tell.number(one.mean),
        "came": str(one.came),
        "times": str(one.times),
        "missed": str(one.missed),
        "share": tell.percent(one.missed / one.came if one.came else None),
    }


# --- what is asked of the plan --------------------------------------------------------------------------------------


async def _settings_context(request: web.Request, said: Mapping[str, str]) -> dict[str, Any]:
    found = await gathered(request)
    return {
        **frame(request, found.scope, found.monday, "settings"),
        "said": said,
        "saved": request.query.get("saved", ""),
        "at_once": [(str(n), str(n)) for n in range(1, 6)],
        "half_hour_s": HALF_HOUR_S,
    }


NUMBERS: Sequence[str] = tuple(staffing_settings.LIMITS)


def _written(wanted: StaffingSettings) -> dict[str, str]:
    said = {name: "" if (value := getattr(wanted, name)) is None else str(value) for name in NUMBERS}
    said["marked_days"] = "\n".join(f"{day} {reason}".strip() for day, reason in sorted(wanted.marked_days.items()))
    return said


def _read(said: Mapping[str, str]) -> StaffingSettings:
    """Raises BadInput naming the field that is wrong."""
    numbers: dict[str, int | None] = {}
    for name in NUMBERS:
        written = said.get(name, "")
        if not written and name in ("phone_s", "chat_s"):
            numbers[name] = None
            continue
        least, most = staffing_settings.LIMITS[name]
        if not written.isascii() or not written.isdigit() or len(written) > 9:
            raise BadInput(name, N_("Write a whole number from %(least)s to %(most)s."), least=least, most=most)
        numbers[name] = int(written)
    marked = {}
    for line in said.get("marked_days", "").splitlines():
        day, _, reason = line.strip().partition(" ")
        if day:
            marked[day] = reason.strip()[:200]
    wanted = StaffingSettings(**numbers, marked_days=marked)  # type: ignore[arg-type]
    staffing_settings.check(wanted)
    return wanted
