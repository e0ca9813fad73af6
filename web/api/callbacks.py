"""Calls that are owed: taking, dialling, saying what came of it, and the mail that sums it up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from aiohttp import web
from pydantic import AwareDatetime, Field
from sqlalchemy import Connection

from inbox import callback_list, callbacks
from inbox.errors import BadInput, CannotReach
from inbox.people import telephone
from inbox.reply import UNDO, Addressings, Recipients
from inbox.summary import NextStep, SummaryDraft, WrapUp, draft_meeting, draft_summary, send_summary, waive_summary
from inbox.vocabulary import (
    OPEN_CALLBACK_STATES,
    AttemptOutcome,
    CallbackId,
    CallbackState,
    ChannelKind,
    ConversationId,
    OperatorId,
)
from inbox.words import Words
from web.api.json import answer
from web.api.request import Body, body, me, now, operator, path_id
from web.api.writing import ChosenRecipients
from web.keys import ADDRESSINGS, COUNTRY, DB, WORDS

routes = web.RouteTableDef()

MAX_FIELD_CHARS = 10_000


class Slot(Body):
    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime = Field(alias="to")

    def agreed(self) -> callbacks.Slot:
        return callbacks.Slot(self.since, self.until)


class Create(Body):
    conversation_id: ConversationId = Field(ge=1, lt=2**63)
    number: str = Field(max_length=80)
    slot: Slot | None = None


class Outcome(Body):
    outcome: AttemptOutcome
    note: str = Field("", max_length=callbacks.MAX_NOTE_CHARS)


class Reason(Body):
    reason: str = Field("", max_length=300)


class Number(Body):
    number: str = Field(max_length=80)


class Step(Body):
    what: str = Field(max_length=MAX_FIELD_CHARS)
    who: str = Field("", max_length=200)
    by: date | None = None


class Form(Body):
    asked: str = Field("", max_length=MAX_FIELD_CHARS)
    agreed: str = Field("", max_length=MAX_FIELD_CHARS)
    next_steps: list[Step] = Field(default_factory=list, max_length=20)

    def wrap_up(self) -> WrapUp:
        return WrapUp(self.asked, self.agreed, [NextStep(s.what, s.who, s.by) for s in self.next_steps])


class Summary(Form):
    text: str
    seen: int = Field(ge=0, lt=2**31)
    subject: str = Field("", max_length=1000)
    recipients: ChosenRecipients | None = None
    even_so: bool = False
    to_failing: bool = False
    undo: bool = False


@routes.get("/api/callbacks")
async def owed(request: web.Request) -> web.Response:
    """Every open callback, the soonest due first; with `?wrap_up=1` those whose summary is still to be sent."""
    states = {CallbackState.WRAP_UP} if request.query.get("wrap_up") else OPEN_CALLBACK_STATES
    found = await request.app[DB].read(callback_list.listing, states)
    return answer({"callbacks": found, "now": now(request)})


@routes.get("/api/callbacks/{id}")
async def show(request: web.Request) -> web.Response:
    return answer(await request.app[DB].read(_with_attempts, path_id(request)))


@routes.post("/api/callbacks")
async def create(request: web.Request) -> web.Response:
    wanted = await body(request, Create)
    number = telephone.require_e164(wanted.number, request.app[COUNTRY])
    created = await request.app[DB].write(
        callbacks.create,
        wanted.conversation_id,
        number=number,
        by=me(request),
        slot=wanted.slot.agreed() if wanted.slot is not None else None,
        now=now(request),
    )
    return answer(created, status=200 if created.existing else 201)


@routes.post("/api/callbacks/{id}/take")
async def take(request: web.Request) -> web.Response:
    conversation_id = await request.app[DB].write(callbacks.take, path_id(request), me(request), now=now(request))
    return answer({"conversation_id": conversation_id})


@routes.post("/api/callbacks/{id}/release")
async def release(request: web.Request) -> web.Response:
    await request.app[DB].write(callbacks.release, path_id(request), me(request), now=now(request))
    return answer({"ok": True})


@routes.post("/api/callbacks/{id}/dial")
async def dial(request: web.Request) -> web.Response:
    return answer(await request.app[DB].write(callbacks.dial, path_id(request), me(request), now=now(request)))


@routes.post("/api/callbacks/{id}/outcome")
async def outcome(request: web.Request) -> web.Response:
    told = await body(request, Outcome)
    state = await request.app[DB].write(
        callbacks.outcome, path_id(request), me(request), told.outcome, note=told.note, now=now(request)
    )
    return answer({"state": state})


@routes.post("/api/callbacks/{id}/schedule")
async def schedule(request: web.Request) -> web.Response:
    wanted = await body(request, Slot)
    await request.app[DB].write(callbacks.schedule, path_id(request), wanted.agreed(), by=me(request), now=now(request))
    return answer({"ok": True})


@routes.post("/api/callbacks/{id}/number")
async def set_number(request: web.Request) -> web.Response:
    wanted = await body(request, Number)
    number = telephone.require_e164(wanted.number, request.app[COUNTRY])
    await request.app[DB].write(callbacks.set_number, path_id(request), number, by=me(request), now=now(request))
    return answer({"number": number})


@routes.post("/api/callbacks/{id}/cancel")
async def cancel(request: web.Request) -> web.Response:
    wanted = await body(request, Reason)
    await request.app[DB].write(
        callbacks.cancel, path_id(request), by=me(request), reason=wanted.reason, now=now(request)
    )
    return answer({"ok": True})


@routes.post("/api/callbacks/{id}/unreached")
async def unreached(request: web.Request) -> web.Response:
    await request.app[DB].write(callbacks.confirm_unreached, path_id(request), by=me(request), now=now(request))
    return answer({"ok": True})


@routes.post("/api/callbacks/{id}/summary/draft")
async def draft(request: web.Request) -> web.Response:
    form, asking = await body(request, Form), operator(request)
    found = await request.app[DB].read(
        _drafted,
        path_id(request),
        form.wrap_up(),
        request.app[ADDRESSINGS],
        operator_id=asking.id,
        language=asking.language,
        words=request.app[WORDS],
    )
    return answer(found)


@routes.post("/api/callbacks/{id}/summary")
async def send(request: web.Request) -> web.Response:
    wanted = await body(request, Summary)
    written = await request.app[DB].write(
        send_summary,
        path_id(request),
        me(request),
        wanted.wrap_up(),
        text=wanted.text,
        seen=wanted.seen,
        subject=wanted.subject,
        recipients=wanted.recipients.chosen() if wanted.recipients is not None else None,
        even_so=wanted.even_so,
        to_failing=wanted.to_failing,
        hold=UNDO if wanted.undo else timedelta(),
        addressings=request.app[ADDRESSINGS],
        now=now(request),
    )
    return answer(written)


class Meeting(Form):
    on: date


@routes.post("/api/conversations/{id}/summary/draft")
async def draft_of_meeting(request: web.Request) -> web.Response:
    form, asking = await body(request, Meeting), operator(request)
    found = await request.app[DB].read(
        draft_meeting,
        path_id(request),
        form.wrap_up(),
        on=form.on,
        operator_id=asking.id,
        words=request.app[WORDS],
        language=asking.language,
    )
    return answer({"draft": found})


@routes.post("/api/callbacks/{id}/waive")
async def waive(request: web.Request) -> web.Response:
    wanted = await body(request, Reason)
    await request.app[DB].write(waive_summary, path_id(request), me(request), wanted.reason, now=now(request))
    return answer({"ok": True})


def _with_attempts(conn: Connection, callback_id: CallbackId) -> dict[str, Any]:
    return {
        "callback": callback_list.get(conn, callback_id),
        "attempts": callback_list.attempts(conn, callback_id),
    }


def _drafted(
    conn: Connection,
    callback_id: CallbackId,
    form: WrapUp,
    addressings: Addressings,
    *,
    operator_id: OperatorId,
    language: str,
    words: Words,
) -> dict[str, Any]:
    """The draft, and whom it would reach; `addressing` is null while no address is known."""
    drafted = draft_summary(conn, callback_id, form, operator_id=operator_id, words=words, language=language)
    return {"draft": drafted, "addressing": _addressing(conn, drafted, addressings)}


def _addressing(conn: Connection, drafted: SummaryDraft, addressings: Addressings) -> dict[str, Any] | None:
    if ChannelKind.EMAIL not in addressings:
        return None
    wanted = Recipients(to=drafted.to) if drafted.starts_thread and drafted.to else Recipients()
    try:
        return addressings[ChannelKind.EMAIL](conn, drafted.conversation_id, wanted, automatic=False)
    except (CannotReach, BadInput):
        return None
