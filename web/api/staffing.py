"""The staffing plan, its shifts and its settings, for programs; and what the pages share with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web
from pydantic import Field
from sqlalchemy import Connection

from inbox.errors import BadInput
from inbox.people.operators import OperatorRecord
from inbox.staffing import settings as staffing_settings
from inbox.staffing import shifts
from inbox.staffing.busiest import busiest
from inbox.staffing.gathering import Gathered, gather, zone_of
from inbox.staffing.half_hours import monday_of
from inbox.staffing.plan import WeekPlan, work_out
from inbox.staffing.scope import Scope, may_plan, scope
from inbox.staffing.settings import StaffingSettings
from inbox.staffing.shifts import Copied, Occurrence, ShiftId, ShiftKind, ShiftPlan, Which, clock_of, minutes_of
from inbox.staffing.what_if import Answer, OneMore, OneMoved, what_if
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, TeamId
from inbox.words import N_
from web.api.json import answer
from web.api.request import BIGGEST_ID, Body, body, me, now, operator, path_id, query_number
from web.keys import DB
from web.staffing_export import plan_as_csv, plan_as_json, shifts_as_csv, slots_as_json

routes = web.RouteTableDef()

FIRST_YEAR, LAST_YEAR = 2000, 9000


# --- what pages and programs ask alike ------------------------------------------------------------------------------


def query_day(request: web.Request, name: str) -> date | None:
    """A date of the query string. Raises BadInput."""
    written = request.query.get(name, "")
    return day_of(written, name) if written else None


def day_of(written: str, name: str) -> date:
    """Raises BadInput."""
    try:
        found = date.fromisoformat(written)
    except ValueError:
        raise BadInput(name, N_("“%(written)s” is not a date; write 2026-12-24."), written=written) from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise BadInput(name, N_("Choose a day."))
    return found


def team_of(request: web.Request) -> TeamId | None:
    found = query_number(request, "team")
    return None if found is None else TeamId(found)


async def gathered(request: web.Request) -> Gathered:
    """What the plan of the asked week and team stands on. Raises BadInput, NotFound."""
    viewer, team, week, at = operator(request), team_of(request), query_day(request, "week"), now(request)

    def read(conn: Connection) -> Gathered:
        return gather(conn, scope(conn, viewer, team), week or at.astimezone(zone_of(conn, at)).date(), now=at)

    return await request.app[DB].read(read)


async def planned(request: web.Request) -> tuple[Gathered, WeekPlan]:
    found = await gathered(request)
    return found, await asyncio.to_thread(work_out, found)


def asked_change(request: web.Request, found: Gathered) -> OneMore | OneMoved:
    """What the query string wants to know of. Raises BadInput."""
    query = request.query
    from_minute, to_minute = minutes_of(query.get("from", ""), query.get("to", ""))
    if query.get("change") == "move":
        shift, _, day = query.get("shift", "").partition("@")
        if not shift.isascii() or not shift.isdigit() or len(shift) > 18:
            raise BadInput("shift", N_("Choose a shift."))
        return OneMoved(ShiftId(int(shift)), day_of(day, "shift"), from_minute, to_minute)
    written = query.get("day", "")
    days = {"all": range(7), "weekdays": range(5)}.get(written)
    if days is not None:
        chosen: Sequence[date] = [found.monday + timedelta(days=n) for n in days]
    else:
        chosen = [day_of(written, "day")]
        if monday_of(chosen[0]) != found.monday:
            raise BadInput("day", N_("Choose a day of this week."))
    return OneMore(chosen, from_minute, to_minute, kind_of(query.get("kind", ShiftKind.ANYTHING)))


def kind_of(written: str) -> ShiftKind:
    """Raises BadInput."""
    try:
        return ShiftKind(written)
    except ValueError:
        raise BadInput("kind", N_("There is no such kind of shift.")) from None


async def answered(found: Gathered, plan: WeekPlan, asked: OneMore | OneMoved) -> Answer:
    return await asyncio.to_thread(what_if, found, plan, asked)


async def shifts_of_week(request: web.Request) -> tuple[Scope, date, str, list[Occurrence]]:
    """Scope, Monday, zone and the shifts of the asked week."""
    viewer, team, week, at = operator(request), team_of(request), query_day(request, "week"), now(request)

    def read(conn: Connection) -> tuple[Scope, date, str, list[Occurrence]]:
        seen, zone = scope(conn, viewer, team), zone_of(conn, at)
        monday = monday_of(week or at.astimezone(zone).date())
        since, until = shifts.moments(monday, 0, 7 * shifts.DAY_MINUTES, zone)
        return seen, monday, zone.key, shifts.between(conn, since, until, operators=seen.operators)

    return await request.app[DB].read(read)


async def my_occurrences(request: web.Request, *, weeks: int = 4) -> list[Occurrence]:
    at, mine = now(request), me(request)

    def read(conn: Connection) -> list[Occurrence]:
        return shifts.between(conn, at - timedelta(hours=12), at + timedelta(weeks=weeks), operators=[mine])

    return await request.app[DB].read(read)


def add_shift(tx: Transaction, plan: ShiftPlan, *, by: OperatorRecord, now: datetime) -> ShiftId:
    may_plan(tx.conn, by, plan.operator_id)
    return shifts.add(tx, plan, zone_of(tx.conn, now).key, by=by.id, now=now)


def change_shift(tx: Transaction, shift_id: ShiftId, plan: ShiftPlan, *, by: OperatorRecord, now: datetime) -> None:
    may_plan(tx.conn, by, shifts.get(tx.conn, shift_id).operator_id)
    may_plan(tx.conn, by, plan.operator_id)
    shifts.change(tx, shift_id, plan, by=by.id, now=now)


def remove_shift(
    tx: Transaction, shift_id: ShiftId, *, which: Which, day: date | None, by: OperatorRecord, now: datetime
) -> None:
    may_plan(tx.conn, by, shifts.get(tx.conn, shift_id).operator_id)
    shifts.remove(tx, shift_id, which=which, day=day, by=by.id, now=now)


def copy_shifts(
    tx: Transaction, monday: date, to_monday: date, *, team_id: TeamId | None, by: OperatorRecord, now: datetime
) -> Copied:
    seen = scope(tx.conn, by, team_id)
    zone = zone_of(tx.conn, now)
    return shifts.copy_week(tx, monday, to_monday, zone, operators=seen.operators, by=by.id, now=now)


# --- for programs ---------------------------------------------------------------------------------------------------


class ShiftBody(Body):
    operator_id: int = Field(ge=0, le=BIGGEST_ID)
    kind: ShiftKind = ShiftKind.ANYTHING
    day: date
    from_: str = Field(alias="from", max_length=5)
    to: str = Field(max_length=5)
    weekly: bool = False
    last_on: date | None = None
    note: str = Field("", max_length=200)

    def plan(self) -> ShiftPlan:
        from_minute, to_minute = minutes_of(self.from_, self.to)
        return ShiftPlan(
            OperatorId(self.operator_id),
            self.kind,
            self.day,
            from_minute,
            to_minute,
            self.weekly,
            self.last_on,
            self.note,
        )


class CopyBody(Body):
    week: date
    to: date
    team: int | None = Field(None, ge=0, le=BIGGEST_ID)


class SettingsBody(Body):
    level_percent: int
    phone_s: int | None = None
    chat_s: int | None = None
    occupancy_percent: int
    shrinkage_percent: int
    least_people: int
    patience_s: int
    callback_minutes: int
    chats_at_once: int
    phone_handle_s: int
    chat_handle_s: int
    email_handle_s: int
    marked_days: dict[str, str] = Field(default_factory=dict, max_length=1000)


@routes.get("/api/staffing/plan")
async def plan(request: web.Request) -> web.Response:
    _, made = await planned(request)
    return answer(plan_as_json(made))


@routes.get("/api/staffing/plan.csv")
async def plan_csv(request: web.Request) -> web.Response:
    _, made = await planned(request)
    return _file(plan_as_csv(made), f"staffing-{made.monday.isoformat()}.csv")


@routes.get("/api/staffing/what-if")
async def try_change(request: web.Request) -> web.Response:
    found, made = await planned(request)
    said = await answered(found, made, asked_change(request, found))
    return answer(
        {
            "before": slots_as_json(made, said.before),
            "after": slots_as_json(made, said.after),
            "week": {"before": said.week_before, "after": said.week_after},
            "days": {"before": said.days_before, "after": said.days_after},
        }
    )


@routes.get("/api/staffing/busiest")
async def busiest_times(request: web.Request) -> web.Response:
    found = busiest(await gathered(request))
    return answer(
        {
            channel: [
                {
                    "weekday": one.weekday,
                    "clock": f"{one.place // 2:02}:{one.place % 2 * 30:02}",
                    "mean": round(one.mean, 2),
                    "came": one.came,
                    "missed": one.missed,
                    "times": one.times,
                }
                for one in half_hours
            ]
            for channel, half_hours in found.items()
        }
    )


@routes.get("/api/staffing/shifts")
async def list_shifts(request: web.Request) -> web.Response:
    _, monday, zone, found = await shifts_of_week(request)
    return answer({"week": monday, "zone": zone, "shifts": [shift_as_json(one) for one in found]})


@routes.get("/api/staffing/shifts.csv")
async def shifts_csv(request: web.Request) -> web.Response:
    _, monday, _, found = await shifts_of_week(request)
    return _file(shifts_as_csv(found), f"shifts-{monday.isoformat()}.csv")


@routes.post("/api/staffing/shifts")
async def post_shift(request: web.Request) -> web.Response:
    wanted = await body(request, ShiftBody)
    shift_id = await request.app[DB].write(add_shift, wanted.plan(), by=operator(request), now=now(request))
    return answer({"id": shift_id})


@routes.post("/api/staffing/shifts/copy")
async def post_copy(request: web.Request) -> web.Response:
    wanted = await body(request, CopyBody)
    team_id = None if wanted.team is None else TeamId(wanted.team)
    return answer(
        await request.app[DB].write(
            copy_shifts, wanted.week, wanted.to, team_id=team_id, by=operator(request), now=now(request)
        )
    )


@routes.put("/api/staffing/shifts/{id}")
async def put_shift(request: web.Request) -> web.Response:
    wanted = await body(request, ShiftBody)
    await request.app[DB].write(change_shift, path_id(request), wanted.plan(), by=operator(request), now=now(request))
    return answer({"ok": True})


@routes.delete("/api/staffing/shifts/{id}")
async def delete_shift(request: web.Request) -> web.Response:
    try:
        which = Which(request.query.get("which", Which.ALL))
    except ValueError:
        raise BadInput("which", N_("This is not one of the choices.")) from None
    day = query_day(request, "day")
    await request.app[DB].write(
        remove_shift, path_id(request), which=which, day=day, by=operator(request), now=now(request)
    )
    return answer({"ok": True})


@routes.get("/api/my-shifts")
async def mine(request: web.Request) -> web.Response:
    return answer({"shifts": [shift_as_json(one) for one in await my_occurrences(request)]})


@routes.get("/api/settings/staffing")
async def get_settings(request: web.Request) -> web.Response:
    return answer(await request.app[DB].read(staffing_settings.read))


@routes.put("/api/settings/staffing")
async def put_settings(request: web.Request) -> web.Response:
    wanted = StaffingSettings(**(await body(request, SettingsBody)).model_dump())
    await request.app[DB].write(staffing_settings.change, wanted, by=me(request), now=now(request))
    return answer({"ok": True})


def shift_as_json(one: Occurrence) -> dict[str, Any]:
    shift = one.shift
    return {
        "id": shift.id,
        "operator_id": shift.operator_id,
        "operator": shift.operator_name,
        "kind": shift.kind,
        "day": one.day,
        "from": clock_of(shift.from_minute),
        "to": clock_of(shift.to_minute),
        "zone": shift.zone,
        "begins": one.begins,
        "ends": one.ends,
        "weekly": shift.weekly,
        "last_on": None if shift.endless else shift.last_on,
        "note": shift.note,
    }


def _file(text: str, name: str) -> web.Response:
    return web.Response(
        text=text,
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
