"""Contacts and their addresses."""

from __future__ import annotations

import asyncio

import pytest

from inbox.clock import ManualClock
from inbox.people import contacts
from inbox.people.contacts import AddressLine, Sender, fold
from inbox.reading import card
from inbox.store.database import Database
from inbox.vocabulary import AddressKind

EMAIL = AddressKind.EMAIL


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("Ann@Shop.EXAMPLE", "ann@shop.example"),
        (" ann@shop.example ", "ann@shop.example"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
        ("STRASSE@shop.example", "strasse@shop.example"),
        ("no address at all", "no address at all"),
        ("a@b..example", "a@b..example"),
        ("@", "@"),
    ],
)
def test_mail_addresses_are_compared_in_one_form(written: str, value: str) -> None:
    assert fold(EMAIL, written) == value


def test_other_addresses_keep_their_case() -> None:
    assert fold(AddressKind.VISITOR, "AbC") == "AbC"
    assert len(fold(EMAIL, "x" * 1000 + "@shop.example")) <= 320


async def test_one_address_is_one_contact_however_it_is_written(database: Database, clock: ManualClock) -> None:
    first = await database.write(
        contacts.ensure, Sender(AddressLine(EMAIL, "Ann@Shop.example"), "Ann"), now=clock.now()
    )
    again = await database.write(contacts.ensure, Sender(AddressLine(EMAIL, "ann@shop.example")), now=clock.now())
    assert first == again


async def test_eight_first_mails_at_once_make_one_contact(database: Database, clock: ManualClock) -> None:
    sender = Sender(AddressLine(EMAIL, "ann@shop.example"), "Ann")
    found = await asyncio.gather(*(database.write(contacts.ensure, sender, now=clock.now()) for _ in range(8)))
    assert len(set(found)) == 1


async def test_what_is_missing_is_filled_in_and_what_is_known_stays(database: Database, clock: ManualClock) -> None:
    line = AddressLine(EMAIL, "ann@shop.example")
    known = await database.write(contacts.ensure, Sender(line), now=clock.now())
    await database.write(contacts.ensure, Sender(line, "Ann", "fi"), now=clock.now())
    await database.write(contacts.ensure, Sender(line, "Annabel", "en"), now=clock.now())
    shown = await database.read(card, known.contact_id)
    assert (shown.name, shown.language) == ("Ann", "fi")


async def test_an_address_is_given_to_nobody_twice(database: Database, clock: ManualClock) -> None:
    ann = await database.write(contacts.ensure, Sender(AddressLine(EMAIL, "ann@shop.example")), now=clock.now())
    vera = await database.write(contacts.ensure, Sender(AddressLine(AddressKind.VISITOR, "v")), now=clock.now())
    line = AddressLine(EMAIL, "ann@shop.example")
    assert await database.write(contacts.add_address, vera.contact_id, line, now=clock.now()) is None
    assert await database.write(contacts.add_address, ann.contact_id, line, now=clock.now()) == ann.address_id
    new = AddressLine(EMAIL, "vera@shop.example")
    assert await database.write(contacts.add_address, vera.contact_id, new, now=clock.now()) is not None


async def test_a_failing_address_is_marked_on_the_card(database: Database, clock: ManualClock) -> None:
    line = AddressLine(EMAIL, "ann@shop.example")
    ann = await database.write(contacts.ensure, Sender(line), now=clock.now())
    await database.write(contacts.mark_failing, line, now=clock.now())
    [address] = (await database.read(card, ann.contact_id)).addresses
    assert address.failing
