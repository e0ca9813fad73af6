"""What a report needs of the store, read in one view of it: packed facts, presence, names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, select

from inbox import touchpoints
from inbox.queue_key import microseconds
from inbox.reports import packs, period
from inbox.reports.facts import CHANNELS, NONE, Facts, Kind, joined, only, place, running_waits
from inbox.reports.period import DAY, Cut, Ints, Period
from inbox.reports.presence import at_work
from inbox.reports.question import (
    EVERYTHING,
    WHOLE_DESK,
    Chosen,
    Filter,
    Group,
    Scope,
    choose,
    tags,
    teams_of_conversations,
)
from inbox.reports.work import FCR_WINDOW, Spans
from inbox.store.models import Conversation, MissedOffer, Operator, Team, TeamMember
from inbox.vocabulary import ChannelKind
from inbox.waits import calendar


@dataclass(frozen=True, slots=True)
class Question:
    period: Period
    filter: Filter = EVERYTHING
    scope: Scope = WHOLE_DESK
    cut: Cut | None = None
    group: Group | None = None
    compared: bool = True
    heat: bool = True


@dataclass(frozen=True, slots=True)
class Names:
    """What the ids in facts are called. `team_of`: one team of each operator, the first by name."""

    operators: Mapping[int, str]
    teams: Mapping[int, str]
    touchpoints: Mapping[int, tuple[ChannelKind, str]]
    team_of: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Slice:
    """What happened in one period, already filtered. `horizon`: waits of the whole desk, a week longer."""

    period: Period
    waits: Facts
    horizon: Facts
    resolutions: Facts
    handling: Facts
    ratings: Facts
    calls: Facts | None
    callbacks: Facts
    online: Spans
    offers: Facts


@dataclass(frozen=True, slots=True)
class Loaded:
    question: Question
    now: datetime
    names: Names
    this: Slice
    before: Slice | None
    tags: tuple[Ints, Sequence[str], Ints] | None  # conversation, name of each place, place; by conversation


def zone_of(conn: Connection, now: datetime) -> str:
    return calendar.current(conn, now).zone


def load(conn: Connection, question: Question, *, now: datetime) -> Loaded:
    chosen = choose(conn, question.filter, question.scope)
    earlier = period.before(question.period, now) if question.compared else None
    by_team = question.group is Group.TEAM or question.filter.team_id is not None or not question.scope.whole_desk
    teams = teams_of_conversations(conn) if by_team else None
    return Loaded(
        question,
        now,
        names(conn),
        _slice(conn, question.period, chosen, teams, now),
        None if earlier is None else _slice(conn, earlier, chosen, teams, now),
        _tags(conn) if question.group is Group.TAG else None,
    )


def _slice(conn: Connection, wanted: Period, chosen: Chosen, teams: Ints | None, now: datetime) -> Slice:
    """`teams`: of each conversation, where teams are asked about."""
    since, until = wanted.since_us, wanted.until_us
    ended = packs.load(conn, Kind.WAITS, since, until + FCR_WINDOW)
    waits = joined([ended, running_waits(conn, now, since, until + FCR_WINDOW)], Kind.WAITS)
    asked = waits["at"] < until
    mine = chosen.mask(waits)
    if mine is not None:
        asked = asked & mine

    def filtered(facts: Facts) -> Facts:
        mask = chosen.mask(facts)
        return facts if mask is None else only(facts, mask)

    def of(kind: Kind, earlier: int = 0) -> Facts:
        return filtered(packs.load(conn, kind, since - earlier, until))

    def of_its_team(kind: Kind) -> Facts:
        """What became of a conversation is its team's. Work, presence and offers are of who was at work."""
        found = packs.load(conn, kind, since, until)
        if teams is None:
            return filtered(found)
        its = found["conversation"]
        return filtered({**found, "team": np.where(its == NONE, NONE, teams.take(its, mode="clip"))})

    by_phone = chosen.filter.channel in (None, ChannelKind.PHONE)
    calls_apart = by_phone and chosen.filter.operator_id is None  # nobody's call is any operator's until it is answered
    called = of_its_team(Kind.CALLBACKS)
    return Slice(
        wanted,
        only(waits, asked),
        waits,
        of_its_team(Kind.RESOLUTIONS),
        of(Kind.HANDLING, DAY),
        of_its_team(Kind.RATINGS),
        of_its_team(Kind.CALLS) if calls_apart else None,
        called if by_phone else only(called, np.zeros(len(called["at"]), dtype=np.bool_)),
        _online(conn, chosen, since, min(until, microseconds(now))),
        filtered(_offers(conn, wanted)),
    )


def _online(conn: Connection, chosen: Chosen, since: int, until: int) -> Spans:
    """Presence of those asked about. It is of a person, so channel, tag and touchpoint say nothing about it."""
    found = at_work(conn, since, max(since, until))
    people = Chosen(
        Filter(team_id=chosen.filter.team_id, operator_id=chosen.filter.operator_id),
        chosen.scope,
        None,
        chosen.team_members,
    ).mask({"at": found.began, "operator": found.operator})
    return found if people is None else Spans(found.operator[people], found.began[people], found.ended[people])


def _offers(conn: Connection, wanted: Period) -> Facts:
    rows = conn.execute(
        select(
            MissedOffer.operator_id,
            MissedOffer.conversation_id,
            Conversation.touchpoint_id,
            place(Conversation.channel, CHANNELS),
        )
        .join(Conversation, Conversation.id == MissedOffer.conversation_id)
        .where(MissedOffer.missed_at >= wanted.since, MissedOffer.missed_at < wanted.until)
    ).all()
    columns = ("operator", "conversation", "touchpoint", "channel")
    values = [[NONE if value is None else value for value in row] for row in rows]
    found = np.array(values, dtype=np.int64).reshape(len(values), len(columns))
    return {"at": np.zeros(len(values), dtype=np.int64)} | {name: found[:, n] for n, name in enumerate(columns)}


def names(conn: Connection) -> Names:
    team_of: dict[int, int] = {}
    for row in conn.execute(
        select(TeamMember.operator_id, TeamMember.team_id).join(Team, Team.id == TeamMember.team_id).order_by(Team.name)
    ):
        team_of.setdefault(row.operator_id, row.team_id)
    return Names(
        {row.id: row.name for row in conn.execute(select(Operator.id, Operator.name))},
        {row.id: row.name for row in conn.execute(select(Team.id, Team.name))},
        {one.id: (one.channel, one.name) for one in touchpoints.every(conn)},
        team_of,
    )


def _tags(conn: Connection) -> tuple[Ints, Sequence[str], Ints]:
    found = tags(conn)
    conversations = np.concatenate([np.zeros(0, dtype=np.int64), *found.values()])
    place = np.repeat(np.arange(len(found)), [len(ids) for ids in found.values()])
    order = np.argsort(conversations)
    return conversations[order], list(found), place[order]
