"""Header blocks and their values: split tolerantly, decoded by RFC 2047 as senders really write it. Never raises."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz
from unicodedata import category

from channels.email import limits
from channels.email.charset import decode

_NAME = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")
_ENCODED_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,40})?\?([bBqQ])\?(.{0,4000}?)\?=")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BLANKS = re.compile(r"[ \t\r\n]+")
_ID = re.compile(r"<[^<>]{1,996}>")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")


class Headers:
    """Fields in order, names lower-cased, values unfolded bytes. Of duplicates the first counts."""

    __slots__ = ("_first", "fields", "truncated")

    def __init__(self, fields: Sequence[tuple[str, bytes]], *, truncated: bool = False) -> None:
        self.fields, self.truncated = fields, truncated
        self._first: dict[str, bytes] = {}
        for name, value in fields:
            self._first.setdefault(name, value)

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def names(self) -> Iterator[str]:
        return iter(self._first)

    def raw(self, name: str) -> bytes:
        return self._first.get(name, b"")

    def all(self, name: str) -> list[bytes]:
        return [value for field, value in self.fields if field == name]

    def plain(self, name: str) -> str:
        """As it stands, for values that are protocol words: no encoded words, controls removed, one line."""
        return one_line(self.raw(name).decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode("utf-8"))

    def text(self, name: str) -> str:
        """For people: encoded words decoded, controls and bidirectional overrides removed, one line."""
        return decode_words(self.raw(name))

    def in_unicode(self, charsets: Sequence[str]) -> Headers:
        """Raw 8-bit values made UTF-8: by themselves when they are, else by the charsets the mail's parts declare."""
        if all(value.isascii() for _, value in self.fields):
            return self
        fields = [
            (name, value if value.isascii() else decode(value, elsewhere=charsets).encode("utf-8", "replace"))
            for name, value in self.fields
        ]
        return Headers(fields, truncated=self.truncated)


NO_HEADERS = Headers(())


def split_head(data: bytes, start: int = 0, end: int | None = None) -> tuple[Headers, int]:
    """The header block at `start` and where the body begins.

    Lines that cannot be header lines are skipped when a header follows; otherwise the body begins with them.
    """
    stop = len(data) if end is None else end
    fields: list[tuple[str, bytes]] = []
    pieces: list[bytes] = []
    name, size = "", 0
    position, last = start, min(stop, start + limits.HEADER_BLOCK_BYTES)
    truncated = False

    def keep() -> None:
        nonlocal truncated
        if not name:
            return
        if size > limits.HEADER_FIELD_BYTES:
            truncated = True
        if len(fields) < limits.HEADER_FIELDS:
            fields.append((name, b" ".join(pieces)[: limits.HEADER_FIELD_BYTES]))
        else:
            truncated = True

    while position < stop:
        newline = data.find(b"\n", position, stop)
        following = stop if newline < 0 else newline + 1
        if following > last and position > start:
            truncated = True
            position = _end_of_head(data, position, stop)
            break
        line = data[position : stop if newline < 0 else newline].rstrip(b"\r")
        if not line.strip():
            # A line of blanks goes on a field when header lines follow it; an empty one ends them.
            if line and name and _NAME.match(data, following, stop):
                position = following
                continue
            position = following
            break
        if line[0] in b" \t":
            if size <= limits.HEADER_FIELD_BYTES:
                pieces.append(line.strip(b" \t\r"))
            size += len(line)
        else:
            found = _NAME.match(line)
            if found:
                keep()
                name = found[1].decode("ascii").lower()
                pieces, size = [line[found.end() :].strip(b" \t\r")[: limits.HEADER_FIELD_BYTES]], len(line)
            elif not line.startswith((b"From ", b">From ")) and not _NAME.match(data, following, stop):
                break
        position = following
    keep()
    return Headers(fields, truncated=truncated), position


def _end_of_head(data: bytes, position: int, stop: int) -> int:
    ends = [found + len(gap) for gap in (b"\n\n", b"\n\r\n") if (found := data.find(gap, position, stop)) >= 0]
    return min(ends, default=stop)


def decode_words(value: bytes | str) -> str:
    """RFC 2047 with everything senders get wrong: neighbours joined first, spaces, no padding, raw 8-bit, quotes."""
    if isinstance(value, bytes):
        text = value.decode("ascii") if value.isascii() else _latin(value)
    else:
        text = value
    if "=?" not in text or "?=" not in text:
        return one_line(_unlatin(text))
    runs: list[str] = []
    charset, gathered = "", bytearray()
    at = 0

    def flush() -> None:
        nonlocal gathered
        if gathered:
            runs.append(decode(bytes(gathered), charset))
            gathered = bytearray()

    for found in _ENCODED_WORD.finditer(text):
        between = text[at : found.start()]
        if between.strip() or (between and not gathered):
            flush()
            runs.append(_unlatin(between))
        if found[1].lower() != charset:
            flush()
            charset = found[1].lower()
        gathered += _word_bytes(found[2], found[3])
        at = found.end()
    flush()
    runs.append(_unlatin(text[at:]))
    return one_line("".join(runs))


def _latin(value: bytes) -> str:
    """Bytes that look like characters, so that patterns work; `_unlatin` decodes what is left raw."""
    return value.decode("latin-1")


def _unlatin(text: str) -> str:
    if text.isascii():
        return text
    try:
        return decode(text.encode("latin-1"))
    except UnicodeEncodeError:
        return text


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("latin-1", "replace")
    if encoding in "qQ":
        return _HEX.sub(lambda pair: bytes((int(pair[1], 16),)), raw.replace(b"_", b" "))
    return base64_bytes(raw)


def base64_bytes(raw: bytes) -> bytes:
    """What can be taken of broken base64: foreign characters skipped, padding in the middle ends a piece."""
    try:
        return binascii.a2b_base64(raw)
    except (binascii.Error, ValueError):
        pass
    kept = raw.translate(None, delete=_NOT_BASE64)
    out = bytearray()
    for piece in kept.split(b"="):
        piece = piece[: len(piece) - 1] if len(piece) % 4 == 1 else piece
        try:
            out += binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))
        except (binascii.Error, ValueError):
            continue
    return bytes(out)


_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))


def one_line(text: str) -> str:
    """Shown on one line: no controls, no bidirectional overrides, blanks collapsed."""
    if not text.isprintable():
        text = _BIDI.sub("", _CONTROLS.sub("", _BLANKS.sub(" ", text)))
        text = "".join(map(_shown, text))
    if "  " in text:
        text = _BLANKS.sub(" ", text)
    return text.strip()


def _shown(character: str) -> str:
    """Unusual blanks are blanks; invisible marks go, except the joiners that Persian and emoji are spelled with."""
    if character.isprintable() or character in "\u200c\u200d":
        return character
    if character.isspace():
        return " "
    return "" if category(character) == "Cf" else "\ufffd"


def several_lines(text: str) -> str:
    """Body text: lines end with a newline, no controls, no bidirectional overrides, no lone surrogates."""
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    text = _BIDI.sub("", _CONTROLS.sub("", text))
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def message_ids(value: bytes) -> tuple[str, ...]:
    """Ids in a Message-ID, In-Reply-To or References field, whole, as written, oldest first; at most 200."""
    text = value.decode("utf-8", "replace")
    found = ["".join(one.split()) for one in _ID.findall(text)]
    if not found:
        found = [f"<{word}>" for word in _CONTROLS.sub("", text).split() if "@" in word and len(word) < 990][:20]
    unique = list(dict.fromkeys(one for one in found if len(one) > 3 and one.isprintable()))
    if len(unique) > limits.REFERENCES:
        unique = unique[: limits.REFERENCES // 2] + unique[-limits.REFERENCES // 2 :]
    return tuple(unique)


def moment(value: bytes) -> datetime | None:
    """A Date field; None when it makes no sense."""
    try:
        parsed = parsedate_tz(value[:200].decode("ascii", "replace"))
        if parsed is None:
            iso = datetime.fromisoformat(value[:40].decode("ascii", "replace").strip())
            parsed = (*iso.timetuple()[:6], 0, 1, 0, int((iso.utcoffset() or timedelta()).total_seconds()))
        offset = timedelta(seconds=parsed[9] or 0)
        when = datetime(*parsed[:6], tzinfo=UTC) - offset
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return when if 1980 <= when.year <= 2200 else None


def parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """`text/plain; charset="x"; name*0*=utf-8''…` into the word and its parameters (RFC 2045, 2231), at most 60."""
    text = value[: limits.HEADER_FIELD_BYTES].decode("latin-1")
    head, _, rest = text.partition(";")
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for name, written in _pairs(rest):
        base, star, number = name.partition("*")
        if not star:
            plain.setdefault(base, written)
            continue
        encoded = number.endswith("*") or number == ""
        digits = number.rstrip("*")
        if digits == "" or (digits.isascii() and digits.isdigit() and len(digits) < 5):
            pieces.setdefault(base, []).append((int(digits or 0), encoded, written))
    for base, parts in pieces.items():
        plain[base] = _joined(sorted(parts))
    return head.strip().lower(), plain


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    position, count = 0, 0
    while position < len(text) and count < 60:
        count += 1
        equals = text.find("=", position)
        semicolon = text.find(";", position)
        if equals < 0:
            return
        if 0 <= semicolon < equals:
            position = semicolon + 1
            continue
        name = text[position:equals].strip().lower()
        start = equals + 1
        while start < len(text) and text[start] in " \t":
            start += 1
        if text[start : start + 1] == '"':
            out: list[str] = []
            start += 1
            while start < len(text) and text[start] != '"':
                if text[start] == "\\" and start + 1 < len(text) and text[start + 1] in '"\\':
                    start += 1
                out.append(text[start])
                start += 1
            yield name, "".join(out)
            semicolon = text.find(";", start)
        else:
            semicolon = text.find(";", start)
            yield name, text[start : semicolon if semicolon >= 0 else len(text)].strip()
        if semicolon < 0:
            return
        position = semicolon + 1


def _joined(parts: list[tuple[int, bool, str]]) -> str:
    charset = ""
    data = bytearray()
    for index, (_, encoded, written) in enumerate(parts):
        if encoded:
            if index == 0 and written.count("'") >= 2:
                charset, _, written = written.split("'", 2)
            data += _PERCENT.sub(lambda pair: bytes((int(pair[1], 16),)), written.encode("latin-1", "replace"))
        else:
            data += written.encode("latin-1", "replace")
    return decode(bytes(data), charset or None)


_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
