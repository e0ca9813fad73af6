"""The desk speaks by itself: once for each wait, never ending one, never to a machine, and shows why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from autoreply.respond import HANDLER, presentable
from inbox import callbacks, merging, settings
from inbox.clock import ManualClock
from inbox.errors import CannotReach
from inbox.people.contacts import AddressLine
from inbox.reply import Recipients
from inbox.store import outbox
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId, Presence, Status
from tests.autoreply.conftest import AnsweringDesk

FRIDAY_EVENING = datetime(2026, 3, 13, 18, tzinfo=UTC)
MONDAY_MORNING = datetime(2026, 3, 16, 7, tzinfo=UTC)  # nine in Helsinki


async def test_a_visitor_at_night_is_told_when_the_desk_opens_and_keeps_waiting(
    desk: AnsweringDesk, clock: ManualClock
) -> None:
    await desk.office_hours()
    clock.set(FRIDAY_EVENING)
    asked = await desk.chat("Is anybody there?")
    await desk.settle()
    [said] = await desk.said(asked.conversation_id)
    assert "open again on Monday 16 March at 09:00" in said
    row = await desk.row(asked.conversation_id)
    assert row.waiting_since == FRIDAY_EVENING
    assert row.status is Status.OPEN
    assert [(d.sent, d.reason) for d in await desk.decisions(asked.conversation_id)] == [(True, "The desk is closed.")]


async def test_everybody_is_answered_in_their_own_language(desk: AnsweringDesk, clock: ManualClock) -> None:
    await desk.office_hours()
    clock.set(FRIDAY_EVENING)
    asked = await desk.chat("Onko siellä ketään?", language="fi")
    await desk.settle()
    [said] = await desk.said(asked.conversation_id)
    assert "maanantaina 16. maaliskuuta klo 9.00" in said


async def test_open_hours_without_anybody_are_said_as_they_are(desk: AnsweringDesk, clock: ManualClock) -> None:
    await desk.office_hours()
    clock.set(datetime(2026, 3, 16, 10, tzinfo=UTC))
    asked = await desk.chat("Hello?")
    await desk.settle()
    [said] = await desk.said(asked.conversation_id)
    assert "Nobody is at the desk" in said
    assert "until 17:00" in said


async def test_a_staffed_desk_keeps_silent_and_shows_that_it_did(desk: AnsweringDesk) -> None:
    await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    await desk.settle()
    assert await desk.said(asked.conversation_id) == []
    [decision] = await desk.decisions(asked.conversation_id)
    assert (decision.sent, decision.reason) == (False, "The desk is staffed.")


async def test_a_second_message_of_the_same_wait_gets_nothing_more(desk: AnsweringDesk) -> None:
    asked = await desk.chat("Hello?")
    await desk.settle()
    await desk.chat("Anybody?")
    await desk.settle()
    assert len(await desk.said(asked.conversation_id)) == 1


async def test_the_same_outbox_row_twice_says_it_once(desk: AnsweringDesk, clock: ManualClock) -> None:
    asked = await desk.chat("Hello?")
    [job] = await desk.db.write(outbox.claim, HANDLER, now=clock.now())
    await desk.respond(job)
    await desk.respond(job)
    assert len(await desk.said(asked.conversation_id)) == 1
    assert len(await desk.decisions(asked.conversation_id)) == 1


async def test_two_workers_at_the_same_row_say_it_once(desk: AnsweringDesk, clock: ManualClock) -> None:
    asked = await desk.chat("Hello?")
    [job] = await desk.db.write(outbox.claim, HANDLER, now=clock.now())
    await asyncio.gather(*(desk.respond(job) for _ in range(4)))
    assert len(await desk.said(asked.conversation_id)) == 1


async def test_the_desk_stops_at_once_when_a_person_writes(desk: AnsweringDesk) -> None:
    ann = await desk.operator("Ann", presence=Presence.AWAY)
    asked = await desk.chat("Hello?")
    await desk.reply(asked.conversation_id, ann, "I am here.")
    await desk.settle()
    assert await desk.said(asked.conversation_id) == []
    [decision] = await desk.decisions(asked.conversation_id)
    assert decision.reason == "The customer no longer waits."


async def test_after_three_texts_a_conversation_gets_no_more(desk: AnsweringDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann", presence=Presence.AWAY)
    for number in range(5):
        asked = await desk.chat(f"Question {number}")
        await desk.settle()
        await desk.reply(asked.conversation_id, ann, "Answer")
        clock.advance(timedelta(hours=1))
    assert len(await desk.said(asked.conversation_id)) == 3


async def test_a_late_chat_is_asked_for_patience_once(desk: AnsweringDesk, clock: ManualClock) -> None:
    await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    clock.advance(timedelta(minutes=2, seconds=59))
    await desk.settle()
    assert await desk.said(asked.conversation_id) == []
    clock.advance(timedelta(seconds=1))
    await desk.settle()
    clock.advance(timedelta(minutes=10))
    await desk.settle()
    [said] = await desk.said(asked.conversation_id)
    assert said.startswith("We are sorry that you have to wait.")
    row = await desk.row(asked.conversation_id)
    assert row.waiting_since is not None


async def test_a_mail_in_the_night_gets_a_receipt_and_the_next_one_that_day_does_not(
    desk: AnsweringDesk, clock: ManualClock
) -> None:
    first = await desk.mail("Where is my parcel?", subject="Parcel", name="Ann")
    await desk.settle()
    second = await desk.mail("And the invoice?", subject="Invoice")
    await desk.settle()
    [said] = await desk.said(first.conversation_id)
    assert said.startswith("Hello Ann,\n\nthank you for your mail.")
    assert said.endswith("Kauppa")
    assert await desk.said(second.conversation_id) == []
    clock.advance(timedelta(hours=25))
    third = await desk.mail("Hello again", subject="Hello")
    await desk.settle()
    assert len(await desk.said(third.conversation_id)) == 1


async def test_two_mails_at_the_same_moment_get_one_receipt(desk: AnsweringDesk) -> None:
    first = await desk.mail("Where is my parcel?", subject="Parcel")
    second = await desk.mail("And the invoice?", subject="Invoice")
    await desk.settle()
    said = await desk.said(first.conversation_id) + await desk.said(second.conversation_id)
    assert len(said) == 1


async def test_a_machine_gets_nothing(desk: AnsweringDesk) -> None:
    for data in ({"silence": "auto_replied"}, {"machine": "bulk", "machine_reason": "feedback_id"}, {"stranger": True}):
        asked = await desk.mail("I am away.", from_=f"{len(data)}@shop.example", data={"mail": data})
        await desk.settle()
        assert await desk.said(asked.conversation_id) == []
        [decision] = await desk.decisions(asked.conversation_id)
        assert not decision.sent


async def test_an_address_typed_into_the_chat_gets_no_mail(desk: AnsweringDesk) -> None:
    """Else anybody could let the desk write to anybody."""
    typed = [AddressLine(AddressKind.EMAIL, "victim@elsewhere.example")]
    asked = await desk.chat("Hello?", claimed=typed, answer_by=ChannelKind.EMAIL)
    await desk.settle()
    [entry] = [
        e for e in await desk.timeline(asked.conversation_id) if e.text in await desk.said(asked.conversation_id)
    ]
    assert entry.channel is ChannelKind.CHAT


async def test_a_caller_without_mail_or_chat_gets_nothing_and_the_desk_says_why(desk: AnsweringDesk) -> None:
    asked = await desk.call()
    await desk.settle()
    [decision] = await desk.decisions(asked.conversation_id)
    assert (decision.sent, decision.reason) == (False, "No way to write to the customer is known.")


async def test_who_asks_to_be_called_reads_the_number_and_the_time(desk: AnsweringDesk, clock: ManualClock) -> None:
    asked = await desk.chat("Please call me.")
    slot = callbacks.Slot(MONDAY_MORNING, MONDAY_MORNING + timedelta(hours=1))
    await desk.db.write(callbacks.create, asked.conversation_id, number="+358401234567", slot=slot, now=clock.now())
    await desk.settle()
    [said] = await desk.said(asked.conversation_id)
    assert "call you back on +358401234567 on Monday 16 March between 09:00 and 10:00" in said


async def test_a_text_of_the_house_replaces_the_built_in_one(desk: AnsweringDesk, clock: ManualClock) -> None:
    edited = {"en": {"chat_away": "{{ desk }} is out for lunch."}}
    await desk.db.write(settings.put, "texts", edited, now=clock.now())
    english, finnish = await desk.chat("Hello?"), await desk.chat("Hei?", visitor="ville", language="fi")
    await desk.settle()
    assert await desk.said(english.conversation_id) == ["Kauppa is out for lunch."]
    assert "Kiitos" in (await desk.said(finnish.conversation_id))[0]


async def test_a_broken_text_in_the_store_falls_back_to_the_built_in_one(
    desk: AnsweringDesk, clock: ManualClock
) -> None:
    edited = {"en": {"chat_away": "{% for x in secret %}{{ x.y() }}"}}
    await desk.db.write(settings.put, "texts", edited, now=clock.now())
    asked = await desk.chat("Hello?")
    await desk.settle()
    [said] = await desk.said(asked.conversation_id)
    assert "Nobody is at the desk" in said


async def test_nobody_to_send_to_is_a_decision_not_a_failure(answering: Callable[..., AnsweringDesk]) -> None:
    desk = answering()

    def nobody(
        conn: Connection, conversation_id: ConversationId, wanted: Recipients, *, automatic: bool
    ) -> dict[str, Any]:
        raise CannotReach("There is nobody to send this to.")

    desk.addressings[ChannelKind.EMAIL] = nobody
    asked = await desk.mail("Hello?")
    await desk.settle()
    [decision] = await desk.decisions(asked.conversation_id)
    assert (decision.sent, decision.reason) == (False, "There is nobody to send this to.")
    assert await desk.db.read(outbox.given_up) == []


async def test_a_merged_wait_is_answered_where_it_went(desk: AnsweringDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann", presence=Presence.AWAY)
    kept = await desk.chat("First matter")
    await desk.settle()
    await desk.reply(kept.conversation_id, ann, "Done")
    moved = await desk.mail("Second matter")
    await desk.db.write(merging.merge, moved.conversation_id, kept.conversation_id, by=ann, now=clock.now())
    await desk.settle()
    assert await desk.said(moved.conversation_id) == []
    assert (await desk.decisions(kept.conversation_id))[-1].text_name == "greeting"


def test_a_name_that_advertises_is_left_out() -> None:
    assert presentable(" Ann \n Smith ") == "Ann Smith"
    for name in ("Cheap pills http://spam.example", "www.spam.example", "x" * 61, "a@b.example", "<b>Ann</b>"):
        assert presentable(name) == ""


async def test_the_settings_of_the_desk_decide(answering: Callable[..., AnsweringDesk]) -> None:
    desk = answering(chat_when=[], apologise_on=[])
    asked = await desk.chat("Hello?")
    await desk.settle()
    [decision] = await desk.decisions(asked.conversation_id)
    assert (decision.sent, decision.reason) == (False, "No automatic text is wanted on this channel.")
