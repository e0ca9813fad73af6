"""Settings, Mailboxes: how mail comes in and leaves, accounts to connect, old mail to take in, mailboxes to compare."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from aiohttp import web

from inbox import accounting, mail_accounts, mail_jobs
from inbox.accounting import RUN_AGAIN_AT_ONCE
from inbox.errors import BadInput, InboxError
from inbox.mail_jobs import JobKind, JobState
from inbox.mail_overview import MailWarning, overview, warnings
from inbox.mail_words import explain
from inbox.mailbox_words import explain_trouble
from inbox.vocabulary import ArrivalState
from inbox.words import N_
from web.api.request import me, now, path_id
from web.keys import DB, MAIL_DESK, TOKEN_DIGEST
from web.pages.forms import fields, see_other, shown_again
from web.security import POLICY
from web.templating import page_response

routes = web.RouteTableDef()

PAGE = "/settings/mailboxes"
LOOKS_EVERY_SECONDS = 2
EARLIEST = date(1980, 1, 1)


@routes.get(PAGE)
async def show(request: web.Request) -> web.Response:
    context = await _context(request)
    return _may_lead_to_providers(request, page_response(request, "mailboxes.html", context))


@routes.post(PAGE + "/connect")
async def connect(request: web.Request) -> web.Response:
    """Off to the provider; a person comes back to `connected`."""
    said = await fields(request)
    try:
        url = request.app[MAIL_DESK].consent_url(said.get("account", ""), request[TOKEN_DIGEST])
    except InboxError as error:
        return await _refused(request, error)
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})


@routes.get(PAGE + "/connected")
async def connected(request: web.Request) -> web.Response:
    """The way back: the state in it shows that this browser began it."""
    try:
        await request.app[MAIL_DESK].finish_consent(request.query, request[TOKEN_DIGEST], by=me(request))
    except InboxError as error:
        return await _refused(request, error)
    return see_other(PAGE, saved="connected")


@routes.post(PAGE + "/disconnect")
async def disconnect(request: web.Request) -> web.Response:
    said = await fields(request)
    await request.app[DB].write(mail_accounts.disconnect, said.get("account", ""), by=me(request), now=now(request))
    return see_other(PAGE, saved="disconnected")


@routes.post(PAGE + "/import")
async def take_old_mail(request: web.Request) -> web.Response:
    said = await fields(request)
    options: dict[str, Any] = {"folder": said.get("folder", "")[:255], "open": "open" in said}
    try:
        options["since"] = _day(said.get("since", ""))
        job_id = await request.app[MAIL_DESK].start_job(
            JobKind.IMPORT, said.get("mailbox", ""), options, by=me(request)
        )
    except InboxError as error:
        return await _refused(request, error, said)
    return see_other(f"{PAGE}/jobs/{job_id}")


@routes.post(PAGE + "/compare")
async def compare(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        job_id = await request.app[MAIL_DESK].start_job(JobKind.COMPARE, said.get("mailbox", ""), {}, by=me(request))
    except InboxError as error:
        return await _refused(request, error)
    return see_other(f"{PAGE}/jobs/{job_id}")


@routes.post(PAGE + "/fetch")
async def fetch(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        job_id = await request.app[MAIL_DESK].fetch_missing(said.get("mailbox", ""), by=me(request))
    except InboxError as error:
        return await _refused(request, error)
    return see_other(f"{PAGE}/jobs/{job_id}")


@routes.post(PAGE + "/again")
async def again(request: web.Request) -> web.Response:
    """All that lie there for one reason, in portions: each has a commit of its own."""
    said = await fields(request)
    try:
        state = ArrivalState(said.get("state", ""))
    except ValueError:
        return see_other(PAGE)
    source, reason, count = said.get("source", ""), said.get("reason", ""), RUN_AGAIN_AT_ONCE
    tried = 0
    while count == RUN_AGAIN_AT_ONCE and tried < 100 * RUN_AGAIN_AT_ONCE:
        count = await request.app[DB].write(accounting.run_all_again, state, source, reason)
        tried += count
    return see_other(PAGE, saved="again", count=str(tried))


@routes.get(PAGE + "/jobs/{id}")
async def job(request: web.Request) -> web.Response:
    """Shown anew by itself while it is under way, unless asked to stand still."""
    found = await request.app[DB].read(mail_jobs.get, path_id(request))
    still = "still" in request.query or found.state is not JobState.OPEN
    response = page_response(
        request,
        "mail_job.html",
        {"job": found, "still": still, "explain": explain, "explain_trouble": explain_trouble},
    )
    if not still:
        response.headers["Refresh"] = str(LOOKS_EVERY_SECONDS)
    return response


@routes.post(PAGE + "/jobs/{id}/stop")
async def stop(request: web.Request) -> web.Response:
    job_id = path_id(request)
    await request.app[DB].write(mail_jobs.stop, job_id, by=me(request), now=now(request))
    return see_other(f"{PAGE}/jobs/{job_id}")


async def mail_warnings(request: web.Request) -> list[MailWarning]:
    """What administrators must know about mail; for the tray, too."""
    ways = request.app[MAIL_DESK].ways()
    return await request.app[DB].read(warnings, ways, now=now(request))


async def _context(request: web.Request) -> dict[str, Any]:
    ways = request.app[MAIL_DESK].ways()
    found = await request.app[DB].read(overview, ways)
    return {
        "ways": ways,
        "found": found,
        "warnings": await mail_warnings(request),
        "explain": explain,
        "explain_trouble": explain_trouble,
        "said": {},
        "saved": request.query.get("saved", ""),
        "count": request.query.get("count", "0"),
        "providers": {"google": "Google", "microsoft": "Microsoft"},
    }


async def _refused(request: web.Request, error: InboxError, said: Mapping[str, str] | None = None) -> web.Response:
    context = {**await _context(request), "said": dict(said or {}), "server_said": getattr(error, "said", "")}
    return _may_lead_to_providers(request, shown_again(request, "mailboxes.html", error, context))


def _may_lead_to_providers(request: web.Request, response: web.Response) -> web.Response:
    """Browsers hold a form to the policy also where its answer leads on to a provider."""
    desk = request.app[MAIL_DESK]
    origins = sorted({desk.provider_origin(one.name) for one in desk.ways().accounts})
    if origins:
        policy = POLICY.format(sockets="").replace("form-action 'self'", f"form-action 'self' {' '.join(origins)}")
        response.headers["Content-Security-Policy"] = policy
    return response


def _day(said: str) -> str:
    if not said:
        return ""
    try:
        found = date.fromisoformat(said)
    except ValueError as error:
        raise BadInput("since", N_("Write a day such as 2025-01-31, or leave it empty.")) from error
    if found < EARLIEST:
        raise BadInput("since", N_("Write a day such as 2025-01-31, or leave it empty."))
    return found.isoformat()
