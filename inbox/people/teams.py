"""Teams: who belongs together, whose hours count, and through which doors customers come to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from inbox.errors import BadInput, NotFound
from inbox.store.models import Calendar, Operator, Setting, Team, TeamMember
from inbox.store.prepared import Prepared
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, OperatorId, TeamId
from inbox.words import N_

DOORS = "team_doors"
"""Name of the setting that says which team a door leads to."""

DOOR_KEYS: Mapping[ChannelKind, str] = {
    ChannelKind.CHAT: "site",
    ChannelKind.EMAIL: "support_address",
    ChannelKind.PHONE: "line",
}
"""What of a conversation's source names the door it came by."""

_DOORS = Prepared(select(Setting.value).where(Setting.name == bindparam("name")))


@dataclass(frozen=True, slots=True)
class TeamRecord:
    id: TeamId
    name: str
    members: Sequence[OperatorId]
    doors: Sequence[str]
    """As "chat:shop", "email:help@shop.example", "phone:Support"."""


def every(conn: Connection) -> list[TeamRecord]:
    members: dict[int, list[OperatorId]] = {}
    for row in conn.execute(
        select(TeamMember.team_id, TeamMember.operator_id)
        .join(Operator, Operator.id == TeamMember.operator_id)
        .where(Operator.disabled_at.is_(None))
        .order_by(Operator.name, Operator.id)
    ):
        members.setdefault(row.team_id, []).append(OperatorId(row.operator_id))
    doors: dict[int, list[str]] = {}
    for door, team_id in _doors(conn).items():
        doors.setdefault(team_id, []).append(door)
    return [
        TeamRecord(TeamId(row.id), row.name, members.get(row.id, []), sorted(doors.get(row.id, ())))
        for row in conn.execute(select(Team.id, Team.name).order_by(Team.name, Team.id))
    ]


def get(conn: Connection, team_id: TeamId) -> TeamRecord:
    """Raises NotFound."""
    found = next((team for team in every(conn) if team.id == team_id), None)
    if found is None:
        raise NotFound("team")
    return found


def add(tx: Transaction, name: str) -> TeamId:
    """Raises BadInput."""
    return TeamId(tx.insert(Team, name=_checked(tx.conn, name, None)))


def change(
    tx: Transaction,
    team_id: TeamId,
    *,
    name: str,
    members: Collection[OperatorId],
    doors: Collection[str],
    now: datetime,
) -> None:
    """Name, members and doors as they are to be. A door is taken from another team. Raises BadInput."""
    get(tx.conn, team_id)
    tx.conn.execute(update(Team).where(Team.id == team_id).values(name=_checked(tx.conn, name, team_id)))
    tx.conn.execute(delete(TeamMember).where(TeamMember.team_id == team_id))
    known = set(tx.conn.execute(select(Operator.id).where(Operator.id.in_(list(members)))).scalars())
    if known:
        tx.conn.execute(
            insert(TeamMember), [{"team_id": team_id, "operator_id": operator_id} for operator_id in sorted(known)]
        )
    wanted = {_door(door) for door in doors if door.strip()}
    kept = {door: team for door, team in _doors(tx.conn).items() if team != team_id and door not in wanted}
    _keep_doors(tx, {**kept, **dict.fromkeys(sorted(wanted), int(team_id))}, now)


def team_of(conn: Connection, channel: ChannelKind, source: Mapping[str, Any]) -> TeamId | None:
    """Which team a conversation goes to that comes by this door; None: the desk's."""
    doors = _doors(conn)
    if not doors:
        return None
    name = source.get(DOOR_KEYS[channel])
    found = doors.get(f"{channel}:{name.strip().casefold()}") if isinstance(name, str) else None
    return None if found is None else TeamId(found)


def has_hours(conn: Connection, team_id: TeamId) -> bool:
    """Whether the team ever had hours of its own."""
    return conn.execute(select(Calendar.id).where(Calendar.team_id == team_id).limit(1)).first() is not None


def _doors(conn: Connection) -> dict[str, int]:
    kept = _DOORS.scalar(conn, name=DOORS)
    return {} if kept is None else dict(kept)


def _keep_doors(tx: Transaction, doors: dict[str, int], now: datetime) -> None:
    changed = tx.conn.execute(update(Setting).where(Setting.name == DOORS).values(value=doors, changed_at=now))
    if not changed.rowcount:
        tx.conn.execute(insert(Setting).values(name=DOORS, value=doors, changed_at=now))


def _door(written: str) -> str:
    channel, _, name = written.strip().partition(":")
    if channel not in set(ChannelKind) or not name.strip() or len(written) > 300:
        raise BadInput(
            "doors", N_("“%(written)s” is no door; write chat:, email: or phone: and its name."), written=written
        )
    return f"{channel}:{name.strip().casefold()}"


def _checked(conn: Connection, name: str, own: TeamId | None) -> str:
    wanted = name.strip()[:200]
    if not wanted:
        raise BadInput("name", N_("Write a name."))
    other = conn.execute(select(Team.id).where(Team.name == wanted)).scalar()
    if other is not None and other != own:
        raise BadInput("name", N_("There is a team of this name already."))
    return wanted
