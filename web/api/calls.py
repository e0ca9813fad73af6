"""Calls that an operator types in by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from aiohttp import web
from pydantic import AwareDatetime, Field

from inbox.call_facts import CallFacts, Direction
from inbox.calls import record_call
from inbox.people import telephone
from inbox.vocabulary import CallOutcome, OperatorId
from web.api.json import answer
from web.api.request import Body, body, me, now
from web.keys import COUNTRY, DB

routes = web.RouteTableDef()

PROVIDER = "desk"


class TypedCall(Body):
    """`number` empty: withheld. `key` is made with the form: sending it twice records one call."""

    number: str = Field("", max_length=80)
    name: str = Field("", max_length=200)
    direction: Direction = Direction.INBOUND
    outcome: CallOutcome
    started_at: AwareDatetime | None = None
    duration_s: int | None = Field(None, ge=0, le=86_400)
    note: str = Field("", max_length=10_000)
    key: str = Field("", max_length=80)

    def facts(self, by: OperatorId, country: str, at: datetime) -> CallFacts:
        started_at = self.started_at or at
        return CallFacts(
            provider=PROVIDER,
            account=f"operator:{by}",
            call_id=self.key or uuid4().hex,
            direction=self.direction,
            started_at=started_at,
            number=telephone.require_e164(self.number, country) if self.number.strip() else None,
            name=self.name.strip(),
            ended_at=None if self.duration_s is None else started_at + timedelta(seconds=self.duration_s),
            outcome=self.outcome,
            by_hand=by,
            note=self.note.strip(),
        )


@routes.post("/api/calls")
async def record(request: web.Request) -> web.Response:
    typed = await body(request, TypedCall)
    facts = typed.facts(me(request), request.app[COUNTRY], now(request))
    return answer(await request.app[DB].write(record_call, facts, now=now(request)), status=201)
