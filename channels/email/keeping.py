"""Raw mail into the arrivals, once, whichever way and however often it comes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from inbox import accounting
from inbox.receive import History
from inbox.store import arrivals
from inbox.store.arrivals import Kept
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalState, Status

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


def mailbox_key(mailbox: str, folder: str, uid_validity: int, uid: int) -> str:
    """Under which a mail on a server is kept. `folder` is empty for the folder that is watched."""
    other = f"/{sha256(folder.encode()).hexdigest()[:12]}" if folder else ""
    return f"imap:{mailbox}{other}:{uid_validity}:{uid}"


def keep_from_mailbox(
    tx: Transaction,
    raw: bytes,
    *,
    mailbox: str,
    uid_validity: int,
    uid: int,
    truncated: bool,
    renumbered: bool = False,
    now: datetime,
) -> Kept:
    """`renumbered`: the server gave its mails new numbers, so this one may have been here under another."""
    envelope: dict[str, object] = {"mailbox": mailbox, "uid_validity": uid_validity, "uid": uid}
    if truncated:
        envelope["truncated"] = True
    source, key = f"imap:{mailbox}", mailbox_key(mailbox, "", uid_validity, uid)
    kept = arrivals.keep(tx, source=source, dedupe_key=key, raw=raw, envelope=envelope, now=now)
    if kept.duplicate:
        arrivals.fill(tx, key, raw)
    if renumbered and not kept.duplicate and raw in accounting.dismissed_raw(tx.conn, source, len(raw)):
        arrivals.settle(tx, kept.arrival_id, ArrivalState.SET_ASIDE, now=now, reason=accounting.DISMISSED)
    return kept


def keep_unfetched(
    tx: Transaction, *, mailbox: str, uid_validity: int, uid: int, size_bytes: int, said: str, now: datetime
) -> None:
    """A mail the server does not hand out: a line in the tray stands for it, and it is never asked for again."""
    kept = arrivals.keep(
        tx,
        source=f"imap:{mailbox}",
        dedupe_key=mailbox_key(mailbox, "", uid_validity, uid),
        raw=b"",
        envelope={"mailbox": mailbox, "uid_validity": uid_validity, "uid": uid, "size_bytes": size_bytes},
        now=now,
    )
    if not kept.duplicate:
        arrivals.settle(tx, kept.arrival_id, ArrivalState.TRAY, now=now, reason=f"not_fetched: {said}")


def history_of(envelope: Mapping[str, Any]) -> History | None:
    """Was it kept by an import, to be filed as what happened long ago?"""
    said = envelope.get("history")
    if not isinstance(said, Mapping):
        return None
    status = Status.OPEN if said.get("open") else Status.CLOSED
    return History(datetime.fromisoformat(str(said["dated"])), status)


def keep_old_mail(
    tx: Transaction,
    raw: bytes,
    *,
    mailbox: str,
    folder: str,
    uid_validity: int,
    uid: int,
    truncated: bool,
    dated: datetime,
    leave_open: bool,
    now: datetime,
) -> Kept:
    """For an import. `folder` is empty for the folder that is watched, so that a mail of it is the same mail."""
    envelope: dict[str, object] = {
        "mailbox": mailbox,
        "folder": folder,
        "uid_validity": uid_validity,
        "uid": uid,
        "history": {"dated": dated.isoformat(), "open": leave_open},
    }
    if truncated:
        envelope["truncated"] = True
    return arrivals.keep(
        tx,
        source=f"import:{mailbox}",
        dedupe_key=mailbox_key(mailbox, folder, uid_validity, uid),
        raw=raw,
        envelope=envelope,
        now=now,
    )
