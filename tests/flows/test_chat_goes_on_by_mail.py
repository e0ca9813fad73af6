"""What a visitor leaves unread in the chat goes out by mail, once; what they write back comes to the same talk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from channels.email.addressing import EmailAddressing
from channels.email.intake import place, store_files
from channels.email.parse import parse
from channels.email.settings import EmailSettings, SupportAddress
from inbox import chat_by_mail, deliveries, mail_ids, merging, visitor_leaving, visitor_windows, visitors
from inbox.clock import ManualClock
from inbox.events import ReplyWritten
from inbox.people.contacts import AddressLine, Sender
from inbox.reading import TimelineEntry
from inbox.receive import Received
from inbox.store import arrivals
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database
from inbox.store.models import Address, Outbox
from inbox.store.transaction import Transaction
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId, Delivery, EntryKind, OperatorId
from tests.support.verbs import VerbDesk

AFTER = timedelta(minutes=5)
VERA = "vera@customers.example"
SETTINGS = EmailSettings(addresses=(SupportAddress(address="help@desk.example", name="Help"),))
OWN = SETTINGS.own_addresses()


@pytest.fixture
def durable() -> Mapping[type, Sequence[str]]:
    return {ReplyWritten: ["delivery"]}


class Talk(VerbDesk):
    """Vera asked in the chat, gave her address or not, and Ann answers."""

    def __init__(self, db: Database, clock: ManualClock) -> None:
        super().__init__(db, clock, {ChannelKind.EMAIL: EmailAddressing(SETTINGS)})
        self.mails = 0

    async def begin(self, *, address: str = VERA) -> tuple[ConversationId, OperatorId]:
        ann = await self.operator("Ann")
        claimed = (AddressLine(AddressKind.EMAIL, address),) if address else ()
        asked: Received = await self.chat("Do you ship to Izmir?", claimed=claimed)
        return asked.conversation_id, ann

    async def answer(self, conversation_id: ConversationId, by: OperatorId, text: str) -> Any:
        return await self.reply(conversation_id, by, text, channel=ChannelKind.CHAT)

    async def leave(self) -> None:
        await self.db.write(visitor_leaving.left, "vera", now=self.clock.now())

    async def return_(self) -> None:
        await self.db.write(visitor_leaving.came_back, "vera", now=self.clock.now())

    async def read_up_to(self, conversation_id: ConversationId, number: int) -> None:
        await self.db.write(visitors.has, "vera", conversation_id, number, read=True, now=self.clock.now())

    async def pass_time(self, span: timedelta = AFTER) -> None:
        self.clock.advance(span)
        await self.db.write(chat_by_mail.fire_due, after=AFTER, addressings=self.addressings, now=self.clock.now())

    async def went_out(self, conversation_id: ConversationId) -> list[TimelineEntry]:
        return [
            one
            for one in await self.timeline(conversation_id)
            if one.kind is EntryKind.REPLY and one.channel is ChannelKind.EMAIL
        ]

    async def write_back(self, sent: TimelineEntry, text: str, folder: Path, *, from_: str = VERA) -> None:
        """As the customer's mail program answers; the sender has registered our id."""
        ours = sent.data["mail"]["message_id"]
        await self.db.write(mail_ids.register, ours, ConversationId(1), entry_id=sent.id, ours=True)
        self.mails += 1
        raw = (
            f"From: Vera <{from_}>\r\nTo: help@desk.example\r\nSubject: Re: {sent.data['mail']['subject']}\r\n"
            f"Message-ID: <back-{self.mails}@customers.example>\r\nIn-Reply-To: {ours}\r\nReferences: {ours}\r\n\r\n"
            f"{text}\r\n\r\nOn Tue, Mar 10, 2026 at 12:05 PM Help <help@desk.example> wrote:\r\n> {sent.text}\r\n"
        ).encode()
        kept = await self.db.write(
            arrivals.keep,
            source="smtp",
            dedupe_key=f"key-{self.mails}",
            raw=raw,
            envelope={"recipients": ["help@desk.example"]},
            now=self.clock.now(),
        )
        understood = store_files(AttachmentFolder(folder), parse(raw, own_addresses=OWN), raw)
        await self.db.write(place, kept.arrival_id, understood, own_addresses=OWN, now=self.clock.now())

    async def in_widget(self, conversation_id: ConversationId) -> list[str]:
        return [one.text for one in await self.db.read(visitors.entries, conversation_id, "vera")]


@pytest.fixture
def talk(database: Database, clock: ManualClock) -> Talk:
    return Talk(database, clock)


async def test_what_was_left_unread_goes_out_once_after_a_while(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    await talk.answer(conversation, ann, "We do.")
    await talk.answer(conversation, ann, "It takes four days.")
    await talk.leave()
    assert await talk.db.read(chat_by_mail.next_due, after=AFTER) == talk.clock.now() + AFTER
    await talk.pass_time(AFTER - timedelta(seconds=1))
    assert await talk.went_out(conversation) == []
    waits_before = await talk.waits(conversation)
    await talk.pass_time(timedelta(seconds=1))
    (mail,) = await talk.went_out(conversation)
    assert mail.text == "We do.\n\nIt takes four days."
    assert mail.author_name == "Ann"
    assert mail.delivery is Delivery.QUEUED
    assert [one["address"] for one in mail.data["mail"]["to"]] == [VERA]
    assert mail.data["mail"]["cc"] == []
    assert mail.data["mail"]["author"]["address"] == "help@desk.example"
    assert mail.data["mail"]["subject"] == "Do you ship to Izmir?"
    # Neither a second answer nor an automatic one: no wait has changed, and nothing else goes out.
    assert await talk.waits(conversation) == waits_before
    await talk.pass_time(timedelta(days=1))
    assert len(await talk.went_out(conversation)) == 1
    queued = await talk.db.read(lambda conn: conn.execute(select(Outbox.payload)).scalars().all())
    assert [one["channel"] for one in queued].count("email") == 1


async def test_only_what_was_unread_goes_out(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    first = await talk.answer(conversation, ann, "We do.")
    await talk.answer(conversation, ann, "It takes four days.")
    await talk.note(conversation, ann, "She sounded tired")
    await talk.read_up_to(conversation, first.number)
    await talk.leave()
    await talk.pass_time()
    assert [one.text for one in await talk.went_out(conversation)] == ["It takes four days."]


async def test_nothing_goes_out_to_who_is_here_who_returns_or_who_has_read_it(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    answer = await talk.answer(conversation, ann, "We do.")
    await talk.pass_time(timedelta(hours=1))  # a window is open
    await talk.leave()
    await talk.pass_time(timedelta(minutes=4))
    await talk.return_()
    await talk.pass_time(timedelta(hours=1))
    await talk.read_up_to(conversation, answer.number)
    await talk.leave()
    await talk.pass_time(timedelta(hours=1))
    assert await talk.went_out(conversation) == []


async def test_an_answer_to_somebody_who_has_left_goes_out_as_long_after_it_was_written(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    await talk.leave()
    talk.clock.advance(timedelta(minutes=30))
    await talk.answer(conversation, ann, "We do.")
    await talk.pass_time(timedelta(minutes=4))
    assert await talk.went_out(conversation) == []
    await talk.pass_time(timedelta(minutes=1))
    assert [one.text for one in await talk.went_out(conversation)] == ["We do."]


async def test_several_mails_of_one_talk_are_one_thread_with_one_subject(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    await talk.leave()
    for text in ("We do.", "It takes four days.", "Shall I order?"):
        await talk.answer(conversation, ann, text)
        await talk.pass_time()
    mails = [one.data["mail"] for one in await talk.went_out(conversation)]
    assert {one["subject"] for one in mails} == {"Do you ship to Izmir?"}
    ids = [one["message_id"] for one in mails]
    assert len(set(ids)) == 3
    assert [one.get("in_reply_to", []) for one in mails] == [[], [ids[0]], [ids[1]]]
    assert mails[2]["references"] == ids[:2]


async def test_the_answer_by_mail_is_in_the_same_talk_and_in_the_widget(talk: Talk, tmp_path: Path) -> None:
    conversation, ann = await talk.begin()
    await talk.answer(conversation, ann, "We do.")
    await talk.leave()
    await talk.pass_time()
    (sent,) = await talk.went_out(conversation)
    await talk.write_back(sent, "Then please send two.", tmp_path)
    assert [e.kind for e in await talk.timeline(conversation)][-1] is EntryKind.MESSAGE
    assert (await talk.row(conversation)).waiting_since == talk.clock.now()
    await talk.reply(conversation, ann, "They leave today.")
    assert await talk.in_widget(conversation) == [
        "Do you ship to Izmir?",
        "We do.",
        "Then please send two.",
        "They leave today.",
    ]
    shown = await talk.db.read(visitors.entries, conversation, "vera")
    assert [one.by_mail for one in shown] == [False, False, True, True]
    assert shown[2].author == "you"


async def test_a_strangers_mail_into_the_talk_is_not_shown_in_the_widget(talk: Talk, tmp_path: Path) -> None:
    conversation, ann = await talk.begin()
    await talk.answer(conversation, ann, "We do.")
    await talk.leave()
    await talk.pass_time()
    (sent,) = await talk.went_out(conversation)
    await talk.write_back(sent, "I am her lawyer.", tmp_path, from_="law@elsewhere.example")
    assert "I am her lawyer." not in " ".join(await talk.in_widget(conversation))
    assert (await talk.timeline(conversation))[-1].data["mail"]["stranger"] is True


@pytest.mark.parametrize("address", ["", "vera@localhost", "no-reply@customers.example", "vera@shop.invalid"])
async def test_where_there_is_no_address_to_write_to_people_are_told(talk: Talk, address: str) -> None:
    conversation, ann = await talk.begin(address=address)
    await talk.answer(conversation, ann, "We do.")
    await talk.leave()
    await talk.pass_time()
    assert await talk.went_out(conversation) == []
    told = [e.data for e in await talk.timeline(conversation) if e.data.get("what") == "chat_unread"]
    assert [one["why"] for one in told] == ["no_address" if not address else "address_fails"]


async def test_whoever_corrects_the_address_gets_the_mail_there_and_nobody_else_does(talk: Talk) -> None:
    conversation, ann = await talk.begin(address="vera@custmers.example")
    vera = Sender(AddressLine(AddressKind.VISITOR, "vera"), claimed=(AddressLine(AddressKind.EMAIL, VERA),))
    await talk.db.write(visitors.give_contact, vera, conversation, now=talk.clock.now())
    await talk.answer(conversation, ann, "We do.")
    await talk.leave()
    shown = await talk.db.read(visitors.current, "vera", rejoin_closed=timedelta(days=1), now=talk.clock.now())
    assert shown is not None
    assert shown.mail_to == "v…@customers.example"
    await talk.pass_time()
    (mail,) = await talk.went_out(conversation)
    assert [one["address"] for one in (*mail.data["mail"]["to"], *mail.data["mail"]["cc"])] == [VERA]


async def test_an_address_whose_mail_came_back_is_not_written_to(talk: Talk) -> None:
    conversation, ann = await talk.begin()

    def fails(tx: Transaction) -> None:
        tx.conn.execute(update(Address).where(Address.value == VERA).values(failing_since=talk.clock.now()))

    await talk.db.write(fails)
    await talk.answer(conversation, ann, "We do.")
    await talk.leave()
    await talk.pass_time()
    assert await talk.went_out(conversation) == []


async def test_it_goes_out_once_though_two_processes_look_at_the_same_moment(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    await talk.answer(conversation, ann, "We do.")
    await talk.leave()
    talk.clock.advance(AFTER)
    now = talk.clock.now()
    await asyncio.gather(
        *(talk.db.write(chat_by_mail.fire_due, after=AFTER, addressings=talk.addressings, now=now) for _ in range(4))
    )
    assert len(await talk.went_out(conversation)) == 1


async def test_after_a_standstill_of_the_desk_what_lies_unread_goes_out_but_nothing_old(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    await talk.answer(conversation, ann, "We do.")
    talk.clock.advance(timedelta(days=30))
    other = await talk.chat("Hello", visitor="otto", claimed=(AddressLine(AddressKind.EMAIL, "otto@x.example"),))
    await talk.answer(other.conversation_id, ann, "Hello Otto")
    await talk.db.write(visitor_leaving.all_left, now=talk.clock.now())  # the process was killed and starts again
    await talk.pass_time()
    assert [one.text for one in await talk.went_out(other.conversation_id)] == ["Hello Otto"]
    assert await talk.went_out(conversation) == []


async def test_a_talk_that_was_merged_goes_on_in_the_other(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    await talk.answer(conversation, ann, "We do.")
    await talk.leave()
    other = await talk.mail("By the way", from_=VERA, subject="Order")
    await talk.db.write(merging.merge, conversation, other.conversation_id, by=ann, now=talk.clock.now())
    await talk.pass_time()
    assert [one.text for one in await talk.went_out(other.conversation_id)] == ["We do."]


async def test_a_mail_that_bounces_is_shown_and_the_customer_waits_again(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    asked = talk.clock.now()
    await talk.answer(conversation, ann, "We do.")
    await talk.leave()
    await talk.pass_time()
    (sent,) = await talk.went_out(conversation)
    await talk.db.write(deliveries.failed_for_good, sent.id, "550 unknown", now=talk.clock.now())
    assert (await talk.row(conversation)).waiting_since == asked
    assert "delivery_failed" in await talk.happened(conversation)


async def test_the_visitors_of_a_killed_process_have_left_unless_another_holds_them(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    await talk.answer(conversation, ann, "We do.")
    now = talk.clock.now()
    for process in ("one", "two"):
        await talk.db.write(visitor_windows.alive, process, now=now)
        await talk.db.write(visitor_windows.opened, "vera", process, now=now)
    talk.clock.advance(timedelta(minutes=2))
    await talk.db.write(visitor_windows.alive, "two", now=talk.clock.now())
    assert await talk.db.write(visitor_windows.bury_silent, now=talk.clock.now()) == 1
    assert await talk.db.read(chat_by_mail.next_due, after=AFTER) is None
    talk.clock.advance(timedelta(minutes=2))
    await talk.db.write(visitor_windows.alive, "three", now=talk.clock.now())
    assert await talk.db.write(visitor_windows.bury_silent, now=talk.clock.now()) == 1
    assert await talk.db.read(chat_by_mail.next_due, after=AFTER) == talk.clock.now() + AFTER
    assert await talk.db.write(visitor_windows.bury_silent, now=talk.clock.now()) == 0


async def test_closing_the_last_window_in_one_process_is_no_leaving_while_another_has_one(talk: Talk) -> None:
    conversation, ann = await talk.begin()
    await talk.answer(conversation, ann, "We do.")
    for process in ("one", "two"):
        await talk.db.write(visitor_windows.opened, "vera", process, now=talk.clock.now())
    await talk.db.write(visitor_windows.closed, "vera", "one", now=talk.clock.now())
    assert await talk.db.read(chat_by_mail.next_due, after=AFTER) is None
    await talk.db.write(visitor_windows.closed, "vera", "two", now=talk.clock.now())
    assert await talk.db.read(chat_by_mail.next_due, after=AFTER) is not None
