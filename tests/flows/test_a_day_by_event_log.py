"""A day, a night in which the clocks change and a holiday, each told by an event log and lived through at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inbox.clock import ManualClock
from inbox.store.database import Database
from inbox.vocabulary import ChannelKind, DeskMode, Ending
from inbox.waits.figures import Figure
from inbox.waits.listing import behind
from inbox.waits.metrics import live
from inbox.waits.mode import desk_mode
from tests.support.eventlog import DrivenDesk

OFFICE_DAY = """
{"at": "2026-03-11T07:30:00+02:00", "what": "hours", "weekly": {"wed": [["08:00", "16:00"]], "thu": [["08:00", "16:00"]]}}
{"at": "2026-03-11T07:50:00+02:00", "what": "message", "in": "early", "channel": "email"}
{"at": "2026-03-11T07:55:00+02:00", "what": "presence", "by": "mia", "presence": "online"}
{"at": "2026-03-11T08:02:00+02:00", "what": "reply", "in": "early", "by": "mia", "channel": "email"}
{"at": "2026-03-11T09:00:00+02:00", "what": "message", "in": "aino"}
{"at": "2026-03-11T09:00:20+02:00", "what": "automatic", "in": "aino"}
{"at": "2026-03-11T09:01:00+02:00", "what": "message", "in": "aino"}
{"at": "2026-03-11T09:01:30+02:00", "what": "take", "in": "aino", "by": "mia"}
{"at": "2026-03-11T09:02:00+02:00", "what": "reply", "in": "aino", "by": "mia"}
{"at": "2026-03-11T10:00:00+02:00", "what": "message", "in": "missed", "channel": "phone", "began": "2026-03-11T09:59:30+02:00"}
{"at": "2026-03-11T10:06:00+02:00", "what": "reply", "in": "missed", "by": "mia"}
{"at": "2026-03-11T11:00:00+02:00", "what": "message", "in": "gone"}
{"at": "2026-03-11T11:00:05+02:00", "what": "abandoned", "in": "gone"}
{"at": "2026-03-11T11:10:00+02:00", "what": "message", "in": "left"}
{"at": "2026-03-11T11:14:00+02:00", "what": "abandoned", "in": "left"}
{"at": "2026-03-11T15:58:00+02:00", "what": "message", "in": "late"}
{"at": "2026-03-11T16:10:00+02:00", "what": "presence", "by": "mia", "presence": "offline"}
"""  # noqa: E501

SPRING_NIGHT = """
{"at": "2026-03-28T20:00:00+02:00", "what": "hours", "weekly": {"sat": [["20:00", "24:00"]], "sun": [["00:00", "06:00"]]}}
{"at": "2026-03-28T23:58:00+02:00", "what": "message", "in": "midnight"}
{"at": "2026-03-29T02:58:00+02:00", "what": "message", "in": "jump"}
{"at": "2026-03-29T04:01:00+03:00", "what": "reply", "in": "jump", "by": "mia"}
{"at": "2026-03-29T05:58:00+03:00", "what": "message", "in": "closing"}
{"at": "2026-03-29T07:00:00+03:00", "what": "reply", "in": "midnight", "by": "mia"}
"""  # noqa: E501

CHRISTMAS = """
{"at": "2026-12-23T09:00:00+02:00", "what": "hours",
 "weekly": {"mon": [["09:00", "17:00"]], "wed": [["09:00", "17:00"]], "thu": [["09:00", "17:00"]], "fri": [["09:00", "17:00"]]},
 "holidays": {"2026-12-24": [["09:00", "12:00"]], "2026-12-25": []}}
{"at": "2026-12-24T11:57:00+02:00", "what": "message", "in": "wreath"}
{"at": "2026-12-25T13:00:00+02:00", "what": "message", "in": "alone"}
{"at": "2026-12-28T09:04:00+02:00", "what": "reply", "in": "alone", "by": "mia"}
{"at": "2026-12-28T09:04:00+02:00", "what": "reply", "in": "wreath", "by": "mia"}
""".replace(",\n ", ", ")  # noqa: E501


@pytest.fixture
def desk(database: Database, clock: ManualClock) -> DrivenDesk:
    return DrivenDesk(database, clock)


def utc(day: int, time: str, month: int = 3) -> datetime:
    return datetime.fromisoformat(f"2026-{month:02}-{day:02}T{time}").replace(tzinfo=UTC)


async def test_a_day_at_the_office(desk: DrivenDesk) -> None:
    await desk.play(OFFICE_DAY)
    [early] = await desk.waits("early")
    assert (early.wall_s, early.net_s, early.missed_at) == (12 * 60, 2 * 60, None)
    [aino] = await desk.waits("aino")
    assert (aino.net_s, aino.warned_at) == (120, None)
    [missed] = await desk.waits("missed")
    assert (missed.channel, missed.net_s, missed.missed_at) == (ChannelKind.PHONE, 390, utc(11, "08:04:30"))

    now = desk.clock.now()
    board = await desk.db.read(live, now)
    assert board.mode.mode is DeskMode.CLOSED
    assert board.mode.opens_at == utc(12, "06:00:00")
    level = board.service
    assert (level.all_counted.part, level.all_counted.whole) == (2, 4)  # the short one left out, the left one in
    assert (level.answered_only.part, level.answered_only.whole) == (2, 3)
    assert (level.with_abandoned.part, level.with_abandoned.whole) == (4, 5)
    assert (board.abandoned, board.short_abandoned, board.waiting) == (1, 1, 1)
    assert (board.waits.n, board.waits.median_s, board.waits.p90_s) == (3, 120, 390)
    assert board.longest is not None
    assert (board.longest.contact_name, board.longest.net_s, board.longest.ticks) == ("Late", 120, False)

    late = await desk.db.read(behind, Figure.MISSED_TODAY, now=now)
    assert [row.contact_name for row in late.rows] == ["Missed", "Left"]
    await desk.until(utc(12, "06:03:00"))
    [late_wait] = await desk.waits("late")
    assert late_wait.missed_at == utc(12, "06:03:00")


async def test_a_night_in_which_an_hour_is_missing(desk: DrivenDesk) -> None:
    await desk.play(SPRING_NIGHT)
    [jump] = await desk.waits("jump")
    assert (jump.wall_s, jump.net_s, jump.warned_at, jump.ending) == (180, 180, utc(29, "01:01:00"), Ending.ANSWERED)
    [midnight] = await desk.waits("midnight")
    assert midnight.open_s == 122 * 60 + 3 * 3600  # to three, and from four to six
    assert midnight.missed_at == utc(28, "22:03:00")
    [closing] = await desk.waits("closing")
    assert closing.warned_at is None
    assert closing.due_at == utc(4, "17:03:00", month=4)  # Saturday at eight in the evening, summer time


async def test_the_night_with_an_hour_twice(desk: DrivenDesk) -> None:
    await desk.play(
        """
        {"at": "2026-10-25T00:00:00+03:00", "what": "hours", "weekly": {"sun": [["00:00", "06:00"]]}}
        {"at": "2026-10-25T03:58:00+03:00", "what": "message", "in": "twice"}
        {"at": "2026-10-25T03:04:00+02:00", "what": "reply", "in": "twice", "by": "mia"}
        """
    )
    [twice] = await desk.waits("twice")
    assert (twice.net_s, twice.missed_at) == (360, utc(25, "01:03:00", month=10))


async def test_a_christmas(desk: DrivenDesk) -> None:
    await desk.play(CHRISTMAS)
    [wreath], [alone] = await desk.waits("wreath"), await desk.waits("alone")
    assert (wreath.net_s, wreath.warned_at, wreath.missed_at) == (
        7 * 60,
        utc(24, "10:00:00", month=12),
        utc(28, "07:02:00", month=12),
    )
    assert (alone.net_s, alone.wall_s, alone.missed_at) == (240, (68 * 60 + 4) * 60, None)


async def test_a_zone_without_summer_time_keeps_its_hours(desk: DrivenDesk) -> None:
    await desk.play(
        """
        {"at": "2026-03-28T08:00:00+04:00", "what": "hours", "zone": "Asia/Tbilisi", "weekly": {"sun": [["09:00", "18:00"]]}}
        {"at": "2026-03-29T08:55:00+04:00", "what": "message", "in": "nino"}
        {"at": "2026-03-29T09:04:00+04:00", "what": "reply", "in": "nino", "by": "mia"}
        """  # noqa: E501
    )
    [nino] = await desk.waits("nino")
    assert (nino.net_s, nino.warned_at) == (240, utc(29, "05:03:00"))
    mode = await desk.db.read(desk_mode, desk.clock.now() - timedelta(minutes=10))
    assert (mode.mode, mode.opens_at) == (DeskMode.CLOSED, utc(29, "05:00:00"))
