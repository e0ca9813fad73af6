"""The webhook as a telephone system meets it: over HTTP, with the loop behind it, on both databases."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr
from sqlalchemy import Connection, func, select

from channels.phone.channel import phone_channel
from channels.phone.example import curl_line
from channels.phone.settings import PhoneSettings, PhoneSource
from channels.phone.signature import sign
from inbox import queue
from inbox.clock import ManualClock
from inbox.queue import QueueRow, View
from inbox.store import arrivals
from inbox.store.arrivals import ArrivalRecord
from inbox.store.database import Database
from inbox.store.models import Arrival, Conversation
from inbox.vocabulary import ArrivalId, ArrivalState, OperatorId

SECRET, OLD, TOKEN = "a-secret-of-the-exchange", "the-secret-before-this", "a-token-for-old-boxes"
SETTINGS = PhoneSettings(
    default_country="FI",
    sources=(
        PhoneSource(name="pbx", secret=SecretStr(SECRET), old_secret=SecretStr(OLD), lines={"100": "Support"}),
        PhoneSource(name="box", token=SecretStr(TOKEN)),
    ),
)
RECORDED = Path(__file__).parent / "recorded"


class Exchange:
    """A telephone system that reports to the desk."""

    def __init__(self, client: TestClient[Any, Any], clock: ManualClock, db: Database) -> None:
        self.client, self.clock, self.db = client, clock, db

    async def post(self, body: bytes, source: str = "pbx", **headers: str) -> tuple[int, Any]:
        async with self.client.post(f"/hooks/phone/{source}", data=body, headers=headers) as response:
            return response.status, await response.json()

    async def signed(self, event: Any, secret: str = SECRET) -> tuple[int, Any]:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return await self.post(body, **{"X-Signature": sign(secret, body, now=self.clock.now())})

    async def arrivals(self) -> list[ArrivalRecord]:
        return await self.db.read(_arrivals)

    async def until_settled(self) -> list[ArrivalRecord]:
        while True:
            found = await self.arrivals()
            if not any(one.state is ArrivalState.NEW for one in found):
                return found
            await asyncio.sleep(0.01)

    async def waiting(self) -> list[QueueRow]:
        await self.until_settled()
        return list((await self.db.read(queue.page, View.WAITING, OperatorId(0))).rows)


def _arrivals(conn: Connection) -> list[ArrivalRecord]:
    ids = [ArrivalId(one) for one in conn.execute(select(Arrival.id).order_by(Arrival.id)).scalars()]
    return [found for one in ids if (found := arrivals.get(conn, one)) is not None]


async def until_waiting(db: Database) -> Sequence[QueueRow]:
    while True:
        rows = (await db.read(queue.page, View.WAITING, OperatorId(0))).rows
        if rows:
            return rows
        await asyncio.sleep(0.01)


def missed(call_id: str = "1", **changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "type": "call.ended",
        "call_id": call_id,
        "from": "0401234567",
        "to": "100",
        "started_at": "2026-03-10T09:59:20Z",
        "ended_at": "2026-03-10T10:00:00Z",
        "outcome": "no_answer",
        **changes,
    }


@pytest.fixture
async def exchange(database: Database, clock: ManualClock) -> AsyncIterator[Exchange]:
    channel = phone_channel(database, clock, SETTINGS)
    app = web.Application()
    app.add_routes(channel.routes)
    for announce in channel.announce:
        database.on_commit(announce)
    async with AsyncExitStack() as stack:
        for background in channel.background:
            await stack.enter_async_context(background())
        client = await stack.enter_async_context(TestClient(TestServer(app)))
        yield Exchange(client, clock, database)


async def test_a_signed_missed_call_waits_in_the_queue(exchange: Exchange) -> None:
    status, answer = await exchange.signed(missed())
    assert (status, answer["stored"], answer["duplicate"]) == (202, True, False)
    [row] = await exchange.waiting()
    assert (row.subject, row.waiting_since) == ("+358 40 1234567", exchange.clock.now() - timedelta(seconds=40))
    [arrival] = await exchange.arrivals()
    assert (arrival.source, arrival.state) == ("phone:pbx", ArrivalState.PLACED)
    assert json.loads(arrival.raw) == missed()


async def test_a_redelivery_is_answered_with_success_and_changes_nothing(exchange: Exchange) -> None:
    await exchange.signed(missed(event_id="e1"))
    [row] = await exchange.waiting()
    status, answer = await exchange.signed(missed(event_id="e1", attempt=2))
    assert (status, answer["duplicate"]) == (200, True)
    status, answer = await exchange.signed(missed(event_id="e2"))
    assert (status, answer["duplicate"]) == (202, False)
    assert await exchange.waiting() == [row]
    assert len(await exchange.arrivals()) == 2


async def test_without_an_event_id_the_same_bytes_are_the_same_event(exchange: Exchange) -> None:
    assert (await exchange.signed(missed()))[0] == 202
    assert (await exchange.signed(missed()))[0] == 200
    assert (await exchange.signed(missed("2")))[0] == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Signature": ""},
        {"X-Signature": "t=1773136800,v1=" + "0" * 64},
        {"X-Signature": "t=1773136800"},
        {"Authorization": f"Bearer {TOKEN}"},
        {"Authorization": "Bearer "},
    ],
)
async def test_what_is_not_proved_changes_nothing(exchange: Exchange, headers: dict[str, str]) -> None:
    status, answer = await exchange.post(json.dumps(missed()).encode(), **headers)
    assert (status, answer["error"]["code"]) == (401, "not_proved")
    assert await exchange.arrivals() == []


async def test_an_unknown_source_is_told_no_more_than_a_wrong_signature(exchange: Exchange) -> None:
    body = json.dumps(missed()).encode()
    header = sign(SECRET, body, now=exchange.clock.now())
    assert await exchange.post(body, "nobody", **{"X-Signature": header}) == await exchange.post(body, "pbx")
    assert await exchange.arrivals() == []


async def test_an_overheard_event_cannot_be_sent_again_later(exchange: Exchange) -> None:
    body = json.dumps(missed()).encode()
    header = sign(SECRET, body, now=exchange.clock.now())
    exchange.clock.advance(timedelta(seconds=301))
    assert (await exchange.post(body, **{"X-Signature": header}))[0] == 401


async def test_both_secrets_hold_while_one_is_being_changed(exchange: Exchange) -> None:
    assert (await exchange.signed(missed("1"), OLD))[0] == 202
    assert (await exchange.signed(missed("2"), SECRET))[0] == 202


async def test_a_box_that_cannot_sign_sends_its_token(exchange: Exchange) -> None:
    body = json.dumps(missed()).encode()
    assert (await exchange.post(body, "box", Authorization=f"Bearer {TOKEN}"))[0] == 202
    assert len(await exchange.waiting()) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\x00", "body"),
        (b"[]", "body"),
        (b"[" * 60_000, "body"),
        (b'{"version": 1, "from": "Maija "Mouse" M"}', "body"),  # glued together by a dialplan
        (json.dumps(missed(started_at="soon")).encode(), "started_at"),
        (json.dumps(missed(outcome="vanished")).encode(), "outcome"),
    ],
)
async def test_a_proved_body_that_makes_no_sense_is_kept_for_people_and_answered_with_success(
    exchange: Exchange, body: bytes, field: str
) -> None:
    status, answer = await exchange.signed(body)
    assert (status, answer["stored"], answer["problem"]["field"]) == (202, True, field)
    [arrival] = await exchange.until_settled()
    assert (arrival.state, arrival.raw) == (ArrivalState.TRAY, body)
    assert arrival.reason.startswith(f"{field}: ")
    await exchange.signed(missed())
    assert len(await exchange.waiting()) == 1


async def test_an_arrival_in_the_tray_can_be_run_again(exchange: Exchange) -> None:
    await exchange.signed(missed(outcome="vanished"))
    [arrival] = await exchange.until_settled()
    await exchange.db.write(arrivals.run_again, arrival.id)
    [again] = await exchange.until_settled()
    assert again.state is ArrivalState.TRAY


async def test_a_body_over_64_kib_is_refused_however_it_is_sent(exchange: Exchange) -> None:
    body = b" " * (64 * 1024) + json.dumps(missed()).encode()
    assert (await exchange.signed(body))[0] == 413

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 4096):
            yield body[start : start + 4096]

    async with exchange.client.post("/hooks/phone/pbx", data=in_pieces()) as response:
        assert response.status == 413
    assert await exchange.arrivals() == []


async def test_a_client_that_goes_away_in_the_middle_disturbs_nobody(exchange: Exchange) -> None:
    host, port = exchange.client.host, exchange.client.port
    with socket.create_connection((host, port)) as line:
        line.sendall(b"POST /hooks/phone/pbx HTTP/1.1\r\nHost: desk\r\nContent-Length: 5000\r\n\r\n{")
    assert (await exchange.signed(missed()))[0] == 202


async def test_who_keeps_guessing_is_told_to_stop_and_locks_nobody_out(exchange: Exchange) -> None:
    statuses = [(await exchange.post(b"{}"))[0] for _ in range(61)]
    assert (statuses[59], statuses[60]) == (401, 429)
    assert (await exchange.signed(missed()))[0] == 202


async def test_many_events_at_once_are_slowed_down_and_lose_nothing(exchange: Exchange) -> None:
    answers = [(await exchange.signed(missed(str(n), started_at=1773136700 + n % 60)))[0] for n in range(30)]
    assert set(answers) == {202}
    assert (await exchange.waiting())[0].unread == 30


async def test_a_new_kind_of_event_is_set_aside(exchange: Exchange) -> None:
    assert (await exchange.signed(missed(type="call.parked")))[0] == 202
    [arrival] = await exchange.until_settled()
    assert arrival.state is ArrivalState.SET_ASIDE


async def test_events_in_the_wrong_order_make_the_same_call(exchange: Exchange) -> None:
    answered = {"answered_at": "2026-03-10T09:59:30Z"}
    await exchange.signed(missed(event_id="3", type="call.ended", outcome="answered", **answered))
    await exchange.signed(missed(event_id="1", type="call.started", outcome=None, ended_at=None))
    await exchange.signed(missed(event_id="2", type="call.answered", **answered))
    assert await exchange.waiting() == []
    assert await exchange.db.read(_conversations) == 1


def _conversations(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(Conversation)).scalar_one()


async def test_what_a_crash_left_over_is_taken_in_at_the_next_start(database: Database, clock: ManualClock) -> None:
    body = json.dumps(missed()).encode()
    await database.write(
        arrivals.keep, source="phone:pbx", dedupe_key="phone:pbx:1", raw=body, envelope={}, now=clock.now()
    )
    [background] = phone_channel(database, clock, SETTINGS).background
    async with background():
        assert len(await until_waiting(database)) == 1


async def test_an_event_kept_before_its_source_was_removed_is_still_understood(
    database: Database, clock: ManualClock
) -> None:
    body = json.dumps(missed()).encode()
    await database.write(
        arrivals.keep, source="phone:gone", dedupe_key="phone:gone:1", raw=body, envelope={}, now=clock.now()
    )
    [background] = phone_channel(database, clock, SETTINGS).background
    async with background():
        [row] = await until_waiting(database)
    assert row.subject == "+358 40 1234567"


async def test_no_secret_is_kept_with_an_event(exchange: Exchange) -> None:
    await exchange.post(json.dumps(missed()).encode(), "box", Authorization=f"Bearer {TOKEN}")
    [arrival] = await exchange.until_settled()
    assert TOKEN not in json.dumps(dict(arrival.envelope)) + arrival.raw.decode()


async def test_the_command_line_of_the_demonstration_reports_a_missed_call(exchange: Exchange) -> None:
    url = f"http://{exchange.client.host}:{exchange.client.port}/"
    line = curl_line(url, SETTINGS.sources[1])
    process = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert json.loads(output)["stored"] is True
    assert "problem" not in json.loads(output)
    [row] = await exchange.waiting()
    assert row.callback == "due"


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.json")), ids=lambda path: path.stem)
async def test_a_recorded_call_becomes_what_it_was(exchange: Exchange, path: Path) -> None:
    """Events of whole calls, written in the shape that docs/phone.md asks for, and what the desk must make of each."""
    recorded = json.loads(path.read_text())
    exchange.clock.set(exchange.clock.now() + timedelta(days=1))
    for event in recorded["events"]:
        assert (await exchange.signed(event))[0] in (200, 202)
    rows = await exchange.waiting()
    assert len(rows) == recorded["waiting"]
    assert [row.callback for row in rows] == recorded["callbacks"]
