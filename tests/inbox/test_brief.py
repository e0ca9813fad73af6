"""A brief says what the record says, in its own words, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import web
from inbox import brief, callbacks, deliveries, handoff
from inbox.brief import draft_brief
from inbox.clock import ManualClock
from inbox.errors import NotFound
from inbox.handoff import Brief
from inbox.vocabulary import AttemptOutcome, ConversationId
from inbox.words import Words
from tests.support.verbs import VerbDesk

WORDS = Words(Path(web.__file__).parent / "locales")


async def drafted(desk: VerbDesk, conversation_id: ConversationId, language: str = "en") -> Brief:
    return await desk.db.read(draft_brief, conversation_id, WORDS, language, now=desk.clock.now())


async def test_what_the_customer_wants_is_said_in_their_words(desk: VerbDesk) -> None:
    asked = await desk.mail(
        "Hello,\n\nMy parcel 4711 has not arrived. It was due on Monday. It is for a birthday!\n\nBest regards\nAnn",
        subject="Parcel 4711",
    )
    await desk.mail("It is urgent now.", conversation_id=asked.conversation_id)
    found = await drafted(desk, asked.conversation_id)
    assert found.wants.splitlines() == [
        "Parcel 4711",
        "My parcel 4711 has not arrived. It was due on Monday.",
        "It is urgent now.",
    ]


async def test_what_was_done_names_who_and_when(desk: VerbDesk, clock: ManualClock) -> None:
    bea = await desk.operator("Bea")
    asked = await desk.chat("Where is my parcel?")
    clock.advance(timedelta(minutes=1))
    await desk.note(asked.conversation_id, bea, "Carrier says it is in Turku.")
    await desk.reply(asked.conversation_id, bea, "Hi Vera, it is in Turku. I'll ring you on Tuesday at 14:00.")
    found = await drafted(desk, asked.conversation_id)
    assert found.done.splitlines() == [
        "10 Mar 12:01 Bea noted: Carrier says it is in Turku.",
        "10 Mar 12:01 Bea answered: Hi Vera, it is in Turku. I'll ring you on Tuesday at 14:00.",
    ]
    assert found.promised == "10 Mar 12:01 Bea: I'll ring you on Tuesday at 14:00."
    assert found.next == ""


async def test_an_unanswered_question_is_what_comes_next(desk: VerbDesk, clock: ManualClock) -> None:
    bea = await desk.operator("Bea")
    asked = await desk.chat("Where is my parcel?")
    await desk.reply(asked.conversation_id, bea, "In Turku.")
    clock.advance(timedelta(minutes=3))
    await desk.chat("And when does it leave Turku?")
    found = await drafted(desk, asked.conversation_id)
    assert found.next == "Unanswered since 10 Mar 12:03: And when does it leave Turku?"
    assert found.promised == ""


async def test_a_callback_and_its_tries_are_part_of_the_story(desk: VerbDesk, clock: ManualClock) -> None:
    bea = await desk.operator("Bea")
    asked = await desk.chat("Please call me.")
    made = await desk.db.write(callbacks.create, asked.conversation_id, number="+358401234567", now=clock.now())
    await desk.db.write(callbacks.take, made.callback_id, bea, now=clock.now())
    await desk.db.write(callbacks.dial, made.callback_id, bea, now=clock.now())
    await desk.db.write(
        callbacks.outcome, made.callback_id, bea, AttemptOutcome.BUSY, note="Engaged twice.", now=clock.now()
    )
    found = await drafted(desk, asked.conversation_id)
    assert found.done == "10 Mar 12:00 Bea rang: busy: Engaged twice."
    assert "Call back: +358401234567" in found.next


async def test_an_agreed_call_is_a_promise(desk: VerbDesk, clock: ManualClock) -> None:
    asked = await desk.chat("Please call me.")
    at = clock.now() + timedelta(days=1)
    slot = callbacks.Slot(at, at + timedelta(hours=1))
    await desk.db.write(callbacks.create, asked.conversation_id, number="+358401234567", slot=slot, now=clock.now())
    found = await drafted(desk, asked.conversation_id)
    assert found.promised == "Call between 11 Mar 12:00 and 11 Mar 13:00"
    assert "Call back at the agreed time: 11 Mar 12:00" in found.next


async def test_an_answer_that_did_not_arrive_is_not_an_answer(desk: VerbDesk, clock: ManualClock) -> None:
    bea = await desk.operator("Bea")
    asked = await desk.mail("Where is my parcel?", subject="Parcel")
    written = await desk.reply(asked.conversation_id, bea, "In Turku.")
    await desk.db.write(deliveries.failed_for_good, written.entry_id, "no such user", now=clock.now())
    found = await drafted(desk, asked.conversation_id)
    assert "could not be delivered: In Turku." in found.done
    assert found.next.splitlines() == [
        "Unanswered since 10 Mar 12:00: Where is my parcel?",
        "The answer of 10 Mar 12:00 could not be delivered.",
    ]


async def test_a_question_about_a_time_is_no_promise_and_nothing_is_made_up(desk: VerbDesk) -> None:
    bea = await desk.operator("Bea")
    asked = await desk.chat("Hello")
    await desk.reply(asked.conversation_id, bea, "Does tomorrow at 10:00 suit you? Our street is Hämeentie 3.")
    found = await drafted(desk, asked.conversation_id)
    assert found.promised == ""


async def test_a_long_story_is_cut_and_says_so(desk: VerbDesk) -> None:
    bea = await desk.operator("Bea")
    asked = await desk.chat("Hello")
    for number in range(9):
        await desk.note(asked.conversation_id, bea, f"Step {number} " + "x" * 500)
    lines = (await drafted(desk, asked.conversation_id)).done.splitlines()
    assert lines[0] == "(3 earlier steps)"
    assert len(lines) == 1 + brief.DONE_LINES
    assert all(len(line) < 300 for line in lines)


async def test_quotations_and_greetings_are_left_out(desk: VerbDesk) -> None:
    asked = await desk.mail(
        "Hi Bea,\nYes, please.\nThank you,\nAnn\n\nOn Monday, 9 March 2026, Bea wrote:\n> Shall I send it again?",
        subject="Re: Parcel",
    )
    found = await drafted(desk, asked.conversation_id)
    assert found.wants == "Re: Parcel\nYes, please. Ann"


async def test_the_brief_is_in_the_language_of_its_reader(desk: VerbDesk) -> None:
    asked = await desk.chat("Missä pakettini on?")
    found = await drafted(desk, asked.conversation_id, "fi")
    assert found.next == "Vastaamatta 10.3. klo 12.00 alkaen: Missä pakettini on?"


async def test_a_brief_fits_what_a_handoff_takes(desk: VerbDesk, clock: ManualClock) -> None:
    bea, cleo = await desk.operator("Bea"), await desk.operator("Cleo")
    asked = await desk.chat("Where is my parcel?")
    found = await drafted(desk, asked.conversation_id)
    await desk.db.write(handoff.hand_off, asked.conversation_id, by=bea, to=cleo, brief=found, now=clock.now())
    [offer] = await desk.db.read(handoff.offers, operator_id=cleo)
    assert offer.brief["wants"] == found.wants


async def test_no_conversation_no_brief(desk: VerbDesk) -> None:
    with pytest.raises(NotFound):
        await drafted(desk, ConversationId(404))
