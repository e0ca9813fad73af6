"""What a report is asked about: filters, and how far somebody may look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, String, cast, func, select

from inbox.reports.facts import CHANNELS, Facts
from inbox.reports.period import Ints
from inbox.store.models import Conversation, Tag, TeamMember
from inbox.vocabulary import ChannelKind, OperatorId, TeamId

Mask = NDArray[np.bool_]


class Group(StrEnum):
    """By what the waits of a period are told apart."""

    CHANNEL = "channel"
    TEAM = "team"
    OPERATOR = "operator"
    TAG = "tag"
    TOUCHPOINT = "touchpoint"


@dataclass(frozen=True, slots=True)
class Filter:
    """Everything that is given must fit. `operator_id`: who ended the wait, resolved, handled, was rated."""

    channel: ChannelKind | None = None
    team_id: TeamId | None = None
    operator_id: OperatorId | None = None
    tag: str | None = None
    touchpoint_id: int | None = None

    @property
    def any(self) -> bool:
        return self != Filter()


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose work may be looked at. `teams` None: the whole desk.

    A supervisor's teams: their conversations, and whatever their members did. `personal`: figures of single operators,
    of all in the scope or, False, of `only` alone.
    """

    teams: frozenset[TeamId] | None = None
    members: frozenset[OperatorId] = frozenset()
    personal: bool = True

    @property
    def whole_desk(self) -> bool:
        return self.teams is None

    def of(self, team_id: TeamId) -> bool:
        return self.teams is None or team_id in self.teams

    def may_see(self, operator_id: OperatorId) -> bool:
        return self.personal and (self.teams is None or operator_id in self.members)


WHOLE_DESK = Scope()


def scope_of_teams(conn: Connection, teams: Sequence[TeamId], *, personal: bool) -> Scope:
    """Of no team: the whole desk."""
    if not teams:
        return Scope(personal=personal)
    members = conn.execute(select(TeamMember.operator_id).where(TeamMember.team_id.in_(teams))).scalars()
    return Scope(frozenset(teams), frozenset(OperatorId(one) for one in members), personal)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A filter and a scope with what they need from the store."""

    filter: Filter
    scope: Scope
    tagged: Ints | None = None  # conversations with the tag, ascending
    team_members: Mapping[int, frozenset[int]] = field(default_factory=dict)

    def mask(self, facts: Facts) -> Mask | None:
        """Which facts are asked for; None when all are."""
        parts: list[Mask] = []
        wanted = self.filter
        if wanted.channel is not None and "channel" in facts:
            parts.append(facts["channel"] == CHANNELS.index(wanted.channel))
        if wanted.operator_id is not None and "operator" in facts:
            parts.append(facts["operator"] == wanted.operator_id)
        if wanted.touchpoint_id is not None:
            parts.append(facts["touchpoint"] == wanted.touchpoint_id)
        if wanted.team_id is not None:
            parts.append(self._of_teams(facts, [wanted.team_id], whole=True))
        if self.tagged is not None:
            parts.append(np.isin(facts["conversation"], self.tagged))
        if self.scope.teams is not None:
            parts.append(self._of_teams(facts, sorted(self.scope.teams), whole=False))
        if not parts:
            return None
        found = parts[0]
        for part in parts[1:]:
            found = found & part
        return found

    def _of_teams(self, facts: Facts, teams: Sequence[int], *, whole: bool) -> Mask:
        """`whole`: what has a team column counts by it alone."""
        members = sorted({one for team in teams for one in self.team_members.get(team, ())})
        if "team" in facts:
            own: Mask = np.isin(facts["team"], teams)
            return own if whole or "operator" not in facts else own | np.isin(facts["operator"], members)
        if "operator" in facts:
            return np.isin(facts["operator"], members)
        return np.zeros(len(facts["at"]), dtype=np.bool_)


def choose(conn: Connection, wanted: Filter, scope: Scope) -> Chosen:
    tagged = None if wanted.tag is None else tags(conn, wanted.tag).get(wanted.tag, np.zeros(0, dtype=np.int64))
    members: dict[int, set[int]] = {}
    for row in conn.execute(select(TeamMember.team_id, TeamMember.operator_id)):
        members.setdefault(row.team_id, set()).add(row.operator_id)
    return Chosen(wanted, scope, tagged, {team: frozenset(people) for team, people in members.items()})


def teams_of_conversations(conn: Connection) -> Ints:
    """The team of each conversation, at the place of its id; -1: of none. Read as `tags` are, for the same reason."""
    ids = func.aggregate_strings(cast(Conversation.id, String), ",")
    grouped = conn.execute(
        select(Conversation.team_id, ids).where(Conversation.team_id.is_not(None)).group_by(Conversation.team_id)
    )
    found = np.full((conn.execute(select(func.max(Conversation.id))).scalar() or 0) + 1, -1, dtype=np.int64)
    for team_id, written in grouped:
        assert team_id is not None
        found[np.fromstring(written, dtype=np.int64, sep=",")] = team_id
    return found


def tags(conn: Connection, name: str | None = None) -> Mapping[str, Ints]:
    """The conversations of each tag, or of one: many ids in one row, which is ten times as fast as many rows."""
    ids = func.aggregate_strings(cast(Tag.conversation_id, String), ",")
    query = select(Tag.name, ids).group_by(Tag.name).order_by(Tag.name)
    if name is not None:
        query = query.where(Tag.name == name)
    return {row[0]: np.fromstring(row[1], dtype=np.int64, sep=",") for row in conn.execute(query)}


def tag_names(conn: Connection) -> list[str]:
    return list(conn.execute(select(Tag.name).distinct().order_by(Tag.name)).scalars())


def without(wanted: Filter, group: Group) -> Filter:
    """The filter less what a group of it is about."""
    match group:
        case Group.CHANNEL:
            return replace(wanted, channel=None)
        case Group.TEAM:
            return replace(wanted, team_id=None)
        case Group.OPERATOR:
            return replace(wanted, operator_id=None)
        case Group.TAG:
            return replace(wanted, tag=None)
        case Group.TOUCHPOINT:
            return replace(wanted, touchpoint_id=None)
