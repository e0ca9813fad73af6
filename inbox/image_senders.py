"""Senders whose remote pictures are shown without asking each time. Kept with their address, for the whole desk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from inbox import audit
from inbox.errors import BadInput, NotFound
from inbox.mail_trust import is_doubtful
from inbox.people.contacts import fold
from inbox.store.models import Address, Entry
from inbox.store.transaction import Transaction
from inbox.vocabulary import AddressKind, EntryId, OperatorId
from inbox.words import N_


def show_always(tx: Transaction, entry_id: EntryId, show: bool, *, by: OperatorId, now: datetime) -> None:
    """Remember, or forget, that pictures in mails of this entry's author are shown. Raises NotFound, BadInput."""
    data = tx.conn.execute(select(Entry.data).where(Entry.id == entry_id)).scalar()
    if data is None:
        raise NotFound("entry")
    author = author_of(data)
    if author is None:
        raise BadInput("entry", N_("It cannot be seen who sent this."))
    if show and is_doubtful(data):
        raise BadInput("entry", N_("The sender of this mail is in doubt: trust the mail first."))
    changed = tx.conn.execute(
        update(Address)
        .where(Address.kind == AddressKind.EMAIL, Address.value == author, Address.shows_images.is_(not show))
        .values(shows_images=show)
    )
    if changed.rowcount:
        audit.note(tx, "images_shown" if show else "images_hidden", by=by, now=now, data={"address": author})


def shown_for(conn: Connection, mails: Iterable[Mapping[str, Any]]) -> set[str]:
    """Of the authors of these entries' mails, those whose pictures are shown; folded addresses."""
    authors = {author for data in mails if (author := author_of(data)) is not None}
    if not authors:
        return set()
    return set(
        conn.execute(
            select(Address.value).where(
                Address.kind == AddressKind.EMAIL, Address.value.in_(authors), Address.shows_images.is_(True)
            )
        ).scalars()
    )


def author_of(data: Mapping[str, Any]) -> str | None:
    address = (data.get("mail") or {}).get("author", {}).get("address")
    return fold(AddressKind.EMAIL, address) if address else None
