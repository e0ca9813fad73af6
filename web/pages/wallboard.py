"""The wallboard, the list of waits behind each of its figures, and links that show it without an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from babel.dates import format_skeleton, format_time, get_day_names
from babel.numbers import format_decimal, format_percent

from inbox.errors import NotFound
from inbox.vocabulary import ChannelKind, DeskMode, Ending, Presence
from inbox.waits import wall_links
from inbox.waits.figures import Figure
from inbox.waits.listing import WaitRecord
from inbox.waits.metrics import Live, Share
from inbox.waits.over_time import HeatCell, Slot
from inbox.waits.wall_links import LinkRecord
from inbox.words import N_, Words
from web.api.request import me, now, path_id
from web.api.wallboard import asked_for, channel_of, figure_of
from web.charts import Band, Heat, Series, Size, heat_table, line_chart, table
from web.keys import CLOCK, CONFIG, DB, LANGUAGE, PAGES, SIGNED_IN, WORDS
from web.pages.forms import fields, see_other
from web.templating import page_response
from web.wall import WALL, Board

routes = web.RouteTableDef()

TOKEN_CHARS = range(20, 101)
FEW = 3
"""Below this a cell of the week says that it stands on little."""

WIDE, NARROW = Size(760, 236, 2, "chart-wide"), Size(360, 240, 4, "chart-narrow")

CHANNELS: Mapping[ChannelKind, str] = {
    ChannelKind.CHAT: N_("Chat"),
    ChannelKind.EMAIL: N_("E-mail"),
    ChannelKind.PHONE: N_("Telephone"),
}
PRESENCES: Mapping[Presence, str] = {
    Presence.ONLINE: N_("Online"),
    Presence.FINISHING: N_("Finishing"),
    Presence.AWAY: N_("Away"),
    Presence.OFFLINE: N_("Offline"),
}
MODES: Mapping[DeskMode, str] = {
    DeskMode.STAFFED: N_("Staffed"),
    DeskMode.BUSY: N_("Busy"),
    DeskMode.AWAY: N_("Nobody is online"),
    DeskMode.CLOSED: N_("Closed"),
}
ENDINGS: Mapping[Ending, str] = {
    Ending.ANSWERED: N_("Answered"),
    Ending.NO_ANSWER_NEEDED: N_("No answer needed"),
    Ending.CLOSED: N_("Closed without an answer"),
    Ending.MERGED: N_("Merged"),
    Ending.SPAM: N_("Spam"),
    Ending.ABANDONED: N_("Abandoned"),
    Ending.UNREACHED: N_("Not reached"),
}
FIGURES: Mapping[Figure, tuple[str, str]] = {
    Figure.LONGEST: (
        N_("Longest wait"),
        N_("Everybody who waits now, longest first. Time agreed with the customer does not count."),
    ),
    Figure.WAITING: (N_("Waiting now"), N_("Everybody who is owed an answer by a person at this moment.")),
    Figure.IN_TARGET: (N_("Waiting, within target"), N_("Waiting now, and the warning is not due yet.")),
    Figure.WARNED: (N_("Waiting, warned"), N_("Waiting now, past the warning and still within the target.")),
    Figure.MISSED: (N_("Waiting, target missed"), N_("Waiting now, past the target.")),
    Figure.AGREED: (N_("Agreed to wait"), N_("The customer agreed to wait until a certain time: the clock stands.")),
    Figure.COUNTED: (
        N_("Owed an answer today"),
        N_(
            "Waits that began today and are over or past the target. People who left within ten seconds are left out, "
            "and so are merged ones, spam and those who needed no answer."
        ),
    ),
    Figure.ANSWERED: (N_("Answered today"), N_("Waits that began today and ended with a person's answer.")),
    Figure.ANSWERED_IN_TARGET: (
        N_("Answered within target today"),
        N_("Waits that began today and were answered within the target of their channel."),
    ),
    Figure.MISSED_TODAY: (
        N_("Not answered within target today"),
        N_("Waits that began today and were answered too late, not at all, or are past the target now."),
    ),
    Figure.ABANDONED: (
        N_("Abandoned today"),
        N_("The customer left before an answer and could not be reached. Those within ten seconds are apart."),
    ),
    Figure.SHORT_ABANDONED: (
        N_("Left within ten seconds"),
        N_("The customer left too soon for anybody to answer. Counted apart."),
    ),
}


@routes.get("/wallboard")
async def show(request: web.Request) -> web.Response:
    return page_response(request, "wallboard.html", await _whole(request, None))


@routes.get("/wallboard/board")
async def fragment(request: web.Request) -> web.Response:
    """The part that changes, for the script."""
    return await _fragment(request, None)


@routes.get("/wall/{token}")
async def show_by_link(request: web.Request) -> web.Response:
    link = await _link(request)
    return page_response(request, "wallboard.html", await _whole(request, link))


@routes.get("/wall/{token}/board")
async def fragment_by_link(request: web.Request) -> web.Response:
    return await _fragment(request, await _link(request))


@routes.get("/waits")
async def waits(request: web.Request) -> web.Response:
    figure = figure_of(request)
    found = await asked_for(request, figure)
    language, words = request[LANGUAGE], request.app[WORDS]
    zone = ZoneInfo((await request.app[WALL].board()).live.zone)
    title, explained = (words.say(language, text) for text in FIGURES[figure])
    kept = {key: request.query[key] for key in ("operator",) if request.query.get(key)}
    return page_response(
        request,
        "waits.html",
        {
            "title": title,
            "explained": explained,
            "figure": figure,
            "channel": channel_of(request),
            "channels": [(None, words.say(language, N_("All channels")))]
            + [(channel, words.say(language, name)) for channel, name in CHANNELS.items()],
            "kept": kept,
            "rows": [wait_row(words, language, zone, row, now(request)) for row in found.rows],
            "next_after": ",".join(map(str, found.next_after)) if found.next_after else "",
        },
    )


@routes.get("/wallboard/links")
async def links(request: web.Request) -> web.Response:
    return await _links_page(request)


@routes.post("/wallboard/links")
async def make_link(request: web.Request) -> web.Response:
    """Shown once, and therefore not redirected to."""
    posted = await fields(request)
    token = await request.app[DB].write(
        wall_links.make, by=me(request), hide_names=posted.get("hide_names") == "yes", now=now(request)
    )
    return await _links_page(request, f"{request.app[CONFIG].server.url.rstrip('/')}/wall/{token}")


@routes.post("/wallboard/links/{id}/revoke")
async def revoke_link(request: web.Request) -> web.Response:
    await request.app[DB].write(wall_links.revoke, path_id(request), now=now(request))
    return see_other("/wallboard/links")


async def _links_page(request: web.Request, made: str = "") -> web.Response:
    return page_response(
        request, "wall_links.html", {"links": await request.app[DB].read(wall_links.valid), "made": made}
    )


async def _link(request: web.Request) -> LinkRecord:
    """Raises NotFound: a revoked link looks like one that never was."""
    token = request.match_info["token"]
    found = await request.app[DB].read(wall_links.find, token) if len(token) in TOKEN_CHARS else None
    if found is None:
        raise NotFound("page")
    return found


async def _whole(request: web.Request, link: LinkRecord | None) -> dict[str, Any]:
    board = await request.app[WALL].board()
    language = request[LANGUAGE]
    operator = request[SIGNED_IN].operator if link is None else None
    wanted = request.query.get("theme") or (operator.preferences.get("theme") if operator else None)
    return {
        **shown(request.app[WORDS], language, board, link),
        "theme": wanted if wanted in ("light", "dark") else "",
        "linked": link is not None,
        "page": {
            "words": request.app[PAGES].script_words(language),
            "language": language,
            "zone": board.live.zone,
            "now": request.app[CLOCK].now(),
            "number": board.number,
            "board": f"/wall/{request.match_info['token']}/board" if link is not None else "/wallboard/board",
            "live": "poll" if link is not None else "socket",
        },
    }


async def _fragment(request: web.Request, link: LinkRecord | None) -> web.Response:
    wall = request.app[WALL]
    seen = request.query.get("after", "")
    board = await (wall.after(int(seen)) if seen.isascii() and seen.isdigit() and len(seen) < 19 else wall.board())
    said = shown(request.app[WORDS], request[LANGUAGE], board, link)
    html = request.app[PAGES].render(request[LANGUAGE], "wallboard_board.html", {**said, "linked": link is not None})
    return web.Response(
        text=html,
        content_type="text/html",
        headers={
            "Cache-Control": "no-store",
            "X-Now": request.app[CLOCK].now().isoformat(),
            "X-Board": str(board.number),
        },
    )


def shown(words: Words, language: str, board: Board, link: LinkRecord | None) -> dict[str, Any]:
    """What the board's template says, in a language."""
    live = board.live
    return {
        "live": live,
        "names": link is None or not link.hide_names,
        "longest": _longest(words, language, live),
        "figures": {
            "level": percent(language, live.service.all_counted),
            "level_half_hour": percent(language, live.service_half_hour),
            "level_answered": percent(language, live.service.answered_only),
            "level_abandoned": percent(language, live.service.with_abandoned),
            "median": duration(words, language, live.waits.median_s),
            "p90": duration(words, language, live.waits.p90_s),
            "p95": duration(words, language, live.waits.p95_s),
        },
        "warn": minutes(language, live.warn_after_s),
        "target": minutes(language, live.target_s),
        "mode": words.say(language, MODES[live.mode.mode]),
        "channel_names": {channel: words.say(language, name) for channel, name in CHANNELS.items()},
        "presence_names": {presence: words.say(language, name) for presence, name in PRESENCES.items()},
        "online": sum(operator.presence is Presence.ONLINE for operator in live.operators),
        "clock": lambda moment: _time(language, moment, ZoneInfo(live.zone)),
        "chart": _percentile_chart(words, language, board.slots, live),
        "heat": _week(words, language, board.week, live),
    }


def duration(words: Words, language: str, seconds: int | None) -> str:
    """`m:ss` to an hour, `1h 04m` to a day, `2d 3h` after; a dash for nothing."""
    if seconds is None:
        return "–"
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02}"
    whole = seconds // 60
    if whole < 1440:
        return words.say(language, N_("%(h)sh %(m)sm"), h=whole // 60, m=f"{whole % 60:02}")
    return words.say(language, N_("%(d)sd %(h)sh"), d=whole // 1440, h=whole % 1440 // 60)


def percent(language: str, share: Share) -> str:
    """Rounded down: 99.6 % is not everybody."""
    if share.percent is None:
        return "–"
    return str(format_percent(int(share.percent) / 100, locale=language))


def minutes(language: str, seconds: float) -> str:
    return str(format_decimal(round(seconds / 60, 1), "0.#", locale=language))


def _time(language: str, moment: datetime, zone: ZoneInfo) -> str:
    return str(format_time(moment, "short", tzinfo=zone, locale=_locale(language)))


def _locale(language: str) -> str:
    """English words come with the day before the month and 24 hours."""
    return "en_GB" if language == "en" else language


def _longest(words: Words, language: str, live: Live) -> dict[str, Any]:
    found = live.longest
    if found is None:
        return {"state": "none", "figure": duration(words, language, 0)}
    wall_s = int((live.now - found.started_at).total_seconds())
    state = "target"
    if found.net_s >= found.target_s:
        state = "missed"
    elif found.net_s >= found.warn_after_s:
        state = "warned"
    return {
        "state": state,
        "figure": duration(words, language, found.net_s),
        "net_s": found.net_s,
        "ticks": found.ticks,
        "name": found.contact_name,
        "channel": found.channel,
        "since": _time(language, found.started_at, ZoneInfo(live.zone)),
        "wall": duration(words, language, wall_s) if wall_s - found.net_s > 60 else "",
    }


def _percentile_chart(words: Words, language: str, slots: Sequence[Slot], live: Live) -> dict[str, Any]:
    zone = ZoneInfo(live.zone)
    labels = [_time(language, slot.begins, zone) for slot in slots]
    title = words.say(language, N_("Wait percentiles today, minutes"))

    def of(pick: str) -> list[float | None]:
        found = [getattr(slot.waits, pick) for slot in slots]
        return [None if seconds is None else seconds / 60 for seconds in found]

    series = [
        Series("p50", "median", of("median_s")),
        Series("p90", "p90", of("p90_s")),
        Series("p95", "p95", of("p95_s")),
    ]
    band = Band(
        words.say(
            language,
            N_("target %(warn)s–%(target)s min"),
            warn=minutes(language, live.warn_after_s),
            target=minutes(language, live.target_s),
        ),
        live.warn_after_s / 60,
        live.target_s / 60,
    )
    every = max(1, -(-len(labels) // 9))

    def drawn(size: Size, step: int) -> Any:
        return line_chart(
            title,
            labels,
            series,
            size=Size(size.width, size.height, step, size.kind),
            shown=lambda value: str(format_decimal(round(value, 1), "0.#", locale=language)),
            band=band,
        )

    rows = [
        (
            label,
            [
                str(slot.waits.n),
                duration(words, language, slot.waits.median_s),
                duration(words, language, slot.waits.p90_s),
                duration(words, language, slot.waits.p95_s),
            ],
        )
        for label, slot in zip(labels, slots, strict=True)
    ]
    return {
        "title": title,
        "any": bool(slots),
        "wide": drawn(WIDE, every),
        "narrow": drawn(NARROW, max(1, -(-len(labels) // 4))),
        "table": table(
            title,
            [words.say(language, N_("Answered")), "p50", "p90", "p95"],
            rows,
            corner=words.say(language, N_("Half-hour")),
        ),
    }


def _week(words: Words, language: str, cells: Sequence[HeatCell], live: Live) -> Any | None:
    if not cells:
        return None
    hours = range(min(cell.hour for cell in cells), max(cell.hour for cell in cells) + 1)
    names = get_day_names("abbreviated", "stand-alone", locale=language)
    by_place = {(cell.weekday, cell.hour): cell for cell in cells}

    def heat(cell: HeatCell | None) -> Heat | None:
        if cell is None:
            return None
        edges = (live.target_s * 0.4, live.warn_after_s, (live.warn_after_s + live.target_s) / 2, live.target_s)
        step = sum(cell.median_s >= edge for edge in (*edges, live.target_s * 1.2))
        said = words.count(
            language, "%(time)s, %(n)s answer", "%(time)s, %(n)s answers", cell.n,
            time=duration(words, language, cell.median_s),
        )  # fmt: skip
        return Heat(str(format_decimal(cell.median_s / 60, "0.0", locale=language)), said, step, cell.n < FEW)

    return heat_table(
        words.say(language, N_("Median wait by hour, last 4 weeks, minutes")),
        [f"{hour:02}" for hour in hours],
        [
            (names[weekday].capitalize(), [heat(by_place.get((weekday, hour))) for hour in hours])
            for weekday in range(7)
        ],
        corner=words.say(language, N_("Day and hour")),
    )


def wait_row(words: Words, language: str, zone: ZoneInfo, wait: WaitRecord, at: datetime) -> dict[str, Any]:
    day = format_skeleton("MMMd", wait.started_at.astimezone(zone), locale=_locale(language))
    told = ""
    if wait.told_low_s is not None:
        told = (
            words.say(language, N_("%(low)s–%(high)s min"), low=wait.told_low_s // 60, high=wait.told_high_s // 60)
            if wait.told_high_s is not None
            else words.say(language, N_("more than %(n)s min"), n=wait.told_low_s // 60)
        )
    state = "target"
    if wait.missed_at is not None or (wait.due_at is not None and wait.ended_at is None and wait.due_at <= at):
        state = "missed"
    elif wait.warned_at is not None or (wait.warn_at is not None and wait.ended_at is None and wait.warn_at <= at):
        state = "warned"
    if wait.ending is not None:
        outcome = words.say(language, ENDINGS[wait.ending])
    elif wait.paused_at is not None:
        outcome = words.say(language, N_("Agreed to wait"))
    else:
        outcome = words.say(language, N_("Waits"))
    return {
        "conversation_id": wait.conversation_id,
        "name": wait.contact_name or words.say(language, N_("Unknown")),
        "subject": wait.subject,
        "channel": words.say(language, CHANNELS[wait.channel]),
        "started": f"{day} {_time(language, wait.started_at, zone)}",
        "state": state,
        "net": duration(words, language, wait.net_s),
        "wall": duration(words, language, wait.wall_s),
        "outcome": outcome,
        "by": wait.ended_by,
        "told": told,
    }
