"""Times at which a call can be promised."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from inbox.callbacks import Slot
from inbox.waits import calendar

LENGTH = timedelta(hours=1)
SOONEST = timedelta(minutes=30)
APART = timedelta(hours=2)
SHOWN = 8


def callback_slots(conn: Connection, now: datetime) -> list[Slot]:
    """Every second whole hour inside the opening times of the next days."""
    hours = calendar.current(conn, now).hours
    found: list[Slot] = []
    for since, until in hours.intervals(now + SOONEST, now + timedelta(days=7)):
        start = since.replace(minute=0, second=0, microsecond=0)
        if start < since:
            start += LENGTH
        while start + LENGTH <= until:
            if not found or start - found[-1].since >= APART:
                found.append(Slot(start, start + LENGTH))
            if len(found) == SHOWN:
                return found
            start += LENGTH
    return found
