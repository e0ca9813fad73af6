"""Contacts are found by their addresses; an address belongs to one contact.

A visitor who *types* somebody's mail address has proved nothing: the address is then noted on the conversation as a
way to answer, but the visitor stays a contact of their own and sees nothing of the other's history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from inbox.store.models import Address, Contact, Participant, table
from inbox.store.prepared import Prepared
from inbox.store.transaction import Transaction
from inbox.vocabulary import AddressId, AddressKind, ContactId, ConversationId


@dataclass(frozen=True, slots=True)
class AddressLine:
    """`written` as the customer wrote it; comparing uses the folded form."""

    kind: AddressKind
    written: str

    @property
    def value(self) -> str:
        return fold(self.kind, self.written)


def fold(kind: AddressKind, written: str) -> str:
    """The form in which addresses are compared: mail addresses in lower case with the domain in IDNA form."""
    written = written.strip()
    if kind is not AddressKind.EMAIL:
        return written[:320]
    local, at, domain = written.rpartition("@")
    if not at:
        return written.casefold()[:320]
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = domain.casefold()
    return f"{local.casefold()}@{domain.casefold()}"[:320]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who did something: the first address is proved by the channel, `claimed` ones are only what they typed."""

    address: AddressLine
    name: str = ""
    language: str | None = None
    zone: str | None = None
    claimed: Sequence[AddressLine] = ()


@dataclass(frozen=True, slots=True)
class Known:
    contact_id: ContactId
    address_id: AddressId


_OF_ADDRESS = select(Address.id, Address.contact_id).where(
    Address.kind == bindparam("kind"), Address.value == bindparam("value")
)
_FIND = Prepared(_OF_ADDRESS)
_HOLD = Prepared(_OF_ADDRESS.with_for_update(key_share=True))
_ADD_CONTACT = Prepared(
    insert(table(Contact))
    .values({c: bindparam(c) for c in ("name", "language", "zone", "note", "created_at")})
    .returning(table(Contact).c.id)
)
_ADD_ADDRESS = Prepared(
    insert(table(Address))
    .values({c: bindparam(c) for c in ("contact_id", "kind", "value", "written", "created_at")})
    .returning(table(Address).c.id)
)
_KNOWN_AS = Prepared(select(Contact.name, Contact.language).where(Contact.id == bindparam("contact")))
_IS_PARTICIPANT = Prepared(
    select(Participant.id).where(
        Participant.conversation_id == bindparam("conversation"), Participant.address_id == bindparam("address")
    )
)
_ADD_PARTICIPANT = Prepared(
    insert(table(Participant)).values(
        {c: bindparam(c) for c in ("conversation_id", "address_id", "new_since", "added_at")}
    )
)


def find(conn: Connection, line: AddressLine) -> Known | None:
    row = _FIND.first(conn, kind=line.kind, value=line.value)
    return None if row is None else Known(ContactId(row.contact_id), AddressId(row.id))


def ensure(tx: Transaction, sender: Sender, *, now: datetime) -> Known:
    """The contact behind the proved address, made when unknown. Fills in a name or language that was missing.

    The address is held until the commit: two things from one sender at once come one after the other.
    """
    row = _HOLD.first(tx.conn, kind=sender.address.kind, value=sender.address.value)
    if row is not None:
        known = Known(ContactId(row.contact_id), AddressId(row.id))
        if sender.name or sender.language:
            _fill_in(tx, known.contact_id, sender)
        return known
    contact_id = ContactId(
        _ADD_CONTACT.scalar(
            tx.conn, name=sender.name[:200], language=sender.language, zone=sender.zone, note="", created_at=now
        )
    )
    return Known(contact_id, _add(tx, contact_id, sender.address, now))


def add_address(tx: Transaction, contact_id: ContactId, line: AddressLine, *, now: datetime) -> AddressId | None:
    """Give a contact one more address. None when it belongs to somebody else."""
    known = find(tx.conn, line)
    if known is not None:
        return known.address_id if known.contact_id == contact_id else None
    return _add(tx, contact_id, line, now)


def ensure_address(tx: Transaction, line: AddressLine, name: str, *, now: datetime) -> AddressId:
    """An address to write to, whoever owns it; an unknown one gets a contact of its own."""
    return ensure(tx, Sender(line, name), now=now).address_id


def join(
    tx: Transaction,
    conversation_id: ConversationId,
    address_id: AddressId,
    *,
    now: datetime,
    new_since: int | None = None,
) -> bool:
    """Make an address a participant. `new_since`: a stranger, marked from this entry on. False when it was one."""
    if _IS_PARTICIPANT.first(tx.conn, conversation=conversation_id, address=address_id) is not None:
        return False
    _ADD_PARTICIPANT.run(
        tx.conn, conversation_id=conversation_id, address_id=address_id, new_since=new_since, added_at=now
    )
    return True


def participant_values(conn: Connection, conversation_id: ConversationId, kind: AddressKind) -> list[str]:
    """Folded addresses of one kind in a conversation, oldest first."""
    return list(
        conn.execute(
            select(Address.value)
            .join(Participant, Participant.address_id == Address.id)
            .where(Participant.conversation_id == conversation_id, Address.kind == kind)
            .order_by(Participant.id)
        ).scalars()
    )


def mark_failing(tx: Transaction, line: AddressLine, *, now: datetime) -> None:
    """A mail to this address failed for good: the next send to it asks first."""
    tx.conn.execute(
        update(Address).where(Address.kind == line.kind, Address.value == line.value).values(failing_since=now)
    )


def failing_among(conn: Connection, written: Sequence[str]) -> list[str]:
    """Those mail addresses whose last mail came back for good, as written."""
    folded = {fold(AddressKind.EMAIL, one): one for one in written}
    if not folded:
        return []
    found = conn.execute(
        select(Address.value).where(
            Address.kind == AddressKind.EMAIL, Address.value.in_(list(folded)), Address.failing_since.is_not(None)
        )
    ).scalars()
    return [folded[value] for value in found]


def works_again(tx: Transaction, written: Sequence[str]) -> None:
    """A server has taken mail for these addresses: they are asked about no more."""
    values = [fold(AddressKind.EMAIL, one) for one in written]
    tx.conn.execute(
        update(Address)
        .where(Address.kind == AddressKind.EMAIL, Address.value.in_(values), Address.failing_since.is_not(None))
        .values(failing_since=None)
    )


def _add(tx: Transaction, contact_id: ContactId, line: AddressLine, now: datetime) -> AddressId:
    return AddressId(
        _ADD_ADDRESS.scalar(
            tx.conn,
            contact_id=contact_id,
            kind=line.kind,
            value=line.value,
            written=line.written[:400],
            created_at=now,
        )
    )


def _fill_in(tx: Transaction, contact_id: ContactId, sender: Sender) -> None:
    row = _KNOWN_AS.first(tx.conn, contact=contact_id)
    changes = {}
    if sender.name and not row.name:
        changes["name"] = sender.name[:200]
    if sender.language and not row.language:
        changes["language"] = sender.language
    if changes:
        tx.conn.execute(update(Contact).where(Contact.id == contact_id).values(**changes))
