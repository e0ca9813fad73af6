"""Mail taken in per second, beside a loop that only parses with `policy.default` and inserts each mail durably.

Both see the same mails in the same run, in alternating batches, each on its own SQLite file with `synchronous=FULL`.
Ours does all of it: keep the arrival, parse, thread, recognise copies, clean the HTML, store, start the wait, announce.
The desk's store holds 20,000 mails of the past before the first one comes; `--entries 1000000` makes it a million.
Processor time counts the processes that read mails, too.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import random
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from time import perf_counter, process_time

import psutil
from sqlalchemy.engine import make_url

from channels.email.intake_worker import IntakeWorker
from channels.email.keeping import fingerprint, keep_from_smtp
from inbox.clock import SystemClock
from inbox.events import AnyEvent
from inbox.queue_key import NOT_WAITING, microseconds
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import open_database
from tests.support.stores import SqliteTemplate

ROUNDS = 3
ENTRIES = 20_000
MESSAGES = 5
MAILS_IN_A_ROUND = 300
OWN = frozenset({"help@shop.example"})

Row = tuple[str, float, float, float]
"""What was measured, ours, the reference, ours divided by the reference."""


def mails(count: int, seed: int) -> list[bytes]:
    """35 % plain, 35 % alternative, 10 % with a file of 100 kB, 20 % answers with a long history."""
    chance = random.Random(seed)
    words = ["parcel", "invoice", "arrived", "broken", "please", "colour", "thank", "delivery", "tomorrow", "kiitos"]

    def prose(lines: int) -> str:
        return "\n".join(" ".join(chance.choices(words, k=9)) for _ in range(lines))

    made: list[bytes] = []
    for number in range(count):
        person = chance.randrange(count)
        head = (
            f"Received: from mx{number}.example by mail.shop.example with ESMTPS; Sat, 21 Nov 2026 10:00:00 +0200\r\n"
            f"Received: from phone by mx{number}.example; Sat, 21 Nov 2026 09:59:58 +0200\r\n"
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=customers.example; s=s1;\r\n"
            f" h=from:to:subject:date; bh={base64.b64encode(chance.randbytes(32)).decode()};\r\n"
            f" b={base64.b64encode(chance.randbytes(96)).decode()}\r\n"
            f"From: =?utf-8?Q?P=C3=A4ivi_{person}?= <person{person}@customers.example>\r\n"
            'To: "Shop, help" <help@shop.example>\r\nCc: A Friend <friend@customers.example>\r\n'
            f"Subject: =?utf-8?Q?Tilaus_{seed}-{number}_?= =?utf-8?Q?k=C3=A4sittelyss=C3=A4?=\r\n"
            "Date: Sat, 21 Nov 2026 10:00:00 +0200\r\n"
            f"Message-ID: <{seed}.{number}.{chance.getrandbits(64):x}@customers.example>\r\nMIME-Version: 1.0\r\n"
        )
        kind = chance.random()
        if kind < 0.35:
            body = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{prose(12)}"
        elif kind < 0.70:
            body = _alternative(prose(8), "".join(f"<p style='color:#333'>{prose(1)}</p>" for _ in range(8)))
        elif kind < 0.80:
            file = base64.encodebytes(chance.randbytes(100_000)).decode()
            body = (
                'Content-Type: multipart/mixed; boundary="m"\r\n\r\n'
                f"--m\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{prose(4)}\r\n"
                "--m\r\nContent-Type: application/pdf; name=a.pdf\r\n"
                "Content-Disposition: attachment; filename=a.pdf\r\n"
                f"Content-Transfer-Encoding: base64\r\n\r\n{file}\r\n--m--"
            )
        else:
            references = " ".join(f"<{seed}.{number}.{n}@customers.example>" for n in range(20))
            head += f"In-Reply-To: <{seed}.{number}.19@customers.example>\r\nReferences: {references}\r\n"
            history = "\n".join("> " + line for line in prose(150).split("\n"))
            quoted = "".join(f"<p>{prose(1)}</p>" for _ in range(150))
            body = _alternative(
                f"{prose(2)}\n\nOn Fri, Nov 20, 2026 at 4:05 PM Shop <help@shop.example> wrote:\n{history}",
                f"<div>{prose(2)}</div><div class='gmail_quote'>On Fri wrote:<blockquote>{quoted}</blockquote></div>",
            )
        made.append((head + body + "\r\n").encode())
    return made


def _alternative(text: str, html: str) -> str:
    return (
        'Content-Type: multipart/alternative; boundary="a"\r\n\r\n'
        f"--a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>{html}</body></html>\r\n--a--"
    )


@dataclass(slots=True)
class Taken:
    """Seconds on the clock and of processor time for a batch."""

    wall_s: float
    cpu_s: float


class Reference:
    """Parse with the standard library's modern policy, read what a desk needs, one durable insert for each mail."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE mails (id INTEGER PRIMARY KEY, message_id, sender, subject, body, raw BLOB)")

    def take_in(self, batch: Sequence[bytes]) -> Taken:
        begin, cpu = perf_counter(), process_time()
        for raw in batch:
            message = message_from_bytes(raw, policy=policy.default)
            part = message.get_body(("plain", "html"))
            assert part is not None
            self._db.execute(
                "INSERT INTO mails (message_id, sender, subject, body, raw) VALUES (?, ?, ?, ?, ?)",
                (str(message["Message-ID"]), str(message["From"]), str(message["Subject"]), part.get_content(), raw),
            )
        return Taken(perf_counter() - begin, process_time() - cpu)

    def close(self) -> None:
        self._db.close()


def fill(path: str, entries: int, now: int) -> None:
    """Mails of the past, five to a conversation, straight into the tables. `now` in microseconds."""
    conversations = max(1, entries // MESSAGES)
    store = sqlite3.connect(path, isolation_level=None)
    store.execute("PRAGMA synchronous=OFF")
    store.execute("BEGIN")
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {conversations})"
    entry = f"{numbers}, m(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM m WHERE j < {MESSAGES})"
    store.execute(
        f"{numbers} INSERT INTO contacts (id, name, note, created_at) SELECT i, 'Customer ' || i, '', {now} FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO addresses (id, contact_id, kind, value, written, created_at)"
        f" SELECT i, i, 'email', 'old' || i || '@customers.example', 'old' || i || '@customers.example', {now} FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO conversations (id, contact_id, subject, status, spam, channel, priority, last_number,"
        " snippet, version, created_at, active_at, queue_key, unread, reply_token, visitor_seen, source)"
        f" SELECT i, i, 'Parcel ' || i, 'closed', 0, 'email', 0, {MESSAGES},"
        f" 'Where is it?', 1, {now} - i, {now} - i, {2 * NOT_WAITING - now} + i, 0, 'token' || i, 0, '{{}}' FROM n"
    )
    store.execute(
        f"{numbers} INSERT INTO participants (conversation_id, address_id, added_at) SELECT i, i, {now} FROM n"
    )
    store.execute(
        f"{entry} INSERT INTO entries (id, conversation_id, number, kind, channel, author, contact_id, text, data,"
        f" created_at) SELECT (i - 1) * {MESSAGES} + j, i, j, 'message', 'email', 'contact', i,"
        f" 'Where is my parcel? It is message ' || j, '{{}}', {now} FROM n, m"
    )
    store.execute(
        f"{entry} INSERT INTO mail_ids (message_id, conversation_id, entry_id, ours, digest)"
        f" SELECT '<' || i || '.' || j || '@customers.example>', i, (i - 1) * {MESSAGES} + j, 0, '' FROM n, m"
    )
    store.execute("COMMIT")
    store.execute("ANALYZE")
    store.close()


def _processor_seconds() -> float:
    """Of this process and of those that read mails for it."""
    me = psutil.Process()
    spent = [one.cpu_times() for one in (me, *me.children(recursive=True))]
    return sum(one.user + one.system for one in spent)


async def bench(*, rounds: int = ROUNDS, count: int = MAILS_IN_A_ROUND, entries: int = ENTRIES) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mail-bench-") as name:
        folder = Path(name)
        template = SqliteTemplate()
        url = template.copy()
        clock = SystemClock()
        await asyncio.to_thread(fill, str(make_url(url).database), entries, microseconds(clock.now()))
        db = open_database(url, now=clock.now, durable={})
        announced = 0

        def announce(happened: Sequence[AnyEvent]) -> None:
            nonlocal announced
            announced += len(happened)

        db.on_commit(announce)
        reference = Reference(folder / "reference.sqlite")
        ours, theirs = Taken(0, 0), Taken(0, 0)
        try:
            async with IntakeWorker(db, clock, AttachmentFolder(folder / "attachments"), OWN) as worker:
                for number in range(rounds + 1):
                    batch = mails(count if number else 20, seed=number)
                    reference_took = reference.take_in(batch)
                    begin, cpu = perf_counter(), _processor_seconds()
                    # As the listener does it: many peers at once, each answered after its own commit.
                    await asyncio.gather(
                        *(
                            db.write(
                                keep_from_smtp,
                                raw,
                                source="smtp",
                                sender="person@customers.example",
                                recipients=["help@shop.example"],
                                peer="127.0.0.1",
                                digest=fingerprint(raw),
                                now=clock.now(),
                            )
                            for raw in batch
                        )
                    )
                    await worker.work_off()
                    await worker.all_read()
                    took = Taken(perf_counter() - begin, _processor_seconds() - cpu)
                    if number:  # the first, small one warms up
                        ours.wall_s += took.wall_s
                        ours.cpu_s += took.cpu_s
                        theirs.wall_s += reference_took.wall_s
                        theirs.cpu_s += reference_took.cpu_s
        finally:
            reference.close()
            await db.close()
            template.drop(url)
            template.remove()
        if not announced:
            raise AssertionError("nothing was announced: the measured path is not the real one")
    total = rounds * count
    return [
        ("mail taken in, mails/s", total / ours.wall_s, total / theirs.wall_s, theirs.wall_s / ours.wall_s),
        ("mail taken in, CPU ms each", ours.cpu_s / total * 1e3, theirs.cpu_s / total * 1e3, ours.cpu_s / theirs.cpu_s),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description="Mail taken in beside a loop that parses and inserts.")
    arguments.add_argument("--entries", type=int, default=ENTRIES, help="how many the store holds before")
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    wanted = arguments.parse_args()
    for name, ours, theirs, ratio in asyncio.run(bench(rounds=wanted.rounds, entries=wanted.entries)):
        sys.stdout.write(f"{name:30} ours {ours:10.2f}   parse and insert {theirs:10.2f}   ratio {ratio:6.2f}\n")


if __name__ == "__main__":
    main()
