"""The tables of a report, as pages, CSV and JSON show them: one set of rows, three ways of writing them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from inbox.reports.grouping import GroupRow
from inbox.reports.period import SLOTS
from inbox.reports.report import Report
from inbox.reports.waiting import EDGES_S
from web.reports.figures import FIGURES

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is worked out by spreadsheets, and its text may come from a stranger."""


class TableName(StrEnum):
    FIGURES = "figures"
    SERIES = "series"
    GROUPS = "groups"
    DISTRIBUTION = "distribution"
    HEAT = "heat"


Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    columns: Sequence[str]
    rows: Sequence[Row]


def table(report: Report, name: TableName) -> Written:
    match name:
        case TableName.FIGURES:
            rows = figures(report)
        case TableName.SERIES:
            rows = series(report)
        case TableName.GROUPS:
            rows = [group(row) for row in report.groups]
        case TableName.DISTRIBUTION:
            rows = distribution(report)
        case TableName.HEAT:
            rows = heat(report)
    return Written(_COLUMNS[name], rows)


def figures(report: Report) -> list[Row]:
    return [
        {
            "figure": figure.key,
            "unit": figure.unit.value,
            "value": _rounded(figure.value(report.figures)),
            "cases": figure.of(report.figures),
            "before": None if report.before is None else _rounded(figure.value(report.before)),
            "cases_before": None if report.before is None else figure.of(report.before),
        }
        for figure in FIGURES
    ]


def series(report: Report) -> list[Row]:
    return [
        {
            **_moment(piece.begins, report.question.period.zone),
            "arrivals": piece.waiting.arrivals,
            "owed": piece.waiting.counted,
            "answered": piece.waiting.answered,
            "answered_in_target": piece.waiting.service.all_counted.part,
            "service_level_percent": _rounded(piece.waiting.service.all_counted.percent),
            "median_s": piece.waiting.waits.median_s,
            "p90_s": piece.waiting.waits.p90_s,
            "p95_s": piece.waiting.waits.p95_s,
            "abandoned": piece.waiting.abandonment_long.part,
        }
        for piece in report.pieces
    ]


def group(row: GroupRow) -> Row:
    waiting = row.waiting
    return {
        "id": row.id,
        "name": row.name,
        "arrivals": waiting.arrivals,
        "answered": waiting.answered,
        "owed": waiting.counted,
        "service_level_percent": _rounded(waiting.service.all_counted.percent),
        "median_s": waiting.waits.median_s,
        "p90_s": waiting.waits.p90_s,
        "abandoned_percent": _rounded(waiting.abandonment_long.percent),
        "first_response_s": row.first_response.median_s,
        "first_responses": row.first_response.n,
        "handle_s": _rounded(row.effort.mean_s),
        "occupancy_percent": _rounded(row.effort.occupancy),
        "concurrency": _rounded(row.effort.concurrency, 2),
        "resolved": row.resolved,
        "reopened_percent": _rounded(row.reopened.percent),
        "satisfied_percent": _rounded(row.satisfaction.percent),
        "ratings": row.satisfaction.whole,
        "missed_offers": row.missed_offers,
    }


def distribution(report: Report) -> list[Row]:
    edges = [0, *EDGES_S]
    return [
        {"longer_than_s": edges[place], "up_to_s": edges[place + 1] if place + 1 < len(edges) else None, "answered": n}
        for place, n in enumerate(report.figures.responses.distribution)
    ]


def heat(report: Report) -> list[Row]:
    return [
        {
            "weekday": place // SLOTS + 1,
            "half_hour": f"{place % SLOTS // 2:02}:{place % 2 * 30:02}",
            "occurrences": cell.occurrences,
            "arrivals_per_occurrence": _per(cell.arrivals, cell.occurrences),
            "missed_calls_per_occurrence": _per(cell.missed_calls, cell.occurrences),
            "answered": cell.waits.n,
            "p90_s": cell.waits.p90_s,
        }
        for place, cell in enumerate(report.heat)
    ]


_COLUMNS: Mapping[TableName, Sequence[str]] = {
    TableName.FIGURES: ("figure", "unit", "value", "cases", "before", "cases_before"),
    TableName.SERIES: (
        "begins_utc", "begins_local", "arrivals", "owed", "answered", "answered_in_target", "service_level_percent",
        "median_s", "p90_s", "p95_s", "abandoned",
    ),
    TableName.GROUPS: (
        "id", "name", "arrivals", "answered", "owed", "service_level_percent", "median_s", "p90_s",
        "abandoned_percent", "first_response_s", "first_responses", "handle_s", "occupancy_percent", "concurrency",
        "resolved", "reopened_percent", "satisfied_percent", "ratings", "missed_offers",
    ),
    TableName.DISTRIBUTION: ("longer_than_s", "up_to_s", "answered"),
    TableName.HEAT: (
        "weekday", "half_hour", "occurrences", "arrivals_per_occurrence", "missed_calls_per_occurrence", "answered",
        "p90_s",
    ),
}  # fmt: skip


def csv_text(written: Written) -> str:
    """RFC 4180. Text that a spreadsheet would take for a formula is written behind an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(written.columns)
    for row in written.rows:
        writer.writerow([_cell(row[column]) for column in written.columns])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def _moment(at: datetime, zone: str) -> dict[str, str]:
    return {
        "begins_utc": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "begins_local": at.astimezone(ZoneInfo(zone)).isoformat(),
    }


def _per(count: int, occurrences: float) -> float | None:
    return round(count / occurrences, 3) if occurrences else None


def _rounded(value: float | None, digits: int = 1) -> float | int | None:
    return value if value is None or isinstance(value, int) else round(value, digits)
