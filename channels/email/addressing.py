"""Fixes whom an answer reaches, under which ids and subject, at the moment it is written. Screens preview it the same
way: `addressing(conn, conversation_id, Recipients(), automatic=False)["mail"]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import Connection

from channels.email.addresses import MailAddress, fold, is_usable
from channels.email.recipients import ReplyTo, chosen, recipients_for_reply, references_for_reply
from channels.email.record import AddressData, MailData
from channels.email.serialise import new_message_id
from channels.email.settings import EmailSettings
from channels.email.subjects import bare_subject, for_reply
from inbox import mail_ids
from inbox.errors import BadInput, CannotReach, NotFound
from inbox.mail_ids import SentMail
from inbox.reply import Recipients
from inbox.vocabulary import Author, ConversationId, EntryId, EntryKind
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
        answered = mail_to_answer(conn, conversation_id, wanted.answers)
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
        sender = self._sender(before, wanted.sender)
        in_reply_to, references = references_for_reply(before) if before is not None else ("", [])
        mail: MailData = {
            "subject": _subject(conn, conversation_id, before),
            "message_id": new_message_id(sender.address.rpartition("@")[2]),
            "author": {"name": sender.name, "address": sender.address},
            "to": [_data(one) for one in reachable],
            "cc": [_data(one) for one in final.cc],
        }
        if before is not None and not automatic:
            newcomers = _newcomers(before, (*reachable, *final.cc))
            if newcomers:
                mail["newcomers"] = newcomers
            if (newcomers and not wanted.history_to_new) or not self._settings.quote_history:
                mail["quotes"] = False
        if in_reply_to:
            mail["in_reply_to"] = [in_reply_to]
        if references:
            mail["references"] = references
        if before is not None and before.get("thread_index"):
            mail["thread_index"] = before["thread_index"]
            mail["thread_topic"] = before.get("thread_topic") or bare_subject(mail["subject"])
        fixed: dict[str, Any] = {"mail": mail}
        if answered is not None:
            fixed["answers"] = answered.entry_id
        if computed.only_author and not automatic:
            fixed["only_author"] = True
            fixed["others"] = [_data(one) for one in computed.others]
        return fixed

    def senders(self) -> list[MailAddress]:
        """The desk's own addresses, for choosing one."""
        return [MailAddress(one.name, one.address) for one in self._settings.addresses]

    def _sender(self, before: Mapping[str, Any] | None, wanted: str | None = None) -> MailAddress:
        """The address of ours that was chosen, else the one that was written to, else the first."""
        if wanted:
            chosen_one = self._settings.written_to(fold(wanted))
            if chosen_one is None:
                raise BadInput("from", N_("“%(written)s” is not an address of this desk."), written=wanted[:80])
            return chosen_one
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


def mail_to_answer(
    conn: Connection, conversation_id: ConversationId, chosen_entry: EntryId | None = None
) -> SentMail | None:
    """The mail that was chosen, else the customer's newest; where they never wrote one, our own newest.

    Raises NotFound for an entry that is no mail of this conversation.
    """
    if chosen_entry is not None:
        found = mail_ids.mail_in(conn, conversation_id, chosen_entry)
        if found is None:
            raise NotFound("entry")
        return found
    mails = [one for one in mail_ids.mails(conn, conversation_id, limit=50) if one.data.get("mail")]
    incoming = next((one for one in mails if one.kind is EntryKind.MESSAGE), None)
    return incoming or (mails[0] if mails else None)


def _newcomers(before: MailData, recipients: Iterable[MailAddress]) -> list[str]:
    """Who has not seen the mail that is answered. Quoting it to them is for a person to decide."""
    people = [before["author"], *before["to"], *before["cc"]]
    if not before.get("suspicious") or before.get("trusted_by"):
        people += before.get("reply_to", [])
    if before.get("stranger"):
        people = []  # joined by holding an id of ours: what stands in that mail below is not meant for everybody
    seen = {fold(one["address"]) for one in people} | {before.get("list_post", "")}
    return [one.address for one in recipients if one.folded not in seen]


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
