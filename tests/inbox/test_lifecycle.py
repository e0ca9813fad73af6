"""Taking, assigning, snoozing, closing, merging: settled by the database, visible in the timeline."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from inbox import callbacks, handoff, lifecycle, merging
from inbox.clock import ManualClock
from inbox.errors import AlreadyTaken, BadInput, NotFound, NothingWaiting
from inbox.reading import open_conversation
from inbox.timers import Watcher
from inbox.vocabulary import CallbackState, ConversationId, Ending, OperatorId, Status
from tests.support.verbs import VerbDesk


async def test_of_many_who_take_at_once_exactly_one_has_it(desk: VerbDesk, clock: ManualClock) -> None:
    operators = [await desk.operator(name) for name in ("Ann", "Bea", "Cleo", "Dora")]
    asked = await desk.chat("Hello?")
    results = await asyncio.gather(
        *(desk.db.write(lifecycle.take, asked.conversation_id, who, now=clock.now()) for who in operators),
        return_exceptions=True,
    )
    row = await desk.row(asked.conversation_id)
    winner = results.index(None)
    assert row.owner_id == operators[winner]
    refused = [r for r in results if r is not None]
    assert len(refused) == 3
    assert all(isinstance(r, AlreadyTaken) and r.by == row.owner_name for r in refused)
    assert await desk.happened(asked.conversation_id) == ["taken"]


async def test_taking_what_is_mine_already_changes_nothing(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    for _ in range(2):
        await desk.db.write(lifecycle.take, asked.conversation_id, ann, now=clock.now())
    assert await desk.happened(asked.conversation_id) == ["taken"]


async def test_what_is_not_there_cannot_be_taken(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    with pytest.raises(NotFound):
        await desk.db.write(lifecycle.take, ConversationId(404), ann, now=clock.now())


async def test_take_next_gives_the_most_urgent_first(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    first = await desk.chat("I came first", visitor="a")
    clock.advance(timedelta(seconds=10))
    second = await desk.chat("I came second", visitor="b")
    taken = [await desk.db.write(lifecycle.take_next, ann, now=clock.now()) for _ in range(2)]
    assert taken == [first.conversation_id, second.conversation_id]
    with pytest.raises(NothingWaiting):
        await desk.db.write(lifecycle.take_next, ann, now=clock.now())


async def test_operators_who_take_next_at_once_get_different_ones(desk: VerbDesk, clock: ManualClock) -> None:
    operators = [await desk.operator(name) for name in ("Ann", "Bea", "Cleo", "Dora")]
    for number in range(3):
        await desk.chat("Hello?", visitor=f"v{number}")
    results = await asyncio.gather(
        *(desk.db.write(lifecycle.take_next, who, now=clock.now()) for who in operators), return_exceptions=True
    )
    taken = [r for r in results if isinstance(r, int)]
    assert len(taken) == len(set(taken)) == 3
    assert [type(r) for r in results if not isinstance(r, int)] == [NothingWaiting]


async def test_assigning_counts_only_from_the_owner_one_saw(desk: VerbDesk, clock: ManualClock) -> None:
    ann, bea, cleo = await desk.operator("Ann"), await desk.operator("Bea"), await desk.operator("Cleo")
    asked = await desk.chat("Hello?")
    results = await asyncio.gather(
        *(
            desk.db.write(lifecycle.assign, asked.conversation_id, to, by=cleo, expected=None, now=clock.now())
            for to in (ann, bea)
        ),
        return_exceptions=True,
    )
    assert sorted(r is None for r in results) == [False, True]
    owner = (await desk.row(asked.conversation_id)).owner_id
    await desk.db.write(lifecycle.assign, asked.conversation_id, None, by=cleo, expected=owner, now=clock.now())
    assert (await desk.row(asked.conversation_id)).owner_id is None
    assert (await desk.happened(asked.conversation_id))[-1] == "released"


async def test_nobody_is_given_to_somebody_who_is_not_there(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    with pytest.raises(BadInput):
        await desk.db.write(
            lifecycle.assign, asked.conversation_id, OperatorId(404), by=ann, expected=None, now=clock.now()
        )


async def test_a_snooze_by_an_operator_stops_no_clock(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    due = (await desk.row(asked.conversation_id)).due_at
    until = clock.now() + timedelta(hours=1)
    await desk.db.write(lifecycle.snooze, asked.conversation_id, until, by=ann, now=clock.now())
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.due_at, row.paused) == (Status.SNOOZED, due, False)


async def test_a_snooze_ends_by_itself_at_its_time(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    until = clock.now() + timedelta(hours=1)
    await desk.db.write(lifecycle.snooze, asked.conversation_id, until, by=ann, now=clock.now(), agreed=True)
    watcher = Watcher(desk.db, clock)
    clock.set(until - timedelta(seconds=1))
    await watcher.fire()
    assert (await desk.row(asked.conversation_id)).status is Status.SNOOZED
    clock.set(until)
    await watcher.fire()
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.paused, row.due_at) == (Status.OPEN, False, until + timedelta(minutes=5))
    assert (await desk.happened(asked.conversation_id))[-1] == "woken"


async def test_one_cannot_snooze_into_the_past(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    with pytest.raises(BadInput):
        await desk.db.write(lifecycle.snooze, asked.conversation_id, clock.now(), by=ann, now=clock.now())


@pytest.mark.parametrize("ending", [Ending.CLOSED, Ending.NO_ANSWER_NEEDED])
async def test_closing_ends_the_wait_and_says_how(desk: VerbDesk, clock: ManualClock, ending: Ending) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Thanks!")
    for _ in range(2):
        await desk.db.write(lifecycle.close, asked.conversation_id, by=ann, now=clock.now(), ending=ending)
    [wait] = await desk.waits(asked.conversation_id)
    assert wait.ending is ending
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.unread, row.waiting_since) == (Status.CLOSED, 0, None)
    assert len(await desk.happened(asked.conversation_id)) == 1


@pytest.mark.parametrize("undone", ["close", "spam"])
async def test_closing_by_mistake_and_taking_it_back_keeps_the_place(
    desk: VerbDesk, clock: ManualClock, undone: str
) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    before = await desk.row(asked.conversation_id)
    clock.advance(timedelta(seconds=100))
    verb = lifecycle.close if undone == "close" else lifecycle.mark_spam
    await desk.db.write(verb, asked.conversation_id, by=ann, now=clock.now())
    clock.advance(timedelta(seconds=20))
    await desk.db.write(lifecycle.reopen, asked.conversation_id, by=ann, now=clock.now())
    row = await desk.row(asked.conversation_id)
    assert (row.waiting_since, row.due_at, row.queue_key) == (before.waiting_since, before.due_at, before.queue_key)
    assert (row.status, row.unread) == (Status.OPEN, 1)


async def test_reopening_later_starts_no_wait(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Thanks!")
    await desk.db.write(lifecycle.close, asked.conversation_id, by=ann, now=clock.now())
    clock.advance(timedelta(hours=1))
    await desk.db.write(lifecycle.reopen, asked.conversation_id, by=ann, now=clock.now())
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.waiting_since) == (Status.OPEN, None)


async def test_tags_and_priority_are_checked(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    await desk.db.write(lifecycle.set_tags, asked.conversation_id, [" vip ", "vip", ""], by=ann, now=clock.now())
    await desk.db.write(lifecycle.set_priority, asked.conversation_id, 2, by=ann, now=clock.now())
    row = await desk.row(asked.conversation_id)
    assert (list(row.tags), row.priority) == (["vip"], 2)
    with pytest.raises(BadInput):
        await desk.db.write(lifecycle.set_tags, asked.conversation_id, ["x" * 61], by=ann, now=clock.now())
    with pytest.raises(BadInput):
        await desk.db.write(lifecycle.set_priority, asked.conversation_id, 3, by=ann, now=clock.now())


async def test_merging_keeps_the_older_wait_the_people_and_the_call_that_is_owed(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann = await desk.operator("Ann")
    older = await desk.mail("First", from_="a@shop.example", subject="A")
    began = clock.now()
    clock.advance(timedelta(minutes=1))
    newer = await desk.mail("Second", from_="b@shop.example", subject="B")
    await desk.db.write(callbacks.create, older.conversation_id, number="+358401234567", now=clock.now())
    await desk.db.write(merging.merge, older.conversation_id, newer.conversation_id, by=ann, now=clock.now())
    row = await desk.row(newer.conversation_id)
    assert (row.waiting_since, row.unread, row.status) == (began, 2, Status.OPEN)
    view = await desk.db.read(open_conversation, newer.conversation_id, ann)
    assert {p.written for p in view.participants} >= {"a@shop.example", "b@shop.example"}
    assert view.callback is not None
    gone = await desk.row(older.conversation_id)
    assert (gone.status, gone.waiting_since) == (Status.CLOSED, None)
    assert (await desk.happened(older.conversation_id))[-1] == "merged_into"
    assert (await desk.happened(newer.conversation_id))[-1] == "merged_from"


async def test_two_merges_in_both_directions_at_once_do_not_lose_a_conversation(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann = await desk.operator("Ann")
    one, two = await desk.mail("One", subject="A"), await desk.mail("Two", subject="B")
    ids = (one.conversation_id, two.conversation_id)
    results = await asyncio.gather(
        desk.db.write(merging.merge, *ids, by=ann, now=clock.now()),
        desk.db.write(merging.merge, *ids[::-1], by=ann, now=clock.now()),
        return_exceptions=True,
    )
    assert sorted(type(r).__name__ for r in results) == ["BadInput", "NoneType"]
    assert sorted([(await desk.row(c)).status for c in ids]) == [Status.CLOSED, Status.OPEN]


async def test_nothing_is_merged_with_itself_or_twice(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    one, two = await desk.mail("One", subject="A"), await desk.mail("Two", subject="B")
    with pytest.raises(BadInput):
        await desk.db.write(merging.merge, one.conversation_id, one.conversation_id, by=ann, now=clock.now())
    await desk.db.write(merging.merge, one.conversation_id, two.conversation_id, by=ann, now=clock.now())
    with pytest.raises(BadInput):
        await desk.db.write(merging.merge, one.conversation_id, two.conversation_id, by=ann, now=clock.now())


@pytest.mark.parametrize("snoozed_is_kept", [True, False])
async def test_merging_what_was_put_away_with_what_is_open_leaves_nobody_without_a_clock(
    desk: VerbDesk, clock: ManualClock, snoozed_is_kept: bool
) -> None:
    ann = await desk.operator("Ann")
    put_away = await desk.mail("Tomorrow is fine", subject="A")
    clock.advance(timedelta(seconds=10))
    other = await desk.mail("Now, please", subject="B")
    tomorrow = clock.now() + timedelta(days=1)
    await desk.db.write(lifecycle.snooze, put_away.conversation_id, tomorrow, by=ann, now=clock.now(), agreed=True)
    ids = (put_away.conversation_id, other.conversation_id)
    source, target = ids[::-1] if snoozed_is_kept else ids
    await desk.db.write(merging.merge, source, target, by=ann, now=clock.now())
    row = await desk.row(target)
    assert (row.status, row.paused, row.due_at is not None) == (Status.OPEN, False, True)


async def test_who_waits_for_a_call_is_seen_after_a_merge_into_a_closed_conversation(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann = await desk.operator("Ann")
    old = await desk.mail("Old", subject="A")
    await desk.db.write(lifecycle.close, old.conversation_id, by=ann, now=clock.now())
    new = await desk.mail("New", subject="B")
    await desk.reply(new.conversation_id, ann, "We will ring you")
    await desk.db.write(callbacks.create, new.conversation_id, number="+358401234567", now=clock.now(), by=ann)
    await desk.db.write(merging.merge, new.conversation_id, old.conversation_id, by=ann, now=clock.now())
    row = await desk.row(old.conversation_id)
    assert (row.status, row.waiting_since is not None) == (Status.OPEN, True)


async def test_what_was_merged_away_is_not_brought_back_empty(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    one, two = await desk.mail("One", subject="A"), await desk.mail("Two", subject="B")
    await desk.db.write(merging.merge, one.conversation_id, two.conversation_id, by=ann, now=clock.now())
    with pytest.raises(BadInput):
        await desk.db.write(lifecycle.reopen, one.conversation_id, by=ann, now=clock.now())
    later = clock.now() + timedelta(hours=1)
    with pytest.raises(BadInput):
        await desk.db.write(lifecycle.snooze, one.conversation_id, later, by=ann, now=clock.now())
    assert (await desk.row(one.conversation_id)).status is Status.CLOSED


async def test_an_answer_that_closes_withdraws_offers_and_owes_no_call(desk: VerbDesk, clock: ManualClock) -> None:
    ann, bea = await desk.operator("Ann"), await desk.operator("Bea")
    asked = await desk.mail("Please ring me", subject="A")
    await desk.db.write(callbacks.create, asked.conversation_id, number="+358401234567", now=clock.now())
    await desk.db.write(
        handoff.hand_off, asked.conversation_id, by=ann, to=bea, brief=handoff.Brief("Wants a call"), now=clock.now()
    )
    await desk.reply(asked.conversation_id, ann, "Here is all you asked for. Goodbye!", then=Status.CLOSED)
    assert await desk.db.read(handoff.offers, conversation_id=asked.conversation_id) == []
    view = await desk.db.read(open_conversation, asked.conversation_id, ann)
    assert view.callback is not None
    assert view.callback.state == CallbackState.CANCELLED


async def test_what_somebody_owns_goes_back_to_the_queue_when_they_leave_for_good(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann, bea = await desk.operator("Ann"), await desk.operator("Bea")
    open_one, closed_one = await desk.chat("Hello?"), await desk.chat("Thanks!", visitor="v2")
    for asked in (open_one, closed_one):
        await desk.db.write(lifecycle.take, asked.conversation_id, ann, now=clock.now())
    await desk.db.write(lifecycle.close, closed_one.conversation_id, by=ann, now=clock.now())
    assert await desk.db.write(lifecycle.release_all, ann, by=bea, now=clock.now()) == 1
    assert await desk.db.write(lifecycle.take_next, bea, now=clock.now()) == open_one.conversation_id
    assert (await desk.row(closed_one.conversation_id)).owner_id == ann
