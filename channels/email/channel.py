"""The email channel as the desk sees it: a sender, a way to fix recipients, and what runs in the background."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from channels.background import running
from channels.channel import Channel
from channels.email.addressing import EmailAddressing
from channels.email.authentication import SenderChecks
from channels.email.dns import Dns
from channels.email.imap import MailboxState, watching
from channels.email.intake_worker import IntakeWorker
from channels.email.listener import Ports, listening
from channels.email.sender import EmailSender
from channels.email.settings import EmailSettings
from inbox.clock import Clock
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database
from inbox.vocabulary import ChannelKind
from inbox.words import Words


@dataclass(slots=True)
class EmailStatus:
    """What start-up prints and a status page shows: the ports taken, and how each mailbox is doing."""

    ports: Ports = field(default_factory=Ports)
    mailboxes: list[MailboxState] = field(default_factory=list)
    outgoing: bool = False  # False: mail is kept as files, nothing is sent


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
) -> Channel:
    """`house`: the name under every signature. `status` is kept up to date while the channel runs."""
    state = status if status is not None else EmailStatus()
    state.outgoing = settings.outgoing is not None
    reopen_for = None if settings.reopen_days is None else timedelta(days=settings.reopen_days)
    checks = None
    if settings.check_senders:
        checks = SenderChecks(dns or settings.dns.dns(), settings.trusted_hosts, settings.listener.own_networks)
    worker = IntakeWorker(db, clock, folder, settings.own_addresses(), reopen_for=reopen_for, checks=checks)

    @asynccontextmanager
    async def listener() -> AsyncIterator[None]:
        async with listening(db, clock, settings, state.ports):
            yield

    @asynccontextmanager
    async def mailboxes() -> AsyncIterator[None]:
        async with watching(db, clock, settings.mailboxes, state.mailboxes):
            yield

    @asynccontextmanager
    async def intake() -> AsyncIterator[None]:
        async with worker, running(worker.run(), "mail intake"):
            yield

    return Channel(
        kind=ChannelKind.EMAIL,
        sender=EmailSender(db, clock, settings, words, folder, house),
        addressing=EmailAddressing(settings),
        # In this order: what comes in by the listeners must find somebody to place it.
        background=(intake, listener, mailboxes),
        announce=(worker.wake,),
    )
