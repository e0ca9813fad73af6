"""Chat, mail and a missed call in one queue, answered by people, from the outside of a running program."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import make_msgid
from secrets import token_hex
from typing import Any

from tests.support.conditions import eventually
from tests.support.postfix import Postfix
from tests.support.program import Program


def mail(text: str, *, subject: str, sender: str, to: str = "help@desk.test", cc: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    if cc:
        message["Cc"] = cc
    message["Message-ID"] = make_msgid(domain="customers.test")
    message.set_content(text)
    return message


def spoken(opened: Mapping[str, Any]) -> list[str]:
    return [entry["text"].strip() for entry in opened["entries"] if entry["kind"] in ("message", "reply")]


def call(call_id: str, number: str, at: datetime) -> dict[str, object]:
    return {
        "version": 1,
        "type": "call.ended",
        "provider": "pbx",
        "account": "main",
        "call_id": call_id,
        "direction": "inbound",
        "from": number,
        "to": "+358931580000",
        "started_at": (at - timedelta(seconds=40)).isoformat(),
        "ended_at": (at - timedelta(seconds=10)).isoformat(),
        "outcome": "no_answer",
    }


async def test_three_channels_wait_in_one_queue_by_who_has_waited_longest(
    program: Program, wall_clock: datetime
) -> None:
    ann = await program.operator("ann@desk.test")
    visitor = await program.visitor()
    acknowledged = await visitor.say("Where is my parcel?", "message-1")
    assert acknowledged.get("ok"), acknowledged
    await program.send_mail(
        mail("When do you open?", subject="Opening hours", sender="Olivia Hart <olivia@customers.test>")
    )
    assert await program.report_call(call("c1", "+358401234567", wall_clock), at=wall_clock) in (200, 202)

    rows = await ann.waits_until(3)
    assert [row["channel"] for row in rows] == ["phone", "chat", "email"]  # the call began 40 s earlier
    assert all(row["waiting_since"] and row["due_at"] for row in rows)

    taken = (await ann.post("/api/take-next"))["conversation_id"]
    assert taken == rows[0]["id"]
    ben = await program.operator("ben@desk.test")
    refused = await ben.post(f"/api/conversations/{taken}/take", status=409)
    assert (refused["error"]["code"], "Ann Berg" in refused["error"]["message"]) == ("already_taken", True)

    chat_id = next(row["id"] for row in rows if row["channel"] == "chat")
    await ann.reply(chat_id, "It leaves tomorrow.", "draft-1")
    await visitor.hears("It leaves tomorrow.")
    answered = await ann.conversation(chat_id)
    assert (answered["row"]["status"], answered["row"]["waiting_since"]) == ("pending", None)
    for person in (ann, ben):
        await person.leave()
    await visitor.leave()


async def test_a_mail_is_answered_to_all_and_the_answer_returns(program: Program, postfix: Postfix) -> None:
    maija, books = f"maija-{token_hex(4)}", f"books-{token_hex(4)}"  # the mail server serves the whole test run
    ann = await program.operator("ann@desk.test")
    question = mail(
        "Please send the invoice.",
        subject="Invoice 4711",
        sender=f"Maija Meri <{maija}@customers.test>",
        cc=f"{books}@customers.test",
    )
    await program.send_mail(question)
    [row] = await ann.waits_until(1)
    # Nobody was at the desk when the question came: the customer first has a mail that says so.
    [automatic] = await postfix.arrives(maija)
    await ann.reply(row["id"], "Here it is.", "draft-1")
    answer = (await postfix.arrives(maija, 2))[-1]
    [copy] = await postfix.arrives(books)
    assert (automatic["Auto-Submitted"], answer["Auto-Submitted"]) == ("auto-replied", None)
    assert answer["Subject"] == "Re: Invoice 4711"
    assert answer["In-Reply-To"] == question["Message-ID"]
    assert question["Message-ID"] in answer["References"]
    assert f"{maija}@customers.test" in answer["To"]
    assert f"{books}@customers.test" in answer["Cc"]
    assert "help@desk.test" in answer["From"]
    assert copy["Message-ID"] == answer["Message-ID"]

    thanks = mail("Thank you!", subject="Re: Invoice 4711", sender=f"{maija}@customers.test")
    thanks["In-Reply-To"] = answer["Message-ID"]
    thanks["References"] = f"{answer['References']} {answer['Message-ID']}"
    await program.send_mail(thanks)

    async def all_three() -> Mapping[str, Any] | None:
        opened = await ann.conversation(row["id"])
        return opened if len(spoken(opened)) == 3 else None

    opened = await eventually(all_three)
    assert opened is not None
    assert spoken(opened) == ["Please send the invoice.", "Here it is.", "Thank you!"]
    assert opened["row"]["status"] == "open"
    await ann.leave()


async def test_a_mail_that_quotes_another_customers_message_id_stays_outside_that_conversation(
    program: Program,
) -> None:
    ann = await program.operator("ann@desk.test")
    secret = mail("My number is 42.", subject="Account", sender="olivia@customers.test")
    await program.send_mail(secret)
    await ann.waits_until(1)
    stranger = mail("Please repeat it.", subject="Re: Account", sender="mallory@elsewhere.test")
    stranger["In-Reply-To"] = secret["Message-ID"]
    stranger["References"] = secret["Message-ID"]
    await program.send_mail(stranger)
    rows = await ann.waits_until(2)
    assert len({row["id"] for row in rows}) == 2
    await ann.leave()


async def test_an_unsigned_webhook_changes_nothing(program: Program, wall_clock: datetime) -> None:
    ann = await program.operator("ann@desk.test")
    status = await program.report_call(
        call("c1", "+358401234567", wall_clock), at=wall_clock, secret="not-the-secret-of-the-system"
    )
    assert status == 401
    stale = await program.report_call(call("c2", "+358401234567", wall_clock), at=wall_clock - timedelta(hours=1))
    assert stale == 401
    assert await ann.queue() == []
    assert (await ann.get("/api/tray?state=tray"))["arrivals"] == []
    await ann.leave()
