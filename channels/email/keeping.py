"""Raw mail into the arrivals, once, whichever way and however often it comes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from inbox.store import arrivals
from inbox.store.arrivals import Kept
from inbox.store.transaction import Transaction

_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:[ \t\r\n]*(<[^<>\r\n]{1,900}>)", re.IGNORECASE | re.MULTILINE)
_TRACE = re.compile(
    rb"^(?:received|return-path|delivered-to|x-original-to|envelope-to|x-received|lines|status|x-status|x-uid)[ \t]*:",
    re.IGNORECASE,
)
HEAD_BYTES = 64_000


def fingerprint(raw: bytes) -> str:
    """Of the mail without the lines each hop puts on top: a mail sent again by the same peer has the same."""
    end = raw.find(b"\n\r\n", 0, HEAD_BYTES)
    end = raw.find(b"\n\n", 0, HEAD_BYTES) if end < 0 else end
    head, body = (raw[:end], raw[end:]) if end >= 0 else (b"", raw)
    kept: list[bytes] = []
    dropping = False
    for line in head.split(b"\n"):
        if not line.startswith((b" ", b"\t")):
            dropping = _TRACE.match(line) is not None
        if not dropping:
            kept.append(line.rstrip(b"\r"))
    digest = sha256(b"\n".join(kept))
    digest.update(body)
    return digest.hexdigest()


def keep_from_smtp(
    tx: Transaction,
    raw: bytes,
    *,
    source: str,
    sender: str,
    recipients: Sequence[str],
    peer: str,
    helo: str = "",
    digest: str,
    now: datetime,
) -> Kept:
    """`digest` by `fingerprint`, computed off the loop. One mail to several of our addresses is one arrival."""
    found = _MESSAGE_ID.search(raw, 0, HEAD_BYTES)
    message_id = sha256(found[1] if found else b"").hexdigest()[:16]
    return arrivals.keep(
        tx,
        source=source,
        dedupe_key=f"{source}:{message_id}:{'+'.join(sorted(recipients))[:90]}:{digest}"[:200],
        raw=raw,
        envelope={"sender": sender, "recipients": list(recipients), "peer": peer, "helo": helo},
        now=now,
    )


def keep_from_mailbox(
    tx: Transaction, raw: bytes, *, mailbox: str, uid_validity: int, uid: int, truncated: bool, now: datetime
) -> Kept:
    envelope: dict[str, object] = {"mailbox": mailbox, "uid_validity": uid_validity, "uid": uid}
    if truncated:
        envelope["truncated"] = True
    return arrivals.keep(
        tx,
        source=f"imap:{mailbox}",
        dedupe_key=f"imap:{mailbox}:{uid_validity}:{uid}",
        raw=raw,
        envelope=envelope,
        now=now,
    )
