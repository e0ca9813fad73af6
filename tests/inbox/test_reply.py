"""Answers: written once, against the timeline as it is, ending the wait; notes touch no clock."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from inbox import lifecycle, merging
from inbox.clock import ManualClock
from inbox.drafts import save
from inbox.errors import BadInput, CannotReach, TimelineMoved
from inbox.people.contacts import AddressLine
from inbox.reading import open_conversation
from inbox.reply import AutomaticText, Recipients, write_automatic
from inbox.store import attachments
from inbox.store.attachments import Stored
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId, Delivery, Ending, EntryKind, Status
from tests.support.verbs import VerbDesk


async def test_a_reply_ends_the_wait_and_takes_the_conversation(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    clock.advance(timedelta(seconds=75))
    await desk.reply(asked.conversation_id, ann, "Good morning!")
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.owner_id, row.waiting_since, row.unread) == (Status.PENDING, ann, None, 0)
    [wait] = await desk.waits(asked.conversation_id)
    assert (wait.ending, wait.ended_by, wait.wall_s) == (Ending.ANSWERED, "Ann", 75)


async def test_answering_somebody_elses_conversation_leaves_its_owner(desk: VerbDesk, clock: ManualClock) -> None:
    ann, bea = await desk.operator("Ann"), await desk.operator("Bea")
    asked = await desk.chat("Hello?")
    await desk.db.write(lifecycle.take, asked.conversation_id, ann, now=clock.now())
    await desk.reply(asked.conversation_id, bea, "Ann is at lunch; I can help.")
    assert (await desk.row(asked.conversation_id)).owner_id == ann


async def test_the_same_draft_sent_twice_is_stored_once(desk: VerbDesk) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    draft = {"key": "draft:once", "seen": 1}
    results = await asyncio.gather(*(desk.reply(asked.conversation_id, ann, "Hi!", **draft) for _ in range(5)))
    assert len({r.entry_id for r in results}) == 1
    assert [r.duplicate for r in results].count(False) == 1
    assert await desk.texts(asked.conversation_id) == ["Hello?", "Hi!"]


@pytest.mark.parametrize("key", ["", "x" * 101])
async def test_a_draft_needs_a_key_of_its_own(desk: VerbDesk, key: str) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    with pytest.raises(BadInput) as refused:
        await desk.reply(asked.conversation_id, ann, "Hi!", key=key)
    assert refused.value.field == "key"


async def test_a_key_used_elsewhere_is_refused_instead_of_swallowing_the_reply(desk: VerbDesk) -> None:
    ann, bea = await desk.operator("Ann"), await desk.operator("Bea")
    one, two = await desk.chat("One"), await desk.chat("Two", visitor="ville")
    await desk.reply(one.conversation_id, ann, "Hi!", key="k")
    for conversation_id, by in ((two.conversation_id, ann), (one.conversation_id, bea)):
        with pytest.raises(BadInput):
            await desk.reply(conversation_id, by, "Lost?", key="k")


async def test_of_two_operators_who_answer_at_once_one_is_told(desk: VerbDesk) -> None:
    ann, bea = await desk.operator("Ann"), await desk.operator("Bea")
    asked = await desk.chat("Hello?")
    results = await asyncio.gather(
        desk.reply(asked.conversation_id, ann, "I can help.", seen=1),
        desk.reply(asked.conversation_id, bea, "I can help too.", seen=1),
        return_exceptions=True,
    )
    [stopped] = [r for r in results if isinstance(r, BaseException)]
    assert isinstance(stopped, TimelineMoved)
    assert stopped.since == 1
    assert len(await desk.texts(asked.conversation_id)) == 2


async def test_having_seen_the_news_one_may_send_even_so(desk: VerbDesk) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    await desk.chat("Are you there?")
    with pytest.raises(TimelineMoved):
        await desk.reply(asked.conversation_id, ann, "Hi!", seen=1)
    await desk.reply(asked.conversation_id, ann, "Hi!", seen=1, even_so=True)
    assert (await desk.texts(asked.conversation_id))[-1] == "Hi!"


async def test_ones_own_entries_and_status_lines_are_no_news(desk: VerbDesk, clock: ManualClock) -> None:
    ann, bea = await desk.operator("Ann"), await desk.operator("Bea")
    asked = await desk.chat("Hello?")
    await desk.note(asked.conversation_id, ann, "Looking into it.", seen=1)
    await desk.db.write(lifecycle.assign, asked.conversation_id, ann, by=bea, expected=None, now=clock.now())
    await desk.reply(asked.conversation_id, ann, "Hi!", seen=1)


async def test_a_colleagues_note_is_news(desk: VerbDesk) -> None:
    ann, bea = await desk.operator("Ann"), await desk.operator("Bea")
    asked = await desk.chat("Hello?")
    await desk.note(asked.conversation_id, bea, "Careful: lawyer.", seen=1)
    with pytest.raises(TimelineMoved):
        await desk.reply(asked.conversation_id, ann, "Hi!", seen=1)


async def test_a_note_touches_no_clock_and_never_leaves(desk: VerbDesk) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    before = await desk.row(asked.conversation_id)
    await desk.note(asked.conversation_id, ann, "Regular customer.")
    after = await desk.row(asked.conversation_id)
    assert (after.waiting_since, after.due_at, after.snippet) == (before.waiting_since, before.due_at, before.snippet)
    public = await desk.timeline(asked.conversation_id, public_only=True)
    assert [entry.text for entry in public] == ["Hello?"]
    [_, written] = await desk.timeline(asked.conversation_id)
    assert (written.kind, written.delivery) == (EntryKind.NOTE, None)


@pytest.mark.parametrize("text", ["", " \n ", "x" * 200_001])
async def test_nothing_and_too_much_cannot_be_sent(desk: VerbDesk, text: str) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    for verb in (desk.reply, desk.note):
        with pytest.raises(BadInput) as refused:
            await verb(asked.conversation_id, ann, text)
        assert refused.value.field == "text"


async def test_a_reply_may_close(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    await desk.reply(asked.conversation_id, ann, "Done!", then=Status.CLOSED)
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.waiting_since) == (Status.CLOSED, None)


async def test_files_of_others_cannot_be_sent(desk: VerbDesk, clock: ManualClock) -> None:
    ann, bea = await desk.operator("Ann"), await desk.operator("Bea")
    asked = await desk.chat("Hello?")
    stored = Stored("a" * 64, 3, "text/plain", "a.txt", "a.txt")
    hers = await desk.db.write(attachments.add, stored, uploaded_by=f"operator:{bea}", now=clock.now())
    with pytest.raises(BadInput) as refused:
        await desk.reply(asked.conversation_id, ann, "See here", attachments=[hers])
    assert refused.value.field == "attachments"
    assert await desk.texts(asked.conversation_id) == ["Hello?"]
    await desk.reply(asked.conversation_id, bea, "See here", attachments=[hers])
    assert [a.name for a in (await desk.timeline(asked.conversation_id))[-1].attachments] == ["a.txt"]


async def test_sending_forgets_the_draft(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    for kind in (EntryKind.REPLY, EntryKind.NOTE):
        await desk.db.write(save, asked.conversation_id, ann, kind, "Good mor", {}, now=clock.now())
    await desk.reply(asked.conversation_id, ann, "Good morning!")
    view = await desk.db.read(open_conversation, asked.conversation_id, ann)
    assert [draft.kind for draft in view.drafts] == ["note"]


async def test_a_caller_is_answered_by_mail_when_one_is_known(desk: VerbDesk) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.call()
    with pytest.raises(CannotReach):
        await desk.reply(asked.conversation_id, ann, "We tried to ring.")
    known = await desk.chat("Hello", visitor="x", claimed=[AddressLine(AddressKind.EMAIL, "v@shop.example")])
    await desk.reply(known.conversation_id, ann, "By chat.")
    by_mail = await desk.chat("By mail", visitor="x", answer_by=ChannelKind.EMAIL)
    await desk.reply(by_mail.conversation_id, ann, "By mail.")
    channels = [e.channel for e in await desk.timeline(known.conversation_id) if e.kind is EntryKind.REPLY]
    assert channels == [ChannelKind.CHAT, ChannelKind.EMAIL]


async def test_recipients_are_fixed_when_it_is_sent(desk: VerbDesk) -> None:
    asked_for: list[tuple[Recipients, bool]] = []

    def addressing(
        conn: Connection, conversation_id: ConversationId, wanted: Recipients, *, automatic: bool
    ) -> dict[str, Any]:
        asked_for.append((wanted, automatic))
        return {"mail": {"to": [{"name": "", "address": "ann@shop.example"}], "cc": []}}

    desk.addressings[ChannelKind.EMAIL] = addressing
    ann = await desk.operator("Ann")
    asked = await desk.mail("Hello", subject="Parcel")
    chosen = Recipients(to=["b@shop.example"])
    await desk.reply(asked.conversation_id, ann, "Hi!", recipients=chosen)
    entry = (await desk.timeline(asked.conversation_id))[-1]
    assert asked_for == [(chosen, False)]
    assert entry.data["mail"]["to"] == [{"name": "", "address": "ann@shop.example"}]
    assert entry.delivery is Delivery.QUEUED


async def test_a_merged_conversation_is_answered_where_it_went(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    kept, gone = await desk.mail("One", subject="A"), await desk.mail("Two", subject="B")
    await desk.db.write(merging.merge, gone.conversation_id, kept.conversation_id, by=ann, now=clock.now())
    with pytest.raises(BadInput):
        await desk.reply(gone.conversation_id, ann, "Hi!")


async def test_a_person_who_answers_spam_takes_it_out_of_there(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Looks like spam")
    await desk.db.write(lifecycle.mark_spam, asked.conversation_id, by=ann, now=clock.now())
    await desk.reply(asked.conversation_id, ann, "You are real after all.")
    again = await desk.chat("Thank you!")
    assert again.conversation_id == asked.conversation_id
    assert (await desk.row(asked.conversation_id)).waiting_since == clock.now()


async def test_an_automatic_text_ends_nothing_and_is_said_once(desk: VerbDesk, clock: ManualClock) -> None:
    asked = await desk.chat("Hello?")
    [wait] = await desk.waits(asked.conversation_id)
    text = AutomaticText(
        asked.conversation_id, wait.id, "greeting", "We are closed.", ChannelKind.CHAT, "vera", "closed"
    )
    results = [
        await desk.db.write(write_automatic, text, addressings={}, now=clock.now()),
        await desk.db.write(write_automatic, text, addressings={}, now=clock.now()),
    ]
    assert [r is not None for r in results] == [True, False]
    row = await desk.row(asked.conversation_id)
    assert (row.status, row.waiting_since, row.snippet) == (Status.OPEN, clock.now(), "Hello?")
