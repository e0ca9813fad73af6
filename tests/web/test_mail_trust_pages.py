"""What people see and do about mail that is in doubt, about answers that were withheld, and about their own domain."""

from __future__ import annotations

from datetime import datetime, timedelta

from inbox import withheld
from inbox.people.contacts import AddressLine, Sender
from inbox.receive import Incoming, Received, receive
from inbox.reply import AutomaticText, withhold_or_sent
from inbox.store.transaction import Transaction
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId, Role
from tests.web.conftest import Application


def _doubtful(tx: Transaction, *, now: datetime) -> Received:
    mail = {
        "subject": "Re: My parcel", "message_id": "<x@customers.test>", "to": [], "cc": [],
        "author": {"name": "Anna", "address": "anna@customers.test"},
        "suspicious": [{"why": "dmarc_fail", "domain": "customers.test"}],
        "left_out": [{"name": "", "address": "eve@evil.test"}],
    }  # fmt: skip
    sender = Sender(AddressLine(AddressKind.EMAIL, "anna@customers.test"), "Anna")
    return receive(tx, Incoming(ChannelKind.EMAIL, sender, "Pay elsewhere", data={"mail": mail}), now=now)


def _withheld(tx: Transaction, conversation: ConversationId, reason: str, *, now: datetime) -> None:
    text = AutomaticText(conversation, None, "greeting", "", ChannelKind.EMAIL, "anna@customers.test", reason)
    withhold_or_sent(tx, text, sent=False, now=now)


async def test_an_operator_trusts_a_mail_and_it_is_said_in_the_timeline(application: Application) -> None:
    received = await application.db.write(_doubtful, now=application.clock.now())
    bea = await application.signed_in("Bea")
    assert (await bea.call("POST", f"/api/entries/{received.entry_id}/trust"))[0] == 200
    assert (await bea.call("POST", f"/api/entries/{received.entry_id}/trust"))[0] == 200
    status, shown = await bea.call("GET", f"/api/conversations/{received.conversation_id}")
    assert status == 200
    first, *said = shown["entries"]
    assert first["data"]["mail"]["trusted_by"] == bea.operator_id
    assert [one["data"]["what"] for one in said] == ["mail_trusted"]
    assert {one["written"] for one in shown["participants"]} == {"anna@customers.test", "eve@evil.test"}


async def test_a_mail_that_nobody_doubts_cannot_be_trusted(application: Application) -> None:
    bea = await application.signed_in("Bea")
    assert (await bea.call("POST", "/api/entries/4711/trust"))[0] == 404


async def test_what_was_withheld_is_listed_with_its_reason_and_ordinary_silence_is_not(
    application: Application,
) -> None:
    received = await application.db.write(_doubtful, now=application.clock.now())
    for reason in (withheld.STAFFED, "Its sender could not be verified."):
        await application.db.write(_withheld, received.conversation_id, reason, now=application.clock.now())
    bea = await application.signed_in("Bea")
    status, html = await bea.page("/tray?state=withheld")
    assert status == 200
    assert "Its sender could not be verified." in html
    assert f'href="/inbox/{received.conversation_id}"' in html
    assert withheld.STAFFED not in html
    assert "Two machines" not in html
    status, answer = await bea.call("GET", "/api/tray?state=withheld")
    assert [one["reason"] for one in answer["withheld"]] == ["Its sender could not be verified."]


async def test_a_flood_of_automatic_mail_is_told_for_a_day(application: Application) -> None:
    received = await application.db.write(_doubtful, now=application.clock.now())
    now = application.clock.now()
    await application.db.write(_withheld, received.conversation_id, withheld.TOO_MANY, now=now)
    amir = await application.signed_in("Amir", Role.ADMINISTRATOR)
    for path in ("/tray", "/settings/mail-check"):
        assert "Two machines may be answering each other." in (await amir.page(path))[1]
    assert await application.db.read(withheld.rate_alarm, now + timedelta(hours=25)) is None


async def test_the_mail_check_names_each_domain_and_what_it_found(application: Application) -> None:
    amir = await application.signed_in("Amir", Role.ADMINISTRATOR)
    status, html = await amir.page("/settings/mail-check")
    assert status == 200
    assert "desk.test" in html
    assert "help@desk.test" in html
    assert "The name servers gave no answer." in html
    assert "The desk does not sign mail of this domain." in html
