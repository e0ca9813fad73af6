"""What travels to and from a widget: untrusted values in, plain JSON values out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email

from channels.chat.tokens import Tokens
from inbox.callbacks import Slot
from inbox.errors import BadInput
from inbox.people import telephone
from inbox.people.contacts import AddressLine
from inbox.visitors import PublicEntry, VisitorConversation
from inbox.vocabulary import AddressKind, AttachmentId, ChannelKind
from inbox.waits.mode import ModeNow
from inbox.words import N_

MAX_TEXT_CHARS = 10_000
MAX_FILES = 10
BIGGEST_NUMBER = 2**31 - 1
_ID = re.compile(r"[A-Za-z0-9_-]{8,59}")  # with the visitor's name they must fit into a key of 100
_NOT_SAID = {ord(c): None for c in map(chr, [*range(9), 11, 12, *range(14, 32), 127])}


def fields(data: object) -> Mapping[str, Any]:
    """Raises BadInput for anything but an object."""
    if not isinstance(data, dict):
        raise BadInput("data", N_("Send an object."))
    return data


def text(data: Mapping[str, Any], name: str = "text", *, required: bool = True, limit: int = MAX_TEXT_CHARS) -> str:
    """Something written by a person, without characters no store or screen can take. Raises BadInput."""
    value = data.get(name)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise BadInput(name, N_("This must be text."))
    if len(value) > limit:
        raise BadInput(name, N_("This text is longer than %(limit)s characters."), limit=limit)
    value = value.translate(_NOT_SAID).encode("utf-8", "replace").decode().strip()
    if required and not value:
        raise BadInput(name, N_("Write something before you send."))
    return value


def client_id(data: Mapping[str, Any], name: str = "id") -> str:
    """The id a widget made for what it sends, so that sending again doubles nothing. Raises BadInput."""
    value = data.get(name)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BadInput(name, N_("This id is not 8 to 59 letters, digits, - or _."))
    return value


def number(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    if type(value) is not int or not 0 <= value <= BIGGEST_NUMBER:
        raise BadInput(name, N_("This must be a whole number."))
    return value


def flag(data: Mapping[str, Any], name: str) -> bool:
    value = data.get(name, False)
    if type(value) is not bool:
        raise BadInput(name, N_("This must be true or false."))
    return value


def files(data: Mapping[str, Any]) -> list[AttachmentId]:
    value = data.get("attachments") or []
    if (
        not isinstance(value, list)
        or len(value) > MAX_FILES
        or not all(type(v) is int and 0 < v < 2**62 for v in value)
    ):
        raise BadInput("attachments", N_("At most %(limit)s files can be sent at once."), limit=MAX_FILES)
    return [AttachmentId(v) for v in value]


def short(value: object) -> str:
    """What a browser says of itself, cut to a length that is kept."""
    return value[:500].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def answer_channel(wanted: object) -> ChannelKind | None:
    """The way a visitor wants their answer; None when they did not say. Raises BadInput."""
    if wanted is None:
        return None
    found = {"email": ChannelKind.EMAIL, "callback": ChannelKind.PHONE}.get(wanted) if isinstance(wanted, str) else None
    if found is None:
        raise BadInput("answer_by", N_("Answers come here, by e-mail or by a call."))
    return found


def slot(wanted: object) -> Slot | None:
    """The time a visitor chose for a call, if they did. Raises BadInput."""
    if wanted is None:
        return None
    if isinstance(wanted, dict):
        try:
            since, until = (datetime.fromisoformat(wanted[name]) for name in ("from", "to"))
            if since.utcoffset() is not None and until.utcoffset() is not None:
                return Slot(since, until)
        except (KeyError, TypeError, ValueError):
            pass
    raise BadInput("slot", N_("Choose one of the times."))


@dataclass(frozen=True, slots=True)
class Contact:
    """Who a visitor says they are."""

    name: str = ""
    email: AddressLine | None = None
    phone: AddressLine | None = None

    @property
    def lines(self) -> list[AddressLine]:
        return [line for line in (self.email, self.phone) if line is not None]


def contact(data: Mapping[str, Any], country: str) -> Contact:
    """Raises BadInput naming the field that can't be an address or a number."""
    return Contact(
        name=" ".join(text(data, "name", required=False, limit=200).split()),
        email=_email(text(data, "email", required=False, limit=320)),
        phone=phone(text(data, "phone", required=False, limit=60), country),
    )


def _email(written: str) -> AddressLine | None:
    if not written:
        return None
    try:
        found = validate_email(written, check_deliverability=False, allow_smtputf8=True, test_environment=True)
    except EmailNotValidError:
        raise BadInput("email", N_("This is not a mail address. It looks like name@example.org.")) from None
    return AddressLine(AddressKind.EMAIL, found.normalized)


def phone(written: str, country: str) -> AddressLine | None:
    if not written:
        return None
    number = telephone.e164(written, country)
    if number is None:
        raise BadInput("phone", N_("This is not a telephone number. Write it with its country code, such as +358 40 …"))
    return AddressLine(AddressKind.PHONE, number)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def entry(said: PublicEntry, visitor: str, tokens: Tokens) -> dict[str, Any]:
    return {
        "number": said.number,
        "kind": said.kind.value,
        "author": said.author,
        "author_name": said.author_name,
        "text": said.text,
        "by_mail": said.by_mail,
        "at": iso(said.at),
        "id": said.client_id,
        "attachments": [
            {
                "name": file.name,
                "media_type": file.media_type,
                "size_bytes": file.size_bytes,
                "url": f"/widget/files/{tokens.sign_file(visitor, file.id)}",
            }
            for file in said.attachments
        ],
    }


def conversation(found: VisitorConversation, visitor: str, tokens: Tokens) -> dict[str, Any]:
    return {
        "id": found.id,
        "status": found.status.value,
        "waiting": found.waiting,
        "answer_by": found.answer_by.value if found.answer_by else None,
        "joined": found.owner_name,
        "last_number": found.last_number,
        "seen": found.read_up_to,
        "reachable": found.reachable,
        "mail_to": found.mail_to,
        "entries": [entry(e, visitor, tokens) for e in found.entries],
    }


def mode(now: ModeNow) -> dict[str, Any]:
    return {
        "mode": now.mode.value,
        "opens_at": iso(now.opens_at) if now.opens_at else None,
        "zone": now.zone,
    }
