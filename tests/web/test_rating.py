"""Customers say what they thought of it: by a signed link, with one tap, and a sentence if they like."""

from __future__ import annotations

from inbox import ratings
from tests.web.conftest import Application
from web.keys import RATING_LINKS


async def test_one_tap_then_a_sentence_and_nothing_by_only_looking(application: Application) -> None:
    received = await application.customers.chat("Where is my parcel?")
    link = application.app[RATING_LINKS].link(received.conversation_id).removeprefix(application.url)
    path = link if link.startswith("/") else "/" + link.split("/", 3)[3]
    customer = application.browser()
    status, html = await customer.page(path)
    assert (status, "Very good" in html) == (200, True)
    assert customer.headers["Referrer-Policy"] == "no-referrer"
    assert await application.db.read(ratings.of_conversation, received.conversation_id) is None
    status, html = await customer.form(path, {"score": "4"})
    assert (status, "Thank you" in html) == (200, True)
    status, html = await customer.form(path, {"score": "4", "words": "Quick & kind <3"})
    assert (status, "Quick &amp; kind &lt;3" in html) == (200, True)
    given = await application.db.read(ratings.of_conversation, received.conversation_id)
    assert given is not None
    assert (given.score, given.words) == (4, "Quick & kind <3")
    await customer.form(path, {"score": "2"})
    changed = await application.db.read(ratings.of_conversation, received.conversation_id)
    assert changed is not None
    assert (changed.score, changed.words) == (2, "Quick & kind <3")


async def test_a_mark_that_is_none_and_a_link_that_was_not_made_are_refused(application: Application) -> None:
    received = await application.customers.chat("Where is my parcel?")
    token = application.app[RATING_LINKS].token(received.conversation_id)
    customer = application.browser()
    for score in ("0", "6", "", "²", "4.0"):
        assert (await customer.form(f"/rate/{token}", {"score": score}))[0] == 422
    assert (await customer.form(f"/rate/{token}", {"score": "4", "words": "x" * 2001}))[0] == 422
    for wrong in (f"9{token}", token[:-1], f"{token}x", "1.", "1.AAAAAAAAAAAAAAAAAAAAAA"):
        assert (await customer.page(f"/rate/{wrong}"))[0] == 404
    assert await application.db.read(ratings.of_conversation, received.conversation_id) is None
