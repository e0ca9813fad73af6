"""Whether figures of single operators are shown. Apart from the other settings: the wallboard asks with every board."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection

from inbox import settings

SETTING = "reports"


class Personal(StrEnum):
    """Who sees figures of single operators."""

    ON = "on"  # they their own, supervisors those of their teams, administrators all
    OWN = "own"  # they their own, nobody else
    OFF = "off"  # nobody


def others_see(conn: Connection) -> bool:
    """Whether anybody but the operators themselves does."""
    found = settings.get(conn, SETTING) or {}
    return Personal(found.get("personal", Personal.ON)) is Personal.ON
