"""A mail as the desk understands it, and what an entry keeps of it for the screens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import NotRequired, TypedDict

from channels.email.addresses import MailAddress


class MachineKind(StrEnum):
    """Who wrote it when no person did. Values are stored."""

    DELIVERY_REPORT = "delivery_report"
    READ_RECEIPT = "read_receipt"
    COMPLAINT = "complaint"
    AUTOMATIC_REPLY = "automatic_reply"  # vacation notices, receipts
    CHALLENGE = "challenge"
    BULK = "bulk"  # newsletters and other mail to many
    NOTIFICATION = "notification"  # machine mail that may carry a customer's matter (forms, forwarding rules)
    OWN = "own"  # our own mail coming back


@dataclass(frozen=True, slots=True)
class Machine:
    """`reason` is the stable word of the rule that fired."""

    kind: MachineKind
    reason: str


class ReportAction(StrEnum):
    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """`status` like 5.1.1 (RFC 3463); `words` are the remote server's own."""

    address: str
    action: ReportAction
    status: str
    words: str

    @property
    def is_final(self) -> bool:
        return self.action is ReportAction.FAILED and not self.status.startswith("4")


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a report says about a mail of ours: `message_ids` are all ids under which it may name that mail."""

    message_ids: tuple[str, ...]
    recipients: tuple[ReportedRecipient, ...]


@dataclass(frozen=True, slots=True)
class MailAttachment:
    """`name` is safe, `original_name` as written; `media_type` is sniffed, never believed."""

    name: str
    original_name: str
    media_type: str
    content: bytes
    content_id: str = ""
    location: str = ""
    inline: bool = False


class AppointmentMethod(StrEnum):
    """What a calendar part wants (RFC 5546). Values are stored."""

    PUBLISH = "publish"
    REQUEST = "request"
    REPLY = "reply"
    ADD = "add"
    CANCEL = "cancel"
    REFRESH = "refresh"
    COUNTER = "counter"
    DECLINECOUNTER = "declinecounter"


@dataclass(frozen=True, slots=True)
class Appointment:
    """A calendar invitation as people read it. Times are UTC; of a whole day only the date counts."""

    method: AppointmentMethod
    title: str
    starts: datetime | None
    ends: datetime | None
    all_day: bool
    place: str
    organiser: str
    repeats: bool = False
    attendees: int = 0


class Protection(StrEnum):
    NONE = ""
    SIGNED = "signed"
    ENCRYPTED = "encrypted"


@dataclass(frozen=True, slots=True)
class Folds:
    """Character offsets into the full text. History is [quoted_from, quoted_until), to the end when there is no
    `quoted_until`; the signature goes from `signature_from` to the history or, below it, to the end."""

    quoted_from: int | None = None
    quoted_until: int | None = None
    signature_from: int | None = None

    def apart(self, text: str) -> tuple[str, str]:
        """The writer's own words, and the signature."""
        history = len(text) if self.quoted_from is None else self.quoted_from
        until = len(text) if self.quoted_until is None else self.quoted_until
        above, below = text[:history], text[until:]
        signature = ""
        if self.signature_from is not None:
            if self.signature_from < history:
                above, signature = text[: self.signature_from], text[self.signature_from : history]
            elif self.signature_from >= until:
                below, signature = text[until : self.signature_from], text[self.signature_from :]
        own = [part.strip("\n") for part in (above.rstrip(), below.rstrip()) if part.strip()]
        return "\n\n".join(own), signature.strip()


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A mail inside a mail. `cover` is what the one who forwards it wrote above; ids only where it was attached."""

    author: MailAddress
    subject: str
    text: str
    html: str | None  # of the whole mail where the other is part of it
    date: datetime | None
    message_id: str
    references: tuple[str, ...]
    in_reply_to: tuple[str, ...]
    language: str | None
    cover: str
    remote_images: int


@dataclass(frozen=True, slots=True)
class InboundMail:
    """One mail, understood. Every field has a value whatever came in; `notes` are stable words about oddities."""

    message_id: str
    digest: str
    author: MailAddress
    sender: MailAddress | None
    reply_to: tuple[MailAddress, ...]
    to: tuple[MailAddress, ...]
    cc: tuple[MailAddress, ...]
    delivered_to: tuple[str, ...]
    return_path: str | None  # "" is the empty envelope sender, None: not known
    subject: str
    date: datetime | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    thread_root: str  # of Thread-Index; empty when absent
    thread_topic: str
    language: str | None
    text: str
    folds: Folds
    html: str | None  # sanitised, remote images moved to data-remote-src
    remote_images: int
    attachments: tuple[MailAttachment, ...]
    machine: Machine | None
    silence: str | None  # why no automatic answer may go to this mail; None: it may
    report: DeliveryReport | None
    list_post: str
    list_id: str
    invitation: bool
    appointment: Appointment | None
    protection: Protection
    notes: tuple[str, ...]
    thread_index: str = ""  # base64, whole
    desk_id: str = ""  # a copy of our own mail names the id it left the desk with, whatever it is called now
    forwarded: Forwarded | None = None

    @property
    def new_text(self) -> str:
        """The writer's own words, without quoted history and signature."""
        return self.folds.apart(self.text)[0]


class AddressData(TypedDict):
    name: str
    address: str


class BroughtByData(TypedDict):
    name: str
    address: str
    cover: str  # what they wrote above it: for the desk only


class ReportData(TypedDict):
    address: str
    action: str
    status: str
    words: str


class AuthenticationData(TypedDict):
    """Words of RFC 8601; `by` is the host that found them, or "desk"."""

    spf: str
    dkim: str
    dmarc: str
    by: str
    spf_domain: NotRequired[str]
    dkim_domain: NotRequired[str]
    policy: NotRequired[str]  # what the author's domain asks for mail that fails


class SuspicionData(TypedDict):
    """`why`: dmarc_fail, lookalike or new_reply_to, and the domains it is about."""

    why: str
    domain: NotRequired[str]
    known: NotRequired[str]


class AppointmentData(TypedDict):
    method: str  # AppointmentMethod
    title: str
    starts: NotRequired[str]  # ISO 8601, UTC; the date alone for whole days
    ends: NotRequired[str]
    place: NotRequired[str]
    organiser: NotRequired[str]
    repeats: NotRequired[bool]


class MailData(TypedDict):
    """`entry.data["mail"]` of every entry that came or goes by mail; what a screen needs besides text and html."""

    subject: str
    message_id: str
    author: AddressData
    to: list[AddressData]
    cc: list[AddressData]
    reply_to: NotRequired[list[AddressData]]
    date: NotRequired[str]  # ISO 8601, what the mail itself claims
    references: NotRequired[list[str]]
    in_reply_to: NotRequired[list[str]]
    new_text: NotRequired[str]  # absent when the full text is all new
    signature: NotRequired[str]  # folded apart
    remote_images: NotRequired[int]
    machine: NotRequired[str]  # MachineKind
    machine_reason: NotRequired[str]
    silence: NotRequired[str]  # why no automatic answer may go out; absent: one may
    report: NotRequired[list[ReportData]]
    invitation: NotRequired[bool]
    appointment: NotRequired[AppointmentData]
    protection: NotRequired[str]  # Protection
    notes: NotRequired[list[str]]
    stranger: NotRequired[bool]  # joined with one of our ids, was no participant
    continues: NotRequired[int]  # a conversation closed too long ago to be reopened by this mail
    brought_by: NotRequired[BroughtByData]  # the operator who forwarded this mail to the desk
    named_other: NotRequired[int]  # a conversation this mail's ids name and which its author may not join
    subject_changed: NotRequired[str]  # the conversation's subject, when this mail has another
    authentication: NotRequired[AuthenticationData]
    suspicious: NotRequired[list[SuspicionData]]  # shown with a banner; nothing happens by itself until it is trusted
    left_out: NotRequired[list[AddressData]]  # would take part, had the mail not been suspicious
    trusted_by: NotRequired[int]  # the operator who said that a suspicious mail is what it seems
    newcomers: NotRequired[list[str]]  # recipients who have not seen the mail that is answered
    quotes: NotRequired[bool]  # False: the mail that is answered is not quoted below
    support_address: NotRequired[str]  # which of our addresses it came to
    list_post: NotRequired[str]
    thread_index: NotRequired[str]  # base64; of ours: that of the mail answered
    thread_topic: NotRequired[str]
    cids: NotRequired[dict[str, str]]  # Content-ID → safe attachment name, for inline pictures


NOBODY = MailAddress("", "")
Request = tuple[bytes, Collection[str], str | None, bool]
"""To a reading process: the raw mail, our addresses, the envelope's sender, whether only the headers count."""


def not_read(
    raw: bytes,
    return_path: str | None,
    *,
    author: MailAddress = NOBODY,
    subject: str = "",
    message_id: str = "",
    text: str = "",
) -> InboundMail:
    """Looks at nothing: for a mail that hurts whoever looks."""
    return InboundMail(
        message_id=message_id,
        digest=sha256(raw).hexdigest(),
        author=author,
        sender=None,
        reply_to=(),
        to=(),
        cc=(),
        delivered_to=(),
        return_path=return_path,
        subject=subject,
        date=None,
        in_reply_to=(),
        references=(),
        thread_root="",
        thread_topic="",
        language=None,
        text=text,
        folds=Folds(),
        html=None,
        remote_images=0,
        attachments=(),
        machine=None,
        silence="unreadable",
        report=None,
        list_post="",
        list_id="",
        invitation=False,
        appointment=None,
        protection=Protection.NONE,
        notes=("unreadable",),
    )
