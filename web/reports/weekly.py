"""The weekly mail: last week's figures, what has changed most, and links, to every supervisor who wants it.

A row for each week, written with the mails, lets it go out exactly once, also with several processes and after the desk
was down on the day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web
from sqlalchemy import Connection

from inbox import desk_mail
from inbox.desk_mail import Letter
from inbox.errors import InboxError
from inbox.people import operators
from inbox.people.operators import OperatorRecord
from inbox.reports import mailed, settings
from inbox.reports.loading import Question, zone_of
from inbox.reports.period import Named, named, today
from inbox.reports.question import Scope
from inbox.reports.report import Report
from inbox.reports.settings import ReportSettings
from inbox.store.transaction import Transaction
from inbox.vocabulary import Role
from inbox.words import N_
from web import keys
from web.reports.asking import work_out
from web.reports.figures import FIGURES, Figure, Unit
from web.reports.view import View

log = structlog.get_logger(__name__)

TOPIC = "reports"
PREFERENCE = "weekly_report"
MOST_CHANGES = 5
LONGEST_SLEEP = timedelta(minutes=10)
"""A changed setting or a new supervisor is noticed after this."""


@dataclass(frozen=True, slots=True)
class Reader:
    operator: OperatorRecord
    scope: Scope


async def send_weekly(app: web.Application) -> None:
    """For as long as it is awaited."""
    db, clock = app[keys.DB], app[keys.CLOCK]
    while True:
        now = clock.now()
        due = await db.read(next_due, now=now)
        if due <= now:
            await send_now(app, now)
            continue
        await clock.wait_until(min(due, now + LONGEST_SLEEP), asyncio.Event())


def next_due(conn: Connection, *, now: datetime) -> datetime:
    """When the next weekly mail goes out; a moment in the past for one that should have gone."""
    wanted, zone = settings.read(conn), zone_of(conn, now)
    monday = _monday(now, zone)
    due = _due(monday, wanted, zone)
    if not mailed.is_made(conn, monday - timedelta(days=7)):
        return due
    return _due(monday + timedelta(days=7), wanted, zone)


async def send_now(app: web.Application, now: datetime) -> int:
    """Write the mails about last week unless that has been done; how many."""
    db = app[keys.DB]
    zone = await db.read(zone_of, now)
    week = _monday(now, zone) - timedelta(days=7)
    readers = await db.read(_readers)
    letters = []
    for reader in readers:
        question = Question(named(Named.LAST_WEEK, today(now, zone), zone), scope=reader.scope, heat=False)
        report = await work_out(db, app[keys.CLOCK], question)
        if report.figures.waiting.arrivals or report.figures.waiting.counted:
            letters.append(_letter(app, reader.operator, report, week))
    return await db.write(_write, week, letters, now=now)


def _write(tx: Transaction, week: date, letters: Sequence[Letter], *, now: datetime) -> int:
    if not mailed.begin(tx, week, now=now):
        return 0
    return sum(desk_mail.write(tx, letter, now=now) is not None for letter in letters)


def _readers(conn: Connection) -> list[Reader]:
    found = []
    for person in operators.accounts(conn):
        if person.disabled or not person.may(Role.SUPERVISOR) or not wants_mail(person):
            continue
        try:
            found.append(Reader(person, settings.scope_of(conn, person)))
        except InboxError:
            log.exception("no weekly mail", operator=person.id)
    return found


def wants_mail(person: OperatorRecord) -> bool:
    return bool(person.preferences.get(PREFERENCE, True))


def _monday(now: datetime, zone: str) -> date:
    day = today(now, zone)
    return day - timedelta(days=day.weekday())


def _due(monday: date, wanted: ReportSettings, zone: str) -> datetime:
    day = monday + timedelta(days=wanted.mail_weekday)
    at = time(wanted.mail_minute // 60, wanted.mail_minute % 60)
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)


# --- its words ------------------------------------------------------------------------------------------------------


def _letter(app: web.Application, reader: OperatorRecord, report: Report, week: date) -> Letter:
    words, url = app[keys.WORDS], app[keys.CONFIG].server.url.rstrip("/")
    language = reader.language
    view = View(words, language, report, {"period": Named.LAST_WEEK.value}, 300)
    say = view.say
    desk = app[keys.CONFIG].desk.name
    days = view.days(report.question.period)
    link = f"{url}/reports?from={report.question.period.first}&to={report.question.period.last}"
    main = [_line(view, figure, report) for figure in FIGURES if figure.main]
    changes = [_line(view, figure, report) for figure in _changed(report)]
    subject = say(N_("%(desk)s: the week of %(days)s"), desk=desk, days=days)
    parts = [say(N_("The figures of %(days)s, compared with the week before."), days=days)]
    parts.append("\n".join(f"- {line}" for line in main))
    if changes:
        parts.append(say(N_("What has changed most:")))
        parts.append("\n".join(f"- {line}" for line in changes))
    parts.append(say(N_("All figures, how each is defined, and the waits behind them: %(link)s"), link=link))
    parts.append(say(N_("You get this mail once a week. Your account says whether: %(link)s"), link=f"{url}/account"))
    return Letter(
        key=f"reports:{week}:{reader.id}",
        topic=TOPIC,
        address=reader.email,
        name=reader.name,
        language=language,
        subject=subject,
        text="\n\n".join(parts),
    )


def _line(view: View, figure: Figure, report: Report) -> str:
    value = figure.value(report.figures)
    before = None if report.before is None else figure.value(report.before)
    change = view.change(value, before, figure.unit)
    said = f"{view.say(figure.name)}: {view.number(value, figure.unit)}"
    return said if change is None else f"{said} ({change['arrow']} {change['text']})"


def _changed(report: Report) -> list[Figure]:
    """What is not among the main figures and moved most, measured against what it was."""
    found: list[tuple[float, Figure]] = []
    for figure in FIGURES:
        value, before = figure.value(report.figures), report.before and figure.value(report.before)
        if figure.main or value is None or not before:
            continue
        cases = figure.of(report.figures)
        if cases is not None and cases < 20:
            continue  # a handful of cases always moves
        moved = abs(value - before) / (100 if figure.unit is Unit.PERCENT else abs(before))
        if moved >= 0.05:
            found.append((moved, figure))
    return [figure for _, figure in sorted(found, key=lambda pair: -pair[0])[:MOST_CHANGES]]
