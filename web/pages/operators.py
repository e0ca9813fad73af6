"""Operators' accounts, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from inbox import audit, lifecycle
from inbox.errors import BadInput, InboxError
from inbox.people import operators, sessions
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, Role, SessionId
from inbox.words import N_
from web.api.request import me, now, operator, path_id
from web.keys import DB, DESK, WORDS
from web.pages.account import checked_password
from web.pages.forms import fields, see_other, shown_again
from web.security import hash_password
from web.templating import page_response

routes = web.RouteTableDef()


@routes.get("/settings")
async def settings(request: web.Request) -> web.Response:
    return see_other("/settings/operators" if operator(request).may(Role.ADMINISTRATOR) else "/settings/hours")


@routes.get("/settings/operators")
async def listing(request: web.Request) -> web.Response:
    return page_response(request, "operators.html", await _context(request))


@routes.post("/settings/operators")
async def add(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        password = (await request.post()).get("new", "")
        hashed = await hash_password(checked_password(password if isinstance(password, str) else ""))
        await request.app[DB].write(
            _add,
            email=said.get("email", ""),
            name=said.get("name", ""),
            role=_role(said.get("role", "")),
            hashed=hashed,
            language=request.app[WORDS].choose(said.get("language")),
            by=me(request),
            now=now(request),
        )
    except InboxError as error:
        return shown_again(request, "operators.html", error, {**await _context(request), "said": said})
    return see_other("/settings/operators", saved="added")


@routes.get("/settings/operators/{id}")
async def show(request: web.Request) -> web.Response:
    known = await request.app[DB].read(operators.get, path_id(request))
    return page_response(
        request, "operator.html", {"account": known, "roles": list(Role), "saved": request.query.get("saved", "")}
    )


@routes.post("/settings/operators/{id}")
async def change(request: web.Request) -> web.Response:
    account_id, said = OperatorId(path_id(request)), await fields(request)
    known = await request.app[DB].read(operators.get, account_id)
    password = (await request.post()).get("new", "")
    try:
        hashed = await hash_password(checked_password(password)) if isinstance(password, str) and password else None
        ended = await request.app[DB].write(
            _change,
            account_id,
            email=said.get("email", ""),
            name=said.get("name", ""),
            role=_role(said.get("role", "")),
            disabled="disabled" in said,
            hashed=hashed,
            by=me(request),
            now=now(request),
        )
    except InboxError as error:
        context = {"account": known, "roles": list(Role), "saved": ""}
        return shown_again(request, "operator.html", error, context)
    await request.app[DESK].end_sessions({int(i) for i in ended})
    return see_other(f"/settings/operators/{account_id}", saved="changed")


@routes.get("/settings/audit")
async def trail(request: web.Request) -> web.Response:
    return page_response(request, "audit.html", {"lines": await request.app[DB].read(audit.latest)})


def _role(said: str) -> Role:
    try:
        return Role(said)
    except ValueError as error:
        raise BadInput("role", N_("Choose a role.")) from error


async def _context(request: web.Request) -> dict[str, Any]:
    return {
        "accounts": await request.app[DB].read(operators.accounts),
        "roles": list(Role),
        "said": {},
        "saved": request.query.get("saved", ""),
    }


def _add(
    tx: Transaction,
    *,
    email: str,
    name: str,
    role: Role,
    hashed: str,
    language: str,
    by: OperatorId,
    now: datetime,
) -> None:
    made = operators.add(tx, email=email, name=name, role=role, password_hash=hashed, language=language, now=now)
    audit.note(tx, "account_added", by=by, now=now, data={"operator": made, "role": role})


def _change(
    tx: Transaction,
    account_id: OperatorId,
    *,
    email: str,
    name: str,
    role: Role,
    disabled: bool,
    hashed: str | None,
    by: OperatorId,
    now: datetime,
) -> list[SessionId]:
    ended = sessions.running(tx.conn, account_id) if disabled else []
    operators.set_account(tx, account_id, by=by, name=name, email=email, role=role, disabled=disabled, now=now)
    if disabled:
        lifecycle.release_all(tx, account_id, by=by, now=now)
    if hashed is not None:
        operators.set_password(tx, account_id, hashed)
        ended += sessions.end_others(tx, account_id, but=None, now=now) if account_id != by else []
    audit.note(tx, "account_changed", by=by, now=now, data={"operator": account_id, "role": role, "disabled": disabled})
    return ended
