"""Whose plan it is: the whole desk or one team. Supervisors who belong to teams see these, all others everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from inbox.errors import NotAllowed, NotFound
from inbox.people.operators import OperatorRecord
from inbox.store.models import Operator, Team, TeamMember
from inbox.vocabulary import OperatorId, Role, TeamId


@dataclass(frozen=True, slots=True)
class TeamName:
    id: TeamId
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    id: OperatorId
    name: str


@dataclass(frozen=True, slots=True)
class Scope:
    """`whole_desk`: may see all of it; `team` is the chosen one, None the whole desk. `people`: whom it concerns."""

    whole_desk: bool
    teams: Sequence[TeamName]
    team: TeamName | None
    people: Sequence[Person]

    @property
    def team_id(self) -> TeamId | None:
        return self.team.id if self.team else None

    @property
    def operators(self) -> Sequence[OperatorId] | None:
        """For queries; None means no limit."""
        return None if self.team is None else [person.id for person in self.people]

    def covers(self, operator_id: OperatorId) -> bool:
        return any(person.id == operator_id for person in self.people)


def scope(conn: Connection, viewer: OperatorRecord, team_id: TeamId | None) -> Scope:
    """What this supervisor sees of the wanted team; their first one when they may not see the desk.

    Raises NotFound for a team that is none of theirs.
    """
    query = select(Team.id, Team.name).order_by(Team.name)
    mine = set(conn.execute(select(TeamMember.team_id).where(TeamMember.operator_id == viewer.id)).scalars())
    whole_desk = viewer.may(Role.ADMINISTRATOR) or not mine
    teams = [TeamName(TeamId(row.id), row.name) for row in conn.execute(query) if whole_desk or row.id in mine]
    if team_id is None:
        chosen = None if whole_desk else teams[0]
    else:
        chosen = next((team for team in teams if team.id == team_id), None)
        if chosen is None:
            raise NotFound("team")
    return Scope(whole_desk, teams, chosen, _people(conn, chosen))


def _people(conn: Connection, team: TeamName | None) -> list[Person]:
    query = select(Operator.id, Operator.name).where(Operator.disabled_at.is_(None)).order_by(Operator.name)
    if team is not None:
        members = select(TeamMember.operator_id).where(TeamMember.team_id == team.id)
        query = query.where(Operator.id.in_(members))
    return [Person(OperatorId(row.id), row.name) for row in conn.execute(query)]


def may_plan(conn: Connection, viewer: OperatorRecord, operator_id: OperatorId) -> None:
    """Raises NotAllowed when this operator is in none of the viewer's teams."""
    mine = select(TeamMember.team_id).where(TeamMember.operator_id == viewer.id)
    if viewer.may(Role.ADMINISTRATOR) or conn.execute(mine.limit(1)).first() is None:
        return
    shared = select(TeamMember.operator_id).where(TeamMember.operator_id == operator_id, TeamMember.team_id.in_(mine))
    if conn.execute(shared.limit(1)).first() is None:
        raise NotAllowed
