"""Mail to bytes. Whatever comes in, what goes out has no raw 8-bit, no bare CR or LF, no NUL and no long line.

Own and small, because header values come from customers: every value passes `_words` or `_token`, nothing else writes.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from channels.email.addresses import MailAddress
from channels.email.headers import one_line

_ATOM = re.compile(r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*$")
_UNSAFE = re.compile(r"[^\x21-\x7e]")
_LINE = 76
_WORD_BYTES = 45  # 60 characters of base64 and the frame stay below the 75 of RFC 2047


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    name: str
    media_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """RFC 8058: a link that takes a POST, and an address for programs that know no links."""

    link: str
    mail_to: str
    subject: str


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    sender: MailAddress
    to: Sequence[MailAddress]
    cc: Sequence[MailAddress]
    subject: str
    message_id: str
    date: datetime
    text: str
    html: str
    reply_to: MailAddress | None = None
    in_reply_to: str = ""
    references: Sequence[str] = ()
    files: Sequence[OutgoingFile] = ()
    automatic: bool = False  # RFC 3834: says so, and asks others not to answer
    generated: bool = False  # automatic, and no answer to anything
    language: str = ""
    thread_index: str = ""  # base64, as Outlook and Exchange know the thread
    thread_topic: str = ""
    unsubscribe: Unsubscribe | None = None


def serialise(mail: OutgoingMail) -> bytes:
    """Raises ValueError for an address that cannot be written in ASCII."""
    head = [
        _line("Date", format_datetime(mail.date)),
        _line("From", _address(mail.sender)),
        _people("To", mail.to),
    ]
    if mail.cc:
        head.append(_people("Cc", mail.cc))
    if mail.reply_to is not None:
        head.append(_line("Reply-To", _address(mail.reply_to)))
    head.append(_words("Subject", mail.subject))
    head.append(_line("Message-ID", _token(mail.message_id)))
    # Some services give the mail another id on its way; the copy in their folder of sent mail then tells which it is.
    head.append(_line("X-Desk-Message-ID", _token(mail.message_id)))
    if mail.in_reply_to:
        head.append(_line("In-Reply-To", _token(mail.in_reply_to)))
    if mail.references:
        head.append(_folded("References", [_token(one) for one in mail.references]))
    if mail.thread_index:
        head.append(_folded("Thread-Index", _pieces(mail.thread_index)))
    if mail.thread_topic:
        head.append(_words("Thread-Topic", mail.thread_topic))
    if mail.automatic or mail.generated:
        head.append(_line("Auto-Submitted", "auto-generated" if mail.generated else "auto-replied"))
        head.append(_line("X-Auto-Response-Suppress", "All"))
    if mail.unsubscribe is not None:
        written_to = quote(_ascii_address(mail.unsubscribe.mail_to), safe="@+")
        asks = f"mailto:{written_to}?subject={quote(mail.unsubscribe.subject)}"
        head.append(_folded("List-Unsubscribe", [f"<{_token(mail.unsubscribe.link)}>,", f"<{_token(asks)}>"]))
        head.append(_line("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    if mail.language:
        head.append(_line("Content-Language", _token(mail.language)))
    head.append(_line("MIME-Version", "1.0"))
    return b"".join(head) + _body(mail)


def new_message_id(domain: str) -> str:
    """128 random bits: nobody can guess it, so whoever quotes it has received the mail."""
    ascii_domain = _UNSAFE.sub("", domain.encode("idna").decode("ascii") if not domain.isascii() else domain)
    return f"<{secrets.token_hex(16)}@{ascii_domain.strip('<>@[]') or 'localhost'}>"


def _body(mail: OutgoingMail) -> bytes:
    inline = [one for one in mail.files if one.content_id]
    attached = [one for one in mail.files if not one.content_id]
    html = _text_part("text/html", mail.html)
    if inline:
        html = _multipart("related", [html, *(_file_part(one) for one in inline)])
    readable = _multipart("alternative", [_text_part("text/plain", mail.text), html])
    return _multipart("mixed", [readable, *(_file_part(one) for one in attached)]) if attached else readable


def _multipart(kind: str, parts: Sequence[bytes]) -> bytes:
    boundary = f"=_{secrets.token_hex(16)}"
    lines = [f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()]
    for part in parts:
        lines += [f"--{boundary}\r\n".encode(), part, b"\r\n"]
    lines.append(f"--{boundary}--\r\n".encode())
    return b"".join(lines)


def _text_part(kind: str, text: str) -> bytes:
    clean = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").encode("utf-8", "replace")
    encoded = binascii.b2a_qp(clean, istext=True).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return (
        f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode() + encoded
    )


def _file_part(one: OutgoingFile) -> bytes:
    kind = one.media_type if re.fullmatch(r"[a-z0-9.+-]{1,80}/[a-z0-9.+-]{1,120}", one.media_type) else ""
    name = _parameter("filename", one.name or "attachment")
    disposition = "inline" if one.content_id else "attachment"
    head = f"Content-Type: {kind or 'application/octet-stream'}\r\nContent-Disposition: {disposition};\r\n {name}\r\n"
    if one.content_id:
        head += f"Content-ID: <{_token(one.content_id)}>\r\n"
    head += "Content-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.encodebytes(one.content).replace(b"\n", b"\r\n")


def _parameter(name: str, value: str) -> str:
    """RFC 2231 where ASCII is not enough."""
    clean = one_line(value)[:200].replace("\\", "_").replace('"', "'")
    if clean.isascii():
        return f'{name}="{clean}"'
    encoded = "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or byte in b".-_" else f"%{byte:02X}"
        for byte in clean.encode()
    )
    pieces = [encoded[at : at + 60] for at in range(0, len(encoded), 60)]
    if len(pieces) == 1:
        return f"{name}*=utf-8''{encoded}"
    # A percent triple may be cut between two pieces: RFC 2231 joins them before decoding.
    return ";\r\n ".join(
        f"{name}*{number}*={chr(39).join(('utf-8', '', '')) if number == 0 else ''}{piece}"
        for number, piece in enumerate(pieces)
    )


def _line(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode("ascii")


def _folded(name: str, words: Sequence[str]) -> bytes:
    lines, current = [], f"{name}:"
    for word in words:
        if len(current) + len(word) + 1 > _LINE and current != f"{name}:":
            lines.append(current)
            current = ""
        current += f" {word}"
    lines.append(current)
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _pieces(value: str) -> list[str]:
    """A long value without blanks, in pieces that fit into lines; readers drop the blanks between them."""
    clean = _token(value)
    return [clean[at : at + 70] for at in range(0, len(clean), 70)]


def _people(name: str, people: Sequence[MailAddress]) -> bytes:
    last = len(people) - 1
    return _folded(name, [_address(one) + ("," if number < last else "") for number, one in enumerate(people)])


def _address(one: MailAddress) -> str:
    address = _ascii_address(one.address)
    shown = one_line(one.name)[:200]
    if not shown:
        return address
    if not shown.isascii():
        return f"{_encoded(shown)} <{address}>"
    if _ATOM.match(shown) and "=?" not in shown:
        return f"{shown} <{address}>"
    quoted = shown.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>' if "=?" not in shown and len(quoted) < 200 else f"{_encoded(shown)} <{address}>"


def _ascii_address(address: str) -> str:
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError(f"{address}: no such domain can exist") from error
    written = f"{local}@{domain}"
    if not local or _UNSAFE.search(written) or "<" in written or ">" in written or "," in written:
        raise ValueError(f"{address}: this address cannot be written to")
    return written


def _words(name: str, value: str) -> bytes:
    clean = one_line(value)
    if clean.isascii() and "=?" not in clean and all(len(word) < 900 for word in clean.split(" ")):
        return _folded(name, clean.split(" "))
    return f"{name}: {_encoded(clean)}\r\n".encode("ascii")


def _encoded(text: str) -> str:
    """RFC 2047 words of whole characters, one on each line."""
    words, piece = [], b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(piece) + len(encoded) > _WORD_BYTES:
            words.append(piece)
            piece = b""
        piece += encoded
    words.append(piece)
    return "\r\n ".join(f"=?utf-8?B?{base64.b64encode(word).decode()}?=" for word in words)


def _token(value: str) -> str:
    """A value without structure of ours, such as a customer's Message-ID: printable ASCII, no blanks, bounded."""
    return _UNSAFE.sub("", value)[:900]
