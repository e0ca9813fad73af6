"""Old mail taken in, mailboxes compared, what is missing fetched: on a real Dovecot."""

from __future__ import annotations

import asyncio
import imaplib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient
from sqlalchemy import delete, select, update

from channels.email.settings import Listener
from inbox import accounting, mail_jobs
from inbox.clock import ManualClock
from inbox.mail_jobs import JobKind, JobRecord, JobState
from inbox.store import arrivals
from inbox.store.models import Arrival, Entry, MailId
from inbox.vocabulary import ArrivalState, EntryKind
from tests.channels.email.desk import MailDesk, mail, open_desk, until
from tests.channels.email.test_mailboxes import arrived, connected, mailbox
from tests.support.dovecot import Dovecot

LONG_AGO = datetime(2025, 5, 1, 9, tzinfo=UTC)


def old(number: int, *, subject: str = "", sender: str = "", day: int = 1, headers: tuple[str, ...] = ()) -> bytes:
    raw = mail(
        f"Old mail {number}",
        from_=sender or f"Customer {number} <customer{number}@customers.test>",
        subject=subject or f"Matter {number}",
        message_id=f"<old-{number}@customers.test>",
        headers=headers,
    )
    return raw.replace(b"Tue, 10 Mar 2026", f"{day:02d} May 2025".encode())


async def done(desk: MailDesk, job_id: int, state: JobState = JobState.DONE) -> JobRecord:
    async def settled() -> bool:
        return (await desk.db.read(mail_jobs.get, job_id)).state is not JobState.OPEN

    await until(settled, seconds=60, what=f"job {job_id} is done")
    job = await desk.db.read(mail_jobs.get, job_id)
    assert job.state is state, job
    return job


async def work(desk: MailDesk, kind: JobKind, options: Mapping[str, Any] | None = None) -> JobRecord:
    assert desk.status.administration is not None
    return await done(desk, await desk.status.administration.start_job(kind, "main", options or {}, by=None))


def append(dovecot: Dovecot, user: str, folder: str, raws: list[bytes]) -> None:
    with imaplib.IMAP4("127.0.0.1", dovecot.imap_port) as client:
        client.login(user, dovecot.password)
        client.create(folder)
        for raw in raws:
            assert client.append(folder, "", imaplib.Time2Internaldate(time.time()), raw)[0] == "OK"


async def test_old_mail_is_filed_by_date_closed_silent_and_without_waits(
    dovecot: Dovecot, database_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user, anna = dovecot.new_user(), "Anna <anna@customers.test>"
    append(
        dovecot,
        user,
        "INBOX",
        [  # the answer lies before what it answers, as in a folder that was moved from elsewhere
            old(3, subject="Re: Matter", sender=anna, day=20),
            old(2, subject="Re: Matter", sender=anna, day=12, headers=("In-Reply-To: <old-1@customers.test>",)),
            old(1, subject="Matter", sender=anna, day=10),
            old(4, day=2),
        ],
    )
    box = mailbox(dovecot, user)
    async with open_desk(database_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(box,)) as desk:
        await connected(desk)
        assert await desk.conversations() == []
        told: list[object] = []
        desk.db.on_commit(told.extend)
        job = await work(desk, JobKind.IMPORT, {"since": "2025-05-05"})
        assert (job.done, job.total) == (3, 3)  # the fourth was written before
        (conversation,) = await desk.conversations()
        assert await desk.texts(conversation) == ["Old mail 1", "Old mail 2", "Old mail 3"]
        assert await desk.status_of(conversation) == "closed"
        assert await desk.waits(conversation) == []
        timeline = await desk.timeline(conversation)
        assert [one.created_at.day for one in timeline] == [10, 12, 20]
        assert all(one.kind is EntryKind.MESSAGE for one in timeline)
        assert {type(one).__name__ for one in told} <= {"ArrivalKept", "ArrivalSettled", "ConversationChanged"}
        # A new answer of the customer is live again, in the same conversation.
        answer = mail(
            "And now?", subject="Re: Matter", message_id="<n@c.test>", headers=("In-Reply-To: <old-3@customers.test>",)
        )
        await asyncio.to_thread(dovecot.deliver, user, answer)
        await until(lambda: desk.status.mailboxes[0].taken == 1)
        await desk.settled()
        assert await desk.conversations() == [conversation]
        assert await desk.waits(conversation) == [True]


async def test_the_same_old_mail_is_taken_once_and_may_stay_open(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    append(dovecot, user, "Archive", [old(1), old(2)])
    async with open_desk(
        sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(mailbox(dovecot, user),)
    ) as desk:
        await connected(desk)
        await work(desk, JobKind.IMPORT, {"folder": "Archive", "open": True})
        again = await work(desk, JobKind.IMPORT, {"folder": "Archive"})
        assert again.result["known"] == 2
        both = await desk.conversations()
        assert len(both) == 2
        assert {await desk.status_of(one) for one in both} == {"open"}
        assert [await desk.waits(one) for one in both] == [[], []]
        assert desk.status.administration is not None
        job_id = await desk.status.administration.start_job(JobKind.IMPORT, "main", {"folder": "Nowhere"}, by=None)
        failed = await done(desk, job_id, JobState.FAILED)
        assert failed.error.startswith("no_folder: ")


async def test_an_import_that_was_cut_off_goes_on_where_it_was(
    dovecot: Dovecot, database_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after kill -9: the lease of the dead process runs out, another one takes the job and passes over the rest."""
    monkeypatch.setattr("channels.email.old_mail.KEPT_AT_ONCE", 5)
    user = dovecot.new_user()
    dovecot.fill(user, [old(number, day=1 + number % 28) for number in range(60)], dated=LONG_AGO)
    box = mailbox(dovecot, user)
    settings: dict[str, Any] = {"listener": Listener(), "mailboxes": (box,)}
    async with open_desk(database_url, tmp_path, clock=clock, **settings) as desk:
        await connected(desk)
        assert desk.status.administration is not None
        job_id = await desk.status.administration.start_job(JobKind.IMPORT, "main", {}, by=None)

        async def half_way() -> bool:
            return (await desk.db.read(mail_jobs.get, job_id)).done >= 20

        await until(half_way, seconds=40, what="a part is taken")
    async with open_desk(database_url, tmp_path, clock=clock, **settings) as desk:
        clock.advance(mail_jobs.LEASE * 2)
        job = await done(desk, job_id)
        await desk.settled()
        assert (job.done, job.total) == (60, 60)
        assert 20 <= job.result["known"] < 60
        assert len(await desk.conversations()) == 60


async def test_thousands_of_old_mails_cost_a_new_mailbox_a_handful_of_commands(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = dovecot.new_user()
    dovecot.fill(user, [old(number) for number in range(3000)], dated=LONG_AGO)
    asked: list[str] = []
    plain = IMAPClient._command_and_check

    def counted(self: IMAPClient, command: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(str(command))
        return plain(self, command, *args, **kwargs)

    fetch = IMAPClient.fetch
    monkeypatch.setattr(IMAPClient, "_command_and_check", counted)

    def fetched(self: IMAPClient, uids: list[int], *what: Any) -> Any:
        asked.append(f"fetch {len(uids)}")
        return fetch(self, uids, *what)

    monkeypatch.setattr(IMAPClient, "fetch", fetched)
    async with open_desk(
        sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(mailbox(dovecot, user),)
    ) as desk:
        await connected(desk)
        assert len(asked) < 15, asked
        assert not [one for one in asked if one.startswith("fetch")]
        await asyncio.to_thread(dovecot.deliver, user, mail("The first new one"))
        await arrived(desk, 1)
        compared = (await work(desk, JobKind.COMPARE)).result
        assert (compared["older"], compared["placed"], compared["missing_count"]) == (3000, 1, 0)
        assert compared["total"] == 3001
        assert len([one for one in asked if one.startswith("fetch")]) < 12, asked


async def test_every_mail_of_a_mailbox_is_accounted_for_and_the_missing_ones_are_fetched(
    dovecot: Dovecot, database_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    dovecot.deliver(user, old(1))
    box = mailbox(dovecot, user)
    async with open_desk(database_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(box,)) as desk:
        await connected(desk)
        for raw in (mail("Placed"), mail("Placed"), mail("Lost", message_id="<lost@customers.test>", subject="Gone")):
            await asyncio.to_thread(dovecot.deliver, user, raw)
        await until(lambda: desk.status.mailboxes[0].taken == 3)
        await desk.settled()
        lost = next(line for line in await desk.tray(ArrivalState.PLACED) if line.envelope["uid"] == 4)
        await desk.db.write(_forget, lost.id)
        result = (await work(desk, JobKind.COMPARE)).result
        assert result["older"] == 1
        assert result["placed"] == 1
        assert result["set_aside"] == {"copy": 1}
        assert result["missing_count"] == 1
        assert result["missing"][0]["subject"] == "Gone"
        counted = result["placed"] + result["waiting"] + result["older"] + result["coming"] + result["missing_count"]
        assert counted + sum(result["tray"].values()) + sum(result["set_aside"].values()) == result["total"] == 4
        assert desk.status.administration is not None
        await done(desk, await desk.status.administration.fetch_missing("main", by=None))
        await desk.settled()
        result = (await work(desk, JobKind.COMPARE)).result
        assert (result["placed"], result["missing_count"]) == (2, 0)


def _forget(tx: Any, arrival_id: int) -> None:
    """As if it had never been taken: nothing leads from this mail to what became of it."""
    entries = select(Entry.id).where(Entry.arrival_id == arrival_id).scalar_subquery()
    tx.conn.execute(delete(MailId).where(MailId.entry_id.in_(entries)))
    tx.conn.execute(update(Entry).where(Entry.arrival_id == arrival_id).values(arrival_id=None, client_key=None))
    tx.conn.execute(delete(Arrival).where(Arrival.id == arrival_id))


async def test_what_came_by_another_way_is_not_missing(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    """The store has it under another number: by its Message-ID it is known all the same."""
    user = dovecot.new_user()
    async with open_desk(
        sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(mailbox(dovecot, user),)
    ) as desk:
        await connected(desk)
        await asyncio.to_thread(dovecot.deliver, user, mail("Placed"))
        await until(lambda: desk.status.mailboxes[0].taken == 1)
        await desk.settled()
        (line,) = await desk.tray(ArrivalState.PLACED)
        await desk.db.write(_renumber, line.id)
        result = (await work(desk, JobKind.COMPARE)).result
        assert (result["placed"], result["missing_count"]) == (1, 0)


def _renumber(tx: Any, arrival_id: int) -> None:
    tx.conn.execute(update(Arrival).where(Arrival.id == arrival_id).values(dedupe_key="imap:main:1:1"))


async def test_arrivals_are_read_into_memory_by_bytes_and_not_by_number(
    sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=Listener(), background=False) as desk:
        for number in range(4):
            await desk.db.write(
                arrivals.keep, source="smtp", dedupe_key=str(number), raw=b"x" * 1000, envelope={}, now=clock.now()
            )
        assert len(await desk.db.read(arrivals.waiting, "smtp", most_bytes=2500)) == 2
        assert len(await desk.db.read(arrivals.waiting, "smtp", most_bytes=10)) == 1
        assert len(await desk.db.read(arrivals.waiting, "smtp")) == 4
        counted = await desk.db.read(accounting.account)
        assert counted.waiting == {"smtp": 4}
