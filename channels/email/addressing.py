"""Fixes whom an answer reaches, under which ids and subject, at the moment it is written. Screens preview it the same
way: `addressing(conn, conversation_id, Recipients(), automatic=False)["mail"]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Connection

from channels.email.addresses import MailAddress, fold, is_usable
from channels.email.recipients import ReplyTo, chosen, recipients_for_reply, references_for_reply
from channels.email.record import AddressData, MailData
from channels.email.serialise import new_message_id
from channels.email.settings import EmailSettings
from channels.email.subjects import for_reply
from inbox import mail_ids
from inbox.errors import CannotReach
from inbox.mail_ids import SentMail
from inbox.reply import Recipients
from inbox.vocabulary import Author, ConversationId, EntryKind
from inbox.words import N_

_NOBODY = ".invalid"


class EmailAddressing:
    """The email channel's `Addressing`."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._own = settings.own_addresses()

    def __call__(
        self, conn: Connection, conversation_id: ConversationId, wanted: Recipients, *, automatic: bool
    ) -> dict[str, Any]:
        """Raises BadInput for an address that is none, CannotReach when there is nobody to send to or from."""
        answered = mail_to_answer(conn, conversation_id)
        if answered is None:
            computed = _participants(conn, conversation_id)
            before: MailData | None = None
        else:
            before = cast(MailData, answered.data["mail"])
            computed = recipients_for_reply(
                before,
                own_addresses=self._own,
                ours=answered.author is not Author.CONTACT,
                automatic=automatic,
            )
        final = computed if automatic else chosen(wanted.to, wanted.cc, computed, self._own)
        reachable = [one for one in final.to if not one.address.endswith(_NOBODY)]
        if not reachable:
            raise CannotReach(N_("There is no address this answer could go to. Add one under To."))
        sender = self._sender(before)
        in_reply_to, references = references_for_reply(before) if before is not None else ("", [])
        mail: MailData = {
            "subject": _subject(conn, conversation_id, before),
            "message_id": new_message_id(sender.address.rpartition("@")[2]),
            "author": {"name": sender.name, "address": sender.address},
            "to": [_data(one) for one in reachable],
            "cc": [_data(one) for one in final.cc],
        }
        if in_reply_to:
            mail["in_reply_to"] = [in_reply_to]
        if references:
            mail["references"] = references
        fixed: dict[str, Any] = {"mail": mail}
        if answered is not None:
            fixed["answers"] = answered.entry_id
        if computed.only_author and not automatic:
            fixed["only_author"] = True
        return fixed

    def _sender(self, before: Mapping[str, Any] | None) -> MailAddress:
        """The address of ours that was written to, else the first."""
        if before is not None:
            found = self._settings.written_to(before.get("support_address", "") or "")
            for one in () if found else (before["author"], *before["to"], *before["cc"]):
                found = found or self._settings.written_to(fold(one["address"]))
            if found is not None:
                return found
        if not self._settings.addresses:
            raise CannotReach(N_("This desk has no mail address of its own yet. An administrator can add one."))
        first = self._settings.addresses[0]
        return MailAddress(first.name, first.address)


def mail_to_answer(conn: Connection, conversation_id: ConversationId) -> SentMail | None:
    """The customer's newest mail; where they never wrote one, our own newest."""
    mails = [one for one in mail_ids.mails(conn, conversation_id, limit=50) if one.data.get("mail")]
    incoming = next((one for one in mails if one.kind is EntryKind.MESSAGE), None)
    return incoming or (mails[0] if mails else None)


def _subject(conn: Connection, conversation_id: ConversationId, before: MailData | None) -> str:
    if before is not None:
        return for_reply(before["subject"])
    return mail_ids.subject_of(conn, conversation_id)


def _participants(conn: Connection, conversation_id: ConversationId) -> ReplyTo:
    """Nobody has written by mail yet: the addresses the customer gave, strangers left out."""
    known = [
        MailAddress("", written)
        for written, stranger in mail_ids.address_names(conn, conversation_id)
        if not stranger and is_usable(written)
    ]
    return ReplyTo(tuple(known[:1]), tuple(known[1:]))


def _data(one: MailAddress) -> AddressData:
    return {"name": one.name, "address": one.address}
