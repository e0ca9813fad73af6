"""The widget over HTTP: who may ask, and questions that an offline browser sends later, perhaps twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from channels.chat.http import UPLOADS_AT_ONCE
from inbox import visitors
from inbox.queue import rows_of
from inbox.vocabulary import CallbackState, ChannelKind, ConversationId
from tests.channels.chat.desk import OTHER_SHOP, SHOP, ChatDesk

QUESTION = "/widget/api/question?site=shop"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def _post(
    http: aiohttp.ClientSession, desk: ChatDesk, body: Any, *, origin: str | None = SHOP, path: str = QUESTION
) -> tuple[int, Any, dict[str, str]]:
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    headers = {"Content-Type": "application/json", **({"Origin": origin} if origin else {})}
    async with http.post(desk.url + path, data=data, headers=headers) as answer:
        return answer.status, await answer.json(), dict(answer.headers)


async def test_a_question_sent_twice_is_asked_once(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    question = {"id": uuid4().hex, "text": "Open on Sunday?", "email": "olivia@hart.example", "token": None}
    first, again = await _post(http, desk, question), await _post(http, desk, question)
    assert (first[0], again[0]) == (200, 200)
    assert (first[1]["duplicate"], again[1]["duplicate"]) == (False, True)
    assert first[1]["reference"] == again[1]["reference"]
    conversation = ConversationId(int(first[1]["reference"]))
    assert await desk.texts(conversation) == ["Open on Sunday?"]
    ((_, _, standing),) = await desk.db.read(visitors.standings, [conversation])
    assert standing.answer_by is ChannelKind.EMAIL


async def test_who_asked_offline_finds_the_question_in_the_widget(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    _, said, _ = await _post(http, desk, {"id": uuid4().hex, "text": "Open on Sunday?", "email": "olivia@hart.example"})
    back = await desk.visitor(said["token"])
    assert [e["text"] for e in back.welcome["conversation"]["entries"]] == ["Open on Sunday?"]


async def test_a_visitor_with_a_token_asks_as_that_visitor(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    visitor = await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    _, said, _ = await _post(
        http,
        desk,
        {"id": uuid4().hex, "text": "Ring me", "phone": "040 1234567", "callback": True, "token": visitor.token},
    )
    assert said["reference"] == str(asked["conversation"])
    (row,) = await desk.db.read(rows_of, [asked["conversation"]])
    assert row.callback == CallbackState.DUE


async def test_only_pages_of_the_site_may_ask_and_read_the_answer(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    question = {"id": uuid4().hex, "text": "Open on Sunday?", "email": "olivia@hart.example"}
    status, _, headers = await _post(http, desk, question)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, SHOP)
    for origin, path in ((OTHER_SHOP, QUESTION), ("null", QUESTION), (SHOP, "/widget/api/question?site=nowhere")):
        status, said, headers = await _post(http, desk, question, origin=origin, path=path)
        assert (status, said["error"]["code"]) == (403, "not_allowed")
        assert "Access-Control-Allow-Origin" not in headers


async def test_a_browser_may_ask_first_whether_it_may_ask(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    for path in (QUESTION, "/widget/api/attachments?site=shop"):
        async with http.options(desk.url + path, headers={"Origin": SHOP}) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == SHOP
            assert "X-Visitor-Token" in answer.headers["Access-Control-Allow-Headers"]
        async with http.options(desk.url + path, headers={"Origin": OTHER_SHOP}) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_broken_questions_are_refused_in_words(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    bodies: list[Any] = [
        "", "{", "[]", "7", "null", b"\xff\xfe", "[" * 100_000, {"id": "x"}, {"id": "a" * 20, "text": ""},
        {"id": "a" * 20, "text": "x"}, {"id": "a" * 20, "text": "x" * 20_000, "email": "a@b.example"},
    ]  # fmt: skip
    for body in bodies:
        status, said, headers = await _post(http, desk, body)
        assert (status, said["error"]["code"]) == (422, "bad_input"), body
        assert headers["Access-Control-Allow-Origin"] == SHOP
        assert said["error"]["message"]


async def test_a_question_of_unknown_length_is_read_only_as_far_as_one_may_be_long(
    desk: ChatDesk, http: aiohttp.ClientSession
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"text": ["'
        while sent < 20_000_000:
            sent += 50_000
            yield b"x" * 50_000
        yield b'"]}'

    async with http.post(
        desk.url + QUESTION, data=endless(), headers={"Content-Type": "application/json", "Origin": SHOP}
    ) as answer:
        said = await answer.json()
    assert (answer.status, said["error"]["field"]) == (422, "text")
    assert said["error"]["message"] == "This text is longer than 10000 characters."


async def test_too_many_questions_from_one_place_have_to_wait(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    statuses = [
        (await _post(http, desk, {"id": uuid4().hex, "text": "x", "email": "a@b.example"}))[0] for _ in range(25)
    ]
    assert statuses.count(200) == desk.settings.questions_per_minute
    status, said, headers = await _post(http, desk, {"id": uuid4().hex, "text": "x", "email": "a@b.example"})
    assert (status, said["error"]["code"], headers["Retry-After"]) == (429, "rate_limited", "60")


async def test_files_need_a_visitor_and_have_a_limit(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    visitor = await desk.visitor()
    url = f"{desk.url}/widget/api/attachments?site=shop"

    async def post(token: str, content: bytes) -> tuple[int, Any]:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", BytesIO(content), filename="passwd.\u202etxt")
        async with http.post(url, data=form, headers={"Origin": SHOP, "X-Visitor-Token": token}) as answer:
            return answer.status, await answer.json()

    assert (await post("forged", b"x"))[0] == 403
    assert (await post(visitor.token, b"x" * 1_500_000))[0] == 422
    status, said = await post(visitor.token, b"x")
    assert (status, said["name"]) == (200, "passwd.txt")
    for body, kind in (
        (b"x", "text/plain"),
        (b"", "multipart/form-data"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
    ):
        async with http.post(
            url, data=body, headers={"Origin": SHOP, "X-Visitor-Token": visitor.token, "Content-Type": kind}
        ) as answer:
            assert answer.status == 422, await answer.text()


async def test_nobody_sends_many_files_at_once(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    visitor = await desk.visitor()
    url = f"{desk.url}/widget/api/attachments?site=shop"
    headers = {"Origin": SHOP, "X-Visitor-Token": visitor.token, "Content-Type": "multipart/form-data; boundary=b"}
    go_on = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello'
        await go_on.wait()
        yield b"\r\n--b--\r\n"

    async def send() -> int:
        async with http.post(url, data=slowly(), headers=headers) as answer:
            return answer.status

    sent = [asyncio.create_task(send()) for _ in range(UPLOADS_AT_ONCE + 1)]
    done, _ = await asyncio.wait(sent, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [429]
    go_on.set()
    assert sorted(await asyncio.gather(*sent)) == [200] * UPLOADS_AT_ONCE + [429]
    assert await send() == 200


async def test_the_policy_of_the_panel_is_not_written_by_the_caller(
    desk: ChatDesk, http: aiohttp.ClientSession
) -> None:
    async with http.get(
        f"{desk.url}/widget/panel", params={"site": "shop", "o": SHOP}, headers={"Host": "e;script-src *"}
    ) as answer:
        assert "connect-src 'self'; base-uri" in answer.headers["Content-Security-Policy"]


async def test_the_panel_may_be_framed_by_its_site_only(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{desk.url}/widget/panel", params={"site": "shop", "o": SHOP}) as answer:
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        assert policy.endswith(f"frame-ancestors {SHOP}")
        assert "'unsafe" not in policy
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


async def test_the_loader_carries_its_words_and_no_comments(desk: ChatDesk, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{desk.url}/widget/loader.js") as answer:
        script = await answer.text()
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "\n//" not in script
    assert '"fi":{' in script
