"""Answers through a real Postfix: what arrives, what is deferred, what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from channels.email.settings import Listener, Outgoing, TlsMode
from inbox.clock import ManualClock
from inbox.deliveries import try_again
from inbox.reply import AutomaticText, Recipients, write_automatic
from inbox.store import attachments
from inbox.vocabulary import ChannelKind, ConversationId, Delivery
from tests.channels.email.desk import MailDesk, mail, open_desk
from tests.channels.email.test_conversations_by_mail import bounce
from tests.channels.email.test_listener import deliver_smtp
from tests.support.postfix import Postfix


@pytest.fixture
async def desk(postfix: Postfix, sqlite_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[MailDesk]:
    outgoing = Outgoing(host="127.0.0.1", port=postfix.smtp_port, tls=TlsMode.NONE)
    async with open_desk(
        sqlite_url, tmp_path, clock=clock, outgoing=outgoing, listener=Listener(smtp_port=0)
    ) as opened:
        yield opened


async def conversation_with(desk: MailDesk, customer: str, **more: str) -> ConversationId:
    await asyncio.to_thread(
        deliver_smtp, desk, mail(from_=f"{customer}", message_id=f"<{abs(hash(customer))}@customers.test>", **more)
    )
    await desk.settled()
    return (await desk.conversations())[-1]


async def delivery_of(desk: MailDesk, conversation: ConversationId) -> tuple[Delivery | None, str]:
    entry = [one for one in await desk.timeline(conversation) if one.delivery is not None][-1]
    return entry.delivery, entry.delivery_error or ""


def body(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_an_answer_reaches_everybody_with_words_and_files_intact(desk: MailDesk, postfix: Postfix) -> None:
    bea = await desk.operator("Bea Bäckström")
    conversation = await conversation_with(
        desk, "Änni Öman <anni@customers.test>", to="help@desk.test, Carl <carla@customers.test>", subject="Ääkköset 📦"
    )
    stored = await asyncio.to_thread(desk.attachments.write, b"%PDF-1.4 contents", "Käyttöohje.pdf")
    file = await desk.db.write(attachments.add, stored, uploaded_by=f"operator:{bea}", now=desk.clock.now())
    await desk.reply(bea, conversation, "Tässä: https://desk.test\n<b>ei</b>", attachments=[file])
    (got,) = await postfix.arrives("anni")
    (copy,) = await postfix.arrives("carla")
    assert got["Message-ID"] == copy["Message-ID"]
    assert got["Subject"] == "Re: Ääkköset 📦"
    assert str(got["To"]) == "Änni Öman <anni@customers.test>"
    assert str(got["Cc"]) == "Carl <carla@customers.test>"
    assert got["Return-Path"] == "<help@desk.test>"
    assert body(got).startswith("Tässä: https://desk.test\n<b>ei</b>")
    assert '<a href="https://desk.test">' in body(got, "html")
    assert "&lt;b&gt;ei&lt;/b&gt;" in body(got, "html")
    (attached,) = list(got.iter_attachments())
    assert attached.get_filename() == "Käyttöohje.pdf"
    assert attached.get_content() == b"%PDF-1.4 contents"
    assert await delivery_of(desk, conversation) == (Delivery.SENT, "")


async def test_a_refused_recipient_fails_at_once_and_the_customer_waits_again(desk: MailDesk) -> None:
    bea = await desk.operator()
    conversation = await conversation_with(desk, "dora@gone.test")
    await desk.reply(bea, conversation, "Hello")
    state, error = await delivery_of(desk, conversation)
    assert state is Delivery.FAILED
    assert "554" in error
    assert await desk.waits(conversation) == [True]
    failed = [one for one in await desk.timeline(conversation) if one.delivery is Delivery.FAILED][-1]
    await desk.db.write(try_again, failed.id, by=bea, now=desk.clock.now())
    await desk.outbox.work_off()
    assert (await delivery_of(desk, conversation))[0] is Delivery.FAILED
    assert await desk.waits(conversation) == [True]


async def test_what_came_back_later_really_goes_out_when_it_is_sent_again(desk: MailDesk, postfix: Postfix) -> None:
    bea = await desk.operator()
    conversation = await conversation_with(desk, "gunnar@customers.test")
    entry_id = await desk.reply(bea, conversation, "Hello")
    (answer,) = await postfix.arrives("gunnar")
    came_back = bounce(answer["Message-ID"], recipient="gunnar@customers.test")
    await asyncio.to_thread(deliver_smtp, desk, came_back)
    await desk.settled()
    assert (await delivery_of(desk, conversation))[0] is Delivery.FAILED
    await desk.db.write(try_again, entry_id, by=bea, now=desk.clock.now())
    await desk.outbox.work_off()
    assert (await delivery_of(desk, conversation))[0] is Delivery.SENT
    assert len(await postfix.arrives("gunnar", 2)) == 2


async def test_one_refused_copy_does_not_take_the_answer_from_the_others(desk: MailDesk, postfix: Postfix) -> None:
    bea = await desk.operator()
    conversation = await conversation_with(desk, "emil@customers.test")
    await desk.reply(
        bea, conversation, "Hello", recipients=Recipients(to=["emil@customers.test"], cc=["nobody@gone.test"])
    )
    await postfix.arrives("emil")
    entry = [one for one in await desk.timeline(conversation) if one.delivery is not None][-1]
    assert entry.delivery is Delivery.SENT
    states = {one: told["state"] for one, told in entry.data["recipients"].items()}
    assert states == {"emil@customers.test": "sent", "nobody@gone.test": "failed"}
    assert entry.data["recipients"]["nobody@gone.test"]["said"].startswith("554")
    assert "copy_failed" in [one.data.get("what") for one in await desk.timeline(conversation)]


async def test_a_server_that_is_away_is_tried_again_later(
    sqlite_url: str, tmp_path: Path, clock: ManualClock, postfix: Postfix
) -> None:
    from tests.support.processes import free_port

    outgoing = Outgoing(host="127.0.0.1", port=free_port(), tls=TlsMode.NONE)
    async with open_desk(sqlite_url, tmp_path, clock=clock, outgoing=outgoing, listener=Listener(smtp_port=0)) as desk:
        bea = await desk.operator()
        conversation = await conversation_with(desk, "frida@customers.test")
        await desk.reply(bea, conversation, "Hello")
        state, error = await delivery_of(desk, conversation)
        assert state is Delivery.DELAYED
        assert "could not be reached" in error
        assert await desk.waits(conversation) == [False]
        first_id = (await desk.timeline(conversation))[-1].data["mail"]["message_id"]
    repaired = Outgoing(host="127.0.0.1", port=postfix.smtp_port, tls=TlsMode.NONE)
    clock.advance(timedelta(minutes=5))
    async with open_desk(sqlite_url, tmp_path, clock=clock, outgoing=repaired, listener=Listener()) as desk:
        await desk.outbox.work_off()
        (got,) = await postfix.arrives("frida")
        assert got["Message-ID"] == first_id
        assert (await delivery_of(desk, conversation))[0] is Delivery.SENT


async def test_an_automatic_answer_says_so_and_cannot_be_answered(desk: MailDesk, postfix: Postfix) -> None:
    conversation = await conversation_with(desk, "greta@customers.test", to="help@desk.test, hugo@customers.test")
    assert desk.channel.addressing is not None
    await desk.db.write(
        write_automatic,
        AutomaticText(
            conversation, None, "receipt", "We have your mail.", ChannelKind.EMAIL, "greta@customers.test", "test"
        ),
        addressings={ChannelKind.EMAIL: desk.channel.addressing},
        now=desk.clock.now(),
    )
    await desk.outbox.work_off()
    (got,) = await postfix.arrives("greta")
    assert got["Auto-Submitted"] == "auto-replied"
    assert got["X-Auto-Response-Suppress"] == "All"
    assert got["Return-Path"] == "<>"
    assert got["Cc"] is None
    assert got["In-Reply-To"]
    assert "parcel?" not in body(got)
    assert postfix.mailbox("hugo") == []


async def test_a_desk_without_a_mail_server_keeps_mail_and_says_so(
    sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=Listener(smtp_port=0)) as desk:
        bea = await desk.operator()
        conversation = await conversation_with(desk, "ines@customers.test")
        await desk.reply(bea, conversation, "Hello")
        assert (await delivery_of(desk, conversation))[0] is Delivery.KEPT
        (kept,) = desk.kept()
        assert kept["To"] == "ines@customers.test"
        assert desk.status.outgoing is False


async def test_with_reply_tokens_the_answer_finds_back_without_any_ids(
    sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=Listener(smtp_port=0), reply_tokens=True) as desk:
        bea = await desk.operator()
        conversation = await conversation_with(desk, "jan@customers.test")
        await desk.reply(bea, conversation, "Hello")
        (kept,) = desk.kept()
        token_address = kept["Reply-To"].addresses[0].addr_spec
        assert token_address.startswith("help+")
        # In Cc, with another subject, no ids at all, from another of the customer's addresses.
        await asyncio.to_thread(
            deliver_smtp,
            desk,
            mail(
                "Thanks",
                from_="jan@private.test",
                to="friend@customers.test",
                subject="Something else",
                message_id="<x@private.test>",
                headers=[f"Cc: {token_address}"],
            ),
        )
        await desk.settled()
        assert await desk.conversations() == [conversation]
        assert await desk.texts(conversation) == ["Where is my parcel?", "Hello", "Thanks"]
