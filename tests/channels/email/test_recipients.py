"""Exact recipients of an answer, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from channels.email.addresses import address_list, first_address, fold
from channels.email.recipients import chosen, recipients_for_reply, references_for_reply
from channels.email.record import AddressData, MailData
from channels.email.subjects import base_subject, for_reply, is_forward, is_reply
from inbox.errors import BadInput

OWN = frozenset({"help@shop.example", "sales@shop.example", fold("help@päiväkauppa.example")})


def people(line: str) -> list[AddressData]:
    return [{"name": one.name, "address": one.address} for one in address_list([line.encode()])]


def received(from_: str, to: str, cc: str = "", reply_to: str = "", list_post: str = "") -> MailData:
    author = first_address(from_.encode())
    assert author is not None
    mail: MailData = {
        "subject": "S", "message_id": "<m@x>", "author": {"name": author.name, "address": author.address},
        "to": people(to), "cc": people(cc),
    }  # fmt: skip
    if reply_to:
        mail["reply_to"] = people(reply_to)
    if list_post:
        mail["list_post"] = list_post
    return mail


@pytest.mark.parametrize(
    ("mail", "to", "cc"),
    [
        (received("Ann <ann@c.example>", "help@shop.example"), ["ann@c.example"], []),
        (
            received("ann@c.example", "help@shop.example, bob@c.example", "Cat <cat@c.example>"),
            ["ann@c.example"],
            ["bob@c.example", "cat@c.example"],
        ),
        (received("ann@c.example", "HELP@Shop.Example, Sales@shop.example", "ANN@c.example"), ["ann@c.example"], []),
        (received("ann@c.example", "help+abc123@shop.example", "bob@c.example"), ["ann@c.example"], ["bob@c.example"]),
        (received("ann@c.example", "help@päiväkauppa.example, bob@c.example"), ["ann@c.example"], ["bob@c.example"]),
        (
            received("ann@c.example", "help@shop.example", "bob@c.example", reply_to="office@c.example"),
            ["office@c.example"],
            ["bob@c.example"],
        ),
        (received("ann@c.example", "help@shop.example", reply_to="help@shop.example"), ["ann@c.example"], []),
        (received("ann@c.example", "bob@c.example", "cat@c.example"), ["ann@c.example"], []),
        (received("ann@c.example", "undisclosed-recipients:;"), ["ann@c.example"], []),
        (
            received("ann@c.example", "list@lists.example", list_post="list@lists.example"),
            ["list@lists.example"],
            [],
        ),
        (
            received("ann@c.example", "list@lists.example, help@shop.example", list_post="list@lists.example"),
            ["ann@c.example"],
            ["list@lists.example"],
        ),
        (received("ann@c.example", "help@shop.example, b@c.example, B@c.example"), ["ann@c.example"], ["b@c.example"]),
        (
            received('"Group via Ann" <help@shop.example>', "help@shop.example", reply_to="ann@c.example"),
            ["ann@c.example"],
            [],
        ),
    ],
)  # fmt: skip
def test_an_answer_goes_to_everybody_but_ourselves(mail: MailData, to: Sequence[str], cc: Sequence[str]) -> None:
    found = recipients_for_reply(mail, own_addresses=OWN)
    assert [one.address for one in found.to] == to
    assert [one.address for one in found.cc] == cc


def test_an_automatic_answer_goes_to_the_author_alone() -> None:
    mail = received("ann@c.example", "help@shop.example, bob@c.example", reply_to="many@c.example")
    found = recipients_for_reply(mail, own_addresses=OWN, automatic=True)
    assert ([one.address for one in found.to], found.cc) == (["ann@c.example"], ())


def test_being_in_bcc_answers_only_the_author_and_says_why() -> None:
    assert recipients_for_reply(received("ann@c.example", "bob@c.example"), own_addresses=OWN).only_author


def test_our_own_mail_is_followed_up_to_the_same_people() -> None:
    mail = received("help@shop.example", "ann@c.example", "bob@c.example")
    found = recipients_for_reply(mail, own_addresses=OWN, ours=True)
    assert [one.address for one in (*found.to, *found.cc)] == ["ann@c.example", "bob@c.example"]


@pytest.mark.parametrize(
    "line", ["nobody", "a@b\r\nBcc: x@y.example", "a@b.example\x00", "@x.example", "a b@x .example"]
)
def test_what_is_no_address_is_refused_with_the_field(line: str) -> None:
    computed = recipients_for_reply(received("ann@c.example", "help@shop.example"), own_addresses=OWN)
    with pytest.raises(BadInput) as refused:
        chosen([line], None, computed, OWN)
    assert refused.value.field == "to"


def test_references_keep_the_first_and_last_forty() -> None:
    mail = received("ann@c.example", "help@shop.example")
    mail["references"] = [f"<{number}@x>" for number in range(200)]
    in_reply_to, chain = references_for_reply(mail)
    assert in_reply_to == "<m@x>"
    assert chain == [f"<{n}@x>" for n in range(40)] + [f"<{n}@x>" for n in range(161, 200)] + ["<m@x>"]


@pytest.mark.parametrize(
    ("subject", "answered"),
    [
        ("Parcel", "Re: Parcel"),
        ("Re: Parcel", "Re: Parcel"),
        ("RE: Parcel", "RE: Parcel"),
        ("Vs: Paketti", "Vs: Paketti"),
        ("YNT: Kargo", "YNT: Kargo"),
        ("Vá: Csomag", "Vá: Csomag"),
        ("AW: Paket", "AW: Paket"),
        ("Sv: Paket", "Sv: Paket"),
        ("RE[2]: Parcel", "RE[2]: Parcel"),
        ("Fwd: Parcel", "Re: Fwd: Parcel"),
        ("VL: Paketti", "Re: VL: Paketti"),
        ("Return: my parcel", "Re: Return: my parcel"),
        ("", "Re:"),
    ],
)
def test_the_subject_stays_and_gets_at_most_one_prefix(subject: str, answered: str) -> None:
    assert for_reply(subject) == answered
    assert for_reply(answered) == answered


def test_prefixes_of_all_languages_are_known() -> None:
    assert base_subject("Re: AW: [list] SV:  My   Parcel") == "my parcel"
    assert is_reply("VS: x")
    assert is_forward("WG: x")
    assert not is_reply("Fwd: x")
    assert not is_reply("Order re: x")
