"""One conversation: opening it, and everything that changes its state but not its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import AwareDatetime, Field
from sqlalchemy import Connection

from inbox import drafts, handoff, lifecycle, merging, passing_on, reading
from inbox.errors import BadInput, CannotReach
from inbox.moving import MOST_AT_ONCE
from inbox.people.contacts import failing_among
from inbox.reply import Addressings, Recipients, channel_of_answer
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, ConversationId, Ending, EntryId, EntryKind, OperatorId, TeamId
from inbox.words import N_
from web.api.json import answer
from web.api.request import Body, body, me, now, path_id, query_number
from web.keys import ADDRESSINGS, DB, LANGUAGE, WORDS

routes = web.RouteTableDef()


@routes.get("/api/conversations/{id}")
async def show(request: web.Request) -> web.Response:
    found = await request.app[DB].read(open_for, path_id(request), me(request), request.app[ADDRESSINGS])
    words, language = request.app[WORDS], request[LANGUAGE]
    found["automatic"] = [replace(one, reason=words.say(language, one.reason)) for one in found["automatic"]]
    return answer({**found, "now": now(request)})


@routes.get("/api/conversations/{id}/entries")
async def entries(request: web.Request) -> web.Response:
    found = await request.app[DB].read(
        _piece,
        path_id(request),
        query_number(request, "before", most=2**31 - 1),
        query_number(request, "after", most=2**31 - 1),
    )
    return answer(found)


@routes.get("/api/conversations/{id}/addressing")
async def addressing(request: web.Request) -> web.Response:
    answers = query_number(request, "answers")
    found = await request.app[DB].read(
        _addressing, path_id(request), request.app[ADDRESSINGS], None if answers is None else EntryId(answers)
    )
    return answer({"addressing": found})


@routes.post("/api/conversations/{id}/take")
async def take(request: web.Request) -> web.Response:
    await request.app[DB].write(lifecycle.take, path_id(request), me(request), now=now(request))
    return answer({"ok": True})


class Assign(Body):
    to: OperatorId | None = Field(ge=1, lt=2**63)
    expected: OperatorId | None = Field(None, ge=1, lt=2**63)


@routes.post("/api/conversations/{id}/assign")
async def assign(request: web.Request) -> web.Response:
    wanted = await body(request, Assign)
    await request.app[DB].write(
        lifecycle.assign, path_id(request), wanted.to, by=me(request), expected=wanted.expected, now=now(request)
    )
    return answer({"ok": True})


class PassOn(Body):
    team_id: TeamId | None = Field(ge=1, lt=2**63)


@routes.post("/api/conversations/{id}/team")
async def pass_on(request: web.Request) -> web.Response:
    wanted = await body(request, PassOn)
    await request.app[DB].write(passing_on.pass_on, path_id(request), wanted.team_id, by=me(request), now=now(request))
    return answer({"ok": True})


class Snooze(Body):
    until: AwareDatetime
    agreed: bool = False


@routes.post("/api/conversations/{id}/snooze")
async def snooze(request: web.Request) -> web.Response:
    wanted = await body(request, Snooze)
    await request.app[DB].write(
        lifecycle.snooze, path_id(request), wanted.until, by=me(request), now=now(request), agreed=wanted.agreed
    )
    return answer({"ok": True})


@routes.post("/api/conversations/{id}/wake")
async def wake(request: web.Request) -> web.Response:
    await request.app[DB].write(lifecycle.wake, path_id(request), by=me(request), now=now(request))
    return answer({"ok": True})


class Close(Body):
    ending: Literal["closed", "no_answer_needed"] = "closed"


@routes.post("/api/conversations/{id}/close")
async def close(request: web.Request) -> web.Response:
    wanted = await body(request, Close)
    await request.app[DB].write(
        lifecycle.close, path_id(request), by=me(request), now=now(request), ending=Ending(wanted.ending)
    )
    return answer({"ok": True})


@routes.post("/api/conversations/{id}/reopen")
async def reopen(request: web.Request) -> web.Response:
    await request.app[DB].write(lifecycle.reopen, path_id(request), by=me(request), now=now(request))
    return answer({"ok": True})


@routes.post("/api/conversations/{id}/spam")
async def spam(request: web.Request) -> web.Response:
    await request.app[DB].write(lifecycle.mark_spam, path_id(request), by=me(request), now=now(request))
    return answer({"ok": True})


class Tags(Body):
    tags: list[str] = Field(max_length=100)


@routes.post("/api/conversations/{id}/tags")
async def tags(request: web.Request) -> web.Response:
    wanted = await body(request, Tags)
    await request.app[DB].write(lifecycle.set_tags, path_id(request), wanted.tags, by=me(request), now=now(request))
    return answer({"ok": True})


class Priority(Body):
    priority: int


@routes.post("/api/conversations/{id}/priority")
async def priority(request: web.Request) -> web.Response:
    wanted = await body(request, Priority)
    await request.app[DB].write(
        lifecycle.set_priority, path_id(request), wanted.priority, by=me(request), now=now(request)
    )
    return answer({"ok": True})


class Merge(Body):
    into: ConversationId = Field(ge=1, lt=2**63)


@routes.post("/api/conversations/{id}/merge")
async def merge(request: web.Request) -> web.Response:
    wanted = await body(request, Merge)
    await request.app[DB].write(merging.merge, path_id(request), wanted.into, by=me(request), now=now(request))
    return answer({"ok": True, "conversation_id": wanted.into})


class Split(Body):
    """Chosen entries, or a mail with everything later that answers it."""

    entries: list[EntryId] = Field(default_factory=list, max_length=MOST_AT_ONCE)
    mail: EntryId | None = Field(None, ge=1, lt=2**63)


@routes.post("/api/conversations/{id}/split")
async def split(request: web.Request) -> web.Response:
    wanted = await body(request, Split)
    if (wanted.mail is None) == (not wanted.entries):
        raise BadInput("entries", N_("Name either entries or one mail."))
    made = await request.app[DB].write(
        _split, path_id(request), wanted.entries, wanted.mail, by=me(request), now=now(request)
    )
    return answer({"ok": True, "conversation_id": made})


@routes.post("/api/conversations/{id}/take-apart")
async def take_apart(request: web.Request) -> web.Response:
    left = await request.app[DB].write(merging.take_apart, path_id(request), by=me(request), now=now(request))
    return answer({"ok": True, "conversation_id": path_id(request), "left": left})


class Draft(Body):
    kind: Literal["reply", "note"]
    text: str
    data: dict[str, Any] = Field(default_factory=dict, max_length=50)


@routes.put("/api/conversations/{id}/draft")
async def draft(request: web.Request) -> web.Response:
    wanted = await body(request, Draft)
    await request.app[DB].write(
        drafts.save,
        path_id(request),
        me(request),
        EntryKind(wanted.kind),
        wanted.text,
        wanted.data,
        now=now(request),
    )
    return answer({"ok": True})


def open_for(
    conn: Connection, conversation_id: ConversationId, viewer: OperatorId, addressings: Addressings
) -> dict[str, Any]:
    """All that the workspace shows of a conversation. Raises NotFound."""
    view = reading.open_conversation(conn, conversation_id, viewer)
    return {
        **{name: getattr(view, name) for name in view.__dataclass_fields__},
        "offers": handoff.offers(conn, conversation_id=conversation_id),
        "addressing": _addressing(conn, conversation_id, addressings),
    }


def _piece(conn: Connection, conversation_id: ConversationId, before: int | None, after: int | None) -> dict[str, Any]:
    if before is not None and after is not None:
        raise BadInput("after", "Ask for entries before a number or after one, not both.")
    reading.must_exist(conn, conversation_id)
    found = reading.timeline(conn, conversation_id, before=before, after=after)
    return {"entries": found, "more_before": reading.earlier(conn, conversation_id, found) if after is None else None}


def _split(
    tx: Transaction,
    conversation_id: ConversationId,
    entries: Sequence[EntryId],
    mail: EntryId | None,
    *,
    by: OperatorId,
    now: datetime,
) -> ConversationId:
    if mail is not None:
        at, entries = merging.answers_to(tx.conn, mail)
        if at != conversation_id:
            raise BadInput("mail", N_("This mail has been moved to another conversation already."))
    return merging.split(tx, conversation_id, entries, by=by, now=now)


def _addressing(
    conn: Connection, conversation_id: ConversationId, addressings: Addressings, answers: EntryId | None = None
) -> dict[str, Any] | None:
    """Whom an answer by mail would reach; None where the answer goes another way or nowhere.

    `others`: who else stands in a mail that we had in blind copy. `failing`: whose last mail came back.
    """
    try:
        if channel_of_answer(conn, conversation_id) is not ChannelKind.EMAIL or ChannelKind.EMAIL not in addressings:
            return None
        fixed = addressings[ChannelKind.EMAIL](conn, conversation_id, Recipients(answers=answers), automatic=False)
    except (CannotReach, BadInput):
        return None
    mail: dict[str, Any] | None = fixed.get("mail")
    if mail is None:
        return None
    everybody = [one["address"] for one in (*mail["to"], *mail["cc"])]
    return {**mail, "others": fixed.get("others", []), "failing": failing_among(conn, everybody)}
