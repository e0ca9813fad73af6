"""The automatic texts: what the desk says by itself, per language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from inbox import audit, settings
from inbox.errors import BadInput
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, Role
from inbox.words import N_
from web.api.json import answer
from web.api.request import Body, body, me, now, operator
from web.automatic_texts import SETTING
from web.keys import DB, LANGUAGE, TEXTS, WORDS
from web.pages.forms import fields, see_other, shown_again
from web.templating import page_response

routes = web.RouteTableDef()

NAMES: Mapping[str, str] = {
    "chat_closed": N_("Chat, while closed"),
    "chat_away": N_("Chat, nobody at the desk"),
    "chat_busy": N_("Chat, everybody busy"),
    "chat_staffed": N_("Chat, somebody is there"),
    "email_closed": N_("E-mail, while closed"),
    "email_away": N_("E-mail, nobody at the desk"),
    "email_busy": N_("E-mail, everybody busy"),
    "email_staffed": N_("E-mail, somebody is there"),
    "callback_closed": N_("Callback, while closed"),
    "callback_away": N_("Callback, nobody at the desk"),
    "callback_busy": N_("Callback, everybody busy"),
    "callback_staffed": N_("Callback, somebody is there"),
    "delayed": N_("Chat, when the answer takes longer"),
}


@routes.get("/settings/texts")
async def show(request: web.Request) -> web.Response:
    return page_response(request, "texts.html", await _context(request, _language(request)))


@routes.post("/settings/texts")
async def change(request: web.Request) -> web.Response:
    said = await fields(request)
    language = said.get("language", "")
    texts = request.app[TEXTS]
    try:
        if language not in request.app[WORDS].languages:
            raise BadInput("language", N_("Choose a language."))
        wanted = {name: said.get(name, "").replace("\r\n", "\n") for name in texts.names}
        built_in = {name: texts.source_of(None, language, name) for name in texts.names}
        edited = {name: text for name, text in wanted.items() if text and text != built_in[name]}
        await request.app[DB].write(
            save, texts.checked({language: edited}).get(language, {}), language, by=me(request), now=now(request)
        )
    except BadInput as error:
        context = await _context(request, language)
        context["said"] |= {name: said[name] for name in texts.names if name in said}
        return shown_again(request, "texts.html", _about_the_field(error), context)
    return see_other("/settings/texts", language=language, saved="texts")


@routes.get("/api/settings/texts")
async def get(request: web.Request) -> web.Response:
    texts, edited = request.app[TEXTS], await request.app[DB].read(settings.get, SETTING)
    return answer(
        {
            "texts": {
                language: {name: texts.source_of(edited, language, name) for name in texts.names}
                for language in request.app[WORDS].languages
            },
            "edited": edited or {},
            "values": texts.explained,
        }
    )


class Texts(Body):
    texts: dict[str, dict[str, str]]


@routes.put("/api/settings/texts")
async def put(request: web.Request) -> web.Response:
    wanted = await body(request, Texts)
    checked = request.app[TEXTS].checked(wanted.texts)
    for language in checked:
        if language not in request.app[WORDS].languages:
            raise BadInput(language, N_("Choose a language."))
    await request.app[DB].write(save_all, checked, by=me(request), now=now(request))
    return answer({"ok": True})


def save(tx: Transaction, of_language: Mapping[str, str], language: str, *, by: OperatorId, now: datetime) -> None:
    """Replace the edited texts of one language."""
    edited = {**(settings.get(tx.conn, SETTING) or {}), language: dict(of_language)}
    save_all(tx, edited, by=by, now=now)


def save_all(tx: Transaction, edited: Mapping[str, Any], *, by: OperatorId, now: datetime) -> None:
    settings.put(tx, SETTING, edited, now=now)
    audit.note(tx, "texts_changed", by=by, now=now, data={"languages": sorted(edited)})


def _language(request: web.Request) -> str:
    wanted = request.query.get("language", "")
    return wanted if wanted in request.app[WORDS].languages else request[LANGUAGE]


async def _context(request: web.Request, language: str) -> dict[str, Any]:
    texts, words = request.app[TEXTS], request.app[WORDS]
    if language not in words.languages:
        language = request[LANGUAGE]
    edited = await request.app[DB].read(settings.get, SETTING)
    return {
        "names": [(name, NAMES.get(name, name)) for name in texts.names],
        "said": {name: texts.source_of(edited, language, name) for name in texts.names},
        "values": list(texts.explained.items()),
        "of_language": language,
        "may_change": operator(request).may(Role.ADMINISTRATOR),
        "saved": request.query.get("saved", ""),
    }


def _about_the_field(error: BadInput) -> BadInput:
    error.field = error.field.rpartition(".")[2]
    return error
