"""What became of a reply: forward only, failures in sight, and the wait they ended runs again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from channels.channel import DeliveryFailed, Sent
from channels.delivery import HANDLER, Deliver
from inbox import deliveries, lifecycle
from inbox.clock import ManualClock
from inbox.errors import BadInput, NotFound
from inbox.events import ReplyWritten
from inbox.reading import entry as read_entry
from inbox.store import outbox
from inbox.store.outbox_worker import OutboxWorker
from inbox.vocabulary import ChannelKind, ConversationId, Delivery, EntryId, OperatorId, Status
from tests.support.verbs import VerbDesk


@pytest.fixture
def durable() -> Mapping[type, Sequence[str]]:
    return {ReplyWritten: [HANDLER]}


async def delivery(desk: VerbDesk, entry_id: EntryId) -> Delivery | None:
    return (await desk.db.read(read_entry, entry_id))[1].delivery


class Postman:
    """The outermost edge: does what the test says."""

    def __init__(self, *answers: Sent | Exception) -> None:
        self.answers = list(answers)
        self.carried: list[EntryId] = []

    async def __call__(self, conversation_id: ConversationId, entry_id: EntryId) -> Sent:
        self.carried.append(entry_id)
        answer = self.answers.pop(0) if self.answers else Sent()
        if isinstance(answer, Exception):
            raise answer
        return answer


def worker(desk: VerbDesk, postman: Postman) -> OutboxWorker:
    return OutboxWorker(desk.db, desk.clock, HANDLER, Deliver(desk.db, desk.clock, {ChannelKind.CHAT: postman}))


async def answered(desk: VerbDesk) -> tuple[ConversationId, EntryId, OperatorId]:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    desk.clock.advance(timedelta(seconds=30))
    written = await desk.reply(asked.conversation_id, ann, "Good morning!")
    return asked.conversation_id, written.entry_id, ann


async def test_a_late_sent_never_takes_back_read(desk: VerbDesk) -> None:
    conversation_id, entry_id, _ = await answered(desk)
    await desk.db.write(deliveries.visitor_has, conversation_id, 2, read=True, now=desk.clock.now())
    assert not await desk.db.write(deliveries.set_delivery, entry_id, Delivery.SENT)
    assert await delivery(desk, entry_id) is Delivery.READ


async def test_sent_and_read_at_the_same_moment_end_as_read(desk: VerbDesk) -> None:
    for _ in range(5):
        asked = await desk.chat("Hello?")
        ann = await desk.operator(f"Ann{asked.number}")
        written = await desk.reply(asked.conversation_id, ann, "Hi!")
        await asyncio.gather(
            desk.db.write(deliveries.set_delivery, written.entry_id, Delivery.SENT),
            desk.db.write(
                deliveries.visitor_has, asked.conversation_id, written.number, read=True, now=desk.clock.now()
            ),
        )
        assert await delivery(desk, written.entry_id) is Delivery.READ


async def test_a_visitor_has_all_up_to_what_they_saw(desk: VerbDesk) -> None:
    conversation_id, first, ann = await answered(desk)
    second = await desk.reply(conversation_id, ann, "Anything else?")
    await desk.db.write(deliveries.visitor_has, conversation_id, 2, read=True, now=desk.clock.now())
    await desk.db.write(deliveries.visitor_has, conversation_id, second.number, read=False, now=desk.clock.now())
    assert await delivery(desk, first) is Delivery.READ
    assert await delivery(desk, second.entry_id) is Delivery.RECEIVED


async def test_what_arrives_is_sent_and_its_row_is_done(desk: VerbDesk) -> None:
    _, entry_id, _ = await answered(desk)
    postman = Postman(Sent(Delivery.SENT, {"smtp": "250 OK"}))
    assert await worker(desk, postman).work_off() == 1
    _, entry = await desk.db.read(read_entry, entry_id)
    assert (entry.delivery, entry.data["smtp"]) == (Delivery.SENT, "250 OK")
    assert await desk.db.read(outbox.next_at, HANDLER) is None


async def test_a_temporary_failure_is_tried_again_and_shown_meanwhile(desk: VerbDesk, clock: ManualClock) -> None:
    conversation_id, entry_id, _ = await answered(desk)
    postman = Postman(DeliveryFailed("The server is busy.", retry=True))
    work = worker(desk, postman)
    await work.work_off()
    assert await delivery(desk, entry_id) is Delivery.DELAYED
    assert (await desk.row(conversation_id)).waiting_since is None
    assert await work.work_off() == 0
    clock.advance(timedelta(seconds=outbox.BACK_OFF[0]))
    assert await work.work_off() == 1
    assert await delivery(desk, entry_id) is Delivery.SENT


async def test_a_final_failure_reopens_and_the_wait_runs_from_its_start(desk: VerbDesk, clock: ManualClock) -> None:
    conversation_id, entry_id, _ = await answered(desk)
    [wait] = await desk.waits(conversation_id)
    await worker(desk, Postman(DeliveryFailed("No such user.", retry=False))).work_off()
    row = await desk.row(conversation_id)
    assert (row.status, row.waiting_since) == (Status.OPEN, wait.started_at)
    assert (await desk.happened(conversation_id))[-1] == "delivery_failed"
    assert [(c, e) for c, e, _ in await desk.db.read(deliveries.undelivered)] == [(conversation_id, entry_id)]
    [given_up] = await desk.db.read(outbox.given_up)
    assert given_up.last_error == "No such user."


async def test_a_fault_in_the_sender_ends_as_visibly_as_one_outside(desk: VerbDesk, clock: ManualClock) -> None:
    conversation_id, entry_id, _ = await answered(desk)
    work = worker(desk, Postman(*[ValueError("a bug")] * outbox.MAX_ATTEMPTS))
    for seconds in (0, *outbox.BACK_OFF):
        clock.advance(timedelta(seconds=seconds))
        assert await work.work_off() == 1
    assert await delivery(desk, entry_id) is Delivery.FAILED
    assert (await desk.row(conversation_id)).waiting_since is not None


async def test_a_channel_nobody_can_answer_over_says_so(desk: VerbDesk) -> None:
    _, entry_id, _ = await answered(desk)
    await OutboxWorker(desk.db, desk.clock, HANDLER, Deliver(desk.db, desk.clock, {})).work_off()
    assert await delivery(desk, entry_id) is Delivery.FAILED


async def test_a_failure_told_twice_reopens_once(desk: VerbDesk, clock: ManualClock) -> None:
    conversation_id, entry_id, _ = await answered(desk)
    await asyncio.gather(
        *(desk.db.write(deliveries.failed_for_good, entry_id, "bounced", now=clock.now()) for _ in range(4))
    )
    assert (await desk.happened(conversation_id)).count("delivery_failed") == 1


async def test_of_two_who_try_again_at_once_one_sends(desk: VerbDesk, clock: ManualClock) -> None:
    conversation_id, entry_id, ann = await answered(desk)
    await desk.db.write(deliveries.failed_for_good, entry_id, "bounced", now=clock.now())
    results = await asyncio.gather(
        *(desk.db.write(deliveries.try_again, entry_id, by=ann, now=clock.now()) for _ in range(3)),
        return_exceptions=True,
    )
    assert [isinstance(r, BadInput) for r in results].count(True) == 2
    row = await desk.row(conversation_id)
    assert (row.status, row.waiting_since) == (Status.PENDING, None)
    assert await delivery(desk, entry_id) is Delivery.QUEUED
    with pytest.raises(NotFound):
        await desk.db.write(deliveries.try_again, EntryId(404), by=ann, now=clock.now())


async def test_a_customer_who_wrote_meanwhile_is_one_wait_from_the_first_start(
    desk: VerbDesk, clock: ManualClock
) -> None:
    conversation_id, entry_id, _ = await answered(desk)
    [wait] = await desk.waits(conversation_id)
    clock.advance(timedelta(minutes=1))
    await desk.chat("Hello??")
    await desk.db.write(deliveries.failed_for_good, entry_id, "bounced", now=clock.now())
    assert (await desk.row(conversation_id)).waiting_since == wait.started_at
    assert [w.ended_at is None for w in await desk.waits(conversation_id)].count(True) == 1


async def test_the_answers_of_one_conversation_leave_in_order(desk: VerbDesk, clock: ManualClock) -> None:
    conversation_id, first, ann = await answered(desk)
    second = await desk.reply(conversation_id, ann, "And one more thing.")
    postman = Postman(DeliveryFailed("Busy.", retry=True))
    work = worker(desk, postman)
    await work.work_off()
    assert postman.carried == [first]
    clock.advance(timedelta(minutes=1))
    await work.work_off()
    assert postman.carried == [first, first, second.entry_id]


async def test_closing_before_the_delivery_does_not_stop_it(desk: VerbDesk, clock: ManualClock) -> None:
    conversation_id, entry_id, ann = await answered(desk)
    await desk.db.write(lifecycle.close, conversation_id, by=ann, now=clock.now())
    await worker(desk, Postman()).work_off()
    assert await delivery(desk, entry_id) is Delivery.SENT


async def test_sending_again_answers_nothing_the_customer_wrote_since(desk: VerbDesk, clock: ManualClock) -> None:
    conversation_id, entry_id, ann = await answered(desk)
    await desk.db.write(deliveries.failed_for_good, entry_id, "bounced", now=clock.now())
    clock.advance(timedelta(minutes=1))
    await desk.chat("And now the cellar is under water!")
    await desk.db.write(deliveries.try_again, entry_id, by=ann, now=clock.now())
    row = await desk.row(conversation_id)
    assert (row.status, row.waiting_since is not None, row.unread > 0) == (Status.OPEN, True, True)
    assert await delivery(desk, entry_id) is Delivery.QUEUED


async def test_an_answer_that_fails_during_an_agreed_snooze_starts_the_clock_again(
    desk: VerbDesk, clock: ManualClock
) -> None:
    conversation_id, _, ann = await answered(desk)
    unasked = await desk.reply(conversation_id, ann, "One more thing")  # ends no wait
    await desk.chat("Take your time, tomorrow is fine.")
    tomorrow = clock.now() + timedelta(days=1)
    await desk.db.write(lifecycle.snooze, conversation_id, tomorrow, by=ann, now=clock.now(), agreed=True)
    await desk.db.write(deliveries.failed_for_good, unasked.entry_id, "bounced", now=clock.now())
    row = await desk.row(conversation_id)
    assert (row.status, row.paused, row.due_at is not None) == (Status.OPEN, False, True)
