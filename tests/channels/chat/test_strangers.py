"""A visitor can never read another's conversation, whatever they send."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import socketio
from itsdangerous import URLSafeTimedSerializer

from channels.chat.tokens import Tokens
from inbox import merging
from inbox.errors import NotFound
from inbox.visitors import has, resumed
from inbox.vocabulary import AttachmentId
from tests.channels.chat.desk import OTHER_SHOP, SECRET, SHOP, ChatDesk, Visitor


async def _olivia(desk: ChatDesk) -> tuple[Visitor, dict[str, Any]]:
    olivia = await desk.visitor()
    return olivia, await olivia.say("My card number is secret")


def _is_a_stranger(visitor: Visitor, olivia: Visitor) -> bool:
    return visitor.welcome["visitor"] != olivia.welcome["visitor"] and visitor.welcome["conversation"] is None


async def test_a_token_made_with_another_secret_opens_nothing(desk: ChatDesk) -> None:
    olivia, _ = await _olivia(desk)
    forged = URLSafeTimedSerializer("guessed", salt="chat visitor").dumps([olivia.welcome["visitor"], "shop"])
    assert _is_a_stranger(await desk.visitor(str(forged)), olivia)


async def test_a_changed_token_opens_nothing(desk: ChatDesk) -> None:
    olivia, _ = await _olivia(desk)
    for token in (olivia.token[:-2] + "xx", "A" + olivia.token, olivia.welcome["visitor"], "", "x" * 5_000):
        stranger = await desk.visitor(token)
        assert _is_a_stranger(stranger, olivia), token
        await stranger.leave()


async def test_a_token_that_is_no_text_opens_nothing(desk: ChatDesk) -> None:
    olivia, _ = await _olivia(desk)
    for token in (7, True, {"visitor": 1}, ["a"], "\ud800", "\x00"):
        assert _is_a_stranger(await desk.visitor(token), olivia)  # type: ignore[arg-type]


async def test_a_token_expires_unless_its_visitor_returns(desk: ChatDesk) -> None:
    olivia, _ = await _olivia(desk)
    desk.clock.advance(timedelta(days=60))
    renewed = (await desk.visitor(olivia.token)).token
    desk.clock.advance(timedelta(days=60))
    assert _is_a_stranger(await desk.visitor(olivia.token), olivia)
    assert (await desk.visitor(renewed)).welcome["visitor"] == olivia.welcome["visitor"]


async def test_a_token_of_one_site_opens_nothing_on_another(desk: ChatDesk) -> None:
    olivia, _ = await _olivia(desk)
    elsewhere = Visitor(desk)
    await elsewhere.connect(olivia.token, site="other", origin=OTHER_SHOP)
    assert _is_a_stranger(elsewhere, olivia)


async def test_only_a_sites_own_pages_may_connect(desk: ChatDesk) -> None:
    refused: list[tuple[object, str]] = [
        ("shop", OTHER_SHOP), ("nowhere", SHOP), ("", SHOP), (None, SHOP), (["shop"], SHOP), ("other", SHOP),
    ]  # fmt: skip
    for site, origin in refused:
        visitor = Visitor(desk)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await visitor.connect(site=site, origin=origin)  # type: ignore[arg-type]


async def test_a_page_of_nobody_we_know_does_not_even_reach_the_protocol(desk: ChatDesk) -> None:
    async with aiohttp.ClientSession() as http:
        for origin in ("https://evil.example", "null", "https://shop.example.evil.example"):
            async with http.get(f"{desk.url}/socket.io/?EIO=4&transport=polling", headers={"Origin": origin}) as answer:
                assert answer.status == 400


async def test_ids_of_conversations_are_of_no_use_to_a_stranger(desk: ChatDesk) -> None:
    olivia, asked = await _olivia(desk)
    stranger = await desk.visitor()
    for event, data in (
        ("resume", {"after": 0, "conversation": asked["conversation"]}),
        ("resume", {"after": 0, "conversation_id": asked["conversation"], "visitor": olivia.welcome["visitor"]}),
    ):
        assert (await stranger.ask(event, data))["entries"] == []
    said = await stranger.say("Hello", conversation=asked["conversation"])
    assert said["conversation"] != asked["conversation"]
    with pytest.raises(NotFound):
        await desk.db.read(resumed, stranger.welcome["visitor"], 0, asked["conversation"])
    with pytest.raises(NotFound):
        await desk.db.write(has, stranger.welcome["visitor"], asked["conversation"], 1, read=True, now=desk.now)


async def test_a_client_id_of_another_visitor_is_not_taken_for_a_message_seen_before(desk: ChatDesk) -> None:
    olivia, stranger, key = await desk.visitor(), await desk.visitor(), uuid4().hex
    first = await olivia.say("My card number is secret", key)
    second = await stranger.say("Hello", key)
    assert (second["duplicate"], second["conversation"] == first["conversation"]) == (False, False)


async def test_answers_are_told_to_nobody_else(desk: ChatDesk) -> None:
    mia = await desk.operator()
    _, asked = await _olivia(desk)
    stranger = await desk.visitor()
    own = await stranger.say("Hello")
    await desk.reply(asked["conversation"], mia, "Your card is safe.")
    await desk.reply(own["conversation"], mia, "Hello to you.")
    assert (await stranger.hears("entry"))["text"] == "Hello to you."
    assert [data for event, data in stranger.heard if event == "entry"] == []


async def test_typing_somebodys_mail_address_shows_nothing_of_theirs(desk: ChatDesk) -> None:
    olivia = await desk.visitor()
    await olivia.say("My card number is secret")
    await olivia.ask("contact", {"email": "olivia@hart.example"})
    stranger = await desk.visitor()
    await stranger.say("Hello", contact={"name": "Olivia", "email": "olivia@hart.example"})
    back = await desk.visitor(stranger.token)
    assert [e["text"] for e in back.welcome["conversation"]["entries"]] == ["Hello"]


async def test_a_mail_thread_merged_into_the_chat_stays_out_of_the_widget(desk: ChatDesk) -> None:
    mia = await desk.operator()
    olivia, asked = await _olivia(desk)
    stranger = await desk.visitor()
    own = await stranger.say("Hello")
    await desk.db.write(merging.merge, own["conversation"], asked["conversation"], by=mia, now=desk.now)
    await desk.reply(asked["conversation"], mia, "Sent by mail", channel="email")
    back = await desk.visitor(olivia.token)
    assert "Sent by mail" not in [e["text"] for e in back.welcome["conversation"]["entries"]]


async def test_files_of_others_can_be_neither_sent_nor_fetched(desk: ChatDesk) -> None:
    olivia, stranger = await desk.visitor(), await desk.visitor()
    async with aiohttp.ClientSession() as http:
        form = aiohttp.FormData()
        form.add_field("file", b"secret", filename="secret.txt")
        async with http.post(
            f"{desk.url}/widget/api/attachments?site=shop",
            data=form,
            headers={"Origin": SHOP, "X-Visitor-Token": olivia.token},
        ) as answer:
            file = (await answer.json())["id"]
    refused = await stranger.ask("message", {"id": uuid4().hex, "text": "mine", "attachments": [file]})
    assert (refused["error"], refused["field"]) == ("bad_input", "attachments")
    assert (await olivia.say("mine", attachments=[file]))["ok"]
    from inbox.visitors import file_for

    await desk.db.read(file_for, olivia.welcome["visitor"], AttachmentId(file))
    with pytest.raises(NotFound):
        await desk.db.read(file_for, stranger.welcome["visitor"], AttachmentId(file))


async def test_a_link_to_a_file_expires_and_cannot_be_made(desk: ChatDesk) -> None:
    tokens = Tokens(SECRET, desk.clock, days=90)
    signed = tokens.sign_file("a" * 32, AttachmentId(3))
    assert tokens.file(signed) == ("a" * 32, 3)
    assert tokens.file(signed[:-1]) is None
    assert tokens.file(tokens.sign("a" * 32, "shop")) is None
    desk.clock.advance(timedelta(days=8))
    assert tokens.file(signed) is None
