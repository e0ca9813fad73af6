"""The requests for reports: pages, the waits behind a figure, tables as CSV and JSON."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import Connection

from inbox import touchpoints
from inbox.errors import BadInput, NotFound
from inbox.people import operators
from inbox.reports import settings as report_settings
from inbox.reports.behind import WaitsOf, behind
from inbox.reports.loading import Question, names
from inbox.reports.period import Cut, Named
from inbox.reports.question import Group, tag_names
from inbox.reports.settings import Personal, ReportSettings
from inbox.vocabulary import ChannelKind, Role
from inbox.waits import calendar
from inbox.waits.listing import Behind
from inbox.words import N_
from web.api.json import answer
from web.api.request import me, now, operator
from web.api.wallboard import after_of, nameless
from web.keys import DB, LANGUAGE, WORDS
from web.pages.forms import fields, see_other, shown_again
from web.pages.wallboard import CHANNELS, wait_row
from web.reports.asking import asked, report
from web.reports.figures import FIGURES
from web.reports.tables import TableName, csv_text, table
from web.reports.view import CUTS, GROUPS, HEATS, View
from web.reports.weekly import PREFERENCE
from web.templating import page_response

PERIODS = (
    (Named.TODAY, N_("Today")),
    (Named.YESTERDAY, N_("Yesterday")),
    (Named.THIS_WEEK, N_("This week")),
    (Named.LAST_WEEK, N_("Last week")),
    (Named.THIS_MONTH, N_("This month")),
    (Named.LAST_MONTH, N_("Last month")),
    (Named.CUSTOM, N_("From … to …")),
)
MOST_OPTIONS = 300


async def page(request: web.Request, *, mine: bool) -> web.Response:
    path = "/reports/mine" if mine else "/reports"
    try:
        question = await asked(request, mine=mine, group=None if mine else Group.CHANNEL)
    except BadInput as error:
        said = request.app[WORDS].say(request[LANGUAGE], error.message, **error.values)
        return page_response(request, "reports_refused.html", {"said": said, "back": path}, status=422)
    found = await report(request, question)
    shown = await request.app[DB].read(_choices, question)
    words, language = request.app[WORDS], request[LANGUAGE]
    view = View(words, language, found, request.query, shown["target_s"])
    heat = request.query.get("heat", "arrivals")
    heat = heat if heat in HEATS else "arrivals"
    return page_response(
        request,
        "reports.html",
        {
            "mine": mine,
            "at": path,
            "view": view,
            "report": found,
            "days": view.days(question.period),
            "going_on": question.period.since <= found.now < question.period.until,
            "compared": None if found.compared_with is None else view.days(found.compared_with),
            "filters": view.filter_words(question.filter) if not mine else [],
            "sections": view.sections("/reports/mine/waits" if mine else "/reports/waits"),
            "empty": not (found.figures.waiting.arrivals or found.figures.waiting.counted),
            "waits": view.waits_chart(),
            "volume": view.volume_chart(),
            "distribution": view.distribution(),
            "heats": [(key, words.say(language, name)) for key, name in HEATS.items()],
            "heat_now": heat,
            "heat": view.heat(heat),
            "groups": view.groups(path, request.query.get("sort", ""), "all" in request.query),
            "group_tabs": [
                (group.value, words.say(language, name), group is question.group)
                for group, name in GROUPS.items()
                if group is not Group.OPERATOR or question.scope.personal
            ],
            "period_choices": [(value.value, words.say(language, name)) for value, name in PERIODS],
            "period_now": request.query.get("period") or _period_now(request),
            "cuts": [("", words.say(language, N_("Fitting")))]
            + [(cut.value, words.say(language, name)) for cut, name in CUTS.items()],
            "cut_now": request.query.get("by", ""),
            "chosen": question.filter,
            "first": question.period.first.isoformat(),
            "last": question.period.last.isoformat(),
            "channels": [(kind.value, words.say(language, name)) for kind, name in CHANNELS.items()],
            "touchpoints": [(one, view.touchpoint(one)) for one in shown["touchpoints"]],
            "tags": shown["tags"],
            "teams": shown["teams"],
            "people": shown["people"],
            "export": "/reports/mine" if mine else "/reports",
            "tables": [name.value for name in TableName if not (mine and name is TableName.GROUPS)],
        },
    )


def _period_now(request: web.Request) -> str:
    return Named.CUSTOM if request.query.get("from") or request.query.get("to") else Named.THIS_WEEK


def _choices(conn: Connection, question: Question) -> dict[str, Any]:
    """What the filters offer, as far as the asker may see it."""
    known, scope = names(conn), question.scope
    return {
        "target_s": calendar.current(conn, question.period.since)
        .hours.target(question.filter.channel or ChannelKind.CHAT)
        .target_s,
        "touchpoints": [one.id for one in touchpoints.every(conn)][:MOST_OPTIONS],
        "tags": tag_names(conn)[:MOST_OPTIONS],
        "teams": sorted((name, one) for one, name in known.teams.items() if scope.teams is None or one in scope.teams),
        "people": sorted((name, one) for one, name in known.operators.items() if scope.may_see(one)),  # type: ignore[arg-type]
    }


async def waits_page(request: web.Request, *, mine: bool) -> web.Response:
    figure, question, found = await _behind(request, mine=mine)
    language, words = request[LANGUAGE], request.app[WORDS]
    definition = next((one for one in FIGURES if one.waits is figure), FIGURES[0])
    names_ = {WaitsOf.COUNTED: N_("Owed an answer"), WaitsOf.ANSWERED: N_("Answered")}
    path = "/reports/mine" if mine else "/reports"
    kept = {key: value for key, value in request.query.items() if key not in ("figure", "after") and value}
    zone = ZoneInfo(question.period.zone)
    return page_response(
        request,
        "report_waits.html",
        {
            "title": words.say(language, names_.get(figure, definition.name)),
            "explained": "" if figure in names_ else words.say(language, definition.defined),
            "path_back": path,
            "kept": kept,
            "figure": figure.value,
            "rows": [wait_row(words, language, zone, row, now(request)) for row in found.rows],
            "next_after": ",".join(map(str, found.next_after)) if found.next_after else "",
        },
    )


async def waits_json(request: web.Request) -> web.Response:
    _, _, found = await _behind(request, mine=False)
    return answer({"rows": found.rows, "next_after": found.next_after, "now": now(request)})


async def _behind(request: web.Request, *, mine: bool) -> tuple[WaitsOf, Question, Behind]:
    try:
        figure = WaitsOf(request.query.get("figure", WaitsOf.COUNTED))
    except ValueError:
        raise BadInput("figure", N_("There is no such figure.")) from None
    question = await asked(request, mine=mine)
    found = await request.app[DB].read(
        behind,
        figure,
        question.period,
        question.filter,
        question.scope,
        now=now(request),
        after=after_of(request.query.get("after", "")),
    )
    return figure, question, found if question.scope.personal else nameless(found)


async def export(request: web.Request, *, mine: bool) -> web.Response:
    """`/reports/<table>.csv` and `.json`, and the same for programs. Raises NotFound for another name."""
    name, _, form = request.match_info["file"].rpartition(".")
    if form not in ("csv", "json") or name not in list(TableName):
        raise NotFound("page")
    wanted = TableName(name)
    return await _table(request, wanted, form, mine=mine)


async def for_programs(request: web.Request, *, mine: bool) -> web.Response:
    name = request.match_info["table"]
    if name not in list(TableName):
        raise NotFound("page")
    return await _table(request, TableName(name), request.query.get("format", "json"), mine=mine)


async def _table(request: web.Request, wanted: TableName, form: str, *, mine: bool) -> web.Response:
    if form not in ("csv", "json"):
        raise BadInput("format", N_("This is not one of the choices."))
    group = Group.CHANNEL if wanted is TableName.GROUPS and not mine else None
    question = await asked(request, mine=mine, group=group)
    found = await report(request, question)
    written = table(found, wanted)
    if form == "csv":
        file = f"{wanted.value}-{question.period.first}-{question.period.last}.csv"
        return web.Response(
            body=csv_text(written).encode("utf-8-sig"),  # spreadsheets take it for their own code page otherwise
            content_type="text/csv",
            charset="utf-8",
            headers={"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"},
        )
    return answer(
        {
            "from": question.period.first,
            "to": question.period.last,
            "zone": question.period.zone,
            "since": question.period.since,
            "until": question.period.until,
            "by": found.cut,
            "group": question.group,
            "compared_from": None if found.compared_with is None else found.compared_with.since,
            "compared_until": None if found.compared_with is None else found.compared_with.until,
            "now": found.now,
            "rows": written.rows,
        }
    )


# --- settings -------------------------------------------------------------------------------------------------------


async def settings_page(request: web.Request) -> web.Response:
    return page_response(request, "report_settings.html", await _settings(request))


async def change_settings(request: web.Request) -> web.Response:
    said = await fields(request)
    try:
        personal, weekday = said.get("personal", ""), said.get("mail_weekday", "")
        if personal not in list(Personal):
            raise BadInput("personal", N_("This is not one of the choices."))
        if not (weekday.isascii() and weekday.isdigit() and len(weekday) == 1):
            raise BadInput("mail_weekday", N_("Choose a day of the week."))
        wanted = ReportSettings(Personal(personal), int(weekday), minute_of(said.get("mail_at", "")))
        await request.app[DB].write(report_settings.save, wanted, by=me(request), now=now(request))
    except BadInput as error:
        return shown_again(request, "report_settings.html", error, await _settings(request))
    return see_other("/settings/reports", saved="yes")


async def change_mail(request: web.Request) -> web.Response:
    """Whether the one who asks gets the weekly mail."""
    wanted, known = (await fields(request)).get("weekly_report") == "yes", operator(request)
    if not known.may(Role.SUPERVISOR):
        raise NotFound("page")
    await request.app[DB].write(operators.prefer, known.id, {PREFERENCE: wanted})
    return see_other("/account", saved="weekly")


def minute_of(written: str) -> int:
    """Minutes since midnight. Raises BadInput."""
    hours, _, minutes = written.partition(":")
    if not (hours.isdigit() and minutes.isdigit() and len(hours) <= 2 and len(minutes) == 2):
        raise BadInput("mail_at", N_("Write a time such as 8:00."))
    if int(hours) > 23 or int(minutes) > 59:
        raise BadInput("mail_at", N_("Write a time such as 8:00."))
    return int(hours) * 60 + int(minutes)


async def _settings(request: web.Request) -> dict[str, Any]:
    known = await request.app[DB].read(report_settings.read)
    return {"settings": known, "saved": request.query.get("saved", ""), "cuts": [cut.value for cut in Cut]}
