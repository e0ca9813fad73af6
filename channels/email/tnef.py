"""winmail.dat (MS-OXTNEF): its text and its files, read tolerantly. The original is always kept too."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from channels.email import limits
from channels.email.charset import decode
from channels.email.rich_text import unpacked, words
from channels.email.wrapped import Wrapped

_SIGNATURE = 0x223E9F78
_ATTACH_DATA, _ATTACH_TITLE, _ATTACH_RENDERING, _ATTACH_PROPERTIES, _BODY, _PROPERTIES, _CODEPAGE = (
    0x6800F, 0x18010, 0x69002, 0x69005, 0x2800C, 0x69003, 0x69007,
)  # fmt: skip
_PLAIN, _HTML, _PACKED_RTF = 0x1000, 0x1013, 0x1009
_DATA, _LONG_NAME, _SHORT_NAME, _CONTENT_ID = 0x3701, 0x3707, 0x3704, 0x3712
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}
_STRING, _UNICODE, _OBJECT, _BINARY = 0x1E, 0x1F, 0x0D, 0x102
_MOST_PROPERTIES = 2_000


@dataclass(frozen=True, slots=True)
class Unwrapped:
    text: str = ""
    html: str = ""
    files: tuple[Wrapped, ...] = ()


def unwrap_tnef(data: bytes) -> Unwrapped:
    """Empty when it is not one or is broken."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _SIGNATURE:
        return Unwrapped()
    text, html, charset = "", "", "windows-1252"
    names: list[str] = []
    contents: list[bytes] = []
    ids: list[str] = []
    for kind, value in _records(data):
        if kind == _CODEPAGE and len(value) >= 4:
            charset = f"cp{struct.unpack_from('<I', value)[0]}"
        elif kind == _ATTACH_RENDERING:
            names.append("")
            contents.append(b"")
            ids.append("")
        elif kind == _BODY:
            text = decode(value.rstrip(b"\x00"), charset)
        elif kind == _PROPERTIES:
            found_text, found_html = _bodies(_properties(value), charset)
            text, html = text or found_text, html or found_html
        elif names and kind == _ATTACH_TITLE:
            names[-1] = names[-1] or decode(value.rstrip(b"\x00"), charset)
        elif names and kind == _ATTACH_DATA:
            contents[-1] = value
        elif names and kind == _ATTACH_PROPERTIES:
            known = _properties(value)
            names[-1] = _string(known, _LONG_NAME, charset) or names[-1] or _string(known, _SHORT_NAME, charset)
            ids[-1] = _string(known, _CONTENT_ID, charset).strip("<> ")
            if not contents[-1] and _DATA in known:
                contents[-1] = _object(known[_DATA][1])
        if len(names) > limits.ATTACHMENTS:
            break
    files = tuple(
        Wrapped(name, content, content_id)
        for name, content, content_id in zip(names, contents, ids, strict=True)
        if content
    )
    return Unwrapped(text, html, files)


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 6
    while position + 9 <= len(data):
        kind, length = struct.unpack_from("<II", data, position + 1)
        start = position + 9
        if start + length > len(data):
            return
        yield kind, data[start : start + length]
        position = start + length + 2  # a checksum follows


def _properties(block: bytes) -> dict[int, tuple[int, bytes]]:
    """MAPI properties by number: their type and first value. What cannot be followed ends the reading."""
    known: dict[int, tuple[int, bytes]] = {}
    try:
        count = min(struct.unpack_from("<I", block)[0], _MOST_PROPERTIES)
        at = 4
        for _ in range(count):
            kind, number = struct.unpack_from("<HH", block, at)
            at += 4
            if number >= 0x8000:  # named: a GUID, then a number or a name
                is_named = struct.unpack_from("<I", block, at + 16)[0] == 1
                length = struct.unpack_from("<I", block, at + 20)[0] if is_named else 0
                at += 24 + (length + 3 & ~3)
            many, kind = bool(kind & 0x1000), kind & 0xEFFF
            size = _FIXED.get(kind)
            values = 1
            if many or size is None:
                values = struct.unpack_from("<I", block, at)[0]
                at += 4
            if values > _MOST_PROPERTIES:
                return known
            for index in range(values):
                length = size
                if length is None:
                    length = struct.unpack_from("<I", block, at)[0]
                    at += 4
                if at + length > len(block):
                    return known
                if index == 0:
                    known.setdefault(number, (kind, block[at : at + length]))
                at += length + 3 & ~3
    except struct.error:
        pass
    return known


def _string(known: dict[int, tuple[int, bytes]], number: int, charset: str) -> str:
    if number not in known:
        return ""
    kind, value = known[number]
    if kind == _UNICODE:
        return value.decode("utf-16-le", "replace").rstrip("\x00")
    return decode(value.rstrip(b"\x00"), charset) if kind in (_STRING, _BINARY) else ""


def _object(value: bytes) -> bytes:
    """The bytes of an object without the 16 of its interface's name."""
    return value[16:] if len(value) > 20 and value[16:20] == struct.pack("<I", _SIGNATURE) else value


def _bodies(known: dict[int, tuple[int, bytes]], charset: str) -> tuple[str, str]:
    text, html = _string(known, _PLAIN, charset), _string(known, _HTML, charset)
    if not html and not text and _PACKED_RTF in known:
        said, is_html = words(unpacked(known[_PACKED_RTF][1]))
        return ("", said) if is_html else (said, "")
    return text, html
