"""Mail that may not be what it seems: it joins, marked, and nothing happens by itself until an operator trusts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from channels.email.domains import organisation
from channels.email.lookalikes import imitated, skeleton
from channels.email.settings import Listener
from inbox import autoreply_facts, mail_ids, mail_trust
from inbox.clock import ManualClock
from inbox.errors import BadInput, NotFound
from inbox.people import contacts
from inbox.reading import TimelineEntry
from inbox.reply import Recipients
from inbox.vocabulary import AddressKind, ChannelKind, ConversationId, EntryId, WaitId
from tests.channels.email.desk import MailDesk, mail, open_desk
from tests.channels.email.test_listener import deliver_smtp

FAILS = "Authentication-Results: mx.desk.test; dmarc=fail (p=reject) header.from=customers.test"
PASSES = "Authentication-Results: mx.desk.test; dmarc=pass header.from=customers.test"


LISTENER = Listener(smtp_port=0, authserv_ids=("MX.desk.test",))


@pytest.fixture
async def desk(sqlite_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[MailDesk]:
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=LISTENER) as opened:
        yield opened


@pytest.fixture
async def any_desk(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[MailDesk]:
    async with open_desk(database_url, tmp_path, clock=clock, listener=LISTENER) as opened:
        yield opened


async def comes(desk: MailDesk, raw: bytes) -> ConversationId:
    await asyncio.to_thread(deliver_smtp, desk, raw)
    await desk.settled()
    return (await desk.conversations())[-1]


async def last(desk: MailDesk, conversation: ConversationId) -> TimelineEntry:
    return [one for one in await desk.timeline(conversation) if one.data.get("mail")][-1]


async def people(desk: MailDesk, conversation: ConversationId) -> list[str]:
    return await desk.db.read(contacts.participant_values, conversation, AddressKind.EMAIL)


async def answer_goes_to(desk: MailDesk, conversation: ConversationId) -> tuple[Sequence[str], Sequence[str]]:
    assert desk.channel.addressing is not None
    fixed = await desk.db.read(desk.channel.addressing, conversation, Recipients(), automatic=False)
    return tuple([one["address"] for one in fixed["mail"][field]] for field in ("to", "cc"))  # type: ignore[return-value]


async def forged_answer(
    desk: MailDesk, *headers: str, to: str = "help@desk.test, Eve <eve@evil.test>"
) -> ConversationId:
    conversation = await comes(desk, mail(headers=[PASSES]))
    await comes(
        desk,
        mail(
            "Pay to another account",
            message_id="<forged@customers.test>",
            subject="Re: My parcel",
            to=to,
            headers=["In-Reply-To: <one@customers.test>", *headers],
        ),
    )
    return conversation


async def test_a_forged_mail_from_a_participant_joins_marked_and_widens_nothing(desk: MailDesk) -> None:
    conversation = await forged_answer(desk, FAILS, "Reply-To: anna@evil.test")
    assert len(await desk.conversations()) == 1
    entry = await last(desk, conversation)
    assert [one["why"] for one in entry.data["mail"]["suspicious"]] == ["dmarc_fail", "new_reply_to"]
    assert await people(desk, conversation) == ["anna@customers.test"]
    assert await answer_goes_to(desk, conversation) == (["anna@customers.test"], [])
    assert mail_trust.is_doubtful(entry.data)


async def test_a_trusted_mail_is_answered_like_any_other(any_desk: MailDesk) -> None:
    desk = any_desk
    bea = await desk.operator()
    conversation = await forged_answer(desk, FAILS, "Reply-To: anna@evil.test")
    entry = await last(desk, conversation)
    for _ in range(2):  # a second click changes nothing
        await desk.db.write(mail_trust.trust, entry.id, by=bea, now=desk.clock.now())
    assert await people(desk, conversation) == ["anna@customers.test", "eve@evil.test"]
    assert await answer_goes_to(desk, conversation) == (["anna@evil.test"], ["eve@evil.test"])
    said = [one for one in await desk.timeline(conversation) if one.data.get("what") == "mail_trusted"]
    assert [(one.operator_id, one.data["entry"]) for one in said] == [(bea, entry.id)]
    assert not mail_trust.is_doubtful((await last(desk, conversation)).data)


async def test_only_a_mail_in_doubt_can_be_trusted(desk: MailDesk) -> None:
    bea = await desk.operator()
    conversation = await comes(desk, mail(headers=[PASSES]))
    entry = await last(desk, conversation)
    with pytest.raises(BadInput):
        await desk.db.write(mail_trust.trust, entry.id, by=bea, now=desk.clock.now())
    with pytest.raises(NotFound):
        await desk.db.write(mail_trust.trust, EntryId(9999), by=bea, now=desk.clock.now())


async def test_a_strangers_forged_mail_opens_a_conversation_and_gets_no_automatic_reply(desk: MailDesk) -> None:
    conversation = await comes(desk, mail(headers=[FAILS]))
    entry = await last(desk, conversation)
    assert entry.data["mail"]["suspicious"] == [{"why": "dmarc_fail", "domain": "customers.test"}]
    assert await desk.waits(conversation) == [True]
    assert await desk.db.read(_silence, conversation, desk.clock.now()) == "dmarc_fail"


async def test_a_forged_mail_that_holds_our_id_makes_nobody_a_participant(desk: MailDesk) -> None:
    bea = await desk.operator()
    conversation = await comes(desk, mail(headers=[PASSES]))
    await desk.reply(bea, conversation, "Here it is")
    ours = desk.kept()[-1]["Message-ID"]
    await comes(
        desk,
        mail(
            from_="Mallory <mallory@elsewhere.test>", message_id="<m@elsewhere.test>",
            headers=["Authentication-Results: mx.desk.test; dmarc=fail", f"In-Reply-To: {ours}"],
        ),
    )  # fmt: skip
    assert len(await desk.conversations()) == 1
    assert await people(desk, conversation) == ["anna@customers.test"]
    entry = await last(desk, conversation)
    assert entry.data["mail"]["stranger"]
    await desk.db.write(mail_trust.trust, entry.id, by=bea, now=desk.clock.now())
    assert await people(desk, conversation) == ["anna@customers.test", "mallory@elsewhere.test"]


async def test_an_id_named_by_a_doubtful_mail_leads_nobody_here(desk: MailDesk) -> None:
    conversation = await forged_answer(desk, FAILS, "References: <bait@evil.test>")
    known = await desk.db.read(mail_ids.find, ["<bait@evil.test>"])
    assert [one.conversation_id for one in known] == []
    assert conversation


async def test_a_domain_that_looks_like_the_customers_is_pointed_out(desk: MailDesk) -> None:
    bea = await desk.operator()
    conversation = await comes(desk, mail(headers=[PASSES]))
    await desk.reply(bea, conversation, "Here it is")
    ours = desk.kept()[-1]["Message-ID"]
    await comes(
        desk, mail(from_="Anna Aalto <anna@custorners.test>", message_id="<m@x>", headers=[f"In-Reply-To: {ours}"])
    )
    assert (await last(desk, conversation)).data["mail"]["suspicious"] == [
        {"why": "lookalike", "domain": "custorners.test", "known": "customers.test"}
    ]


async def test_a_domain_that_looks_like_ours_is_pointed_out_in_a_new_conversation(desk: MailDesk) -> None:
    conversation = await comes(desk, mail(from_="Boss <boss@d3sk.test>", message_id="<b@x>"))
    assert "suspicious" not in (await last(desk, conversation)).data["mail"]
    other = await comes(desk, mail(from_="Boss <boss@de-sk.test>", message_id="<c@x>"))
    assert (await last(desk, other)).data["mail"]["suspicious"][0]["known"] == "desk.test"


async def test_a_reply_to_that_was_there_from_the_beginning_is_not_pointed_out(desk: MailDesk) -> None:
    conversation = await comes(desk, mail(headers=[PASSES, "Reply-To: anna@private.test"]))
    again = mail(
        "And?", message_id="<two@x>", headers=["In-Reply-To: <one@customers.test>", "Reply-To: a@private.test"]
    )
    await comes(desk, again)
    assert len(await desk.conversations()) == 1
    assert "suspicious" not in (await last(desk, conversation)).data["mail"]


async def test_a_new_reply_to_in_an_old_conversation_is_pointed_out_and_not_followed(desk: MailDesk) -> None:
    conversation = await forged_answer(desk, PASSES, "Reply-To: anna@evil.test", to="help@desk.test")
    entry = await last(desk, conversation)
    assert entry.data["mail"]["suspicious"] == [{"why": "new_reply_to", "domain": "evil.test"}]
    assert await answer_goes_to(desk, conversation) == (["anna@customers.test"], [])


# --- what was written before -----------------------------------------------------------------------------------------


def body_of(desk: MailDesk) -> str:
    part = desk.kept()[-1].get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def test_somebody_new_gets_no_earlier_words_unless_a_person_says_so(desk: MailDesk) -> None:
    bea = await desk.operator()
    conversation = await comes(desk, mail("My secret number is 4711", headers=[PASSES]))
    await desk.reply(bea, conversation, "Known", recipients=Recipients())
    assert "4711" in body_of(desk)
    added = ("anna@customers.test", "kim@carrier.test")
    await desk.reply(bea, conversation, "New", recipients=Recipients(to=added))
    assert "4711" not in body_of(desk)
    assert desk.kept()[-1].get_body(("html",)) is not None
    assert "4711" not in str(desk.kept()[-1])
    entry = (await desk.timeline(conversation))[-1]
    assert entry.data["mail"]["newcomers"] == ["kim@carrier.test"]
    await desk.reply(bea, conversation, "New, quoted", recipients=Recipients(to=added, history_to_new=True))
    assert "4711" in body_of(desk)


async def test_an_unknown_holder_of_our_id_gets_no_earlier_words_by_itself(desk: MailDesk) -> None:
    bea = await desk.operator()
    conversation = await comes(desk, mail(headers=[PASSES]))
    await desk.reply(bea, conversation, "Here it is")
    ours = desk.kept()[-1]["Message-ID"]
    await comes(
        desk,
        mail("On this: it says 4711", from_="kim@carrier.test", message_id="<k@x>", headers=[f"In-Reply-To: {ours}"]),
    )
    await desk.reply(bea, conversation, "Who are you?")
    assert desk.kept()[-1]["To"] == "kim@carrier.test"
    assert "4711" not in body_of(desk)


def _silence(conn: Connection, conversation: ConversationId, now: object) -> str | None:
    from sqlalchemy import select

    from inbox.store.models import Wait

    wait = conn.execute(select(Wait.id).where(Wait.conversation_id == conversation)).scalar_one()
    facts = autoreply_facts.load(conn, conversation, WaitId(wait), warned=False, now=now)  # type: ignore[arg-type]
    assert facts is not None
    assert facts.channel is ChannelKind.EMAIL
    return facts.silence


# --- domains, whatever they are ---------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
domains = st.builds(lambda name, suffix: f"{name}.{suffix}", names, st.sampled_from(["test", "com", "co.uk", "fi"]))


@given(domains, names)
def test_a_domain_never_imitates_itself_or_its_own_subdomains(domain: str, sub: str) -> None:
    assert imitated(domain, [domain]) is None
    assert imitated(f"{sub}.{domain}", [domain]) is None
    assert imitated(domain, [f"{sub}.{domain}", "other.example"]) is None


@given(domains, domains)
def test_looking_alike_goes_both_ways(one: str, other: str) -> None:
    assert (imitated(one, [other]) is None) == (imitated(other, [one]) is None)


@given(st.text(alphabet="abcdefghijkmnopqrstuvwxyz", min_size=6, max_size=20), st.data())
def test_one_letter_off_is_seen_wherever_it_is(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 1))
    how = data.draw(st.sampled_from(["drop", "double", "swap", "change"]))
    changed = {
        "drop": name[:place] + name[place + 1 :],
        "double": name[: place + 1] + name[place:],
        "swap": name[:place] + name[place : place + 2][::-1] + name[place + 2 :],
        "change": name[:place] + "q" + name[place + 1 :],
    }[how]
    found = imitated(f"{changed}.test", [f"{name}.test"])
    assert (found is None) == (organisation(f"{changed}.test") == f"{name}.test")


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=5))
def test_no_name_breaks_the_comparison(domain: str, known: list[str]) -> None:
    assert imitated(domain, known) is None or skeleton(domain) is not None
