"""Files inside text or inside winmail.dat: uuencode and TNEF, read tolerantly. The original is always kept too."""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from channels.email import limits
from channels.email.charset import decode

_BEGIN = re.compile(r"^begin(?:-base64)? [0-7]{3,4} ([^\n]{1,255})$", re.MULTILINE)
_TNEF_SIGNATURE = 0x223E9F78
_ATTACH_DATA, _ATTACH_TITLE, _ATTACH_RENDERING, _ATTACH_PROPERTIES, _BODY = (
    0x6800F, 0x18010, 0x69002, 0x69005, 0x2800C,
)  # fmt: skip
_LONG_FILE_NAME, _LONG_FILE_NAME_UNICODE = 0x3707001E, 0x3707001F


@dataclass(frozen=True, slots=True)
class Wrapped:
    name: str
    content: bytes


def uudecoded(data: bytes) -> bytes:
    """The bytes of uuencoded lines; empty when there are none that decode."""
    out = bytearray()
    for line in data.replace(b"\r", b"").split(b"\n"):
        if line.startswith((b"begin ", b"end")) or not line.strip():
            continue
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            length = (((line[0] - 32) & 63) * 4 + 5) // 3  # some encoders pad wrongly; the count byte is right
            try:
                out += binascii.a2b_uu(line[: length + 1])
            except binascii.Error:
                continue
    return bytes(out)


def unwrap_uuencode(text: str) -> tuple[str, list[Wrapped]]:
    """Text without its uuencoded files, and the files."""
    if "\nbegin" not in text and not text.startswith("begin"):
        return text, []
    kept: list[str] = []
    files: list[Wrapped] = []
    at = 0
    for found in _BEGIN.finditer(text):
        if found.start() < at or len(files) >= 50:
            continue
        end = text.find("\nend", found.end())
        if end < 0:
            break
        content = uudecoded(text[found.end() : end].encode("latin-1", "replace"))
        if not content:
            continue
        kept.append(text[at : found.start()])
        files.append(Wrapped(found[1].strip(), content))
        at = text.find("\n", end + 1)
        at = len(text) if at < 0 else at + 1
    kept.append(text[at:])
    return "".join(kept), files


def unwrap_tnef(data: bytes) -> tuple[str, list[Wrapped]]:
    """Plain body and files of a winmail.dat; empty when it is not one or is broken."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _TNEF_SIGNATURE:
        return "", []
    body, names, contents = "", [], []
    for kind, value in _tnef_records(data):
        if kind == _ATTACH_RENDERING:
            names.append("")
            contents.append(b"")
        elif kind == _BODY:
            body = decode(value.rstrip(b"\x00"), "windows-1252")
        elif names and kind == _ATTACH_TITLE:
            names[-1] = names[-1] or decode(value.rstrip(b"\x00"), "windows-1252")
        elif names and kind == _ATTACH_DATA:
            contents[-1] = value
        elif names and kind == _ATTACH_PROPERTIES:
            names[-1] = _long_name(value) or names[-1]
        if len(names) > limits.ATTACHMENTS:
            break
    return body, [Wrapped(name, content) for name, content in zip(names, contents, strict=True) if content]


def _tnef_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 6
    while position + 9 <= len(data):
        kind, length = struct.unpack_from("<II", data, position + 1)
        start = position + 9
        if start + length > len(data):
            return
        yield kind, data[start : start + length]
        position = start + length + 2  # a checksum follows


def _long_name(properties: bytes) -> str:
    """PR_ATTACH_LONG_FILENAME, looked for by its tag: one value, its length, its characters (MS-OXTNEF 2.1.3.4)."""
    for tag, codec in ((_LONG_FILE_NAME_UNICODE, "utf-16-le"), (_LONG_FILE_NAME, "windows-1252")):
        at = properties.find(struct.pack("<I", tag))
        if at >= 0 and at + 12 <= len(properties):
            length = struct.unpack_from("<I", properties, at + 8)[0]
            if 0 < length <= 600:
                return properties[at + 12 : at + 12 + length].decode(codec, "replace").rstrip("\x00")
    return ""
