"""Facts of whole days kept ready: a year is a few hundred packs instead of millions of rows.

A day is *sealed* a little after it has ended (UTC). From then on triggers count the changes to its rows, and a pack is
used only while it was made at the newest count: what has changed since, and what has no pack, is read from the rows.
So figures are exact at every moment, packed or not, and a pack can be thrown away at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, text, update

from inbox.queue_key import microseconds, moment
from inbox.reports import facts
from inbox.reports.facts import Facts, Kind
from inbox.reports.period import DAY
from inbox.store.models import ReportChange, ReportPack, ReportSeal, table
from inbox.store.report_triggers import COUNTED
from inbox.store.transaction import Transaction

SETTLED = timedelta(hours=2)
"""So long after its end a day is sealed: most of what is late has come by then."""


def load(conn: Connection, kind: Kind, since_us: int, until_us: int) -> Facts:
    """The facts of [since, until): packs where they count, rows elsewhere."""
    if since_us >= until_us:
        return facts.joined([], kind)
    first, last = since_us // DAY, (until_us - 1) // DAY
    form = facts.shape(kind)
    packed = {
        row.day: (row.facts, row.data)
        for row in conn.execute(
            select(ReportPack.day, ReportPack.facts, ReportPack.data)
            .outerjoin(ReportChange, (ReportChange.kind == kind) & (ReportChange.day == ReportPack.day))
            .where(
                ReportPack.kind == kind,
                ReportPack.day.between(first, last),
                ReportPack.layout == form.layout,
                ReportPack.changes == func.coalesce(ReportChange.changes, 0),
                ReportPack.day < _sealed_days(conn),
            )
        )
    }
    found: list[Facts] = []
    day = first
    while day <= last:
        if day in packed:
            run = [packed[day]]
            while (day := day + 1) in packed and day <= last:
                run.append(packed[day])
            found.append(_unpack(kind, run))
        else:
            begins = day
            while (day := day + 1) not in packed and day <= last:
                pass
            found.append(facts.read(conn, kind, begins * DAY, day * DAY))
    whole = facts.joined(found, kind)
    at = whole["at"]
    if since_us % DAY == 0 and until_us % DAY == 0:
        return whole
    return facts.only(whole, (at >= since_us) & (at < until_us))


def seal(tx: Transaction, *, now: datetime) -> bool:
    """Seal the days that are over. False when they are already."""
    before = microseconds(now - SETTLED) // DAY * DAY
    known = tx.conn.execute(select(ReportSeal.sealed_before)).scalar()
    if known is not None and microseconds(known) >= before:
        return False
    if tx.conn.dialect.name == "postgresql":
        # Whoever is in the middle of a change has not seen the new seal: wait for them, hold up the others.
        tables = ", ".join(sorted({name for _, name, _ in COUNTED}))
        tx.conn.execute(text(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE"))
    if known is None:
        tx.conn.execute(insert(ReportSeal).values(id=1, sealed_before=moment(before)))
    else:
        tx.conn.execute(update(ReportSeal).values(sealed_before=moment(before)))
    return True


@dataclass(frozen=True, slots=True)
class Stale:
    kind: Kind
    day: int


def stale(conn: Connection, limit: int = 100) -> list[Stale]:
    """Sealed days without a pack that counts, newest first."""
    sealed = _sealed_days(conn)
    found: list[Stale] = []
    for kind in Kind:
        form = facts.shape(kind)
        oldest = conn.execute(select(func.min(form.moment))).scalar()
        if oldest is None:
            continue
        good = set(
            conn.execute(
                select(ReportPack.day)
                .outerjoin(ReportChange, (ReportChange.kind == kind) & (ReportChange.day == ReportPack.day))
                .where(
                    ReportPack.kind == kind,
                    ReportPack.layout == form.layout,
                    ReportPack.changes == func.coalesce(ReportChange.changes, 0),
                )
            ).scalars()
        )
        days = range(sealed - 1, microseconds(oldest) // DAY - 1, -1)
        found += [Stale(kind, day) for day in days if day not in good][:limit]
    return sorted(found, key=lambda one: -one.day)[:limit]


@dataclass(frozen=True, slots=True)
class Pack:
    kind: Kind
    day: int
    changes: int
    count: int
    data: bytes


def make(conn: Connection, one: Stale) -> Pack:
    """A day's pack and the count of changes it was made at, both of one moment (a `Database.read`)."""
    changes = conn.execute(
        select(ReportChange.changes).where(ReportChange.kind == one.kind, ReportChange.day == one.day)
    ).scalar()
    found = facts.read(conn, one.kind, one.day * DAY, (one.day + 1) * DAY)
    return Pack(one.kind, one.day, changes or 0, len(found["at"]), b"".join(c.tobytes() for c in found.values()))


def keep(tx: Transaction, packs: Sequence[Pack]) -> None:
    """Store packs; one that was made before another that is there already is left out."""
    for pack in packs:
        which = (ReportPack.kind == pack.kind, ReportPack.day == pack.day)
        layout = facts.shape(pack.kind).layout
        known = tx.conn.execute(select(ReportPack.changes, ReportPack.layout).where(*which).with_for_update()).first()
        values = {"changes": pack.changes, "layout": layout, "facts": pack.count, "data": pack.data}
        if known is None:
            tx.conn.execute(insert(table(ReportPack)).values(kind=pack.kind, day=pack.day, **values))
        elif known.changes < pack.changes or known.layout != layout:
            tx.conn.execute(update(ReportPack).where(*which).values(**values))


def forget(tx: Transaction) -> int:
    """Throw all packs away, to make them anew; how many there were."""
    return tx.conn.execute(delete(ReportPack)).rowcount


def differing(conn: Connection, day_from: int, day_to: int) -> list[Stale]:
    """Days in [from, to) whose pack counts and yet says something else than their rows. There should be none."""
    found = []
    for kind in Kind:
        for day in range(day_from, day_to):
            known = conn.execute(
                select(ReportPack.data)
                .outerjoin(ReportChange, (ReportChange.kind == kind) & (ReportChange.day == ReportPack.day))
                .where(
                    ReportPack.kind == kind,
                    ReportPack.day == day,
                    ReportPack.layout == facts.shape(kind).layout,
                    ReportPack.changes == func.coalesce(ReportChange.changes, 0),
                )
            ).scalar()
            if known is not None and known != make(conn, Stale(kind, day)).data:
                found.append(Stale(kind, day))
    return found


def packed_days(conn: Connection) -> tuple[int, int] | None:
    """First packed day and the day after the last; None where nothing is packed."""
    row = conn.execute(select(func.min(ReportPack.day).label("low"), func.max(ReportPack.day).label("high"))).one()
    return None if row.low is None else (row.low, row.high + 1)


def _sealed_days(conn: Connection) -> int:
    """Days since 1970 before which all are sealed."""
    before = conn.execute(select(ReportSeal.sealed_before)).scalar()
    return 0 if before is None else microseconds(before) // DAY


def _unpack(kind: Kind, run: Sequence[tuple[int, bytes]]) -> Facts:
    found = {}
    places = [0] * len(run)
    for name, width in facts.shape(kind).columns.items():
        form = np.dtype(width)
        columns = []
        for index, (count, data) in enumerate(run):
            columns.append(np.frombuffer(data, form, count, places[index]))
            places[index] += count * form.itemsize
        found[name] = np.concatenate(columns)
    return found
