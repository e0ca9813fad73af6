"""The waits and the work of a period by channel, team, operator, tag or touchpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from inbox.queue_key import microseconds
from inbox.reports.facts import CHANNELS, NONE, Facts
from inbox.reports.loading import Loaded, Slice
from inbox.reports.period import Ints
from inbox.reports.question import Group
from inbox.reports.waiting import Ranks, WaitFigures, ranks, tabulate
from inbox.reports.work import GOOD, Handling, Spans, handling
from inbox.vocabulary import OperatorId
from inbox.waits.metrics import Percentiles, Share


@dataclass(frozen=True, slots=True)
class GroupRow:
    """`id` is what a filter for it takes; None: what belongs to no group."""

    id: str | None
    name: str
    waiting: WaitFigures
    first_response: Percentiles
    handling: Handling | None
    resolved: int
    reopened: Share
    satisfaction: Share
    missed_offers: int | None


@dataclass(frozen=True, slots=True)
class _Keyed:
    """Facts beside the group each belongs to; one with several tags stands there several times."""

    facts: Facts
    rows: Ints
    key: Ints

    def column(self, name: str) -> Ints:
        found: Ints = self.facts[name][self.rows]
        return found


def group_rows(loaded: Loaded, what: NDArray[np.int8]) -> list[GroupRow]:
    group, of = loaded.question.group, loaded.this
    assert group is not None
    ids, labels = _members(group, loaded)
    size = len(ids)

    def keyed(facts: Facts) -> _Keyed:
        return _key(group, facts, ids, loaded)

    waits = keyed(of.waits)
    its = {name: values[waits.rows] for name, values in of.waits.items()}
    table = tabulate(its, what[waits.rows], waits.key, size)
    first = (its["ending"] == 0) & (its["first"] == 1)
    responded: Ranks = ranks(its["net"][first], waits.key[first], size)
    resolved, ratings, offers, handled = (keyed(one) for one in (of.resolutions, of.ratings, of.offers, of.handling))
    rated = np.bincount(ratings.key, minlength=size)
    good = np.bincount(ratings.key[ratings.column("score") >= GOOD], minlength=size)
    conversations = _distinct(resolved.key, resolved.column("conversation"), size)
    again = resolved.column("reopened") != NONE
    reopened = _distinct(resolved.key[again], resolved.column("conversation")[again], size)
    missed = np.bincount(offers.key, minlength=size)
    rows = []
    for place in range(size):
        figures = table[place]
        work = _handling_of(group, place, ids, handled, of, loaded.now)
        something = figures.arrivals or figures.counted or conversations[place] or rated[place] or missed[place]
        if not something and not (work is not None and (work.sessions or work.online_s)):
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


def _handling_of(
    group: Group, place: int, ids: Sequence[int], handled: _Keyed, of: Slice, now: datetime
) -> Handling | None:
    mine = handled.rows[handled.key == place]
    facts = {name: values[mine] for name, values in of.handling.items()}
    nobody = np.zeros(0, dtype=np.int64)
    online = Spans(nobody, nobody, nobody)
    if group is Group.OPERATOR:
        his = of.online.operator == ids[place]
        online = Spans(of.online.operator[his], of.online.began[his], of.online.ended[his])
    until = min(of.period.until_us, max(microseconds(now), of.period.since_us))
    return handling(facts, online, of.period.since_us, until, [])[0]


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
    rows = np.arange(len(facts["at"]), dtype=np.int64)
    if group is Group.TAG:
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
        people = facts.get("operator", np.full(len(rows), NONE))
        highest = max(loaded.names.operators, default=0) + 2
        team_of = np.full(highest + 1, NONE, dtype=np.int64)
        for operator, team in loaded.names.team_of.items():
            team_of[operator] = team
        value = team_of[people]  # NONE finds the last place, which is nobody's
    else:
        value = facts[group.value] if group.value in facts else np.full(len(rows), NONE)
    known = np.array(ids, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known[order], value), len(ids) - 1)
    fits = known[order][place] == value
    return _Keyed(facts, rows[fits], order[place][fits])


def _distinct(key: Ints, conversation: Ints, size: int) -> Ints:
    """Different conversations of each key."""
    found = np.unique(key.astype(np.int64) << 42 | conversation)
    numbers: Ints = np.bincount(found >> 42, minlength=size).astype(np.int64)
    return numbers
