"""What becomes of calls, on both databases."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbox import callbacks, lifecycle, queue, reading, receive
from inbox.call_facts import CallFacts, Direction, Voicemail
from inbox.calls import record_call
from inbox.clock import ManualClock
from inbox.people.contacts import AddressLine, Sender
from inbox.queue import View
from inbox.reply import ReplyDraft, reply
from inbox.store.database import Database, open_database
from inbox.vocabulary import (
    AddressKind,
    CallbackState,
    CallOutcome,
    ChannelKind,
    Ending,
    EntryKind,
    OperatorId,
    Status,
)
from inbox.waits.change_hours import set_hours
from tests.inbox.calling import BEN, MAIJA, calls, entries, missed, only_callback, operator, row, waits
from tests.support.stores import SqliteTemplate

SECONDS = timedelta(seconds=1)


@pytest.fixture
async def ann(database: Database, clock: ManualClock) -> OperatorId:
    return await operator(database, "Ann", clock.now())


async def report(db: Database, clock: ManualClock, facts: CallFacts) -> Any:
    return await db.write(record_call, facts, now=clock.now())


async def test_a_missed_call_waits_from_the_start_of_the_call(database: Database, clock: ManualClock) -> None:
    began = clock.now() - 40 * SECONDS
    recorded = await report(database, clock, missed("1", began, name="Maija M", line="Support"))
    shown = await row(database, recorded.conversation_id)
    assert (shown.channel, shown.status, shown.contact_name) == (ChannelKind.PHONE, Status.OPEN, "Maija M")
    assert (shown.waiting_since, shown.due_at) == (began, began + timedelta(minutes=5))
    assert (shown.subject, shown.callback) == ("+358 40 1234567", "due")
    [entry] = await entries(database, recorded.conversation_id)
    assert (entry.kind, entry.channel) == (EntryKind.CALL, ChannelKind.PHONE)
    call = entry.data["call"]
    assert (call["outcome"], call["missed"], call["lasted_s"], call["line"]) == ("no_answer", True, 30, "Support")


async def test_a_record_that_comes_late_keeps_its_claimed_start(database: Database, clock: ManualClock) -> None:
    began = clock.now() - timedelta(minutes=20)
    recorded = await report(database, clock, missed("1", began))
    assert (await row(database, recorded.conversation_id)).waiting_since == began


async def test_a_call_from_the_future_is_dated_at_its_receipt_and_keeps_its_length(
    database: Database, clock: ManualClock
) -> None:
    recorded = await report(database, clock, missed("1", clock.now() + timedelta(hours=1), lasted=20 * SECONDS))
    assert (await row(database, recorded.conversation_id)).waiting_since == clock.now() - 20 * SECONDS
    [entry] = await entries(database, recorded.conversation_id)
    assert entry.data["call"]["lasted_s"] == 20


async def test_reporting_a_call_again_changes_nothing(database: Database, clock: ManualClock) -> None:
    facts = missed("1", clock.now() - 40 * SECONDS)
    first = await report(database, clock, facts)
    before = await row(database, first.conversation_id)
    clock.advance(timedelta(minutes=1))
    again = await report(database, clock, facts)
    assert again == first
    assert await row(database, first.conversation_id) == before
    assert (await only_callback(database, first.conversation_id)).missed_calls == 1


async def test_missed_calls_of_one_number_fold_into_one_conversation(database: Database, clock: ManualClock) -> None:
    began = clock.now() - 40 * SECONDS
    first = await report(database, clock, missed("1", began))
    clock.advance(timedelta(minutes=2))
    second = await report(database, clock, missed("2", clock.now() - 10 * SECONDS))
    assert second.conversation_id == first.conversation_id
    shown = await row(database, first.conversation_id)
    assert (shown.waiting_since, shown.unread) == (began, 2)
    assert (await only_callback(database, first.conversation_id)).missed_calls == 2
    assert len(await entries(database, first.conversation_id)) == 2


async def test_two_calls_of_one_number_at_once_open_one_conversation(database: Database, clock: ManualClock) -> None:
    began = clock.now() - 40 * SECONDS
    recorded = await asyncio.gather(*(report(database, clock, missed(str(n), began)) for n in range(6)))
    assert len({one.conversation_id for one in recorded}) == 1
    assert (await only_callback(database, recorded[0].conversation_id)).missed_calls == 6


async def test_a_known_number_calling_twice_at_once_opens_one_conversation(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    old = await report(database, clock, missed("0", clock.now() - 40 * SECONDS, outcome=CallOutcome.ANSWERED))
    await database.write(lifecycle.close, old.conversation_id, by=ann, now=clock.now())
    clock.advance(timedelta(hours=1))
    began = clock.now() - 30 * SECONDS
    recorded = await asyncio.gather(*(report(database, clock, missed(str(n), began)) for n in range(1, 5)))
    assert len({one.conversation_id for one in recorded}) == 1
    assert recorded[0].conversation_id != old.conversation_id


async def test_withheld_callers_are_never_taken_for_one_person(database: Database, clock: ManualClock) -> None:
    began = clock.now() - 40 * SECONDS
    first = await report(database, clock, missed("1", began, number=None))
    second = await report(database, clock, missed("2", began, number=None))
    assert first.conversation_id != second.conversation_id
    assert (await only_callback(database, first.conversation_id)).state is CallbackState.NEEDS_NUMBER
    [entry] = await entries(database, first.conversation_id)
    assert entry.data["call"]["withheld"] is True
    assert len((await database.read(queue.page, View.WAITING, OperatorId(0))).rows) == 2


async def test_a_withheld_caller_shows_no_address(database: Database, clock: ManualClock, ann: OperatorId) -> None:
    recorded = await report(database, clock, missed("1", clock.now(), number=None))
    assert recorded.conversation_id is not None
    view = await database.read(reading.open_conversation, recorded.conversation_id, ann)
    assert (view.card.addresses, view.participants) == ([], [])


async def test_an_extension_is_known_again_but_cannot_be_rung(database: Database, clock: ManualClock) -> None:
    first = await report(database, clock, missed("1", clock.now() - 40 * SECONDS, number=None, shown="100"))
    second = await report(database, clock, missed("2", clock.now() - 20 * SECONDS, number=None, shown="100"))
    assert first.conversation_id == second.conversation_id
    assert (await only_callback(database, first.conversation_id)).state is CallbackState.NEEDS_NUMBER


async def test_a_ringing_call_is_nobody_s_work_yet(database: Database, clock: ManualClock) -> None:
    recorded = await report(database, clock, missed("1", clock.now(), outcome=None))
    assert recorded.conversation_id is None
    assert (await database.read(queue.page, View.ALL, OperatorId(0))).rows == []


async def test_a_voicemail_that_comes_later_raises_the_same_call(database: Database, clock: ManualClock) -> None:
    began = clock.now() - 40 * SECONDS
    first = await report(database, clock, missed("1", began))
    voicemail = Voicemail("RE01", 14, "https://pbx.example/RE01", "Please call me back.")
    clock.advance(timedelta(minutes=1))
    await report(database, clock, missed("1", began, outcome=CallOutcome.VOICEMAIL, voicemail=voicemail))
    [entry] = await entries(database, first.conversation_id)
    assert entry.data["call"]["outcome"] == "voicemail"
    assert entry.data["call"]["voicemail"]["duration_s"] == 14
    assert entry.text.endswith("Please call me back.")
    shown = await row(database, first.conversation_id)
    assert shown.waiting_since == began
    assert shown.snippet.endswith("Please call me back.")


async def test_the_end_of_a_call_takes_back_no_voicemail_and_no_answer(database: Database, clock: ManualClock) -> None:
    began = clock.now() - 40 * SECONDS
    for call_id, better in (("1", CallOutcome.VOICEMAIL), ("2", CallOutcome.ANSWERED)):
        await report(database, clock, missed(call_id, began, outcome=better))
        recorded = await report(database, clock, missed(call_id, began))
        assert recorded.outcome is better


async def test_news_that_a_missed_call_was_answered_ends_the_wait_when_it_was(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    began = clock.now() - 60 * SECONDS
    first = await report(database, clock, missed("1", began))
    clock.advance(timedelta(minutes=2))
    answered_at = began + 12 * SECONDS
    await report(
        database,
        clock,
        missed("1", began, outcome=CallOutcome.ANSWERED, answered_at=answered_at, operator="ann@desk.example"),
    )
    [wait] = await database.read(waits)
    assert (wait.ending, wait.ended_at, wait.ended_by, wait.wall_s) == (Ending.ANSWERED, answered_at, ann, 12)
    shown = await row(database, first.conversation_id)
    assert (shown.waiting_since, shown.unread, shown.owner_id) == (None, 0, ann)
    assert (await only_callback(database, first.conversation_id)).state is CallbackState.WRAP_UP
    [entry] = await entries(database, first.conversation_id)
    assert (entry.data["call"]["missed"], entry.data["call"]["outcome"]) == (False, "answered")


async def test_what_the_customer_wrote_after_the_talk_waits_on_its_own(database: Database, clock: ManualClock) -> None:
    began = clock.now() - 60 * SECONDS
    first = await report(database, clock, missed("1", began))
    clock.advance(timedelta(minutes=3))
    wrote = clock.now()
    line = AddressLine(AddressKind.PHONE, MAIJA)
    await database.write(
        receive.receive,
        receive.Incoming(ChannelKind.CHAT, Sender(line), "One more thing", conversation_id=first.conversation_id),
        now=wrote,
    )
    clock.advance(timedelta(minutes=1))
    await report(database, clock, missed("1", began, outcome=CallOutcome.ANSWERED, answered_at=began + 10 * SECONDS))
    assert [(w.started_at, w.ending) for w in await database.read(waits)] == [
        (began, Ending.ANSWERED),
        (wrote, None),
    ]
    assert (await row(database, first.conversation_id)).waiting_since == wrote


async def test_an_old_answered_call_does_not_end_a_newer_wait(database: Database, clock: ManualClock) -> None:
    began = clock.now() - 40 * SECONDS
    waiting = await report(database, clock, missed("2", began))
    yesterday = clock.now() - timedelta(days=1)
    await report(database, clock, missed("1", yesterday, outcome=CallOutcome.ANSWERED, answered_at=yesterday))
    assert (await row(database, waiting.conversation_id)).waiting_since == began
    assert (await only_callback(database, waiting.conversation_id)).state is CallbackState.DUE


async def test_a_missed_call_heard_of_after_a_later_answered_one_starts_no_wait(
    database: Database, clock: ManualClock
) -> None:
    answered_at = clock.now() - 60 * SECONDS
    await report(database, clock, missed("2", answered_at, outcome=CallOutcome.ANSWERED, answered_at=answered_at))
    late = await report(database, clock, missed("1", answered_at - timedelta(minutes=5)))
    assert (await row(database, late.conversation_id)).waiting_since is None
    assert len(await entries(database, late.conversation_id)) == 2


async def test_a_customer_who_gets_through_is_owed_no_callback_any_more(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    began = clock.now() - 40 * SECONDS
    first = await report(database, clock, missed("1", began))
    callback = await only_callback(database, first.conversation_id)
    await database.write(callbacks.take, callback.id, ann, now=clock.now())
    clock.advance(timedelta(minutes=1))
    second = await report(
        database, clock, missed("2", clock.now() - 20 * SECONDS, outcome=CallOutcome.ANSWERED, operator=f"{ann}")
    )
    assert second.conversation_id == first.conversation_id
    callback = await only_callback(database, first.conversation_id)
    assert (callback.state, callback.owner_id) == (CallbackState.WRAP_UP, ann)
    [wait] = await database.read(waits)
    assert (wait.started_at, wait.ending, wait.ended_by) == (began, Ending.ANSWERED, ann)


async def test_an_answered_call_is_a_wait_that_was_answered(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    began = clock.now() - 90 * SECONDS
    recorded = await report(
        database,
        clock,
        missed("1", began, outcome=CallOutcome.ANSWERED, answered_at=began + 8 * SECONDS, operator="ann@desk.example"),
    )
    [wait] = await database.read(waits)
    assert (wait.channel, wait.started_at, wait.wall_s, wait.ended_by) == (ChannelKind.PHONE, began, 8, ann)
    shown = await row(database, recorded.conversation_id)
    assert (shown.status, shown.owner_id, shown.unread) == (Status.OPEN, ann, 0)


async def test_an_answered_call_of_nobody_in_particular_asks_for_no_work(
    database: Database, clock: ManualClock
) -> None:
    recorded = await report(
        database, clock, missed("1", clock.now() - 40 * SECONDS, outcome=CallOutcome.ANSWERED, operator="sip/7001")
    )
    assert (await row(database, recorded.conversation_id)).status is Status.PENDING


async def test_a_short_call_is_kept_and_flagged_but_owed_no_callback(database: Database, clock: ManualClock) -> None:
    began = clock.now() - 10 * SECONDS
    recorded = await report(database, clock, missed("1", began, lasted=3 * SECONDS))
    [entry] = await entries(database, recorded.conversation_id)
    assert entry.data["call"]["short"] is True
    shown = await row(database, recorded.conversation_id)
    assert (shown.waiting_since, shown.callback) == (began, None)
    voicemail = Voicemail("RE1")
    await report(database, clock, missed("1", began, outcome=CallOutcome.VOICEMAIL, voicemail=voicemail))
    assert (await row(database, recorded.conversation_id)).callback == "due"


async def test_a_call_to_a_closed_desk_says_so(database: Database, clock: ManualClock) -> None:
    weekly = {day: [["13:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    await database.write(set_hours, "Europe/Helsinki", {"weekly": weekly}, by=None, now=clock.now())
    clock.advance(40 * SECONDS)  # twelve o'clock in Helsinki
    recorded = await report(database, clock, missed("1", clock.now() - 30 * SECONDS))
    [entry] = await entries(database, recorded.conversation_id)
    assert (entry.data["call"]["after_hours"], entry.data["call"]["outcome"]) == (True, "no_answer")


async def test_a_call_to_somebody_who_waits_ends_the_wait(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    began = clock.now() - 40 * SECONDS
    first = await report(database, clock, missed("1", began))
    outgoing = missed("2", clock.now() - 20 * SECONDS, outcome=CallOutcome.ANSWERED, direction=Direction.OUTBOUND)
    second = await report(database, clock, outgoing)
    assert second.conversation_id == first.conversation_id
    assert (await row(database, first.conversation_id)).waiting_since is None


async def test_a_call_to_somebody_who_does_not_wait_is_only_recorded(database: Database, clock: ManualClock) -> None:
    recorded = await report(
        database, clock, missed("1", clock.now(), outcome=CallOutcome.ANSWERED, direction=Direction.OUTBOUND)
    )
    assert recorded.conversation_id is None
    assert len(await database.read(calls)) == 1


async def test_a_call_typed_in_by_hand_is_a_call_like_any_other(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    facts = missed(
        "1", clock.now(), lasted=60 * SECONDS, outcome=CallOutcome.ANSWERED, by_hand=ann, note="Wants a refund."
    )
    recorded = await report(database, clock, facts)
    [entry] = await entries(database, recorded.conversation_id)
    assert entry.text == "+358 40 1234567\nWants a refund."
    callback = await only_callback(database, recorded.conversation_id)
    assert (callback.state, callback.owner_id) == (CallbackState.WRAP_UP, ann)


async def test_the_exchange_tells_what_came_of_a_callback_it_dialled(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    first = await report(database, clock, missed("1", clock.now() - 40 * SECONDS))
    callback = await only_callback(database, first.conversation_id)
    await database.write(callbacks.take, callback.id, ann, now=clock.now())
    await database.write(callbacks.dial, callback.id, ann, now=clock.now())
    picked_up = clock.now() + 9 * SECONDS
    clock.advance(timedelta(minutes=4))
    dialled = missed(
        "2",
        picked_up - 9 * SECONDS,
        lasted=timedelta(minutes=3),
        outcome=CallOutcome.ANSWERED,
        answered_at=picked_up,
        direction=Direction.OUTBOUND,
        callback_id=callback.id,
        attempt=1,
    )
    await report(database, clock, dialled)
    await report(database, clock, dialled)
    callback = await only_callback(database, first.conversation_id)
    assert (callback.state, callback.attempts) == (CallbackState.WRAP_UP, 1)
    [wait] = await database.read(waits)
    assert (wait.ended_at, wait.ended_by) == (picked_up, ann)


async def test_an_answer_by_mail_leaves_the_next_call_a_wait_of_its_own(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    first = await report(database, clock, missed("1", clock.now() - 40 * SECONDS, number=BEN))
    draft = ReplyDraft(first.conversation_id, ann, "Hello", "draft:1", seen=9, channel=ChannelKind.CHAT)
    await database.write(reply, draft, addressings={}, now=clock.now())
    clock.advance(timedelta(minutes=10))
    began = clock.now() - 30 * SECONDS
    second = await report(database, clock, missed("2", began, number=BEN))
    assert second.conversation_id == first.conversation_id
    assert (await row(database, first.conversation_id)).waiting_since == began


def _stages(began: datetime) -> list[CallFacts]:
    answered_at = began + 10 * SECONDS
    return [
        missed("1", began, outcome=None),
        missed("1", began, outcome=CallOutcome.ABANDONED_IN_QUEUE),
        missed("1", began, outcome=CallOutcome.NO_ANSWER),
        missed("1", began, outcome=CallOutcome.VOICEMAIL, voicemail=Voicemail("RE01", 14, "", "Hello?")),
        missed("1", began, outcome=CallOutcome.ANSWERED, answered_at=answered_at, lasted=90 * SECONDS),
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_the_order_and_number_of_reports_do_not_matter(sqlite_template: SqliteTemplate, order: list[int]) -> None:
    """However reports of one call come in, the call ends up where its weightiest report puts it."""
    asyncio.run(_any_order(sqlite_template, order))


async def _any_order(template: SqliteTemplate, order: list[int]) -> None:
    clock = ManualClock(datetime.fromisoformat("2026-03-10T10:00:00+00:00"))
    url = template.copy()
    db = open_database(url, now=clock.now, durable={})
    began = clock.now() - 100 * SECONDS
    stages = _stages(began)
    try:
        for index in order:
            clock.advance(SECONDS)
            await report(db, clock, stages[index])
        [call] = await db.read(calls)
        assert call.started_at == began
        assert call.rank == {0: 0, 1: 1, 2: 1, 3: 2, 4: 3}[max(order, key=lambda i: (0, 1, 1, 2, 3)[i])]
        weightiest = next((i for i in (4, 3, 1, 2) if i in order), 0)
        assert call.outcome == stages[weightiest].outcome
        found = await db.read(waits)
        if call.rank == 0:
            assert (call.entry_id, found) == (None, [])
            return
        assert len(await entries(db, call.conversation_id)) == 1
        [wait] = found
        assert wait.started_at == began
        assert wait.ended_at == (began + 10 * SECONDS if call.rank == 3 else None)
        callback = await only_callback(db, call.conversation_id)
        assert callback.state is (CallbackState.WRAP_UP if call.rank == 3 else CallbackState.DUE)
        shown = await row(db, call.conversation_id)
        assert shown.waiting_since == (None if call.rank == 3 else began)
    finally:
        await db.close()
        template.drop(url)
