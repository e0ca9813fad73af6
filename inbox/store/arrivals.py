"""Raw things that came in, stored before they are understood, accounted for ever after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from inbox.errors import NotFound
from inbox.events import ArrivalKept, ArrivalSettled
from inbox.store.models import Arrival, Entry, table
from inbox.store.prepared import Prepared
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalId, ArrivalState, EntryId

MAX_TRIES = 3
"""After so many failures an arrival waits in the tray for a person."""

REASON_WORD_CHARS = 60

READ_AT_ONCE_BYTES = 64_000_000
"""How much raw mail is in memory together while it waits to be understood."""


@dataclass(frozen=True, slots=True)
class Kept:
    arrival_id: ArrivalId
    duplicate: bool


@dataclass(frozen=True, slots=True)
class ArrivalRecord:
    id: ArrivalId
    source: str
    received_at: datetime
    raw: bytes
    envelope: Mapping[str, Any]
    state: ArrivalState
    attempts: int
    reason: str
    entry_id: EntryId | None


_SEEN = Prepared(select(Arrival.id).where(Arrival.dedupe_key == bindparam("dedupe_key")))
_KEEP = Prepared(
    insert(table(Arrival))
    .values(
        {
            c: bindparam(c)
            for c in ("source", "dedupe_key", "received_at", "raw", "envelope", "state", "attempts", "reason")
        }
    )
    .returning(table(Arrival).c.id)
)
_STATE = Prepared(select(Arrival.state, Arrival.entry_id).where(Arrival.id == bindparam("arrival")).with_for_update())
_SETTLE = Prepared(
    update(table(Arrival))
    .where(table(Arrival).c.id == bindparam("arrival"))
    .values({c: bindparam(c) for c in ("state", "entry_id", "reason", "reason_word", "settled_at")})
)


def keep(
    tx: Transaction, *, source: str, dedupe_key: str, raw: bytes, envelope: Mapping[str, Any], now: datetime
) -> Kept:
    """Store once. Only after this has committed may the sender be told that we have it."""
    known = _SEEN.scalar(tx.conn, dedupe_key=dedupe_key[:200])
    if known is not None:
        return Kept(ArrivalId(known), duplicate=True)
    arrival_id = ArrivalId(
        _KEEP.scalar(
            tx.conn,
            source=source,
            dedupe_key=dedupe_key[:200],
            received_at=now,
            raw=raw,
            envelope=dict(envelope),
            state=ArrivalState.NEW,
            attempts=0,
            reason="",
        )
    )
    tx.record(ArrivalKept(arrival_id, source))
    return Kept(arrival_id, duplicate=False)


def settle(
    tx: Transaction,
    arrival_id: ArrivalId,
    state: ArrivalState,
    *,
    now: datetime,
    entry_id: EntryId | None = None,
    reason: str = "",
) -> None:
    """Say what became of it: placed (with its entry), set aside or in the tray (with the reason)."""
    _SETTLE.run(
        tx.conn,
        arrival=arrival_id,
        state=state,
        entry_id=entry_id,
        reason=reason[:1000],
        reason_word=reason_word(reason),
        settled_at=now,
    )
    tx.record(ArrivalSettled(arrival_id))


def reason_word(reason: str) -> str:
    """The part of a reason by which arrivals are counted together."""
    return reason[:REASON_WORD_CHARS]


def fill(tx: Transaction, dedupe_key: str, raw: bytes) -> bool:
    """The bytes of an arrival that came without them: it is tried again. False when it had them."""
    row = tx.conn.execute(
        update(Arrival)
        .where(Arrival.dedupe_key == dedupe_key[:200], func.length(Arrival.raw) == 0)
        .values(raw=raw, state=ArrivalState.NEW, attempts=0, settled_at=None)
        .returning(Arrival.id, Arrival.source)
    ).first()
    if row is None:
        return False
    tx.record(ArrivalKept(ArrivalId(row.id), row.source))
    return True


def held(tx: Transaction, arrival_id: ArrivalId) -> tuple[ArrivalState, EntryId | None] | None:
    """How far an arrival has got, held until the commit: two processes cannot place it both. None when it is gone."""
    row = _STATE.first(tx.conn, arrival=arrival_id)
    return None if row is None else (ArrivalState(row.state), row.entry_id)


def failed(tx: Transaction, arrival_id: ArrivalId, error: str, *, now: datetime) -> bool:
    """Count a failure; True when that was the last try and it lies in the tray now.

    Nothing changes when another process has settled it meanwhile.
    """
    attempts = tx.conn.execute(
        update(Arrival)
        .where(Arrival.id == arrival_id, Arrival.state == ArrivalState.NEW)
        .values(attempts=Arrival.attempts + 1, reason=error[:1000])
        .returning(Arrival.attempts)
    ).scalar()
    if attempts is None or attempts < MAX_TRIES:
        return False
    settle(tx, arrival_id, ArrivalState.TRAY, now=now, reason=error)
    return True


def run_again(tx: Transaction, arrival_id: ArrivalId) -> None:
    """Take an arrival out of the tray for another try, after a fix."""
    source = tx.conn.execute(
        update(Arrival)
        .where(Arrival.id == arrival_id, Arrival.state.in_((ArrivalState.TRAY, ArrivalState.SET_ASIDE)))
        .values(state=ArrivalState.NEW, attempts=0, settled_at=None)
        .returning(Arrival.source)
    ).scalar()
    if source is not None:
        tx.record(ArrivalKept(arrival_id, source))


_FIRST_WAITING = (
    select(Arrival.id, func.length(Arrival.raw).label("size_bytes"))
    .where(Arrival.state == ArrivalState.NEW)
    .order_by(Arrival.id)
)


def waiting(
    conn: Connection, source_prefix: str, limit: int = 50, *, most_bytes: int = READ_AT_ONCE_BYTES
) -> list[ArrivalRecord]:
    """Arrivals nobody has understood yet, oldest first; the first one, and as many more as `most_bytes` allow."""
    found = conn.execute(
        _FIRST_WAITING.where(Arrival.source.startswith(source_prefix, autoescape=True)).limit(limit)
    ).all()
    some: list[int] = []
    for row in found:
        most_bytes -= row.size_bytes
        if some and most_bytes < 0:
            break
        some.append(row.id)
    if not some:
        return []
    rows = conn.execute(select(Arrival.__table__).where(Arrival.id.in_(some)).order_by(Arrival.id))
    return [_record(row) for row in rows]


def get(conn: Connection, arrival_id: ArrivalId) -> ArrivalRecord | None:
    row = conn.execute(select(Arrival.__table__).where(Arrival.id == arrival_id)).first()
    return None if row is None else _record(row)


def raw_of_entry(conn: Connection, entry_id: EntryId) -> bytes:
    """The original of what became this entry. Raises NotFound."""
    raw = conn.execute(
        select(Arrival.raw).join(Entry, Entry.arrival_id == Arrival.id).where(Entry.id == entry_id)
    ).scalar()
    if raw is None:
        raise NotFound("entry")
    return raw


@dataclass(frozen=True, slots=True)
class TrayLine:
    id: ArrivalId
    source: str
    received_at: datetime
    state: ArrivalState
    reason: str
    size_bytes: int
    envelope: Mapping[str, Any]


def listing(
    conn: Connection, states: Sequence[ArrivalState], *, before: ArrivalId | None = None, limit: int = 100
) -> list[TrayLine]:
    """Arrivals in the given states, newest first, without their bytes."""
    query = select(
        Arrival.id,
        Arrival.source,
        Arrival.received_at,
        Arrival.state,
        Arrival.reason,
        Arrival.envelope,
        func.length(Arrival.raw).label("size_bytes"),
    ).where(Arrival.state.in_(states))
    if before is not None:
        query = query.where(Arrival.id < before)
    return [
        TrayLine(ArrivalId(r.id), r.source, r.received_at, ArrivalState(r.state), r.reason, r.size_bytes, r.envelope)
        for r in conn.execute(query.order_by(Arrival.id.desc()).limit(limit))
    ]


def _record(row: Any) -> ArrivalRecord:
    return ArrivalRecord(
        ArrivalId(row.id),
        row.source,
        row.received_at,
        row.raw,
        row.envelope,
        ArrivalState(row.state),
        row.attempts,
        row.reason,
        EntryId(row.entry_id) if row.entry_id else None,
    )
