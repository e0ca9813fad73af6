"""Watched mailboxes: how far each has been read, how it does, and which process watches it.

Kept in the store, so that any process can show it and another one can take over where one has died.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, or_, select, update

from inbox.store.models import WatchedMailbox, table
from inbox.store.transaction import Transaction

LEASE = timedelta(seconds=30)
"""A process that has not said for so long that it watches a mailbox is dead, and another one takes over."""


class MailTrouble(StrEnum):
    """Why a mailbox or an account does not work. What people are told: `inbox/mailbox_words.py`."""

    NOT_CONNECTED = "not_connected"  # nobody has consented yet
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_PARTIAL = "consent_partial"  # somebody consented to less than is needed
    WRONG_ACCOUNT = "wrong_account"
    IMAP_OFF = "imap_off"
    NO_LICENCE = "no_licence"
    REFUSED = "refused"
    SECRET_ENDED = "secret_ended"
    CLIENT_REFUSED = "client_refused"
    SERVER_FAULT = "server_fault"
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    NO_FOLDER = "no_folder"


@dataclass(frozen=True, slots=True)
class Watermark:
    """A mail is named by mailbox, UIDVALIDITY and UID (RFC 3501, 2.3.1.1)."""

    uid_validity: int
    last_uid: int
    moved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MailboxRecord:
    """`first`: what had this number or a lower one at `first_at`, the first connection, was left where it was."""

    name: str
    folder: str
    mark: Watermark | None
    first: Watermark | None
    first_at: datetime | None
    connected: bool
    state_since: datetime | None
    trouble: str
    said: str
    mail_at: datetime | None
    leased_by: str
    leased_until: datetime | None

    def is_watched(self, now: datetime) -> bool:
        """Some process says that it watches it, and has said so lately."""
        return bool(self.leased_by) and (self.leased_until is None or self.leased_until > now)


def read_mailbox(conn: Connection, name: str) -> MailboxRecord | None:
    row = conn.execute(select(WatchedMailbox.__table__).where(WatchedMailbox.name == name)).first()
    return None if row is None else _record(row)


def all_mailboxes(conn: Connection) -> dict[str, MailboxRecord]:
    return {row.name: _record(row) for row in conn.execute(select(WatchedMailbox.__table__))}


def begin(tx: Transaction, name: str, folder: str, mark: Watermark, *, first_uid: int, now: datetime) -> None:
    """The first connection, or the first to another folder: up to `first_uid` all was there before."""
    _ensure(tx, name)
    tx.conn.execute(
        update(WatchedMailbox)
        .where(WatchedMailbox.name == name)
        .values(
            folder=folder[:255],
            uid_validity=mark.uid_validity,
            last_uid=mark.last_uid,
            moved_at=now,
            first_validity=mark.uid_validity,
            first_uid=first_uid,
            first_at=now,
        )
    )


def move_mark(tx: Transaction, name: str, mark: Watermark, *, took_mail: bool, now: datetime) -> None:
    """How far has been read, in the same commit as the mail. Within one UIDVALIDITY it never goes back."""
    values: dict[str, Any] = {"uid_validity": mark.uid_validity, "last_uid": mark.last_uid, "moved_at": now}
    if took_mail:
        values["mail_at"] = now
    _ensure(tx, name)
    tx.conn.execute(
        update(WatchedMailbox)
        .where(
            WatchedMailbox.name == name,
            or_(
                WatchedMailbox.uid_validity.is_(None),
                WatchedMailbox.uid_validity != mark.uid_validity,
                WatchedMailbox.last_uid <= mark.last_uid,
            ),
        )
        .values(**values)
    )


def note_folder(tx: Transaction, name: str, folder: str) -> None:
    """Which folder the mark belongs to, for desks that have not noted it yet."""
    tx.conn.execute(update(WatchedMailbox).where(WatchedMailbox.name == name).values(folder=folder[:255]))


def note_state(tx: Transaction, name: str, *, connected: bool, trouble: str, said: str, now: datetime) -> None:
    """`state_since` stays as long as the state is the same."""
    _ensure(tx, name)
    known = tx.conn.execute(
        select(WatchedMailbox.connected, WatchedMailbox.trouble).where(WatchedMailbox.name == name)
    ).one()
    values: dict[str, Any] = {"connected": connected, "trouble": trouble[:20], "said": said[:500]}
    if (known.connected, known.trouble) != (connected, trouble):
        values["state_since"] = now
    tx.conn.execute(update(WatchedMailbox).where(WatchedMailbox.name == name).values(**values))


def take_lease(tx: Transaction, name: str, holder: str, *, now: datetime, alone: bool = False) -> bool:
    """Begin or go on watching; False while another process does. `alone`: there can be no other process."""
    _ensure(tx, name)
    query = update(WatchedMailbox).where(WatchedMailbox.name == name)
    if not alone:
        query = query.where(
            or_(
                WatchedMailbox.leased_by.in_((holder, "")),
                WatchedMailbox.leased_until.is_(None),
                WatchedMailbox.leased_until < now,
            )
        )
    until = None if alone else now + LEASE
    return bool(tx.conn.execute(query.values(leased_by=holder, leased_until=until)).rowcount)


def give_lease_back(tx: Transaction, name: str, holder: str) -> None:
    tx.conn.execute(
        update(WatchedMailbox)
        .where(WatchedMailbox.name == name, WatchedMailbox.leased_by == holder)
        .values(leased_by="", leased_until=None)
    )


def _ensure(tx: Transaction, name: str) -> None:
    known = tx.conn.execute(select(WatchedMailbox.name).where(WatchedMailbox.name == name)).first()
    if known is None:
        empty = {"folder": "", "connected": False, "trouble": "", "said": "", "leased_by": ""}
        tx.conn.execute(table(WatchedMailbox).insert().values(name=name, **empty))


def _record(row: Any) -> MailboxRecord:
    known = row.uid_validity is not None
    first = row.first_validity is not None and row.first_uid is not None
    return MailboxRecord(
        name=row.name,
        folder=row.folder,
        mark=Watermark(row.uid_validity, row.last_uid or 0, row.moved_at) if known else None,
        first=Watermark(row.first_validity, row.first_uid) if first else None,
        first_at=row.first_at,
        connected=row.connected,
        state_since=row.state_since,
        trouble=row.trouble,
        said=row.said,
        mail_at=row.mail_at,
        leased_by=row.leased_by,
        leased_until=row.leased_until,
    )
