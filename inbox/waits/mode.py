"""Desk mode: opening hours, presence and load together decide what a visitor can expect right now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from inbox.queue_key import NOT_WAITING, microseconds
from inbox.store.models import Conversation, Operator
from inbox.vocabulary import DeskMode, Presence, Status
from inbox.waits import calendar

CAPACITY = 3
"""Open conversations an operator works on at once before being full."""


@dataclass(frozen=True, slots=True)
class ModeNow:
    """`opens_at`: the next opening while closed, None when nothing opens. `closes_at`: the end of the open hours."""

    mode: DeskMode
    opens_at: datetime | None
    closes_at: datetime | None
    online: int
    """Operators who take new work."""
    zone: str

    @property
    def is_open(self) -> bool:
        return self.mode is not DeskMode.CLOSED


def desk_mode(conn: Connection, now: datetime) -> ModeNow:
    """Closed outside the opening hours; away when nobody takes new work; busy when everybody who does is full, or
    when somebody has waited past the target; else staffed."""
    version = calendar.current(conn, now)
    online = conn.execute(
        select(Operator.id).where(Operator.presence == Presence.ONLINE, Operator.disabled_at.is_(None))
    ).scalars()
    operator_ids = list(online)
    if not version.hours.is_open(now):
        opens_at = version.hours.next_opening(now)
        return ModeNow(DeskMode.CLOSED, opens_at, None, len(operator_ids), version.zone)
    if not operator_ids:
        mode = DeskMode.AWAY
    elif _somebody_waits_too_long(conn, now) or _everybody_is_full(conn, operator_ids):
        mode = DeskMode.BUSY
    else:
        mode = DeskMode.STAFFED
    return ModeNow(mode, None, version.hours.closing(now), len(operator_ids), version.zone)


def _somebody_waits_too_long(conn: Connection, now: datetime) -> bool:
    return (
        conn.execute(
            select(Conversation.id)
            .where(
                Conversation.status == Status.OPEN,
                Conversation.queue_key < min(microseconds(now), NOT_WAITING),
                Conversation.spam.is_(False),
            )
            .limit(1)
        ).first()
        is not None
    )


def _everybody_is_full(conn: Connection, operator_ids: list[int]) -> bool:
    full = conn.execute(
        select(Conversation.owner_id)
        .where(
            Conversation.owner_id.in_(operator_ids),
            Conversation.status == Status.OPEN,
            Conversation.spam.is_(False),
        )
        .group_by(Conversation.owner_id)
        .having(func.count() >= CAPACITY)
    ).all()
    return len(full) >= len(operator_ids)
