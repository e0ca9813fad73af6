"""Operators: accounts, roles, presence. Passwords arrive here already hashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from inbox.errors import BadInput, NotAllowed, NotFound
from inbox.events import PresenceChanged
from inbox.people import handling, presence_record
from inbox.people.contacts import fold
from inbox.store.models import Conversation, Operator, OperatorSession
from inbox.store.transaction import Transaction
from inbox.vocabulary import AddressKind, OperatorId, Presence, Role, Status
from inbox.words import N_

RANK: Mapping[Role, int] = {Role.OPERATOR: 1, Role.SUPERVISOR: 2, Role.ADMINISTRATOR: 3}
"""Every role may do what the ones before it may."""

NO_PASSWORD = "-"
"""In place of a password's hash: nobody can sign in with this account until it is given a password."""
HEARD_EVERY = timedelta(seconds=20)
"""A connected screen makes itself heard this often."""
SILENT_AFTER = timedelta(seconds=60)
"""Whose screens were not heard of for so long is offline."""


@dataclass(frozen=True, slots=True)
class OperatorRecord:
    id: OperatorId
    email: str
    name: str
    title: str
    role: Role
    language: str
    preferences: Mapping[str, Any]
    presence: Presence
    disabled: bool

    def may(self, least: Role) -> bool:
        return RANK[self.role] >= RANK[least]


@dataclass(frozen=True, slots=True)
class Colleague:
    """What everybody on the desk sees of an operator. `open`: conversations they own that are open."""

    id: OperatorId
    name: str
    role: Role
    presence: Presence
    open: int


def add(
    tx: Transaction,
    *,
    email: str,
    name: str,
    role: Role,
    password_hash: str,
    now: datetime,
    language: str = "en",
    title: str = "",
) -> OperatorId:
    """Make an account. Raises BadInput when the address is taken or no address."""
    value = _checked_email(tx.conn, email)
    operator_id = OperatorId(
        tx.insert(
            Operator,
            email=value,
            name=_checked_name(name),
            title=title.strip()[:200],
            password_hash=password_hash,
            role=role,
            language=language,
            preferences={},
            presence=Presence.OFFLINE,
            presence_since=now,
            created_at=now,
        )
    )
    presence_record.presence_changed(tx, operator_id, Presence.OFFLINE, at=now)
    return operator_id


def get(conn: Connection, operator_id: OperatorId) -> OperatorRecord:
    """Raises NotFound."""
    row = conn.execute(select(Operator.__table__).where(Operator.id == operator_id)).first()
    if row is None:
        raise NotFound("operator")
    return record(row)


def accounts(conn: Connection) -> list[OperatorRecord]:
    """All accounts, disabled ones last."""
    rows = conn.execute(select(Operator.__table__).order_by(Operator.disabled_at.is_not(None), Operator.name))
    return [record(row) for row in rows]


def any_account(conn: Connection) -> bool:
    """Whether anybody can sign in; who came with an event log cannot."""
    return conn.execute(select(Operator.id).where(Operator.password_hash != NO_PASSWORD).limit(1)).first() is not None


def by_email(conn: Connection, email: str) -> tuple[OperatorRecord, str] | None:
    """The account and its password hash; None when there is none or it is disabled."""
    row = conn.execute(
        select(Operator.__table__).where(
            Operator.email == fold(AddressKind.EMAIL, email), Operator.disabled_at.is_(None)
        )
    ).first()
    return None if row is None else (record(row), row.password_hash)


def password_hash(conn: Connection, operator_id: OperatorId) -> str:
    """Raises NotFound."""
    found = conn.execute(select(Operator.password_hash).where(Operator.id == operator_id)).scalar()
    if found is None:
        raise NotFound("operator")
    return found


def set_password(tx: Transaction, operator_id: OperatorId, hashed: str) -> None:
    tx.conn.execute(update(Operator).where(Operator.id == operator_id).values(password_hash=hashed))


def set_profile(
    tx: Transaction, operator_id: OperatorId, *, name: str, title: str, language: str, preferences: Mapping[str, Any]
) -> None:
    """What operators change about themselves. Raises BadInput."""
    tx.conn.execute(
        update(Operator)
        .where(Operator.id == operator_id)
        .values(name=_checked_name(name), title=title.strip()[:200], language=language, preferences=dict(preferences))
    )


def prefer(tx: Transaction, operator_id: OperatorId, changed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Merge into the operator's preferences; None forgets one. Returns all of them. Raises BadInput."""
    old = tx.conn.execute(select(Operator.preferences).where(Operator.id == operator_id)).scalar() or {}
    kept = {name: value for name, value in {**old, **changed}.items() if value is not None}
    if len(kept) > 60 or any(len(name) > 40 or len(str(value)) > 400 for name, value in kept.items()):
        raise BadInput("preferences", N_("This is too much to remember."))
    tx.conn.execute(update(Operator).where(Operator.id == operator_id).values(preferences=kept))
    return kept


def set_account(
    tx: Transaction,
    operator_id: OperatorId,
    *,
    by: OperatorId,
    name: str,
    email: str,
    role: Role,
    disabled: bool,
    now: datetime,
) -> None:
    """What administrators change. Nobody locks themselves out, so one administrator always remains."""
    row = tx.conn.execute(select(Operator.__table__).where(Operator.id == operator_id)).first()
    if row is None:
        raise NotFound("operator")
    if operator_id == by and (disabled or role is not Role.ADMINISTRATOR):
        raise NotAllowed(N_("You cannot take away your own rights. Ask another administrator."))
    value = row.email if fold(AddressKind.EMAIL, email) == row.email else _checked_email(tx.conn, email)
    values: dict[str, Any] = {"name": _checked_name(name), "email": value, "role": role}
    if disabled != (row.disabled_at is not None):
        values["disabled_at"] = now if disabled else None
    if disabled:
        set_presence(tx, operator_id, Presence.OFFLINE, now=now)
        tx.conn.execute(
            update(OperatorSession)
            .where(OperatorSession.operator_id == operator_id, OperatorSession.ended_at.is_(None))
            .values(ended_at=now)
        )
    tx.conn.execute(update(Operator).where(Operator.id == operator_id).values(**values))
    tx.record(PresenceChanged(operator_id))


def colleagues(conn: Connection) -> list[Colleague]:
    """Everybody who may sign in, with what they have in hand."""
    load: dict[int, int] = {
        row.owner_id: row.n
        for row in conn.execute(
            select(Conversation.owner_id, func.count().label("n"))
            .where(Conversation.owner_id.is_not(None), Conversation.status == Status.OPEN, Conversation.spam.is_(False))
            .group_by(Conversation.owner_id)
        )
    }
    return [
        Colleague(OperatorId(r.id), r.name, Role(r.role), Presence(r.presence), load.get(r.id, 0))
        for r in conn.execute(
            select(Operator.id, Operator.name, Operator.role, Operator.presence)
            .where(Operator.disabled_at.is_(None))
            .order_by(Operator.name, Operator.id)
        )
    ]


def set_presence(tx: Transaction, operator_id: OperatorId, presence: Presence, *, now: datetime) -> bool:
    """False when it was so already."""
    changed = tx.conn.execute(
        update(Operator)
        .where(Operator.id == operator_id, Operator.presence != presence)
        .values(presence=presence, presence_since=now)
    )
    if changed.rowcount:
        presence_record.presence_changed(tx, operator_id, presence, at=now)
        if presence in (Presence.AWAY, Presence.OFFLINE):
            handling.left_everything(tx, operator_id, at=now)
        tx.record(PresenceChanged(operator_id))
    return bool(changed.rowcount)


def arrived(tx: Transaction, operator_id: OperatorId, *, now: datetime) -> bool:
    """A screen of theirs has connected: offline becomes online; who chose away or finishing stays so."""
    presence = tx.conn.execute(select(Operator.presence).where(Operator.id == operator_id)).scalar()
    return presence == Presence.OFFLINE and set_presence(tx, operator_id, Presence.ONLINE, now=now)


def leave_unseen(tx: Transaction, *, seen_since: datetime, now: datetime) -> list[OperatorId]:
    """Set offline everybody none of whose screens was heard of since. Their conversations keep their owner."""
    heard = select(OperatorSession.operator_id).where(
        OperatorSession.seen_at >= seen_since, OperatorSession.ended_at.is_(None)
    )
    gone = [
        OperatorId(i)
        for i in tx.conn.execute(
            select(Operator.id).where(
                Operator.presence != Presence.OFFLINE, Operator.presence_since < seen_since, Operator.id.not_in(heard)
            )
        ).scalars()
    ]
    for operator_id in gone:
        set_presence(tx, operator_id, Presence.OFFLINE, now=now)
    return gone


def present(conn: Connection) -> Sequence[OperatorId]:
    """Who is not offline."""
    return [
        OperatorId(i)
        for i in conn.execute(
            select(Operator.id).where(Operator.presence != Presence.OFFLINE, Operator.disabled_at.is_(None))
        ).scalars()
    ]


def record(row: Row[Any]) -> OperatorRecord:
    return OperatorRecord(
        OperatorId(row.id),
        row.email,
        row.name,
        row.title,
        Role(row.role),
        row.language,
        row.preferences,
        Presence(row.presence),
        row.disabled_at is not None,
    )


def _checked_name(name: str) -> str:
    if not name.strip():
        raise BadInput("name", N_("Write a name."))
    return name.strip()[:200]


def _checked_email(conn: Connection, email: str) -> str:
    value = fold(AddressKind.EMAIL, email)
    local, _, domain = value.rpartition("@")
    if not local or not domain or any(c.isspace() or ord(c) < 32 for c in value):
        raise BadInput("email", N_("This is not a mail address."))
    if conn.execute(select(Operator.id).where(Operator.email == value)).first() is not None:
        raise BadInput("email", N_("Somebody already signs in with this address."))
    return value
