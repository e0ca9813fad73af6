"""Which conversation a mail belongs to: evidence in layers, the sender checked at each (EMAIL.md "Threading").

Ids we made are random, so whoever holds one has received that mail and may join. Ids of other people's mails stand in
everybody's quotes and prove nothing: they join only those who already take part. Nothing else ever joins anything;
numbers in subjects or bodies least of all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from channels.email.addresses import plus_part, without_plus
from channels.email.record import InboundMail, MachineKind
from channels.email.subjects import base_subject, is_reply
from inbox.mail_ids import KnownMail
from inbox.vocabulary import ConversationId, EntryId

SUBJECT_JOINS_FOR = timedelta(days=30)
SPLITS_FOLLOWED = 20
_REPORTS = frozenset({MachineKind.DELIVERY_REPORT, MachineKind.READ_RECEIPT, MachineKind.COMPLAINT})


class Outcome(StrEnum):
    COPY = "copy"
    OWN_COPY = "own_copy"
    REPORT = "report"  # about the entry `entry_id`
    UNMATCHED_REPORT = "unmatched_report"
    JOIN = "join"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Decision:
    """`evidence` is the stable word of what decided. `named_other`: a conversation the mail names but may not join."""

    outcome: Outcome
    evidence: str
    conversation_id: ConversationId | None = None
    entry_id: EntryId | None = None
    stranger: bool = False
    named_other: ConversationId | None = None


class Lookups(Protocol):
    """What the desk knows; answered by `inbox.mail_ids`."""

    def find(self, message_ids: Sequence[str]) -> list[KnownMail]: ...

    def by_token(self, token: str) -> ConversationId | None: ...

    def split_off_from(self, conversation_id: ConversationId) -> ConversationId | None: ...

    def is_participant(self, conversation_id: ConversationId, folded: str) -> bool: ...

    def subject_of(self, conversation_id: ConversationId) -> str: ...

    def recent_subjects(self, folded: str, since: datetime) -> list[tuple[ConversationId, str]]: ...


def own_id(mail: InboundMail) -> str:
    """What the mail is known by: its Message-ID, or its content where it has none."""
    return mail.message_id or f"digest:{mail.digest}"


def thread_index_id(root: str) -> str:
    return f"thread-index:{root}"


def decide(
    mail: InboundMail,
    lookups: Lookups,
    *,
    own_addresses: Collection[str],
    envelope_recipients: Sequence[str] = (),
    now: datetime,
) -> Decision:
    """`own_addresses` and `envelope_recipients` folded."""
    parents = list(dict.fromkeys((*mail.in_reply_to, *reversed(mail.references))))
    parents = [one for one in parents if one != mail.message_id]
    reported = list(mail.report.message_ids) if mail.report is not None else []
    roots = [thread_index_id(mail.thread_root)] if mail.thread_root else []
    known: dict[str, list[KnownMail]] = {}
    for one in lookups.find([own_id(mail), *reported, *parents, *roots]):
        known.setdefault(one.message_id, []).append(one)

    itself = known.get(own_id(mail), [])
    for one in itself:
        if one.entry_id is not None and one.digest == mail.digest:
            return Decision(Outcome.COPY, "same_mail", one.conversation_id, one.entry_id)
    author = mail.author.folded
    if without_plus(author) in own_addresses:
        for one in itself:
            if one.ours:
                return Decision(Outcome.OWN_COPY, "own_mail", one.conversation_id, one.entry_id)

    if mail.machine is not None and mail.machine.kind in _REPORTS:
        for message_id in reported:
            for one in known.get(message_id, ()):
                if one.ours and one.entry_id is not None:
                    return Decision(Outcome.REPORT, "reported_mail", one.conversation_id, one.entry_id)
        return Decision(Outcome.UNMATCHED_REPORT, "no_mail_of_ours")

    def join(conversation_id: ConversationId, evidence: str) -> Decision:
        stranger = not lookups.is_participant(conversation_id, author)
        return Decision(Outcome.JOIN, evidence, conversation_id, stranger=stranger)

    for address in _recipients(mail, envelope_recipients):
        token = plus_part(address)
        if token and without_plus(address) in own_addresses:
            conversation_id = lookups.by_token(token)
            if conversation_id is not None:
                return join(_split_off(conversation_id, parents, known, lookups), "reply_token")

    named_other: ConversationId | None = None
    for message_id in parents:
        for one in reversed(known.get(message_id, ())):  # the newest conversation that knows it
            if one.ours:
                return join(one.conversation_id, "our_id")
            if lookups.is_participant(one.conversation_id, author):
                return Decision(Outcome.JOIN, "known_id", one.conversation_id)
            named_other = named_other or one.conversation_id

    for root in roots:
        for one in known.get(root, ()):
            same_topic = base_subject(mail.thread_topic or mail.subject) == base_subject(
                lookups.subject_of(one.conversation_id)
            )
            if same_topic and lookups.is_participant(one.conversation_id, author):
                return Decision(Outcome.JOIN, "thread_index", one.conversation_id)

    for one in itself:
        if one.entry_id is None and not one.ours and lookups.is_participant(one.conversation_id, author):
            return Decision(Outcome.JOIN, "awaited_parent", one.conversation_id)

    if named_other is None and author and is_reply(mail.subject):
        wanted = base_subject(mail.subject)
        if wanted:
            for conversation_id, subject in lookups.recent_subjects(author, now - SUBJECT_JOINS_FOR):
                if base_subject(subject) == wanted:
                    return Decision(Outcome.JOIN, "subject", conversation_id)
    return Decision(Outcome.NEW, "new", named_other=named_other)


def _split_off(
    token_of: ConversationId, parents: Sequence[str], known: Mapping[str, Sequence[KnownMail]], lookups: Lookups
) -> ConversationId:
    """Mails keep the token with which they left; when they were split off since, their answers follow them."""
    for message_id in parents:
        for one in known.get(message_id, ()):
            if one.entry_id is None:
                continue
            found: ConversationId | None = one.conversation_id
            for _ in range(SPLITS_FOLLOWED):
                if found is None or found == token_of:
                    break
                found = lookups.split_off_from(found)
            return one.conversation_id if found == token_of else token_of
    return token_of


def _recipients(mail: InboundMail, envelope_recipients: Sequence[str]) -> list[str]:
    """Everywhere a reply token can stand: in Cc as well as in To (a mail with it in Cc must not vanish)."""
    written = [one.folded for one in (*mail.to, *mail.cc)]
    return list(dict.fromkeys([*written, *mail.delivered_to, *envelope_recipients]))
