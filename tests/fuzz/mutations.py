"""Mails nobody would write: the test set's own, damaged byte by byte or taken apart and put together wrongly."""

from __future__ import annotations

import base64
import quopri
import random
import re
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "channels" / "email" / "mails"

_TOKENS = (
    b"", b"\r\n", b"\n", b"\r", b"\r\r\n", b"\r\n\r\n", b"\x00", b"\xff", b"\xfe\xff", b"\x1b$B", b"\x1b(J", b"\x1b$)C",
    b'"', b"(", b")", b"<", b">", b",", b";", b":", b"@", b"\\", b"--", b"-- \r\n", b"> ", b">>>> ",
    b"=?utf-8?B?", b"=?utf-8?Q?", b"?=", b"=?iso-2022-jp?B?GyRC?=", b"=?utf-7?Q?+AGE-?=", b"=?x-unknown?b?=?=",
    b"boundary=", b'boundary=""', b"Content-Type: multipart/mixed\r\n", b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n", b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n", b"Content-Type: application/ms-tnef\r\n",
    b"Content-Type: text/calendar; method=REQUEST\r\n", b"begin 644 a.txt\r\n#86)C\r\n`\r\nend\r\n",
    b"charset=utf-16", b"charset=utf-7", b"charset=idna", b"charset=\"\xe4\"", b"name*0*=utf-8''%", b"name*99999=x",
    b"<div>", b"</p>", b"<!--", b"<style>", b"<table><tr><td>", b"<blockquote type=cite>", b"<img src='cid:",
    b"&#x110000;",
    b"<a href=\"java\tscript:alert(1)\">", b"<svg onload=alert(1)>", b"<div class=gmail_quote>", b"&nbsp;" * 20,
    b"On Mon, 1 Jan 2026 at 10:00, A <a@b.example> wrote:\r\n> x\r\n", b"From: a\r\nSent: b\r\nTo: c\r\nSubject: d\r\n",
    b"From: a@b\r\n", b"Subject: \xe4\r\n", b"References: <a> <b> <<c>\r\n", b"Date: 99 Xyz 0000 99:99:99 +9999\r\n",
    b"To: a:b:c:;;;,@\r\n",
    b"-----BEGIN PGP MESSAGE-----\r\n", b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: x\r\n\r\n",
    b"Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n", b"\xe2\x80\xae", b"\xed\xa0\x80",
    b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=Nowhere:99999999T999999\r\nRRULE:x\r\n",
)  # fmt: skip
_KINDS = (
    b"text/plain", b"text/html", b"text/enriched", b"text/calendar; method=REQUEST", b"text/calendar; method=CANCEL",
    b"application/octet-stream", b"application/ms-tnef", b"application/pkcs7-mime; smime-type=signed-data",
    b"application/pgp-encrypted", b"application/pgp-signature", b"message/rfc822", b"message/delivery-status",
    b"message/disposition-notification", b"message/partial; id=x; number=1; total=2",
    b"message/external-body; access-type=url",
    b"image/png; name=a.png",
    b"image/svg+xml", b"text/x-vcard", b"text", b"multipart", b"x", b"", b"text/plain; charset=utf-7",
    b"text/plain; format=flowed; delsp=yes", b"text/rfc822-headers",
)  # fmt: skip
_CONTAINERS = (
    b"mixed", b"alternative", b"related", b"signed", b"encrypted", b"report; report-type=delivery-status", b"digest",
    b"report; report-type=disposition-notification", b"report; report-type=feedback-report", b"form-data", b"x-unknown",
    b"appledouble", b"related; start=\"<x@y>\"", b"parallel",
)  # fmt: skip
_CHARSETS = (
    b"utf-8", b"us-ascii", b"iso-8859-1", b"windows-1251", b"iso-2022-jp", b"utf-16", b"utf-7", b"gb2312", b"x",
    b"koi8-r",
    b"windows-1254", b"ks_c_5601-1987", b"big5", b"unicode_escape", b"hz-gb-2312", b"utf-32", b"cp037",
)  # fmt: skip
_FIELD = re.compile(rb"^[!-9;-~]+:.*(?:\r?\n[ \t].*)*\r?\n?", re.MULTILINE)


def seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(FOLDER.glob("*.eml"))]


def mutant(chance: random.Random, mails: Sequence[bytes]) -> bytes:
    """Half of them damaged only, half built anew from pieces and then damaged or not."""
    made = chance.choice(mails) if chance.random() < 0.5 else _rebuilt(chance, mails)
    return made if chance.random() < 0.15 else _damaged(chance, made, mails)


def _damaged(chance: random.Random, mail: bytes, mails: Sequence[bytes]) -> bytes:
    raw = bytearray(mail)
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8, 20))):
        begin = chance.randrange(len(raw) + 1)
        end = min(len(raw), begin + chance.choice((1, 4, 20, 60, 300)))
        what = chance.random()
        if what < 0.15 and raw and begin < len(raw):
            raw[begin] = chance.randrange(256)
        elif what < 0.3:
            del raw[begin:end]
        elif what < 0.42:
            raw[begin:begin] = bytes(raw[begin:end]) * chance.choice((1, 2, 50, 400))
        elif what < 0.57:
            other = chance.choice(mails)
            cut = chance.randrange(len(other) + 1)
            raw[begin:end] = other[cut : cut + chance.randint(0, 400)]
        elif what < 0.9:
            raw[begin : chance.choice((begin, end))] = chance.choice(_TOKENS) * chance.choice((1, 1, 1, 2, 30))
        elif what < 0.95:
            raw = bytearray(_with_newlines(chance, bytes(raw)))
        else:
            del raw[begin:]
        if len(raw) > 400_000:
            del raw[400_000:]
    return bytes(raw)


def _with_newlines(chance: random.Random, raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", chance.choice((b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r")))


def _head(chance: random.Random, mails: Sequence[bytes]) -> bytes:
    """Header fields of several mails, some twice; none that says how the body is built."""
    fields: list[bytes] = []
    for _ in range(chance.randint(1, 3)):
        mail = chance.choice(mails)
        fields += [
            one if one.endswith(b"\n") else one + b"\r\n"
            for one in _FIELD.findall(mail.partition(b"\r\n\r\n")[0])
            if not one.lower().startswith((b"content-", b"mime-"))
        ]
    chance.shuffle(fields)
    return b"".join(fields[: chance.randint(1, 40)])


def _rebuilt(chance: random.Random, mails: Sequence[bytes]) -> bytes:
    return _head(chance, mails) + _part(chance, mails, chance.choice((0, 1, 2, 3, 6)))


def _part(chance: random.Random, mails: Sequence[bytes], depth: int) -> bytes:
    if depth and chance.random() < 0.75:
        boundary = b"b%d" % chance.randrange(3 if chance.random() < 0.2 else 10_000)
        declared = b"" if chance.random() < 0.05 else b'; boundary="%s"' % boundary
        pieces = [_part(chance, mails, depth - 1) for _ in range(chance.randint(0, 4))]
        body = b"".join(b"--%s\r\n%s\r\n" % (boundary, one) for one in pieces)
        closer = b"--%s--\r\n" % boundary if chance.random() < 0.8 else b""
        return b"Content-Type: multipart/%s%s\r\n\r\n%s%s" % (chance.choice(_CONTAINERS), declared, body, closer)
    body = chance.choice(mails)
    if chance.random() < 0.7:
        body = body.partition(b"\r\n\r\n")[2]
    if chance.random() < 0.5:
        cut = chance.randrange(len(body) + 1)
        body = body[cut : cut + chance.randint(0, 3_000)]
    kind = chance.choice(_KINDS)
    head = b"Content-Type: %s" % kind
    if chance.random() < 0.5:
        head += b"; charset=%s" % chance.choice(_CHARSETS)
    head += b"\r\n"
    if chance.random() < 0.3:
        name = chance.choice(
            (b"a.txt", b"../../etc/passwd", b"con.png", b"=?utf-8?B?w6Qu?=", b"\xe4.exe", b"winmail.dat")
        )
        head += b'Content-Disposition: %s; filename="%s"\r\n' % (chance.choice((b"attachment", b"inline", b"x")), name)
    if chance.random() < 0.2:
        head += b"Content-ID: <x@y>\r\n"
    encoding = chance.random()
    if encoding < 0.2:
        head, body = head + b"Content-Transfer-Encoding: base64\r\n", base64.encodebytes(body)
    elif encoding < 0.4:
        head, body = head + b"Content-Transfer-Encoding: quoted-printable\r\n", quopri.encodestring(body)
    elif encoding < 0.5:
        head += b"Content-Transfer-Encoding: %s\r\n" % chance.choice((b"base64", b"x-uuencode", b"8bit", b"gzip"))
    return head + b"\r\n" + body
