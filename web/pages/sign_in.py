"""Signing in and out."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from inbox.errors import BadInput
from inbox.people import operators, sessions
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, Presence, SessionId
from inbox.words import N_
from web.cookies import COOKIE, digest, new_token
from web.keys import CLOCK, CONFIG, DB, DESK, RATES, SIGNED_IN
from web.pages.forms import fields, see_other, shown_again
from web.security import MOST_PASSWORD_CHARS, hash_password, is_outdated, network, password_fits, remote
from web.templating import page_response

routes = web.RouteTableDef()


@routes.get("/sign-in")
async def form(request: web.Request) -> web.Response:
    wanted = local_path(request.query.get("next", ""))
    if request.get(SIGNED_IN) is not None:
        return see_other(wanted)
    return page_response(request, "sign_in.html", {"email": "", "next": wanted})


@routes.post("/sign-in")
async def sign_in(request: web.Request) -> web.Response:
    said = await fields(request)
    email, wanted = said.get("email", "")[:320], local_path(said.get("next", ""))
    posted = (await request.post()).get("password", "")
    password = posted if isinstance(posted, str) else ""
    found = await request.app[DB].read(operators.by_email, email)
    known_here = found is not None and await request.app[DB].read(sessions.was_here, found[0].id, remote(request))
    await request.app[RATES].sign_in(network(remote(request)), email, known_here=known_here)
    fits = await password_fits(found[1] if found else None, password[: MOST_PASSWORD_CHARS + 1])
    if found is None or not fits:
        error = BadInput("password", N_("This address and password do not belong together."))
        return shown_again(request, "sign_in.html", error, {"email": email, "next": wanted})
    operator, hashed = found
    if is_outdated(hashed):
        await request.app[DB].write(operators.set_password, operator.id, await hash_password(password))
    token, config = new_token(), request.app[CONFIG]
    lasts = timedelta(hours=config.security.session_hours)
    await request.app[DB].write(
        sessions.begin,
        operator.id,
        token_digest=digest(token),
        lasts=lasts,
        now=request.app[CLOCK].now(),
        user_agent=request.headers.get("User-Agent", ""),
        remote=remote(request),
    )
    response = see_other(wanted)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(lasts.total_seconds()),
        httponly=True,
        secure=config.https,
        samesite="Lax",
        path="/",
    )
    return response


@routes.post("/sign-out")
async def sign_out(request: web.Request) -> web.Response:
    signed_in = request[SIGNED_IN]
    await request.app[DB].write(_leave, signed_in.session_id, signed_in.operator.id, now=request.app[CLOCK].now())
    await request.app[DESK].end_sessions({int(signed_in.session_id)})
    response = see_other("/sign-in")
    response.del_cookie(COOKIE, path="/")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def local_path(wanted: str) -> str:
    """Where to go after signing in: a page of this desk, never another site."""
    if wanted.startswith("/") and not wanted.startswith(("//", "/\\", "/sign-")) and wanted.isprintable():
        return wanted[:1000]
    return "/inbox"


def _leave(tx: Transaction, session_id: SessionId, operator_id: OperatorId, *, now: datetime) -> None:
    sessions.end(tx, session_id, of=operator_id, now=now)
    if not sessions.listing(tx.conn, operator_id, now=now):
        operators.set_presence(tx, operator_id, Presence.OFFLINE, now=now)
