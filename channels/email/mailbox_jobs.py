"""Work on a whole mailbox, beside watching it: over a connection of its own, in a thread, resumable after a crash."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from imapclient import IMAPClient

from channels.email.imap_session import MailboxFailure, failure_of, open_session
from channels.email.mail_tokens import Access, MailTokens
from channels.email.settings import Mailbox
from inbox import mail_jobs
from inbox.clock import Clock
from inbox.errors import BadInput
from inbox.mail_jobs import JobKind, JobRecord
from inbox.mailboxes import MailTrouble
from inbox.store.database import Database
from inbox.words import N_

T = TypeVar("T")

log = structlog.get_logger(__name__)

AT_ONCE = 3
LOOKS_EVERY = timedelta(seconds=5)
TRIES_AGAIN_AFTER = timedelta(seconds=20)
STORE_SECONDS = 60
HOPELESS = frozenset(
    {
        MailTrouble.NOT_CONNECTED,
        MailTrouble.CONSENT_WITHDRAWN,
        MailTrouble.WRONG_ACCOUNT,
        MailTrouble.REFUSED,
        MailTrouble.NO_FOLDER,
        MailTrouble.IMAP_OFF,
        MailTrouble.NO_LICENCE,
    }
)
"""What a person must put right: a job that waits for that would look as if it went on."""


class JobStopped(Exception):
    """Somebody has stopped it, another process works on it, or the desk is closing."""


class JobImpossible(Exception):
    """It can never succeed; the text is a key of the catalogue."""


Work = Callable[["JobRun"], Mapping[str, Any]]
"""Blocking. What it returns is the result. It runs again from the beginning after a crash."""


@dataclass(slots=True)
class JobRun:
    """One job while this process works on it."""

    job: JobRecord
    mailbox: Mailbox
    db: Database
    clock: Clock
    tokens: MailTokens | None
    holder: str
    loop: asyncio.AbstractEventLoop
    on_progress: Callable[[int, int], None] | None = None
    access: Access | None = None
    _client: IMAPClient | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)

    def ask(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(STORE_SECONDS)

    def connect(self) -> IMAPClient:
        session = open_session(self.mailbox, self._access_for, self._opened)
        self.access = session.access
        return session.client

    def progress(self, done: int, total: int) -> None:
        """Say how far it is, and go on holding the job. Raises JobStopped."""
        held = self.ask(
            self.db.write(mail_jobs.progress, self.job.id, self.holder, done=done, total=total, now=self.clock.now())
        )
        if self.on_progress is not None:
            self.loop.call_soon_threadsafe(self.on_progress, done, total)
        if not held:
            raise JobStopped
        self.pause(0)

    def pause(self, seconds: float) -> None:
        """Raises JobStopped."""
        if self._stopping.wait(seconds) if seconds else self._stopping.is_set():
            raise JobStopped

    def stop(self) -> None:
        self._stopping.set()
        client = self._client
        if client is not None:
            with suppress(Exception):
                client.socket().shutdown(socket.SHUT_RDWR)

    def run(self, work: Work) -> Mapping[str, Any]:
        try:
            return work(self)
        except Exception:
            if self._stopping.is_set():
                raise JobStopped from None
            raise
        finally:
            client, self._client = self._client, None
            if client is not None:
                with suppress(Exception):
                    client.logout()
                with suppress(Exception):
                    client.shutdown()

    def _opened(self, client: IMAPClient) -> None:
        self._client = client
        self.pause(0)

    def _access_for(self, account: str, refused: str) -> Access:
        if self.tokens is None:
            raise MailboxFailure(MailTrouble.NOT_CONNECTED, "")
        return self.ask(self.tokens.access(account, refused=refused))


class MailboxJobs:
    """`run` until cancelled; `wake` after a job was started."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        mailboxes: Sequence[Mailbox],
        works: Mapping[JobKind, Work],
        *,
        tokens: MailTokens | None,
        holder: str,
    ) -> None:
        self._db, self._clock, self._works = db, clock, works
        self._mailboxes = {one.name: one for one in mailboxes}
        self._tokens, self.holder = tokens, holder
        self._woken = asyncio.Event()
        self._working: set[int] = set()

    def mailbox(self, name: str) -> Mailbox:
        """Raises BadInput."""
        found = self._mailboxes.get(name)
        if found is None:
            raise BadInput("mailbox", N_("There is no such mailbox in the configuration."))
        return found

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._woken.clear()
                while len(under_way) < AT_ONCE:
                    job = await self._next()
                    if job is None:
                        break
                    task = asyncio.create_task(self._work_and_note(job), name=f"mail-job-{job.id}")
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                    task.add_done_callback(lambda _: self._woken.set())
                await self._clock.wait_until(self._clock.now() + LOOKS_EVERY, self._woken)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _next(self) -> JobRecord | None:
        try:
            working = frozenset(self._working)
            return await self._db.write(mail_jobs.claim, self.holder, now=self._clock.now(), but=working)
        except Exception:
            log.exception("mail jobs cannot be looked for")
            return None

    async def _work_and_note(self, job: JobRecord) -> None:
        try:
            await self.work(job)
        except Exception:
            log.exception("mail job could not be noted", job=job.id)

    async def work(self, job: JobRecord, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Do a job that this process holds, and note how it ended."""
        mailbox = self._mailboxes.get(job.mailbox)
        if mailbox is None:
            await self._failed(job, "The mailbox is no longer configured.", for_good=True)
            return
        loop = asyncio.get_running_loop()
        run = JobRun(job, mailbox, self._db, self._clock, self._tokens, self.holder, loop, on_progress)
        self._working.add(job.id)
        keeping = asyncio.create_task(self._keep(run), name=f"mail-job-{job.id}-held")
        with ThreadPoolExecutor(1, thread_name_prefix=f"mail-{job.kind}") as thread:
            doing = loop.run_in_executor(thread, run.run, self._works[job.kind])
            try:
                result = await asyncio.shield(doing)
            except asyncio.CancelledError:
                run.stop()
                with suppress(Exception):
                    await doing
                raise
            except JobStopped:
                return
            except JobImpossible as error:
                await self._failed(job, str(error), for_good=True)
                return
            except Exception as error:
                failure = failure_of(error, mailbox, run.access)
                log.warning("mail job failed", job=job.id, kind=job.kind, trouble=failure.trouble, said=failure.said)
                await self._failed(job, str(failure), for_good=failure.trouble in HOPELESS)
                return
            finally:
                keeping.cancel()
                self._working.discard(job.id)
        await self._db.write(mail_jobs.finish, job.id, self.holder, result, now=self._clock.now())

    async def _keep(self, run: JobRun) -> None:
        """Go on holding the job, however long one answer of the mail server takes; stop it when it is lost."""
        while True:
            await self._clock.wait_until(self._clock.now() + mail_jobs.LEASE / 3, asyncio.Event())
            try:
                held = await self._db.write(mail_jobs.hold, run.job.id, self.holder, now=self._clock.now())
            except Exception:
                log.exception("mail job could not be held", job=run.job.id)
                continue
            if not held:
                run.stop()
                return

    async def _failed(self, job: JobRecord, error: str, *, for_good: bool) -> None:
        now = self._clock.now()
        again_at = None if for_good else now + TRIES_AGAIN_AFTER
        await self._db.write(mail_jobs.fail, job.id, self.holder, error, again_at=again_at, now=now)
