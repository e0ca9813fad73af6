"""What must hold for every mail, however broken: it is read, shown harmlessly, stored and can be answered."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from selectolax.lexbor import LexborHTMLParser

from channels.email import limits
from channels.email.addresses import MailAddress
from channels.email.intake import mail_data
from channels.email.parse import parse
from channels.email.recipients import recipients_for_reply, references_for_reply
from channels.email.record import InboundMail
from channels.email.serialise import OutgoingMail, serialise
from channels.email.subjects import for_reply

OWN = frozenset({"help@shop.example"})
_UNSAFE = frozenset({
    "script", "style", "iframe", "object", "embed", "form", "input", "button", "svg", "math", "meta", "base", "link",
    "template", "frame", "frameset", "textarea", "select", "audio", "video", "source", "track", "applet",
})  # fmt: skip
_JOINERS = {0x200C: "", 0x200D: ""}
_LINK = re.compile(r"https?:|mailto:|tel:|cid:", re.IGNORECASE)


def faults(raw: bytes) -> list[str]:
    """Empty when all is well."""
    mail = parse(raw, own_addresses=OWN)
    found: list[str] = []
    if "unreadable" in mail.notes:
        found.append("unreadable")
    if "part_not_read" in mail.notes:
        found.append("a part could not be read")
    found += _of_its_values(mail)
    found += _of_its_answer(mail)
    return found


def _of_its_values(mail: InboundMail) -> list[str]:
    found: list[str] = []
    people = (mail.author, *mail.to, *mail.cc, *mail.reply_to)
    for line in (mail.subject, *(one.name for one in people), *(one.address for one in people), mail.thread_topic):
        if not line.translate(_JOINERS).isprintable():
            found.append(f"a line that cannot be shown: {line!r:.200}")
    names = [one.name for one in mail.attachments]
    if len({name.casefold() for name in names}) < len(names):
        found.append("two files with one name")
    if any(
        len(name.encode()) > limits.FILE_NAME_BYTES or "/" in name or not name.translate(_JOINERS).isprintable()
        for name in names
    ):
        found.append(f"an unsafe file name: {names!r:.300}")
    if "\x00" in mail.text or (mail.html and "\x00" in mail.html):
        found.append("NUL")
    if mail.text.strip() and not mail.new_text.strip():
        found.append("nothing remains unfolded")
    if mail.html and (unsafe := _unsafe(mail.html)):
        found.append(f"unsafe HTML: {unsafe}")
    try:
        json.dumps(mail_data(mail, ()), ensure_ascii=False).encode()
        (mail.text + (mail.html or "")).encode()
    except (UnicodeEncodeError, TypeError, ValueError) as error:
        found.append(f"cannot be stored: {error}")
    return found


def _unsafe(html: str) -> str:
    """Judged by the tree a browser makes of it."""
    for node in LexborHTMLParser(html).css("*"):
        attributes = node.attributes
        if node.tag in _UNSAFE and (attributes or node.tag not in ("base", "meta")):
            return node.tag or ""
        for name, value in attributes.items():
            if name.startswith("on") or name in ("srcset", "background", "formaction", "id", "class", "xlink:href"):
                return name
            if name == "style" and ("url" in (value or "").lower() or "fixed" in (value or "").lower()):
                return f"style {value}"
            if name == "src" and not (value or "").lower().startswith("cid:"):
                return f"src {value}"
            if name == "href" and not _LINK.match(value or ""):
                return f"href {value}"
    return ""


def _of_its_answer(mail: InboundMail) -> list[str]:
    data = mail_data(mail, ())
    answer = recipients_for_reply(data, own_addresses=OWN)
    everybody = (*answer.to, *answer.cc)
    if any(one.folded in OWN for one in everybody):
        return ["an answer to ourselves"]
    if len({one.folded for one in everybody}) < len(everybody):
        return ["an answer to somebody twice"]
    try:
        raw = _answer(mail)
    except ValueError as error:
        # Addresses that need SMTPUTF8 are refused with these words, and an operator reads them.
        return [] if "cannot be written to" in str(error) or "no such domain" in str(error) else [str(error)]
    if not raw.isascii() or any(len(line) > 998 or b"\n" in line or b"\r" in line for line in raw.split(b"\r\n")):
        return ["an answer that is no mail"]
    names = [line.partition(b":")[0] for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] not in b" \t"]
    if len(set(names)) < len(names) or b"Bcc" in names:
        return ["an answer with foreign header fields"]
    return []


def _answer(mail: InboundMail) -> bytes:
    data = mail_data(mail, ())
    people = recipients_for_reply(data, own_addresses=OWN)
    parent, references = references_for_reply(data)
    return serialise(
        OutgoingMail(
            sender=MailAddress("Shop", "help@shop.example"),
            to=people.to or [MailAddress("", "nobody@c.example")],
            cc=people.cc,
            subject=for_reply(mail.subject),
            message_id="<answer@shop.example>",
            date=datetime(2026, 3, 10, tzinfo=UTC),
            text="Thank you.",
            html="",
            in_reply_to=parent,
            references=references,
        )
    )
