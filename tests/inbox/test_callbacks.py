"""Calls the desk owes: who may dial, what comes of it, when it is tried again. On both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inbox import callback_list, callbacks, lifecycle, merging
from inbox.callback_list import CallbackLine
from inbox.callbacks import Slot
from inbox.calls import record_call
from inbox.clock import ManualClock
from inbox.errors import AlreadySettled, AlreadyTaken, BadInput
from inbox.people import telephone
from inbox.queue_key import microseconds
from inbox.store.database import Database
from inbox.timers import Watcher
from inbox.vocabulary import (
    AttemptOutcome,
    CallbackId,
    CallbackState,
    ConversationId,
    Ending,
    OperatorId,
    Presence,
    Status,
)
from inbox.waits.change_hours import set_hours
from tests.inbox.calling import BEN, MAIJA, entries, missed, only_callback, operator, row, wait_steps, waits

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def ann(database: Database, clock: ManualClock) -> OperatorId:
    return await operator(database, "Ann", clock.now())


@pytest.fixture
async def bea(database: Database, clock: ManualClock) -> OperatorId:
    return await operator(database, "Bea", clock.now())


@pytest.fixture
async def owed(database: Database, clock: ManualClock) -> CallbackLine:
    """Maija's missed call of a minute ago."""
    recorded = await database.write(record_call, missed("1", clock.now() - MINUTE), now=clock.now())
    return await only_callback(database, recorded.conversation_id)


async def now_of(database: Database, callback: CallbackLine) -> CallbackLine:
    return await database.read(callback_list.get, callback.id)


async def try_once(
    database: Database, clock: ManualClock, callback: CallbackLine, who: OperatorId, result: AttemptOutcome
) -> CallbackState:
    await database.write(callbacks.take, callback.id, who, now=clock.now())
    await database.write(callbacks.dial, callback.id, who, now=clock.now())
    return await database.write(callbacks.outcome, callback.id, who, result, now=clock.now())


async def second_call(database: Database, clock: ManualClock) -> ConversationId:
    """Ben's missed call of a minute ago."""
    recorded = await database.write(record_call, missed("2", clock.now() - MINUTE, number=BEN), now=clock.now())
    assert recorded.conversation_id is not None
    return recorded.conversation_id


async def test_reaching_the_customer_ends_the_wait_and_leaves_the_summary_to_write(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    dialled = await database.write(callbacks.dial, owed.id, ann, now=clock.now())
    assert (dialled.uri, dialled.attempt) == (f"tel:{MAIJA}", 1)
    clock.advance(MINUTE)
    await database.write(callbacks.outcome, owed.id, ann, AttemptOutcome.REACHED, note="Nice.", now=clock.now())
    callback = await now_of(database, owed)
    assert (callback.state, callback.owner_id, callback.attempts) == (CallbackState.WRAP_UP, ann, 1)
    [wait] = await database.read(waits)
    assert (wait.ending, wait.ended_by, wait.wall_s) == (Ending.ANSWERED, ann, 120)
    shown = await row(database, owed.conversation_id)
    assert (shown.waiting_since, shown.unread, shown.owner_id, shown.callback) == (None, 0, ann, None)
    last = (await entries(database, owed.conversation_id))[-1]
    assert (last.data["what"], last.data["outcome"], last.text) == ("callback_tried", "reached", "Nice.")
    [attempt] = await database.read(callback_list.attempts, owed.id)
    assert (attempt.operator_name, attempt.outcome, attempt.note) == ("Ann", AttemptOutcome.REACHED, "Nice.")


async def test_two_operators_never_both_claim(database: Database, clock: ManualClock, owed: CallbackLine) -> None:
    crowd = [await operator(database, f"Op{n}", clock.now()) for n in range(8)]
    results = await asyncio.gather(
        *(database.write(callbacks.take, owed.id, who, now=clock.now()) for who in crowd), return_exceptions=True
    )
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert all(isinstance(result, AlreadyTaken) for result in results if isinstance(result, Exception))
    owner = (await now_of(database, owed)).owner_id
    assert owner == crowd[[not isinstance(result, Exception) for result in results].index(True)]


async def test_only_who_claimed_it_may_dial_and_tell(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId, bea: OperatorId
) -> None:
    with pytest.raises(AlreadySettled):
        await database.write(callbacks.dial, owed.id, ann, now=clock.now())
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    with pytest.raises(AlreadyTaken, match="Ann"):
        await database.write(callbacks.dial, owed.id, bea, now=clock.now())
    await database.write(callbacks.dial, owed.id, ann, now=clock.now())
    with pytest.raises(AlreadyTaken, match="Ann"):
        await database.write(callbacks.take, owed.id, bea, now=clock.now())
    with pytest.raises(AlreadyTaken, match="Ann"):
        await database.write(callbacks.outcome, owed.id, bea, AttemptOutcome.REACHED, now=clock.now())
    with pytest.raises(AlreadyTaken, match="Ann"):
        await database.write(callbacks.release, owed.id, bea, now=clock.now())
    slot = Slot(clock.now() + MINUTE, clock.now() + 9 * MINUTE)
    with pytest.raises(AlreadyTaken, match="Ann"):
        await database.write(callbacks.schedule, owed.id, slot, by=bea, now=clock.now())


async def test_an_outcome_told_twice_counts_once(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    await try_once(database, clock, owed, ann, AttemptOutcome.BUSY)
    with pytest.raises(AlreadySettled):
        await database.write(callbacks.outcome, owed.id, ann, AttemptOutcome.BUSY, now=clock.now())
    assert (await now_of(database, owed)).attempts == 1


async def test_a_claim_holds_two_minutes_and_then_everybody_may(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId, bea: OperatorId
) -> None:
    watcher = Watcher(database, clock)
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    assert (await row(database, owed.conversation_id)).owner_id == ann
    clock.advance(2 * MINUTE - timedelta(seconds=1))
    await watcher.fire()
    assert (await now_of(database, owed)).state is CallbackState.CLAIMED
    clock.advance(timedelta(seconds=1))
    await watcher.fire()
    callback = await now_of(database, owed)
    assert (callback.state, callback.owner_id) == (CallbackState.DUE, None)
    shown = await row(database, owed.conversation_id)
    assert (shown.owner_id, shown.waiting_since) == (None, owed.waiting_since)
    await database.write(callbacks.take, owed.id, bea, now=clock.now())


async def test_a_claim_that_ran_out_gives_way_even_before_the_timer(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    gone = await operator(database, "Gone", clock.now(), presence=Presence.OFFLINE)
    await database.write(callbacks.take, owed.id, gone, now=clock.now())
    clock.advance(2 * MINUTE)
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    assert (await now_of(database, owed)).owner_id == ann


async def test_giving_a_claim_back_keeps_its_place(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    before = await row(database, owed.conversation_id)
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    await database.write(callbacks.dial, owed.id, ann, now=clock.now())
    await database.write(callbacks.release, owed.id, ann, now=clock.now())
    callback = await now_of(database, owed)
    assert (callback.state, callback.due_at, callback.attempts) == (CallbackState.DUE, owed.due_at, 0)
    after = await row(database, owed.conversation_id)
    assert (after.owner_id, after.queue_key) == (None, before.queue_key)
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    assert (await database.write(callbacks.dial, owed.id, ann, now=clock.now())).attempt == 2


async def test_a_callback_in_a_colleague_s_conversation_is_the_colleague_s(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId, bea: OperatorId
) -> None:
    await database.write(lifecycle.take, owed.conversation_id, bea, now=clock.now())
    with pytest.raises(AlreadyTaken, match="Bea"):
        await database.write(callbacks.take, owed.id, ann, now=clock.now())


async def test_nobody_waits_for_a_colleague_who_is_not_here(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    away = await operator(database, "Away", clock.now(), presence=Presence.AWAY)
    await database.write(lifecycle.take, owed.conversation_id, away, now=clock.now())
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    assert (await row(database, owed.conversation_id)).owner_id == ann


@pytest.mark.parametrize(
    ("result", "minutes"),
    [(AttemptOutcome.BUSY, 5), (AttemptOutcome.NO_ANSWER, 15), (AttemptOutcome.VOICEMAIL_LEFT, 60)],
)
async def test_who_was_not_reached_is_tried_again_while_the_wait_runs_on(
    database: Database,
    clock: ManualClock,
    owed: CallbackLine,
    ann: OperatorId,
    result: AttemptOutcome,
    minutes: int,
) -> None:
    watcher = Watcher(database, clock)
    assert await try_once(database, clock, owed, ann, result) is CallbackState.RETRY_WAIT
    callback = await now_of(database, owed)
    assert callback.due_at == clock.now() + minutes * MINUTE
    assert (await row(database, owed.conversation_id)).waiting_since == owed.waiting_since
    clock.advance(minutes * MINUTE)
    await watcher.fire()
    assert (await now_of(database, owed)).state is CallbackState.DUE
    assert (await row(database, owed.conversation_id)).waiting_since == owed.waiting_since


async def test_after_three_tries_somebody_confirms_and_the_wait_ends_unreached(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    with pytest.raises(AlreadySettled):
        await database.write(callbacks.confirm_unreached, owed.id, by=ann, now=clock.now())
    assert await try_once(database, clock, owed, ann, AttemptOutcome.BUSY) is CallbackState.RETRY_WAIT
    assert await try_once(database, clock, owed, ann, AttemptOutcome.BUSY) is CallbackState.RETRY_WAIT
    assert (await now_of(database, owed)).due_at == clock.now() + 60 * MINUTE
    assert await try_once(database, clock, owed, ann, AttemptOutcome.NO_ANSWER) is CallbackState.EXHAUSTED
    assert (await row(database, owed.conversation_id)).waiting_since == owed.waiting_since
    await database.write(callbacks.confirm_unreached, owed.id, by=ann, now=clock.now())
    assert (await now_of(database, owed)).state is CallbackState.CLOSED_UNREACHED
    [wait] = await database.read(waits)
    assert wait.ending == Ending.UNREACHED
    assert (await row(database, owed.conversation_id)).status is Status.PENDING


async def test_a_wrong_number_asks_for_another(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    assert await try_once(database, clock, owed, ann, AttemptOutcome.WRONG_NUMBER) is CallbackState.NEEDS_NUMBER
    with pytest.raises(BadInput) as refused:
        await database.write(callbacks.take, owed.id, ann, now=clock.now())
    assert refused.value.field == "number"
    with pytest.raises(BadInput):
        await database.write(callbacks.set_number, owed.id, "0401", by=ann, now=clock.now())
    await database.write(callbacks.set_number, owed.id, BEN, by=ann, now=clock.now())
    callback = await now_of(database, owed)
    assert (callback.state, callback.number) == (CallbackState.DUE, BEN)


async def test_an_agreed_time_pauses_the_third_clock_and_comes_up_two_minutes_early(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    watcher = Watcher(database, clock)
    start = clock.now() + timedelta(hours=2)
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    await database.write(callbacks.schedule, owed.id, Slot(start, start + 30 * MINUTE), by=ann, now=clock.now())
    shown = await row(database, owed.conversation_id)
    assert (shown.paused, shown.due_at, shown.owner_id, shown.callback) == (True, None, None, "scheduled")
    clock.set(start - 2 * MINUTE)
    await watcher.fire()
    assert (await now_of(database, owed)).state is CallbackState.DUE
    shown = await row(database, owed.conversation_id)
    assert (shown.paused, shown.queue_key) == (True, microseconds(start))
    clock.set(start)
    await watcher.fire()
    shown = await row(database, owed.conversation_id)
    assert (shown.paused, shown.due_at) == (False, start + 4 * MINUTE)  # a minute was used up before
    clock.set(start + 5 * MINUTE)
    await try_once(database, clock, owed, ann, AttemptOutcome.REACHED)
    [wait] = await database.read(waits)
    assert (wait.wall_s, wait.net_s) == (126 * 60, 6 * 60)


async def test_an_agreed_time_that_passes_is_told_once(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    watcher = Watcher(database, clock)
    start = clock.now() + timedelta(hours=2)
    await database.write(callbacks.schedule, owed.id, Slot(start, start + 30 * MINUTE), by=ann, now=clock.now())
    clock.set(start + timedelta(hours=1))
    await watcher.fire()
    await watcher.fire()
    said = [entry.data.get("what") for entry in await entries(database, owed.conversation_id)]
    assert said.count("callback_slot_missed") == 1
    assert (await now_of(database, owed)).state is CallbackState.DUE


@pytest.mark.parametrize("ending", ["released", "lapsed", "not reached", "wrong number", "cancelled"])
async def test_a_try_before_the_agreed_time_takes_nothing_from_the_agreement(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId, ending: str
) -> None:
    start = clock.now() + timedelta(hours=2)
    await database.write(callbacks.schedule, owed.id, Slot(start, start + 30 * MINUTE), by=ann, now=clock.now())
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    expected = (CallbackState.SCHEDULED, start - 2 * MINUTE, True)
    if ending == "released":
        await database.write(callbacks.release, owed.id, ann, now=clock.now())
    elif ending == "lapsed":
        clock.advance(3 * MINUTE)
        await Watcher(database, clock).fire()
    elif ending == "cancelled":
        await database.write(callbacks.cancel, owed.id, by=ann, now=clock.now())
        expected = (CallbackState.CANCELLED, start - 2 * MINUTE, False)
    else:
        result = AttemptOutcome.WRONG_NUMBER if ending == "wrong number" else AttemptOutcome.NO_ANSWER
        await database.write(callbacks.dial, owed.id, ann, now=clock.now())
        await database.write(callbacks.outcome, owed.id, ann, result, now=clock.now())
        if ending == "wrong number":
            expected = (CallbackState.NEEDS_NUMBER, start - 2 * MINUTE, False)
    callback = await now_of(database, owed)
    assert (callback.state, callback.due_at, (await row(database, owed.conversation_id)).paused) == expected


@pytest.mark.parametrize("hours", [(-2, -1), (2, 1), (24 * 40, 24 * 40 + 1)])
async def test_a_time_that_cannot_be_agreed_is_refused(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId, hours: tuple[int, int]
) -> None:
    slot = Slot(*(clock.now() + timedelta(hours=h) for h in hours))
    with pytest.raises(BadInput) as refused:
        await database.write(callbacks.schedule, owed.id, slot, by=ann, now=clock.now())
    assert refused.value.field == "slot"


async def test_one_number_is_owed_one_callback(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    other = await second_call(database, clock)
    made = await database.write(callbacks.create, other, number=MAIJA, by=ann, now=clock.now())
    assert (made.existing, made.callback_id) == (True, owed.id)
    callback = await only_callback(database, other)
    with pytest.raises(BadInput):
        await database.write(callbacks.set_number, callback.id, MAIJA, by=ann, now=clock.now())


async def test_asking_for_a_call_from_two_places_at_once_owes_one(
    database: Database, clock: ManualClock, ann: OperatorId
) -> None:
    wanted = "+358501234567"
    places: list[ConversationId] = []
    for n in range(5):
        recorded = await database.write(record_call, missed(str(n), clock.now(), number=None), now=clock.now())
        assert recorded.conversation_id is not None
        places.append(recorded.conversation_id)
    for place in places:
        callback = await only_callback(database, place)
        await database.write(callbacks.cancel, callback.id, by=ann, now=clock.now())
    made = await asyncio.gather(
        *(database.write(callbacks.create, place, number=wanted, by=ann, now=clock.now()) for place in places)
    )
    assert len({one.callback_id for one in made}) == 1
    assert [line.number for line in await database.read(callback_list.listing)] == [wanted]


async def test_a_callback_asked_for_starts_a_wait_where_none_runs(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    await try_once(database, clock, owed, ann, AttemptOutcome.REACHED)
    clock.advance(timedelta(hours=1))
    await database.write(callbacks.create, owed.conversation_id, number=MAIJA, by=ann, now=clock.now())
    assert (await row(database, owed.conversation_id)).waiting_since == clock.now()
    with pytest.raises(BadInput):
        await database.write(callbacks.create, owed.conversation_id, number="123", by=ann, now=clock.now())


async def test_a_cancelled_callback_is_owed_no_more_but_the_customer_still_waits(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId, bea: OperatorId
) -> None:
    await database.write(callbacks.take, owed.id, ann, now=clock.now())
    await database.write(callbacks.cancel, owed.id, by=bea, reason="wrote instead", now=clock.now())
    assert (await now_of(database, owed)).state is CallbackState.CANCELLED
    assert (await row(database, owed.conversation_id)).waiting_since == owed.waiting_since
    with pytest.raises(AlreadySettled):
        await database.write(callbacks.dial, owed.id, ann, now=clock.now())
    with pytest.raises(AlreadySettled):
        await database.write(callbacks.cancel, owed.id, by=bea, now=clock.now())


async def test_a_closed_conversation_owes_no_call(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    await database.write(lifecycle.close, owed.conversation_id, by=ann, now=clock.now())
    assert (await now_of(database, owed)).state is CallbackState.CANCELLED
    assert await database.read(callback_list.listing) == []


async def test_what_is_owed_goes_along_when_conversations_are_merged(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    other = await second_call(database, clock)
    await database.write(merging.merge, owed.conversation_id, other, by=ann, now=clock.now())
    assert (await now_of(database, owed)).conversation_id == other


async def test_who_calls_late_in_the_evening_is_rung_in_the_morning(database: Database, clock: ManualClock) -> None:
    clock.set(datetime(2026, 3, 10, 20, 30, tzinfo=UTC))  # half past ten in Helsinki
    recorded = await database.write(record_call, missed("1", clock.now() - MINUTE), now=clock.now())
    callback = await only_callback(database, recorded.conversation_id)
    assert callback.due_at == datetime(2026, 3, 11, 7, tzinfo=UTC)


async def test_a_retry_waits_for_the_desk_to_open(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    weekly = {day: [["09:00", "12:10"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    await database.write(set_hours, "Europe/Helsinki", {"weekly": weekly}, by=None, now=clock.now())
    await try_once(database, clock, owed, ann, AttemptOutcome.NO_ANSWER)
    assert (await now_of(database, owed)).due_at == datetime(2026, 3, 11, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "zone", "at", "expected"),
    [
        ("+358401234567", None, "2026-03-10T10:00:00+00:00", "2026-03-10T10:00:00+00:00"),
        ("+358401234567", None, "2026-03-10T18:00:00+00:00", "2026-03-11T07:00:00+00:00"),  # eight in the evening
        ("+358401234567", "America/New_York", "2026-03-10T10:00:00+00:00", "2026-03-10T13:00:00+00:00"),
        ("+358401234567", "Mars/Base", "2026-03-10T10:00:00+00:00", "2026-03-10T10:00:00+00:00"),
        ("+12125551234", None, "2026-03-10T10:00:00+00:00", "2026-03-10T13:00:00+00:00"),  # New York
        ("+18005551234", None, "2026-03-10T10:00:00+00:00", "2026-03-10T10:00:00+00:00"),  # anywhere: the desk's zone
        ("+61412345678", None, "2026-03-10T22:30:00+00:00", "2026-03-11T02:30:00+00:00"),  # Sydney to the Cocos Islands
        ("+358401234567", None, "2026-03-28T19:00:00+00:00", "2026-03-29T06:00:00+00:00"),  # the night clocks go on
    ],
)
def test_customers_are_rung_between_nine_and_twenty_where_they_are(
    number: str, zone: str | None, at: str, expected: str
) -> None:
    found = telephone.calling_time(number, zone, "Europe/Helsinki", datetime.fromisoformat(at))
    assert found == datetime.fromisoformat(expected)


async def test_the_list_shows_the_soonest_due_first(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    clock.advance(MINUTE)
    await database.write(record_call, missed("2", clock.now() - MINUTE, number=BEN), now=clock.now())
    await try_once(database, clock, owed, ann, AttemptOutcome.NO_ANSWER)
    listed = await database.read(callback_list.listing)
    assert [(line.number, line.state) for line in listed] == [
        (BEN, CallbackState.DUE),
        (MAIJA, CallbackState.RETRY_WAIT),
    ]
    assert listed[1].number_spoken == "+358 40 1234567"


async def test_every_step_of_the_wait_is_in_the_ledger(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    start = clock.now() + timedelta(hours=1)
    await database.write(callbacks.schedule, owed.id, Slot(start, start + MINUTE), by=ann, now=clock.now())
    agreed_at = clock.now()
    clock.set(start)
    await Watcher(database, clock).fire()
    await try_once(database, clock, owed, ann, AttemptOutcome.REACHED)
    assert await database.read(wait_steps) == [
        (owed.waiting_since, "started"),
        (agreed_at, "paused"),
        (start, "resumed"),
        (start, "ended"),
    ]


async def test_an_unknown_callback_does_not_exist(database: Database, clock: ManualClock, ann: OperatorId) -> None:
    work: Any
    for work in (callbacks.take, callbacks.release, callbacks.dial):
        with pytest.raises(Exception, match="does not exist"):
            await database.write(work, CallbackId(999), ann, now=clock.now())


async def test_asking_for_a_call_ends_what_was_agreed_before(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    conversation_id = owed.conversation_id
    await database.write(callbacks.cancel, owed.id, by=ann, now=clock.now())
    tomorrow = clock.now() + timedelta(days=1)
    await database.write(lifecycle.snooze, conversation_id, tomorrow, by=ann, now=clock.now(), agreed=True)
    await database.write(callbacks.create, conversation_id, number=MAIJA, now=clock.now())
    shown = await row(database, conversation_id)
    assert (shown.status, shown.paused, shown.due_at is not None) == (Status.OPEN, False, True)


async def test_an_operator_s_own_snooze_does_not_break_the_agreed_time(
    database: Database, clock: ManualClock, owed: CallbackLine, ann: OperatorId
) -> None:
    start = clock.now() + timedelta(hours=2)
    await database.write(callbacks.schedule, owed.id, Slot(start, start + 30 * MINUTE), by=ann, now=clock.now())
    hour = clock.now() + timedelta(hours=1)
    await database.write(lifecycle.snooze, owed.conversation_id, hour, by=ann, now=clock.now())
    assert (await row(database, owed.conversation_id)).paused
    watcher = Watcher(database, clock)
    clock.set(hour)
    await watcher.fire()
    shown = await row(database, owed.conversation_id)
    assert (shown.status, shown.paused) == (Status.OPEN, True)
    clock.set(start)
    await watcher.fire()
    assert not (await row(database, owed.conversation_id)).paused
