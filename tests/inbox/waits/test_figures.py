"""Every figure equals counting by hand, and opens exactly the waits it counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.vocabulary import ChannelKind, DeskMode, OperatorId, Presence
from inbox.waits import estimate
from inbox.waits.estimate import Because, Estimate
from inbox.waits.figures import Figure
from inbox.waits.listing import behind
from inbox.waits.metrics import Live, live, nearest_rank
from inbox.waits.mode import CAPACITY, ModeNow, desk_mode
from inbox.waits.over_time import by_half_hour, by_hour_of_week
from tests.support.eventlog import DrivenDesk, minutes


async def say(desk: DrivenDesk, what: str, conversation: str = "", **more: object) -> None:
    line = {"at": desk.clock.now().isoformat(), "what": what, **more}
    await desk.play([{**line, "in": conversation} if conversation else line])


async def board(desk: DrivenDesk) -> Live:
    return await desk.db.read(live, desk.clock.now())


async def names(desk: DrivenDesk, figure: Figure, **more: Any) -> list[str]:
    found = await desk.db.read(behind, figure, now=desk.clock.now(), **more)
    return [row.contact_name for row in found.rows]


async def waiting_desk(desk: DrivenDesk) -> None:
    """Six who wait: two in target, one warned, two missed, one agreed to."""
    await say(desk, "message", "ann")
    await say(desk, "message", "bob", channel="email")
    await desk.until(desk.clock.now() + minutes(2))
    await say(desk, "message", "cat")
    await desk.until(desk.clock.now() + minutes(2.5))
    await say(desk, "message", "dan", channel="phone")
    await say(desk, "message", "eve")
    await say(desk, "message", "fay")
    until = (desk.clock.now() + minutes(60)).isoformat()
    await say(desk, "snooze", "fay", by="mia", until=until, agreed=True)
    await desk.until(desk.clock.now() + minutes(1))


async def test_waiting_now_per_channel_and_state(desk: DrivenDesk) -> None:
    await waiting_desk(desk)
    shown = await board(desk)
    assert [(c.channel, c.in_target, c.warned, c.missed, c.agreed) for c in shown.channels] == [
        (ChannelKind.CHAT, 1, 1, 1, 1),
        (ChannelKind.EMAIL, 0, 0, 1, 0),
        (ChannelKind.PHONE, 1, 0, 0, 0),
    ]
    assert (shown.waiting, shown.in_target, shown.warned, shown.missed, shown.agreed) == (5, 2, 1, 2, 1)


async def test_a_figure_opens_the_waits_it_counts(desk: DrivenDesk) -> None:
    await waiting_desk(desk)
    assert await names(desk, Figure.WAITING) == ["Ann", "Bob", "Cat", "Dan", "Eve"]
    assert await names(desk, Figure.IN_TARGET) == ["Dan", "Eve"]
    assert await names(desk, Figure.WARNED) == ["Cat"]
    assert await names(desk, Figure.MISSED) == ["Ann", "Bob"]
    assert await names(desk, Figure.AGREED) == ["Fay"]
    assert await names(desk, Figure.MISSED, channel=ChannelKind.EMAIL) == ["Bob"]


async def test_the_list_is_paged_by_key_without_gaps_or_repeats(desk: DrivenDesk) -> None:
    await waiting_desk(desk)
    for name in ("ann", "bob", "cat"):
        await say(desk, "reply", name, by="mia")
    for figure, expected in ((Figure.WAITING, ["Dan", "Eve"]), (Figure.ANSWERED, ["Ann", "Bob", "Cat"])):
        seen: list[str] = []
        after = None
        while True:
            page = await desk.db.read(behind, figure, now=desk.clock.now(), after=after, limit=1)
            seen += [row.contact_name for row in page.rows]
            after = page.next_after
            if after is None:
                break
        assert seen == expected


async def test_the_longest_wait_goes_by_the_clock_that_targets_run_on(desk: DrivenDesk) -> None:
    await say(desk, "message", "old")
    until = (desk.clock.now() + minutes(30)).isoformat()
    await say(desk, "snooze", "old", by="mia", until=until, agreed=True)
    await desk.until(desk.clock.now() + minutes(28))
    await say(desk, "message", "new")
    await desk.until(desk.clock.now() + minutes(4))
    longest = (await board(desk)).longest
    assert longest is not None
    assert (longest.contact_name, longest.net_s, longest.ticks) == ("New", 240, True)
    await say(desk, "reply", "new", by="mia")
    longest = (await board(desk)).longest
    assert longest is not None
    assert (longest.contact_name, longest.net_s) == ("Old", 120)


async def test_a_wait_past_its_target_counts_as_missed_before_it_ends(desk: DrivenDesk) -> None:
    await say(desk, "message", "quick")
    await say(desk, "reply", "quick", by="mia")
    await say(desk, "message", "slow")
    await desk.until(desk.clock.now() + minutes(4))
    assert (await board(desk)).service.all_counted.percent == 100
    await desk.until(desk.clock.now() + minutes(2))
    assert (await board(desk)).service.all_counted.percent == 50
    assert await names(desk, Figure.MISSED_TODAY) == ["Slow"]


async def test_merged_spam_and_what_needs_no_answer_are_nobody_s_failure(desk: DrivenDesk) -> None:
    for name, what, more in (
        ("ann", "spam", {}),
        ("bob", "close", {"ending": "no_answer_needed"}),
        ("cat", "close", {}),
    ):
        await say(desk, "message", name)
        await say(desk, what, name, by="mia", **more)
    level = (await board(desk)).service.all_counted
    assert (level.part, level.whole) == (0, 1)
    assert await names(desk, Figure.COUNTED) == ["Cat"]


async def test_yesterday_is_not_today(desk: DrivenDesk) -> None:
    await say(desk, "message", "late")
    await desk.until(desk.clock.now() + timedelta(days=1))
    await say(desk, "reply", "late", by="mia")
    shown = await board(desk)
    assert (shown.service.all_counted.whole, shown.waits.n) == (0, 0)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_covers_its_share(values: Sequence[int], percent: int) -> None:
    ordered = sorted(values)
    found = ordered[nearest_rank(len(ordered), percent)]
    covered = math.ceil(len(ordered) * percent / 100)
    assert sum(value <= found for value in ordered) >= covered
    assert sum(value < found for value in ordered) < covered


async def test_median_and_percentiles_are_of_raw_waits(desk: DrivenDesk) -> None:
    for number in range(1, 11):
        await say(desk, "message", f"c{number}")
        await desk.until(desk.clock.now() + timedelta(seconds=10 * number))
        await say(desk, "reply", f"c{number}", by="mia")
    waits = (await board(desk)).waits
    assert (waits.n, waits.median_s, waits.p90_s, waits.p95_s) == (10, 50, 90, 100)
    [slot] = await desk.db.read(by_half_hour, desk.clock.now())
    assert slot.waits == waits


async def test_the_week_is_by_the_clock_on_the_wall(desk: DrivenDesk) -> None:
    await say(desk, "message", "ann")
    await desk.until(desk.clock.now() + minutes(2))
    await say(desk, "reply", "ann", by="mia")
    await desk.until(desk.clock.now() + timedelta(days=7))
    [cell] = await desk.db.read(by_hour_of_week, desk.clock.now())
    assert (cell.weekday, cell.hour, cell.n, cell.median_s) == (1, 12, 1, 120)  # Tuesday at noon in Helsinki


async def test_operators_are_shown_by_presence_with_what_they_hold(desk: DrivenDesk) -> None:
    await say(desk, "presence", by="zoe", presence="online")
    await say(desk, "presence", by="ann", presence="away")
    await say(desk, "message", "c1")
    await say(desk, "take", "c1", by="zoe")
    await say(desk, "message", "c2", channel="email")
    await say(desk, "reply", "c2", by="zoe", channel="email")
    zoe, ann = (await board(desk)).operators
    assert (zoe.name, zoe.presence, zoe.load, zoe.channels, zoe.answered_today) == (
        "Zoe", Presence.ONLINE, 1, [ChannelKind.CHAT], 1
    )  # fmt: skip
    assert (ann.name, ann.presence, ann.load) == ("Ann", Presence.AWAY, 0)
    me = OperatorId(zoe.id)
    assert await names(desk, Figure.WAITING, operator_id=me) == ["C1"]
    assert await names(desk, Figure.ANSWERED, operator_id=me) == ["C2"]


# --- mode -----------------------------------------------------------------------------------------------------------


async def mode(desk: DrivenDesk) -> ModeNow:
    return await desk.db.read(desk_mode, desk.clock.now())


async def test_the_mode_follows_hours_presence_and_load(desk: DrivenDesk) -> None:
    assert (await mode(desk)).mode is DeskMode.AWAY
    await say(desk, "presence", by="mia", presence="finishing")
    assert (await mode(desk)).mode is DeskMode.AWAY
    await say(desk, "presence", by="mia", presence="online")
    assert ((await mode(desk)).mode, (await mode(desk)).online) == (DeskMode.STAFFED, 1)
    for number in range(CAPACITY):
        await say(desk, "message", f"c{number}")
        await say(desk, "take", f"c{number}", by="mia")
    assert (await mode(desk)).mode is DeskMode.BUSY
    await say(desk, "presence", by="ben", presence="online")
    assert (await mode(desk)).mode is DeskMode.STAFFED
    await desk.until(desk.clock.now() + minutes(6))
    assert (await mode(desk)).mode is DeskMode.BUSY
    await say(desk, "hours", weekly={"wed": [["09:00", "17:00"]]})
    closed = await mode(desk)
    assert (closed.mode, closed.closes_at) == (DeskMode.CLOSED, None)
    assert closed.opens_at is not None
    assert closed.opens_at.isoformat() == "2026-03-11T07:00:00+00:00"


# --- what visitors are told -----------------------------------------------------------------------------------------


async def answered(desk: DrivenDesk, seconds: Sequence[int], prefix: str = "past") -> None:
    for number, wait_s in enumerate(seconds):
        await say(desk, "message", f"{prefix}{number}")
        await desk.until(desk.clock.now() + timedelta(seconds=wait_s))
        await say(desk, "reply", f"{prefix}{number}", by="mia")


async def told(desk: DrivenDesk, conversation: str) -> Estimate:
    found = await desk.db.read(estimate.expected, desk.conversations[conversation], desk.clock.now())
    assert found is not None
    return found


async def test_a_range_is_told_from_the_last_answers(desk: DrivenDesk) -> None:
    await say(desk, "presence", by="mia", presence="online")
    await answered(desk, [70, 80, 90, 100, 110, 120, 130, 140, 150, 160])
    await say(desk, "message", "vera")
    now = await told(desk, "vera")
    assert (now.because, now.place, now.low_s, now.high_s) == (Because.RECENT, 1, 60, 180)
    await desk.db.write(estimate.tell, desk.conversations["vera"], now)
    await desk.db.write(estimate.tell, desk.conversations["vera"], Estimate(Because.RECENT, 1, 300, 600))
    [wait] = await desk.waits("vera")
    assert (wait.told_low_s, wait.told_high_s) == (60, 180)


async def test_from_too_few_answers_only_the_place_is_told(desk: DrivenDesk) -> None:
    await say(desk, "presence", by="mia", presence="online")
    await answered(desk, [60, 60, 60, 60])
    await say(desk, "message", "uno")
    await say(desk, "message", "dos")
    now = await told(desk, "dos")
    assert (now.because, now.place, now.low_s, now.high_s) == (Because.FEW, 2, None, None)


async def test_without_recent_answers_the_same_half_hour_of_other_weeks_counts(desk: DrivenDesk) -> None:
    await answered(desk, [120, 130, 140, 150, 160, 170])
    await desk.until(desk.clock.now() + timedelta(days=7) - minutes(10))
    await say(desk, "presence", by="mia", presence="online")
    await say(desk, "message", "vera")
    now = await told(desk, "vera")
    assert (now.because, now.low_s, now.high_s) == (Because.USUAL, 120, 180)


async def test_while_waiting_the_rest_is_told_and_in_the_end_that_it_takes_longer(desk: DrivenDesk) -> None:
    await say(desk, "presence", by="mia", presence="online")
    await answered(desk, [60, 120, 180, 240, 240, 240])
    await say(desk, "message", "vera")
    await desk.until(desk.clock.now() + minutes(3))
    now = await told(desk, "vera")
    assert (now.low_s, now.high_s) == (0, 60)
    await desk.until(desk.clock.now() + minutes(2))
    now = await told(desk, "vera")
    assert (now.because, now.low_s, now.offers_other_ways) == (Because.LONGER, None, True)


async def test_when_closed_the_next_opening_is_told(desk: DrivenDesk) -> None:
    await say(desk, "hours", weekly={"wed": [["09:00", "17:00"]]})
    await say(desk, "message", "vera")
    now = await told(desk, "vera")
    assert (now.because, now.low_s) == (Because.CLOSED, None)
    assert now.opens_at is not None
    assert now.opens_at.isoformat() == "2026-03-11T07:00:00+00:00"


async def test_who_is_not_waiting_is_told_nothing(desk: DrivenDesk) -> None:
    await answered(desk, [60])
    found = await desk.db.read(estimate.expected, desk.conversations["past0"], desk.clock.now())
    assert found is None


@pytest.mark.parametrize(
    ("low_s", "high_s", "expected"),
    [
        (5, 40, (0, 60)),
        (61, 119, (60, 120)),
        (130, 170, (120, 180)),
        (130, 181, (120, 300)),
        (600, 600, (300, 600)),
        (1700, 1799, (1200, 1800)),
        (1900, 4000, (1800, None)),
    ],
)
def test_ranges_are_widened_to_the_steps_in_which_they_are_said(
    low_s: int, high_s: int, expected: tuple[int, int | None]
) -> None:
    assert estimate.spoken(low_s, high_s) == expected


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_what_is_said_never_leaves_out_what_was_found(one: int, other: int) -> None:
    low_s, high_s = sorted((one, other))
    low, high = estimate.spoken(low_s, high_s)
    assert low <= low_s or low == 1800
    assert high is None or low < high >= high_s


def test_what_is_told_grows_at_most_once_a_minute() -> None:
    at = datetime(2026, 3, 10, 10, tzinfo=UTC)
    before, grown = Estimate(Because.RECENT, 2, 60, 120), Estimate(Because.RECENT, 3, 180, 300)
    soon, later = at + timedelta(seconds=59), at + timedelta(seconds=60)
    assert estimate.steady(before, at, grown, soon) == before
    assert estimate.steady(before, at, grown, later) == grown
    shrunk = Estimate(Because.RECENT, 1, 0, 60)
    assert estimate.steady(before, at, shrunk, soon) == shrunk
