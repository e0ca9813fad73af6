"""A mail too large to be taken whole: its header and its text parts, put together as a mail of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imapclient import IMAPClient

MAX_TEXT_PARTS = 20
TEXT_BYTES = 1_000_000
HEADER_BYTES = 1_000_000

_REPLACED = re.compile(rb"^(?:content-type|content-transfer-encoding|mime-version)[ \t]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _TextPart:
    number: str  # as in BODY[1.2]; empty: the mail is this one part


def fetch_partially(client: IMAPClient, uid: int) -> bytes | None:
    """None: the mail has gone. What is left out is only what the mail has attached."""
    answer = client.fetch([uid], ["BODYSTRUCTURE", f"BODY.PEEK[HEADER]<0.{HEADER_BYTES}>"]).get(uid, {})
    header = _value(answer, b"BODY[HEADER]")
    if header is None:
        return None
    parts = list(_text_parts(answer.get(b"BODYSTRUCTURE")))[:MAX_TEXT_PARTS]
    if not parts or not parts[0].number:
        text = client.fetch([uid], [f"BODY.PEEK[TEXT]<0.{TEXT_BYTES}>"]).get(uid, {}) if parts else {}
        return header.rstrip(b"\r\n") + b"\r\n\r\n" + (_value(text, b"BODY[TEXT]") or b"")
    asked = [
        item for one in parts for item in (f"BODY.PEEK[{one.number}.MIME]", f"BODY.PEEK[{one.number}]<0.{TEXT_BYTES}>")
    ]
    got = client.fetch([uid], asked).get(uid, {})
    bodies = []
    for one in parts:
        about = _value(got, f"BODY[{one.number}.MIME]".encode())
        body = _value(got, f"BODY[{one.number}]".encode())
        if about is not None and body is not None:
            bodies.append(about.rstrip(b"\r\n") + b"\r\n\r\n" + body)
    return _joined(header, bodies)


def _joined(header: bytes, bodies: list[bytes]) -> bytes:
    boundary = b"part-of-a-large-mail"
    while any(boundary in body for body in bodies):
        boundary += b"-"
    kept: list[bytes] = []
    dropping = False
    for line in header.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n"):
        if not line.startswith((b" ", b"\t")):
            dropping = _REPLACED.match(line) is not None
        if not dropping:
            kept.append(line)
    kept += [b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="' + boundary + b'"', b""]
    lines = b"\r\n".join(kept)
    inside = b"".join(b"\r\n--" + boundary + b"\r\n" + body for body in bodies)
    return lines + inside + b"\r\n--" + boundary + b"--\r\n"


def _value(answer: Mapping[bytes, Any], name: bytes) -> bytes | None:
    """Servers may add the range to the name they answer with."""
    for key, value in answer.items():
        if key == name or key.startswith(name + b"<"):
            return None if value is None else bytes(value)
    return None


def _text_parts(structure: Any, number: str = "", depth: int = 0) -> Iterator[_TextPart]:
    """RFC 3501, 7.4.2: a part is (type, subtype, …), a multipart ([part, …], subtype, …)."""
    if not isinstance(structure, tuple) or not structure or depth > 30:
        return
    if isinstance(structure[0], list):
        for index, part in enumerate(structure[0], 1):
            yield from _text_parts(part, f"{number}.{index}" if number else str(index), depth + 1)
        return
    kind, subtype = (bytes(one).lower() if isinstance(one, bytes) else b"" for one in structure[:2])
    if kind == b"text" and subtype in (b"plain", b"html") and not _is_attached(structure):
        yield _TextPart(number)


def _is_attached(structure: Any) -> bool:
    return any(
        isinstance(one, tuple) and one and isinstance(one[0], bytes) and one[0].lower() == b"attachment"
        for one in structure[8:]
    )
