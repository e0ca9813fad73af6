"""Comparing a mailbox with the store: what became of every mail in it, and which the desk does not have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from imapclient import IMAPClient

from channels.email.headers import decode_words, one_line
from channels.email.imap import fetch_whole
from channels.email.keeping import keep_from_mailbox, mailbox_key
from channels.email.mailbox_jobs import JobImpossible, JobRun
from channels.email.old_mail import selected
from channels.email.partial import fetch_partially
from inbox import accounting, mailboxes
from inbox.accounting import Known
from inbox.mailboxes import MailboxRecord
from inbox.vocabulary import ArrivalState
from inbox.words import N_

AT_ONCE = 1000
HEADERS_AT_ONCE = 200
MISSING_SHOWN, MISSING_KEPT = 100, 5000
_FIELDS = "HEADER.FIELDS (MESSAGE-ID FROM SUBJECT DATE)"
_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:[ \t\r\n]*(<[^<>\r\n]{1,900}>)", re.IGNORECASE | re.MULTILINE)


def compare(run: JobRun) -> Mapping[str, Any]:
    """Each mail of the folder is counted exactly once: the numbers of the result add up to `total`."""
    box = run.mailbox
    client = run.connect()
    validity = selected(client, box.folder)
    about = run.ask(run.db.read(mailboxes.read_mailbox, box.name))
    uids = sorted(client.search(["ALL"]))
    result: dict[str, Any] = {
        "folder": box.folder,
        "uid_validity": validity,
        "total": len(uids),
        "placed": 0,
        "waiting": 0,
        "older": 0,
        "coming": 0,
        "tray": {},
        "set_aside": {},
        "missing": [],
        "missing_uids": [],
        "missing_count": 0,
    }
    done = 0
    run.progress(done, len(uids))
    for start in range(0, len(uids), AT_ONCE):
        some = uids[start : start + AT_ONCE]
        keys = {uid: mailbox_key(box.name, "", validity, uid) for uid in some}
        known = run.ask(run.db.read(accounting.known_keys, list(keys.values())))
        unknown = []
        for uid in some:
            found = known.get(keys[uid])
            if found is None:
                unknown.append(uid)
            else:
                _count(result, found)
        _look_at(run, client, about, validity, unknown, result)
        done += len(some)
        run.progress(done, len(uids))
    return result


def _count(result: dict[str, Any], found: Known) -> None:
    match found.state:
        case ArrivalState.PLACED:
            result["placed"] += 1
        case ArrivalState.NEW:
            result["waiting"] += 1
        case ArrivalState.TRAY | ArrivalState.SET_ASIDE:
            by_reason = result[found.state.value]
            by_reason[found.reason] = by_reason.get(found.reason, 0) + 1


def _look_at(
    run: JobRun,
    client: IMAPClient,
    about: MailboxRecord | None,
    validity: int,
    uids: list[int],
    result: dict[str, Any],
) -> None:
    """Mails the desk has not kept under this number: older than the connection, known by content, coming, missing."""
    if not uids:
        return
    dates = {uid: answer.get(b"INTERNALDATE") for uid, answer in client.fetch(uids, ["INTERNALDATE"]).items()}
    left = []
    for uid in uids:
        if uid not in dates:  # it has gone meanwhile
            result["total"] -= 1
        elif _is_older(about, validity, uid, dates[uid]):
            result["older"] += 1
        elif about is not None and about.mark is not None and _is_coming(about, validity, uid):
            result["coming"] += 1
        else:
            left.append(uid)
    for start in range(0, len(left), HEADERS_AT_ONCE):
        some = left[start : start + HEADERS_AT_ONCE]
        heads = {
            uid: next((bytes(v) for k, v in answer.items() if k.startswith(b"BODY[")), b"")
            for uid, answer in client.fetch(some, [f"BODY.PEEK[{_FIELDS}]"]).items()
        }
        ids = {
            uid: found[1].decode("ascii", "replace")
            for uid, head in heads.items()
            if (found := _MESSAGE_ID.search(head))
        }
        placed = run.ask(run.db.read(accounting.placed_message_ids, sorted(set(ids.values()))))
        for uid in some:
            if uid not in heads:
                result["total"] -= 1
            elif ids.get(uid) in placed:
                result["placed"] += 1
            else:
                result["missing_count"] += 1
                if len(result["missing_uids"]) < MISSING_KEPT:
                    result["missing_uids"].append(uid)
                if len(result["missing"]) < MISSING_SHOWN:
                    result["missing"].append(_line(uid, heads[uid], dates[uid]))


def _is_older(about: MailboxRecord | None, validity: int, uid: int, arrived: Any) -> bool:
    if about is None or about.first_at is None:
        return about is None  # never connected: everything is
    if about.first is not None and about.first.uid_validity == validity:
        return uid <= about.first.last_uid
    return isinstance(arrived, datetime) and arrived < about.first_at


def _is_coming(about: MailboxRecord, validity: int, uid: int) -> bool:
    assert about.mark is not None
    return about.mark.uid_validity != validity or uid > about.mark.last_uid


def _line(uid: int, head: bytes, arrived: Any) -> dict[str, Any]:
    fields: dict[str, str] = {}
    for line in re.sub(rb"\r?\n[ \t]+", b" ", head).splitlines():
        name, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(name.decode("ascii", "replace").lower(), one_line(decode_words(value.strip()))[:200])
    return {
        "uid": uid,
        "from": fields.get("from", ""),
        "subject": fields.get("subject", ""),
        "arrived": arrived.isoformat() if isinstance(arrived, datetime) else "",
    }


def fetch_missing(run: JobRun) -> Mapping[str, Any]:
    """`options`: uid_validity and uids of the watched folder. Taken like mail that comes now."""
    box = run.mailbox
    client = run.connect()
    validity = selected(client, box.folder)
    if validity != run.job.options["uid_validity"]:
        raise JobImpossible(N_("The mail server has numbered this mailbox anew. Compare it again."))
    uids = [int(uid) for uid in run.job.options["uids"]]
    taken = gone = 0
    for done, uid in enumerate(uids):
        run.progress(done, len(uids))
        size = int(client.fetch([uid], ["RFC822.SIZE"]).get(uid, {}).get(b"RFC822.SIZE", 0))
        truncated = size > box.max_mail_bytes
        raw = fetch_partially(client, uid) if truncated else fetch_whole(client, uid)
        if raw is None:
            gone += 1
            continue
        run.ask(
            run.db.write(
                keep_from_mailbox,
                raw,
                mailbox=box.name,
                uid_validity=validity,
                uid=uid,
                truncated=truncated,
                now=run.clock.now(),
            )
        )
        taken += 1
    run.progress(len(uids), len(uids))
    return {"total": len(uids), "taken": taken, "gone": gone}
