"""Where several processes share the desk: in which of them a visitor's website is open, and which have died.

A visitor has left when no process holds a window of theirs. A process that says nothing for a while has died, and its
visitors left with it unless another holds them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from inbox import visitor_leaving
from inbox.store.models import VisitorWindow, WindowProcess
from inbox.store.transaction import Transaction

SAYS_SO_EVERY = timedelta(seconds=15)
SILENT = timedelta(seconds=60)
"""So long without a word, a process has died."""


def opened(tx: Transaction, visitor: str, process: str, *, now: datetime) -> None:
    held = select(VisitorWindow.visitor).where(VisitorWindow.visitor == visitor, VisitorWindow.process == process)
    if tx.conn.execute(held).first() is None:
        tx.conn.execute(insert(VisitorWindow).values(visitor=visitor[:80], process=process))


def closed(tx: Transaction, visitor: str, process: str, *, now: datetime) -> None:
    """The last window of a visitor in this process."""
    tx.conn.execute(delete(VisitorWindow).where(VisitorWindow.visitor == visitor, VisitorWindow.process == process))
    _left_unless_elsewhere(tx, visitor, now)


def alive(tx: Transaction, process: str, *, now: datetime) -> None:
    changed = tx.conn.execute(update(WindowProcess).where(WindowProcess.process == process).values(seen_at=now))
    if changed.rowcount == 0:
        tx.conn.execute(insert(WindowProcess).values(process=process, seen_at=now))


def bury_silent(tx: Transaction, *, now: datetime) -> int:
    """Note that the visitors of processes that have died are gone. How many visitors those were."""
    silent = tx.conn.execute(
        select(WindowProcess.process).where(WindowProcess.seen_at < now - SILENT).with_for_update(skip_locked=True)
    ).scalars()
    count = 0
    for process in list(silent):
        visitors = list(
            tx.conn.execute(select(VisitorWindow.visitor).where(VisitorWindow.process == process)).scalars()
        )
        tx.conn.execute(delete(VisitorWindow).where(VisitorWindow.process == process))
        tx.conn.execute(delete(WindowProcess).where(WindowProcess.process == process))
        for visitor in visitors:
            _left_unless_elsewhere(tx, visitor, now)
        count += len(visitors)
    return count


def _left_unless_elsewhere(tx: Transaction, visitor: str, now: datetime) -> None:
    held = select(VisitorWindow.process).where(VisitorWindow.visitor == visitor).limit(1)
    if tx.conn.execute(held).first() is None:
        visitor_leaving.left(tx, visitor, now=now)
