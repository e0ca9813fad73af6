"""An operator's own account: words, look, password, signed-in browsers."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from inbox import audit
from inbox.alarms import push_subscriptions
from inbox.errors import BadInput
from inbox.people import operators, sessions
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, SessionId
from inbox.words import N_
from web.api.request import me, now, operator, path_id
from web.keys import ALARM_WAYS, DB, DESK, RATES, SIGNED_IN, WORDS
from web.pages.forms import fields, see_other, shown_again
from web.security import (
    LEAST_PASSWORD_CHARS,
    MOST_PASSWORD_CHARS,
    hash_password,
    network,
    password_fits,
    posted,
    remote,
)
from web.templating import page_response, script_data

routes = web.RouteTableDef()

THEMES = ("system", "light", "dark")


@routes.get("/account")
async def show(request: web.Request) -> web.Response:
    return page_response(request, "account.html", await _context(request))


@routes.post("/account")
async def change(request: web.Request) -> web.Response:
    said, known = await fields(request), operator(request)
    language = request.app[WORDS].choose(said.get("language"))
    theme = said.get("theme") if said.get("theme") in THEMES else "system"
    try:
        await request.app[DB].write(
            operators.set_profile,
            known.id,
            name=said.get("name", ""),
            title=said.get("title", ""),
            language=language,
            preferences={**known.preferences, "theme": theme},
        )
    except BadInput as error:
        return shown_again(request, "account.html", error, await _context(request))
    return see_other("/account", saved="profile")


@routes.post("/account/password")
async def change_password(request: web.Request) -> web.Response:
    said = await posted(request)
    old, new = (value if isinstance(value := said.get(name), str) else "" for name in ("old", "new"))
    await request.app[RATES].sign_in(network(remote(request)), operator(request).email, known_here=True)
    try:
        hashed = await request.app[DB].read(operators.password_hash, me(request))
        if not await password_fits(hashed, old):
            raise BadInput("old", N_("This is not your present password."))
        fresh = await hash_password(checked_password(new))
        ended = await request.app[DB].write(
            _set_password, me(request), fresh, but=request[SIGNED_IN].session_id, now=now(request)
        )
    except BadInput as error:
        return shown_again(request, "account.html", error, await _context(request))
    await request.app[DESK].end_sessions({int(i) for i in ended})
    return see_other("/account", saved="password")


@routes.post("/account/sessions/{id}/end")
async def end(request: web.Request) -> web.Response:
    session_id = path_id(request)
    await request.app[DB].write(sessions.end, session_id, of=me(request), now=now(request))
    await request.app[DESK].end_sessions({session_id})
    return see_other("/account", saved="session")


@routes.post("/account/sessions/end-others")
async def end_others(request: web.Request) -> web.Response:
    ended = await request.app[DB].write(
        sessions.end_others, me(request), but=request[SIGNED_IN].session_id, now=now(request)
    )
    await request.app[DESK].end_sessions({int(i) for i in ended})
    return see_other("/account", saved="session")


def checked_password(password: str) -> str:
    """Raises BadInput for one that is too short or too long."""
    if len(password) < LEAST_PASSWORD_CHARS:
        raise BadInput("new", N_("A password has at least %(n)s characters."), n=LEAST_PASSWORD_CHARS)
    if len(password) > MOST_PASSWORD_CHARS:
        raise BadInput("new", N_("A password has at most %(n)s characters."), n=MOST_PASSWORD_CHARS)
    return password


async def _context(request: web.Request) -> dict[str, Any]:
    lines = await request.app[DB].read(sessions.listing, me(request), now=now(request))
    return {
        "me": operator(request),
        "sessions": lines,
        "this_session": request[SIGNED_IN].session_id,
        "themes": THEMES,
        "saved": request.query.get("saved", ""),
        "least_chars": LEAST_PASSWORD_CHARS,
        "browsers": await request.app[DB].read(push_subscriptions.of_operator, me(request)),
        "page": script_data(request, push_key=request.app[ALARM_WAYS].push_key()),
    }


def _set_password(
    tx: Transaction, operator_id: OperatorId, hashed: str, *, but: SessionId, now: Any
) -> list[SessionId]:
    operators.set_password(tx, operator_id, hashed)
    audit.note(tx, "password_changed", by=operator_id, now=now)
    return sessions.end_others(tx, operator_id, but=but, now=now)
