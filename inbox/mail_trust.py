"""Mail whose author is doubtful: what it may not do by itself, and an operator's word that it is what it seems."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from inbox.errors import BadInput, NotFound
from inbox.events import ConversationChanged
from inbox.people import contacts
from inbox.people.contacts import AddressLine
from inbox.store.models import Entry
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import AddressKind, ConversationId, EntryId, OperatorId
from inbox.words import N_


def is_doubtful(data: Mapping[str, Any]) -> bool:
    """For the data of an entry: nobody outside the desk sees it, and no recipients are taken from it."""
    mail = data.get("mail")
    return isinstance(mail, Mapping) and bool(mail.get("suspicious")) and not mail.get("trusted_by")


def trust(tx: Transaction, entry_id: EntryId, *, by: OperatorId, now: datetime) -> None:
    """The operator knows better: from now on it is answered like any mail, and those it named take part.

    Trusting it again changes nothing. Raises NotFound, BadInput for a mail that is not doubted.
    """
    found = tx.conn.execute(select(Entry.conversation_id).where(Entry.id == entry_id)).first()
    if found is None:
        raise NotFound("entry")
    conversation = locked(tx, ConversationId(found.conversation_id))
    row = tx.conn.execute(
        select(Entry.number, Entry.data).where(Entry.id == entry_id).with_for_update(key_share=True)
    ).one()
    mail = row.data.get("mail")
    if not isinstance(mail, dict) or not mail.get("suspicious"):
        raise BadInput("entry", N_("This mail is not in doubt."))
    if mail.get("trusted_by"):
        return
    tx.conn.execute(
        update(Entry).where(Entry.id == entry_id).values(data={**row.data, "mail": {**mail, "trusted_by": by}})
    )
    goes_on = conversation
    while goes_on.merged_into_id is not None:
        goes_on = locked(tx, ConversationId(goes_on.merged_into_id))
    conversation_id = ConversationId(goes_on.id)
    for person in mail.get("left_out", ()):
        line = AddressLine(AddressKind.EMAIL, person["address"])
        contacts.join(tx, conversation_id, contacts.ensure_address(tx, line, "", now=now), now=now)
    say(tx, goes_on, "mail_trusted", by=by, now=now, data={"entry": entry_id, "number": row.number})
    tx.record(ConversationChanged(conversation_id))
