"""Everything that came in, counted: placed, waiting, in the tray, set aside, each with its reason; and run again.

Comparing a mailbox with the store uses the same rows: a mail on a server is known by the key under which it was kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from inbox import audit, mail_ids, mail_jobs
from inbox.errors import NotFound
from inbox.events import ArrivalKept
from inbox.mail_jobs import JobKind
from inbox.store import arrivals
from inbox.store.arrivals import reason_word
from inbox.store.models import Arrival
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalId, ArrivalState, OperatorId

DISMISSED = "dismissed"
"""The reason of what a person has looked at and put away."""

ASKED_AT_ONCE = 400
RUN_AGAIN_AT_ONCE = 500

_ASIDE = (ArrivalState.TRAY, ArrivalState.SET_ASIDE)


@dataclass(frozen=True, slots=True)
class AsideLine:
    """So many from one source lie in the tray or are set aside for one reason."""

    state: ArrivalState
    source: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Account:
    placed: int
    waiting: Mapping[str, int]  # by source: kept, not yet understood
    aside: Sequence[AsideLine]


def account(conn: Connection) -> Account:
    """All that ever came in. Reads indexes only, but all of them: for a page, not for a screen that lives."""
    placed = conn.execute(
        select(func.count()).select_from(Arrival).where(Arrival.state == ArrivalState.PLACED)
    ).scalar_one()
    waiting = conn.execute(
        select(Arrival.source, func.count().label("n"))
        .where(Arrival.state == ArrivalState.NEW)
        .group_by(Arrival.source)
    ).all()
    aside = conn.execute(
        select(Arrival.state, Arrival.source, Arrival.reason_word, func.count().label("n"))
        .where(Arrival.state.in_(_ASIDE))
        .group_by(Arrival.state, Arrival.source, Arrival.reason_word)
        .order_by(Arrival.state.desc(), Arrival.source, func.count().desc())
        .limit(200)
    )
    return Account(
        placed,
        {row.source: row.n for row in waiting},
        [AsideLine(ArrivalState(row.state), row.source, row.reason_word or "", row.n) for row in aside],
    )


def unsettled(conn: Connection, source: str) -> int:
    """How many from one source are kept and wait to be understood."""
    return conn.execute(
        select(func.count()).select_from(Arrival).where(Arrival.state == ArrivalState.NEW, Arrival.source == source)
    ).scalar_one()


def dismiss(tx: Transaction, arrival_id: ArrivalId, *, by: OperatorId, now: datetime) -> None:
    """A person has looked at it and it needs nothing more: out of the tray, still accounted for. Raises NotFound."""
    held = arrivals.held(tx, arrival_id)
    if held is None:
        raise NotFound("arrival")
    if held[0] is ArrivalState.TRAY:
        arrivals.settle(tx, arrival_id, ArrivalState.SET_ASIDE, now=now, reason=DISMISSED)
        audit.note(tx, "arrival_dismissed", by=by, now=now, data={"arrival": arrival_id})


def run_again(tx: Transaction, arrival_id: ArrivalId, *, by: OperatorId, now: datetime) -> None:
    """Another try. What the mail server did not hand out is asked for again. Raises NotFound, BadInput."""
    arrival = arrivals.get(tx.conn, arrival_id)
    if arrival is None:
        raise NotFound("arrival")
    if arrival.raw or "uid" not in arrival.envelope:
        arrivals.run_again(tx, arrival_id)
        return
    wanted = {"uid_validity": arrival.envelope["uid_validity"], "uids": [arrival.envelope["uid"]]}
    mail_jobs.start(tx, JobKind.FETCH, str(arrival.envelope["mailbox"]), wanted, by=by, now=now)


def run_all_again(
    tx: Transaction, state: ArrivalState, source: str, reason: str, *, limit: int = RUN_AGAIN_AT_ONCE
) -> int:
    """Another try for the oldest of those that lie in `state` for one reason; how many that were."""
    if state not in _ASIDE:
        return 0
    some = (
        select(Arrival.id)
        .where(
            Arrival.state == state,
            Arrival.source == source,
            Arrival.reason_word == reason_word(reason),
            func.length(Arrival.raw) > 0,
        )
        .order_by(Arrival.id)
        .limit(limit)
    )
    again = sorted(
        tx.conn.execute(
            update(Arrival)
            .where(Arrival.id.in_(some), Arrival.state == state)
            .values(state=ArrivalState.NEW, attempts=0, settled_at=None)
            .returning(Arrival.id)
        ).scalars()
    )
    if again:
        tx.record(ArrivalKept(ArrivalId(again[0]), source))
    return len(again)


@dataclass(frozen=True, slots=True)
class Known:
    state: ArrivalState
    reason: str


def known_keys(conn: Connection, keys: Sequence[str]) -> dict[str, Known]:
    """What became of the arrivals kept under these keys; those the store does not know are left out."""
    found: dict[str, Known] = {}
    for start in range(0, len(keys), ASKED_AT_ONCE):
        rows = conn.execute(
            select(Arrival.dedupe_key, Arrival.state, Arrival.reason_word).where(
                Arrival.dedupe_key.in_(keys[start : start + ASKED_AT_ONCE])
            )
        )
        found |= {row.dedupe_key: Known(ArrivalState(row.state), row.reason_word or "") for row in rows}
    return found


def placed_message_ids(conn: Connection, message_ids: Sequence[str]) -> set[str]:
    """Which of these mails stand in a conversation, by whatever way they came."""
    found: set[str] = set()
    for start in range(0, len(message_ids), ASKED_AT_ONCE):
        known = mail_ids.find(conn, message_ids[start : start + ASKED_AT_ONCE])
        found |= {one.message_id for one in known if one.entry_id is not None}
    return found


def dismissed_raw(conn: Connection, source: str, size_bytes: int) -> list[bytes]:
    """Mails from one source, of this size, that a person has put away."""
    return list(
        conn.execute(
            select(Arrival.raw)
            .where(
                Arrival.state == ArrivalState.SET_ASIDE,
                Arrival.source == source,
                Arrival.reason_word == DISMISSED,
                func.length(Arrival.raw) == size_bytes,
            )
            .limit(20)
        ).scalars()
    )
