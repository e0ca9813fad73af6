"""The alarm rules as people set them, and browsers that want to be told."""

from __future__ import annotations

from typing import Any

import pytest

from inbox.alarms import push_subscriptions, rules
from inbox.alarms.rules import After, Means, To
from inbox.vocabulary import Role
from tests.web.conftest import Application

BROWSER = {
    "endpoint": "https://fcm.googleapis.com/fcm/send/abc",
    "keys": {"p256dh": "B" * 87, "auth": "a" * 22},
}


async def test_an_administrator_reads_and_changes_the_rules_in_a_form(application: Application) -> None:
    admin = await application.signed_in("Ada", Role.ADMINISTRATOR)
    status, html = await admin.page("/settings/alarms")
    assert status == 200
    assert "These are the steps of a new desk." in html
    fields = {
        "steps.0.key": "1", "steps.0.after": "target", "steps.0.to.team": "on", "steps.0.means.push": "on",
        "steps.1.key": "2", "steps.1.after": "target", "steps.1.to.team": "on", "steps.1.means.app": "on",
        "steps.1.remove": "on",
        "steps.2.key": "", "steps.2.after": "later", "steps.2.later_min": "15", "steps.2.to.supervisors": "on",
        "steps.2.means.mail": "on", "steps.2.channels.chat": "on",
        "steps.3.key": "", "steps.3.after": "target",
    }  # fmt: skip
    status, _ = await admin.form("/settings/alarms", fields)
    assert (status, admin.location) == (303, "/settings/alarms?saved=alarms")
    kept = await application.db.read(rules.load)
    assert [(step.after, step.to, step.means, step.later_min) for step in kept] == [
        (After.TARGET, (To.TEAM,), (Means.PUSH,), 0),
        (After.LATER, (To.SUPERVISORS,), (Means.MAIL,), 15),
    ]
    status, html = await admin.page("/settings/alarms")
    assert "These are the steps of a new desk." not in html


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"steps.0.after": "target", "steps.0.means.push": "on"}, "Choose whom to tell."),
        ({"steps.0.after": "never", "steps.0.means.push": "on", "steps.0.to.team": "on"}, "Choose when."),
        (
            {"steps.0.after": "later", "steps.0.later_min": "x", "steps.0.means.push": "on", "steps.0.to.team": "on"},
            "Write a whole number.",
        ),
        (
            {"steps.0.after": "target", "steps.0.webhook.unknown": "on"},
            "The configuration has no such webhook.",
        ),
    ],
)
async def test_a_step_that_makes_no_sense_is_shown_again_with_the_reason(
    application: Application, fields: dict[str, str], said: str
) -> None:
    admin = await application.signed_in("Ada", Role.ADMINISTRATOR)
    status, html = await admin.form("/settings/alarms", fields)
    assert status == 422
    assert said in html
    assert await application.db.read(rules.load) == rules.DEFAULT


async def test_the_api_reads_and_changes_the_same_rules(application: Application) -> None:
    admin = await application.signed_in("Ada", Role.ADMINISTRATOR)
    read = await admin.get("/api/settings/alarms")
    assert [step["after"] for step in read["steps"]] == ["warning", "target", "later"]
    wanted: dict[str, Any] = {"after": "target", "to": ["owner"], "means": ["app", "push"], "channels": ["chat"]}
    status, saved = await admin.call("PUT", "/api/settings/alarms", {"steps": [read["steps"][0], wanted]})
    assert status == 200
    assert [step["key"] for step in saved["steps"]] == ["1", "4"]
    status, refused = await admin.call("PUT", "/api/settings/alarms", {"steps": [{**wanted, "means": []}]})
    assert (status, refused["error"]["field"]) == (422, "steps.0.means")


async def test_supervisors_read_the_rules_and_operators_do_not(application: Application) -> None:
    head = await application.signed_in("Head", Role.SUPERVISOR)
    assert (await head.page("/settings/alarms"))[0] == 200
    assert (await head.call("PUT", "/api/settings/alarms", {"steps": []}))[0] == 403
    bea = await application.signed_in("Bea")
    assert (await bea.page("/settings/alarms"))[0] == 403


async def test_a_trial_goes_out_or_says_what_is_missing(application: Application) -> None:
    admin = await application.signed_in("Ada", Role.ADMINISTRATOR)
    for way, code, said in (
        ("push", 502, "None of your browsers is told by push."),
        ("mail", 200, "The trial went out. Look whether it has arrived."),
    ):
        status, html = await admin.form("/settings/alarms/try", {"way": way})
        assert (status, said in html) == (code, True), way
    assert (await admin.form("/settings/alarms/try", {"way": "pigeon"}))[0] == 422


async def test_a_browser_subscribes_is_listed_and_leaves(application: Application) -> None:
    bea, jonas = await application.signed_in("Bea"), await application.signed_in("Jonas")
    await bea.post("/api/push-subscriptions", BROWSER)
    _, html = await bea.page("/account")
    assert "Browsers that are told" in html
    assert "Remove" in html
    [known] = await application.db.read(push_subscriptions.of_operator, bea.operator_id)
    await jonas.form(f"/account/alarms/browsers/{known.id}/remove", {})
    await jonas.post("/api/push-subscriptions/remove", {"endpoint": BROWSER["endpoint"]})
    assert await application.db.read(push_subscriptions.of_operator, bea.operator_id) == [known]
    await bea.form(f"/account/alarms/browsers/{known.id}/remove", {})
    assert await application.db.read(push_subscriptions.of_operator, bea.operator_id) == []


async def test_a_browser_at_a_strangers_address_is_refused(application: Application) -> None:
    bea = await application.signed_in("Bea")
    for endpoint in ("https://evil.example/x", "http://127.0.0.1:8800/health"):
        status, answer = await bea.call("POST", "/api/push-subscriptions", {**BROWSER, "endpoint": endpoint})
        assert (status, answer["error"]["field"]) == (422, "endpoint")


async def test_what_reaches_me_is_my_own_choice(application: Application) -> None:
    bea = await application.signed_in("Bea")
    await bea.form("/account/alarms", {"alarms_push": "on"})
    _, html = await bea.page("/account")
    assert 'name="alarms_push" checked' in html
    assert 'name="alarms_mail" checked' not in html


async def test_the_script_that_shows_alarms_stands_at_the_root(application: Application) -> None:
    status, script = await application.browser().page("/push-worker.js")
    assert (status, "showNotification" in script) == (200, True)
