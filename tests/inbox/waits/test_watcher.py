"""Warnings and misses fire in their second, once: while sleeping towards them, after a restart, with two at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from inbox import lifecycle, receive
from inbox.clock import ManualClock
from inbox.events import AnyEvent, WaitMissed, WaitWarned
from inbox.people.contacts import AddressLine, Sender
from inbox.store.database import Database, open_database
from inbox.timers import Watcher
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId
from inbox.waits import listing
from inbox.waits.change_hours import set_hours
from inbox.waits.listing import LineRecord


class Heard:
    """What was announced after commits."""

    def __init__(self, db: Database) -> None:
        self.alarms: list[WaitWarned | WaitMissed] = []
        self._more = asyncio.Event()
        db.on_commit(self._hear)

    def _hear(self, happened: Sequence[AnyEvent]) -> None:
        self.alarms += [event for event in happened if isinstance(event, WaitWarned | WaitMissed)]
        self._more.set()

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not enough():
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def running(db: Database, clock: ManualClock) -> AsyncIterator[Watcher]:
    watcher = Watcher(db, clock)
    db.on_commit(watcher.wake)
    task = asyncio.create_task(watcher.run())
    yield watcher
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def ask(db: Database, clock: ManualClock, visitor: str = "v1") -> ConversationId:
    incoming = receive.Incoming(
        ChannelKind.CHAT, Sender(AddressLine(AddressKind.VISITOR, visitor)), "Hello?", client_key=f"visitor:{visitor}"
    )
    received = await db.write(receive.receive, incoming, now=clock.now())
    return received.conversation_id


async def ledger_of(db: Database, conversation_id: ConversationId) -> list[LineRecord]:
    [wait] = await db.read(listing.of_conversation, conversation_id)
    return await db.read(listing.lines, wait.id)


async def test_a_sleeping_watcher_wakes_at_the_second(database: Database, clock: ManualClock) -> None:
    heard = Heard(database)
    async with running(database, clock):
        began = clock.now()
        conversation_id = await ask(database, clock)
        clock.advance(timedelta(minutes=3, seconds=-1))
        clock.advance(timedelta(seconds=1))
        await heard.until(lambda: len(heard.alarms) == 1)
        clock.advance(timedelta(minutes=2))
        await heard.until(lambda: len(heard.alarms) == 2)
    assert [type(alarm) for alarm in heard.alarms] == [WaitWarned, WaitMissed]
    assert [alarm.at for alarm in heard.alarms] == [began + timedelta(minutes=3), began + timedelta(minutes=5)]
    steps = [str(line.step) for line in await ledger_of(database, conversation_id)]
    assert steps == ["started", "warned", "missed"]


async def test_changed_hours_wake_the_watcher_for_the_new_due_time(database: Database, clock: ManualClock) -> None:
    await database.write(set_hours, "UTC", {"weekly": {}}, by=None, now=clock.now())
    heard = Heard(database)
    async with running(database, clock):
        await ask(database, clock)
        clock.advance(timedelta(hours=1))
        await database.write(set_hours, "UTC", {"weekly": {"tue": [["10:00", "20:00"]]}}, by=None, now=clock.now())
        opened = clock.now()
        clock.advance(timedelta(minutes=3))
        await heard.until(lambda: len(heard.alarms) == 1)
    assert heard.alarms[0].at == opened + timedelta(minutes=3)


async def test_after_a_restart_the_missed_ones_are_written_once_with_their_own_time(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    began = clock.now()
    conversation_id = await ask(database, clock)
    clock.advance(timedelta(minutes=4))
    await Watcher(database, clock).fire()
    clock.advance(timedelta(minutes=4))
    restarted = open_database(database_url, now=clock.now, durable={})
    await Watcher(restarted, clock).fire()
    await Watcher(restarted, clock).fire()
    await restarted.close()
    lines = [(str(line.step), line.at - began) for line in await ledger_of(database, conversation_id)]
    assert lines == [
        ("started", timedelta()),
        ("warned", timedelta(minutes=3)),
        ("missed", timedelta(minutes=5)),
    ]


async def test_two_watchers_at_once_fire_everything_once(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    """As two processes on PostgreSQL; on SQLite as two that were started by mistake."""
    conversations = [await ask(database, clock, f"v{n}") for n in range(30)]
    clock.advance(timedelta(minutes=6))
    second = open_database(database_url, now=clock.now, durable={})
    heard = Heard(database), Heard(second)

    async def until_all_is_fired(db: Database) -> None:
        watcher = Watcher(db, clock)
        while (due := await watcher.fire()) is not None:
            assert due > clock.now()  # the other one holds the rows: look again
            await asyncio.sleep(0)

    await asyncio.gather(until_all_is_fired(database), until_all_is_fired(second))
    for conversation_id in conversations:
        steps = [str(line.step) for line in await ledger_of(database, conversation_id)]
        assert steps == ["started", "warned", "missed"]
    await heard[0].until(lambda: len(heard[0].alarms) + len(heard[1].alarms) == 60)
    await second.close()


async def test_an_ending_and_the_watcher_at_once_leave_one_truth(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    conversations = [await ask(database, clock, f"v{n}") for n in range(20)]
    clock.advance(timedelta(minutes=3, seconds=1))
    second = open_database(database_url, now=clock.now, durable={})
    await asyncio.gather(
        Watcher(second, clock).fire(),
        *(database.write(lifecycle.close, c, by=None, now=clock.now()) for c in conversations),
    )
    for conversation_id in conversations:
        steps = [str(line.step) for line in await ledger_of(database, conversation_id)]
        assert steps == ["started", "warned", "ended"]
    await second.close()
