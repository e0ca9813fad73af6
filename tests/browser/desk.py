"""A whole desk on a free port, with customers who wrote some minutes ago and operators who are signed in."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web
from playwright.async_api import BrowserContext

from channels.email.settings import EmailSettings, SupportAddress
from inbox import handoff, lifecycle, reply
from inbox.call_facts import CallFacts, Direction
from inbox.calls import record_call
from inbox.clock import SystemClock
from inbox.handoff import Brief
from inbox.people import operators, sessions
from inbox.people.contacts import AddressLine, Sender
from inbox.receive import Incoming, receive
from inbox.reply import ReplyDraft
from inbox.store.database import open_database
from inbox.vocabulary import (
    AddressKind,
    CallOutcome,
    ChannelKind,
    ConversationId,
    HandoffId,
    OperatorId,
    Role,
)
from web.app import DURABLE, Config, build
from web.config import DeskTable, ServerTable, StoreTable
from web.cookies import COOKIE, digest, new_token
from web.keys import ADDRESSINGS, SERVER

SUPPORT = "support@acme.example"


class BrowserDesk:
    """`url` is where it stands. Times are the computer's: customers wrote `minutes` ago."""

    def __init__(self, sqlite_url: str, folder: Path) -> None:
        self.clock = SystemClock()
        self._store_url = sqlite_url
        self._folder = folder
        self.url = ""

    async def start(self, port: int = 0) -> None:
        self.db = open_database(self._store_url, now=self.clock.now, durable=DURABLE)
        config = Config(
            server=ServerTable(port=port),
            store=StoreTable(url=self._store_url, folder=self._folder),
            desk=DeskTable(name="Acme support", zone="Europe/Helsinki"),
            email=EmailSettings(addresses=(SupportAddress(address=SUPPORT, name="Acme"),), keep_folder=self._folder),
        )
        self.app = build(config, clock=self.clock, db=self.db)
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        assert site._server is not None
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]

    async def stop(self) -> None:
        await self._runner.cleanup()
        await self.db.close()

    def cut_lines(self) -> None:
        """Every live connection breaks; browsers come back by themselves."""
        self.app[SERVER].hang_up()

    def minutes_ago(self, minutes: float) -> datetime:
        return self.clock.now() - timedelta(minutes=minutes)

    # --- operators --------------------------------------------------------------------------------------------------

    async def operator(self, name: str, role: Role = Role.OPERATOR, *, language: str = "en") -> OperatorId:
        address = f"{name.split()[0].lower()}@acme.example"
        return await self.db.write(
            operators.add,
            email=address,
            name=name,
            role=role,
            password_hash="",
            language=language,
            now=self.clock.now(),
        )

    async def sign_in(self, context: BrowserContext, operator: OperatorId) -> None:
        token = new_token()
        await self.db.write(
            sessions.begin, operator, token_digest=digest(token), lasts=timedelta(days=1), now=self.clock.now()
        )
        await context.add_cookies([{"name": COOKIE, "value": token, "url": self.url}])

    # --- customers --------------------------------------------------------------------------------------------------

    async def chat(self, name: str, text: str, *, minutes: float = 1, subject: str = "") -> ConversationId:
        visitor = Sender(AddressLine(AddressKind.VISITOR, name.casefold()), name, "en")
        return await self._receive(
            Incoming(
                ChannelKind.CHAT,
                visitor,
                text,
                subject=subject,
                join_open=True,
                source={"page": "https://shop.example/checkout"},
            ),
            minutes,
        )

    async def mail(
        self,
        name: str,
        text: str,
        *,
        minutes: float = 1,
        subject: str = "Question",
        cc: tuple[str, ...] = (),
        into: ConversationId | None = None,
        **more: Any,
    ) -> ConversationId:
        address = f"{name.split()[0].lower()}@{name.split()[-1].lower()}.example"
        data = {
            "subject": subject,
            "message_id": f"{uuid4().hex}@customer.example",
            "author": {"name": name, "address": address},
            "to": [{"name": "", "address": SUPPORT}],
            "cc": [{"name": "", "address": one} for one in cc],
            "support_address": SUPPORT,
            **more.pop("mail_data", {}),
        }
        return await self._receive(
            Incoming(
                ChannelKind.EMAIL,
                Sender(AddressLine(AddressKind.EMAIL, address), name, "en"),
                text,
                subject=subject,
                conversation_id=into,
                data={"mail": data},
                cc=[AddressLine(AddressKind.EMAIL, one) for one in cc],
                **more,
            ),
            minutes,
        )

    async def missed_call(self, number: str, *, minutes: float = 1, name: str = "") -> ConversationId:
        at = self.minutes_ago(minutes)
        facts = CallFacts(
            provider="test",
            account="test",
            call_id=uuid4().hex,
            direction=Direction.INBOUND,
            started_at=at,
            number=number,
            name=name,
            ended_at=at + timedelta(seconds=20),
            outcome=CallOutcome.NO_ANSWER,
        )
        recorded = await self.db.write(record_call, facts, now=at)
        assert recorded.conversation_id is not None
        return recorded.conversation_id

    async def _receive(self, incoming: Incoming, minutes: float) -> ConversationId:
        received = await self.db.write(receive, incoming, now=self.minutes_ago(minutes))
        return received.conversation_id

    # --- what operators did -----------------------------------------------------------------------------------------

    async def reply(self, conversation: ConversationId, by: OperatorId, text: str, *, minutes: float = 0) -> None:
        await self.db.write(
            reply.reply,
            self._draft(conversation, by, text),
            addressings=self.app[ADDRESSINGS],
            now=self.minutes_ago(minutes),
        )

    async def note(self, conversation: ConversationId, by: OperatorId, text: str, *, minutes: float = 0) -> None:
        await self.db.write(reply.note, self._draft(conversation, by, text), now=self.minutes_ago(minutes))

    async def take(self, conversation: ConversationId, by: OperatorId) -> None:
        await self.db.write(lifecycle.take, conversation, by, now=self.clock.now())

    async def hand_off(
        self, conversation: ConversationId, *, by: OperatorId, to: OperatorId, brief: Brief
    ) -> HandoffId:
        return await self.db.write(handoff.hand_off, conversation, by=by, to=to, brief=brief, now=self.clock.now())

    async def owner(self, conversation: ConversationId) -> OperatorId | None:
        from inbox import queue

        row = await self.db.read(queue.row, conversation)
        assert row is not None
        return row.owner_id

    async def texts(self, conversation: ConversationId) -> list[str]:
        from inbox import reading

        return [one.text for one in await self.db.read(reading.timeline, conversation) if one.text]

    def _draft(self, conversation: ConversationId, by: OperatorId, text: str) -> ReplyDraft:
        return ReplyDraft(conversation, by, text, f"test:{uuid4().hex}", 0, even_so=True)
