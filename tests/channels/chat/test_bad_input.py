"""Broken and hostile input: a clear answer, the connection lives, nobody else notices."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from channels.chat.settings import ChatSettings
from tests.channels.chat.desk import SETTINGS, SHOP, ChatDesk

ID = "0123456789abcdef"
BAD: list[tuple[str, Any, str]] = [
    ("message", "hello", "data"),
    ("message", ["a"], "data"),
    ("message", {}, "id"),
    ("message", {"id": ID}, "text"),
    ("message", {"id": ID, "text": "   \n"}, "text"),
    ("message", {"id": ID, "text": "\x00\x01"}, "text"),
    ("message", {"id": ID, "text": {"a": 1}}, "text"),
    ("message", {"id": ID, "text": "x" * 10_001}, "text"),
    ("message", {"id": "x" * 60, "text": "x"}, "id"),
    ("message", {"id": "short", "text": "x"}, "id"),
    ("message", {"id": "a:b:c:d:e:f", "text": "x"}, "id"),
    ("message", {"id": 12345678, "text": "x"}, "id"),
    ("message", {"id": ID, "text": "x", "attachments": "7"}, "attachments"),
    ("message", {"id": ID, "text": "x", "attachments": [True]}, "attachments"),
    ("message", {"id": ID, "text": "x", "attachments": [10**30]}, "attachments"),
    ("message", {"id": ID, "text": "x", "attachments": [1] * 50}, "attachments"),
    ("message", {"id": ID, "text": "x", "contact": "me"}, "data"),
    ("message", {"id": ID, "text": "x", "contact": {"email": "me@"}}, "email"),
    ("message", {"id": ID, "text": "x", "contact": {"email": "a@b.example\r\nBcc: c@d.example"}}, "email"),
    ("message", {"id": ID, "text": "x", "answer_by": "pigeon"}, "answer_by"),
    ("message", {"id": ID, "text": "x", "answer_by": ["email"]}, "answer_by"),
    ("resume", {"after": -1}, "after"),
    ("resume", {"after": "1"}, "after"),
    ("resume", {"after": 2**40}, "after"),
    ("seen", {"number": 1.5}, "number"),
    ("seen", {}, "number"),
    ("received", {"number": None}, "number"),
    ("typing", {"on": "yes"}, "on"),
    ("contact", {"email": "x" * 400}, "email"),
    ("contact", {"phone": "call me"}, "phone"),
    ("leave_question", {"id": ID, "text": "x"}, "email"),
    ("leave_question", {"id": ID, "text": "x", "callback": True}, "phone"),
    ("leave_question", {"id": ID, "text": "x", "email": "a@b.example", "callback": "yes"}, "callback"),
    ("callback", {"id": ID, "number": ""}, "number"),
    ("callback", {"id": ID, "number": "112"}, "phone"),
    ("callback", {"id": ID, "number": "+358401234567", "slot": "now"}, "slot"),
    ("callback", {"id": ID, "number": "+358401234567", "slot": {"from": "2026-01-01", "to": "2026-01-02"}}, "slot"),
]


async def test_wrong_values_are_named_and_change_nothing(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    for event, data, field in BAD:
        answer = await visitor.ask(event, data)
        assert (answer.get("error"), answer.get("field")) == ("bad_input", field), (event, data, answer)
        desk.clock.advance(timedelta(seconds=10))
    back = await desk.visitor(visitor.token)
    assert back.welcome["conversation"] is None
    assert (await visitor.say("Still here"))["ok"]


async def test_events_that_do_not_exist_are_answered_as_such(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    for event in ("connect", "disconnect", "nothing", "__init__", "on_message", "trigger_event", ""):
        assert (await visitor.ask(event, {"id": ID}))["error"] == "unknown_event"
    assert (await visitor.say("Still here"))["ok"]


async def test_any_text_is_kept_as_far_as_it_can_be_written(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    texts = [
        "نص من اليمين",
        "👩‍👩‍👧‍👦" * 100,
        "a\u0000b",
        "\ud83d",
        "\u202eevil",
        "<script>alert(1)</script>",
        "'; DROP TABLE entries; --",
    ]
    for text in texts:
        answer = await visitor.say(text)
    assert await desk.texts(answer["conversation"]) == [
        text.replace("\x00", "").encode("utf-8", "replace").decode() for text in texts
    ]


GARBAGE = [
    "", "4", "42", "42/visitor", "42/visitor,", "42/visitor,[", "42/visitor,{}", "42/visitor,[]", "42/visitor,[7]",
    '42/visitor,["message"', "44/visitor,{}", "45/visitor,1-[]", "46/visitor,1-[]", "49/visitor", "9", "x",
    '451-["x",{"_placeholder":true,"num":0}]', "42/visitor," + "[" * 50_000, "43/visitor,1{}",
    "42/visitor," + "9" * 200 + '["message"]', "\ufeff42/visitor,[\"message\"]",
]  # fmt: skip


async def test_a_client_that_breaks_the_protocol_hurts_only_itself(desk: ChatDesk) -> None:
    bystander = await desk.visitor()
    url = f"{desk.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http:
        for garbage in GARBAGE:
            async with http.ws_connect(url, headers={"Origin": SHOP}) as socket:
                await socket.receive_str()
                await socket.send_str('40/visitor,{"site":"shop"}')
                assert (await socket.receive_str()).startswith("40/visitor")
                assert (await socket.receive_str()).startswith("42/visitor")
                await socket.send_str(garbage)
                ended = await socket.receive(5)
                assert ended.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED), garbage
            assert (await bystander.say("Undisturbed"))["ok"]
            desk.clock.advance(timedelta(seconds=10))
    assert list(desk.chat.namespace.connected) == [bystander.client.get_sid("/visitor")]


async def test_whoever_does_not_introduce_themselves_gets_nowhere(desk: ChatDesk) -> None:
    url = f"{desk.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http:
        for first in ('42/visitor,["message",{}]', "40/desk,{}", "40", "40/visitor", "40/visitor,7", "41", "6"):
            async with http.ws_connect(url, headers={"Origin": SHOP}) as socket:
                await socket.receive_str()
                await socket.send_str(first)
    assert desk.chat.namespace.connected == {}


async def test_binary_and_huge_packets_end_the_connection(desk: ChatDesk) -> None:
    bystander = await desk.visitor()
    async with aiohttp.ClientSession() as http:
        for packet in (b"\x00" * 100, '42/visitor,["message","' + "x" * 300_000 + '"]'):
            async with http.ws_connect(
                f"{desk.url}/socket.io/?EIO=4&transport=websocket", headers={"Origin": SHOP}
            ) as socket:
                await socket.receive_str()
                await (socket.send_bytes(packet) if isinstance(packet, bytes) else socket.send_str(packet))
                ended = await socket.receive()
                assert ended.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert (await bystander.say("Undisturbed"))["ok"]


async def test_an_error_inside_the_desk_tells_nothing_about_it(desk: ChatDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = await desk.visitor()

    async def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("password=hunter2")

    with monkeypatch.context() as patch:
        patch.setattr(desk.db, "write", broken)
        answer = await visitor.ask("message", {"id": ID, "text": "Hello"})
    assert answer["error"] == "internal"
    assert "hunter2" not in json.dumps(answer)
    assert (await visitor.say("Hello again"))["ok"]


async def test_the_longest_ids_are_told_apart_to_their_last_letter(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    first = await visitor.ask("message", {"id": "x" * 58 + "a", "text": "One"})
    second = await visitor.ask("message", {"id": "x" * 58 + "b", "text": "Two"})
    assert (first["number"], second["number"], second["duplicate"]) == (1, 2, False)


async def test_a_flood_is_slowed_down_and_says_so(desk: ChatDesk) -> None:
    visitor, other = await desk.visitor(), await desk.visitor()
    answers = [
        await visitor.ask("message", {"id": uuid4().hex, "text": "again"})
        for _ in range(SETTINGS.messages_per_minute + 5)
    ]
    assert [a.get("error") for a in answers[-5:]] == ["rate_limited"] * 5
    assert (await other.say("Undisturbed"))["ok"]
    desk.clock.advance(timedelta(seconds=10))
    assert (await visitor.say("Slower now"))["ok"]


async def test_one_network_address_begins_only_so_many_conversations_and_is_told(desk: ChatDesk) -> None:
    answers = []
    for _ in range(SETTINGS.conversations_per_minute + 2):
        visitor = await desk.visitor()
        answers.append(await visitor.ask("message", {"id": uuid4().hex, "text": "Buy my pills"}))
    assert [one.get("error") for one in answers[-3:]] == [None, "too_many_conversations", "too_many_conversations"]
    assert "Try again in a minute" in answers[-1]["message"]
    desk.clock.advance(timedelta(seconds=30))
    assert (await visitor.say("Is anybody there?"))["ok"]
    assert (await visitor.say("Whoever has a conversation writes on"))["ok"]


def test_the_configuration_names_what_is_wrong() -> None:
    for site in (
        {"key": "Shop!", "name": "x"},
        {"key": "shop", "name": ""},
        {"key": "shop", "name": "x", "origins": ["shop.example"]},
        {"key": "shop", "name": "x", "origins": ["https://shop.example/path"]},
        {"key": "shop", "name": "x", "privacy_url": "javascript:alert(1)"},
        {"key": "shop", "name": "x", "colour": "red"},
    ):
        with pytest.raises(ValueError, match="validation error"):
            ChatSettings.model_validate({"sites": [site]})
