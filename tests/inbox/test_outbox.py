"""The outbox: nothing skipped, nothing doubled, in order for each conversation, failures in sight."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import pytest

from inbox.clock import ManualClock
from inbox.events import WaitStarted
from inbox.store import outbox
from inbox.store.database import Database
from inbox.store.outbox import BACK_OFF, LEASE, MAX_ATTEMPTS, Job
from inbox.store.outbox_worker import OutboxWorker
from tests.support.conditions import eventually
from tests.support.verbs import VerbDesk


@pytest.fixture
def durable() -> Mapping[type, Sequence[str]]:
    return {WaitStarted: ["test", "other"]}


async def leased_beyond(desk: VerbDesk, moment: datetime) -> bool:
    until = await desk.db.read(outbox.next_at, "test")
    return until is not None and until > moment


async def claim(db: Database, clock: ManualClock, **more: int) -> list[Job]:
    return await db.write(outbox.claim, "test", now=clock.now(), **more)


async def test_what_must_follow_is_stored_with_what_happened(desk: VerbDesk, clock: ManualClock) -> None:
    asked = await desk.chat("Hello?")
    [job] = await claim(desk.db, clock)
    assert (job.conversation_id, job.payload["event"], job.attempts) == (asked.conversation_id, "WaitStarted", 1)


async def test_a_claimed_row_is_nobody_elses_until_its_lease_runs_out(desk: VerbDesk, clock: ManualClock) -> None:
    await desk.chat("Hello?")
    [job] = await claim(desk.db, clock)
    assert await claim(desk.db, clock) == []
    clock.advance(LEASE)
    [again] = await claim(desk.db, clock)
    assert (again.id, again.attempts) == (job.id, 2)


async def test_workers_at_once_share_the_rows(desk: VerbDesk, clock: ManualClock) -> None:
    for number in range(12):
        await desk.chat("Hello?", visitor=f"v{number}")
    shares = await asyncio.gather(*(claim(desk.db, clock, limit=4) for _ in range(4)))
    ids = [job.id for share in shares for job in share]
    assert len(ids) == len(set(ids))
    rest = await claim(desk.db, clock, limit=20)
    assert len(ids) + len(rest) == 12


async def test_a_row_waits_for_the_earlier_one_of_its_conversation(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("One")
    await desk.reply(asked.conversation_id, ann, "Hi")
    await desk.chat("Two")
    other = await desk.chat("Hello?", visitor="ville")
    first, elsewhere = await claim(desk.db, clock)
    assert {first.conversation_id, elsewhere.conversation_id} == {asked.conversation_id, other.conversation_id}
    assert await claim(desk.db, clock) == []
    await desk.db.write(outbox.done, first.id, now=clock.now())
    [second] = await claim(desk.db, clock)
    assert (second.conversation_id, second.id > first.id) == (asked.conversation_id, True)


async def test_a_failure_backs_off_and_is_given_up_in_sight(desk: VerbDesk, clock: ManualClock) -> None:
    await desk.chat("Hello?")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        [job] = await claim(desk.db, clock)
        assert job.attempts == attempt
        last = await desk.db.write(outbox.failed, job, f"failure {attempt}", retry=True, now=clock.now())
        assert last is (attempt == MAX_ATTEMPTS)
        if not last:
            wait = timedelta(seconds=BACK_OFF[attempt - 1])
            assert await desk.db.read(outbox.next_at, "test") == clock.now() + wait
            clock.advance(wait)
    [given_up] = await desk.db.read(outbox.given_up)
    assert (given_up.attempts, given_up.last_error) == (MAX_ATTEMPTS, f"failure {MAX_ATTEMPTS}")
    await desk.db.write(outbox.run_again, given_up.id, now=clock.now())
    [job] = await claim(desk.db, clock)
    assert job.attempts == 1


async def test_a_crashing_handler_is_a_failure_like_any_other(desk: VerbDesk, clock: ManualClock) -> None:
    await desk.chat("Hello?")

    async def crash(job: Job) -> None:
        raise RuntimeError("out of luck")

    assert await OutboxWorker(desk.db, clock, "test", crash).work_off() == 1
    assert await desk.db.read(outbox.next_at, "test") == clock.now() + timedelta(seconds=BACK_OFF[0])


async def test_a_worker_handles_what_is_there_and_what_comes(desk: VerbDesk, clock: ManualClock) -> None:
    handled: list[int] = []
    both = asyncio.Event()

    async def handle(job: Job) -> None:
        handled.append(job.id)
        await desk.db.write(outbox.done, job.id, now=clock.now())
        if len(handled) == 2:
            both.set()

    worker = OutboxWorker(desk.db, clock, "test", handle)
    desk.db.on_commit(worker.wake)
    await desk.chat("Before it started")
    running = asyncio.create_task(worker.run())
    await desk.chat("While it runs", visitor="ville")
    async with asyncio.timeout(10):
        await both.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(set(handled)) == 2


async def test_every_handler_has_rows_of_its_own(desk: VerbDesk, clock: ManualClock) -> None:
    await desk.chat("Hello?")
    [mine] = await claim(desk.db, clock)
    await desk.db.write(outbox.done, mine.id, now=clock.now())
    [other] = await desk.db.write(outbox.claim, "other", now=clock.now())
    assert other.id != mine.id


async def test_a_slow_handler_keeps_its_rows_from_other_processes(desk: VerbDesk, clock: ManualClock) -> None:
    await desk.chat("Hello?")
    begun, may_end = asyncio.Event(), asyncio.Event()
    handled: list[int] = []

    async def slowly(job: Job) -> None:
        handled.append(job.attempts)
        begun.set()
        await may_end.wait()
        await desk.db.write(outbox.done, job.id, now=clock.now())

    here = asyncio.create_task(OutboxWorker(desk.db, clock, "test", slowly).work_off())
    async with asyncio.timeout(10):
        await begun.wait()
        for _ in range(6):
            held_until = await desk.db.read(outbox.next_at, "test")
            assert held_until is not None
            clock.advance(LEASE / 2)
            await eventually(partial(leased_beyond, desk, held_until))
            assert await claim(desk.db, clock) == []
        may_end.set()
        await here
    assert handled == [1]
    assert await desk.db.read(outbox.next_at, "test") is None


async def test_a_failure_told_after_the_lease_went_to_another_changes_nothing(
    desk: VerbDesk, clock: ManualClock
) -> None:
    await desk.chat("Hello?")
    [mine] = await claim(desk.db, clock)
    clock.advance(LEASE)
    [theirs] = await claim(desk.db, clock)
    assert not await desk.db.write(outbox.failed, mine, "too late", retry=False, now=clock.now())
    assert await claim(desk.db, clock) == []
    await desk.db.write(outbox.done, theirs.id, now=clock.now())
    assert not await desk.db.write(outbox.failed, mine, "too late", retry=False, now=clock.now())
    assert await desk.db.read(outbox.given_up) == []


async def test_what_waits_for_its_turn_hides_no_due_time(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("One")
    await desk.reply(asked.conversation_id, ann, "Hi")
    await desk.chat("Two")
    [first] = await claim(desk.db, clock)
    await desk.db.write(outbox.failed, first, "busy", retry=True, now=clock.now())
    assert await desk.db.read(outbox.next_at, "test") == clock.now() + timedelta(seconds=BACK_OFF[0])
