"""The waits and the work of a period by channel, team, operator, tag or touchpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from inbox.queue_key import microseconds
from inbox.reports.facts import CHANNELS, NONE, Facts
from inbox.reports.loading import Loaded, Slice
from inbox.reports.outcome import answered, first
from inbox.reports.period import Ints
from inbox.reports.question import Group
from inbox.reports.waiting import Ranks, WaitFigures, ranks, tabulate
from inbox.reports.work import GOOD, distinct, handling
from inbox.vocabulary import OperatorId
from inbox.waits.metrics import Percentiles, Share


@dataclass(frozen=True, slots=True)
class Effort:
    """Handling of a group. Occupancy and concurrency are of a person and stay None elsewhere."""

    conversations: int
    mean_s: float | None
    occupancy: float | None
    concurrency: float | None
    online_s: float | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """`id` is what a filter for it takes; None: what belongs to no group."""

    id: str | None
    name: str
    waiting: WaitFigures
    first_response: Percentiles
    effort: Effort
    resolved: int
    reopened: Share
    satisfaction: Share
    missed_offers: int | None


@dataclass(frozen=True, slots=True)
class _Keyed:
    """Facts beside the group each belongs to; one with several tags stands there several times."""

    facts: Facts
    rows: Ints | None  # None: all, as they are
    key: Ints

    def column(self, name: str) -> Ints:
        return self.facts[name] if self.rows is None else self.facts[name][self.rows]


def group_rows(loaded: Loaded) -> list[GroupRow]:
    group, of = loaded.question.group, loaded.this
    assert group is not None
    ids, labels = _members(group, loaded)
    size = len(ids)

    def keyed(facts: Facts) -> _Keyed:
        return _key(group, facts, ids, loaded)

    waits = keyed(of.waits)
    its = {name: waits.column(name) for name in ("what", "net")}
    table = tabulate(its, waits.key, size)
    initial = answered(its["what"]) & first(its["what"])
    responded: Ranks = ranks(its["net"][initial], waits.key[initial], size)
    resolved, ratings, offers, handled = (keyed(one) for one in (of.resolutions, of.ratings, of.offers, of.handling))
    rated = np.bincount(ratings.key, minlength=size)
    good = np.bincount(ratings.key[ratings.column("score") >= GOOD], minlength=size)
    conversations = distinct(resolved.key, resolved.column("conversation"), size)
    again = resolved.column("reopened") != NONE
    reopened = distinct(resolved.key[again], resolved.column("conversation")[again], size)
    missed = np.bincount(offers.key, minlength=size)
    efforts = _efforts(group, ids, handled, of, loaded.now)
    rows = []
    for place in range(size):
        figures = table[place]
        work = efforts[place]
        something = figures.arrivals or figures.counted or conversations[place] or rated[place] or missed[place]
        if not something and not (work.conversations or work.online_s):
            continue
        rows.append(
            GroupRow(
                None if ids[place] == NONE else labels[place][0],
                labels[place][1],
                figures,
                responded[place],
                work,
                int(conversations[place]),
                Share(int(reopened[place]), int(conversations[place])),
                Share(int(good[place]), int(rated[place])),
                int(missed[place]) if group is Group.OPERATOR else None,
            )
        )
    if group is Group.OPERATOR and not loaded.question.scope.whole_desk:
        seen = loaded.question.scope
        rows = [row for row in rows if row.id is not None and seen.may_see(OperatorId(int(row.id)))]
    return sorted(rows, key=lambda row: (row.id is None, row.name.casefold(), row.id or ""))


def _efforts(group: Group, ids: Sequence[int], handled: _Keyed, of: Slice, now: datetime) -> list[Effort]:
    until = min(of.period.until_us, max(microseconds(now), of.period.since_us))
    if group is Group.OPERATOR:
        people = [max(one, 0) for one in ids]  # there is no operator 0
        each = handling(of.handling, of.online, of.period.since_us, until, people)[1:]
        return [Effort(one.conversations, one.mean_s, one.occupancy, one.concurrency, one.online_s) for one in each]
    started = (handled.column("at") >= of.period.since_us) & (handled.column("at") < until)
    key = handled.key[started]
    seconds = np.bincount(key, weights=handled.column("lasted")[started] / 1000, minlength=len(ids))
    many = distinct(key, handled.column("conversation")[started], len(ids))
    return [
        Effort(int(n), float(total) / int(n) if n else None, None, None, None)
        for n, total in zip(many, seconds, strict=True)
    ]


def _members(group: Group, loaded: Loaded) -> tuple[list[int], list[tuple[str, str]]]:
    """The groups there can be: what their facts hold, and what a filter and a reader call each."""
    names = loaded.names
    match group:
        case Group.CHANNEL:
            return list(range(len(CHANNELS))), [(channel.value, channel.value) for channel in CHANNELS]
        case Group.TEAM:
            known = {**names.teams}
        case Group.OPERATOR:
            known = {**names.operators}
        case Group.TOUCHPOINT:
            known = {one: name for one, (_, name) in names.touchpoints.items()}
        case Group.TAG:
            assert loaded.tags is not None
            return (
                [*range(len(loaded.tags[1])), NONE],
                [*((name, name) for name in loaded.tags[1]), ("", "")],
            )
    return [*known, NONE], [*((str(one), name) for one, name in known.items()), ("", "")]


def _key(group: Group, facts: Facts, ids: Sequence[int], loaded: Loaded) -> _Keyed:
    size = len(facts["at"])
    if group is Group.TAG:
        rows = np.arange(size, dtype=np.int64)
        assert loaded.tags is not None
        conversations, _, tags = loaded.tags
        low = np.searchsorted(conversations, facts["conversation"], "left")
        many = np.searchsorted(conversations, facts["conversation"], "right") - low
        repeated = np.repeat(rows, many)
        starts = np.repeat(low - (np.cumsum(many) - many), many)
        without = rows[many == 0]
        key = np.concatenate([tags[starts + np.arange(len(repeated))], np.full(len(without), len(ids) - 1)])
        return _Keyed(facts, np.concatenate([repeated, without]), key)
    if group is Group.TEAM and "team" not in facts:
        people = facts.get("operator", np.full(size, NONE))
        highest = max(loaded.names.operators, default=0) + 2
        team_of = np.full(highest + 1, NONE, dtype=np.int64)
        for operator, team in loaded.names.team_of.items():
            team_of[operator] = team
        value = team_of[people]  # NONE finds the last place, which is nobody's
    else:
        value = facts[group.value] if group.value in facts else np.full(size, NONE)
    place = np.full(max(*ids, int(value.max(initial=0))) + 2, -1, dtype=np.int64)
    for number, one in enumerate(ids):
        place[one] = number  # NONE is the last place
    key = place[value]
    if (key >= 0).all():
        return _Keyed(facts, None, key)
    fits = np.flatnonzero(key >= 0)
    return _Keyed(facts, fits, key[fits])
