"""Replies and notes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from aiohttp import web
from pydantic import Field

from inbox.reply import Recipients, ReplyDraft, note, reply
from inbox.vocabulary import AttachmentId, ChannelKind, Status
from web.api.json import answer
from web.api.request import Body, body, me, now, path_id
from web.keys import ADDRESSINGS, DB

routes = web.RouteTableDef()

MAX_RECIPIENTS = 100


class ChosenRecipients(Body):
    to: list[str] | None = Field(None, max_length=MAX_RECIPIENTS)
    cc: list[str] | None = Field(None, max_length=MAX_RECIPIENTS)

    def chosen(self) -> Recipients:
        return Recipients(self.to, self.cc)


class Note(Body):
    text: str
    key: str = Field(min_length=1, max_length=80)
    seen: int = Field(0, ge=0, lt=2**31)
    attachments: list[AttachmentId] = Field(default_factory=list, max_length=50)


class Reply(Note):
    recipients: ChosenRecipients | None = None
    even_so: bool = False
    then: Literal["pending", "open", "closed"] = "pending"
    channel: ChannelKind | None = None


@routes.post("/api/conversations/{id}/reply")
async def write_reply(request: web.Request) -> web.Response:
    wanted = await body(request, Reply)
    written = await request.app[DB].write(
        reply,
        replace(
            _draft(request, wanted),
            channel=wanted.channel,
            recipients=wanted.recipients.chosen() if wanted.recipients is not None else Recipients(),
            even_so=wanted.even_so,
            then=Status(wanted.then),
        ),
        addressings=request.app[ADDRESSINGS],
        now=now(request),
    )
    return answer(written)


@routes.post("/api/conversations/{id}/note")
async def write_note(request: web.Request) -> web.Response:
    wanted = await body(request, Note)
    written = await request.app[DB].write(note, _draft(request, wanted), now=now(request))
    return answer(written)


def _draft(request: web.Request, wanted: Note) -> ReplyDraft:
    return ReplyDraft(
        conversation_id=path_id(request),
        operator_id=me(request),
        text=wanted.text,
        key=f"draft:{me(request)}:{wanted.key}",
        seen=wanted.seen,
        attachments=wanted.attachments,
    )
