"""Replies, notes and new conversations: sent at once, with a moment to take them back, or at a chosen time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field
from sqlalchemy import Connection

from inbox import later, outgoing, taking_back
from inbox.outgoing import NewMail
from inbox.reply import UNDO, Block, Recipients, ReplyDraft, note, reply
from inbox.vocabulary import AttachmentId, ChannelKind, EntryId, Status
from inbox.waits import calendar
from web.api.json import answer
from web.api.request import Body, body, me, now, path_id
from web.keys import ADDRESSINGS, DB, MAIL_ADDRESSES

routes = web.RouteTableDef()

MAX_RECIPIENTS = 100
MAX_BLOCK_CHARS = 5_000


class ChosenRecipients(Body):
    to: list[str] | None = Field(None, max_length=MAX_RECIPIENTS)
    cc: list[str] | None = Field(None, max_length=MAX_RECIPIENTS)
    history_to_new: bool = False  # quote the mail that is answered, also to those who have not seen it

    def chosen(self) -> Recipients:
        return Recipients(self.to, self.cc, history_to_new=self.history_to_new)


class ChosenBlock(Body):
    understood: str = Field("", max_length=MAX_BLOCK_CHARS)
    done: str = Field("", max_length=MAX_BLOCK_CHARS)
    needed: str = Field("", max_length=MAX_BLOCK_CHARS)
    by: date | None = None
    on_top: bool = False

    def chosen(self) -> Block:
        return Block(
            self.understood, self.done, self.needed, self.by.isoformat() if self.by is not None else "", self.on_top
        )


class Note(Body):
    text: str
    key: str = Field(min_length=1, max_length=80)
    seen: int = Field(0, ge=0, lt=2**31)
    attachments: list[AttachmentId] = Field(default_factory=list, max_length=50)


class Reply(Note):
    """`undo`: a mail waits eight seconds for somebody to take it back. `answers`: the mail that is answered."""

    recipients: ChosenRecipients | None = None
    sender: str | None = Field(None, max_length=400, alias="from")
    answers: EntryId | None = Field(None, ge=1, lt=2**63)
    even_so: bool = False
    to_failing: bool = False
    undo: bool = False
    then: Literal["pending", "open", "closed"] = "pending"
    channel: ChannelKind | None = None
    block: ChosenBlock | None = None


class Plan(Reply):
    """A time without an offset is one of the desk's own time zone."""

    send_at: datetime


@routes.post("/api/conversations/{id}/reply")
async def write_reply(request: web.Request) -> web.Response:
    wanted = await body(request, Reply)
    written = await request.app[DB].write(
        reply, _reply_draft(request, wanted), addressings=request.app[ADDRESSINGS], now=now(request)
    )
    return answer(written)


@routes.post("/api/conversations/{id}/plan")
async def plan(request: web.Request) -> web.Response:
    wanted = await body(request, Plan)
    planned = await request.app[DB].write(
        later.plan,
        _reply_draft(request, wanted),
        await _moment(request, wanted.send_at),
        addressings=request.app[ADDRESSINGS],
        now=now(request),
    )
    return answer({"planned": planned})


@routes.post("/api/conversations/{id}/note")
async def write_note(request: web.Request) -> web.Response:
    wanted = await body(request, Note)
    written = await request.app[DB].write(note, _draft(request, wanted), now=now(request))
    return answer(written)


@routes.post("/api/entries/{id}/take-back")
async def take_back(request: web.Request) -> web.Response:
    returned = await request.app[DB].write(taking_back.take_back, path_id(request), by=me(request), now=now(request))
    return answer({"draft": returned})


class OtherTime(Body):
    send_at: datetime


@routes.put("/api/planned/{id}")
async def put_off(request: web.Request) -> web.Response:
    wanted = await body(request, OtherTime)
    at = await _moment(request, wanted.send_at)
    await request.app[DB].write(later.put_off, path_id(request), at, by=me(request), now=now(request))
    return answer({"ok": True, "send_at": at})


@routes.post("/api/planned/{id}/cancel")
async def cancel(request: web.Request) -> web.Response:
    returned = await request.app[DB].write(later.cancel, path_id(request), by=me(request), now=now(request))
    return answer({"draft": returned})


@routes.post("/api/planned/{id}/send")
async def send_now(request: web.Request) -> web.Response:
    written = await request.app[DB].write(
        later.send_now, path_id(request), by=me(request), addressings=request.app[ADDRESSINGS], now=now(request)
    )
    return answer(written)


# --- new conversations ----------------------------------------------------------------------------------------------


class Begin(Body):
    """`bulk`: mail to many, that people can unsubscribe from. `forwards`: the entry that is passed on."""

    to: list[str] = Field(max_length=MAX_RECIPIENTS)
    cc: list[str] = Field(default_factory=list, max_length=MAX_RECIPIENTS)
    sender: str | None = Field(None, max_length=400, alias="from")
    subject: str = Field(max_length=2_000)
    text: str
    key: str = Field(min_length=1, max_length=80)
    attachments: list[AttachmentId] = Field(default_factory=list, max_length=50)
    block: ChosenBlock | None = None
    bulk: bool = False
    undo: bool = False
    send_at: datetime | None = None
    to_failing: bool = False
    forwards: EntryId | None = Field(None, ge=1, lt=2**63)


@routes.post("/api/conversations")
async def begin(request: web.Request) -> web.Response:
    wanted = await body(request, Begin)
    begun = await request.app[DB].write(
        outgoing.begin,
        NewMail(
            operator_id=me(request),
            key=f"draft:{me(request)}:{wanted.key}",
            subject=wanted.subject,
            text=wanted.text,
            recipients=Recipients(wanted.to, wanted.cc, wanted.sender),
            attachments=wanted.attachments,
            block=wanted.block.chosen() if wanted.block is not None else None,
            bulk=wanted.bulk,
            hold=UNDO if wanted.undo else timedelta(),
            send_at=None if wanted.send_at is None else await _moment(request, wanted.send_at),
            to_failing=wanted.to_failing,
            forwards=wanted.forwards,
        ),
        addressings=request.app[ADDRESSINGS],
        now=now(request),
    )
    return answer(begun)


@routes.get("/api/mail-addresses")
async def addresses(request: web.Request) -> web.Response:
    """The desk's own addresses, to choose the sender of a new conversation from."""
    return answer({"addresses": request.app[MAIL_ADDRESSES]})


@routes.post("/api/entries/{id}/forward")
async def forward(request: web.Request) -> web.Response:
    """What a forwarding of this entry begins with; its files are copied for it."""
    entry_id = path_id(request)
    found = await request.app[DB].read(outgoing.forwardable, entry_id)
    files = await request.app[DB].write(outgoing.copy_files, entry_id, by=me(request), now=now(request))
    return answer(
        {"entry": found, "files": [{"id": one, "name": name, "size_bytes": size} for one, name, size in files]}
    )


def _reply_draft(request: web.Request, wanted: Reply) -> ReplyDraft:
    chosen = wanted.recipients.chosen() if wanted.recipients is not None else Recipients()
    return replace(
        _draft(request, wanted),
        channel=wanted.channel,
        recipients=replace(chosen, sender=wanted.sender, answers=wanted.answers),
        even_so=wanted.even_so,
        to_failing=wanted.to_failing,
        then=Status(wanted.then),
        hold=UNDO if wanted.undo else timedelta(),
        block=wanted.block.chosen() if wanted.block is not None else None,
    )


def _draft(request: web.Request, wanted: Note) -> ReplyDraft:
    return ReplyDraft(
        conversation_id=path_id(request),
        operator_id=me(request),
        text=wanted.text,
        key=f"draft:{me(request)}:{wanted.key}",
        seen=wanted.seen,
        attachments=wanted.attachments,
    )


async def _moment(request: web.Request, wanted: datetime) -> datetime:
    if wanted.utcoffset() is not None:
        return wanted
    zone: str = await request.app[DB].read(_zone, now(request))
    return wanted.replace(tzinfo=ZoneInfo(zone))


def _zone(conn: Connection, at: Any) -> str:
    return calendar.current(conn, at).zone
