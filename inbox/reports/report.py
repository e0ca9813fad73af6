"""A report, computed from what was loaded. Tens to hundreds of milliseconds for a year: not for the event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from inbox.queue_key import microseconds
from inbox.reports import period
from inbox.reports.grouping import GroupRow, group_rows
from inbox.reports.loading import Loaded, Names, Question, Slice
from inbox.reports.period import Cut, LocalTime, Period, Pieces
from inbox.reports.waiting import Responses, WaitFigures, responses, tabulate
from inbox.reports.work import Callbacks, Handling, Resolutions, callbacks, handling, resolutions, satisfaction
from inbox.waits.metrics import Percentiles, Share


@dataclass(frozen=True, slots=True)
class Figures:
    """Every figure of a stretch of time."""

    waiting: WaitFigures
    responses: Responses
    handling: Handling
    resolutions: Resolutions
    callbacks: Callbacks
    satisfaction: Share
    missed_offers: int


@dataclass(frozen=True, slots=True)
class Piece:
    begins: datetime
    waiting: WaitFigures


@dataclass(frozen=True, slots=True)
class HeatPlace:
    """A half-hour of the week: how often it took place, and per occurrence what happened in it."""

    occurrences: float
    arrivals: int
    waits: Percentiles
    missed_calls: int


@dataclass(frozen=True, slots=True)
class Report:
    question: Question
    now: datetime
    names: Names
    figures: Figures
    before: Figures | None
    compared_with: Period | None
    cut: Cut
    pieces: Sequence[Piece]
    groups: Sequence[GroupRow]
    heat: Sequence[HeatPlace] = field(default_factory=list)


def work_out(loaded: Loaded) -> Report:
    question, this = loaded.question, loaded.this
    cut = question.cut or period.fitting(question.period)
    parts = period.pieces(question.period, cut)
    with ThreadPoolExecutor(4) as side_by_side:  # sorting and counting leave the interpreter to the others
        figures = _figures(this, loaded.now, side_by_side)
        earlier = None if loaded.before is None else _figures(loaded.before, loaded.now, side_by_side)
        series = side_by_side.submit(_pieces, this, parts)
        groups = side_by_side.submit(group_rows, loaded) if question.group is not None else None
        heat = side_by_side.submit(_heat, this, loaded.now) if question.heat else None
    return Report(
        question,
        loaded.now,
        loaded.names,
        figures(),
        None if earlier is None else earlier(),
        None if loaded.before is None else loaded.before.period,
        cut,
        series.result(),
        [] if groups is None else groups.result(),
        [] if heat is None else heat.result(),
    )


def _figures(of: Slice, now: datetime, side_by_side: ThreadPoolExecutor) -> Callable[[], Figures]:
    """Begin; what it returns waits for the end."""
    nothing = np.zeros(len(of.waits["at"]), dtype=np.int64)
    since = of.period.since_us
    until = min(of.period.until_us, max(microseconds(now), since))
    run = side_by_side.submit
    work = run(handling, of.handling, of.online, since, until, [])
    resolved = run(resolutions, of.resolutions, of.horizon, microseconds(now))
    replied = run(responses, of.waits, of.horizon)
    waited = run(tabulate, of.waits, nothing, 1)
    called = run(callbacks, of.callbacks, of.calls)
    return lambda: Figures(
        waiting=waited.result()[0],
        responses=replied.result(),
        handling=work.result()[0],
        resolutions=resolved.result(),
        callbacks=called.result(),
        satisfaction=satisfaction(of.ratings),
        missed_offers=len(of.offers["at"]),
    )


def _pieces(of: Slice, parts: Pieces) -> list[Piece]:
    found = tabulate(of.waits, parts.place(of.waits["at"]), len(parts.begins))
    return [Piece(begins, found[place]) for place, begins in enumerate(parts.begins)]


def _heat(of: Slice, now: datetime) -> list[HeatPlace]:
    until = min(of.period.until_us, microseconds(now))
    local = LocalTime(of.period.zone, of.period.since_us, of.period.until_us)
    often = period.occurrences(local, of.period.since_us, until)
    places = len(often)
    found = tabulate(of.waits, local.half_hours_of_week(of.waits["at"]), places)
    arrivals = found.arrivals()
    missed = np.zeros(places, dtype=np.int64)
    if of.calls is not None:
        mine = of.calls["at"][of.calls["missed"] == 1]
        missed = np.bincount(local.half_hours_of_week(mine), minlength=places)
    return [
        HeatPlace(float(often[place]), int(arrivals[place]), found.ranks[place], int(missed[place]))
        for place in range(places)
    ]
