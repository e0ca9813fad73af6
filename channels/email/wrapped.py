"""Files inside text: uuencode, read tolerantly. The original is always kept too."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

_BEGIN = re.compile(r"^begin(?:-base64)? [0-7]{3,4} ([^\n]{1,255})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Wrapped:
    name: str
    content: bytes
    content_id: str = ""


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
