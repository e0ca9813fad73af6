"""What the desk writes down about work: who was here, who worked on what, what was resolved, offered and thought of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from inbox import callbacks, deliveries, handoff, lifecycle, merging, ratings, summary, visitor_leaving
from inbox.calls import record_call
from inbox.clock import ManualClock
from inbox.errors import BadInput
from inbox.handoff import Brief
from inbox.people import handling, operators
from inbox.store.models import HandlingSpan, MissedOffer, PresenceSpan, Rating, Resolution
from inbox.timers import Watcher
from inbox.vocabulary import (
    AttemptOutcome,
    CallOutcome,
    ChannelKind,
    ConversationId,
    Ending,
    OperatorId,
    Presence,
    Role,
    Status,
)
from tests.inbox.calling import MAIJA, missed, only_callback
from tests.support.verbs import VerbDesk


class Record:
    """A desk whose times are told in minutes since it opened."""

    def __init__(self, desk: VerbDesk, clock: ManualClock) -> None:
        self.desk, self.clock, self.opened = desk, clock, clock.now()
        self.watcher = Watcher(desk.db, clock)

    async def at(self, minute: float) -> None:
        """Let time pass, stopping at whatever is due on the way."""
        moment = self.opened + timedelta(minutes=minute)
        while (due := await self.watcher.fire()) is not None and due <= moment:
            self.clock.set(due)
        self.clock.set(moment)
        await self.watcher.fire()

    async def do(self, verb: Callable[..., Any], *args: Any, **more: Any) -> Any:
        return await self.desk.db.write(verb, *args, now=self.clock.now(), **more)

    def minute(self, at: datetime | None) -> float | None:
        return None if at is None else (at - self.opened) / timedelta(minutes=1)

    async def presence(self, operator_id: OperatorId) -> list[tuple[str, float | None, float | None]]:
        def spans(conn: Connection) -> list[Any]:
            query = select(PresenceSpan.__table__).where(PresenceSpan.operator_id == operator_id)
            return list(conn.execute(query.order_by(PresenceSpan.id)))

        return [
            (span.presence, self.minute(span.began_at), self.minute(span.ended_at))
            for span in await self.desk.db.read(spans)
        ]

    async def handling(self, operator_id: OperatorId) -> list[tuple[int, float | None, float | None]]:
        return [
            (span.conversation_id, self.minute(span.began_at), self.minute(span.ended_at))
            for span in await self.spans(operator_id)
        ]

    async def spans(self, operator_id: OperatorId) -> list[Any]:
        def found(conn: Connection) -> list[Any]:
            query = select(HandlingSpan.__table__).where(HandlingSpan.operator_id == operator_id)
            return list(conn.execute(query.order_by(HandlingSpan.began_at, HandlingSpan.id)))

        return await self.desk.db.read(found)

    async def resolutions(self, conversation_id: ConversationId) -> list[tuple[int | None, float | None, float | None]]:
        def found(conn: Connection) -> list[Any]:
            query = select(Resolution.__table__).where(Resolution.conversation_id == conversation_id)
            return list(conn.execute(query.order_by(Resolution.id)))

        return [
            (row.operator_id, self.minute(row.resolved_at), self.minute(row.reopened_at))
            for row in await self.desk.db.read(found)
        ]


@pytest.fixture
def record(desk: VerbDesk, clock: ManualClock) -> Record:
    return Record(desk, clock)


# --- presence -------------------------------------------------------------------------------------------------------


async def test_every_change_of_presence_ends_a_span_and_begins_one(record: Record) -> None:
    ann = await record.desk.operator("Ann", presence=Presence.OFFLINE)
    for minute, presence in ((5, Presence.ONLINE), (30, Presence.AWAY), (30, Presence.AWAY), (40, Presence.FINISHING)):
        await record.at(minute)
        await record.desk.presence(ann, presence)
    assert await record.presence(ann) == [
        ("offline", 0, 5),
        ("online", 5, 30),
        ("away", 30, 40),
        ("finishing", 40, None),
    ]


async def test_who_falls_silent_was_here_until_the_desk_noticed(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    await record.at(3)
    await record.do(operators.leave_unseen, seen_since=record.clock.now() - operators.SILENT_AFTER)
    assert (await record.presence(ann))[-2:] == [("online", 0, 3), ("offline", 3, None)]


async def test_a_disabled_account_is_here_no_more(record: Record) -> None:
    ann, boss = await record.desk.operator("Ann"), await record.desk.operator("Boss", role=Role.ADMINISTRATOR)
    await record.at(7)
    await record.do(
        operators.set_account, ann, by=boss, name="Ann", email="ann@desk.example", role=Role.OPERATOR, disabled=True
    )
    assert (await record.presence(ann))[-2:] == [("online", 0, 7), ("offline", 7, None)]


# --- handling -------------------------------------------------------------------------------------------------------


async def test_taking_begins_work_and_taking_the_next_ends_it(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    one = (await record.desk.chat("one", visitor="v1")).conversation_id
    two = (await record.desk.chat("two", visitor="v2")).conversation_id
    await record.at(1)
    await record.do(lifecycle.take, one, ann)
    await record.at(4)
    await record.do(lifecycle.take, two, ann)
    await record.at(6)
    await record.do(lifecycle.close, two, by=ann)
    assert await record.handling(ann) == [(one, 1, 4), (two, 4, 6)]


async def test_only_what_is_theirs_is_work_when_it_is_on_the_screen(record: Record) -> None:
    ann, bea = await record.desk.operator("Ann"), await record.desk.operator("Bea")
    conversation = (await record.desk.chat("Hello?")).conversation_id
    await record.do(lifecycle.assign, conversation, ann, by=bea, expected=None)
    for operator_id in (ann, bea):
        await record.do(handling.looks_at, operator_id, conversation)
    await record.at(2)
    await record.do(handling.looks_at, bea, conversation, writes=True)
    await record.at(3)
    await record.desk.db.write(handling.left, ann, conversation, at=record.clock.now())
    assert await record.handling(ann) == [(conversation, 0, 3)]
    assert await record.handling(bea) == [(conversation, 2, None)]


async def test_a_forgotten_screen_counts_ten_minutes_after_the_last_sign_of_work(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    conversation = (await record.desk.chat("Hello?")).conversation_id
    await record.do(lifecycle.take, conversation, ann)
    await record.at(8)
    await record.desk.note(conversation, ann, "Asked the warehouse.")
    await record.at(60)
    assert await record.handling(ann) == [(conversation, 0, 18)]
    await record.do(handling.looks_at, ann, conversation)
    assert await record.handling(ann) == [(conversation, 0, 18), (conversation, 60, None)]


async def test_a_sign_of_work_that_comes_after_ten_minutes_begins_anew_though_no_timer_ran(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    conversation = (await record.desk.chat("Hello?")).conversation_id
    await record.do(lifecycle.take, conversation, ann)
    record.clock.advance(timedelta(minutes=25))
    await record.do(handling.looks_at, ann, conversation)
    assert await record.handling(ann) == [(conversation, 0, 10), (conversation, 25, None)]


@pytest.mark.parametrize("presence", [Presence.AWAY, Presence.OFFLINE])
async def test_going_away_ends_all_work(record: Record, presence: Presence) -> None:
    ann = await record.desk.operator("Ann")
    conversation = (await record.desk.chat("Hello?")).conversation_id
    await record.do(lifecycle.take, conversation, ann)
    await record.at(2)
    await record.desk.presence(ann, Presence.FINISHING)
    await record.at(5)
    await record.desk.presence(ann, presence)
    assert await record.handling(ann) == [(conversation, 0, 5)]


async def test_handing_on_ends_the_work_of_one_and_accepting_begins_that_of_the_other(record: Record) -> None:
    ann, bea = await record.desk.operator("Ann"), await record.desk.operator("Bea")
    conversation = (await record.desk.chat("Hello?")).conversation_id
    await record.do(lifecycle.take, conversation, ann)
    await record.at(2)
    offer = await record.do(handoff.hand_off, conversation, by=ann, to=bea, brief=Brief(wants="Her parcel"))
    await record.at(3)
    await record.do(handoff.accept, offer, by=bea)
    await record.at(5)
    await record.do(lifecycle.snooze, conversation, record.clock.now() + timedelta(hours=1), by=bea)
    assert await record.handling(ann) == [(conversation, 0, 2)]
    assert await record.handling(bea) == [(conversation, 3, 5)]


@pytest.mark.parametrize("end", ["assign", "merge", "spam", "reply"])
async def test_what_leaves_an_operators_hands_is_no_longer_worked_on(record: Record, end: str) -> None:
    ann = await record.desk.operator("Ann")
    one = (await record.desk.chat("one", visitor="v1")).conversation_id
    two = (await record.desk.chat("two", visitor="v2")).conversation_id
    await record.do(lifecycle.take, one, ann)
    await record.at(4)
    match end:
        case "assign":
            await record.do(lifecycle.assign, one, None, by=ann, expected=ann)
        case "merge":
            await record.do(merging.merge, one, two, by=ann)
        case "spam":
            await record.do(lifecycle.mark_spam, one, by=ann)
        case "reply":
            await record.desk.reply(one, ann, "Good bye!", then=Status.CLOSED)
    assert await record.handling(ann) == [(one, 0, 4)]


async def test_a_visitor_who_gives_up_ends_the_work_for_them(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    conversation = (await record.desk.chat("Hello?", visitor="v")).conversation_id
    await record.do(lifecycle.take, conversation, ann)
    await record.at(1)
    await record.do(visitor_leaving.left, "v")
    await record.at(2)
    assert await record.handling(ann) == [(conversation, 0, 2)]


async def test_ringing_back_is_work_until_nobody_answers(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    called = await record.do(record_call, missed("c1", record.clock.now() - timedelta(seconds=30)))
    callback = await only_callback(record.desk.db, called.conversation_id)
    await record.at(1)
    await record.do(callbacks.take, callback.id, ann)
    await record.do(callbacks.dial, callback.id, ann)
    await record.at(2)
    await record.do(callbacks.outcome, callback.id, ann, AttemptOutcome.NO_ANSWER)
    [span] = await record.spans(ann)
    assert (record.minute(span.began_at), record.minute(span.ended_at), span.channel) == (1, 2, ChannelKind.PHONE)


async def test_a_long_talk_is_not_forgotten_and_the_summary_after_it_is_work_too(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    called = await record.do(record_call, missed("c1", record.clock.now() - timedelta(seconds=30)))
    callback = await only_callback(record.desk.db, called.conversation_id)
    await record.do(callbacks.take, callback.id, ann)
    await record.do(callbacks.dial, callback.id, ann)
    await record.at(25)
    await record.do(callbacks.outcome, callback.id, ann, AttemptOutcome.REACHED)
    await record.at(29)
    await record.do(summary.waive_summary, callback.id, ann, "All was said.")
    assert await record.handling(ann) == [(called.conversation_id, 0, 29)]


async def test_a_dialled_callback_nobody_reports_on_counts_ten_minutes(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    called = await record.do(record_call, missed("c1", record.clock.now() - timedelta(seconds=30)))
    callback = await only_callback(record.desk.db, called.conversation_id)
    await record.do(callbacks.take, callback.id, ann)
    await record.do(callbacks.dial, callback.id, ann)
    await record.at(90)
    assert await record.handling(ann) == [(called.conversation_id, 0, 10)]


async def test_the_talk_of_an_answered_call_is_work_from_the_answer_to_the_summary(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    began = record.clock.now()
    await record.at(7)
    called = await record.do(
        record_call,
        missed(
            "c1",
            began,
            outcome=CallOutcome.ANSWERED,
            answered_at=began + timedelta(minutes=1),
            lasted=timedelta(minutes=6),
            operator="ann@desk.example",
        ),
    )
    callback = await only_callback(record.desk.db, called.conversation_id)
    await record.at(9)
    await record.do(summary.waive_summary, callback.id, ann, "All was said.")
    assert await record.handling(ann) == [(called.conversation_id, 1, 9)]


async def test_late_news_of_a_call_adds_its_talk_once_to_what_is_known(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    began = record.clock.now()
    conversation = (await record.desk.call(MAIJA)).conversation_id
    await record.at(2)
    await record.do(lifecycle.take, conversation, ann)
    await record.at(4)
    await record.do(lifecycle.assign, conversation, None, by=ann, expected=ann)
    await record.at(60)
    for _ in range(2):
        await record.do(
            record_call,
            missed(
                "c1",
                began,
                outcome=CallOutcome.ANSWERED,
                answered_at=began + timedelta(minutes=1),
                lasted=timedelta(minutes=3),
                operator="ann@desk.example",
            ),
        )
    assert await record.handling(ann) == [(conversation, 1, 4)]


# --- resolutions ----------------------------------------------------------------------------------------------------


async def test_closing_resolves_and_the_customers_next_message_reopens(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    conversation = (await record.desk.chat("Hello?")).conversation_id
    await record.at(2)
    await record.desk.reply(conversation, ann, "It is on its way.", then=Status.CLOSED)
    await record.at(30)
    await record.desk.chat("It is not.", conversation_id=conversation)
    await record.at(40)
    await record.do(lifecycle.close, conversation, by=ann)
    await record.at(50)
    await record.do(lifecycle.reopen, conversation, by=ann)
    assert await record.resolutions(conversation) == [(ann, 2, 30), (ann, 40, 50)]


async def test_a_mistaken_closing_was_no_resolution(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    conversation = (await record.desk.chat("Hello?")).conversation_id
    await record.at(1)
    await record.do(lifecycle.close, conversation, by=ann, ending=Ending.NO_ANSWER_NEEDED)
    await record.at(3)
    await record.do(lifecycle.reopen, conversation, by=ann)
    assert await record.resolutions(conversation) == []


async def test_an_answer_that_was_not_delivered_reopens(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    conversation = (await record.desk.mail("Hello?")).conversation_id
    await record.at(1)
    written = await record.desk.reply(conversation, ann, "Good bye", then=Status.CLOSED)
    await record.at(9)
    await record.do(deliveries.failed_for_good, written.entry_id, "550 no such user")
    await record.at(10)
    await record.do(deliveries.try_again, written.entry_id, by=ann)
    assert await record.resolutions(conversation) == [(ann, 1, 9)]


async def test_spam_merged_and_abandoned_conversations_are_not_resolved(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    spam = (await record.desk.chat("Buy!", visitor="v1")).conversation_id
    twin = (await record.desk.chat("Hello?", visitor="v2")).conversation_id
    kept = (await record.desk.chat("Hello!", visitor="v3")).conversation_id
    gone = (await record.desk.chat("Anybody?", visitor="v4")).conversation_id
    await record.do(lifecycle.close, spam, by=ann)
    await record.at(5)
    await record.do(lifecycle.mark_spam, spam, by=ann)
    await record.do(merging.merge, twin, kept, by=ann)
    await record.do(visitor_leaving.left, "v4")
    await record.at(10)
    assert (await record.desk.row(gone)).status is Status.CLOSED
    for conversation in (spam, twin, kept, gone):
        assert await record.resolutions(conversation) == []


# --- offers and ratings ---------------------------------------------------------------------------------------------


async def test_an_offer_nobody_takes_is_written_down_once(record: Record) -> None:
    ann, bea = await record.desk.operator("Ann"), await record.desk.operator("Bea")
    conversation = (await record.desk.chat("Hello?")).conversation_id
    await record.do(lifecycle.take, conversation, ann)
    await record.at(1)
    offer = await record.do(handoff.hand_off, conversation, by=ann, to=bea, brief=Brief(wants="Help"))
    await record.do(handoff.decline, offer, by=bea)
    await record.do(handoff.hand_off, conversation, by=ann, to=bea, brief=Brief(wants="Help"))
    await record.at(20)

    def missed_offers(conn: Connection) -> list[Any]:
        return list(conn.execute(select(MissedOffer.__table__)))

    [row] = await record.desk.db.read(missed_offers)
    assert (row.operator_id, row.conversation_id) == (bea, conversation)
    assert (record.minute(row.offered_at), record.minute(row.missed_at)) == (1, 3)


async def test_the_last_mark_counts_for_whoever_resolved_it(record: Record) -> None:
    ann, bea = await record.desk.operator("Ann"), await record.desk.operator("Bea")
    conversation = (await record.desk.chat("Hello?")).conversation_id
    await record.desk.reply(conversation, ann, "I ask.")
    await record.do(lifecycle.close, conversation, by=bea)
    await record.do(ratings.rate, conversation, 2, "Slow")
    await record.at(5)
    await record.do(ratings.rate, conversation, 4, None)

    def rows(conn: Connection) -> list[Any]:
        return list(conn.execute(select(Rating.__table__)))

    [row] = await record.desk.db.read(rows)
    assert (row.score, row.words, row.operator_id, record.minute(row.at)) == (4, "Slow", bea, 5)
    found = await record.desk.db.read(ratings.of_conversation, conversation)
    assert found is not None
    assert (found.score, found.words) == (4, "Slow")


async def test_a_mark_follows_a_conversation_that_was_merged(record: Record) -> None:
    ann = await record.desk.operator("Ann")
    one = (await record.desk.chat("one", visitor="v1")).conversation_id
    two = (await record.desk.chat("two", visitor="v2")).conversation_id
    await record.do(merging.merge, one, two, by=ann)
    await record.do(ratings.rate, one, 5, "Thank you")
    assert await record.desk.db.read(ratings.of_conversation, one) is None
    assert await record.desk.db.read(ratings.of_conversation, two) is not None


@pytest.mark.parametrize(("score", "words"), [(0, None), (6, None), (3, "x" * 2_001)])
async def test_a_mark_that_is_none_is_refused(record: Record, score: int, words: str | None) -> None:
    conversation = (await record.desk.chat("Hello?")).conversation_id
    with pytest.raises(BadInput):
        await record.do(ratings.rate, conversation, score, words)
