"""Who may see the wallboard, what its addresses answer, and that bad questions are told so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio

from inbox.people import sessions
from inbox.vocabulary import OperatorId, Role
from inbox.waits import wall_links
from tests.browser.wall_desk import WallDesk
from web.cookies import COOKIE, digest, new_token
from web.wall import WALL


@pytest.fixture
async def desk(sqlite_url: str, tmp_path: Path) -> AsyncIterator[WallDesk]:
    desk = WallDesk(sqlite_url, tmp_path)
    await desk.start()
    yield desk
    await desk.stop()


async def signed_in(desk: WallDesk, operator_id: OperatorId) -> dict[str, str]:
    token = new_token()
    await desk.db.write(
        sessions.begin, operator_id, token_digest=digest(token), lasts=timedelta(days=1), now=desk.clock.now()
    )
    return {"Cookie": f"{COOKIE}={token}"}


@pytest.fixture
async def supervisor(desk: WallDesk) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=await signed_in(desk, await desk.busy_day())) as http:
        yield http


async def get(http: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with http.get(url, allow_redirects=False) as answer:
        return answer.status, await answer.json() if answer.content_type == "application/json" else await answer.text()


async def test_figures_for_programs_are_those_of_the_board(desk: WallDesk, supervisor: aiohttp.ClientSession) -> None:
    status, figures = await get(supervisor, f"{desk.url}/api/wallboard")
    assert status == 200
    assert (figures["waiting"], figures["in_target"], figures["warned"], figures["missed"]) == (8, 3, 3, 2)
    assert figures["longest"]["contact_name"] == "Olivia Hart"
    assert figures["mode"]["mode"] == "busy"
    assert {channel["channel"] for channel in figures["channels"]} == {"chat", "email", "phone"}


async def test_the_list_behind_a_figure_continues_where_it_ended(
    desk: WallDesk, supervisor: aiohttp.ClientSession
) -> None:
    _, first = await get(supervisor, f"{desk.url}/api/waits?figure=missed")
    assert [row["contact_name"] for row in first["rows"]] == ["Olivia Hart", ""]
    assert first["next_after"] is None
    _, figures = await get(supervisor, f"{desk.url}/api/wallboard")
    _, answered = await get(supervisor, f"{desk.url}/api/waits?figure=answered")
    assert len(answered["rows"]) == figures["waits"]["n"]
    _, rest = await get(supervisor, f"{desk.url}/api/waits?figure=answered&after=-120,0")
    assert 0 < len(rest["rows"]) < len(answered["rows"])
    assert all(row["net_s"] <= 120 for row in rest["rows"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("figure=everything", "figure"),
        ("figure=missed&channel=fax", "channel"),
        ("figure=missed&after=1", "after"),
        ("figure=missed&after=a,b", "after"),
        ("figure=missed&after=1,-1", "after"),
        (f"figure=missed&after={10**40},1", "after"),
        ("figure=missed&operator=me", "operator"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_its_field(
    desk: WallDesk, supervisor: aiohttp.ClientSession, query: str, field: str
) -> None:
    status, answer = await get(supervisor, f"{desk.url}/api/waits?{query}")
    assert (status, answer["error"]["field"]) == (422, field)
    status, _ = await get(supervisor, f"{desk.url}/waits?{query}")
    assert status == 422


async def test_operators_and_strangers_do_not_see_the_supervisor_s_pages(desk: WallDesk) -> None:
    operator = await signed_in(desk, await desk.operator("Mia Novak"))
    for path in ("/wallboard", "/wallboard/board", "/wallboard/links", "/waits", "/api/wallboard", "/api/waits"):
        async with aiohttp.ClientSession(headers=operator) as http:
            assert (await get(http, desk.url + path))[0] == 403
        async with aiohttp.ClientSession() as http:
            assert (await get(http, desk.url + path))[0] in (303, 401)


@pytest.mark.parametrize("token", ["x", "a" * 32, "%00", "a" * 5000, "..%2f..%2fetc"])
async def test_a_link_that_was_never_made_shows_nothing(desk: WallDesk, token: str) -> None:
    async with aiohttp.ClientSession() as http:
        for path in (f"/wall/{token}", f"/wall/{token}/board"):
            status, text = await get(http, desk.url + path)
            assert status in (400, 404)
            assert "data-part" not in text


async def test_a_link_is_not_made_by_another_site_s_form(desk: WallDesk, supervisor: aiohttp.ClientSession) -> None:
    async with supervisor.post(f"{desk.url}/wallboard/links", data={"hide_names": "yes"}) as answer:
        assert answer.status == 403


async def test_a_link_gives_no_way_into_the_desk(desk: WallDesk) -> None:
    owner = await desk.operator("Sofia Supervisor", Role.SUPERVISOR)
    token = await desk.db.write(wall_links.make, by=owner, hide_names=False, now=desk.clock.now())
    async with aiohttp.ClientSession() as http:
        assert (await get(http, f"{desk.url}/wall/{token}"))[0] == 200
        assert (await get(http, f"{desk.url}/api/wallboard"))[0] == 401
        assert (await get(http, f"{desk.url}/wallboard"))[0] in (303, 401)


async def test_the_board_in_finnish_has_finnish_numbers_and_times(
    desk: WallDesk, supervisor: aiohttp.ClientSession
) -> None:
    async with supervisor.get(f"{desk.url}/wallboard", headers={"Accept-Language": "fi"}) as answer:
        page = await answer.text()
    assert 'lang="en"' in page  # the operator has chosen English; the browser does not overrule that
    async with aiohttp.ClientSession(headers={"Accept-Language": "fi"}) as http:
        token = await desk.db.write(wall_links.make, by=OperatorId(1), hide_names=False, now=desk.clock.now())
        _, page = await get(http, f"{desk.url}/wall/{token}")
    assert 'lang="fi"' in page
    assert "88\xa0%" in page
    assert "21.00" in page


async def test_figures_are_pushed_to_the_wall_room_after_a_change(
    desk: WallDesk, supervisor: aiohttp.ClientSession
) -> None:
    client = socketio.AsyncClient()
    pushed: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    client.on("wall", pushed.put, namespace="/desk")
    await client.connect(
        desk.url, headers={"Cookie": supervisor.headers["Cookie"]}, namespaces=["/desk"], transports=["websocket"]
    )
    await client.call("wall", {}, namespace="/desk")
    await desk.chat("New Visitor", "Hello?", minutes=0)
    desk.manual.advance(timedelta(seconds=1))
    figures = await asyncio.wait_for(pushed.get(), 10)
    while figures["waiting"] != 9:  # what was pushed before the message
        desk.manual.advance(timedelta(seconds=1))
        figures = await asyncio.wait_for(pushed.get(), 10)
    assert figures["channels"][0]["in_target"] == 3
    await client.disconnect()


async def test_a_board_is_read_once_for_everybody_who_asks_within_a_second(desk: WallDesk) -> None:
    await desk.busy_day()
    wall = desk.app[WALL]
    boards = await asyncio.gather(*(wall.board() for _ in range(20)))
    assert len({board.number for board in boards}) == 1
    desk.manual.advance(timedelta(seconds=1))
    assert (await wall.board()).number == boards[0].number + 1
