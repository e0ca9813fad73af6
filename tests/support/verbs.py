"""A desk without transports: customers and operators act through the verbs of the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from inbox import queue, reading
from inbox.clock import ManualClock
from inbox.people import operators
from inbox.people.contacts import AddressLine, Sender
from inbox.queue import QueueRow
from inbox.reading import TimelineEntry
from inbox.receive import Incoming, Received, receive
from inbox.reply import Addressings, ReplyDraft, Written, note, reply
from inbox.store.database import Database
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId, EntryKind, OperatorId, Presence, Role
from inbox.waits import listing
from inbox.waits.listing import WaitRecord


class VerbDesk:
    def __init__(self, db: Database, clock: ManualClock, addressings: Addressings | None = None) -> None:
        self.db, self.clock, self.addressings = db, clock, addressings or {}
        self._numbers = count(1)

    async def operator(
        self, name: str, *, presence: Presence = Presence.ONLINE, role: Role = Role.OPERATOR
    ) -> OperatorId:
        operator_id = await self.db.write(
            operators.add,
            email=f"{name.lower()}@desk.example",
            name=name,
            password_hash="-",
            role=role,
            language="en",
            now=self.clock.now(),
        )
        if presence is not Presence.OFFLINE:
            await self.presence(operator_id, presence)
        return operator_id

    async def presence(self, operator_id: OperatorId, presence: Presence) -> None:
        await self.db.write(operators.set_presence, operator_id, presence, now=self.clock.now())

    async def chat(self, text: str, *, visitor: str = "vera", key: str | None = None, **more: Any) -> Received:
        sender = Sender(
            AddressLine(AddressKind.VISITOR, visitor), more.pop("name", ""), more.pop("language", None),
            claimed=more.pop("claimed", ()),
        )  # fmt: skip
        return await self.receive(
            Incoming(
                ChannelKind.CHAT,
                sender,
                text,
                client_key=f"visitor:{visitor}:{key or next(self._numbers)}",
                join_open=True,
                **more,
            )
        )

    async def mail(self, text: str, *, from_: str = "ann@shop.example", name: str = "", **more: Any) -> Received:
        sender = Sender(AddressLine(AddressKind.EMAIL, from_), name, more.pop("language", None))
        return await self.receive(Incoming(ChannelKind.EMAIL, sender, text, **more))

    async def call(self, number: str = "+358401234567", **more: Any) -> Received:
        sender = Sender(AddressLine(AddressKind.PHONE, number))
        return await self.receive(Incoming(ChannelKind.PHONE, sender, "", kind=EntryKind.CALL, join_open=True, **more))

    async def receive(self, incoming: Incoming) -> Received:
        return await self.db.write(receive, incoming, now=self.clock.now())

    async def reply(self, conversation_id: ConversationId, by: OperatorId, text: str, **more: Any) -> Written:
        draft = await self.draft(conversation_id, by, text, **more)
        return await self.db.write(reply, draft, addressings=self.addressings, now=self.clock.now())

    async def note(self, conversation_id: ConversationId, by: OperatorId, text: str, **more: Any) -> Written:
        return await self.db.write(note, await self.draft(conversation_id, by, text, **more), now=self.clock.now())

    async def draft(self, conversation_id: ConversationId, by: OperatorId, text: str, **more: Any) -> ReplyDraft:
        """What somebody writes who has seen everything so far."""
        more.setdefault("key", f"draft:{next(self._numbers)}")
        if "seen" not in more:
            more["seen"] = (await self.row(conversation_id)).last_number
        return ReplyDraft(conversation_id, by, text, **more)

    async def row(self, conversation_id: ConversationId) -> QueueRow:
        found = await self.db.read(queue.row, conversation_id)
        assert found is not None
        return found

    async def timeline(self, conversation_id: ConversationId, **more: Any) -> Sequence[TimelineEntry]:
        return await self.db.read(reading.timeline, conversation_id, **more)

    async def texts(self, conversation_id: ConversationId) -> list[str]:
        return [entry.text for entry in await self.timeline(conversation_id)]

    async def happened(self, conversation_id: ConversationId) -> list[str]:
        """The lines about what was done, in the desk's stable words."""
        return [str(entry.data["what"]) for entry in await self.timeline(conversation_id) if "what" in entry.data]

    async def waits(self, conversation_id: ConversationId) -> Sequence[WaitRecord]:
        return await self.db.read(listing.of_conversation, conversation_id)
