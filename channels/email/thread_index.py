"""Thread-Index, by which Outlook orders a thread (MS-OXOMSG 2.2.1.3): 22 bytes name it, each answer adds five."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from hashlib import sha256

ROOT_BYTES = 22
CHILD_BYTES = 5
MOST_BYTES = ROOT_BYTES + 200 * CHILD_BYTES
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def as_kept(raw: bytes) -> str:
    """The value of a field as an entry keeps it; empty for what is no index."""
    try:
        index = binascii.a2b_base64(raw[:4000])
    except (binascii.Error, ValueError):
        return ""
    return base64.b64encode(index[:MOST_BYTES]).decode("ascii") if len(index) >= ROOT_BYTES else ""


def child_of(index: str, *, at: datetime, unique: str) -> str:
    """The index of an answer written `at`; `unique` tells answers of one moment apart. Sent twice it is the same."""
    parent = base64.b64decode(index)
    if len(parent) < ROOT_BYTES or len(parent) + CHILD_BYTES > MOST_BYTES:
        return index
    began = int.from_bytes(parent[:6], "big") << 16  # the upper 48 bits of a FILETIME, in 100 ns
    ticks = max(0, (at - _FILETIME_EPOCH) // timedelta(microseconds=1) * 10 - began)
    if ticks < 1 << 49:  # 1.8 years
        since = ticks >> 18 & 0x7FFFFFFF
    else:
        since = 0x80000000 | (ticks >> 23 & 0x7FFFFFFF)
    block = since.to_bytes(4, "big") + sha256(unique.encode()).digest()[:1]
    return base64.b64encode(parent + block).decode("ascii")
