"""The alarm rules as one form, what became of the newest alarms, and a trial of each way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from pydantic import Field

from inbox import settings
from inbox.alarms import notices, push_subscriptions, rules
from inbox.alarms.rules import After, Means, Step, To
from inbox.errors import BadInput
from inbox.people import operators
from inbox.vocabulary import ChannelKind, Role, TeamId
from inbox.words import N_
from web.api.json import answer
from web.api.request import Body, body, me, now, operator, path_id
from web.keys import ALARM_WAYS, DB, STATIC
from web.pages.forms import fields, see_other, shown_again
from web.pages.wallboard import CHANNELS
from web.security import posted
from web.templating import page_response

routes = web.RouteTableDef()

AFTER_NAMES: Mapping[After, str] = {
    After.WARNING: N_("At the warning mark"),
    After.TARGET: N_("When the target is missed"),
    After.LATER: N_("Later than the target"),
}
TO_NAMES: Mapping[To, str] = {To.OWNER: N_("Owner"), To.TEAM: N_("Team"), To.SUPERVISORS: N_("Supervisors")}
MEANS_NAMES: Mapping[Means, str] = {
    Means.APP: N_("On the screen"),
    Means.PUSH: N_("Push"),
    Means.MAIL: N_("E-mail"),
    Means.WEBHOOK: N_("Webhook"),
}
STATE_NAMES: Mapping[notices.NoticeState, str] = {
    notices.NoticeState.QUEUED: N_("Waits to be sent"),
    notices.NoticeState.SENT: N_("Sent"),
    notices.NoticeState.ENDED: N_("The wait was over before"),
    notices.NoticeState.FAILED: N_("Failed"),
    notices.NoticeState.NOWHERE: N_("Nowhere to tell it"),
}


@routes.get("/settings/alarms")
async def show(request: web.Request) -> web.Response:
    return page_response(request, "alarms.html", await _context(request))


@routes.post("/settings/alarms")
async def change(request: web.Request) -> web.Response:
    said = await posted(request)
    wanted: list[Step] = []
    try:
        wanted = read(said)
        await request.app[DB].write(
            rules.save, tuple(wanted), webhooks=request.app[ALARM_WAYS].webhooks, by=me(request), now=now(request)
        )
    except BadInput as error:
        return shown_again(request, "alarms.html", error, await _context(request, wanted or None))
    return see_other("/settings/alarms", saved="alarms")


@routes.post("/settings/alarms/try")
async def try_out(request: web.Request) -> web.Response:
    said = await fields(request)
    means, _, webhook = said.get("way", "").partition(":")
    if means not in set(Means) - {Means.APP} or (webhook and webhook not in request.app[ALARM_WAYS].webhooks):
        raise BadInput("way", N_("Choose a way to try."))
    problem = await request.app[ALARM_WAYS].try_out(operator(request), Means(means), webhook)
    context = await _context(request)
    return page_response(
        request, "alarms.html", {**context, "tried": True, "problem": problem}, status=502 if problem else 200
    )


@routes.get("/api/settings/alarms")
async def get(request: web.Request) -> web.Response:
    found = await request.app[DB].read(rules.load)
    return answer({"steps": [rules.as_data(step) for step in found], "webhooks": request.app[ALARM_WAYS].webhooks})


class StepBody(Body):
    key: str = Field("", max_length=20)
    after: After
    later_min: int = 0
    to: list[To] = Field(default_factory=list)
    means: list[Means]
    channels: list[ChannelKind] = Field(default_factory=list)
    team_id: int | None = None
    webhooks: list[str] = Field(default_factory=list)


class Steps(Body):
    steps: list[StepBody]


@routes.put("/api/settings/alarms")
async def put(request: web.Request) -> web.Response:
    wanted = await body(request, Steps)
    steps = tuple(
        Step(
            one.key,
            one.after,
            tuple(dict.fromkeys(one.to)),
            tuple(dict.fromkeys(one.means)),
            one.later_min,
            tuple(dict.fromkeys(one.channels)),
            None if one.team_id is None else TeamId(one.team_id),
            tuple(one.webhooks),
        )
        for one in wanted.steps
    )
    ways = request.app[ALARM_WAYS]
    saved = await request.app[DB].write(rules.save, steps, webhooks=ways.webhooks, by=me(request), now=now(request))
    return answer({"steps": [rules.as_data(step) for step in saved]})


# --- one's own alarms ------------------------------------------------------------------------------------------------


@routes.post("/account/alarms")
async def prefer(request: web.Request) -> web.Response:
    said = await fields(request)
    wanted = {
        name: None if said.get(name) == "on" else "off" for name in ("alarms_push", "alarms_mail", "alarms_names")
    }
    await request.app[DB].write(operators.prefer, me(request), wanted)
    return see_other("/account", saved="alarms")


@routes.post("/account/alarms/browsers/{id}/remove")
async def remove(request: web.Request) -> web.Response:
    await request.app[DB].write(push_subscriptions.forget_number, path_id(request), of=me(request))
    return see_other("/account", saved="alarms")


class Browser(Body):
    """What `PushSubscription.toJSON()` gives."""

    class Keys(Body):
        p256dh: str = Field(min_length=80, max_length=100)
        auth: str = Field(min_length=16, max_length=40)

    endpoint: str = Field(max_length=2_000)
    keys: Keys


@routes.post("/api/push-subscriptions")
async def subscribe(request: web.Request) -> web.Response:
    browser = await body(request, Browser)
    await request.app[DB].write(
        push_subscriptions.subscribe,
        me(request),
        endpoint=request.app[ALARM_WAYS].checked(browser.endpoint),
        p256dh=browser.keys.p256dh,
        auth=browser.keys.auth,
        user_agent=request.headers.get("User-Agent", ""),
        now=now(request),
    )
    return answer({"ok": True})


class Endpoint(Body):
    endpoint: str = Field(max_length=2_000)


@routes.post("/api/push-subscriptions/remove")
async def unsubscribe(request: web.Request) -> web.Response:
    gone = await body(request, Endpoint)
    await request.app[DB].write(push_subscriptions.forget, gone.endpoint, of=me(request))
    return answer({"ok": True})


@routes.get("/push-worker.js")
async def worker(request: web.Request) -> web.Response:
    """At the root, because a service worker may only act for addresses below its own."""
    return web.Response(
        text=request.app[STATIC].text("js/push-worker.js"),
        content_type="text/javascript",
        headers={"Cache-Control": "no-cache"},
    )


# --- the form --------------------------------------------------------------------------------------------------------


def read(said: Mapping[str, Any]) -> list[Step]:
    """The steps of the form; one without any way to tell is not wanted. Raises BadInput naming the field."""
    steps = []
    for number in range(rules.MOST_STEPS + 1):
        prefix = f"steps.{number}."
        if f"{prefix}after" not in said:
            continue
        means = [one for one in Means if f"{prefix}means.{one}" in said]
        webhooks = [name.removeprefix(f"{prefix}webhook.") for name in said if name.startswith(f"{prefix}webhook.")]
        if webhooks:
            means.append(Means.WEBHOOK)
        if not means or said.get(f"{prefix}remove"):
            continue
        steps.append(
            Step(
                key=str(said.get(f"{prefix}key", "")),
                after=_after(said, f"{prefix}after"),
                to=tuple(one for one in To if f"{prefix}to.{one}" in said),
                means=tuple(means),
                later_min=_number(said, f"{prefix}later_min"),
                channels=tuple(one for one in ChannelKind if f"{prefix}channels.{one}" in said),
                team_id=TeamId(team) if (team := _number(said, f"{prefix}team_id")) else None,
                webhooks=tuple(webhooks),
            )
        )
    return steps


def _after(said: Mapping[str, Any], name: str) -> After:
    try:
        return After(said[name])
    except ValueError:
        raise BadInput(name, N_("Choose when.")) from None


def _number(said: Mapping[str, Any], name: str) -> int:
    written = str(said.get(name, "")).strip()
    if not written:
        return 0
    if not written.isascii() or not written.isdigit() or len(written) > 9:
        raise BadInput(name, N_("Write a whole number."))
    return int(written)


async def _context(request: web.Request, wanted: Sequence[Step] | None = None) -> dict[str, Any]:
    db = request.app[DB]
    steps = list(wanted if wanted is not None else await db.read(rules.load))
    kept = await db.read(settings.get, rules.SETTING)
    return {
        "steps": steps,
        "is_default": kept is None and wanted is None,
        "afters": AFTER_NAMES,
        "to_names": TO_NAMES,
        "means_names": {means: name for means, name in MEANS_NAMES.items() if means is not Means.WEBHOOK},
        "all_means": MEANS_NAMES,
        "channel_names": CHANNELS,
        "state_names": STATE_NAMES,
        "teams": await db.read(notices.teams),
        "webhooks": request.app[ALARM_WAYS].webhooks,
        "latest": await db.read(notices.latest, now(request)),
        "empty": Step("", After.TARGET, (), ()),
        "room": len(steps) < rules.MOST_STEPS,
        "may_change": operator(request).may(Role.ADMINISTRATOR),
        "saved": request.query.get("saved", ""),
        "tried": False,
    }
