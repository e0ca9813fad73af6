"""How far each watched mailbox has been read. Kept with the mail itself, in the same commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from inbox.store.models import Setting
from inbox.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Watermark:
    """A mail is named by mailbox, UIDVALIDITY and UID (RFC 3501, 2.3.1.1)."""

    uid_validity: int
    last_uid: int
    moved_at: datetime | None = None


def read_watermark(conn: Connection, mailbox: str) -> Watermark | None:
    row = conn.execute(select(Setting.value, Setting.changed_at).where(Setting.name == _name(mailbox))).first()
    if row is None:
        return None
    return Watermark(int(row.value["uid_validity"]), int(row.value["last_uid"]), row.changed_at)


def write_watermark(tx: Transaction, mailbox: str, mark: Watermark, *, now: datetime) -> None:
    value = {"uid_validity": mark.uid_validity, "last_uid": mark.last_uid}
    changed = tx.conn.execute(update(Setting).where(Setting.name == _name(mailbox)).values(value=value, changed_at=now))
    if changed.rowcount == 0:
        tx.conn.execute(insert(Setting).values(name=_name(mailbox), value=value, changed_at=now))


def _name(mailbox: str) -> str:
    return f"mailbox:{mailbox}"[:60]
