"""The operators' interface to calls and callbacks, over HTTP, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from itsdangerous import Signer

from inbox.calls import record_call
from inbox.clock import ManualClock
from inbox.people import sessions
from inbox.store.database import Database
from tests.inbox.calling import BEN, MAIJA, missed, only_callback, operator, row
from web.app import Config, build
from web.cookies import COOKIE, digest, new_token

SECRET = "nothing but a test knows this secret"


class Screen:
    """What an operator's browser sends."""

    def __init__(self, client: TestClient[Any, Any], token: str) -> None:
        self.client, self.token = client, token
        self.csrf = Signer(SECRET, salt="csrf").get_signature(digest(token)).decode()

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.client.get(path, cookies={COOKIE: self.token}) as response:
            return response.status, await response.json()

    async def post(self, path: str, /, **body: Any) -> tuple[int, Any]:
        headers = {"X-CSRF": self.csrf}
        async with self.client.post(path, json=body, headers=headers, cookies={COOKIE: self.token}) as response:
            return response.status, await response.json()


class Desk:
    def __init__(self, client: TestClient[Any, Any], db: Database, clock: ManualClock) -> None:
        self.client, self.db, self.clock = client, db, clock

    async def screen(self, name: str) -> Screen:
        who = await operator(self.db, name, self.clock.now())
        token = new_token()
        await self.db.write(
            sessions.begin, who, token_digest=digest(token), lasts=timedelta(days=1), now=self.clock.now()
        )
        return Screen(self.client, token)

    async def missed_call(self, call_id: str = "1", number: str | None = MAIJA) -> Any:
        facts = missed(call_id, self.clock.now() - timedelta(minutes=1), number=number, name="Maija")
        recorded = await self.db.write(record_call, facts, now=self.clock.now())
        return await only_callback(self.db, recorded.conversation_id)


@pytest.fixture
async def desk(database: Database, database_url: str, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Desk]:
    config = Config.model_validate(
        {
            "security": {"secret": SECRET},
            "store": {"url": database_url, "folder": str(tmp_path)},
            "email": {"addresses": [{"address": "help@desk.example"}], "keep_folder": str(tmp_path / "mail")},
        }
    )
    async with TestClient(TestServer(build(config, clock=clock, db=database))) as client:
        yield Desk(client, database, clock)


async def test_an_operator_takes_dials_reaches_and_sums_up(desk: Desk, tmp_path: Path) -> None:
    ann, callback = await desk.screen("Ann"), await desk.missed_call()
    base = f"/api/callbacks/{callback.id}"
    status, listed = await ann.get("/api/callbacks")
    assert (status, [one["number_spoken"] for one in listed["callbacks"]]) == (200, ["+358 40 1234567"])
    assert await ann.post(f"{base}/take") == (200, {"conversation_id": callback.conversation_id})
    assert await ann.post(f"{base}/dial") == (200, {"number": MAIJA, "uri": f"tel:{MAIJA}", "attempt": 1})
    assert await ann.post(f"{base}/outcome", outcome="reached", note="Nice.") == (200, {"state": "wrap_up"})
    form = {"asked": "The parcel.", "agreed": "A new one.", "next_steps": [{"what": "Send it", "by": "2026-03-12"}]}
    status, answer = await ann.post(f"{base}/summary/draft", **form)
    assert (status, answer["addressing"], answer["draft"]["starts_thread"]) == (200, None, True)
    sent = {**form, "text": answer["draft"]["text"], "seen": answer["draft"]["seen"], "subject": "Your call"}
    status, refused = await ann.post(f"{base}/summary", **sent)
    assert (status, refused["error"]["code"]) == (422, "cannot_reach")
    sent["recipients"] = {"to": ["maija@shop.example"]}
    status, written = await ann.post(f"{base}/summary", **sent)
    assert (status, written["duplicate"]) == (200, False)
    status, again = await ann.post(f"{base}/summary", **sent)
    assert (status, again) == (200, {**written, "duplicate": True})
    status, shown = await ann.get(base)
    assert (status, shown["callback"]["state"]) == (200, "done")
    assert [one["outcome"] for one in shown["attempts"]] == ["reached"]


async def test_two_screens_cannot_take_the_same_callback(desk: Desk) -> None:
    ann, bea, callback = await desk.screen("Ann"), await desk.screen("Bea"), await desk.missed_call()
    assert (await ann.post(f"/api/callbacks/{callback.id}/take"))[0] == 200
    status, refused = await bea.post(f"/api/callbacks/{callback.id}/take")
    assert (status, refused["error"]["code"]) == (409, "already_taken")
    assert refused["error"]["message"].startswith("Ann ")
    assert (await ann.post(f"/api/callbacks/{callback.id}/release"))[0] == 200
    assert (await bea.post(f"/api/callbacks/{callback.id}/take"))[0] == 200


async def test_a_callback_is_agreed_cancelled_and_waived(desk: Desk) -> None:
    ann, callback = await desk.screen("Ann"), await desk.missed_call()
    base = f"/api/callbacks/{callback.id}"
    slot = {"from": "2026-03-10T14:00:00Z", "to": "2026-03-10T14:30:00+00:00"}
    assert (await ann.post(f"{base}/schedule", **slot))[0] == 200
    assert (await row(desk.db, callback.conversation_id)).paused
    assert (await ann.post(f"{base}/cancel", reason="Wrote instead."))[0] == 200
    assert (await ann.post(f"{base}/cancel"))[0] == 409
    made = await ann.post("/api/callbacks", conversation_id=callback.conversation_id, number="040 123 4567")
    assert (made[0], made[1]["existing"]) == (201, False)
    again = await ann.post("/api/callbacks", conversation_id=callback.conversation_id, number=MAIJA)
    assert again == (200, {**made[1], "existing": True})
    base = f"/api/callbacks/{made[1]['callback_id']}"
    for step in ("take", "dial"):
        await ann.post(f"{base}/{step}")
    await ann.post(f"{base}/outcome", outcome="reached")
    assert (await ann.get("/api/callbacks?wrap_up=1"))[1]["callbacks"][0]["id"] == made[1]["callback_id"]
    assert (await ann.post(f"{base}/waive", reason=""))[0] == 422
    assert (await ann.post(f"{base}/waive", reason="Wrong customer."))[0] == 200


async def test_a_withheld_caller_gets_a_number_and_can_then_be_rung(desk: Desk) -> None:
    ann, callback = await desk.screen("Ann"), await desk.missed_call(number=None)
    base = f"/api/callbacks/{callback.id}"
    status, refused = await ann.post(f"{base}/take")
    assert (status, refused["error"]["field"]) == (422, "number")
    assert (await ann.post(f"{base}/number", number="12"))[0] == 422
    assert await ann.post(f"{base}/number", number="040 123 4567") == (200, {"number": MAIJA})
    assert (await ann.post(f"{base}/take"))[0] == 200


async def test_after_three_tries_the_wait_can_be_closed_as_unreached(desk: Desk) -> None:
    ann, callback = await desk.screen("Ann"), await desk.missed_call()
    base = f"/api/callbacks/{callback.id}"
    for outcome in ("busy", "no_answer", "voicemail_left"):
        for step in ("take", "dial"):
            assert (await ann.post(f"{base}/{step}"))[0] == 200
        status, told = await ann.post(f"{base}/outcome", outcome=outcome)
        assert status == 200
    assert told == {"state": "exhausted"}
    assert (await ann.post(f"{base}/unreached"))[0] == 200
    assert (await row(desk.db, callback.conversation_id)).waiting_since is None


async def test_a_call_is_typed_in_by_hand_once(desk: Desk) -> None:
    ann = await desk.screen("Ann")
    call = {"number": "+44 7400 123456", "name": "Ben", "outcome": "no_answer", "note": "Will ring again.", "key": "f1"}
    status, recorded = await ann.post("/api/calls", **call)
    assert (status, recorded["outcome"]) == (201, "no_answer")
    assert await ann.post("/api/calls", **call) == (201, recorded)
    shown = await row(desk.db, recorded["conversation_id"])
    assert (shown.contact_name, shown.waiting_since, shown.callback) == ("Ben", desk.clock.now(), "due")
    assert (await only_callback(desk.db, shown.id)).number == BEN


NONSENSE: list[tuple[str, dict[str, Any]]] = [
    ("/api/calls", {"outcome": "vanished"}),
    ("/api/calls", {"outcome": "no_answer", "number": "12"}),
    ("/api/calls", {"outcome": "no_answer", "number": "0" * 5000}),
    ("/api/calls", {"outcome": "no_answer", "started_at": "2026-03-10T10:00:00"}),
    ("/api/calls", {"outcome": "no_answer", "duration_s": -1}),
    ("/api/calls", {"outcome": "no_answer", "colour": "red"}),
    ("/api/callbacks", {"conversation_id": 1, "number": "nobody"}),
    ("/api/callbacks", {"conversation_id": 2**70, "number": MAIJA}),
    ("/api/callbacks/1/outcome", {"outcome": "maybe"}),
    ("/api/callbacks/1/outcome", {"outcome": "reached", "note": "x" * 5000}),
    ("/api/callbacks/1/schedule", {"from": "tomorrow", "to": "later"}),
    ("/api/callbacks/1/schedule", {"from": "2026-03-09T14:00:00Z", "to": "2026-03-09T15:00:00Z"}),
    ("/api/callbacks/1/summary/draft", {"next_steps": [{"what": "x"}] * 21}),
    ("/api/callbacks/1/summary/draft", {"next_steps": [{"what": "x", "by": "soon"}]}),
    ("/api/callbacks/1/summary", {"text": "", "seen": 0}),
]


async def test_input_that_makes_no_sense_is_refused_with_its_field(desk: Desk) -> None:
    ann = await desk.screen("Ann")
    assert (await desk.missed_call()).id == 1
    for path, body in NONSENSE:
        status, refused = await ann.post(path, **body)
        assert status in (409, 422), (path, body)
        assert status == 409 or refused["error"]["field"]
    assert (await ann.post("/api/callbacks/1/take"))[0] == 200


async def test_callbacks_that_do_not_exist_are_not_found(desk: Desk) -> None:
    ann = await desk.screen("Ann")
    for path in ("take", "dial", "release", "unreached", "cancel"):
        assert (await ann.post(f"/api/callbacks/99/{path}"))[0] == 404
    assert (await ann.get("/api/callbacks/99"))[0] == 404
    assert (await ann.get("/api/callbacks/x"))[0] == 404
    assert (await ann.post("/api/callbacks", conversation_id=99, number=MAIJA))[0] == 404


async def test_nobody_outside_sees_who_called(desk: Desk) -> None:
    await desk.missed_call()
    stranger = Screen(desk.client, new_token())
    assert (await stranger.get("/api/callbacks"))[0] == 401
    assert (await stranger.post("/api/callbacks/1/take"))[0] == 401
    forged = await desk.screen("Ann")
    forged.csrf = "nonsense"
    assert (await forged.post("/api/callbacks/1/take"))[0] == 403
