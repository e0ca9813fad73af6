"""The way of one conversation through the verbs, on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from inbox import deliveries, lifecycle, queue, reading, receive, reply
from inbox.clock import ManualClock
from inbox.errors import TimelineMoved
from inbox.events import ReplyWritten, WaitStarted
from inbox.people import operators
from inbox.people.contacts import AddressLine, Sender
from inbox.store import outbox
from inbox.store.database import Database
from inbox.store.transaction import Transaction
from inbox.vocabulary import AddressKind, ChannelKind, Delivery, OperatorId, Role, Status


@pytest.fixture
def durable() -> dict[type, list[str]]:
    return {WaitStarted: ["autoreply"], ReplyWritten: ["delivery"]}


@pytest.fixture
async def ann(database: Database, clock: ManualClock) -> OperatorId:
    return await database.write(
        operators.add,
        email="ann@desk.example",
        name="Ann",
        password_hash="-",
        role=Role.OPERATOR,
        language="en",
        now=clock.now(),
    )


def chat(text: str, key: str, visitor: str = "v1") -> receive.Incoming:
    return receive.Incoming(
        ChannelKind.CHAT,
        Sender(AddressLine(AddressKind.VISITOR, visitor)),
        text,
        client_key=f"visitor:{visitor}:{key}",
        join_open=True,
    )


async def test_a_second_message_keeps_the_first_waiting_time(database: Database, clock: ManualClock) -> None:
    first = await database.write(receive.receive, chat("Hello?", "1"), now=clock.now())
    began = clock.now()
    clock.advance(timedelta(minutes=1))
    second = await database.write(receive.receive, chat("Anybody?", "2"), now=clock.now())
    assert second.conversation_id == first.conversation_id
    row = await database.read(queue.row, first.conversation_id)
    assert row is not None
    assert (row.waiting_since, row.due_at, row.unread) == (began, began + timedelta(minutes=5), 2)


async def test_what_comes_twice_is_stored_once(database: Database, clock: ManualClock) -> None:
    first = await database.write(receive.receive, chat("Hello?", "1"), now=clock.now())
    again = await database.write(receive.receive, chat("Hello?", "1"), now=clock.now())
    assert again.duplicate
    assert (again.entry_id, again.number) == (first.entry_id, first.number)
    assert len(await database.read(reading.timeline, first.conversation_id)) == 1


async def test_a_reply_ends_the_wait_and_a_failed_delivery_runs_it_again(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    asked = await database.write(receive.receive, chat("Hello?", "1"), now=clock.now())
    began = clock.now()
    clock.advance(timedelta(seconds=90))
    draft = reply.ReplyDraft(asked.conversation_id, ann, "Good morning!", "draft:1", seen=asked.number)
    written = await database.write(reply.reply, draft, addressings={}, now=clock.now())
    answered = await database.read(queue.row, asked.conversation_id)
    assert answered is not None
    assert (answered.waiting_since, answered.status, answered.owner_id) == (None, Status.PENDING, ann)
    [job] = await database.write(outbox.claim, "delivery", now=clock.now())
    assert job.payload["entry_id"] == written.entry_id

    await database.write(deliveries.failed_for_good, written.entry_id, "no such user", now=clock.now())
    again = await database.read(queue.row, asked.conversation_id)
    assert again is not None
    assert (again.waiting_since, again.status) == (began, Status.OPEN)
    _, entry = await database.read(reading.entry, written.entry_id)
    assert entry.delivery is Delivery.FAILED


async def test_a_reply_to_an_outdated_timeline_is_stopped_with_the_news(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    asked = await database.write(receive.receive, chat("Hello?", "1"), now=clock.now())
    more = await database.write(receive.receive, chat("It is urgent.", "2"), now=clock.now())
    draft = reply.ReplyDraft(asked.conversation_id, ann, "Good morning!", "draft:1", seen=asked.number)
    with pytest.raises(TimelineMoved) as stopped:
        await database.write(reply.reply, draft, addressings={}, now=clock.now())
    assert stopped.value.last_number == more.number
    row = await database.read(queue.row, asked.conversation_id)
    assert row is not None
    assert row.waiting_since is not None


async def test_two_messages_of_one_visitor_at_the_same_moment_begin_one_conversation(
    database: Database, clock: ManualClock
) -> None:
    earlier = await database.write(receive.receive, chat("Thanks, that was all.", "0"), now=clock.now())
    await database.write(lifecycle.close, earlier.conversation_id, by=None, now=clock.now())
    clock.advance(timedelta(days=1))
    both = await asyncio.gather(
        *(database.write(receive.receive, chat("Hello?", str(n)), now=clock.now()) for n in range(1, 9))
    )
    assert len({received.conversation_id for received in both}) == 1
    assert sorted(received.number for received in both) == list(range(1, 9))


async def test_trying_again_from_the_tray_ends_the_wait_and_leaves_the_tray(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    asked = await database.write(receive.receive, chat("Hello?", "1"), now=clock.now())
    draft = reply.ReplyDraft(asked.conversation_id, ann, "Good morning!", "draft:1", seen=asked.number)
    written = await database.write(reply.reply, draft, addressings={}, now=clock.now())
    [job] = await database.write(outbox.claim, "delivery", now=clock.now())

    def give_up(tx: Transaction) -> None:
        outbox.failed(tx, job, "no such user", retry=False, now=clock.now())
        deliveries.failed_for_good(tx, written.entry_id, "no such user", now=clock.now())

    await database.write(give_up)
    [shown] = await database.read(outbox.given_up)
    await database.write(deliveries.run_outbox_again, shown.id, by=ann, now=clock.now())
    assert await database.read(outbox.given_up) == []
    row = await database.read(queue.row, asked.conversation_id)
    assert row is not None
    assert (row.waiting_since, row.status) == (None, Status.PENDING)
    [again] = await database.write(outbox.claim, "delivery", now=clock.now())
    assert again.payload["entry_id"] == written.entry_id
