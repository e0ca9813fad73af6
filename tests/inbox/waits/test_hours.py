"""Opening hours against the clock on the wall, minute by minute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbox.errors import BadInput
from inbox.vocabulary import ChannelKind
from inbox.waits.hours import ALWAYS, WEEKDAYS, OpeningHours, Target, read_hours

HELSINKI, TBILISI = "Europe/Helsinki", "Asia/Tbilisi"
OFFICE: Mapping[str, Any] = {
    "weekly": {day: [["09:00", "12:00"], ["13:00", "17:00"]] for day in WEEKDAYS[:5]},
    "holidays": {"2026-12-24": [["09:00", "12:00"]], "2026-12-25": []},
}
NIGHTS: Mapping[str, Any] = {"weekly": {day: [["00:00", "24:00"]] for day in WEEKDAYS}}


def local(zone: str, written: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def hours(data: Mapping[str, Any], zone: str = HELSINKI) -> OpeningHours:
    return read_hours(zone, data)


def open_minutes(calendar: OpeningHours, since: datetime, until: datetime) -> int:
    return int(calendar.open_time(since, until) / timedelta(minutes=1))


def test_lunch_and_the_night_do_not_count() -> None:
    calendar = hours(OFFICE)
    assert open_minutes(calendar, local(HELSINKI, "2026-03-10T11:50"), local(HELSINKI, "2026-03-10T13:10")) == 20
    assert open_minutes(calendar, local(HELSINKI, "2026-03-10T16:55"), local(HELSINKI, "2026-03-11T09:03")) == 8


def test_a_weekend_does_not_count() -> None:
    calendar = hours(OFFICE)
    friday, monday = local(HELSINKI, "2026-03-13T16:59"), local(HELSINKI, "2026-03-16T09:02")
    assert open_minutes(calendar, friday, monday) == 3
    assert calendar.add(friday, timedelta(minutes=3)) == monday


def test_a_holiday_has_its_own_hours_or_none() -> None:
    calendar = hours(OFFICE)
    start = local(HELSINKI, "2026-12-24T11:58")
    assert calendar.add(start, timedelta(minutes=5)) == local(HELSINKI, "2026-12-28T09:03")
    assert calendar.next_opening(local(HELSINKI, "2026-12-25T10:00")) == local(HELSINKI, "2026-12-28T09:00")


def test_time_runs_out_at_the_end_of_a_window_rather_than_at_the_start_of_the_next() -> None:
    start = local(HELSINKI, "2026-03-10T11:55")
    assert hours(OFFICE).add(start, timedelta(minutes=5)) == local(HELSINKI, "2026-03-10T12:00")


def test_midnight_is_no_gap_between_two_days_that_touch() -> None:
    calendar = hours(NIGHTS)
    start = local(HELSINKI, "2026-03-10T23:58")
    assert calendar.add(start, timedelta(minutes=5)) == local(HELSINKI, "2026-03-11T00:03")
    assert calendar.closing(start) is None
    touching = hours({"weekly": {"tue": [["20:00", "24:00"]], "wed": [["00:00", "02:00"]]}})
    assert touching.closing(local(HELSINKI, "2026-03-10T21:00")) == local(HELSINKI, "2026-03-11T02:00")


def test_the_spring_night_lacks_an_hour() -> None:
    calendar = hours({"weekly": {"sun": [["02:30", "04:30"]]}})
    whole_day = local(HELSINKI, "2026-03-29T00:00"), local(HELSINKI, "2026-03-30T00:00")
    assert open_minutes(calendar, *whole_day) == 60
    swallowed = hours({"weekly": {"sun": [["03:00", "04:00"]]}})
    assert open_minutes(swallowed, *whole_day) == 0
    start = local(HELSINKI, "2026-03-29T02:58")
    assert calendar.add(start, timedelta(minutes=5)) == start + timedelta(minutes=5)
    assert calendar.add(start, timedelta(minutes=5)) == local(HELSINKI, "2026-03-29T04:03")


def test_the_autumn_night_has_an_hour_twice() -> None:
    whole_day = local(HELSINKI, "2026-10-25T00:00"), local(HELSINKI, "2026-10-26T00:00")
    assert open_minutes(hours(NIGHTS), *whole_day) == 25 * 60
    assert open_minutes(hours({"weekly": {"sun": [["03:15", "03:45"]]}}), *whole_day) == 60
    assert open_minutes(hours({"weekly": {"sun": [["00:00", "03:15"], ["03:45", "24:00"]]}}), *whole_day) == 24 * 60
    touching = hours({"weekly": {"sun": [["02:00", "03:30"], ["03:30", "05:00"]]}})
    assert open_minutes(touching, *whole_day) == 240
    quarter = hours({"weekly": {"sun": [["03:15", "03:45"]]}})
    first = local(HELSINKI, "2026-10-25T03:20")
    assert quarter.add(first, timedelta(minutes=35)) == local(HELSINKI, "2026-10-25T03:25", fold=1)
    assert quarter.closing(first) == local(HELSINKI, "2026-10-25T03:45")


def test_a_zone_without_summer_time_has_24_hours_on_every_day() -> None:
    calendar = hours(NIGHTS, TBILISI)
    for written in ("2026-03-29", "2026-10-25"):
        begin = local(TBILISI, f"{written}T00:00")
        assert open_minutes(calendar, begin, begin + timedelta(days=1)) == 24 * 60
    assert calendar.next_opening(begin) == begin


def test_a_day_that_a_zone_leaves_out_is_never_open() -> None:
    """Samoa went from 29 to 31 December 2011."""
    calendar = hours({"weekly": NIGHTS["weekly"], "holidays": {"2011-12-30": [["00:00", "24:00"]]}}, "Pacific/Apia")
    assert calendar.day(date(2011, 12, 30)) == ()
    before, after = datetime(2011, 12, 29, tzinfo=UTC), datetime(2011, 12, 31, 12, tzinfo=UTC)
    assert calendar.open_time(before, after) == after - before


def test_a_desk_that_never_opens_never_counts() -> None:
    calendar = hours({"weekly": {}})
    now = local(HELSINKI, "2026-03-10T10:00")
    assert calendar.next_opening(now) is None
    assert calendar.add(now, timedelta(seconds=1)) is None
    assert calendar.closing(now) is None
    assert not calendar.is_open(now)


def test_targets_are_per_channel_with_a_default() -> None:
    calendar = hours(
        {"targets": {"default": {"warn_s": 60, "target_s": 120}, "email": {"warn_s": 600, "target_s": 1200}}}
    )
    assert calendar.target(ChannelKind.EMAIL) == Target(600, 1200)
    assert calendar.target(ChannelKind.CHAT) == Target(60, 120)
    assert hours({}).target(ChannelKind.PHONE) == Target(180, 300)


times_of_day = st.integers(0, 24 * 12).map(lambda fives: fives * 5)


@st.composite
def windows(draw: st.DrawFn) -> list[list[str]]:
    edges = sorted(draw(st.lists(times_of_day, max_size=6, unique=True)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [[f"{a // 60:02}:{a % 60:02}", f"{b // 60:02}:{b % 60:02}"] for a, b in pairs]


calendars = st.fixed_dictionaries(
    {
        "weekly": st.dictionaries(st.sampled_from(WEEKDAYS), windows()),
        "holidays": st.dictionaries(
            st.sampled_from(["2026-03-28", "2026-03-29", "2026-10-25", "2026-10-26"]), windows(), max_size=2
        ),
    }
)
nights = st.sampled_from([datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 10, 23, 12, tzinfo=UTC)])


def is_open_on_the_wall(data: Mapping[str, Any], zone: ZoneInfo, at: datetime) -> bool:
    wall = at.astimezone(zone)
    of_the_day = data["holidays"].get(wall.date().isoformat(), data["weekly"].get(WEEKDAYS[wall.weekday()], []))
    return any(start <= f"{wall:%H:%M}" < end for start, end in of_the_day)


@settings(max_examples=60, deadline=None)
@given(calendars, nights, st.integers(0, 4000), st.integers(0, 1500), st.integers(1, 600), st.sampled_from(
    [HELSINKI, TBILISI, "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"]
))  # fmt: skip
def test_counting_equals_looking_at_the_wall_clock_each_minute(
    data: Mapping[str, Any], begin: datetime, offset: int, length: int, wanted: int, zone: str
) -> None:
    calendar, info = read_hours(zone, data), ZoneInfo(zone)
    start = begin + timedelta(minutes=offset)
    minutes = [start + timedelta(minutes=m) for m in range(length)]
    looked = [is_open_on_the_wall(data, info, at) for at in minutes]
    end = start + timedelta(minutes=length)
    assert calendar.open_time(start, end) == timedelta(minutes=sum(looked))
    assert [calendar.is_open(at) for at in minutes[:300]] == looked[:300]
    reached = calendar.add(start, timedelta(minutes=wanted))
    counted, expected = 0, None
    for at, was_open in zip(minutes, looked, strict=True):
        counted += was_open
        if counted == wanted:
            expected = at + timedelta(minutes=1)
            break
    if expected is not None:
        assert reached == expected
    else:
        assert reached is None or reached > end or calendar.open_time(start, reached) == timedelta(minutes=wanted)


@pytest.mark.parametrize(
    ("zone", "data", "field"),
    [
        ("Europe/Helsingfors", {}, "zone"),
        ("", {}, "zone"),
        ("../../etc/passwd", {}, "zone"),
        (HELSINKI, {"weekly": {"monday": []}}, "weekly.monday"),
        (HELSINKI, {"weekly": []}, "weekly"),
        (HELSINKI, {"weekly": {"mon": [["09:00"]]}}, "weekly.mon"),
        (HELSINKI, {"weekly": {"mon": ["09:00-17:00"]}}, "weekly.mon"),
        (HELSINKI, {"weekly": {"mon": None}}, "weekly.mon"),
        (HELSINKI, {"weekly": {"mon": [["9", "17"]]}}, "weekly.mon"),
        (HELSINKI, {"weekly": {"mon": [["09:00:30", "17:00"]]}}, "weekly.mon"),
        (HELSINKI, {"weekly": {"mon": [["09:00+02:00", "17:00"]]}}, "weekly.mon"),
        (HELSINKI, {"weekly": {"mon": [[9, 17]]}}, "weekly.mon"),
        (HELSINKI, {"weekly": {"mon": [["22:00", "06:00"]]}}, "weekly.mon"),
        (HELSINKI, {"weekly": {"mon": [["25:00", "26:00"]]}}, "weekly.mon"),
        (HELSINKI, {"weekly": {"mon": [["09:00", "12:00"], ["11:00", "13:00"]]}}, "weekly.mon"),
        (HELSINKI, {"holidays": {"24.12.2026": []}}, "holidays.24.12.2026"),
        (HELSINKI, {"holidays": {"20261224": []}}, "holidays.20261224"),
        (HELSINKI, {"holidays": {"2026-02-30": []}}, "holidays.2026-02-30"),
        (HELSINKI, {"targets": {"fax": {}}}, "targets.fax"),
        (HELSINKI, {"targets": {"chat": 300}}, "targets.chat"),
        (HELSINKI, {"targets": {"chat": {"warn_s": "180"}}}, "targets.chat"),
        (HELSINKI, {"targets": {"chat": {"warn_s": 400}}}, "targets.chat"),
        (HELSINKI, {"targets": {"chat": {"warn_s": 0}}}, "targets.chat"),
        (HELSINKI, {"targets": {"chat": {"target_s": 10**12}}}, "targets.chat"),
        (HELSINKI, {"openings": {}}, "openings"),
    ],
)
def test_a_wrong_calendar_is_refused_by_the_name_of_its_field(zone: str, data: Any, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_hours(zone, data)
    assert refused.value.field == field


def test_the_calendar_of_a_desk_without_limits_is_always_open() -> None:
    assert hours(ALWAYS).is_open(local(HELSINKI, "2026-10-25T03:30", fold=1))
