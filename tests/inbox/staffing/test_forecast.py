"""What is expected stands on like half-hours of the past, on days whose clocks are changed too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.staffing.forecast import Basis, Profile, quartiles
from inbox.staffing.half_hours import HALF_HOUR, HalfHour, Places, of_day, of_week

HELSINKI, TBILISI = ZoneInfo("Europe/Helsinki"), ZoneInfo("Asia/Tbilisi")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
MONDAY = date(2026, 3, 9)
NINE = 18


def mondays(*counts: int) -> tuple[dict[tuple[date, int], int], list[date]]:
    """So many at nine, oldest first, on the Mondays before MONDAY."""
    days = [MONDAY - timedelta(weeks=len(counts) - n) for n in range(len(counts))]
    return {(day, NINE): count for day, count in zip(days, counts, strict=True)}, days


def at_nine(day: date = MONDAY) -> HalfHour:
    return next(half_hour for half_hour in of_day(day, HELSINKI) if half_hour.place == NINE)


@pytest.mark.parametrize(("day", "zone", "n"), [
    (SPRING, HELSINKI, 46), (AUTUMN, HELSINKI, 50), (MONDAY, HELSINKI, 48), (SPRING, TBILISI, 48),
])  # fmt: skip
def test_a_day_has_the_half_hours_that_pass(day: date, zone: ZoneInfo, n: int) -> None:
    found = of_day(day, zone)
    assert len(found) == n
    assert all(a.ends == b.begins for a, b in pairwise(found))
    assert found[-1].ends - found[0].begins == n * HALF_HOUR


def test_the_hour_that_is_left_out_and_the_one_that_comes_twice() -> None:
    spring = [half_hour.place for half_hour in of_day(SPRING, HELSINKI)]
    autumn = of_day(AUTUMN, HELSINKI)
    assert not {6, 7} & set(spring)
    assert [(one.place, one.again) for one in autumn[6:10]] == [(6, False), (7, False), (6, True), (7, True)]
    assert len(of_week(date(2026, 3, 23), HELSINKI)) == 7 * 48 - 2


@given(st.integers(1_577_836_800, 1_893_456_000), st.sampled_from([HELSINKI, TBILISI, ZoneInfo("Asia/Kathmandu")]))
def test_every_moment_falls_into_the_half_hour_that_holds_it(second: int, zone: ZoneInfo) -> None:
    at = datetime.fromtimestamp(second, UTC)
    day, place = Places(zone).of(at)
    assert any(one.begins <= at < one.ends for one in of_day(day, zone) if one.place == place)


def test_the_median_with_the_middle_half_beside_it() -> None:
    came, days = mondays(9, 12, 15, 11, 12, 9, 10)
    found = Profile(came, days, [], HELSINKI).forecast(at_nine(), holiday=False)
    assert (found.expected, found.low, found.high, found.days) == (11, 9.5, 12, 7)
    assert found.basis is Basis.WEEKDAY


def test_a_day_without_arrivals_counts_as_none() -> None:
    came, days = mondays(0, 0, 8)
    assert (
        Profile({k: n for k, n in came.items() if n}, days, [], HELSINKI).forecast(at_nine(), holiday=False).expected
        == 0
    )


def test_holidays_have_their_own_profile() -> None:
    came, days = mondays(20, 20, 20)
    holiday = date(2026, 1, 6)
    came[holiday, NINE] = 4
    profile = Profile(came, days, [holiday], HELSINKI)
    assert profile.forecast(at_nine(), holiday=True).expected == 4
    assert profile.forecast(at_nine(), holiday=True).basis is Basis.HOLIDAYS
    assert profile.forecast(at_nine(), holiday=False).expected == 20


def test_a_holiday_before_any_is_known_is_planned_like_its_weekday() -> None:
    came, days = mondays(20, 20, 20)
    assert Profile(came, days, [], HELSINKI).forecast(at_nine(), holiday=True).basis is Basis.WEEKDAY


def test_a_weekday_never_seen_borrows_from_the_others() -> None:
    came, days = mondays(8)
    found = Profile(came, days, [], HELSINKI).forecast(at_nine(MONDAY + timedelta(days=2)), holiday=False)
    assert (found.expected, found.basis) == (8, Basis.OTHER_DAYS)


def test_an_hour_that_came_twice_counts_with_its_mean() -> None:
    profile = Profile({(AUTUMN, 6): 10}, [AUTUMN], [], HELSINKI)
    three = next(one for one in of_day(AUTUMN + timedelta(weeks=1), HELSINKI) if one.place == 6)
    assert profile.forecast(three, holiday=False).expected == 5


def test_an_hour_that_was_left_out_says_nothing() -> None:
    profile = Profile({(SPRING, 8): 10}, [SPRING], [], HELSINKI)
    three = next(one for one in of_day(SPRING + timedelta(weeks=1), HELSINKI) if one.place == 6)
    assert profile.forecast(three, holiday=False).basis is Basis.NOTHING


def every_day(weeks: int, count: dict[int, int]) -> Profile:
    """`count`: arrivals a day by how many weeks ago."""
    days = [MONDAY - timedelta(days=n + 1) for n in range(7 * weeks)]
    came = {(day, NINE): count.get((MONDAY - day).days // 7, 10) for day in days}
    return Profile(came, days, [], HELSINKI)


def test_the_last_two_weeks_scale_what_is_expected() -> None:
    profile = every_day(8, {0: 15, 1: 15, 2: 15})
    assert profile.trend.ratio == pytest.approx(1.278, abs=0.01)
    assert profile.forecast(at_nine(), holiday=False).expected == pytest.approx(10 * profile.trend.ratio)


def test_a_flood_at_most_doubles_it_and_few_arrivals_are_no_trend() -> None:
    assert every_day(8, {0: 500, 1: 500}).trend.ratio == 2.0
    came, days = mondays(1, 1, 1, 9)
    assert Profile(came, days, [], HELSINKI).trend.ratio == 1.0


def test_young_desks_have_no_trend() -> None:
    assert every_day(2, {0: 30}).trend.ratio == 1.0


@given(st.lists(st.integers(0, 100), min_size=1, max_size=12))
def test_quartiles_are_in_order_and_within_what_was_seen(counts: list[int]) -> None:
    low, middle, high = quartiles(sorted(counts))
    assert min(counts) <= low <= middle <= high <= max(counts)
