"""The email channel as the desk sees it: a sender, a way to fix recipients, and what runs in the background."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from secrets import token_hex

from channels.background import running
from channels.channel import Channel
from channels.email.addressing import EmailAddressing
from channels.email.administration import CALLBACK, MailAdministration
from channels.email.authentication import SenderChecks
from channels.email.dns import Dns
from channels.email.imap import MailboxState
from channels.email.intake_worker import IntakeWorker
from channels.email.listener import Ports, RoomOnDisk, free_bytes, listening
from channels.email.mail_tokens import MailTokens
from channels.email.mailbox_jobs import MailboxJobs
from channels.email.oauth import clients
from channels.email.old_mail import import_old_mail
from channels.email.reconcile import compare, fetch_missing
from channels.email.sealing import Seal
from channels.email.sender import EmailSender
from channels.email.settings import EmailSettings
from channels.email.watching import Watching, watching
from inbox.clock import Clock
from inbox.mail_jobs import JobKind
from inbox.mail_stops import UnsubscribeLinks
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database
from inbox.vocabulary import ChannelKind
from inbox.words import Words

JOBS = {JobKind.IMPORT: import_old_mail, JobKind.COMPARE: compare, JobKind.FETCH: fetch_missing}


@dataclass(slots=True)
class EmailStatus:
    """What start-up prints and a status page shows: the ports taken, and how each mailbox is doing."""

    ports: Ports = field(default_factory=Ports)
    mailboxes: list[MailboxState] = field(default_factory=list)
    outgoing: bool = False  # False: mail is kept as files, nothing is sent
    administration: MailAdministration | None = None
    watching: Watching | None = None


def email_channel(
    db: Database,
    clock: Clock,
    settings: EmailSettings,
    words: Words,
    folder: AttachmentFolder,
    *,
    house: str = "",
    status: EmailStatus | None = None,
    dns: Dns | None = None,
    links: UnsubscribeLinks | None = None,
    free: Callable[[Path], int] = free_bytes,
    secret: str = "",
    own_url: str = "",
) -> Channel:
    """`house`: the name under every signature. `status` is kept up to date while the channel runs. `secret` seals
    what is kept of connected accounts, `own_url` is where their providers lead people back to.

    `dns` and `free` (bytes left on a folder's disk) are the world outside, where a test has another one.
    """
    state = status if status is not None else EmailStatus()
    state.outgoing = settings.outgoing is not None
    reopen_for = None if settings.reopen_days is None else timedelta(days=settings.reopen_days)
    checks = None
    if settings.check_senders:
        checks = SenderChecks(dns or settings.dns.dns(), settings.trusted_hosts, settings.listener.own_networks)
    worker = IntakeWorker(
        db, clock, folder, settings.own_addresses(), reopen_for=reopen_for, checks=checks, links=links
    )

    holder = f"{socket.gethostname()[:20]}-{os.getpid()}-{token_hex(4)}"
    redirect_uri = f"{own_url}{CALLBACK}"
    providers = clients(settings.oauth, redirect_uri)
    tokens = MailTokens(db, clock, Seal(secret), providers, holder)
    jobs = MailboxJobs(db, clock, settings.mailboxes, JOBS, tokens=tokens, holder=holder)

    def connected(account: str) -> None:
        if state.watching is not None:
            state.watching.try_now(account)

    state.administration = MailAdministration(
        db,
        clock,
        settings,
        secret,
        clients=providers,
        tokens=tokens,
        jobs=jobs,
        ports=state.ports,
        redirect_uri=redirect_uri,
        connected=connected,
    )

    @asynccontextmanager
    async def listener() -> AsyncIterator[None]:
        room = RoomOnDisk(folder.root, settings.listener.least_free_mb * 1_000_000, free)
        async with listening(db, clock, settings, state.ports, room):
            yield

    @asynccontextmanager
    async def mailboxes() -> AsyncIterator[None]:
        watched = watching(db, clock, settings.mailboxes, state.mailboxes, tokens=tokens, holder=holder)
        async with watched as state.watching, running(jobs.run(), "mailbox jobs"):
            yield

    @asynccontextmanager
    async def intake() -> AsyncIterator[None]:
        async with worker, running(worker.run(), "mail intake"):
            yield

    return Channel(
        kind=ChannelKind.EMAIL,
        sender=EmailSender(db, clock, settings, words, folder, house, links, tokens),
        addressing=EmailAddressing(settings),
        # In this order: what comes in by the listeners must find somebody to place it.
        background=(intake, listener, mailboxes),
        announce=(worker.wake,),
    )
