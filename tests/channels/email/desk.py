"""A desk with only the email channel on it, speaking the domain's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from channels.delivery import HANDLER, Deliver
from channels.email.channel import EmailStatus, email_channel
from channels.email.listener import free_bytes
from channels.email.settings import EmailSettings, Listener, SupportAddress
from inbox import desk_mail, lifecycle, reading
from inbox.clock import Clock, ManualClock
from inbox.events import DeskMailWritten, ReplyWritten
from inbox.mail_stops import UnsubscribeLinks
from inbox.people import operators
from inbox.reply import Recipients, ReplyDraft, reply
from inbox.store import arrivals
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database, open_database
from inbox.store.models import Conversation, Wait
from inbox.store.outbox_worker import OutboxWorker
from inbox.vocabulary import (
    ArrivalState,
    ChannelKind,
    ConversationId,
    EntryId,
    EntryKind,
    OperatorId,
    Role,
)
from inbox.words import Words

DURABLE: Mapping[type, Sequence[str]] = {ReplyWritten: [HANDLER], DeskMailWritten: [desk_mail.HANDLER]}
LINKS = UnsubscribeLinks("a secret that only this desk has", "https://desk.test")
AS_COMPUTED = Recipients()
HELP = SupportAddress(address="help@desk.test", name="Shop help", aliases=("support@desk.test",))


class MailDesk:
    """Operators answer, customers write; everything else is the real channel."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: EmailSettings,
        folder: Path,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.db, self.clock, self.settings, self.folder = db, clock, settings, folder
        self.status = EmailStatus()
        self.attachments = AttachmentFolder(folder / "attachments")
        self.channel = email_channel(
            db,
            clock,
            settings,
            Words(folder / "no-words"),
            self.attachments,
            house="The Shop",
            status=self.status,
            free=free,
            secret="a secret that only this desk has",
            own_url="https://desk.test",
            links=LINKS,
        )
        assert self.channel.sender is not None
        self.outbox = OutboxWorker(db, clock, HANDLER, Deliver(db, clock, {ChannelKind.EMAIL: self.channel.sender}))
        self.keys = 0

    async def operator(self, name: str = "Bea Berg", title: str = "Customer care") -> OperatorId:
        return await self.db.write(
            operators.add,
            email=f"{name.split()[0].lower()}@desk.test",
            name=name,
            title=title,
            role=Role.OPERATOR,
            password_hash="x",
            now=self.clock.now(),
        )

    async def reply(
        self,
        operator: OperatorId,
        conversation_id: int,
        text: str,
        *,
        recipients: Recipients = AS_COMPUTED,
        **more: Any,
    ) -> EntryId:
        self.keys += 1
        assert self.channel.addressing is not None
        written = await self.db.write(
            reply,
            ReplyDraft(
                conversation_id=ConversationId(conversation_id),
                operator_id=operator,
                text=text,
                key=f"key-{self.keys}",
                seen=10_000,
                channel=ChannelKind.EMAIL,
                recipients=recipients,
                **more,
            ),
            addressings={ChannelKind.EMAIL: self.channel.addressing},
            now=self.clock.now(),
        )
        await self.outbox.work_off()
        return written.entry_id

    def kept(self) -> list[EmailMessage]:
        """Mails written to the folder because no server is configured, oldest first."""
        folder = self.settings.keep_folder
        files = sorted(folder.glob("*.eml")) if folder.exists() else []
        return [BytesParser(policy=default).parsebytes(path.read_bytes()) for path in files]

    async def conversations(self) -> list[ConversationId]:
        return await self.db.read(_conversations)

    async def timeline(self, conversation_id: int) -> list[reading.TimelineEntry]:
        return await self.db.read(reading.timeline, ConversationId(conversation_id))

    async def texts(self, conversation_id: int, *kinds: EntryKind) -> list[str]:
        wanted = kinds or (EntryKind.MESSAGE, EntryKind.REPLY)
        return [
            one.data.get("mail", {}).get("new_text", one.text) if one.kind is EntryKind.MESSAGE else one.text
            for one in await self.timeline(conversation_id)
            if one.kind in wanted
        ]

    async def waits(self, conversation_id: int) -> list[bool]:
        """For each wait of the conversation, oldest first: does it still run?"""
        return await self.db.read(_waits, conversation_id)

    async def status_of(self, conversation_id: int) -> str:
        return await self.db.read(_status, conversation_id)

    async def tray(self, *states: ArrivalState) -> list[arrivals.TrayLine]:
        return await self.db.read(arrivals.listing, states or (ArrivalState.TRAY, ArrivalState.SET_ASIDE))

    async def close(self, operator: OperatorId, conversation_id: int) -> None:
        await self.db.write(lifecycle.close, ConversationId(conversation_id), by=operator, now=self.clock.now())

    async def settled(self, *, seconds: float = 20) -> None:
        """Wait until nothing that came in is waiting any more."""
        await until(lambda: self._none_new(), seconds=seconds)

    async def _none_new(self) -> bool:
        return not await self.tray(ArrivalState.NEW)


async def until(condition: Callable[[], Any], *, seconds: float = 20, what: str = "") -> None:
    """Wait for a condition, never for a number of seconds; `seconds` is when the test has failed."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        if loop.time() > give_up:
            raise AssertionError(f"never happened: {what or condition}")
        await asyncio.sleep(0.02)


def _conversations(conn: Connection) -> list[ConversationId]:
    return [ConversationId(one) for one in conn.execute(select(Conversation.id).order_by(Conversation.id)).scalars()]


def _waits(conn: Connection, conversation_id: int) -> list[bool]:
    rows = conn.execute(select(Wait.ended_at).where(Wait.conversation_id == conversation_id).order_by(Wait.id))
    return [row.ended_at is None for row in rows]


def _status(conn: Connection, conversation_id: int) -> str:
    return str(conn.execute(select(Conversation.status).where(Conversation.id == conversation_id)).scalar_one())


@asynccontextmanager
async def open_desk(
    url: str,
    folder: Path,
    *,
    clock: Clock | None = None,
    background: bool = True,
    free: Callable[[Path], int] = free_bytes,
    **settings: Any,
) -> AsyncIterator[MailDesk]:
    """A running desk; `settings` as for `EmailSettings`."""
    clock = clock or ManualClock(datetime(2026, 3, 10, 10, tzinfo=UTC))
    settings.setdefault("addresses", (HELP,))
    settings.setdefault("listener", Listener(smtp_port=0, lmtp_port=0))
    settings.setdefault("keep_folder", folder / "outgoing")
    db = open_database(url, now=clock.now, durable=DURABLE)
    desk = MailDesk(db, clock, EmailSettings(**settings), folder, free)
    for announce in desk.channel.announce:
        db.on_commit(announce)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(db.close)
        if background:
            for context in desk.channel.background:
                await stack.enter_async_context(context())
        yield desk


def mail(
    text: str = "Where is my parcel?",
    *,
    from_: str = "Anna Aalto <anna@customers.test>",
    to: str = "help@desk.test",
    subject: str = "My parcel",
    message_id: str = "<one@customers.test>",
    headers: Sequence[str] = (),
) -> bytes:
    """A plain mail as a customer's program writes it; `headers` are further lines."""
    lines = [
        f"From: {from_}",
        f"To: {to}",
        f"Subject: {subject}",
        "Date: Tue, 10 Mar 2026 12:00:00 +0200",
        *([f"Message-ID: {message_id}"] if message_id else []),
        *headers,
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
        "",
    ]
    return "\r\n".join(lines).encode()
