"""The mail inside an opaque signature: CMS SignedData (RFC 5652) as S/MIME sends it, without checking anything."""

from __future__ import annotations

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_ENVELOPED_DATA = bytes.fromhex("2a864886f70d010703")
_SEQUENCE, _OBJECT, _OCTETS, _CONTENT = 0x30, 0x06, (0x04, 0x24), 0xA0
_DEEPEST = 20


def signed_content(data: bytes) -> bytes | None:
    """What was signed; None when `data` is something else, is encrypted, or holds the signature alone."""
    outer = _inside(data, 0, len(data), _SEQUENCE)
    if outer is None or _object(data, outer) != _SIGNED_DATA:
        return None
    tagged = _find(data, outer, _CONTENT)
    signed = None if tagged is None else _find(data, tagged, _SEQUENCE)
    if signed is None:
        return None
    # version, digest algorithms (a set), then what was signed.
    wrapped = _find(data, signed, _SEQUENCE)
    content = None if wrapped is None else _find(data, wrapped, _CONTENT)
    if content is None:
        return None
    found = bytearray()
    _gather(data, content, found, 0)
    return bytes(found) or None


def is_encrypted(data: bytes) -> bool:
    outer = _inside(data, 0, len(data), _SEQUENCE)
    return outer is not None and _object(data, outer) == _ENVELOPED_DATA


Bounds = tuple[int, int]


def _header(data: bytes, at: int, end: int) -> tuple[int, int, int, int] | None:
    """Tag, start and end of the content, where the next value begins; an indefinite length is measured (BER)."""
    if at + 2 > end:
        return None
    tag, length = data[at], data[at + 1]
    start = at + 2
    if tag & 0x1F == 0x1F:
        return None
    if length == 0x80:
        stop = _end_of_indefinite(data, start, end)
        return None if stop is None else (tag, start, stop, stop + 2)
    if length > 0x80:
        count = length & 0x7F
        if count > 4 or start + count > end:
            return None
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    return (tag, start, min(start + length, end), min(start + length, end))


def _end_of_indefinite(data: bytes, at: int, end: int) -> int | None:
    """Where the two zero bytes stand; depth is counted instead of recursed."""
    depth = 1
    while at + 2 <= end:
        if data[at] == 0 and data[at + 1] == 0:
            depth -= 1
            if depth == 0:
                return at
            at += 2
            continue
        if data[at + 1] == 0x80:
            depth += 1
            at += 2
            continue
        header = _header(data, at, end)
        if header is None:
            return None
        at = header[3]
    return None


def _inside(data: bytes, at: int, end: int, tag: int) -> Bounds | None:
    header = _header(data, at, end)
    return (header[1], header[2]) if header is not None and header[0] == tag else None


def _find(data: bytes, bounds: Bounds, tag: int) -> Bounds | None:
    """The first value with this tag directly inside."""
    at, end = bounds
    while (header := _header(data, at, end)) is not None:
        if header[0] == tag:
            return header[1], header[2]
        if header[3] <= at:
            return None
        at = header[3]
    return None


def _object(data: bytes, bounds: Bounds) -> bytes:
    header = _header(data, *bounds)
    return data[header[1] : header[2]] if header is not None and header[0] == _OBJECT else b""


def _gather(data: bytes, bounds: Bounds, found: bytearray, depth: int) -> None:
    """All octet strings, also those cut into pieces."""
    at, end = bounds
    while depth < _DEEPEST and (header := _header(data, at, end)) is not None:
        tag, start, stop, following = header
        if tag == _OCTETS[0]:
            found += data[start:stop]
        elif tag == _OCTETS[1]:
            _gather(data, (start, stop), found, depth + 1)
        if following <= at:
            return
        at = following
