"""Accounts at a mail provider that somebody has connected: their tokens, sealed, and how they do.

What is inside `tokens` only the channel can read. New tokens are asked for by one process at a time (`claim`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update

from inbox import audit
from inbox.store.models import MailAccount, table
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId

CLAIM = timedelta(seconds=40)
"""Longer than asking a provider may take: a process that died while asking holds the account up for this long."""


@dataclass(frozen=True, slots=True)
class MailAccountRecord:
    name: str
    connected_as: str
    tokens: str
    expires_at: datetime | None
    connected_at: datetime | None
    trouble: str
    said: str
    trouble_at: datetime | None


def get(conn: Connection, name: str) -> MailAccountRecord | None:
    row = conn.execute(select(MailAccount.__table__).where(MailAccount.name == name)).first()
    return None if row is None else _record(row)


def listing(conn: Connection) -> dict[str, MailAccountRecord]:
    return {row.name: _record(row) for row in conn.execute(select(MailAccount.__table__))}


def connect(
    tx: Transaction,
    name: str,
    *,
    connected_as: str,
    tokens: str,
    expires_at: datetime,
    by: OperatorId | None,
    now: datetime,
) -> None:
    """Somebody has consented; what was there before is replaced."""
    _put(
        tx,
        name,
        connected_as=connected_as[:320],
        tokens=tokens,
        expires_at=expires_at,
        connected_at=now,
        connected_by=by,
        trouble="",
        said="",
        trouble_at=None,
        leased_by="",
        leased_until=None,
    )
    audit.note(tx, "mail_account_connected", by=by, now=now, data={"account": name, "as": connected_as[:320]})


def disconnect(tx: Transaction, name: str, *, by: OperatorId, now: datetime) -> None:
    """Forget the tokens, also those that a process is just asking for."""
    changed = tx.conn.execute(
        update(MailAccount)
        .where(MailAccount.name == name, MailAccount.tokens != "")
        .values(
            tokens="",
            expires_at=None,
            connected_at=None,
            connected_as="",
            trouble="",
            said="",
            trouble_at=None,
            leased_by="",
            leased_until=None,
        )
    )
    if changed.rowcount:
        audit.note(tx, "mail_account_disconnected", by=by, now=now, data={"account": name})


def claim(tx: Transaction, name: str, holder: str, *, now: datetime) -> MailAccountRecord | None:
    """The account, when `holder` may now ask for new tokens; None while another one does."""
    changed = tx.conn.execute(
        update(MailAccount)
        .where(
            MailAccount.name == name,
            or_(
                MailAccount.leased_by == "",
                MailAccount.leased_until.is_(None),
                MailAccount.leased_until < now,
            ),
        )
        .values(leased_by=holder, leased_until=now + CLAIM)
    )
    return get(tx.conn, name) if changed.rowcount else None


def renewed(tx: Transaction, name: str, holder: str, *, tokens: str, expires_at: datetime) -> bool:
    """Keep new tokens and release the claim; False when somebody has connected the account anew meanwhile."""
    changed = tx.conn.execute(
        update(MailAccount)
        .where(MailAccount.name == name, MailAccount.leased_by == holder)
        .values(
            tokens=tokens,
            expires_at=expires_at,
            trouble="",
            said="",
            trouble_at=None,
            leased_by="",
            leased_until=None,
        )
    )
    return bool(changed.rowcount)


def release(tx: Transaction, name: str, holder: str) -> None:
    """Nothing was asked: somebody else has fetched new tokens already."""
    tx.conn.execute(
        update(MailAccount)
        .where(MailAccount.name == name, MailAccount.leased_by == holder)
        .values(leased_by="", leased_until=None)
    )


def refused(tx: Transaction, name: str, holder: str, *, trouble: str, said: str, now: datetime) -> None:
    """No new tokens were given; the first such moment is kept until it works again. Releases the claim."""
    known = get(tx.conn, name)
    if known is None:
        return
    at = known.trouble_at if known.trouble_at is not None and known.trouble == trouble else now
    tx.conn.execute(
        update(MailAccount)
        .where(MailAccount.name == name, MailAccount.leased_by == holder)
        .values(trouble=trouble[:20], said=said[:500], trouble_at=at, leased_by="", leased_until=None)
    )


def _put(tx: Transaction, name: str, **values: Any) -> None:
    changed = tx.conn.execute(update(MailAccount).where(MailAccount.name == name).values(**values))
    if not changed.rowcount:
        tx.conn.execute(table(MailAccount).insert().values(name=name, **values))


def _record(row: Any) -> MailAccountRecord:
    return MailAccountRecord(
        row.name,
        row.connected_as,
        row.tokens,
        row.expires_at,
        row.connected_at,
        row.trouble,
        row.said,
        row.trouble_at,
    )
