"""What a desk asks of its plan: service level, limits, and values for what has not been measured yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from inbox import audit, settings
from inbox.errors import BadInput
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId
from inbox.words import N_

NAME = "staffing"
MOST_MARKED_DAYS = 400
CHAT_FACTORS: Mapping[int, float] = {1: 1.0, 2: 1.7, 3: 2.5, 4: 2.9, 5: 3.5}
"""How much more an operator gets done with so many chats at once (Call Centre Helper): an approximation."""


@dataclass(frozen=True, slots=True)
class StaffingSettings:
    """`phone_s`, `chat_s`: answered within so many seconds; None: the desk's own warning of that channel."""

    level_percent: int = 80
    phone_s: int | None = None
    chat_s: int | None = None
    occupancy_percent: int = 85
    shrinkage_percent: int = 30
    least_people: int = 1
    patience_s: int = 180
    callback_minutes: int = 60
    chats_at_once: int = 2
    phone_handle_s: int = 300
    chat_handle_s: int = 600
    email_handle_s: int = 360
    marked_days: Mapping[str, str] = field(default_factory=dict)

    @property
    def shrinkage(self) -> float:
        return self.shrinkage_percent / 100

    @property
    def occupancy(self) -> float:
        return self.occupancy_percent / 100

    @property
    def level(self) -> float:
        return self.level_percent / 100

    def marked(self) -> Mapping[date, str]:
        """Days that say nothing about others, with the reason: outages and the like."""
        return {date.fromisoformat(day): reason for day, reason in self.marked_days.items()}


LIMITS: Mapping[str, tuple[int, int]] = {
    "level_percent": (1, 99),
    "phone_s": (1, 3600),
    "chat_s": (1, 3600),
    "occupancy_percent": (30, 99),
    "shrinkage_percent": (0, 80),
    "least_people": (0, 100),
    "patience_s": (5, 3600),
    "callback_minutes": (5, 7 * 24 * 60),
    "chats_at_once": (1, 5),
    "phone_handle_s": (5, 4 * 3600),
    "chat_handle_s": (5, 4 * 3600),
    "email_handle_s": (5, 4 * 3600),
}
_MAY_BE_EMPTY = ("phone_s", "chat_s")


def read(conn: Connection) -> StaffingSettings:
    found = settings.get(conn, NAME)
    if found is None:
        return StaffingSettings()
    known = {part.name for part in fields(StaffingSettings)}
    return replace(StaffingSettings(), **{name: value for name, value in found.items() if name in known})


def change(tx: Transaction, wanted: StaffingSettings, *, by: OperatorId, now: datetime) -> None:
    """Raises BadInput naming the field that is wrong."""
    check(wanted)
    settings.put(tx, NAME, asdict(wanted), now=now)
    audit.note(tx, "staffing_changed", by=by, now=now)


def check(wanted: StaffingSettings) -> None:
    """Raises BadInput naming the field that is wrong."""
    for name, (least, most) in LIMITS.items():
        value: Any = getattr(wanted, name)
        if value is None and name in _MAY_BE_EMPTY:
            continue
        if type(value) is not int or not least <= value <= most:
            raise BadInput(name, N_("Write a whole number from %(least)s to %(most)s."), least=least, most=most)
    if len(wanted.marked_days) > MOST_MARKED_DAYS:
        raise BadInput("marked_days", N_("At most %(most)s days can be marked."), most=MOST_MARKED_DAYS)
    for day in wanted.marked_days:
        try:
            date.fromisoformat(day)
        except (ValueError, TypeError):
            raise BadInput("marked_days", N_("“%(written)s” is not a date; write 2026-12-24."), written=day) from None
