"""A mail can be taken back for eight seconds; an answer planned for a time leaves then, or is held for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from channels.channel import Sent
from channels.delivery import HANDLER, Deliver
from channels.email.addressing import EmailAddressing
from channels.email.settings import EmailSettings, SupportAddress
from inbox import drafts, later, lifecycle, merging, reading
from inbox.clock import ManualClock
from inbox.errors import AddressFails, AlreadySettled, BadInput, NotAllowed
from inbox.events import ReplyWritten
from inbox.people import contacts
from inbox.people.contacts import AddressLine
from inbox.reply import UNDO, Addressings, Block, Recipients
from inbox.store import attachments
from inbox.store.attachments import Stored
from inbox.store.outbox_worker import OutboxWorker
from inbox.taking_back import take_back
from inbox.vocabulary import (
    AddressKind,
    AttachmentId,
    ChannelKind,
    ConversationId,
    Delivery,
    EntryId,
    EntryKind,
    OperatorId,
    PlannedId,
    PlannedState,
    Status,
)
from tests.support.verbs import VerbDesk

SETTINGS = EmailSettings(addresses=(SupportAddress(address="help@desk.example", name="Help"),))


@pytest.fixture
def durable() -> Mapping[type, Sequence[str]]:
    return {ReplyWritten: [HANDLER]}


@pytest.fixture
def addressings(desk: VerbDesk) -> Addressings:
    desk.addressings[ChannelKind.EMAIL] = EmailAddressing(SETTINGS)
    return desk.addressings


class Postman:
    def __init__(self) -> None:
        self.carried: list[EntryId] = []

    async def __call__(self, conversation_id: ConversationId, entry_id: EntryId) -> Sent:
        self.carried.append(entry_id)
        return Sent()


def worker(desk: VerbDesk, postman: Postman) -> OutboxWorker:
    return OutboxWorker(desk.db, desk.clock, HANDLER, Deliver(desk.db, desk.clock, {ChannelKind.EMAIL: postman}))


def written_by(from_: str, cc: str = "") -> dict[str, Any]:
    people = [{"name": "", "address": cc}] if cc else []
    return {
        "mail": {
            "subject": "Parcel", "message_id": "<1@shop.example>", "author": {"name": "", "address": from_},
            "to": [{"name": "", "address": "help@desk.example"}], "cc": people,
        }
    }  # fmt: skip


async def asked(desk: VerbDesk) -> ConversationId:
    got = await desk.mail("Where is it?", subject="Parcel", data=written_by("ann@shop.example", "bob@shop.example"))
    desk.clock.advance(timedelta(seconds=40))
    return got.conversation_id


async def file_of(desk: VerbDesk, operator_id: OperatorId) -> AttachmentId:
    stored = Stored("0" * 64, 3, "application/pdf", "list.pdf", "list.pdf")
    return await desk.db.write(attachments.add, stored, uploaded_by=f"operator:{operator_id}", now=desk.clock.now())


async def fire(desk: VerbDesk, addressings: Addressings) -> int:
    return await desk.db.write(later.fire_due, addressings=addressings, now=desk.clock.now())


async def planned_in(desk: VerbDesk, conversation_id: ConversationId) -> list[later.Planned]:
    return await desk.db.read(later.of_conversation, conversation_id)


async def plan(desk: VerbDesk, conversation_id: ConversationId, by: OperatorId, at: datetime, **more: Any) -> PlannedId:
    draft = await desk.draft(conversation_id, by, "Tomorrow it is there.", **more)
    return await desk.db.write(later.plan, draft, at, addressings=desk.addressings, now=desk.clock.now())


# --- taking back ----------------------------------------------------------------------------------------------------


async def test_a_mail_waits_eight_seconds_and_leaves_once(desk: VerbDesk, addressings: Addressings) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    written = await desk.reply(conversation, ann, "Here.", hold=UNDO)
    postman = Postman()
    work = worker(desk, postman)
    desk.clock.advance(UNDO - timedelta(microseconds=1))
    assert await work.work_off() == 0
    desk.clock.advance(timedelta(microseconds=1))
    assert await work.work_off() == 1
    assert postman.carried == [written.entry_id]
    with pytest.raises(AlreadySettled):
        await desk.db.write(take_back, written.entry_id, by=ann, now=desk.clock.now())


async def test_taken_back_after_a_merge_it_is_a_draft_and_a_wait_where_the_talk_goes_on(
    desk: VerbDesk, addressings: Addressings
) -> None:
    ann, bob = await desk.operator("Ann"), await desk.operator("Bob")
    conversation = await asked(desk)
    started = (await desk.row(conversation)).waiting_since
    other = (await desk.mail("Another matter", from_="cat@shop.example")).conversation_id
    await desk.reply(other, ann, "Done.", then=Status.CLOSED)
    written = await desk.reply(conversation, ann, "Here.", hold=UNDO)
    await desk.db.write(merging.merge, conversation, other, by=bob, now=desk.clock.now())
    returned = await desk.db.write(take_back, written.entry_id, by=ann, now=desk.clock.now())
    assert returned.conversation_id == other
    view = await desk.db.read(reading.open_conversation, other, ann)
    assert [one.text for one in view.drafts] == ["Here."]
    row = await desk.row(other)
    assert (row.status, row.waiting_since) == (Status.OPEN, started)
    assert (await desk.row(conversation)).waiting_since is None


async def test_a_chat_answer_waits_for_nothing(desk: VerbDesk) -> None:
    ann = await desk.operator("Ann")
    chat = await desk.chat("Hello?")
    written = await desk.reply(chat.conversation_id, ann, "Hi!", hold=UNDO)
    assert written.leaves_at is None
    with pytest.raises(AlreadySettled):
        await desk.db.write(take_back, written.entry_id, by=ann, now=desk.clock.now())


async def test_taken_back_the_wait_runs_on_from_its_start_and_the_draft_is_whole_again(
    desk: VerbDesk, addressings: Addressings
) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    before = await desk.row(conversation)
    file = await file_of(desk, ann)
    written = await desk.reply(
        conversation,
        ann,
        "Here.",
        hold=UNDO,
        attachments=[file],
        recipients=Recipients(to=["ann@shop.example"], cc=["carl@shop.example"]),
        block=Block(understood="You wait."),
    )
    [wait] = await desk.waits(conversation)
    assert wait.ended_at is not None
    desk.clock.advance(timedelta(seconds=3))
    returned = await desk.db.write(take_back, written.entry_id, by=ann, now=desk.clock.now())
    row = await desk.row(conversation)
    [wait] = await desk.waits(conversation)
    assert wait.ended_at is None
    assert (row.waiting_since, row.status, row.unread) == (before.waiting_since, Status.OPEN, 1)
    assert (row.owner_id, row.snippet) == (None, "Where is it?")
    assert returned.text == "Here."
    assert returned.data["recipients"] == {"to": ["ann@shop.example"], "cc": ["carl@shop.example"]}
    assert [one["id"] for one in returned.data["attachments"]] == [file]
    view = await desk.db.read(reading.open_conversation, conversation, ann)
    assert [one.text for one in view.drafts] == ["Here."]
    assert view.drafts[0].data["block"]["understood"] == "You wait."
    last = (await desk.timeline(conversation))[-1]
    assert (last.kind, last.text, last.data["what"]) == (EntryKind.STATUS, "", "reply_taken_back")
    postman = Postman()
    desk.clock.advance(timedelta(minutes=5))
    assert await worker(desk, postman).work_off() == 0
    again = await desk.reply(conversation, ann, "Here it is.", attachments=[file])
    assert await worker(desk, postman).work_off() == 1
    assert postman.carried == [again.entry_id]


async def test_taking_back_keeps_what_was_begun_meanwhile(desk: VerbDesk, addressings: Addressings) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    written = await desk.reply(conversation, ann, "First.", hold=UNDO)
    await desk.db.write(drafts.save, conversation, ann, EntryKind.REPLY, "Second", {}, now=desk.clock.now())
    await desk.db.write(take_back, written.entry_id, by=ann, now=desk.clock.now())
    view = await desk.db.read(reading.open_conversation, conversation, ann)
    assert [one.text for one in view.drafts] == ["First.\n\nSecond"]


async def test_only_who_wrote_it_takes_it_back(desk: VerbDesk, addressings: Addressings) -> None:
    ann, ben = await desk.operator("Ann"), await desk.operator("Ben")
    conversation = await asked(desk)
    written = await desk.reply(conversation, ann, "Here.", hold=UNDO)
    with pytest.raises(NotAllowed):
        await desk.db.write(take_back, written.entry_id, by=ben, now=desk.clock.now())
    await desk.db.write(take_back, written.entry_id, by=ann, now=desk.clock.now())
    with pytest.raises(AlreadySettled):
        await desk.db.write(take_back, written.entry_id, by=ann, now=desk.clock.now())


async def test_a_mail_that_closed_its_conversation_is_taken_back_with_the_closing(
    desk: VerbDesk, addressings: Addressings
) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    written = await desk.reply(conversation, ann, "Done.", hold=UNDO, then=Status.CLOSED)
    assert (await desk.row(conversation)).status is Status.CLOSED
    await desk.db.write(take_back, written.entry_id, by=ann, now=desk.clock.now())
    row = await desk.row(conversation)
    assert row.status is Status.OPEN
    assert row.waiting_since is not None


async def test_a_mail_taken_while_it_is_being_sent_cannot_be_taken_back(
    desk: VerbDesk, addressings: Addressings
) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    written = await desk.reply(conversation, ann, "Here.", hold=UNDO)
    desk.clock.advance(UNDO)
    refused: list[type[Exception]] = []

    class Hesitant(Postman):
        async def __call__(self, conversation_id: ConversationId, entry_id: EntryId) -> Sent:
            try:
                await desk.db.write(take_back, entry_id, by=ann, now=desk.clock.now() - timedelta(seconds=1))
            except AlreadySettled as error:
                refused.append(type(error))
            return await super().__call__(conversation_id, entry_id)

    postman = Hesitant()
    await worker(desk, postman).work_off()
    assert (refused, postman.carried) == ([AlreadySettled], [written.entry_id])
    assert (await desk.timeline(conversation))[-1].delivery is Delivery.SENT


# --- planned --------------------------------------------------------------------------------------------------------


async def test_a_planned_answer_ends_the_wait_when_it_leaves_and_not_before(
    desk: VerbDesk, addressings: Addressings
) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    at = desk.clock.now() + timedelta(hours=2)
    await plan(desk, conversation, ann, at, recipients=Recipients(to=["ann@shop.example"], cc=[]))
    assert await desk.db.read(later.next_due) == at
    assert (await desk.row(conversation)).waiting_since is not None
    desk.clock.advance(timedelta(hours=2) - timedelta(seconds=1))
    assert await fire(desk, addressings) == 0
    desk.clock.advance(timedelta(seconds=1))
    assert await fire(desk, addressings) == 1
    assert await fire(desk, addressings) == 0
    row = await desk.row(conversation)
    assert (row.waiting_since, row.status) == (None, Status.PENDING)
    entry = (await desk.timeline(conversation))[-1]
    assert (entry.kind, entry.text, entry.delivery) == (EntryKind.REPLY, "Tomorrow it is there.", Delivery.QUEUED)
    assert [one["address"] for one in entry.data["mail"]["to"]] == ["ann@shop.example"]
    assert entry.data["mail"]["cc"] == []
    assert await planned_in(desk, conversation) == []


async def test_a_customer_who_writes_before_it_leaves_holds_it_back(desk: VerbDesk, addressings: Addressings) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    planned = await plan(desk, conversation, ann, desk.clock.now() + timedelta(hours=1))
    await desk.mail("It has come!", conversation_id=conversation, data=written_by("ann@shop.example"))
    [shown] = await planned_in(desk, conversation)
    assert (shown.state, shown.news) == (PlannedState.WAITING, True)
    desk.clock.advance(timedelta(hours=1))
    await fire(desk, addressings)
    [shown] = await planned_in(desk, conversation)
    assert (shown.state, shown.held_because) == (PlannedState.HELD, "news")
    assert (await desk.happened(conversation))[-1] == "plan_held"
    assert (await desk.row(conversation)).waiting_since is not None
    assert await desk.db.read(later.next_due) is None
    await desk.db.write(later.send_now, planned, by=ann, addressings=addressings, now=desk.clock.now())
    assert (await desk.timeline(conversation))[-1].text == "Tomorrow it is there."
    assert (await desk.row(conversation)).waiting_since is None
    with pytest.raises(AlreadySettled):
        await desk.db.write(later.send_now, planned, by=ann, addressings=addressings, now=desk.clock.now())


async def test_a_held_answer_given_another_time_leaves_then(desk: VerbDesk, addressings: Addressings) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    planned = await plan(desk, conversation, ann, desk.clock.now() + timedelta(hours=1))
    await desk.mail("One more thing", conversation_id=conversation, data=written_by("ann@shop.example"))
    desk.clock.advance(timedelta(hours=1))
    await fire(desk, addressings)
    await desk.db.write(later.put_off, planned, desk.clock.now() + timedelta(hours=1), by=ann, now=desk.clock.now())
    desk.clock.advance(timedelta(hours=1))
    await fire(desk, addressings)
    assert (await desk.timeline(conversation))[-1].kind is EntryKind.REPLY


async def test_a_closed_or_merged_conversation_holds_what_was_planned(desk: VerbDesk, addressings: Addressings) -> None:
    ann = await desk.operator("Ann")
    closed, merged = await asked(desk), await asked(desk)
    other = (await desk.mail("Other", subject="Other", from_="zoe@shop.example")).conversation_id
    for conversation in (closed, merged):
        await plan(desk, conversation, ann, desk.clock.now() + timedelta(hours=1))
    await desk.db.write(lifecycle.close, closed, by=ann, now=desk.clock.now())
    await desk.db.write(merging.merge, merged, other, by=ann, now=desk.clock.now())
    desk.clock.advance(timedelta(hours=1))
    assert await fire(desk, addressings) == 2
    assert [one.held_because for one in await planned_in(desk, closed)] == ["closed"]
    assert (await desk.row(closed)).status is Status.OPEN
    assert [one.held_because for one in await planned_in(desk, other)] == ["merged"]


async def test_cancelled_the_words_are_a_draft_again(desk: VerbDesk, addressings: Addressings) -> None:
    ann, ben = await desk.operator("Ann"), await desk.operator("Ben")
    conversation = await asked(desk)
    file = await file_of(desk, ann)
    planned = await plan(desk, conversation, ann, desk.clock.now() + timedelta(hours=1), attachments=[file])
    returned = await desk.db.write(later.cancel, planned, by=ben, now=desk.clock.now())
    assert [one["id"] for one in returned.data["attachments"]] == [file]
    view = await desk.db.read(reading.open_conversation, conversation, ann)
    assert ([one.text for one in view.drafts], view.planned) == (["Tomorrow it is there."], [])
    desk.clock.advance(timedelta(hours=1))
    assert await fire(desk, addressings) == 0
    with pytest.raises(AlreadySettled):
        await desk.db.write(later.cancel, planned, by=ann, now=desk.clock.now())


async def test_planning_the_same_draft_twice_plans_it_once(desk: VerbDesk, addressings: Addressings) -> None:
    ann, ben = await desk.operator("Ann"), await desk.operator("Ben")
    conversation = await asked(desk)
    at = desk.clock.now() + timedelta(hours=1)
    assert await plan(desk, conversation, ann, at, key="k") == await plan(desk, conversation, ann, at, key="k")
    with pytest.raises(BadInput):
        await plan(desk, conversation, ben, at, key="k")
    with pytest.raises(BadInput):
        await plan(desk, conversation, ann, desk.clock.now(), key="past")


async def test_a_time_that_passed_while_the_desk_was_down_is_made_up_for_once(
    desk: VerbDesk, addressings: Addressings, clock: ManualClock
) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    await plan(desk, conversation, ann, clock.now() + timedelta(minutes=1))
    clock.advance(timedelta(days=1))
    assert [await fire(desk, addressings), await fire(desk, addressings)] == [1, 0]
    assert [e.kind for e in await desk.timeline(conversation)].count(EntryKind.REPLY) == 1


# --- addresses that fail --------------------------------------------------------------------------------------------


async def test_an_address_that_failed_asks_before_the_next_mail_to_it(desk: VerbDesk, addressings: Addressings) -> None:
    ann = await desk.operator("Ann")
    conversation = await asked(desk)
    line = AddressLine(AddressKind.EMAIL, "bob@shop.example")
    await desk.mail("Me too", from_="bob@shop.example")
    await desk.db.write(contacts.mark_failing, line, now=desk.clock.now())
    with pytest.raises(AddressFails) as refused:
        await desk.reply(conversation, ann, "Here.")
    assert refused.value.addresses == ("bob@shop.example",)
    assert (await desk.row(conversation)).waiting_since is not None
    await desk.reply(conversation, ann, "Here.", to_failing=True)
    await desk.db.write(contacts.works_again, ["BOB@shop.example"])
    await desk.reply(conversation, ann, "And there.")
