"""From a kept arrival to its place in the desk, in one transaction; parsed before, off the event loop."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from channels.email.addresses import MailAddress, fold, is_usable, without_plus
from channels.email.authentication import Authentication
from channels.email.domains import domain_of, organisation
from channels.email.record import (
    AddressData,
    Appointment,
    AppointmentData,
    BroughtByData,
    Folds,
    InboundMail,
    MachineKind,
    MailAttachment,
    MailData,
    ReportAction,
    SuspicionData,
)
from channels.email.subjects import base_subject
from channels.email.suspicion import suspicions
from channels.email.threading import Decision, Outcome, decide, own_id, thread_index_id
from inbox import deliveries, desk_mail, mail_ids, mail_stops
from inbox.deliveries import Answer
from inbox.errors import BadInput
from inbox.mail_ids import KnownMail
from inbox.mail_stops import StopReason, Wish
from inbox.mail_trust import is_doubtful
from inbox.people import contacts, operators
from inbox.people.contacts import AddressLine, Sender
from inbox.receive import History, Incoming, receive
from inbox.store import arrivals, attachments
from inbox.store.attachments import AttachmentFolder, Stored
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import (
    AddressKind,
    ArrivalId,
    ArrivalState,
    ChannelKind,
    ConversationId,
    EntryId,
    EntryKind,
    RecipientState,
)
from inbox.widget_mails import is_in_widget

_REPORTED = {
    ReportAction.FAILED: RecipientState.BOUNCED,
    ReportAction.DELAYED: RecipientState.HELD_UP,
    ReportAction.DELIVERED: RecipientState.SENT,
    ReportAction.RELAYED: RecipientState.SENT,
    ReportAction.EXPANDED: RecipientState.SENT,
}
_OURS = re.compile(r"<[0-9a-f]{32}@")  # the shape of ids made here
_ANSWERS_NOBODY = frozenset({MachineKind.AUTOMATIC_REPLY, MachineKind.CHALLENGE, MachineKind.OWN})


@dataclass(frozen=True, slots=True)
class StoredFile:
    stored: Stored
    content_id: str
    inline: bool


@dataclass(frozen=True, slots=True)
class Understood:
    """A parsed mail whose files lie in the attachments folder already."""

    mail: InboundMail
    files: Sequence[StoredFile]
    authentication: Authentication | None = None  # None: nothing is known about its sender
    brought_by: BroughtByData | None = None  # an operator forwarded it; `mail` is the customer's


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of an arrival. `entry_id` is None when it was set aside."""

    state: ArrivalState
    reason: str
    conversation_id: ConversationId | None = None
    entry_id: EntryId | None = None


class _DeskLookups:
    """The questions of `threading`, answered from the open transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def find(self, message_ids: Sequence[str]) -> list[KnownMail]:
        return mail_ids.find(self._conn, message_ids)

    def by_token(self, token: str) -> ConversationId | None:
        return mail_ids.by_token(self._conn, token)

    def split_off_from(self, conversation_id: ConversationId) -> ConversationId | None:
        return mail_ids.split_off_from(self._conn, conversation_id)

    def is_participant(self, conversation_id: ConversationId, folded: str) -> bool:
        return mail_ids.is_participant(self._conn, conversation_id, folded)

    def subject_of(self, conversation_id: ConversationId) -> str:
        return mail_ids.subject_of(self._conn, conversation_id)

    def recent_subjects(self, folded: str, since: datetime) -> list[tuple[ConversationId, str]]:
        return mail_ids.recent_subjects(self._conn, folded, since)


def store_files(folder: AttachmentFolder, mail: InboundMail, raw: bytes) -> Understood:
    """Blocking: puts the attachments on the disk. A file above the limit is named in a note; the raw mail has it."""
    files: list[StoredFile] = []
    notes = list(mail.notes)
    given = mail.attachments
    if "unreadable" in notes:
        given = (MailAttachment("message.eml", "", "message/rfc822", raw),)
    for one in given:
        try:
            stored = folder.write(one.content, one.name)
        except BadInput:
            notes.append("attachment_too_large")
            continue
        stored = replace(stored, name=one.name, original_name=one.original_name[:1000], media_type=one.media_type[:200])
        files.append(StoredFile(stored, one.content_id, one.inline))
    return Understood(replace(mail, attachments=(), notes=tuple(dict.fromkeys(notes))), files)


def place(
    tx: Transaction,
    arrival_id: ArrivalId,
    understood: Understood,
    *,
    own_addresses: Collection[str],
    envelope_recipients: Sequence[str] = (),
    reopen_for: timedelta | None = None,
    history: History | None = None,
    wish: Wish | None = None,
    now: datetime,
) -> Placed:
    """Thread, store, start the wait, settle the arrival. Safe to run again: a settled arrival changes nothing.

    `history`: it was written long ago and is only filed. `wish`: it asks for no more of some mail of ours.
    """
    held = arrivals.held(tx, arrival_id)
    if held is None or held[0] is not ArrivalState.NEW:
        return Placed(held[0] if held else ArrivalState.SET_ASIDE, "settled", entry_id=held[1] if held else None)
    mail = understood.mail
    if wish is not None and history is None:
        mail_stops.stop(tx, wish.address, wish.topic, StopReason.UNSUBSCRIBED, now=now)
        arrivals.settle(tx, arrival_id, ArrivalState.SET_ASIDE, now=now, reason="unsubscribed")
        return Placed(ArrivalState.SET_ASIDE, "unsubscribed")
    at = now if history is None else min(history.at, now)
    decision = decide(
        mail,
        _DeskLookups(tx.conn),
        own_addresses=own_addresses,
        envelope_recipients=[fold(one) for one in envelope_recipients],
        now=at,
    )
    placed = _act(tx, arrival_id, understood, decision, own_addresses, envelope_recipients, reopen_for, history, at)
    arrivals.settle(tx, arrival_id, placed.state, now=now, entry_id=placed.entry_id, reason=placed.reason)
    return placed


def _act(
    tx: Transaction,
    arrival_id: ArrivalId,
    understood: Understood,
    decision: Decision,
    own_addresses: Collection[str],
    envelope_recipients: Sequence[str],
    reopen_for: timedelta | None,
    history: History | None,
    now: datetime,
) -> Placed:
    mail = understood.mail
    learnt = _renamed_by_service(tx, mail, own_addresses)
    if learnt is not None:
        return Placed(ArrivalState.SET_ASIDE, Outcome.OWN_COPY, learnt.conversation_id, learnt.entry_id)
    if decision.outcome in (Outcome.COPY, Outcome.OWN_COPY):
        return Placed(ArrivalState.SET_ASIDE, decision.outcome, decision.conversation_id, decision.entry_id)
    if decision.outcome is Outcome.UNMATCHED_REPORT:
        if _about_desk_mail(tx, mail, now):
            return Placed(ArrivalState.SET_ASIDE, "report_about_desk_mail")
        return Placed(ArrivalState.SET_ASIDE, decision.outcome)
    if decision.outcome is Outcome.REPORT and history is not None:
        return Placed(ArrivalState.SET_ASIDE, "old_report", decision.conversation_id)
    if decision.outcome is Outcome.REPORT:
        assert decision.conversation_id is not None
        assert decision.entry_id is not None
        return _report(tx, mail, decision.conversation_id, decision.entry_id, now)
    if decision.outcome is Outcome.NEW and mail.machine is not None and mail.machine.kind in _ANSWERS_NOBODY:
        return Placed(ArrivalState.SET_ASIDE, f"{mail.machine.kind}: {mail.machine.reason}")
    if history is None and (brought := _brought_in(tx.conn, understood, decision, own_addresses)) is not None:
        outer, understood = own_id(mail), brought
        placed = _receive(
            tx, arrival_id, understood, decision, own_addresses, envelope_recipients, reopen_for, None, now
        )
        if placed.state is ArrivalState.PLACED and placed.conversation_id is not None:
            mail_ids.register(
                tx, outer, placed.conversation_id, entry_id=placed.entry_id, ours=False, digest=mail.digest
            )
        return placed
    return _receive(tx, arrival_id, understood, decision, own_addresses, envelope_recipients, reopen_for, history, now)


def _brought_in(
    conn: Connection, understood: Understood, decision: Decision, own_addresses: Collection[str]
) -> Understood | None:
    """A customer's mail that an operator forwarded to the desk, as if the customer had written to it.

    Only from an operator's own address, and never somebody of ours as the customer. The sender must not be in doubt;
    where anything is known about the sender, it must prove the address: many domains ask nobody to doubt forgeries.
    """
    mail = understood.mail
    inner = mail.forwarded
    if inner is None or decision.outcome is not Outcome.NEW or mail.machine is not None:
        return None
    if without_plus(inner.author.folded) in own_addresses or inner.author.folded == mail.author.folded:
        return None
    known = understood.authentication
    if known is not None and not known.proves(domain_of(mail.author.folded)):
        return None
    if _doubts(conn, understood, decision, own_addresses):
        return None
    operator = operators.by_email(conn, mail.author.address)
    if operator is None:
        return None
    ours = tuple(one for one in (*mail.to, *mail.cc) if without_plus(one.folded) in own_addresses)
    return replace(
        understood,
        mail=replace(
            mail,
            message_id=inner.message_id,
            author=inner.author,
            sender=None,
            reply_to=(),
            to=ours,
            cc=(),
            return_path=None,
            subject=inner.subject,
            date=inner.date,
            in_reply_to=inner.in_reply_to,
            references=inner.references,
            thread_root="",
            thread_topic="",
            language=inner.language,
            text=inner.text,
            folds=Folds(),
            html=inner.html,
            remote_images=inner.remote_images,
            silence="forwarded",
        ),
        authentication=None,
        brought_by={"name": operator[0].name, "address": mail.author.address, "cover": inner.cover},
    )


def _receive(
    tx: Transaction,
    arrival_id: ArrivalId,
    understood: Understood,
    decision: Decision,
    own_addresses: Collection[str],
    envelope_recipients: Sequence[str],
    reopen_for: timedelta | None,
    history: History | None,
    now: datetime,
) -> Placed:
    mail = understood.mail
    continues: ConversationId | None = None
    if _is_long_closed(tx.conn, decision, mail, reopen_for, now):
        continues, decision = decision.conversation_id, Decision(Outcome.NEW, "continues")
    joins = decision.outcome is Outcome.JOIN
    author = _someone(mail)
    others = () if decision.stranger else _others(mail, own_addresses)
    support = _support_address(mail, own_addresses, envelope_recipients)
    data = mail_data(mail, understood.files)
    data["support_address"] = support
    if understood.brought_by is not None:
        data["brought_by"] = understood.brought_by
    if decision.stranger:
        data["stranger"] = True
    if decision.named_other is not None:
        data["named_other"] = decision.named_other
    if continues is not None:
        data["continues"] = continues
    if joins and decision.conversation_id is not None:
        before = mail_ids.subject_of(tx.conn, decision.conversation_id)
        if base_subject(before) != base_subject(mail.subject):
            data["subject_changed"] = before
    if understood.authentication is not None:
        data["authentication"] = understood.authentication.data()
    doubts = _doubts(tx.conn, understood, decision, own_addresses)
    if doubts:
        data["suspicious"] = doubts
        data["left_out"] = [_address(one) for one in (author, *others)]
        data.setdefault("silence", doubts[0]["why"])
        others = ()
    if _OURS.match(mail.message_id) and any(one.ours for one in mail_ids.find(tx.conn, [mail.message_id])):
        data.setdefault("silence", "own_message_id")  # our own mail, with another author's name on it
    is_machine = mail.machine is not None
    ids = [
        attachments.add(tx, one.stored, uploaded_by="email", now=now, content_id=one.content_id or None)
        for one in understood.files
    ]
    received = receive(
        tx,
        Incoming(
            channel=ChannelKind.EMAIL,
            sender=Sender(AddressLine(AddressKind.EMAIL, author.address), author.name, mail.language),
            text=mail.text,
            kind=EntryKind.REPORT if is_machine and joins else EntryKind.MESSAGE,
            html=mail.html,
            subject=mail.subject,
            client_key=_client_key(mail),
            conversation_id=decision.conversation_id,
            starts_wait=_starts_wait(mail, joins=joins),
            cc=[AddressLine(AddressKind.EMAIL, one.address) for one in others],
            stranger=decision.stranger,
            takes_part=not doubts,
            data={"mail": data, "thread": decision.evidence, **_shown_in_widget(tx.conn, decision, author, mail)},
            source={"support_address": support} if support else {},
            attachments=ids,
            arrival_id=arrival_id,
            history=history,
        ),
        now=now,
    )
    if received.duplicate:
        return Placed(ArrivalState.SET_ASIDE, Outcome.COPY, received.conversation_id, received.entry_id)
    conversation_id = received.conversation_id
    mail_ids.register(tx, own_id(mail), conversation_id, entry_id=received.entry_id, ours=False, digest=mail.digest)
    if not decision.stranger and decision.named_other is None and not doubts:
        # Awaited parents: an answer that overtook the mail it answers, or its sibling, finds the way by them.
        for parent in dict.fromkeys((*mail.in_reply_to[:1], *mail.references[-1:])):
            mail_ids.register(tx, parent, conversation_id, entry_id=None, ours=False)
        if mail.thread_root:
            mail_ids.register(tx, thread_index_id(mail.thread_root), conversation_id, entry_id=None, ours=False)
    return Placed(ArrivalState.PLACED, decision.evidence, conversation_id, received.entry_id)


def _doubts(
    conn: Connection, understood: Understood, decision: Decision, own_addresses: Collection[str]
) -> list[SuspicionData]:
    joined = decision.conversation_id if decision.outcome is Outcome.JOIN else None
    participants = [] if joined is None else contacts.participant_values(conn, joined, AddressKind.EMAIL)
    found = suspicions(
        understood.mail, understood.authentication, own_addresses=own_addresses, participants=participants
    )
    if joined is None or all(one["why"] != "new_reply_to" for one in found):
        return found
    before = {
        organisation(domain_of(fold(to["address"])))
        for one in mail_ids.mails(conn, joined, limit=50)
        if not is_doubtful(one.data)
        for to in one.data.get("mail", {}).get("reply_to", ())
    }
    return [one for one in found if one["why"] != "new_reply_to" or organisation(one["domain"]) not in before]


def _renamed_by_service(tx: Transaction, mail: InboundMail, own_addresses: Collection[str]) -> KnownMail | None:
    """A copy of our own mail under another id: answers will name that one, so it is ours from now on."""
    if not mail.desk_id or mail.desk_id == mail.message_id or without_plus(mail.author.folded) not in own_addresses:
        return None
    known = next((one for one in mail_ids.find(tx.conn, [mail.desk_id]) if one.ours and one.entry_id), None)
    if known is not None and mail.message_id:
        mail_ids.register(tx, mail.message_id, known.conversation_id, entry_id=known.entry_id, ours=True)
    return known


def _shown_in_widget(conn: Connection, decision: Decision, author: MailAddress, mail: InboundMail) -> dict[str, bool]:
    """An answer to what went on by mail, by whom it went to, is in the visitor's window when they return."""
    if decision.outcome is not Outcome.JOIN or decision.stranger or mail.machine is not None:
        return {}
    assert decision.conversation_id is not None
    return {"in_widget": True} if is_in_widget(conn, decision.conversation_id, author.folded) else {}


def _about_desk_mail(tx: Transaction, mail: InboundMail, now: datetime) -> bool:
    """A bounce of, or a complaint about, a mail that the desk wrote by itself."""
    if mail.report is None or mail.machine is None:
        return False
    complaint = mail.machine.kind is MachineKind.COMPLAINT
    lost = next((one for one in mail.report.recipients if one.is_final), None)
    if lost is None and not complaint:
        return False
    said = "" if lost is None else lost.words or lost.status
    return desk_mail.reported(tx, mail.report.message_ids, said, complaint=complaint, now=now)


def _is_long_closed(
    conn: Connection, decision: Decision, mail: InboundMail, reopen_for: timedelta | None, now: datetime
) -> bool:
    """People reopen what was closed a while ago; after longer it is a new matter that names the old one."""
    if reopen_for is None or decision.outcome is not Outcome.JOIN or decision.stranger or mail.machine is not None:
        return False
    assert decision.conversation_id is not None
    closed = mail_ids.closed_at(conn, decision.conversation_id)
    return closed is not None and closed < now - reopen_for


def _starts_wait(mail: InboundMail, *, joins: bool) -> bool:
    """Machines start no clock. But forwarding rules and contact forms mark a customer's own mail as auto-generated."""
    if mail.machine is None:
        return True
    if joins or mail.machine.kind is not MachineKind.NOTIFICATION:
        return False
    return mail.machine.reason == "auto_generated" or any(one.folded != mail.author.folded for one in mail.reply_to)


def _report(
    tx: Transaction, mail: InboundMail, conversation_id: ConversationId, entry_id: EntryId, now: datetime
) -> Placed:
    """What a report says is shown at the very mail; only recipients that mail really went to are believed."""
    sent = mail_ids.mail(tx.conn, entry_id)
    sent_data: Mapping[str, Any] = sent.data.get("mail", {}) if sent is not None else {}
    everybody = {fold(one["address"]) for one in (*sent_data.get("to", ()), *sent_data.get("cc", ()))}
    believed = [one for one in (mail.report.recipients if mail.report else ()) if fold(one.address) in everybody]
    added = say(
        tx,
        locked(tx, conversation_id),
        "mail_report",
        by=None,
        now=now,
        kind=EntryKind.REPORT,
        text=mail.new_text[:4000],
        data={"mail": mail_data(mail, ()), "about": entry_id},
    )
    written = (one["address"] for one in (*sent_data.get("to", ()), *sent_data.get("cc", ())))
    as_written = {fold(one): one for one in written}
    deliveries.reported(
        tx,
        entry_id,
        {
            as_written[fold(one.address)]: Answer(state, one.words or one.status or one.action)
            for one in believed
            if (state := _REPORTED.get(one.action)) is not None
        },
        now=now,
    )
    for one in believed:
        if one.is_final:
            contacts.mark_failing(tx, AddressLine(AddressKind.EMAIL, one.address), now=now)
    if mail.machine is not None and mail.machine.kind is MachineKind.COMPLAINT:
        complained = {one.address for one in believed} or (everybody if len(everybody) == 1 else set())
        for address in complained:
            mail_stops.stop(tx, address, mail_stops.EVERYTHING, StopReason.COMPLAINED, now=now)
    return Placed(ArrivalState.PLACED, Outcome.REPORT, conversation_id, added.entry_id)


def _someone(mail: InboundMail) -> MailAddress:
    """The author; where no address can be read, the envelope's, or one that reaches nobody and is this mail's alone."""
    if mail.author.address:
        return mail.author
    if mail.return_path and is_usable(mail.return_path):
        return MailAddress(mail.author.name, mail.return_path)
    if len(mail.reply_to) == 1:
        return MailAddress(mail.author.name, mail.reply_to[0].address)
    return MailAddress(mail.author.name, f"unknown-{mail.digest[:12]}@sender.invalid")


def _others(mail: InboundMail, own_addresses: Collection[str]) -> list[MailAddress]:
    if mail.machine is not None:
        return []
    author = mail.author.folded
    return [
        one
        for one in (*mail.to, *mail.cc)
        if one.folded != author and without_plus(one.folded) not in own_addresses and one.folded != mail.list_post
    ]


def _support_address(mail: InboundMail, own_addresses: Collection[str], envelope_recipients: Sequence[str]) -> str:
    written = [one.folded for one in (*mail.to, *mail.cc)]
    for address in (*written, *mail.delivered_to, *(fold(one) for one in envelope_recipients)):
        if without_plus(address) in own_addresses:
            return without_plus(address)
    return ""


def _client_key(mail: InboundMail) -> str:
    return "mail:" + sha256(f"{mail.message_id}\n{mail.digest}".encode("utf-8", "replace")).hexdigest()


def mail_data(mail: InboundMail, files: Sequence[StoredFile]) -> MailData:
    """What the entry keeps for screens and for the answers to it."""
    data: MailData = {
        "subject": mail.subject,
        "message_id": mail.message_id,
        "author": _address(mail.author),
        "to": [_address(one) for one in mail.to],
        "cc": [_address(one) for one in mail.cc],
    }
    if mail.reply_to:
        data["reply_to"] = [_address(one) for one in mail.reply_to]
    if mail.date is not None:
        data["date"] = mail.date.isoformat()
    if mail.references:
        data["references"] = list(mail.references)
    if mail.in_reply_to:
        data["in_reply_to"] = list(mail.in_reply_to)
    if mail.folds != Folds():
        data["new_text"], signature = mail.folds.apart(mail.text)
        if signature:
            data["signature"] = signature[:2000]
    if mail.remote_images:
        data["remote_images"] = mail.remote_images
    if mail.machine is not None:
        data["machine"] = mail.machine.kind.value
        data["machine_reason"] = mail.machine.reason
    if mail.silence is not None:
        data["silence"] = mail.silence
    if mail.report is not None:
        data["report"] = [
            {"address": one.address, "action": one.action.value, "status": one.status, "words": one.words}
            for one in mail.report.recipients
        ]
    if mail.invitation:
        data["invitation"] = True
    if mail.appointment is not None:
        data["appointment"] = _appointment(mail.appointment)
    if mail.protection:
        data["protection"] = mail.protection.value
    if mail.notes:
        data["notes"] = list(mail.notes)
    if mail.list_post:
        data["list_post"] = mail.list_post
    if mail.thread_index:
        data["thread_index"] = mail.thread_index
        data["thread_topic"] = mail.thread_topic
    cids = {one.content_id: one.stored.name for one in files if one.content_id}
    if cids:
        data["cids"] = cids
    return data


def _address(one: MailAddress) -> AddressData:
    return {"name": one.name, "address": one.address}


def _appointment(one: Appointment) -> AppointmentData:
    data: AppointmentData = {"method": one.method.value, "title": one.title}
    if one.starts is not None:
        data["starts"] = one.starts.date().isoformat() if one.all_day else one.starts.isoformat()
    if one.ends is not None:
        data["ends"] = one.ends.date().isoformat() if one.all_day else one.ends.isoformat()
    if one.place:
        data["place"] = one.place
    if one.organiser:
        data["organiser"] = one.organiser
    if one.repeats:
        data["repeats"] = True
    return data
