"""What becomes of a mail on its way, recipient by recipient, through a real Postfix; and mail the desk begins."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.email.desk_post import DeskPost
from channels.email.settings import Listener, Outgoing, TlsMode
from inbox import desk_mail, mail_stops, outgoing, reading
from inbox.clock import ManualClock
from inbox.deliveries import try_again
from inbox.desk_mail import Letter
from inbox.errors import BadInput, CannotReach
from inbox.mail_stops import StopReason, UnsubscribeLinks
from inbox.outgoing import Begun, NewMail
from inbox.reply import UNDO, AutomaticText, Recipients, write_automatic
from inbox.store import attachments, outbox
from inbox.store.outbox_worker import OutboxWorker
from inbox.taking_back import take_back
from inbox.vocabulary import ArrivalState, ChannelKind, ConversationId, Delivery, DeskMailId, EntryKind, OperatorId
from inbox.words import Words
from tests.channels.email.desk import LINKS, MailDesk, mail, open_desk
from tests.channels.email.test_conversations_by_mail import bounce
from tests.channels.email.test_listener import deliver_smtp
from tests.channels.email.test_sending import body, conversation_with
from tests.support.postfix import Postfix


@pytest.fixture
async def desk(postfix: Postfix, sqlite_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[MailDesk]:
    server = Outgoing(host="127.0.0.1", port=postfix.smtp_port, tls=TlsMode.NONE)
    async with open_desk(sqlite_url, tmp_path, clock=clock, outgoing=server, listener=Listener(smtp_port=0)) as opened:
        yield opened


async def came(desk: MailDesk, raw: bytes) -> None:
    await asyncio.to_thread(deliver_smtp, desk, raw)
    await desk.settled()


async def last_sent(desk: MailDesk, conversation: ConversationId) -> reading.TimelineEntry:
    return [one for one in await desk.timeline(conversation) if one.delivery is not None][-1]


def states(entry: reading.TimelineEntry) -> dict[str, str]:
    return {one: told["state"] for one, told in entry.data["recipients"].items()}


async def begin(desk: MailDesk, by: OperatorId, *to: str, **more: Any) -> Begun:
    desk.keys += 1
    assert desk.channel.addressing is not None
    values: dict[str, Any] = {"subject": "New prices", "text": "From May on.", **more}
    begun = await desk.db.write(
        outgoing.begin,
        NewMail(operator_id=by, key=f"new-{desk.keys}", recipients=Recipients(to, values.pop("cc", ())), **values),
        addressings={ChannelKind.EMAIL: desk.channel.addressing},
        now=desk.clock.now(),
    )
    await desk.outbox.work_off()
    return begun


# --- each recipient -------------------------------------------------------------------------------------------------


async def test_a_copy_that_is_never_taken_leaves_the_answer_standing(
    desk: MailDesk, postfix: Postfix, clock: ManualClock
) -> None:
    """The server defers one copy until the desk gives up; the others have had it long ago."""
    bea = await desk.operator()
    conversation = await conversation_with(desk, "kaisa@customers.test")
    greylisting = await asyncio.start_server(_defers_later, "127.0.0.1", 0)
    port = greylisting.sockets[0].getsockname()[1]
    async with greylisting:
        desk.channel.sender._settings = desk.settings.model_copy(  # type: ignore[union-attr]
            update={"outgoing": Outgoing(host="127.0.0.1", port=port, tls=TlsMode.NONE)}
        )
        await desk.reply(
            bea, conversation, "Hello", recipients=Recipients(to=["kaisa@customers.test"], cc=["later@slow.test"])
        )
        entry = await last_sent(desk, conversation)
        assert (entry.delivery, states(entry)) == (
            Delivery.DELAYED, {"kaisa@customers.test": "sent", "later@slow.test": "delayed"},
        )  # fmt: skip
        assert entry.data["recipients"]["later@slow.test"]["said"] == "451 4.7.1 Come back later"
        for seconds in outbox.BACK_OFF:
            clock.advance(timedelta(seconds=seconds))
            await desk.outbox.work_off()
    entry = await last_sent(desk, conversation)
    assert (entry.delivery, states(entry)) == (
        Delivery.SENT, {"kaisa@customers.test": "sent", "later@slow.test": "failed"},
    )  # fmt: skip
    assert await desk.waits(conversation) == [False]
    assert [one.data.get("what") for one in await desk.timeline(conversation)][-1] == "copy_failed"


async def _defers_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A mail server that takes everything except for one recipient."""
    writer.write(b"220 slow.test ESMTP\r\n")
    data = False
    while line := await reader.readline():
        if data:
            data = line != b".\r\n"
            if not data:
                writer.write(b"250 2.0.0 Ok: queued\r\n")
        elif line.upper().startswith(b"DATA"):
            data = True
            writer.write(b"354 Go on\r\n")
        elif line.upper().startswith(b"RCPT") and b"later@" in line:
            writer.write(b"451 4.7.1 Come back later\r\n")
        elif line.upper().startswith(b"QUIT"):
            writer.write(b"221 Bye\r\n")
            break
        else:
            writer.write(b"250 Ok\r\n")
        await writer.drain()
    writer.close()


async def test_only_who_has_not_had_it_gets_it_again(desk: MailDesk, postfix: Postfix) -> None:
    bea = await desk.operator()
    conversation = await conversation_with(desk, "lauri@customers.test")
    entry_id = await desk.reply(
        bea, conversation, "Hello", recipients=Recipients(to=["lauri@customers.test"], cc=["copy@customers.test"])
    )
    (answer,) = await postfix.arrives("copy")
    await came(desk, bounce(answer["Message-ID"], recipient="copy@customers.test"))
    entry = await last_sent(desk, conversation)
    assert (entry.delivery, states(entry)["copy@customers.test"]) == (Delivery.SENT, "bounced")
    assert await desk.waits(conversation) == [False]
    await desk.db.write(try_again, entry_id, by=bea, now=desk.clock.now())
    await desk.outbox.work_off()
    assert len(await postfix.arrives("copy", 2)) == 2
    assert len(postfix.mailbox("lauri")) == 1
    entry = await last_sent(desk, conversation)
    assert (entry.delivery, set(states(entry).values())) == (Delivery.SENT, {"sent"})
    with pytest.raises(BadInput):
        await desk.db.write(try_again, entry_id, by=bea, now=desk.clock.now())


async def test_who_is_answered_and_refused_reopens_the_wait_though_the_copies_arrive(
    desk: MailDesk, postfix: Postfix
) -> None:
    bea = await desk.operator()
    conversation = await conversation_with(desk, "maria@gone.test", to="help@desk.test, niko@customers.test")
    await desk.reply(bea, conversation, "Hello")
    await postfix.arrives("niko")
    entry = await last_sent(desk, conversation)
    assert (entry.delivery, states(entry)) == (
        Delivery.FAILED, {"maria@gone.test": "failed", "niko@customers.test": "sent"},
    )  # fmt: skip
    assert await desk.waits(conversation) == [True]


async def test_a_delay_on_the_other_side_is_shown_and_changes_nothing_else(desk: MailDesk, postfix: Postfix) -> None:
    bea = await desk.operator()
    conversation = await conversation_with(desk, "olga@customers.test")
    await desk.reply(bea, conversation, "Hello")
    (answer,) = await postfix.arrives("olga")
    delayed = bounce(answer["Message-ID"], recipient="olga@customers.test")
    delayed = delayed.replace(b"Action: failed", b"Action: delayed").replace(b"Status: 5.", b"Status: 4.")
    await came(desk, delayed)
    entry = await last_sent(desk, conversation)
    assert (entry.delivery, states(entry)) == (Delivery.SENT, {"olga@customers.test": "held_up"})
    assert await desk.waits(conversation) == [False]


async def test_taken_back_within_its_time_nothing_reaches_the_server(
    desk: MailDesk, postfix: Postfix, clock: ManualClock
) -> None:
    bea = await desk.operator()
    conversation = await conversation_with(desk, "paavo@customers.test")
    taken = await desk.reply(bea, conversation, "Not this.", hold=UNDO)
    await desk.db.write(take_back, taken, by=bea, now=clock.now())
    clock.advance(UNDO)
    await desk.outbox.work_off()
    await desk.reply(bea, conversation, "But this.", hold=UNDO)
    clock.advance(UNDO)
    await desk.outbox.work_off()
    (got,) = await postfix.arrives("paavo")
    assert body(got).startswith("But this.")
    assert postfix.queued() == 0


# --- threads --------------------------------------------------------------------------------------------------------


async def test_the_thread_of_outlook_is_carried_on(desk: MailDesk, postfix: Postfix) -> None:
    bea = await desk.operator()
    index = base64.b64encode(bytes.fromhex("01dbc0ffee00") + bytes(range(16))).decode()
    await came(
        desk,
        mail(
            from_="rita@customers.test", subject="VS: Tilaus",
            headers=[f"Thread-Index: {index}", "Thread-Topic: Tilaus", "References: <a@x> <b@x>"],
        ),
    )  # fmt: skip
    (conversation,) = await desk.conversations()
    await desk.reply(bea, conversation, "Hei")
    (got,) = await postfix.arrives("rita")
    raw = base64.b64decode(str(got["Thread-Index"]).replace(" ", ""))
    assert (raw[:22], len(raw)) == (base64.b64decode(index), 27)
    assert got["Thread-Topic"] == "Tilaus"
    assert got["Subject"] == "VS: Tilaus"
    assert str(got["References"]).split() == ["<a@x>", "<b@x>", "<one@customers.test>"]


async def test_an_answer_to_the_id_that_the_service_gave_our_mail_joins(desk: MailDesk, postfix: Postfix) -> None:
    """Our copy comes back from the folder of sent mail under another id; answers name that one."""
    bea = await desk.operator()
    conversation = await conversation_with(desk, "saara@customers.test")
    await desk.reply(bea, conversation, "Hello")
    (sent,) = postfix.raw_mailbox("saara") or [b""]
    ours = (await postfix.arrives("saara"))[0]["Message-ID"]
    copy = sent[sent.index(b"Date:") :].replace(
        f"\nMessage-ID: {ours}".encode(), b"\nMessage-ID: <given@service.test>", 1
    )
    await came(desk, copy)
    answer = mail(
        "Thank you", from_="saara@elsewhere.test", subject="Other", message_id="<2@elsewhere.test>",
        headers=["In-Reply-To: <given@service.test>"],
    )  # fmt: skip
    await came(desk, answer)
    assert await desk.conversations() == [conversation]
    assert (await desk.texts(conversation))[-1] == "Thank you"


# --- begun by the desk ----------------------------------------------------------------------------------------------


async def test_a_conversation_begun_by_the_desk_starts_no_wait_and_gets_its_answers(
    desk: MailDesk, postfix: Postfix
) -> None:
    bea = await desk.operator()
    begun = await begin(desk, bea, "Tiina <tiina@customers.test>", cc=["ulla@customers.test"], subject="  New  prices ")
    (got,) = await postfix.arrives("tiina")
    (copy,) = await postfix.arrives("ulla")
    assert got["Message-ID"] == copy["Message-ID"]
    assert (got["Subject"], str(got["To"]), str(got["Cc"])) == (
        "New prices", "Tiina <tiina@customers.test>", "ulla@customers.test",
    )  # fmt: skip
    assert [got[name] for name in ("In-Reply-To", "List-Unsubscribe", "Auto-Submitted")] == [None] * 3
    assert (await desk.waits(begun.conversation_id), await desk.status_of(begun.conversation_id)) == ([], "pending")
    await came(
        desk,
        mail(
            "How much?", from_="ulla@customers.test", subject="Re: New prices", message_id="<u@customers.test>",
            headers=[f"In-Reply-To: {got['Message-ID']}"],
        ),
    )  # fmt: skip
    assert await desk.conversations() == [begun.conversation_id]
    assert await desk.waits(begun.conversation_id) == [True]
    assert "stranger" not in (await desk.timeline(begun.conversation_id))[-1].data["mail"]


async def test_the_same_new_mail_sent_twice_begins_one_conversation(desk: MailDesk, postfix: Postfix) -> None:
    bea = await desk.operator()
    first = await begin(desk, bea, "viivi@customers.test")
    desk.keys -= 1
    again = await begin(desk, bea, "viivi@customers.test")
    assert again.conversation_id == first.conversation_id
    assert again.written is not None
    assert again.written.duplicate
    assert len(await desk.conversations()) == 1
    with pytest.raises(BadInput):
        await begin(desk, bea, "viivi@customers.test", subject=" ")
    with pytest.raises(BadInput):
        await begin(desk, bea, "not an address")
    assert len(await desk.conversations()) == 1


async def test_what_is_forwarded_is_answered_out_of_the_customers_sight(desk: MailDesk, postfix: Postfix) -> None:
    bea = await desk.operator()
    conversation = await conversation_with(desk, "wille@customers.test")
    stored = await asyncio.to_thread(desk.attachments.write, b"%PDF-1.4 label", "label.pdf")
    file = await desk.db.write(attachments.add, stored, uploaded_by=f"operator:{bea}", now=desk.clock.now())
    entry_id = await desk.reply(bea, conversation, "The label.", attachments=[file])
    await postfix.arrives("wille")
    found = await desk.db.read(outgoing.forwardable, entry_id)
    copies = await desk.db.write(outgoing.copy_files, entry_id, by=bea, now=desk.clock.now())
    begun = await begin(
        desk, bea, "carrier@customers.test", subject=f"Fwd: {found.subject}", text=f"See below.\n\n{found.text}",
        forwards=entry_id, attachments=[one for one, _, _ in copies],
    )  # fmt: skip
    (got,) = await postfix.arrives("carrier")
    assert [one.get_content() for one in got.iter_attachments()] == [b"%PDF-1.4 label"]
    assert got["References"] is None
    await came(
        desk,
        mail(
            "Found it", from_="carrier@customers.test", subject=f"Re: {got['Subject']}", message_id="<c@c.test>",
            headers=[f"In-Reply-To: {got['Message-ID']}"],
        ),
    )  # fmt: skip
    assert (await desk.texts(begun.conversation_id))[-1] == "Found it"
    assert "Found it" not in await desk.texts(conversation)
    last = (await desk.timeline(conversation))[-1]
    assert (last.data["what"], last.data["other"]) == ("forwarded", begun.conversation_id)
    await desk.reply(bea, begun.conversation_id, "Thanks")
    await postfix.arrives("carrier", 2)
    assert len(postfix.mailbox("wille")) == 1


# --- unsubscribing, and mail that the desk writes by itself ---------------------------------------------------------


async def test_mail_to_many_names_each_readers_own_way_out_and_heeds_it(desk: MailDesk, postfix: Postfix) -> None:
    bea = await desk.operator()
    await begin(desk, bea, "xenia@customers.test", cc=["yrjo@customers.test"], bulk=True)
    (xenia,) = await postfix.arrives("xenia")
    (yrjo,) = await postfix.arrives("yrjo")
    assert xenia["Message-ID"] == yrjo["Message-ID"]
    assert str(xenia["To"]) == str(yrjo["To"]) == "xenia@customers.test"
    assert xenia["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    own = LINKS.link("yrjo@customers.test", outgoing.TOPIC)
    assert f"<{own}>" in str(yrjo["List-Unsubscribe"]).replace(" ", "")
    assert own not in str(xenia["List-Unsubscribe"])
    assert own in body(yrjo)
    token = LINKS.token("yrjo@customers.test", outgoing.TOPIC)
    asks = mail("", from_="yrjo@customers.test", subject=f"unsubscribe {token}", message_id="<un@customers.test>")
    await came(desk, asks)
    assert await desk.db.read(mail_stops.is_stopped, "YRJO@customers.test", outgoing.TOPIC)
    assert [one.reason for one in await desk.tray(ArrivalState.SET_ASIDE)] == ["unsubscribed"]
    later = await begin(desk, bea, "xenia@customers.test", cc=["yrjo@customers.test"], bulk=True)
    assert list(later.left_out) == ["yrjo@customers.test"]
    await postfix.arrives("xenia", 2)
    assert len(postfix.mailbox("yrjo")) == 1
    with pytest.raises(CannotReach):
        await begin(desk, bea, "yrjo@customers.test", bulk=True)


def letters(desk: MailDesk) -> OutboxWorker:
    post = DeskPost(desk.db, desk.clock, desk.settings, Words(desk.folder / "no-words"), LINKS, "The Shop")
    return OutboxWorker(desk.db, desk.clock, desk_mail.HANDLER, post)


async def write(desk: MailDesk, letter: Letter) -> DeskMailId | None:
    return await desk.db.write(desk_mail.write, letter, now=desk.clock.now())


async def test_what_the_desk_writes_by_itself_says_so_and_leaves_once(desk: MailDesk, postfix: Postfix) -> None:
    conversation = await conversation_with(desk, "zoe@customers.test")
    letter = Letter(
        "rating:1",
        "ratings",
        "zoe@customers.test",
        "How did we do?",
        "Tell us.",
        name="Zoë",
        conversation_id=conversation,
    )
    assert await write(desk, letter) == await write(desk, letter)
    work = letters(desk)
    await work.work_off()
    await work.work_off()
    (got,) = await postfix.arrives("zoe")
    assert (got["Auto-Submitted"], got["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert got["Return-Path"] == "<help@desk.test>"
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "The Shop" in body(got)
    await came(
        desk,
        mail(
            "Very well", from_="zoe@other.test", subject="Re: How did we do?", message_id="<z@other.test>",
            headers=[f"In-Reply-To: {got['Message-ID']}"],
        ),
    )  # fmt: skip
    assert (await desk.texts(conversation))[-1] == "Very well"


async def test_a_bounce_ends_what_the_desk_writes_by_itself_to_that_address(desk: MailDesk, postfix: Postfix) -> None:
    work = letters(desk)
    await write(desk, Letter("report:1", "reports", "antti@customers.test", "Week 10", "All well."))
    await work.work_off()
    (got,) = await postfix.arrives("antti")
    await came(desk, bounce(got["Message-ID"], recipient="antti@customers.test"))
    assert await desk.db.read(mail_stops.is_stopped, "antti@customers.test", "ratings")
    assert await write(desk, Letter("report:2", "reports", "antti@customers.test", "Week 11", "All well.")) is None
    assert await desk.conversations() == []
    mail_id = await write(desk, Letter("report:3", "reports", "berit@gone.test", "Week 11", "All well."))
    assert mail_id is not None
    await work.work_off()
    assert (await desk.db.read(desk_mail.get, mail_id)).delivery is Delivery.FAILED  # type: ignore[union-attr]
    assert await write(desk, Letter("report:4", "reports", "berit@gone.test", "Week 12", "All well.")) is None


async def test_who_unsubscribes_while_the_mail_waits_gets_none(desk: MailDesk, postfix: Postfix) -> None:
    await write(desk, Letter("report:9", "reports", "carita@customers.test", "Week 9", "All well."))
    await desk.db.write(
        mail_stops.stop, "carita@customers.test", "reports", StopReason.UNSUBSCRIBED, now=desk.clock.now()
    )
    await letters(desk).work_off()
    assert postfix.mailbox("carita") == []
    assert await write(desk, Letter("other:1", "ratings", "carita@customers.test", "Other", "Other")) is not None


def test_a_link_is_read_only_as_it_was_made() -> None:
    token = LINKS.token("Änn <x>@shop.example", "ratings")
    assert LINKS.read(token) is not None
    assert UnsubscribeLinks("another secret", "https://desk.test").read(token) is None
    for broken in ("", ".", token[:-1], f"x{token}", token.replace(".", ""), "ä" * 50, token + "." + token):
        assert LINKS.read(broken) is None
    assert LINKS.read_subject(f"Re: unsubscribe {token}") == LINKS.read(token)
    assert LINKS.read_subject("unsubscribe") is None


async def test_a_note_is_forwarded_to_nobody(desk: MailDesk) -> None:
    from inbox.errors import NotFound
    from inbox.reply import ReplyDraft, note

    bea = await desk.operator()
    conversation = await conversation_with(desk, "dina@customers.test")
    written = await desk.db.write(
        note, ReplyDraft(conversation, bea, "Between us", "note-1", seen=99), now=desk.clock.now()
    )
    with pytest.raises(NotFound):
        await desk.db.read(outgoing.forwardable, written.entry_id)
    assert (await desk.timeline(conversation))[-1].kind is EntryKind.NOTE


async def test_who_has_complained_gets_no_automatic_answer_but_a_persons(desk: MailDesk, postfix: Postfix) -> None:
    conversation = await conversation_with(desk, "eero@customers.test")
    await desk.db.write(mail_stops.stop, "eero@customers.test", "", StopReason.COMPLAINED, now=desk.clock.now())
    assert desk.channel.addressing is not None
    receipt = AutomaticText(
        conversation, None, "receipt", "We have it.", ChannelKind.EMAIL, "Eero@customers.test", "test"
    )
    addressings = {ChannelKind.EMAIL: desk.channel.addressing}
    with pytest.raises(CannotReach):
        await desk.db.write(write_automatic, receipt, addressings=addressings, now=desk.clock.now())
    await desk.reply(await desk.operator(), conversation, "Hello Eero")
    (got,) = await postfix.arrives("eero")
    assert body(got).startswith("Hello Eero")
