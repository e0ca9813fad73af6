"""A desk driven by an event log: lines of JSON, each with its own time, played through the real verbs without sleeping.

    {"at": "2026-03-29T02:58:00+02:00", "what": "message", "in": "aino", "channel": "chat"}
    {"at": "2026-03-29T04:10:00+03:00", "what": "reply", "in": "aino", "by": "mia"}

Between two lines the clock passes through every due time, as the watcher of a running desk would see it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from inbox import deliveries, handoff, lifecycle, merging, receive, reply
from inbox.clock import ManualClock
from inbox.people import operators
from inbox.people.contacts import AddressLine, Sender
from inbox.store.database import Database
from inbox.timers import Watcher
from inbox.vocabulary import (
    AddressKind,
    ChannelKind,
    ConversationId,
    Ending,
    EntryId,
    EntryKind,
    OperatorId,
    Presence,
    Role,
    WaitId,
)
from inbox.waits import ledger, listing
from inbox.waits.change_hours import set_hours
from inbox.waits.listing import WaitRecord

Line = Mapping[str, Any]

ADDRESSES = {
    ChannelKind.CHAT: AddressKind.VISITOR,
    ChannelKind.EMAIL: AddressKind.EMAIL,
    ChannelKind.PHONE: AddressKind.PHONE,
}


class DrivenDesk:
    """Names stand for conversations and operators; a name is made known where it first occurs."""

    def __init__(self, db: Database, clock: ManualClock) -> None:
        self.db, self.clock = db, clock
        self.conversations: dict[str, ConversationId] = {}
        self.operators: dict[str, OperatorId] = {}
        self.replies: dict[str, EntryId] = {}
        """The last reply of each conversation."""
        self.automatic: dict[str, EntryId] = {}
        self._keys = count(1)
        self.watcher = Watcher(db, clock)

    async def play(self, log: str | Iterable[Line]) -> None:
        lines = [json.loads(line) for line in log.splitlines() if line.strip()] if isinstance(log, str) else log
        for line in lines:
            await self.until(datetime.fromisoformat(line["at"]))
            verb: Callable[..., Any] = getattr(self, f"_{line['what']}")
            await verb(**{key: value for key, value in line.items() if key not in ("at", "what")})
            await self.watcher.fire()

    async def until(self, moment: datetime) -> None:
        """Let time pass, stopping at everything that is due on the way."""
        while True:
            due = await self.watcher.fire()
            if due is None or due > moment:
                break
            self.clock.set(max(due, self.clock.now()))
        self.clock.set(moment)
        await self.watcher.fire()

    async def waits(self, conversation: str) -> list[WaitRecord]:
        return await self.db.read(listing.of_conversation, self.conversations[conversation])

    async def steps(self, conversation: str) -> list[tuple[str, datetime]]:
        """The ledger of a conversation's waits, one after the other."""
        found = []
        for wait in await self.waits(conversation):
            found += [(str(line.step), line.at) for line in await self.db.read(listing.lines, WaitId(wait.id))]
        return found

    async def _operator(self, name: str) -> OperatorId:
        if name not in self.operators:
            self.operators[name] = await self.db.write(
                operators.add,
                email=f"{name}@desk.example",
                name=name.title(),
                role=Role.OPERATOR,
                password_hash="-",
                now=self.clock.now(),
            )
        return self.operators[name]

    async def _write(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self.db.write(verb, *args, **kwargs, now=self.clock.now())

    # --- what customers do --------------------------------------------------------------------------------------

    async def _message(self, channel: str = "chat", began: str | None = None, **line: Any) -> None:
        name, kind = line["in"], ChannelKind(channel)
        written = f"{name}@customer.example" if kind is ChannelKind.EMAIL else name
        received = await self._write(
            receive.receive,
            receive.Incoming(
                kind,
                Sender(AddressLine(ADDRESSES[kind], written), name.title()),
                line.get("text", "Hello?"),
                kind=EntryKind.CALL if kind is ChannelKind.PHONE else EntryKind.MESSAGE,
                client_key=f"log:{name}:{next(self._keys)}",
                conversation_id=self.conversations.get(name),
                occurred_at=datetime.fromisoformat(began) if began else None,
                starts_wait=line.get("machine") is not True,
            ),
        )
        self.conversations[name] = received.conversation_id

    async def _abandoned(self, **line: Any) -> None:
        await self.db.write(ledger.end, self.conversations[line["in"]], Ending.ABANDONED, at=self.clock.now())

    async def _goes_on_by(self, channel: str, **line: Any) -> None:
        await self.db.write(
            ledger.change_channel, self.conversations[line["in"]], ChannelKind(channel), at=self.clock.now()
        )

    # --- what the desk does -------------------------------------------------------------------------------------

    async def _presence(self, by: str, presence: str) -> None:
        await self._write(operators.set_presence, await self._operator(by), Presence(presence))

    async def _reply(self, by: str, channel: str = "chat", **line: Any) -> None:
        written = await self._write(reply.reply, await self._draft(by, channel, line), addressings={})
        self.replies[line["in"]] = written.entry_id

    async def _note(self, by: str, **line: Any) -> None:
        await self._write(reply.note, await self._draft(by, "chat", line))

    async def _draft(self, by: str, channel: str, line: Line) -> reply.ReplyDraft:
        return reply.ReplyDraft(
            self.conversations[line["in"]],
            await self._operator(by),
            line.get("text", "Good morning!"),
            f"log:draft:{next(self._keys)}",
            seen=0,
            even_so=True,
            channel=ChannelKind(channel),
        )

    async def _automatic(self, **line: Any) -> None:
        [*_, wait] = await self.waits(line["in"])
        text = reply.AutomaticText(
            self.conversations[line["in"]], wait.id, line.get("name", "received"), "Thank you, we have your message.",
            wait.channel, "", "somebody waits",
        )  # fmt: skip
        written = await self._write(reply.write_automatic, text, addressings={})
        if written is not None:
            self.automatic[line["in"]] = written.entry_id

    async def _undelivered(self, automatic: bool = False, **line: Any) -> None:
        sent = self.automatic if automatic else self.replies
        await self._write(deliveries.failed_for_good, sent[line["in"]], "550 no such user")

    async def _again(self, by: str, **line: Any) -> None:
        await self._write(deliveries.try_again, self.replies[line["in"]], by=await self._operator(by))

    async def _take(self, by: str, **line: Any) -> None:
        await self._write(lifecycle.take, self.conversations[line["in"]], await self._operator(by))

    async def _assign(self, by: str, to: str | None = None, expected: str | None = None, **line: Any) -> None:
        await self._write(
            lifecycle.assign,
            self.conversations[line["in"]],
            await self._operator(to) if to else None,
            by=await self._operator(by),
            expected=await self._operator(expected) if expected else None,
        )

    async def _hand_off(self, by: str, to: str | None = None, **line: Any) -> None:
        await self._write(
            handoff.hand_off,
            self.conversations[line["in"]],
            by=await self._operator(by),
            to=await self._operator(to) if to else None,
            brief=handoff.Brief(wants="An answer"),
        )

    async def _snooze(self, by: str, until: str, agreed: bool = False, **line: Any) -> None:
        await self._write(
            lifecycle.snooze,
            self.conversations[line["in"]],
            datetime.fromisoformat(until),
            by=await self._operator(by),
            agreed=agreed,
        )

    async def _wake(self, by: str, **line: Any) -> None:
        await self._write(lifecycle.wake, self.conversations[line["in"]], by=await self._operator(by))

    async def _close(self, by: str, ending: str = "closed", **line: Any) -> None:
        await self._write(
            lifecycle.close, self.conversations[line["in"]], by=await self._operator(by), ending=Ending(ending)
        )

    async def _reopen(self, by: str, **line: Any) -> None:
        await self._write(lifecycle.reopen, self.conversations[line["in"]], by=await self._operator(by))

    async def _spam(self, by: str, **line: Any) -> None:
        await self._write(lifecycle.mark_spam, self.conversations[line["in"]], by=await self._operator(by))

    async def _merge(self, by: str, into: str, **line: Any) -> None:
        await self._write(
            merging.merge,
            self.conversations[line["in"]],
            self.conversations[into],
            by=await self._operator(by),
        )

    async def _hours(self, zone: str = "Europe/Helsinki", **data: Any) -> None:
        await self._write(set_hours, zone, data, by=None)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)
