"""Conversations of several mails, and into which of them each mail must fall: the list of EMAIL rules, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiosmtplib
import pytest

from inbox import merging
from inbox.clock import ManualClock
from inbox.vocabulary import ConversationId, EntryKind
from tests.channels.email.desk import MailDesk, mail, open_desk

ANNA, EVE = "anna@customers.test", "eve@elsewhere.test"
FOREIGN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
"""As random as our own, made by another installation of the same product."""


@dataclass
class Post:
    """What customers send, by short names; `{answer}` in a header stands for the id of our newest answer."""

    desk: MailDesk
    count: int = 0

    async def __call__(
        self,
        text: str,
        *,
        from_: str = ANNA,
        name: str = "",
        parent: str = "",
        references: Sequence[str] = (),
        subject: str = "My parcel",
        to: str = "help@desk.test",
        envelope: Sequence[str] = ("help@desk.test",),
        headers: Sequence[str] = (),
    ) -> None:
        self.count += 1
        lines = list(headers)
        if parent:
            lines.append(f"In-Reply-To: {parent}")
        if references:
            lines.append(f"References: {' '.join(references)}")
        raw = mail(
            text,
            from_=from_,
            subject=subject,
            to=to,
            message_id=name or f"<mail-{self.count}@customers.test>",
            headers=lines,
        )
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.desk.status.ports.smtp, start_tls=False) as client:
            await client.sendmail(from_, list(envelope), raw)
        await self.desk.settled()

    async def groups(self) -> list[list[str]]:
        """The customers' mails of each conversation that is not merged away."""
        return [await self.desk.texts(c, EntryKind.MESSAGE, EntryKind.REPORT) for c in await self.desk.conversations()]

    def answer_id(self, number: int = -1) -> str:
        return str(self.desk.kept()[number]["Message-ID"])


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Which conversation a mail belongs to is decided the same way on both databases."""
    return sqlite_url


@pytest.fixture
def post(desk: MailDesk) -> Post:
    return Post(desk)


async def test_ids_of_another_installation_of_the_same_product_join_nothing(desk: MailDesk, post: Post) -> None:
    bea = await desk.operator()
    await post("Where is it?")
    await desk.reply(bea, 1, "On its way.")
    domain = post.answer_id().rpartition("@")[2].rstrip(">")
    await post("Mine too", from_=EVE, parent=f"<{FOREIGN}@{domain}>", subject="Re: My parcel")
    await post("And mine", from_=EVE, references=[f"<{FOREIGN}@other-desk.test>"], subject="Re: [#1] My parcel")
    assert (await post.groups())[0] == ["Where is it?"]
    assert EVE not in str((await desk.timeline(1))[-1].data)


async def test_part_of_an_id_of_ours_or_one_with_other_letters_is_no_key(desk: MailDesk, post: Post) -> None:
    bea = await desk.operator()
    await post("Where is it?")
    await desk.reply(bea, 1, "On its way.")
    ours = post.answer_id()
    for guess in (ours[:-8] + ">", ours.replace("<", "<x"), ours.upper() if ours.upper() != ours else ours[::-1]):
        await post("Let me in", from_=EVE, parent=guess, subject="Re: My parcel")
    assert (await post.groups())[0] == ["Where is it?"]


async def test_where_apple_overwrote_the_references_the_parent_still_joins(desk: MailDesk, post: Post) -> None:
    bea = await desk.operator()
    await post("Where is it?", name="<first@customers.test>")
    await desk.reply(bea, 1, "On its way.")
    ours = post.answer_id()
    await post("Thanks", parent=ours, references=["<local@apple.test>"])
    await post("One more", references=["<first@customers.test>", "<local@apple.test>"])
    assert await post.groups() == [["Where is it?", "Thanks", "One more"]]


async def test_an_answer_whose_id_the_sending_service_replaced_joins_by_what_it_still_names(
    desk: MailDesk, post: Post
) -> None:
    bea = await desk.operator()
    await post("Where is it?", name="<first@customers.test>")
    await desk.reply(bea, 1, "On its way.")
    await post(
        "Thanks", parent="<0100019@service.test>", references=["<first@customers.test>", "<0100019@service.test>"]
    )
    assert await post.groups() == [["Where is it?", "Thanks"]]


@pytest.mark.parametrize(
    "references",
    [
        ["<self@customers.test>", "<self@customers.test>"],
        ["<a>", "<>", "@", "no brackets", "<a b c>", "<" * 50],
        [f"<{n}@x.test>" for n in range(400)],
        ["<" + "a" * 5000 + "@x.test>"],
        ["\x00\x01<bad@x.test>"],
    ],
)
async def test_loops_and_garbage_among_the_references_are_harmless(
    desk: MailDesk, post: Post, references: list[str]
) -> None:
    await post("Round", name="<self@customers.test>", parent="<self@customers.test>", references=references)
    await post(
        "And round", references=["<self@customers.test>", "<later@customers.test>"], name="<later@customers.test>"
    )
    assert await post.groups() == [["Round", "And round"]]


async def test_one_mail_to_two_addresses_of_ours_or_delivered_twice_is_one_entry(desk: MailDesk, post: Post) -> None:
    both = "help@desk.test, support@desk.test"
    for envelope in (["help@desk.test"], ["support@desk.test"], ["help@desk.test"]):
        await post("Hello", to=both, name="<same@customers.test>", envelope=envelope)
    assert await post.groups() == [["Hello"]]


async def test_the_token_joins_from_cc_and_from_the_envelope(
    database_url: str, tmp_path: Any, clock: ManualClock
) -> None:
    async with open_desk(database_url, tmp_path, clock=clock, reply_tokens=True) as desk:
        post, bea = Post(desk), await desk.operator()
        await post("Where is it?")
        await desk.reply(bea, 1, "On its way.")
        token = str(desk.kept()[0]["Reply-To"]).rpartition("<")[2].rstrip(">")
        assert "+" in token
        await post("By copy", to=f"{ANNA}\r\nCc: {token}", subject="Anything")
        await post("By envelope", to="undisclosed-recipients:;", envelope=[token], subject="Anything else")
        await post("By trace", headers=[f"Delivered-To: {token}"], subject="Else")
        assert await post.groups() == [["Where is it?", "By copy", "By envelope", "By trace"]]


async def test_a_late_parent_comes_to_its_answers(desk: MailDesk, post: Post) -> None:
    await post("The answer", parent="<late@customers.test>", subject="Re: Plan")
    await post("Another answer", parent="<late@customers.test>", subject="Re: Plan B")
    await post("The parent", name="<late@customers.test>", subject="Plan")
    assert await post.groups() == [["The answer", "Another answer", "The parent"]]


async def test_the_same_unknown_parent_joins_no_two_people(desk: MailDesk, post: Post) -> None:
    await post("Mine", parent="<newsletter@shop.test>", subject="Re: News")
    await post("And mine", from_=EVE, parent="<newsletter@shop.test>", subject="Re: News")
    assert await post.groups() == [["Mine"], ["And mine"]]


async def test_a_forward_or_an_equal_subject_joins_nothing_by_itself(desk: MailDesk, post: Post) -> None:
    await post("First")
    await post("Equal subject")
    await post("Forwarded", subject="Fwd: My parcel")
    await post("Answered", subject="AW: My parcel")
    assert await post.groups() == [["First"], ["Equal subject"], ["Forwarded", "Answered"]]


async def test_a_closed_conversation_opens_for_people_and_not_for_machines(desk: MailDesk, post: Post) -> None:
    bea = await desk.operator()
    await post("Where is it?", name="<first@customers.test>")
    await desk.reply(bea, 1, "On its way.")
    await desk.close(bea, 1)
    ours = post.answer_id()
    await post("I am away", parent=ours, headers=["Auto-Submitted: auto-replied"], subject="Away: My parcel")
    assert await desk.status_of(1) == "closed"
    await post("It has not come", parent=ours, subject="Re: My parcel")
    assert await desk.status_of(1) == "open"
    assert await desk.waits(1) == [False, True]


async def test_after_splitting_answers_find_the_half_they_belong_to(
    database_url: str, tmp_path: Any, clock: ManualClock
) -> None:
    """Also where the mails carry the reply token of the conversation they were split off."""
    async with open_desk(database_url, tmp_path, clock=clock, reply_tokens=True) as desk:
        post, bea = Post(desk), await desk.operator()
        await post("Where is it?", name="<first@customers.test>")
        await desk.reply(bea, 1, "On its way.")
        old = post.answer_id()
        clock.advance(timedelta(minutes=1))
        await post("And my invoice?", name="<second@customers.test>", parent=old, subject="Invoice")
        entry = (await desk.timeline(1))[-1]
        answer = await desk.reply(bea, 1, "Attached.")
        new, token = post.answer_id(), str(desk.kept()[-1]["Reply-To"]).rpartition("<")[2].rstrip(">")
        made = await desk.db.write(merging.split, ConversationId(1), [entry.id, answer], by=bea, now=clock.now())
        await post(
            "Invoice, thanks", to=token, envelope=[token], parent=new, references=["<first@customers.test>", new]
        )
        await post("Parcel, thanks", to=token, envelope=[token], parent=old, references=["<first@customers.test>", old])
        await post("Invoice, again", parent="<second@customers.test>")
        await post("Held by somebody else", from_=EVE, to=token, envelope=[token], parent=new)
        assert await desk.texts(1, EntryKind.MESSAGE) == ["Where is it?", "Parcel, thanks"]
        assert await desk.texts(made, EntryKind.MESSAGE) == [
            "And my invoice?",
            "Invoice, thanks",
            "Invoice, again",
            "Held by somebody else",
        ]
        assert (await desk.timeline(made))[-1].data["mail"]["stranger"] is True
        await desk.db.write(merging.merge, made, ConversationId(1), by=bea, now=clock.now())
        await post("After all one", parent=new)
        assert (await desk.texts(1, EntryKind.MESSAGE))[-1] == "After all one"
        assert [
            d.data["mail"].get("subject_changed") for d in await desk.timeline(1) if d.text == "And my invoice?"
        ] == ["My parcel"]


async def test_a_merged_conversation_keeps_receiving_and_so_does_one_taken_apart(desk: MailDesk, post: Post) -> None:
    bea = await desk.operator()
    await post("One", name="<one@customers.test>")
    await post("Two", name="<two@customers.test>", subject="Other")
    await desk.db.write(merging.merge, ConversationId(1), ConversationId(2), by=bea, now=desk.clock.now())
    await post("To one", parent="<one@customers.test>")
    assert await desk.texts(2, EntryKind.MESSAGE) == ["Two", "To one"]
    await desk.db.write(merging.take_apart, ConversationId(1), by=bea, now=desk.clock.now())
    await post("To one again", parent="<one@customers.test>")
    await post("To two", parent="<two@customers.test>")
    assert await desk.texts(1, EntryKind.MESSAGE) == ["One", "To one again"]
    assert await desk.texts(2, EntryKind.MESSAGE) == ["Two", "To one", "To two"]


async def test_a_conversation_that_goes_on_under_another_address_of_ours_keeps_receiving(
    desk: MailDesk, post: Post
) -> None:
    bea = await desk.operator()
    await post("Where is it?")
    await desk.reply(bea, 1, "On its way.")
    await post("Thanks", parent=post.answer_id(), to="support@desk.test", envelope=["support@desk.test"])
    assert await post.groups() == [["Where is it?", "Thanks"]]
