"""Work on a mailbox is done by one process, once, however long a mail server takes over a single answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from channels.email.mailbox_jobs import JobRun, MailboxJobs
from channels.email.settings import Mailbox, Secret
from inbox import mail_jobs
from inbox.clock import ManualClock
from inbox.mail_jobs import JobKind, JobState
from inbox.store.database import Database
from tests.channels.email.desk import until

BOX = Mailbox(name="main", host="imap.desk.test", username="help", password=Secret(value=SecretStr("word")))


async def test_a_job_is_held_while_a_mail_server_thinks_and_given_up_when_somebody_stops_it(
    database: Database, clock: ManualClock
) -> None:
    begun: list[JobRun] = []
    answered = threading.Event()

    def slow(run: JobRun) -> Mapping[str, Any]:
        begun.append(run)
        answered.wait(30)  # one answer of the mail server, in which no progress can be told
        run.pause(0)
        return {}

    jobs = MailboxJobs(database, clock, [BOX], {JobKind.COMPARE: slow}, tokens=None, holder="one")
    job_id = await database.write(mail_jobs.start, JobKind.COMPARE, "main", {}, by=None, now=clock.now())
    running = asyncio.create_task(jobs.run())
    await until(lambda: begun, what="the job is begun")

    async def is_held() -> bool:
        until_when = (await database.read(mail_jobs.get, job_id)).leased_until
        return until_when is not None and until_when >= clock.now() + mail_jobs.LEASE / 2

    for _ in range(8):
        clock.advance(mail_jobs.LEASE / 3)
        await until(is_held, what="the lease is renewed")
        assert await database.write(mail_jobs.claim, "two", now=clock.now()) is None
    assert len(begun) == 1
    await database.write(mail_jobs.stop, job_id, by=None, now=clock.now())
    clock.advance(mail_jobs.LEASE / 3)
    await until(begun[0]._stopping.is_set, what="the work hears that it was stopped")
    answered.set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await database.read(mail_jobs.get, job_id)).state is JobState.STOPPED
