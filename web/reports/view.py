"""A report in somebody's language: tiles, charts and tables for the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_time, get_day_names
from babel.numbers import format_decimal, format_percent

from inbox.reports.period import SLOTS, Cut, Period
from inbox.reports.question import Filter, Group
from inbox.reports.report import HeatPlace, Report
from inbox.reports.waiting import EDGES_S, FEW
from inbox.waits.metrics import Percentiles
from inbox.words import N_, Words
from web.charts import Band, Bar, Heat, Series, Size, bar_chart, heat_table, line_chart, table
from web.pages.wallboard import CHANNELS, duration, minutes
from web.reports import tables
from web.reports.figures import SECTIONS, Figure, Number, Unit

WIDE, NARROW = Size(900, 240, 2, "chart-wide"), Size(360, 240, 4, "chart-narrow")
FEW_IN_CELL = 3
LONGEST_LIST = 50

GROUPS: Mapping[Group, str] = {
    Group.CHANNEL: N_("Channel"),
    Group.TEAM: N_("Team"),
    Group.OPERATOR: N_("Operator"),
    Group.TAG: N_("Tag"),
    Group.TOUCHPOINT: N_("Touchpoint"),
}
NOBODY: Mapping[Group, str] = {
    Group.CHANNEL: N_("Unknown"),
    Group.TEAM: N_("No team"),
    Group.OPERATOR: N_("Nobody"),
    Group.TAG: N_("No tag"),
    Group.TOUCHPOINT: N_("Unknown"),
}
CUTS: Mapping[Cut, str] = {
    Cut.HALF_HOUR: N_("Half-hours"),
    Cut.DAY: N_("Days"),
    Cut.WEEK: N_("Weeks"),
    Cut.MONTH: N_("Months"),
}
HEATS: Mapping[str, str] = {
    "arrivals": N_("Conversations begun, per occurrence"),
    "p90": N_("P90 wait, minutes"),
    "missed": N_("Missed calls, per occurrence"),
}
COLUMNS: Sequence[tuple[str, str, Unit]] = (
    ("arrivals", N_("Begun"), Unit.COUNT),
    ("answered", N_("Answered"), Unit.COUNT),
    ("service_level_percent", N_("In target"), Unit.PERCENT),
    ("median_s", N_("Median"), Unit.SECONDS),
    ("p90_s", N_("P90"), Unit.SECONDS),
    ("abandoned_percent", N_("Left"), Unit.PERCENT),
    ("first_response_s", N_("First answer"), Unit.SECONDS),
    ("handle_s", N_("Handling"), Unit.SECONDS),
    ("resolved", N_("Resolved"), Unit.COUNT),
    ("reopened_percent", N_("Reopened"), Unit.PERCENT),
    ("satisfied_percent", N_("Satisfied"), Unit.PERCENT),
)
PERSONAL_COLUMNS: Sequence[tuple[str, str, Unit]] = (
    ("occupancy_percent", N_("Occupancy"), Unit.PERCENT),
    ("concurrency", N_("At once"), Unit.RATIO),
    ("missed_offers", N_("Not taken"), Unit.COUNT),
)


class View:
    """`query` is what the address says now; links change one word of it."""

    def __init__(self, words: Words, language: str, report: Report, query: Mapping[str, str], target_s: int) -> None:
        self._words, self._language, self._report, self._target_s = words, language, report, target_s
        self._query = {key: value for key, value in query.items() if value and key not in ("after", "figure")}
        self._zone = ZoneInfo(report.question.period.zone)

    # --- words ------------------------------------------------------------------------------------------------------

    def say(self, message: str, **values: object) -> str:
        return self._words.say(self._language, message, **values)

    @property
    def _locale(self) -> str:
        return "en_GB" if self._language == "en" else self._language

    def number(self, value: Number, unit: Unit) -> str:
        if value is None:
            return "–"
        match unit:
            case Unit.PERCENT:
                return str(format_percent(int(value) / 100, locale=self._locale))  # rounded down: 99.6 % is not all
            case Unit.SECONDS:
                return duration(self._words, self._language, int(value))
            case Unit.RATIO:
                return str(format_decimal(round(value, 1), "0.0", locale=self._locale))
            case Unit.COUNT:
                return str(format_decimal(value, locale=self._locale))

    def days(self, period: Period) -> str:
        first, last = (format_date(day, "medium", locale=self._locale) for day in (period.first, period.last))
        return str(first) if period.first == period.last else f"{first} – {last}"

    def link(self, path: str, **changed: str | None) -> str:
        said = {**self._query, **{key.rstrip("_"): value for key, value in changed.items()}}
        return f"{path}?{urlencode({key: value for key, value in said.items() if value})}"

    # --- tiles ------------------------------------------------------------------------------------------------------

    def sections(self, waits_path: str) -> list[dict[str, Any]]:
        return [
            {
                "name": self.say(section.name),
                "key": section.key,
                "figures": [self._tile(figure, waits_path) for figure in section.figures],
            }
            for section in SECTIONS
        ]

    def _tile(self, figure: Figure, waits_path: str) -> dict[str, Any]:
        value, cases = figure.value(self._report.figures), figure.of(self._report.figures)
        before = None if self._report.before is None else figure.value(self._report.before)
        return {
            "key": figure.key,
            "name": self.say(figure.name),
            "defined": self.say(figure.defined),
            "main": figure.main,
            "value": self.number(value, figure.unit),
            "cases": None if cases is None else self.say(N_("of %(n)s"), n=self.number(cases, Unit.COUNT)),
            "few": figure.percentile and cases is not None and 0 < cases < FEW,
            "change": self.change(value, before, figure.unit),
            "before": None if before is None else self.number(before, figure.unit),
            "waits": self.link(waits_path, figure=figure.waits.value) if figure.waits is not None and value else None,
        }

    def change(self, value: Number, before: Number, unit: Unit) -> dict[str, str] | None:
        """In words and with an arrow; colour would judge, and some figures are good when they fall."""
        if value is None or before is None:
            return None
        if unit is Unit.PERCENT:
            points = int(value) - int(before)
            size = self._words.count(self._language, "%(n)s percentage point", "%(n)s percentage points", abs(points))
            more, less, difference = N_("%(size)s more"), N_("%(size)s less"), float(points)
        elif unit is Unit.SECONDS:
            difference = int(value) - int(before)
            size = duration(self._words, self._language, abs(int(difference)))
            more, less = N_("%(size)s longer"), N_("%(size)s shorter")
        else:
            difference = round(value - before, 1)
            size = self.number(abs(difference), unit)
            more, less = N_("%(size)s more"), N_("%(size)s less")
        if not difference:
            return {"arrow": "→", "text": self.say(N_("as before"))}
        return {
            "arrow": "↑" if difference > 0 else "↓",
            "text": self.say(more if difference > 0 else less, size=size),
        }

    # --- charts -----------------------------------------------------------------------------------------------------

    def waits_chart(self) -> dict[str, Any]:
        report = self._report
        labels = [self._label(piece.begins) for piece in report.pieces]
        title = self.say(N_("Waits, minutes"))

        def of(pick: str) -> list[float | None]:
            found = [getattr(piece.waiting.waits, pick) for piece in report.pieces]
            return [None if seconds is None else seconds / 60 for seconds in found]

        lines = [
            Series("p50", "median", of("median_s")),
            Series("p90", "p90", of("p90_s")),
            Series("p95", "p95", of("p95_s")),
        ]
        band = Band(
            self.say(N_("target %(n)s min"), n=minutes(self._language, self._target_s)),
            self._target_s * 0.6 / 60,
            self._target_s / 60,
        )
        return {
            "title": title,
            "any": any(piece.waiting.answered for piece in report.pieces),
            "wide": self._lines(title, labels, lines, WIDE, 9, band),
            "narrow": self._lines(title, labels, lines, NARROW, 4, band),
            "table": table(
                title,
                [self.say(N_("Answered")), "p50", "p90", "p95"],
                [
                    (label, self._percentiles(piece.waiting.waits))
                    for label, piece in zip(labels, report.pieces, strict=True)
                ],
                corner=self.say(CUTS[report.cut]),
            ),
        }

    def volume_chart(self) -> dict[str, Any]:
        report = self._report
        labels = [self._label(piece.begins) for piece in report.pieces]
        title = self.say(N_("Conversations begun and left"))
        names = (self.say(N_("begun")), self.say(N_("left")))
        lines = [
            Series(names[0], "volume", [float(piece.waiting.arrivals) for piece in report.pieces]),
            Series(names[1], "second", [float(piece.waiting.abandonment_long.part) for piece in report.pieces]),
        ]
        return {
            "title": title,
            "any": any(piece.waiting.arrivals for piece in report.pieces),
            "wide": self._lines(title, labels, lines, WIDE, 9, None),
            "narrow": self._lines(title, labels, lines, NARROW, 4, None),
            "table": table(
                title,
                [*names, self.say(N_("Answered in target"))],
                [
                    (
                        label,
                        [
                            self.number(piece.waiting.arrivals, Unit.COUNT),
                            self.number(piece.waiting.abandonment_long.part, Unit.COUNT),
                            self.number(piece.waiting.service.all_counted.percent, Unit.PERCENT),
                        ],
                    )
                    for label, piece in zip(labels, report.pieces, strict=True)
                ],
                corner=self.say(CUTS[report.cut]),
            ),
        }

    def _lines(
        self, title: str, labels: Sequence[str], lines: Sequence[Series], size: Size, most: int, band: Band | None
    ) -> Any:
        return line_chart(
            title,
            labels,
            lines,
            size=Size(size.width, size.height, max(1, -(-len(labels) // most)), size.kind),
            shown=lambda value: str(format_decimal(round(value, 1), "0.#", locale=self._locale)),
            band=band,
        )

    def _percentiles(self, waits: Percentiles) -> list[str]:
        times = [duration(self._words, self._language, value) for value in (waits.median_s, waits.p90_s, waits.p95_s)]
        return [self.number(waits.n, Unit.COUNT), *times]

    def _label(self, begins: datetime) -> str:
        local = begins.astimezone(self._zone)
        if self._report.cut is Cut.HALF_HOUR:
            return str(format_time(local, "short", locale=self._locale))
        if self._report.cut is Cut.MONTH:
            return str(format_skeleton("yMMM", local, locale=self._locale))
        return str(format_skeleton("MMMd", local, locale=self._locale))

    def distribution(self) -> dict[str, Any]:
        title = self.say(N_("How long the answered ones waited"))
        names = [self.say(N_("up to %(time)s"), time=duration(self._words, self._language, edge)) for edge in EDGES_S]
        names.append(self.say(N_("longer")))
        counts = self._report.figures.responses.distribution
        whole = sum(counts)
        shares = [self.number(100 * n / whole if whole else None, Unit.PERCENT) for n in counts]
        late = [edge > self._target_s for edge in (*EDGES_S, 10**9)]
        bars = [
            Bar(name, n, f"{self.number(n, Unit.COUNT)} · {share}", "late" if over else "")
            for name, n, share, over in zip(names, counts, shares, late, strict=True)
        ]
        return {
            "title": title,
            "any": whole > 0,
            "chart": bar_chart(title, bars),
            "table": table(
                title,
                [self.say(N_("Answered")), self.say(N_("Share"))],
                [
                    (name, [self.number(n, Unit.COUNT), share])
                    for name, n, share in zip(names, counts, shares, strict=True)
                ],
                corner=self.say(N_("Wait")),
            ),
        }

    def heat(self, which: str) -> Any | None:
        cells = self._report.heat
        used = [place for place, cell in enumerate(cells) if cell.arrivals or cell.waits.n or cell.missed_calls]
        if not used:
            return None
        slots = range(min(place % SLOTS for place in used), max(place % SLOTS for place in used) + 1)
        days = get_day_names("abbreviated", "stand-alone", locale=self._language)
        return heat_table(
            self.say(HEATS[which]),
            [f"{slot // 2:02}" if slot % 2 == 0 else "·30" for slot in slots],
            [
                (days[day].capitalize(), [self._heat_cell(which, cells[day * SLOTS + slot]) for slot in slots])
                for day in range(7)
            ],
            corner=self.say(N_("Day and half-hour")),
        )

    def _heat_cell(self, which: str, cell: HeatPlace) -> Heat | None:
        if not cell.occurrences:
            return None
        if which == "p90":
            if cell.waits.p90_s is None:
                return None
            edges = (0.4, 0.6, 0.8, 1.0, 1.2)
            said = self._words.count(
                self._language, "%(time)s, %(n)s answer", "%(time)s, %(n)s answers", cell.waits.n,
                time=duration(self._words, self._language, cell.waits.p90_s),
            )  # fmt: skip
            step = sum(cell.waits.p90_s >= edge * self._target_s for edge in edges)
            shown = str(format_decimal(cell.waits.p90_s / 60, "0.0", locale=self._locale))
            return Heat(shown, said, step, cell.waits.n < FEW_IN_CELL)
        count = cell.arrivals if which == "arrivals" else cell.missed_calls
        mean = count / cell.occurrences
        said = self.say(
            N_("%(n)s in %(times)s occurrences"),
            n=self.number(count, Unit.COUNT),
            times=str(format_decimal(cell.occurrences, "0.#", locale=self._locale)),
        )
        fixed = (1, 3, 6, 12, 24) if which == "arrivals" else (0.2, 0.5, 1, 2, 4)
        shown = str(format_decimal(round(mean, 1), "0.#", locale=self._locale))
        return Heat(shown, said, sum(mean >= edge for edge in fixed), cell.occurrences < FEW_IN_CELL)

    # --- groups -----------------------------------------------------------------------------------------------------

    def groups(self, path: str, sort: str, every: bool) -> dict[str, Any] | None:
        """By name; by a figure only when somebody asked for that."""
        group = self._report.question.group
        if group is None:
            return None
        columns = [*COLUMNS, *(PERSONAL_COLUMNS if group is Group.OPERATOR else ())]
        if group is Group.TEAM:
            columns = [column for column in columns if column[0] != "handle_s"] + [COLUMNS[7]]
        rows = [
            {**tables.group(row), "shown": self._group_name(group, row.id, row.name)} for row in self._report.groups
        ]
        rows.sort(key=lambda row: (row["id"] is None, row["shown"].casefold()))
        key = sort.lstrip("-")
        if key in {column[0] for column in columns}:
            down = sort.startswith("-")
            rows.sort(key=lambda row: (row[key] is None, -(row[key] or 0) if down else row[key] or 0))
        return {
            "title": self.say(GROUPS[group]),
            "sort": sort,
            "columns": [
                {
                    "name": self.say(name),
                    "link": self.link(path, sort=key_ if sort == f"-{key_}" else f"-{key_}") + "#groups",
                    "sorted": "descending" if sort == f"-{key_}" else "ascending" if sort == key_ else None,
                }
                for key_, name, _ in columns
            ],
            "by_name": self.link(path, sort=None) + "#groups",
            "rows": [
                {
                    "name": row["shown"],
                    "link": None if row["id"] is None else self.link(path, sort=None, **{group.value: row["id"]}),
                    "cells": [self.number(row[key_], unit) for key_, _, unit in columns],
                }
                for row in (rows if every else rows[:LONGEST_LIST])
            ],
            "more": 0 if every else max(0, len(rows) - LONGEST_LIST),
        }

    def _group_name(self, group: Group, id_: str | None, name: str) -> str:
        if id_ is None:
            return self.say(NOBODY[group])
        if group is Group.CHANNEL:
            return next(self.say(text) for kind, text in CHANNELS.items() if kind == id_)
        if group is Group.TOUCHPOINT:
            return self.touchpoint(int(id_))
        return name or self.say(N_("Unknown"))

    def touchpoint(self, id_: int) -> str:
        channel, name = self._report.names.touchpoints[id_]
        return f"{self.say(CHANNELS[channel])} · {name or self.say(N_('Unknown'))}"

    def filter_words(self, wanted: Filter) -> list[str]:
        """What the figures are of, for the printed page."""
        names, said = self._report.names, []
        if wanted.channel is not None:
            said.append(self.say(CHANNELS[wanted.channel]))
        if wanted.team_id is not None:
            said.append(names.teams.get(wanted.team_id, ""))
        if wanted.operator_id is not None:
            said.append(names.operators.get(wanted.operator_id, ""))
        if wanted.touchpoint_id is not None and wanted.touchpoint_id in names.touchpoints:
            said.append(self.touchpoint(wanted.touchpoint_id))
        if wanted.tag is not None:
            said.append(wanted.tag)
        return said

    @property
    def until(self) -> str:
        """The last moment that counts, said where the period is not over."""
        last = min(self._report.now, self._report.question.period.until - timedelta(seconds=1))
        return str(format_time(last.astimezone(self._zone), "short", locale=self._locale))
