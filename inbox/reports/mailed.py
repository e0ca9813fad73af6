"""Which weekly mails have been put on their way."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection, select

from inbox.store.models import ReportMail, table
from inbox.store.transaction import Transaction


def is_made(conn: Connection, week: date) -> bool:
    """`week` is the Monday it tells of."""
    return conn.execute(select(ReportMail.week).where(ReportMail.week == week.isoformat())).first() is not None


def begin(tx: Transaction, week: date, *, now: datetime) -> bool:
    """Claim a week. False when it is taken; of two processes at once one is run again and then finds it taken."""
    if is_made(tx.conn, week):
        return False
    tx.conn.execute(table(ReportMail).insert().values(week=week.isoformat(), made_at=now))
    return True
