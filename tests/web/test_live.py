"""The live line of operators: a snapshot at each connect, small pushes between, nothing for strangers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import socketio

from inbox.events import AlarmQueued, ConversationChanged, DeskMailWritten
from inbox.people import operators, sessions
from inbox.vocabulary import DeskMailId, Presence, Role
from tests.support.conditions import eventually
from tests.web.conftest import Application, Browser, Screen


async def heard(screen: Screen, event: str, number: int = 1) -> list[Any]:
    async def enough() -> list[Any]:
        found = screen.all(event)
        return found if len(found) >= number else []

    return await eventually(enough)


async def test_a_screen_begins_with_a_snapshot(application: Application) -> None:
    received = await application.customers.chat("Where is my parcel?")
    browser = await application.signed_in()
    screen = await application.screen(browser)
    hello = await screen.tell("hello", {"version_of_client": "x"})
    assert hello["ok"] is True
    assert [row["id"] for row in hello["queue"]["rows"]] == [received.conversation_id]
    assert hello["queue"]["counts"]["in_target"] == 1
    assert hello["operator"]["name"] == "Bea"
    assert hello["mode"]["mode"] == "staffed"
    assert hello["now"] == "2026-03-10T10:00:00Z"
    assert hello["operators"][0]["presence"] == Presence.ONLINE


async def refused(application: Application, headers: dict[str, str]) -> str:
    """The reason a screen is given for not being let in."""
    client = socketio.AsyncClient(reconnection=False)
    reasons: list[str] = []
    client.on("connect_error", lambda data: reasons.append(str(data)), namespace="/desk")
    try:
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(application.url, headers=headers, namespaces=["/desk"], transports=["websocket"])
    finally:
        await client.disconnect()
    return " ".join(reasons)


async def test_the_wallboard_is_pushed_to_supervisors_only(application: Application) -> None:
    operator = await application.screen(await application.signed_in())
    assert (await operator.tell("wall", {}))["error"] == "not_allowed"
    supervisor = await application.screen(await application.signed_in("Sari", Role.SUPERVISOR))
    assert await supervisor.tell("wall", {}) == {"ok": True}


async def test_without_a_session_nobody_listens_in(application: Application) -> None:
    assert "signed_out" in await refused(application, {})
    assert "signed_out" in await refused(application, {"Cookie": f"vuoro_session={'x' * 43}"})


async def test_another_sites_page_cannot_connect_with_the_operators_cookie(application: Application) -> None:
    browser = await application.signed_in()
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in browser.http.cookie_jar)
    for origin in ("https://evil.example", "https://shop.example"):
        await refused(application, {"Cookie": cookies, "Origin": origin})
    assert application.desk.screens == {}


async def test_what_happens_in_the_queue_is_pushed_to_everybody(application: Application) -> None:
    browser = await application.signed_in()
    screen = await application.screen(browser)
    received = await application.customers.chat("Where is my parcel?")
    [change, counts] = (await heard(screen, "rows", 2))[:2]
    assert [(row["id"], row["snippet"]) for row in change["rows"]] == [
        (received.conversation_id, "Where is my parcel?")
    ]
    assert counts["counts"]["in_target"] == 1
    version = change["rows"][0]["version"]
    await browser.post(f"/api/conversations/{received.conversation_id}/take")
    changes = await heard(screen, "rows", 4)
    assert changes[2]["rows"][0]["owner_name"] == "Bea"
    assert changes[2]["rows"][0]["version"] > version
    assert changes[3]["counts"]["mine"] == 1


async def test_much_at_once_is_one_push(application: Application) -> None:
    screen = await application.screen(await application.signed_in())
    await application.told()
    screen.heard.clear()
    await asyncio.gather(*(application.customers.chat("hello", visitor=f"v{n}") for n in range(20)))
    await application.told()

    async def all_rows() -> list[Any]:
        changes = [change for change in screen.all("rows") if change["rows"]]
        return changes if len({row["id"] for change in changes for row in change["rows"]}) == 20 else []

    assert len(await eventually(all_rows)) < 10


async def test_a_screen_that_watches_a_conversation_hears_its_entries_and_catches_up(application: Application) -> None:
    received = await application.customers.chat("one")
    bea, jonas = await application.signed_in(), await application.signed_in("Jonas")
    screen, other = await application.screen(bea), await application.screen(jonas)
    watching = await screen.tell("watch", {"conversation_id": received.conversation_id, "after": 0})
    assert [entry["text"] for entry in watching["entries"]] == ["one"]
    await application.customers.chat("two")
    [push] = await heard(screen, "entries")
    assert (push["conversation_id"], [entry["text"] for entry in push["entries"]]) == (
        received.conversation_id,
        ["two"],
    )
    await application.told()
    assert other.all("entries") == []
    await screen.leave()
    await application.customers.chat("three")
    back = await application.screen(bea)
    missed = await back.tell("watch", {"conversation_id": received.conversation_id, "after": 2})
    assert [entry["text"] for entry in missed["entries"]] == ["three"]
    assert missed["row"]["last_number"] == 3


async def test_everybody_sees_who_looks_and_who_writes(application: Application) -> None:
    received = await application.customers.chat("one")
    bea, jonas = await application.signed_in(), await application.signed_in("Jonas")
    screen, other = await application.screen(bea), await application.screen(jonas)
    which = {"conversation_id": received.conversation_id}
    await screen.tell("watch", {**which, "after": 0})
    assert (await heard(other, "viewers"))[-1]["viewers"] == [
        {"operator_id": bea.operator_id, "name": "Bea", "writing": None}
    ]
    await screen.tell("writing", {**which, "kind": "reply"})
    assert (await heard(other, "viewers", 2))[-1]["viewers"][0]["writing"] == "reply"
    late = await application.screen(await application.signed_in("Nia"))
    hello = await late.tell("hello", {})
    assert hello["viewers"][0]["viewers"][0]["name"] == "Bea"
    await screen.leave()
    assert (await heard(other, "viewers", 3))[-1]["viewers"] == []


async def test_what_cannot_be_understood_is_answered_and_harms_nobody(application: Application) -> None:
    received = await application.customers.chat("one")
    browser = await application.signed_in()
    screen = await application.screen(browser)
    cases: list[tuple[str, Any, str]] = [
        ("nonsense", {}, "unknown_event"),
        ("connect", {}, "unknown_event"),
        ("heartbeat", {}, "unknown_event"),
        ("watch", {}, "bad_input"),
        ("watch", "x", "bad_input"),
        ("watch", [1, 2], "bad_input"),
        ("watch", {"conversation_id": "x"}, "bad_input"),
        ("watch", {"conversation_id": -1}, "bad_input"),
        ("watch", {"conversation_id": 2**70}, "bad_input"),
        ("watch", {"conversation_id": 999_999}, "not_found"),
        ("watch", {"conversation_id": received.conversation_id, "after": -3}, "bad_input"),
        ("writing", {"conversation_id": received.conversation_id, "kind": "smoke"}, "bad_input"),
        ("presence", {"presence": "asleep"}, "bad_input"),
        ("presence", None, "bad_input"),
    ]
    for event, data, code in cases:
        answer = await screen.tell(event, data)
        error = answer["error"]
        assert (error if isinstance(error, str) else error["code"]) == code, (event, data)
    assert (await screen.tell("hello", {}))["ok"] is True


async def test_a_screen_that_asks_too_often_is_slowed_down_alone(application: Application) -> None:
    loud = await application.screen(await application.signed_in())
    calm = await application.screen(await application.signed_in("Jonas"))
    answers = [await loud.tell("unwatch", {"conversation_id": 1}) for _ in range(210)]
    assert answers[-1]["error"] == "rate_limited"
    assert (await calm.tell("unwatch", {"conversation_id": 1}))["ok"] is True


async def test_offers_reach_the_two_operators_and_their_end_too(application: Application) -> None:
    received = await application.customers.chat("one")
    bea, jonas, nia = [await application.signed_in(name) for name in ("Bea", "Jonas", "Nia")]
    screens = [await application.screen(browser) for browser in (bea, jonas, nia)]
    path = f"/api/conversations/{received.conversation_id}"
    await bea.post(f"{path}/take")
    made = await bea.post(f"{path}/handoff", {"to": jonas.operator_id, "brief": {"wants": "a parcel"}})
    for screen in screens[:2]:
        [offer] = await heard(screen, "offer")
        assert (offer["id"], offer["brief"]["wants"]) == (made["handoff_id"], "a parcel")
    await jonas.post(f"/api/handoffs/{made['handoff_id']}/decline")
    for screen in screens[:2]:
        assert await heard(screen, "offer_settled") == [{"handoff_id": made["handoff_id"], "state": "declined"}]
    assert screens[2].all("offer") == []


async def test_a_wait_warns_and_is_missed_on_screens_of_those_at_work_at_its_second(
    application: Application,
) -> None:
    received = await application.customers.chat("one")
    screen = await application.screen(await application.signed_in())
    application.clock.advance(timedelta(minutes=3))
    [warned] = await heard(screen, "alarm")
    assert (warned["kind"], warned["conversation_id"]) == ("warned", received.conversation_id)
    assert warned["at"] == "2026-03-10T10:03:00Z"
    application.clock.advance(timedelta(minutes=2))
    assert [alarm["kind"] for alarm in await heard(screen, "alarm", 2)] == ["warned", "missed"]


async def presence_of(application: Application, browser: Browser) -> Presence:
    return (await application.db.read(operators.get, browser.operator_id)).presence


async def test_a_connected_screen_is_online_and_a_silent_one_offline_after_a_minute(application: Application) -> None:
    bea, jonas = await application.signed_in(), await application.signed_in("Jonas")
    screen, other = await application.screen(bea), await application.screen(jonas)
    assert await presence_of(application, bea) is Presence.ONLINE
    await other.tell("presence", {"presence": "away"})
    await screen.leave()
    for _ in range(4):
        application.clock.advance(timedelta(seconds=20))
        await application.desk.beat()
    assert await presence_of(application, bea) is Presence.OFFLINE
    assert await presence_of(application, jonas) is Presence.AWAY
    await application.told()

    async def as_shown() -> bool:
        people = (await heard(other, "operators"))[-1]
        return {person["name"]: person["presence"] for person in people} == {"Bea": "offline", "Jonas": "away"}

    assert await eventually(as_shown)


async def test_a_line_lost_for_some_seconds_changes_nobodys_presence(application: Application) -> None:
    bea = await application.signed_in()
    screen = await application.screen(bea)
    await screen.tell("presence", {"presence": "finishing"})
    await screen.leave()
    application.clock.advance(timedelta(seconds=40))
    await application.desk.beat()
    await application.screen(bea)
    application.clock.advance(timedelta(seconds=40))
    await application.desk.beat()
    assert await presence_of(application, bea) is Presence.FINISHING


async def test_ending_a_session_cuts_its_screens_off(application: Application) -> None:
    bea = await application.signed_in()
    screen = await application.screen(bea)
    await bea.form("/sign-out", {})
    assert await heard(screen, "signed_out") == [{}]

    async def gone() -> bool:
        return not screen.client.connected

    await eventually(gone)


async def test_a_session_ended_elsewhere_is_noticed_by_the_heartbeat(application: Application) -> None:
    bea = await application.signed_in()
    screen = await application.screen(bea)
    await application.db.write(sessions.end_others, bea.operator_id, but=None, now=application.clock.now())
    await application.desk.beat()
    assert await heard(screen, "signed_out") == [{}]


async def test_what_no_screen_shows_keeps_nothing_else_from_the_screens(application: Application) -> None:
    received = await application.customers.chat("one")
    screen = await application.screen(await application.signed_in())
    changed = ConversationChanged(received.conversation_id)
    application.desk.announcer([DeskMailWritten(DeskMailId(1)), AlarmQueued(1), changed])
    [rows, *_] = await heard(screen, "rows")
    assert [row["id"] for row in rows["rows"]] == [received.conversation_id]
