"""File names that are safe to show, store and save, and what a file really is."""

from __future__ import annotations

import re
import unicodedata

from channels.email import limits
from channels.email.headers import one_line

_BAD = re.compile('[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff/\\\\:*?"<>|]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9]|clock\$)(\.|$)", re.IGNORECASE)

INLINE_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
"""The only kinds ever shown in place; everything else is a download."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-elf"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_ZIPPED = ("application/vnd.openxmlformats", "application/vnd.oasis", "application/epub")
_OLE = ("application/msword", "application/vnd.ms-", "application/x-ole")
_PLAIN_TEXT = frozenset({"text/plain", "text/csv", "text/calendar", "text/vcard", "text/x-vcard", "application/json"})


def safe_name(written: str, taken: set[str], kind: str = "", default: str = "attachment") -> str:
    """At most 200 bytes, no separators, controls or hidden names, unique after folding; adds itself to `taken`."""
    name = unicodedata.normalize("NFC", written.encode("utf-8", "replace").decode("utf-8"))
    name = one_line(_BAD.sub("_", name.replace("\\", "/").rpartition("/")[2] or name)).strip(" .")
    if not name.strip("_ ."):
        name = default + _ENDINGS.get(kind, "")
    if _RESERVED.match(name):
        name = "_" + name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 12:
        stem, ending = name, ""
    else:
        ending = "." + ending
    number, candidate = 1, _cut(stem, len(ending.encode())) + ending
    while _key(candidate) in taken:
        number += 1
        suffix = f" ({number}){ending}"
        candidate = _cut(stem, len(suffix.encode())) + suffix
    taken.add(_key(candidate))
    return candidate


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _cut(stem: str, reserved: int) -> str:
    return stem.encode()[: limits.FILE_NAME_BYTES - reserved].decode("utf-8", "ignore").rstrip(" .")


_ENDINGS = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/bmp": ".bmp",
    "application/pdf": ".pdf", "application/zip": ".zip", "text/plain": ".txt", "text/calendar": ".ics",
    "text/html": ".html", "message/rfc822": ".eml", "text/csv": ".csv", "text/vcard": ".vcf",
}  # fmt: skip


def sniff(content: bytes, declared: str) -> str:
    """Media type from the first bytes; the declared one only where it adds to what was found."""
    head = content[:64]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[4:8] == b"ftyp":
        return declared if declared.startswith(("video/", "audio/")) else "video/mp4"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            if kind == "application/zip" and declared.startswith(_ZIPPED):
                return declared
            if kind == "application/x-ole-storage" and declared.startswith(_OLE):
                return declared
            return kind
    if declared in INLINE_IMAGES or declared.startswith("image/"):
        return "application/octet-stream"
    if declared in ("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml"):
        return "application/octet-stream"  # would run as a page
    if declared == "application/octet-stream":
        return "text/plain" if content and _is_text(content[:4000]) else declared
    if declared in _PLAIN_TEXT or declared.startswith(("audio/", "video/", "application/")):
        return declared[:200]
    if declared == "message/rfc822":
        return declared
    return "text/plain" if _is_text(content[:4000]) else "application/octet-stream"


def _is_text(start: bytes) -> bool:
    if b"\x00" in start:
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4  # cut in the middle of a character
    return True
