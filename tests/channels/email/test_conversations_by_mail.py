"""Whole conversations by mail, through the real SMTP listener, on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from channels.email import intake_worker
from channels.email.parse import parse
from channels.email.readers import Readers
from inbox.clock import ManualClock
from inbox.reply import Recipients
from inbox.vocabulary import ArrivalState, Delivery, EntryKind
from tests.channels.email.desk import MailDesk, mail, open_desk, until


async def send(desk: MailDesk, raw: bytes, *, sender: str = "anna@customers.test", to: str = "help@desk.test") -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=desk.status.ports.smtp, start_tls=False) as client:
        await client.sendmail(sender, [to], raw)
    await desk.settled()


def body(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_a_mail_opens_a_conversation_in_which_somebody_waits(desk: MailDesk) -> None:
    await send(desk, mail("Where is my parcel?"))
    (conversation,) = await desk.conversations()
    assert await desk.texts(conversation) == ["Where is my parcel?"]
    assert await desk.waits(conversation) == [True]
    (entry,) = await desk.timeline(conversation)
    assert entry.author_name == "Anna Aalto"
    assert entry.data["mail"]["subject"] == "My parcel"
    assert entry.data["mail"]["support_address"] == "help@desk.test"


async def test_the_answer_to_our_answer_returns_to_its_conversation(desk: MailDesk) -> None:
    bea = await desk.operator()
    await send(desk, mail("Where is my parcel?", to="help@desk.test, Carl <carl@customers.test>"))
    (conversation,) = await desk.conversations()
    entry_id = await desk.reply(bea, conversation, "On its *way*.")
    (answer,) = desk.kept()
    assert answer["Subject"] == "Re: My parcel"
    assert answer["To"] == "Anna Aalto <anna@customers.test>"
    assert answer["Cc"] == "Carl <carl@customers.test>"
    assert answer["From"] == "Shop help <help@desk.test>"
    assert answer["In-Reply-To"] == "<one@customers.test>"
    assert answer["References"] == "<one@customers.test>"
    assert "Auto-Submitted" not in answer
    assert "Bcc" not in answer
    assert body(answer) == (
        "On its *way*.\n\n-- \nBea Berg\nCustomer care\nThe Shop\n\n"
        "On March 10, 2026 12:00 PM, Anna Aalto <anna@customers.test> wrote:\n\n> Where is my parcel?\n"
    )
    assert "<em>way</em>" in body(answer, "html")
    states = {one.id: one.delivery for one in await desk.timeline(conversation)}
    assert states[entry_id] is Delivery.KEPT
    assert await desk.waits(conversation) == [False]

    await send(
        desk,
        mail(
            "Thank you!\n\nOn Tue, Mar 10, 2026 at 12:05 PM Shop help <help@desk.test> wrote:\n> On its way.",
            message_id="<two@customers.test>",
            subject="Re: My parcel",
            headers=[
                f"In-Reply-To: {answer['Message-ID']}",
                f"References: <one@customers.test> {answer['Message-ID']}",
            ],
        ),
    )
    assert await desk.conversations() == [conversation]
    assert await desk.texts(conversation) == ["Where is my parcel?", "On its *way*.", "Thank you!"]
    assert await desk.waits(conversation) == [False, True]


async def test_quoting_another_customers_message_id_does_not_join_their_conversation(desk: MailDesk) -> None:
    await send(desk, mail("My secret", message_id="<secret@customers.test>"))
    (first,) = await desk.conversations()
    await send(
        desk,
        mail(
            "Let me in",
            from_="eve@elsewhere.test",
            subject="Re: My parcel",
            message_id="<eve@elsewhere.test>",
            headers=["In-Reply-To: <secret@customers.test>", "References: <secret@customers.test>"],
        ),
        sender="eve@elsewhere.test",
    )
    first_again, second = await desk.conversations()
    assert first_again == first
    assert await desk.texts(first) == ["My secret"]
    (entry,) = await desk.timeline(second)
    assert entry.data["mail"]["named_other"] == first


async def test_whoever_holds_our_own_id_joins_as_a_marked_stranger(desk: MailDesk) -> None:
    bea = await desk.operator()
    await send(desk, mail("Where is my parcel?"))
    (conversation,) = await desk.conversations()
    await desk.reply(bea, conversation, "On its way.")
    (answer,) = desk.kept()
    await send(
        desk,
        mail(
            "I am her husband.",
            from_="Olli <olli@customers.test>",
            subject="Re: My parcel",
            message_id="<olli@customers.test>",
            headers=[f"In-Reply-To: {answer['Message-ID']}"],
        ),
    )
    assert await desk.conversations() == [conversation]
    entry = (await desk.timeline(conversation))[-1]
    assert entry.data["mail"]["stranger"] is True
    # What is answered to a stranger carries none of what was said before they came.
    await desk.reply(bea, conversation, "Hello Olli.")
    assert "husband" not in body(desk.kept()[-1])


async def test_the_same_mail_twice_is_one_entry(desk: MailDesk) -> None:
    await send(desk, mail())
    await send(desk, mail())
    await send(desk, mail(to="help@desk.test", headers=["Received: from elsewhere"]), to="support@desk.test")
    (conversation,) = await desk.conversations()
    assert await desk.texts(conversation) == ["Where is my parcel?"]
    assert {line.reason for line in await desk.tray()} <= {"copy"}


async def test_the_same_message_id_with_other_content_is_a_new_mail(desk: MailDesk) -> None:
    await send(desk, mail("First"))
    await send(desk, mail("Second"))
    assert [await desk.texts(one) for one in await desk.conversations()] == [["First"], ["Second"]]


async def test_a_reply_by_subject_joins_only_for_a_participant(desk: MailDesk) -> None:
    await send(desk, mail("First"))
    await send(desk, mail("More", subject="VS: my  parcel", message_id="<more@customers.test>"))
    await send(desk, mail("Mine too", subject="Re: My parcel", message_id="<x@x.test>", from_="eve@elsewhere.test"))
    first, second = await desk.conversations()
    assert await desk.texts(first) == ["First", "More"]
    assert await desk.texts(second) == ["Mine too"]


async def test_a_vacation_notice_is_kept_and_starts_nothing(desk: MailDesk) -> None:
    bea = await desk.operator()
    await send(desk, mail())
    (conversation,) = await desk.conversations()
    await desk.reply(bea, conversation, "On its way.")
    (answer,) = desk.kept()
    await desk.close(bea, conversation)
    await send(
        desk,
        mail(
            "I am away until Monday.",
            subject="Automatic reply: My parcel",
            message_id="<away@customers.test>",
            headers=[f"In-Reply-To: {answer['Message-ID']}", "Auto-Submitted: auto-replied"],
        ),
        sender="",
    )
    assert await desk.texts(conversation, EntryKind.REPORT) == ["I am away until Monday."]
    assert await desk.status_of(conversation) == "closed"
    assert await desk.waits(conversation) == [False]


async def test_a_vacation_notice_that_answers_nothing_is_set_aside(desk: MailDesk) -> None:
    await send(desk, mail("Away", subject="Out of office", headers=["Auto-Submitted: auto-replied"]), sender="")
    assert await desk.conversations() == []
    (line,) = await desk.tray()
    assert (line.state, line.reason) == (ArrivalState.SET_ASIDE, "automatic_reply: auto_replied")


def bounce(
    message_id: str, *, recipient: str = "anna@customers.test", action: str = "failed", status: str = "5.1.1"
) -> bytes:
    return f"""From: Mail Delivery System <MAILER-DAEMON@mx.test>
To: help@desk.test
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce-{action}@mx.test>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Your mail could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.test

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} no such user

--b
Content-Type: text/rfc822-headers

From: help@desk.test
Message-ID: {message_id}

--b--
""".replace("\n", "\r\n").encode()


async def test_a_bounce_of_our_answer_makes_the_wait_run_again(desk: MailDesk) -> None:
    bea = await desk.operator()
    await send(desk, mail())
    (conversation,) = await desk.conversations()
    entry_id = await desk.reply(bea, conversation, "On its way.")
    (answer,) = desk.kept()
    await send(desk, bounce(answer["Message-ID"]), sender="")
    states = {one.id: (one.delivery, one.delivery_error) for one in await desk.timeline(conversation)}
    assert states[entry_id][0] is Delivery.FAILED
    assert "no such user" in (states[entry_id][1] or "")
    assert await desk.waits(conversation) == [True]
    assert await desk.status_of(conversation) == "open"


async def test_a_forged_bounce_for_somebody_we_did_not_write_to_changes_nothing(desk: MailDesk) -> None:
    bea = await desk.operator()
    await send(desk, mail())
    (conversation,) = await desk.conversations()
    entry_id = await desk.reply(bea, conversation, "On its way.")
    (answer,) = desk.kept()
    await send(desk, bounce(answer["Message-ID"], recipient="carl@customers.test"), sender="")
    await send(desk, bounce("<guessed@desk.test>", action="failed"), sender="")
    states = {one.id: one.delivery for one in await desk.timeline(conversation)}
    assert states[entry_id] is Delivery.KEPT
    assert await desk.waits(conversation) == [False]


async def test_a_delay_is_a_state_and_no_bounce(desk: MailDesk) -> None:
    bea = await desk.operator()
    await send(desk, mail())
    (conversation,) = await desk.conversations()
    entry_id = await desk.reply(bea, conversation, "On its way.")
    (answer,) = desk.kept()
    await send(desk, bounce(answer["Message-ID"], action="delayed", status="4.4.1"), sender="")
    states = {one.id: one.delivery for one in await desk.timeline(conversation)}
    assert states[entry_id] is Delivery.KEPT
    assert len(await desk.texts(conversation, EntryKind.REPORT)) == 1


async def test_the_operator_may_change_the_recipients(desk: MailDesk) -> None:
    bea = await desk.operator()
    await send(desk, mail(to="help@desk.test, carl@customers.test"))
    (conversation,) = await desk.conversations()
    await desk.reply(
        bea, conversation, "Only you.", recipients=Recipients(to=["Anna <anna@customers.test>"], cc=["help@desk.test"])
    )
    (answer,) = desk.kept()
    assert answer["To"] == "Anna <anna@customers.test>"
    assert answer["Cc"] is None


async def test_an_attachment_is_stored_and_its_name_is_safe(desk: MailDesk) -> None:
    raw = (
        b"From: anna@customers.test\r\nTo: help@desk.test\r\nSubject: Photo\r\nMessage-ID: <p@customers.test>\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee photo\r\n'
        b"--b\r\nContent-Type: image/png\r\n"
        b'Content-Disposition: attachment; filename="../../../etc/pa\xc3\xa4ss.png"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgoAAAANSUhEUg==\r\n--b--\r\n"
    )
    await send(desk, raw)
    (conversation,) = await desk.conversations()
    (entry,) = await desk.timeline(conversation)
    (file,) = entry.attachments
    assert (file.name, file.media_type) == ("paäss.png", "image/png")
    assert desk.attachments.path(file.digest).read_bytes().startswith(b"\x89PNG")


async def test_an_answer_that_overtakes_its_parent_meets_it_in_one_conversation(desk: MailDesk) -> None:
    await send(
        desk,
        mail(
            "I agree with Anna.",
            from_="carl@customers.test",
            message_id="<carl@customers.test>",
            subject="Re: My parcel",
            headers=["Cc: anna@customers.test", "In-Reply-To: <one@customers.test>"],
        ),
    )
    await send(desk, mail("Where is it?", headers=["Cc: carl@customers.test"]))
    (conversation,) = await desk.conversations()
    assert await desk.texts(conversation) == ["I agree with Anna.", "Where is it?"]


async def test_a_changed_subject_stays_in_the_conversation_and_is_shown(desk: MailDesk) -> None:
    await send(desk, mail("First"))
    await send(
        desk,
        mail(
            "By the way",
            subject="An invoice",
            message_id="<two@customers.test>",
            headers=["In-Reply-To: <one@customers.test>"],
        ),
    )
    (conversation,) = await desk.conversations()
    entry = (await desk.timeline(conversation))[-1]
    assert entry.data["mail"]["subject_changed"] == "My parcel"


async def test_a_mail_that_takes_long_to_read_lets_the_others_pass(
    desk: MailDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = asyncio.Event()

    async def slow(_: Readers, raw: bytes, **more: Any) -> Any:
        if b"Slow" in raw:
            await may_go_on.wait()
        return parse(raw, **more)

    monkeypatch.setattr(Readers, "read", slow)
    monkeypatch.setattr(intake_worker, "LETS_OTHERS_PASS_SECONDS", 0.05)
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=desk.status.ports.smtp, start_tls=False) as client:
        for text, name in (("Slow", "a"), ("Quick", "b")):
            raw = mail(text, message_id=f"<{name}@customers.test>", subject=text)
            await client.sendmail("anna@customers.test", ["help@desk.test"], raw)

    async def quick_is_there() -> bool:
        return [await desk.texts(one) for one in await desk.conversations()] == [["Quick"]]

    await until(quick_is_there)
    may_go_on.set()
    await desk.settled()
    assert sorted([(await desk.texts(one))[0] for one in await desk.conversations()]) == ["Quick", "Slow"]


async def test_what_was_closed_long_ago_is_continued_in_a_new_conversation(
    database_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    async with open_desk(database_url, tmp_path, clock=clock, reopen_days=30) as desk:
        bea = await desk.operator()
        await send(desk, mail("First"))
        (first,) = await desk.conversations()
        await desk.close(bea, first)
        clock.advance(timedelta(days=20))
        answer = ["In-Reply-To: <one@customers.test>"]
        await send(desk, mail("Soon after", message_id="<two@customers.test>", headers=answer))
        assert await desk.conversations() == [first]
        await desk.close(bea, first)
        clock.advance(timedelta(days=40))
        await send(desk, mail("Much later", message_id="<three@customers.test>", headers=answer))
        _, second = await desk.conversations()
        assert (await desk.timeline(second))[0].data["mail"]["continues"] == first


async def test_the_answer_comes_from_the_address_that_was_written_to(desk: MailDesk) -> None:
    bea = await desk.operator()
    await send(desk, mail(to="Support@desk.test, friend@customers.test"), to="support@desk.test")
    (conversation,) = await desk.conversations()
    await desk.reply(bea, conversation, "Hello")
    (answer,) = desk.kept()
    assert answer["From"] == "Shop help <support@desk.test>"
    assert answer["Cc"] == "friend@customers.test"
