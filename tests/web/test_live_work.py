"""Screens tell how long operators work on what: a conversation of theirs that is open, until they leave it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, text

from tests.support.conditions import eventually
from tests.web.conftest import Application


async def seconds(application: Application) -> list[float | None]:
    """How long each piece of work has lasted; None runs."""

    def spans(conn: Connection) -> list[Any]:
        return list(conn.execute(text("SELECT began_at, ended_at FROM handling_spans ORDER BY id")))

    return [
        None if span.ended_at is None else (span.ended_at - span.began_at) / 1_000_000
        for span in await application.db.read(spans)
    ]


async def becomes(application: Application, *expected: float | None) -> None:
    async def so() -> bool:
        return await seconds(application) == list(expected)

    await eventually(so)


async def test_work_lasts_while_ones_own_conversation_is_open(application: Application) -> None:
    received = await application.customers.chat("Where is my parcel?")
    which = {"conversation_id": received.conversation_id}
    bea = await application.signed_in()
    screen = await application.screen(bea)
    await screen.tell("watch", which)
    assert await seconds(application) == []
    await bea.post(f"/api/conversations/{received.conversation_id}/take")
    application.clock.advance(timedelta(seconds=50))
    await screen.tell("unwatch", which)
    await becomes(application, 50)
    await screen.tell("watch", which)
    await becomes(application, 50, None)
    application.clock.advance(timedelta(seconds=20))
    await screen.tell("presence", {"presence": "away"})
    await becomes(application, 50, 20)
    application.clock.advance(timedelta(minutes=5))
    await screen.tell("presence", {"presence": "online"})
    await becomes(application, 50, 20, None)


async def test_writing_in_a_colleagues_conversation_is_work_too(application: Application) -> None:
    received = await application.customers.chat("Where is my parcel?")
    which = {"conversation_id": received.conversation_id}
    screen = await application.screen(await application.signed_in())
    await screen.tell("watch", which)
    await screen.tell("writing", {**which, "kind": "note"})
    await becomes(application, None)


async def test_a_page_loaded_again_goes_on_and_a_closed_window_ends_where_it_was_closed(
    application: Application,
) -> None:
    received = await application.customers.chat("Where is my parcel?")
    which = {"conversation_id": received.conversation_id}
    bea = await application.signed_in()
    screen = await application.screen(bea)
    await bea.post(f"/api/conversations/{received.conversation_id}/take")
    await screen.tell("watch", which)
    application.clock.advance(timedelta(seconds=10))
    await screen.leave()

    async def nobody() -> bool:
        return not application.desk.screens

    await eventually(nobody)
    again = await application.screen(bea)
    await again.tell("watch", which)
    application.clock.advance(timedelta(seconds=30))
    await application.desk.beat()
    assert await seconds(application) == [None]
    await again.leave()
    await eventually(nobody)
    application.clock.advance(timedelta(seconds=15))
    await application.desk.beat()
    await becomes(application, 40)
