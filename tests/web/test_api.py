"""The operators' HTTP interface: what the screens do, and what broken programs send."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from inbox.vocabulary import Presence, Role
from tests.web.conftest import Application
from web import keys


async def test_the_queue_pages_by_the_key_of_the_last_row(application: Application) -> None:
    browser = await application.signed_in()
    for number in range(5):
        application.clock.advance(timedelta(seconds=1))
        await application.customers.chat(f"question {number}", visitor=f"visitor-{number}")
    first = await browser.get("/api/queue?limit=2")
    assert [row["snippet"] for row in first["rows"]] == ["question 0", "question 1"]
    key, last = first["next_after"]
    second = await browser.get(f"/api/queue?limit=2&after={key},{last}")
    assert [row["snippet"] for row in second["rows"]] == ["question 2", "question 3"]
    assert first["counts"] == {
        "in_target": 5, "warned": 0, "missed": 0, "mine": 0, "unassigned": 5, "callbacks": 0,
    }  # fmt: skip
    assert first["rows"][0]["due_at"].endswith("Z")
    assert (await browser.get("/api/queue?view=waiting&channel=email"))["rows"] == []


async def test_taking_next_gives_the_longest_waiting_once(application: Application) -> None:
    first = await application.customers.chat("first", visitor="one")
    application.clock.advance(timedelta(seconds=1))
    second = await application.customers.chat("second", visitor="two")
    bea, jonas = await application.signed_in(), await application.signed_in("Jonas")
    taken = await asyncio.gather(bea.post("/api/take-next"), jonas.post("/api/take-next"))
    assert {one["conversation_id"] for one in taken} == {first.conversation_id, second.conversation_id}
    status, answer = await bea.call("POST", "/api/take-next")
    assert (status, answer["error"]["code"]) == (404, "nothing_waiting")


async def test_a_conversation_opens_with_everything_the_workspace_shows(application: Application) -> None:
    received = await application.customers.chat("Where is my parcel?", name="Ann")
    browser = await application.signed_in()
    opened = await browser.get(f"/api/conversations/{received.conversation_id}")
    assert opened["row"]["contact_name"] == "Ann"
    assert opened["entries"][0]["text"] == "Where is my parcel?"
    assert opened["card"]["name"] == "Ann"
    assert opened["offers"] == []
    assert opened["addressing"] is None
    more = await browser.get(f"/api/conversations/{received.conversation_id}/entries?after=0")
    assert [entry["number"] for entry in more["entries"]] == [1]
    assert more["more_before"] is None


async def test_a_reply_sent_twice_is_stored_once(application: Application) -> None:
    received = await application.customers.chat("Where is my parcel?")
    browser = await application.signed_in()
    wanted = {"text": "On its way.", "key": "made-with-the-draft", "seen": 1, "then": "pending"}
    path = f"/api/conversations/{received.conversation_id}/reply"
    first, second = await browser.post(path, wanted), await browser.post(path, wanted)
    assert (first["number"], first["duplicate"], second["duplicate"]) == (2, False, True)
    assert first["entry_id"] == second["entry_id"]


async def test_a_key_of_one_operator_says_nothing_to_another(application: Application) -> None:
    received = await application.customers.chat("Where is my parcel?")
    bea, jonas = await application.signed_in(), await application.signed_in("Jonas")
    path = f"/api/conversations/{received.conversation_id}/note"
    first = await bea.post(path, {"text": "Bea's", "key": "same-key", "seen": 1})
    second = await jonas.post(path, {"text": "Jonas's", "key": "same-key", "seen": 2})
    assert second["duplicate"] is False
    assert first["entry_id"] != second["entry_id"]


async def test_a_reply_against_an_outdated_timeline_is_stopped_with_the_news(application: Application) -> None:
    received = await application.customers.chat("Where is my parcel?")
    await application.customers.chat("It has just come!")
    browser = await application.signed_in()
    path = f"/api/conversations/{received.conversation_id}/reply"
    status, answer = await browser.call("POST", path, {"text": "On its way.", "key": "draft-one", "seen": 1})
    assert status == 409
    assert answer["error"]["code"] == "timeline_moved"
    assert (answer["error"]["since"], answer["error"]["last_number"]) == (1, 2)
    await browser.post(path, {"text": "On its way.", "key": "draft-one", "seen": 1, "even_so": True})


async def test_what_is_taken_stays_taken(application: Application) -> None:
    received = await application.customers.chat("Hello")
    bea, jonas = await application.signed_in(), await application.signed_in("Jonas")
    path = f"/api/conversations/{received.conversation_id}"
    await bea.post(f"{path}/take")
    status, answer = await jonas.call("POST", f"{path}/take")
    assert (status, answer["error"]["code"]) == (409, "already_taken")
    assert "Bea" in answer["error"]["message"]
    await jonas.post(f"{path}/assign", {"to": jonas.operator_id, "expected": bea.operator_id})
    assert (await bea.get(path))["row"]["owner_name"] == "Jonas"


async def test_errors_are_in_the_operators_language(application: Application) -> None:
    browser = await application.signed_in()
    await browser.form("/account", {"name": "Bea", "language": "fi", "theme": "dark"})
    _, english = await application.browser().call("GET", "/api/queue")
    _, finnish = await browser.call("GET", "/api/conversations/999999")
    assert english["error"]["code"] == "signed_out"
    assert finnish["error"]["code"] == "not_found"
    words = application.app[keys.WORDS]
    assert finnish["error"]["message"] == words.say("fi", "This conversation does not exist, or you may not see it.")
    _, html = await browser.page("/account")
    assert '<html lang="fi" data-theme="dark">' in html


async def test_snoozing_closing_reopening_tags_priority_and_spam(application: Application) -> None:
    received = await application.customers.chat("Hello")
    browser = await application.signed_in()
    path = f"/api/conversations/{received.conversation_id}"
    until = (application.clock.now() + timedelta(hours=1)).isoformat()
    await browser.post(f"{path}/snooze", {"until": until, "agreed": True})
    opened = await browser.get(path)
    assert (opened["row"]["status"], opened["row"]["paused"]) == ("snoozed", True)
    await browser.post(f"{path}/wake")
    await browser.post(f"{path}/tags", {"tags": ["late", "parcel"]})
    await browser.post(f"{path}/priority", {"priority": 2})
    await browser.post(f"{path}/close", {"ending": "no_answer_needed"})
    opened = await browser.get(path)
    assert (opened["row"]["status"], opened["row"]["tags"], opened["row"]["priority"]) == (
        "closed",
        ["late", "parcel"],
        2,
    )
    await browser.post(f"{path}/reopen")
    assert (await browser.get(path))["row"]["status"] == "open"
    await browser.post(f"{path}/spam")
    assert [row["id"] for row in (await browser.get("/api/queue?view=spam"))["rows"]] == [received.conversation_id]


async def test_a_handoff_is_offered_seen_and_accepted(application: Application) -> None:
    received = await application.customers.chat("Hello")
    bea, jonas = await application.signed_in(), await application.signed_in("Jonas")
    await jonas.post("/api/presence", {"presence": "online"})
    path = f"/api/conversations/{received.conversation_id}"
    await bea.post(f"{path}/take")
    assert "Hello" in (await bea.get(f"{path}/brief"))["wants"]
    status, answer = await bea.call("POST", f"{path}/handoff", {"to": jonas.operator_id, "brief": {}})
    assert (status, answer["error"]["field"]) == (422, "brief")
    made = await bea.post(f"{path}/handoff", {"to": jonas.operator_id, "brief": {"wants": "a parcel"}})
    assert [offer["to_name"] for offer in (await jonas.get(path))["offers"]] == ["Jonas"]
    assert (await bea.call("POST", f"/api/handoffs/{made['handoff_id']}/accept"))[0] == 403
    await jonas.post(f"/api/handoffs/{made['handoff_id']}/accept")
    assert (await jonas.get(path))["row"]["owner_name"] == "Jonas"
    status, answer = await jonas.call("POST", f"/api/handoffs/{made['handoff_id']}/decline")
    assert (status, answer["error"]["code"]) == (409, "already_settled")


async def test_a_draft_waits_on_the_server_for_its_author_alone(application: Application) -> None:
    received = await application.customers.chat("Hello")
    bea, jonas = await application.signed_in(), await application.signed_in("Jonas")
    path = f"/api/conversations/{received.conversation_id}"
    for text in ("Dear", "Dear Ann"):
        status, _ = await bea.call("PUT", f"{path}/draft", {"kind": "reply", "text": text, "data": {"cc": []}})
        assert status == 200
    [draft] = (await bea.get(path))["drafts"]
    assert (draft["kind"], draft["text"], draft["data"]) == ("reply", "Dear Ann", {"cc": []})
    assert (await jonas.get(path))["drafts"] == []
    await bea.call("PUT", f"{path}/draft", {"kind": "reply", "text": " "})
    assert (await bea.get(path))["drafts"] == []


async def test_search_finds_by_customer_subject_and_words(application: Application) -> None:
    await application.customers.chat("The kettle leaks at 100 %", visitor="a", name="Ann Carter")
    await application.customers.chat("Where is my parcel?", visitor="b", name="Mikko")
    browser = await application.signed_in()

    async def found(words: str) -> list[str]:
        status, answer = await browser.call("GET", f"/api/search?q={words}")
        assert status == 200
        return [row["contact_name"] for row in answer["rows"]]

    assert await found("carter") == ["Ann Carter"]
    assert await found("PARCEL") == ["Mikko"]
    assert await found("kettle leaks") == ["Ann Carter"]
    assert await found("kettle parcel") == []
    assert await found("100%20%25") == ["Ann Carter"]
    assert await found("%25") == ["Ann Carter"]
    assert await found("_") == []
    assert await found("") == []
    assert (await browser.call("GET", f"/api/search?q={'x' * 300}"))[0] == 422


async def upload(browser: Any, content: bytes, name: str, field: str = "file") -> tuple[int, Any]:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field(field, io.BytesIO(content), filename=name)
    async with browser.http.post(
        f"{browser.url}/api/attachments", data=form, headers={"X-CSRF": browser.csrf}
    ) as answer:
        return answer.status, await answer.json()


async def test_an_attachment_goes_up_with_a_note_and_comes_down_harmless(application: Application) -> None:
    received = await application.customers.chat("Hello")
    bea, jonas = await application.signed_in(), await application.signed_in("Jonas")
    status, stored = await upload(bea, b"<script>alert(1)</script>", "../../evil.html")
    assert (status, stored["name"]) == (200, "evil.html")
    address = f"/attachments/{stored['id']}"
    assert (await jonas.page(address))[0] == 404
    path = f"/api/conversations/{received.conversation_id}/note"
    status, answer = await jonas.call("POST", path, {"text": "x", "key": "key-1", "attachments": [stored["id"]]})
    assert (status, answer["error"]["field"]) == (422, "attachments")
    await bea.post(path, {"text": "see", "key": "key-2", "attachments": [stored["id"]]})
    status, body = await jonas.page(address)
    assert (status, body) == (200, "<script>alert(1)</script>")
    assert jonas.headers["Content-Type"] == "application/octet-stream"
    assert jonas.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in jonas.headers["Content-Security-Policy"]
    assert jonas.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_upload_that_is_too_large_or_broken_is_refused_and_named(application: Application) -> None:
    browser = await application.signed_in()
    status, answer = await upload(browser, b"x" * 1_050_000, "big.bin")
    assert (status, answer["error"]["field"]) == (422, "file")
    status, answer = await upload(browser, b"x" * 3_000_000, "bigger.bin")
    assert status in (413, 422)
    assert (await upload(browser, b"x", "a.txt", field="other"))[0] == 422
    for kind, body in (
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense"),
        ("multipart/form-data", b""),
        ("text/plain", b"x"),
    ):
        headers = {"X-CSRF": browser.csrf, "Content-Type": kind}
        async with browser.http.post(f"{browser.url}/api/attachments", data=body, headers=headers) as refused:
            assert refused.status == 422, kind
    assert (await upload(browser, b"fine", "a.txt"))[0] == 200


HOSTILE: list[tuple[str, str, bytes]] = [
    ("POST", "/api/conversations/1/reply", b""),
    ("POST", "/api/conversations/1/reply", b"{"),
    ("POST", "/api/conversations/1/reply", b"[]"),
    ("POST", "/api/conversations/1/reply", b"null"),
    ("POST", "/api/conversations/1/reply", b"\xff\xfe"),
    ("POST", "/api/conversations/1/reply", b"[" * 100_000),
    ("POST", "/api/conversations/1/reply", b'{"text": 1, "key": "k"}'),
    ("POST", "/api/conversations/1/reply", b'{"text": "x", "key": "k", "seen": -1}'),
    ("POST", "/api/conversations/1/reply", b'{"text": "x", "key": "k", "seen": 99999999999999999999}'),
    ("POST", "/api/conversations/1/reply", b'{"text": "x", "key": "k", "unknown": true}'),
    ("POST", "/api/conversations/1/reply", b'{"text": "x", "key": "k", "channel": "smoke"}'),
    ("POST", "/api/conversations/1/reply", b'{"text": "x", "key": "k", "then": "snoozed"}'),
    ("POST", "/api/conversations/1/snooze", b'{"until": "tomorrow"}'),
    ("POST", "/api/conversations/1/snooze", b'{"until": "2026-03-10T10:00:00"}'),
    ("POST", "/api/conversations/1/tags", b'{"tags": "late"}'),
    ("POST", "/api/conversations/1/priority", b'{"priority": 7}'),
    ("POST", "/api/conversations/1/assign", b'{"to": 99999999999999999999999}'),
    ("POST", "/api/conversations/1/merge", b'{"into": 1}'),
    ("POST", "/api/conversations/1/handoff", b'{"to": null, "brief": "x"}'),
    ("PUT", "/api/conversations/1/draft", b'{"kind": "status", "text": "x"}'),
    ("POST", "/api/presence", b'{"presence": "asleep"}'),
    ("POST", "/api/preferences", b'{"preferences": {"theme": ["dark"]}}'),
    ("PUT", "/api/settings/hours", b'{"zone": "Europe/Helsinki", "data": {"weekly": {"mon": 9}}}'),
    ("PUT", "/api/settings/hours", b'{"zone": "Europe/Helsinki", "data": {"weekly": []}}'),
    ("PUT", "/api/settings/hours", b'{"zone": "../../etc/passwd", "data": {}}'),
    ("PUT", "/api/settings/hours", b'{"zone": "UTC", "data": {"targets": {"chat": {"warn_s": 9, "target_s": 3}}}}'),
    ("PUT", "/api/settings/texts", b'{"texts": {"en": {"chat_closed": "{{ 1 + 1 }}"}}}'),
    ("PUT", "/api/settings/texts", b'{"texts": {"en": {"nothing": "x"}}}'),
    ("PUT", "/api/settings/texts", b'{"texts": {"xx": {"chat_closed": "x"}}}'),
    ("GET", "/api/queue?view=nothing", b""),
    ("GET", "/api/queue?limit=-1", b""),
    ("GET", "/api/queue?limit=99999", b""),
    ("GET", "/api/queue?after=x,y", b""),
    ("GET", "/api/queue?after=1", b""),
    ("GET", "/api/queue?channel=smoke", b""),
    ("GET", "/api/tray?state=nothing", b""),
    ("GET", "/api/conversations/1/entries?before=1&after=1", b""),
]


async def test_a_file_behind_a_crowd_of_other_fields_is_not_looked_for(application: Application) -> None:
    browser = await application.signed_in()
    form = aiohttp.FormData({"file": io.BytesIO(b"hello")})
    crowd = aiohttp.FormData([(f"field{number}", "x") for number in range(1000)])
    crowd.add_field("file", io.BytesIO(b"hello"), filename="a.txt")
    answers = []
    for data in (form, crowd):
        async with browser.http.post(
            f"{browser.url}/api/attachments", data=data, headers={"X-CSRF": browser.csrf}
        ) as answer:
            answers.append(answer.status)
    assert answers == [200, 422]


async def test_bad_input_is_named_and_changes_nothing(application: Application) -> None:
    received = await application.customers.chat("Hello")
    browser = await application.signed_in("Amir", Role.ADMINISTRATOR)
    before = await browser.get(f"/api/conversations/{received.conversation_id}")
    headers = {"X-CSRF": browser.csrf, "Content-Type": "application/json"}
    for method, path, body in HOSTILE:
        path = path.replace("/1/", f"/{received.conversation_id}/")
        async with browser.http.request(method, browser.url + path, data=body or None, headers=headers) as answer:
            said = await answer.json()
        assert answer.status == 422, (path, body[:100], said)
        assert said["error"]["code"] == "bad_input"
        assert said["error"]["message"]
        assert said["error"]["field"]
    after = await browser.get(f"/api/conversations/{received.conversation_id}")
    assert {**after, "now": ""} == {**before, "now": ""}


NOT_THERE = (
    "/api/conversations/0", "/api/conversations/-1", "/api/conversations/x", "/api/conversations/١",
    "/api/conversations/99999999999999999999999", "/api/conversations/9223372036854775807", "/attachments/7",
    "/entries/7/html", "/entries/7/raw", "/api/conversations/7/entries", "/api/conversations/7/brief",
)  # fmt: skip


async def test_what_is_not_there_is_not_found(application: Application) -> None:
    browser = await application.signed_in()
    for path in NOT_THERE:
        status, answer = await browser.call("GET", path)
        assert (status, answer["error"]["code"]) == (404, "not_found"), path


async def test_a_body_of_another_type_is_refused(application: Application) -> None:
    browser = await application.signed_in()
    status, answer = await browser.call("POST", "/api/presence", {"presence": "away"}, **{"Content-Type": "text/plain"})
    assert (status, answer["error"]["code"]) == (422, "bad_input")


async def test_an_unexpected_failure_gives_a_number_and_no_insides(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("web.api.team.operators.colleagues", broken)
    browser = await application.signed_in()
    status, answer = await browser.call("GET", "/api/operators")
    assert (status, answer["error"]["code"]) == (500, "internal")
    assert len(answer["error"]["reference"]) == 8
    assert "hunter2" not in str(answer)


async def test_presence_and_preferences_are_kept(application: Application) -> None:
    browser = await application.signed_in()
    await browser.post("/api/presence", {"presence": "finishing"})
    [me] = await browser.get("/api/operators")
    assert me == {
        "id": browser.operator_id,
        "name": "Bea",
        "role": "operator",
        "presence": Presence.FINISHING,
        "open": 0,
    }
    await browser.post("/api/preferences", {"preferences": {"density": "compact", "theme": "dark"}})
    kept = await browser.post("/api/preferences", {"preferences": {"theme": None}})
    assert kept == {"preferences": {"density": "compact"}}


async def test_hours_and_texts_are_edited_by_forms_and_the_change_is_noted(application: Application) -> None:
    browser = await application.signed_in("Amir", Role.ADMINISTRATOR)
    fields = {
        "zone": "Europe/Helsinki",
        "mon": "9:00-12:00, 13:00–17:00",
        "holidays": "2026-12-25\n2026-12-24 09:00–12:00",
        "warn_default": "3",
        "target_default": "5",
        "warn_email": "10",
        "target_email": "20",
    }
    assert (await browser.form("/settings/hours", fields))[0] == 303
    hours = await browser.get("/api/settings/hours")
    assert hours["data"]["weekly"]["mon"] == [["09:00", "12:00"], ["13:00", "17:00"]]
    assert hours["data"]["holidays"] == {"2026-12-24": [["09:00", "12:00"]], "2026-12-25": []}
    assert hours["data"]["targets"]["email"] == {"warn_s": 600, "target_s": 1200}
    status, html = await browser.form("/settings/hours", {**fields, "mon": "nine to five"})
    assert status == 422
    assert 'value="nine to five"' in html
    assert (await browser.form("/settings/texts", {"language": "en", "chat_closed": "Closed. {{ desk }}"}))[0] == 303
    texts = await browser.get("/api/settings/texts")
    assert texts["edited"] == {"en": {"chat_closed": "Closed. {{ desk }}"}}
    status, html = await browser.form(
        "/settings/texts", {"language": "en", "chat_closed": "{% macro x() %}{% endmacro %}"}
    )
    assert status == 422
    assert "{% macro x() %}" in html
    _, html = await browser.page("/settings/audit")
    assert "Changed the opening hours" in html
    assert "Changed an automatic text" in html


async def test_an_account_made_by_an_administrator_can_sign_in(application: Application) -> None:
    browser = await application.signed_in("Amir", Role.ADMINISTRATOR)
    fields = {"name": "Nia", "email": "nia@desk.test", "role": "supervisor", "language": "fi", "new": "a good password"}
    assert (await browser.form("/settings/operators", {**fields, "email": "no address"}))[0] == 422
    assert (await browser.form("/settings/operators", {**fields, "role": "owner"}))[0] == 422
    assert (await browser.form("/settings/operators", fields))[0] == 303
    assert (await browser.form("/settings/operators", fields))[0] == 422
    made = application.browser()
    assert await made.sign_in("nia@desk.test", "a good password") == 200
    assert '<html lang="fi"' in (await made.page("/account"))[1]
