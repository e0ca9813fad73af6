"""The staffing plan as JSON and CSV: every time in UTC and in the desk's zone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from inbox.staffing.plan import SlotPlan, WeekPlan
from inbox.staffing.shifts import Occurrence
from inbox.staffing.what_if import totals
from inbox.vocabulary import ChannelKind
from web.api.json import to_json

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def plan_as_json(plan: WeekPlan) -> dict[str, Any]:
    return {
        "week": plan.monday,
        "zone": plan.zone.key,
        "team": plan.scope.team,
        "known": plan.known,
        "settings": plan.settings,
        "standing": plan.standing,
        "totals": totals(plan.slots),
        "half_hours": slots_as_json(plan, plan.slots),
    }


def slots_as_json(plan: WeekPlan, slots: Iterable[SlotPlan]) -> list[dict[str, Any]]:
    return [_slot(plan.zone, slot) for slot in slots]


def _slot(zone: ZoneInfo, slot: SlotPlan) -> dict[str, Any]:
    half_hour = slot.half_hour
    return {
        "begins": half_hour.begins,
        "ends": half_hour.ends,
        "local": local(half_hour.begins, zone),
        "open": slot.open,
        "holiday": slot.holiday,
        "channels": {
            channel: {
                "expected": round(one.forecast.expected, 2),
                "p25": round(one.forecast.low, 2),
                "p75": round(one.forecast.high, 2),
                "days": one.forecast.days,
                "basis": one.forecast.basis,
                "handle_s": round(one.handle.seconds, 1),
                "handled": one.handle.n,
                "handle_basis": one.handle.basis,
                "came": one.came,
            }
            for channel, one in slot.channels.items()
        },
        "callbacks": round(slot.callbacks, 2),
        "load": round(slot.live.load, 3),
        "rough": slot.live.rough,
        "needed": {
            "calls": slot.need.phone,
            "calls_and_chats": slot.need.people,
            "written": slot.written.people,
            "at_work": slot.at_work,
            "scheduled": slot.scheduled,
            "scheduled_by_erlang_a": slot.by_erlang_a,
        },
        "planned": {kind.value: round(n, 2) for kind, n in slot.planned.items()},
        "people_planned": round(slot.people_planned, 2),
        "present": None if slot.present is None else round(slot.present, 2),
        "gap": slot.gap,
        "expected": to_json(slot.expected),
    }


def plan_as_csv(plan: WeekPlan) -> str:
    team = plan.scope.team.name if plan.scope.team else ""
    columns = ["begins_utc", "ends_utc", "begins_local", "team", "open", "holiday"]
    for channel in ChannelKind:
        columns += [f"{channel}_{name}" for name in ("expected", "p25", "p75", "handle_s", "came")]
    columns += ["callbacks", "load_erlangs", "needed_at_work", "needed_scheduled", "needed_scheduled_erlang_a"]
    columns += ["planned", "present", "gap", "phone_level", "chat_level", "phone_asa_s", "chat_asa_s", "occupancy"]
    rows = []
    for slot in plan.slots:
        row: list[Any] = [
            utc(slot.half_hour.begins),
            utc(slot.half_hour.ends),
            local(slot.half_hour.begins, plan.zone),
            team,
            int(slot.open),
            int(slot.holiday),
        ]
        for channel in ChannelKind:
            one = slot.channels[channel]
            row += [_figure(value) for value in (one.forecast.expected, one.forecast.low, one.forecast.high)]
            row += [_figure(one.handle.seconds), one.came]
        row += [_figure(slot.callbacks), _figure(slot.live.load), slot.at_work, slot.scheduled, slot.by_erlang_a]
        row += [_figure(slot.people_planned), _figure(slot.present), _figure(slot.gap)]
        found = slot.expected
        row += [
            _figure(value, 4)
            for value in (found.phone_level, found.chat_level, found.phone_asa_s, found.chat_asa_s, found.occupancy)
        ]
        rows.append(row)
    return as_csv(columns, rows)


def shifts_as_csv(found: Sequence[Occurrence]) -> str:
    columns = ["operator", "kind", "begins_utc", "ends_utc", "begins_local", "ends_local", "weekly", "note"]
    return as_csv(
        columns,
        [
            [
                one.shift.operator_name,
                one.shift.kind.value,
                utc(one.begins),
                utc(one.ends),
                local(one.begins, ZoneInfo(one.shift.zone)),
                local(one.ends, ZoneInfo(one.shift.zone)),
                int(one.shift.weekly),
                one.shift.note,
            ]
            for one in found
        ],
    )


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """With a byte order mark, so that spreadsheets read it as UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return "\ufeff" + text.getvalue()


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is shown as text. Numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _figure(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)


def utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="minutes")
