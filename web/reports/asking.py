"""What pages and API ask of reports: the query string in, a report out, computed beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from weakref import WeakKeyDictionary

from aiohttp import web
from sqlalchemy import Connection

from inbox.clock import Clock
from inbox.errors import BadInput
from inbox.people.operators import OperatorRecord
from inbox.reports import period as periods
from inbox.reports import settings as report_settings
from inbox.reports.loading import Question, load, zone_of
from inbox.reports.period import Cut, Named, Period
from inbox.reports.question import Filter, Group, Scope
from inbox.reports.report import Report
from inbox.reports.report import work_out as computed
from inbox.store.database import Database
from inbox.vocabulary import ChannelKind, OperatorId, TeamId
from inbox.words import N_
from web.api.request import now, operator, query_number
from web.keys import CLOCK, DB

MAX_TAG_CHARS = 60
AT_ONCE = 2
"""Reports computed at the same time on one desk: each needs memory for a year of waits."""
_turns: WeakKeyDictionary[Database, asyncio.Semaphore] = WeakKeyDictionary()


async def asked(request: web.Request, *, mine: bool = False, group: Group | None = None) -> Question:
    """The question of a query string. Raises BadInput for what cannot be meant, NotAllowed for what may not be seen."""
    return await request.app[DB].read(
        _question, dict(request.query), _filter(request), operator(request), mine, group, now(request)
    )


async def report(request: web.Request, question: Question) -> Report:
    return await work_out(request.app[DB], request.app[CLOCK], question)


async def work_out(db: Database, clock: Clock, question: Question) -> Report:
    async with _turns.setdefault(db, asyncio.Semaphore(AT_ONCE)):
        loaded = await db.read(load, question, now=clock.now())
        return await asyncio.to_thread(computed, loaded)


def _question(
    conn: Connection,
    said: Mapping[str, str],
    wanted: Filter,
    who: OperatorRecord,
    mine: bool,
    group: Group | None,
    at: datetime,
) -> Question:
    if mine:
        scope: Scope = report_settings.own_scope(conn)
        wanted, group = replace(wanted, operator_id=who.id, team_id=None), None
    else:
        scope = report_settings.scope_of(conn, who)
        group = _choice(Group, said, "group") or group
    report_settings.check(wanted, group, scope)
    if group is Group.OPERATOR and wanted.operator_id is None and not scope.personal:
        group = None
    asked_period = period_of(said, at, zone_of(conn, at))
    cut = _choice(Cut, said, "by")
    if cut is not None:
        periods.pieces(asked_period, cut)  # refused before anything is read
    return Question(asked_period, wanted, scope, cut, group)


def period_of(said: Mapping[str, str], at: datetime, zone: str) -> Period:
    """Raises BadInput. Without any word: the last seven days and today."""
    today = periods.today(at, zone)
    name = _choice(Named, said, "period")
    if name is None and (said.get("from") or said.get("to")):
        name = Named.CUSTOM
    if name is Named.CUSTOM:
        first, last = _day(said, "from"), _day(said, "to")
        if first is None and last is None:
            return periods.named(Named.TODAY, today, zone)
        return periods.whole_days(first or last or today, last or first or today, zone)
    return periods.named(name or Named.THIS_WEEK, today, zone)


def _filter(request: web.Request) -> Filter:
    team, person = query_number(request, "team"), query_number(request, "operator")
    tag = request.query.get("tag") or None
    if tag is not None and len(tag) > MAX_TAG_CHARS:
        raise BadInput("tag", N_("This is too long."))
    return Filter(
        channel=_choice(ChannelKind, request.query, "channel"),
        team_id=None if team is None else TeamId(team),
        operator_id=None if person is None else OperatorId(person),
        tag=tag,
        touchpoint_id=query_number(request, "touchpoint"),
    )


def _day(said: Mapping[str, str], name: str) -> date | None:
    written = said.get(name)
    if not written:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise BadInput(name, N_("Write a day such as 2026-03-10.")) from None


def _choice(kind: type, said: Mapping[str, str], name: str):  # type: ignore[no-untyped-def]
    written = said.get(name)
    if not written:
        return None
    try:
        return kind(written)
    except ValueError:
        raise BadInput(name, N_("This is not one of the choices.")) from None
