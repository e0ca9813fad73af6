"""Killed in the middle of traffic from all three channels: what was acknowledged is there afterwards, once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import aiohttp
import aiosmtplib
from socketio.exceptions import SocketIOError
from sqlalchemy import Connection, func, select

from inbox.store.models import Arrival, Call, Entry
from inbox.vocabulary import ArrivalState, EntryKind
from tests.flows.test_three_channels import call, mail
from tests.support.conditions import eventually
from tests.support.program import Program

ENOUGH = 25
"""Acknowledged by each channel before the kill."""

BROKEN = (SocketIOError, aiosmtplib.SMTPException, aiohttp.ClientError, OSError, TimeoutError, KeyError)
"""How a client notices that the other side is gone."""


class Traffic:
    """Customers who keep sending until the line breaks, and remember what was acknowledged and what was not."""

    def __init__(self, program: Program, at: datetime) -> None:
        self._program, self._at = program, at
        self.tokens: list[str | None] = [None] * 4
        self.acknowledged: dict[str, set[str]] = {"chat": set(), "email": set(), "phone": set()}
        self.tried: dict[str, set[str]] = {"chat": set(), "email": set(), "phone": set()}

    async def chat(self, number: int) -> None:
        visitor = await self._program.visitor(self.tokens[number])
        self.tokens[number] = visitor.token
        for count in itertools.count():
            await self.say(visitor, number, f"chat-{number}-{count}")

    async def say(self, visitor: object, number: int, key: str) -> None:
        self.tried["chat"].add(key)
        answer = await visitor.say(key, f"message-{key}")  # type: ignore[attr-defined]
        if answer.get("ok"):
            self.acknowledged["chat"].add(key)

    async def mails(self, number: int) -> None:
        for count in itertools.count():
            await self.send(f"mail-{number}-{count}")

    async def send(self, key: str) -> None:
        self.tried["email"].add(key)
        letter = mail(key, subject=key, sender=f"{key}@customers.test")
        letter.replace_header("Message-ID", f"<{key}@customers.test>")
        letter["Date"] = "Tue, 10 Mar 2026 10:00:00 +0000"
        await self._program.send_mail(letter, port=self._program.lmtp_port if "lmtp" in key else None)
        self.acknowledged["email"].add(key)

    async def calls(self) -> None:
        for count in itertools.count():
            await self.report(f"call-{count}")

    async def report(self, key: str) -> None:
        self.tried["phone"].add(key)
        number = f"+35840{1_000_000 + int(key.split('-')[1])}"
        if await self._program.report_call(call(key, number, self._at), at=self._at) in (200, 202):
            self.acknowledged["phone"].add(key)

    async def enough(self) -> bool:
        return all(len(keys) >= ENOUGH for keys in self.acknowledged.values())


async def until_broken(work: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(*BROKEN):
        await work()


def stored(conn: Connection) -> dict[str, list[str]]:
    """What the store holds of each channel, doubles included."""
    messages = conn.execute(
        select(Entry.text, Entry.channel).where(Entry.kind == EntryKind.MESSAGE).order_by(Entry.id)
    ).all()
    return {
        "chat": [row.text for row in messages if row.channel == "chat"],
        "email": [row.text.strip() for row in messages if row.channel == "email"],
        "phone": list(conn.execute(select(Call.call_id).where(Call.entry_id.is_not(None))).scalars()),
    }


def all_understood(conn: Connection) -> bool:
    return not conn.execute(
        select(func.count()).select_from(Arrival).where(Arrival.state != ArrivalState.PLACED)
    ).scalar_one()


async def test_kill_nine_loses_and_doubles_nothing_that_was_acknowledged(
    program: Program, wall_clock: datetime
) -> None:
    traffic = Traffic(program, wall_clock)
    senders = [
        *(asyncio.create_task(until_broken(lambda n=n: traffic.chat(n))) for n in range(4)),  # type: ignore[misc]
        *(asyncio.create_task(until_broken(lambda n=n: traffic.mails(n))) for n in range(2)),  # type: ignore[misc]
        asyncio.create_task(until_broken(traffic.calls)),
    ]
    await eventually(traffic.enough, seconds=40)
    program.kill()
    await asyncio.wait_for(asyncio.gather(*senders), 30)
    acknowledged = {channel: set(keys) for channel, keys in traffic.acknowledged.items()}

    await program.start()
    # Everybody sends again what they are not sure of, and the telephone system and one visitor even what they are.
    for number in range(4):
        visitor = await program.visitor(traffic.tokens[number])
        for key in sorted(traffic.tried["chat"]):
            if key.startswith(f"chat-{number}-") and (number == 0 or key not in acknowledged["chat"]):
                await traffic.say(visitor, number, key)
        await visitor.leave()
    for key in sorted(traffic.tried["email"] - acknowledged["email"]) + sorted(acknowledged["email"])[:5]:
        await traffic.send(key)
    for key in sorted(traffic.tried["phone"]):
        await traffic.report(key)
    assert traffic.acknowledged == traffic.tried

    store = program.open_store(wall_clock + timedelta(minutes=1))
    await eventually(lambda: store.read(all_understood), seconds=60)
    found = await store.read(stored)
    await store.close()
    for channel, keys in traffic.tried.items():
        assert sorted(found[channel]) == sorted(keys), channel
