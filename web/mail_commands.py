"""`vuoro import-mail`, `vuoro compare-mail`: work on whole mailboxes from a terminal, whether the desk runs or not."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from channels.email.administration import MailAdministration
from channels.email.channel import EmailStatus, email_channel
from inbox import accounting, mail_jobs
from inbox.clock import Clock, SystemClock
from inbox.errors import InboxError
from inbox.mail_jobs import JobKind, JobRecord, JobState
from inbox.mail_words import explain
from inbox.mailbox_words import explain_trouble
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database, open_database
from inbox.words import Words
from web.app import DURABLE, WEB, Config, secret_of

PLACED_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class MailAtHand:
    """The mail of a desk for a command: nothing is watched, but what the command takes in is placed."""

    db: Database
    clock: Clock
    administration: MailAdministration

    @property
    def holder(self) -> str:
        return self.administration.jobs.holder

    async def placed(self) -> None:
        """Return when what the mailboxes have given is understood."""
        sources = [f"{kind}:{box.name}" for box in self.administration.ways().mailboxes for kind in ("imap", "import")]
        while sources:
            if await self.db.read(accounting.unsettled, sources[-1]):
                await asyncio.sleep(PLACED_EVERY_SECONDS)
            else:
                sources.pop()


@asynccontextmanager
async def mail_at_hand(config: Config) -> AsyncIterator[MailAtHand]:
    from migrations.run import upgrade

    await asyncio.to_thread(upgrade, config.store.url)
    clock = SystemClock()
    db = open_database(config.store.url, now=clock.now, durable=DURABLE)
    folder = AttachmentFolder(config.store.folder / "attachments", max_bytes=config.security.upload_mb * 1_000_000)
    status = EmailStatus()
    secret = await asyncio.to_thread(secret_of, config)
    words = Words(WEB / "locales")
    own_url = config.server.url
    channel = email_channel(db, clock, config.email, words, folder, status=status, secret=secret, own_url=own_url)
    for told in channel.announce:
        db.on_commit(told)
    assert status.administration is not None
    try:
        async with channel.background[0]():  # places what is kept
            yield MailAtHand(db, clock, status.administration)
    finally:
        await db.close()


@dataclass(slots=True)
class _Shown:
    console: Console
    mail: MailAtHand

    async def work(self, what: str, begin: Callable[[], Awaitable[int]]) -> JobRecord:
        """Begin a job, work on it here, show how far it is. Raises typer.Exit when it does not end well."""
        job_id = await begin()
        job = await self.mail.db.read(mail_jobs.get, job_id)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(what, total=None)
            while job.state is JobState.OPEN:
                await self.mail.administration.jobs.work(
                    job, lambda done, total: bar.update(task, completed=done, total=total)
                )
                job = await self.mail.db.read(mail_jobs.get, job_id)
                if job.state is JobState.OPEN and not await self._goes_on(job):
                    break
        await self.mail.placed()
        if job.state is not JobState.DONE:
            trouble = job.error.partition(":")[0]
            said = explain_trouble(trouble)
            self.console.print(escape(f"{said} {job.error}" if said != trouble else job.error or job.state))
            raise typer.Exit(1)
        return job

    async def _goes_on(self, job: JobRecord) -> bool:
        """After a broken line: when its time has come, unless another process has it."""
        self.console.print(f"[dim]{escape(job.error)}: trying again[/dim]")
        while job.state is JobState.OPEN:
            if await self.mail.db.write(mail_jobs.hold, job.id, self.mail.holder, now=self.mail.clock.now()):
                return True
            await asyncio.sleep(1)
            job = await self.mail.db.read(mail_jobs.get, job.id)
        return False


def import_mail(config: Config, *, mailbox: str, folder: str, since: date | None, leave_open: bool) -> None:
    async def run(shown: _Shown) -> None:
        mail = shown.mail
        name = _mailbox(mail, mailbox)
        options = {"folder": folder, "since": since.isoformat() if since else "", "open": leave_open}
        job = await shown.work(f"Old mail of {name}", partial(_resumed_or_begun, mail, name, options))
        result = job.result
        shown.console.print(f"{result['total']} looked at, {result['known']} known before.")
        if result["unfetched"]:
            shown.console.print(f"{result['unfetched']} were not handed out by the mail server: {result['uids']}")

    _run(config, run)


def compare_mail(config: Config, *, mailbox: str, fetch: bool) -> None:
    """Exit code 1 when something is missing afterwards."""

    async def run(shown: _Shown) -> None:
        mail = shown.mail
        names = [_mailbox(mail, mailbox)] if mailbox else [one.name for one in mail.administration.ways().mailboxes]
        missing = 0
        for name in names:
            job = await shown.work(f"Comparing {name}", partial(_begun, mail, JobKind.COMPARE, name, {}))
            if fetch and job.result["missing_count"]:
                begin = partial(mail.administration.fetch_missing, name, by=None, holder=mail.holder)
                await shown.work(f"Fetching from {name}", begin)
                job = await shown.work(f"Comparing {name}", partial(_begun, mail, JobKind.COMPARE, name, {}))
            shown.console.print(_table(name, job.result))
            missing += job.result["missing_count"]
        if missing:
            raise typer.Exit(1)

    _run(config, run)


async def _begun(mail: MailAtHand, kind: JobKind, mailbox: str, options: Mapping[str, Any]) -> int:
    return await mail.administration.start_job(kind, mailbox, options, by=None, holder=mail.holder)


async def _resumed_or_begun(mail: MailAtHand, mailbox: str, options: Mapping[str, Any]) -> int:
    """The same command again goes on with what an earlier one has left, once its lease has run out."""
    for job in await mail.db.read(mail_jobs.latest, 200):
        same = (job.kind, job.mailbox, dict(job.options)) == (JobKind.IMPORT, mailbox, dict(options))
        if same and job.state is JobState.OPEN:
            while not await mail.db.write(mail_jobs.hold, job.id, mail.holder, now=mail.clock.now()):
                await asyncio.sleep(1)
                if (await mail.db.read(mail_jobs.get, job.id)).state is not JobState.OPEN:
                    break
            return job.id
    return await _begun(mail, JobKind.IMPORT, mailbox, options)


def _mailbox(mail: MailAtHand, wanted: str) -> str:
    names = [one.name for one in mail.administration.ways().mailboxes]
    if not wanted and len(names) == 1:
        return names[0]
    if wanted not in names:
        raise typer.BadParameter(f"Which mailbox? Configured: {', '.join(names) or 'none'}")
    return wanted


def _table(name: str, result: Mapping[str, Any]) -> Table:
    table = Table("What became of it", "Why", "How many", title=f"{name}: {result['folder']}", title_justify="left")
    table.add_row("in a conversation", "", str(result["placed"]))
    for state, words in (("tray", "in the tray"), ("set_aside", "set aside")):
        for reason, count in result[state].items():
            table.add_row(words, escape(explain(reason)), str(count))
    table.add_row("being read", "", str(result["waiting"]))
    table.add_row("coming", "fetched next", str(result["coming"]))
    table.add_row("not taken", "older than the connection", str(result["older"]))
    table.add_row("[bold]missing[/bold]", "", f"[bold]{result['missing_count']}[/bold]")
    table.add_row("in the mailbox", "", str(result["total"]))
    return table


def _run(config: Config, work: Callable[[_Shown], Awaitable[None]]) -> None:
    console = Console()

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        with suppress(NotImplementedError):
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        async with mail_at_hand(config) as mail:
            await work(_Shown(console, mail))

    try:
        asyncio.run(run())
    except InboxError as error:
        console.print(escape(str(error)))
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        console.print("Stopped. The same command goes on from here.")
        raise typer.Exit(130) from None
