"""The parts of a mail, cut out of the bytes without recursion: depth, number and time are bounded by construction.

See docs/decisions/0005-mail-is-cut-by-our-own-splitter.md for why the standard library's parser is only the oracle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from channels.email import limits
from channels.email.charset import codec_for, decode
from channels.email.headers import NO_HEADERS, Headers, base64_bytes, parameters, several_lines, split_head

_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_META = re.compile(rb"<meta[^<>]{0,300}?charset\s{0,5}=\s{0,5}[\"']?\s{0,5}([A-Za-z0-9._-]{2,40})", re.IGNORECASE)
_BOUNDARY_LINE = re.compile(rb"(?:\A|\n)--([^\s-][^\r\n]{0,200}?)[ \t]*\r?(?=\n)")


@dataclass(slots=True)
class Part:
    """One node. `start` and `end` bound its body inside the whole mail; nothing is copied until it is asked for."""

    source: bytes
    headers: Headers
    start: int
    end: int
    kind: str
    params: dict[str, str]
    depth: int = 0
    children: list[Part] = field(default_factory=list)

    @property
    def main(self) -> str:
        return self.kind.partition("/")[0]

    @property
    def disposition(self) -> str:
        return parameters(self.headers.raw("content-disposition"))[0]

    @property
    def given_name(self) -> str:
        """File name as the sender wrote it, decoded; empty when there is none."""
        name = parameters(self.headers.raw("content-disposition"))[1].get("filename") or self.params.get("name", "")
        if "=?" in name or not name.isascii():
            from channels.email.headers import decode_words

            name = decode_words(name)
        return name[:1000]

    @property
    def content_id(self) -> str:
        return self.headers.plain("content-id").strip("<> ")[:300]

    def raw_body(self) -> bytes:
        return self.source[self.start : self.end]

    def content(self) -> bytes:
        """The body with its transfer encoding undone, as far as it can be."""
        data = self.raw_body()
        encoding = self.headers.plain("content-transfer-encoding").strip(" ;\"'").lower()
        if encoding == "base64":
            return base64_bytes(data)
        if encoding in ("quoted-printable", "quoted printable"):
            return _HEX.sub(_unhex, _joined_lines(data))
        if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
            from channels.email.wrapped import uudecoded

            return uudecoded(data) or data
        return data

    def text(self, elsewhere: tuple[str, ...] = ()) -> str:
        content = self.content()[: limits.TEXT_CHARACTERS * 4]
        declared = self.params.get("charset")
        if self.kind == "text/html" and (declared is None or codec_for(declared) is None):
            named = _META.search(content, 0, 4000)
            declared = named[1].decode("ascii") if named else declared
        text = several_lines(decode(content, declared, elsewhere=elsewhere))
        if self.params.get("format", "").lower() == "flowed" and self.kind == "text/plain":
            text = unflowed(text, self.params.get("delsp", "").lower() == "yes")
        return text[: limits.TEXT_CHARACTERS]


def _joined_lines(data: bytes) -> bytes:
    """Soft line breaks undone; blanks at a line's end were added on the way (RFC 2045, 6.7), also behind the "="."""
    lines = data.split(b"\n")
    last = len(lines) - 1
    out: list[bytes] = []
    for number, line in enumerate(lines):
        bare = line.rstrip(b" \t\r")
        if bare.endswith(b"="):
            out.append(bare[:-1])
        elif number == last:
            out.append(line)
        else:
            out += (bare, b"\r\n" if line.endswith(b"\r") else b"\n")
    return b"".join(out)


def _unhex(pair: re.Match[bytes]) -> bytes:
    return bytes((int(pair[1], 16),))


@dataclass(frozen=True, slots=True)
class Tree:
    root: Part
    notes: tuple[str, ...]


def read_tree(data: bytes) -> Tree:
    """The whole mail as parts. What lies beyond a limit stays one undivided part; `notes` says so."""
    notes: list[str] = []
    if b"\n" not in data[:100_000] and b"\r" in data[:100_000]:
        data = data.replace(b"\r", b"\n")
    start = 3 if data[:3] == b"\xef\xbb\xbf" else 0
    while data[start : start + 1] in (b"\r", b"\n"):
        start += 1
    headers, body = split_head(data, start)
    if headers.truncated:
        notes.append("headers_truncated")
    root = _part(data, headers, body, len(data), "text/plain", 0)
    waiting, count = [root], 1
    while waiting:
        part = waiting.pop()
        if part.main != "multipart":
            continue
        if part.depth >= limits.NESTING:
            notes.append("too_deep")
            part.kind = "application/octet-stream"
            continue
        pieces, more = _cut(part, limits.PARTS - count)
        if more:
            notes.append("too_many_parts")
        if not pieces:
            part.kind = "text/plain"  # a multipart without parts is what somebody typed
            continue
        default = "message/rfc822" if part.kind == "multipart/digest" else "text/plain"
        for begin, end in pieces:
            head, body = split_head(data, begin, end)
            if not head.fields and data[begin:end].strip() == b"":
                continue
            part.children.append(_part(data, head, body, end, default, part.depth + 1))
        count += len(pieces)
        waiting.extend(part.children)
    return Tree(root, tuple(dict.fromkeys(notes)))


def _part(data: bytes, headers: Headers, start: int, end: int, default: str, depth: int) -> Part:
    kind, params = parameters(headers.raw("content-type"))
    if kind.count("/") != 1 or " " in kind or not kind.isascii():
        kind = kind if kind in ("text", "multipart") else default
        kind = {"text": "text/plain", "multipart": "multipart/mixed"}.get(kind, kind)
    return Part(data, headers, min(start, end), end, kind, params, depth)


def _cut(part: Part, most: int) -> tuple[list[tuple[int, int]], bool]:
    """Where the parts of a multipart lie. An inner boundary can never reach beyond its own part."""
    data = part.source
    boundary = part.params.get("boundary", "").rstrip().encode("utf-8", "replace")
    if boundary and data.find(b"--" + boundary, part.start, part.end) < 0:
        boundary = boundary.replace(b" ", b"") if b" " in boundary else b""  # folded inside its quotes
        if boundary and data.find(b"--" + boundary, part.start, part.end) < 0:
            boundary = b""
    if not boundary:
        guess = _BOUNDARY_LINE.search(data, max(0, part.start - 1), min(part.end, part.start + 20_000))
        if guess is None:
            return [], False
        boundary = guess[1]
    mark = b"--" + boundary
    pieces: list[tuple[int, int]] = []
    begin = -1
    at = data.find(mark, part.start, part.end)
    while at >= 0:
        line_end = data.find(b"\n", at, part.end)
        line_end = part.end if line_end < 0 else line_end
        rest = data[at + len(mark) : min(line_end, at + len(mark) + 200)].strip()
        at_line_start = at == part.start or data[at - 1] in b"\r\n"
        if at_line_start and rest in (b"", b"--"):
            if begin >= 0:
                pieces.append((begin, _without_newline(data, begin, at)))
            if rest == b"--":
                return pieces, False
            begin = min(line_end + 1, part.end)
            if len(pieces) >= most:
                return pieces, True
        at = data.find(mark, line_end if at_line_start else at + 2, part.end)
    if begin >= 0 and len(pieces) < most:
        pieces.append((begin, part.end))  # never closed: cut off on the way
    return pieces, False


def _without_newline(data: bytes, begin: int, end: int) -> int:
    if end > begin and data[end - 1 : end] == b"\n":
        end -= 1
        while end > begin and data[end - 1 : end] == b"\r":
            end -= 1
    return end


def unflowed(text: str, delete_space: bool) -> str:
    """RFC 3676: lines that end with a space go on in the next, quote depths kept apart."""
    out: list[str] = []
    depth, pending = 0, False
    for line in text.split("\n"):
        bare = line.lstrip(">")
        quotes = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        flows = bare.endswith(" ") and bare != "-- "
        body = bare[:-1] if flows and delete_space else bare
        if pending and quotes == depth and bare != "-- ":
            out[-1] += body
        else:
            out.append(">" * quotes + (" " if quotes and body else "") + body)
        depth, pending = quotes, flows
    return "\n".join(out)


def attached_headers(part: Part) -> Headers:
    """Headers of a mail that lies inside `part` (message/rfc822, text/rfc822-headers)."""
    content = part.content()
    return split_head(content.lstrip(b"\r\n"))[0] if content else NO_HEADERS
