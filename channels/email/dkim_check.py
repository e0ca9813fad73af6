"""DKIM signatures of a mail verified by dkimpy (RFC 6376, 8301, 8463). Blocking; what a stranger's mail may cost is
bounded before the library sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import dkim
from dkim.util import InvalidTagValueList, parse_tag_value

from channels.email.dns import Dns, DnsTrouble, texts
from channels.email.domains import ascii_domain

MOST_SIGNATURES = 4
FIELD_BYTES = 4_000
"""A longer signature field lists more names than any sender signs; looking each up takes quadratic time."""
HEAD_BYTES = 200_000
HEADER_FIELDS = 500
KEY_CHARACTERS = 800
"""Of base64: RSA with 4096 bits has 736. A stranger publishes the key, and the arithmetic holds the interpreter."""
_FIELD = re.compile(rb"^dkim-signature[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Signature:
    """`result`: pass, fail, temperror, permerror, or policy for one that proves too little to count."""

    domain: str
    selector: str
    result: str


def is_signed(raw: bytes) -> bool:
    return next(_fields(raw), None) is not None


def verify(raw: bytes, dns: Dns) -> list[Signature]:
    """Topmost first."""
    found: list[Signature] = []
    head = _head(raw)
    if len(head) > HEAD_BYTES or head.count(b"\n") > 4 * HEADER_FIELDS:
        return found
    mail: dkim.DKIM | None = None
    for number, field in enumerate(_fields(raw)):
        if number == MOST_SIGNATURES:
            break
        try:
            tags = parse_tag_value(field)
            domain = ascii_domain(tags[b"d"].decode("ascii", "replace"))
            selector = tags[b"s"].decode("ascii", "replace")
        except (InvalidTagValueList, KeyError, ValueError):
            found.append(Signature("", "", "permerror"))
            continue
        if len(field) > FIELD_BYTES or b"l" in tags or tags.get(b"a", b"").lower() == b"rsa-sha1":
            found.append(Signature(domain, selector, "policy"))
            continue
        mail = mail or dkim.DKIM(_whole_lines(raw), minkey=1024)
        found.append(Signature(domain, selector, _verified(mail, number, dns)))
    return found


def _verified(mail: dkim.DKIM, number: int, dns: Dns) -> str:
    try:
        return "pass" if mail.verify(number, dnsfunc=lambda name, timeout=5: _key(dns, name)) else "fail"
    except DnsTrouble:
        return "temperror"
    except dkim.ValidationError:
        return "fail"
    except Exception:  # a mail or a key that the library stumbles over was not signed properly
        return "permerror"


def _key(dns: Dns, name: bytes | str) -> bytes | None:
    written = name.decode("ascii", "replace") if isinstance(name, bytes) else name
    for record in texts(dns, written):
        if "p=" in record and len(record) < 2 * KEY_CHARACTERS:
            key = re.sub(r"\s", "", record.partition("p=")[2].partition(";")[0])
            if len(key) <= KEY_CHARACTERS:
                return record.encode("ascii", "replace")
    return None


def _head(raw: bytes) -> bytes:
    found = _END.search(raw, 0, HEAD_BYTES + 10)
    return raw[: found.start()] if found else raw[: HEAD_BYTES + 10]


def _fields(raw: bytes) -> Iterator[bytes]:
    for found in _FIELD.finditer(_head(raw)):
        yield found[1]


def _whole_lines(raw: bytes) -> bytes:
    return raw if b"\r\n" in raw[:2000] else raw.replace(b"\n", b"\r\n")
