"""The mail that sums up a call: into the thread that is there, to everybody in it, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from channels.email.addressing import EmailAddressing
from channels.email.settings import EmailSettings, SupportAddress
from inbox import callback_list, callbacks
from inbox.callback_list import CallbackLine
from inbox.calls import record_call
from inbox.clock import ManualClock
from inbox.errors import AlreadySettled, BadInput, CannotReach, TimelineMoved
from inbox.events import ReplyWritten
from inbox.people import contacts
from inbox.people.contacts import AddressLine
from inbox.receive import Received
from inbox.reply import Addressings, Recipients
from inbox.store import outbox
from inbox.store.database import Database
from inbox.store.models import Callback, Contact
from inbox.summary import NextStep, SummaryDraft, WrapUp, draft_summary, send_summary, waive_summary
from inbox.vocabulary import (
    AddressKind,
    AttemptOutcome,
    CallbackState,
    ChannelKind,
    ContactId,
    Delivery,
    EntryKind,
    OperatorId,
    Status,
)
from inbox.words import Words
from tests.inbox.calling import entries, missed, only_callback, operator, row
from tests.support.verbs import VerbDesk

WORDS = Words(Path("web/locales"))
FORM = WrapUp(
    "Where the parcel is.",
    "We send it again.",
    [
        NextStep("Send a new parcel", "Ann", date(2026, 3, 12)),
        NextStep("Send back the old one", "Maija"),
        NextStep("Refund the postage", by=date(2026, 3, 20)),
        NextStep("  "),
    ],
)
SETTINGS = EmailSettings(addresses=(SupportAddress(address="help@desk.example", name="Help"),))


@pytest.fixture
def durable() -> Mapping[type, Sequence[str]]:
    return {ReplyWritten: ["delivery"]}


@pytest.fixture
def addressings() -> Addressings:
    return {ChannelKind.EMAIL: EmailAddressing(SETTINGS)}


@pytest.fixture
async def ann(database: Database, clock: ManualClock) -> OperatorId:
    return await operator(database, "Ann", clock.now())


@pytest.fixture
async def talk(database: Database, clock: ManualClock, ann: OperatorId) -> CallbackLine:
    """Ann has rung Maija back and reached her."""
    recorded = await database.write(
        record_call, missed("1", clock.now() - timedelta(minutes=1), name="Maija"), now=clock.now()
    )
    callback = await only_callback(database, recorded.conversation_id)
    await database.write(callbacks.take, callback.id, ann, now=clock.now())
    await database.write(callbacks.dial, callback.id, ann, now=clock.now())
    await database.write(callbacks.outcome, callback.id, ann, AttemptOutcome.REACHED, now=clock.now())
    return await database.read(callback_list.get, callback.id)


async def know_address(database: Database, clock: ManualClock, talk: CallbackLine, address: str) -> ContactId:
    contact_id = await database.read(_contact, talk.id)
    line = AddressLine(AddressKind.EMAIL, address)
    await database.write(lambda tx: contacts.add_address(tx, contact_id, line, now=clock.now()))
    return contact_id


def _contact(conn: Connection, callback_id: int) -> ContactId:
    return ContactId(conn.execute(select(Callback.contact_id).where(Callback.id == callback_id)).scalar_one())


async def mail_thread(database: Database, clock: ManualClock) -> Received:
    """Maija's mail, with a colleague in copy."""
    mail = {
        "subject": "Parcel 4711",
        "message_id": "<one@shop.example>",
        "author": {"name": "Maija", "address": "maija@shop.example"},
        "from": {"name": "Maija", "address": "maija@shop.example"},
        "reply_to": [],
        "to": [{"name": "", "address": "help@desk.example"}],
        "cc": [{"name": "Otto", "address": "otto@shop.example"}],
        "references": [],
        "support_address": "help@desk.example",
    }
    desk = VerbDesk(database, clock)
    return await desk.mail("Where is it?", from_="maija@shop.example", subject="Parcel 4711", data={"mail": mail})


async def draft(database: Database, talk: CallbackLine, ann: OperatorId, form: WrapUp = FORM) -> SummaryDraft:
    return await database.read(draft_summary, talk.id, form, operator_id=ann, words=WORDS, language="en")


async def send(
    database: Database, clock: ManualClock, talk: CallbackLine, ann: OperatorId, addressings: Addressings, **more: Any
) -> Any:
    drafted = await draft(database, talk, ann)
    return await database.write(
        send_summary,
        talk.id,
        ann,
        FORM,
        text=more.pop("text", drafted.text),
        seen=more.pop("seen", drafted.seen),
        subject=drafted.subject,
        addressings=addressings,
        now=clock.now(),
        **more,
    )


async def test_the_draft_says_what_was_asked_agreed_and_who_does_what(
    database: Database, talk: CallbackLine, ann: OperatorId
) -> None:
    drafted = await draft(database, talk, ann)
    assert drafted.text == (
        "Hello Maija,\n\n"
        "thank you for the call on March 10, 2026. This is what we talked about.\n\n"
        "What you asked:\nWhere the parcel is.\n\n"
        "What we agreed:\nWe send it again.\n\n"
        "What happens next:\n"
        "- Send a new parcel (Ann, by March 12, 2026)\n"
        "- Send back the old one (Maija)\n"
        "- Refund the postage (by March 20, 2026)\n\n"
        "If we have misunderstood something, just answer this mail.\n\n"
        "Kind regards\nAnn"
    )
    assert (drafted.starts_thread, drafted.conversation_id, drafted.to) == (True, talk.conversation_id, [])
    assert drafted.subject == "Our telephone call on March 10, 2026"


async def test_an_empty_form_still_makes_a_mail(database: Database, talk: CallbackLine, ann: OperatorId) -> None:
    drafted = await draft(database, talk, ann, WrapUp())
    assert "What you asked" not in drafted.text
    assert drafted.text.startswith("Hello Maija,")


async def test_the_summary_goes_reply_all_into_the_customer_s_mail_thread(
    database: Database, clock: ManualClock, talk: CallbackLine, ann: OperatorId, addressings: Addressings
) -> None:
    thread = await mail_thread(database, clock)
    await know_address(database, clock, talk, "maija@shop.example")
    await database.write(_same_person, talk.id, thread.contact_id)
    drafted = await draft(database, talk, ann)
    assert (drafted.starts_thread, drafted.conversation_id, drafted.subject) == (False, thread.conversation_id, "")
    written = await send(database, clock, talk, ann, addressings)
    last = (await entries(database, thread.conversation_id))[-1]
    assert (last.id, last.kind, last.channel) == (written.entry_id, EntryKind.REPLY, ChannelKind.EMAIL)
    assert last.delivery is Delivery.QUEUED
    mail = last.data["mail"]
    assert mail["subject"] == "Re: Parcel 4711"
    assert [one["address"] for one in mail["to"]] == ["maija@shop.example"]
    assert [one["address"] for one in mail["cc"]] == ["otto@shop.example"]
    assert mail["in_reply_to"] == ["<one@shop.example>"]
    [job] = await database.write(outbox.claim, "delivery", now=clock.now())
    assert job.payload["entry_id"] == written.entry_id
    said = (await entries(database, talk.conversation_id))[-1]
    assert (said.data["what"], said.data["other"]) == ("summary_sent", thread.conversation_id)
    assert (await row(database, talk.conversation_id)).status is Status.PENDING
    callback = await database.read(callback_list.get, talk.id)
    assert callback.state is CallbackState.DONE
    assert callback.summary["next_steps"][0] == {"what": "Send a new parcel", "who": "Ann", "by": "2026-03-12"}


def _same_person(tx: Any, callback_id: int, contact_id: int) -> None:
    tx.conn.execute(update(Callback).where(Callback.id == callback_id).values(contact_id=contact_id))


async def test_without_a_thread_the_summary_begins_one_in_the_conversation_of_the_call(
    database: Database, clock: ManualClock, talk: CallbackLine, ann: OperatorId, addressings: Addressings
) -> None:
    await know_address(database, clock, talk, "maija@shop.example")
    assert (await draft(database, talk, ann)).to == ["maija@shop.example"]
    await send(database, clock, talk, ann, addressings)
    last = (await entries(database, talk.conversation_id))[-1]
    assert last.data["mail"]["subject"] == "Our telephone call on March 10, 2026"
    assert [one["address"] for one in last.data["mail"]["to"]] == ["maija@shop.example"]
    assert (await row(database, talk.conversation_id)).status is Status.PENDING


async def test_an_address_typed_into_the_form_is_remembered(
    database: Database, clock: ManualClock, talk: CallbackLine, ann: OperatorId, addressings: Addressings
) -> None:
    with pytest.raises(CannotReach):
        await send(database, clock, talk, ann, addressings)
    assert (await database.read(callback_list.get, talk.id)).state is CallbackState.WRAP_UP
    await send(database, clock, talk, ann, addressings, recipients=Recipients(to=["maija@shop.example"]))
    assert (await draft(database, talk, ann)).to == ["maija@shop.example"]


async def test_a_summary_sent_twice_goes_out_once(
    database: Database, clock: ManualClock, talk: CallbackLine, ann: OperatorId, addressings: Addressings
) -> None:
    await know_address(database, clock, talk, "maija@shop.example")
    first = await send(database, clock, talk, ann, addressings)
    again = await send(database, clock, talk, ann, addressings)
    assert (again.entry_id, again.duplicate) == (first.entry_id, True)
    assert len(await database.write(outbox.claim, "delivery", now=clock.now())) == 1


async def test_a_summary_written_against_an_outdated_thread_is_held_back(
    database: Database, clock: ManualClock, talk: CallbackLine, ann: OperatorId, addressings: Addressings
) -> None:
    thread = await mail_thread(database, clock)
    await database.write(_same_person, talk.id, thread.contact_id)
    with pytest.raises(TimelineMoved):
        await send(database, clock, talk, ann, addressings, seen=0)
    assert (await database.read(callback_list.get, talk.id)).state is CallbackState.WRAP_UP
    await send(database, clock, talk, ann, addressings, seen=0, even_so=True)


async def test_no_summary_needs_a_reason(
    database: Database, clock: ManualClock, talk: CallbackLine, ann: OperatorId
) -> None:
    with pytest.raises(BadInput):
        await database.write(waive_summary, talk.id, ann, "  ", now=clock.now())
    await database.write(waive_summary, talk.id, ann, "Said goodbye only.", now=clock.now())
    callback = await database.read(callback_list.get, talk.id)
    assert (callback.state, callback.summary) == (CallbackState.DONE, {"waived": "Said goodbye only."})
    with pytest.raises(AlreadySettled):
        await database.write(waive_summary, talk.id, ann, "Again", now=clock.now())


async def test_there_is_no_summary_of_a_call_that_was_not_made(
    database: Database, clock: ManualClock, ann: OperatorId, addressings: Addressings
) -> None:
    recorded = await database.write(record_call, missed("1", clock.now()), now=clock.now())
    callback = await only_callback(database, recorded.conversation_id)
    with pytest.raises(AlreadySettled):
        await send(database, clock, callback, ann, addressings)


async def test_the_draft_speaks_the_customer_s_language(
    database: Database, talk: CallbackLine, ann: OperatorId
) -> None:
    await database.write(_speaks, talk.id, "fi")
    drafted = await draft(database, talk, ann)
    assert drafted.language == "fi"
    assert "10. maaliskuuta 2026" in drafted.text


def _speaks(tx: Any, callback_id: int, language: str) -> None:
    contact = select(Callback.contact_id).where(Callback.id == callback_id).scalar_subquery()
    tx.conn.execute(update(Contact).where(Contact.id == contact).values(language=language))
