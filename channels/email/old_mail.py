"""Taking old mail in: from one folder, since a day, in the order of its dates, filed silently.

Nothing is remembered but the mails themselves: begun again after a crash, what the desk has is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from channels.email.headers import moment
from channels.email.imap import fetch_whole
from channels.email.imap_session import MailboxFailure
from channels.email.keeping import keep_old_mail, mailbox_key
from channels.email.mailbox_jobs import JobRun
from channels.email.partial import fetch_partially
from inbox import accounting
from inbox.mailboxes import MailTrouble

log = structlog.get_logger(__name__)

DATES_AT_ONCE = 500
KEPT_AT_ONCE, KEPT_AT_ONCE_BYTES = 25, 16_000_000
"""So much old mail waits to be placed at once: new mail never stands behind more."""

PLACED_WITHIN_SECONDS = 30.0
LOOKS_EVERY_SECONDS = 0.02
FETCH_TRIES = 3
_DATE = b"BODY[HEADER.FIELDS (DATE)]"


@dataclass(frozen=True, slots=True)
class OldMail:
    uid: int
    size_bytes: int
    dated: datetime


def import_old_mail(run: JobRun) -> Mapping[str, Any]:
    """`options`: folder, since (a day, or empty), open (conversations are not closed)."""
    options = run.job.options
    folder = str(options.get("folder") or run.mailbox.folder)
    watched = folder == run.mailbox.folder
    since = date.fromisoformat(options["since"]) if options.get("since") else None
    client = run.connect()
    validity = selected(client, folder)
    mails = sorted(_dated(run, client, since), key=lambda one: (one.dated, one.uid))
    keys = {one.uid: mailbox_key(run.mailbox.name, "" if watched else folder, validity, one.uid) for one in mails}
    known = run.ask(run.db.read(accounting.known_keys, list(keys.values())))
    left = [one for one in mails if keys[one.uid] not in known]
    done, total, unfetched = len(mails) - len(left), len(mails), []
    run.progress(done, total)
    for some in portions(left):
        for one in some:
            truncated = one.size_bytes > run.mailbox.max_mail_bytes
            raw, refused = _fetched(client, one, truncated=truncated)
            if refused:
                unfetched.append(one.uid)
            elif raw is not None:
                run.ask(
                    run.db.write(
                        keep_old_mail,
                        raw,
                        mailbox=run.mailbox.name,
                        folder="" if watched else folder,
                        uid_validity=validity,
                        uid=one.uid,
                        truncated=truncated,
                        dated=one.dated,
                        leave_open=bool(options.get("open")),
                        now=run.clock.now(),
                    )
                )
            done += 1
        _until_placed(run)
        run.progress(done, total)
    return {"total": total, "known": len(mails) - len(left), "unfetched": len(unfetched), "uids": unfetched[:200]}


def selected(client: IMAPClient, folder: str) -> int:
    """Open a folder, without changing anything in it; its UIDVALIDITY."""
    try:
        return int(client.select_folder(folder, readonly=True)[b"UIDVALIDITY"])
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        raise MailboxFailure(MailTrouble.NO_FOLDER, str(error)) from error


def portions(mails: Sequence[OldMail]) -> Iterator[list[OldMail]]:
    some: list[OldMail] = []
    size = 0
    for one in mails:
        if some and (len(some) >= KEPT_AT_ONCE or size + one.size_bytes > KEPT_AT_ONCE_BYTES):
            yield some
            some, size = [], 0
        some.append(one)
        size += one.size_bytes
    if some:
        yield some


def _dated(run: JobRun, client: IMAPClient, since: date | None) -> Iterator[OldMail]:
    criteria = ["ALL"] if since is None else ["OR", "SINCE", since, "SENTSINCE", since]
    uids = sorted(client.search(criteria))
    begin = None if since is None else datetime(since.year, since.month, since.day, tzinfo=UTC) - timedelta(hours=14)
    for start in range(0, len(uids), DATES_AT_ONCE):
        some = uids[start : start + DATES_AT_ONCE]
        answers = client.fetch(some, ["INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[HEADER.FIELDS (DATE)]"])
        for uid, answer in answers.items():
            dated = _written(answer.get(_DATE), answer.get(b"INTERNALDATE"), run.clock.now())
            if begin is None or dated >= begin:
                yield OldMail(uid, int(answer.get(b"RFC822.SIZE", 0)), dated)
        run.pause(0)


def _written(header: Any, internal: Any, now: datetime) -> datetime:
    """When it was written; when it reached the mailbox where its own date is none, or cannot be."""
    arrived = internal if isinstance(internal, datetime) and internal.utcoffset() is not None else now
    written = moment(bytes(header or b"").partition(b":")[2].strip())
    if written is None or not datetime(1980, 1, 1, tzinfo=UTC) < written < min(arrived, now) + timedelta(days=1):
        return arrived.astimezone(UTC)
    return written.astimezone(UTC)


def _fetched(client: IMAPClient, one: OldMail, *, truncated: bool) -> tuple[bytes | None, bool]:
    """The mail, or None when it has gone; True when the server does not hand it out."""
    for left in reversed(range(FETCH_TRIES)):
        try:
            return (fetch_partially if truncated else fetch_whole)(client, one.uid), False
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            if not left:
                log.warning("old mail cannot be fetched", uid=one.uid, error=str(error)[:300])
    return None, True


def _until_placed(run: JobRun) -> None:
    """Each mail finds the conversations of those before it; what cannot be placed lies in the tray after a while."""
    waited = 0.0
    while waited < PLACED_WITHIN_SECONDS:
        if not run.ask(run.db.read(accounting.unsettled, f"import:{run.mailbox.name}")):
            return
        run.pause(LOOKS_EVERY_SECONDS)
        waited += LOOKS_EVERY_SECONDS
