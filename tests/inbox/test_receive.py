"""The one way in: stored once, placed rightly, waiting from the first unanswered message."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from inbox import lifecycle, merging, receive
from inbox.clock import ManualClock
from inbox.errors import NotFound
from inbox.people.contacts import AddressLine, Sender
from inbox.reading import open_conversation
from inbox.store import attachments
from inbox.store.attachments import Stored
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId, Ending, EntryKind, OperatorId, Status, WaitStep
from inbox.waits import listing
from tests.support.verbs import VerbDesk


async def test_a_first_message_opens_a_conversation_and_starts_a_wait(desk: VerbDesk, clock: ManualClock) -> None:
    asked = await desk.chat("Where is my parcel?", name="Vera", language="fi")
    assert (asked.began, asked.duplicate, asked.number) == (True, False, 1)
    row = await desk.row(asked.conversation_id)
    assert (row.contact_name, row.subject, row.snippet) == ("Vera", "Where is my parcel?", "Where is my parcel?")
    assert (row.status, row.waiting_since, row.unread) == (Status.OPEN, clock.now(), 1)


async def test_eight_copies_at_once_are_stored_once(desk: VerbDesk) -> None:
    results = await asyncio.gather(*(desk.chat("Hello?", key="same") for _ in range(8)))
    assert len({(r.conversation_id, r.entry_id, r.number) for r in results}) == 1
    assert [r.duplicate for r in results].count(False) == 1
    assert await desk.texts(results[0].conversation_id) == ["Hello?"]


async def test_two_strangers_at_once_get_two_conversations(desk: VerbDesk) -> None:
    results = await asyncio.gather(*(desk.chat("Hello?", visitor=f"v{n}") for n in range(6)))
    assert len({r.conversation_id for r in results}) == 6
    assert len({r.contact_id for r in results}) == 6


async def test_messages_at_once_are_numbered_without_gaps(desk: VerbDesk) -> None:
    first = await desk.chat("0")
    await asyncio.gather(*(desk.chat(str(n)) for n in range(1, 10)))
    entries = await desk.timeline(first.conversation_id)
    assert [entry.number for entry in entries] == list(range(1, 11))
    row = await desk.row(first.conversation_id)
    assert (row.last_number, row.unread) == (10, 10)


async def test_an_answered_customer_who_writes_again_waits_again(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    clock.advance(timedelta(minutes=1))
    await desk.reply(asked.conversation_id, ann, "Good morning!")
    clock.advance(timedelta(minutes=1))
    again = await desk.chat("One more thing.")
    assert (again.conversation_id, again.reopened) == (asked.conversation_id, True)
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.waiting_since, row.unread) == (Status.OPEN, clock.now(), 1)
    assert [wait.first for wait in await desk.waits(asked.conversation_id)] == [True, False]


async def test_a_closed_chat_goes_on_within_its_time_and_begins_anew_after_it(
    desk: VerbDesk, clock: ManualClock
) -> None:
    asked = await desk.chat("Hello?")
    await desk.db.write(lifecycle.close, asked.conversation_id, by=None, now=clock.now())
    clock.advance(timedelta(hours=23))
    soon = await desk.chat("Me again.", rejoin_closed=timedelta(hours=24))
    assert (soon.conversation_id, soon.reopened) == (asked.conversation_id, True)
    await desk.db.write(lifecycle.close, asked.conversation_id, by=None, now=clock.now())
    clock.advance(timedelta(hours=25))
    late = await desk.chat("And again.", rejoin_closed=timedelta(hours=24))
    assert late.began


async def test_an_older_open_conversation_is_found_behind_a_newer_closed_one(
    desk: VerbDesk, clock: ManualClock
) -> None:
    caller = Sender(AddressLine(AddressKind.PHONE, "+358401234567"))
    older = await desk.receive(receive.Incoming(ChannelKind.PHONE, caller, "", kind=EntryKind.CALL))
    newer = await desk.receive(receive.Incoming(ChannelKind.PHONE, caller, "", kind=EntryKind.CALL))
    assert older.conversation_id != newer.conversation_id
    await desk.db.write(lifecycle.close, newer.conversation_id, by=None, now=clock.now())
    again = await desk.call()
    assert again.conversation_id == older.conversation_id


async def test_writing_into_an_agreed_pause_lets_the_clock_run_again(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    until = clock.now() + timedelta(days=1)
    await desk.db.write(lifecycle.snooze, asked.conversation_id, until, by=ann, now=clock.now(), agreed=True)
    assert (await desk.row(asked.conversation_id)).paused
    clock.advance(timedelta(hours=1))
    again = await desk.chat("I can't wait after all.")
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.paused, row.due_at) == (Status.OPEN, False, clock.now() + timedelta(minutes=5))
    assert again.reopened


async def test_a_call_counts_from_when_it_rang(desk: VerbDesk, clock: ManualClock) -> None:
    rang = clock.now() - timedelta(seconds=40)
    asked = await desk.call(occurred_at=rang)
    assert (await desk.row(asked.conversation_id)).waiting_since == rang
    future = await desk.call("+358407654321", occurred_at=clock.now() + timedelta(hours=1))
    assert (await desk.row(future.conversation_id)).waiting_since == clock.now()


async def test_a_machine_is_kept_but_nobody_waits(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.mail("Hello", subject="Parcel")
    await desk.db.write(lifecycle.close, asked.conversation_id, by=ann, now=clock.now())
    report = await desk.mail(
        "I am away.", conversation_id=asked.conversation_id, starts_wait=False, kind=EntryKind.REPORT
    )
    row = await desk.row(asked.conversation_id)
    assert (report.reopened, row.status, row.waiting_since, row.unread) == (False, Status.CLOSED, None, 0)
    assert "I am away." in await desk.texts(asked.conversation_id)


async def test_what_people_called_spam_stays_put_away(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.mail("Cheap pills", subject="Pills")
    await desk.db.write(lifecycle.mark_spam, asked.conversation_id, by=ann, now=clock.now())
    await desk.mail("More pills", conversation_id=asked.conversation_id)
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.waiting_since) == (Status.CLOSED, None)
    assert "More pills" in await desk.texts(asked.conversation_id)
    [wait] = await desk.waits(asked.conversation_id)
    assert wait.ending is Ending.SPAM


async def test_a_message_to_a_merged_conversation_arrives_where_it_went(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    kept, gone = await desk.mail("One", subject="A"), await desk.mail("Two", subject="B")
    await desk.db.write(merging.merge, gone.conversation_id, kept.conversation_id, by=ann, now=clock.now())
    again = await desk.mail("Three", conversation_id=gone.conversation_id)
    assert again.conversation_id == kept.conversation_id


async def test_a_typed_address_is_noted_but_proves_nothing(desk: VerbDesk) -> None:
    known = await desk.mail("I am the real one", from_="ann@shop.example")
    typed = [AddressLine(AddressKind.EMAIL, "Ann@Shop.example")]
    visitor = await desk.chat("I say I am Ann", claimed=typed)
    assert visitor.contact_id != known.contact_id
    view = await desk.db.read(open_conversation, visitor.conversation_id, OperatorId(0))
    assert {p.written for p in view.participants} == {"vera", "ann@shop.example"}
    assert [other.id for other in view.card.others] == []


async def test_files_go_with_their_message_and_cannot_be_taken_twice(desk: VerbDesk, clock: ManualClock) -> None:
    stored = Stored("a" * 64, 3, "text/plain", "a.txt", "a.txt")
    file = await desk.db.write(attachments.add, stored, uploaded_by="visitor:vera", now=clock.now())
    first = await desk.chat("See here", attachments=[file])
    second = await desk.chat("And mine", visitor="ville", attachments=[file])
    [entry] = await desk.timeline(first.conversation_id)
    assert [a.name for a in entry.attachments] == ["a.txt"]
    [other] = await desk.timeline(second.conversation_id)
    assert other.attachments == ()


@pytest.mark.parametrize("text", ["a\x00b", "half \ud83d pair", "\u202eevil", "🧶" * 50, "", "x" * 100_000])
async def test_any_text_is_kept(desk: VerbDesk, text: str) -> None:
    asked = await desk.chat(text, name=text[:50], data={"note": text[:50]}, subject=text[:50])
    [kept] = await desk.texts(asked.conversation_id)
    assert kept == text.replace("\x00", "\ufffd").replace("\ud83d", "\ufffd")


async def test_nothing_is_made_for_a_conversation_that_is_not_there(desk: VerbDesk) -> None:
    with pytest.raises(NotFound):
        await desk.mail("Hello", conversation_id=ConversationId(404))


async def test_the_ledger_says_what_started_the_wait(desk: VerbDesk) -> None:
    asked = await desk.chat("Hello?")
    [wait] = await desk.waits(asked.conversation_id)
    [line] = await desk.db.read(listing.lines, wait.id)
    assert (line.step, line.data["entry"]) == (WaitStep.STARTED, asked.entry_id)
