"""Fast figures against slow ones over random days: packed, half packed and changed late, for every filter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from inbox.clock import ManualClock
from inbox.reports import keeper, packs
from inbox.reports.behind import WaitsOf, behind
from inbox.reports.loading import Question, load
from inbox.reports.period import Period, whole_days
from inbox.reports.question import EVERYTHING, WHOLE_DESK, Filter, Group
from inbox.reports.report import Report, work_out
from inbox.store.database import Database
from inbox.vocabulary import ChannelKind, OperatorId, TeamId
from tests.inbox.reports import slowly
from tests.inbox.reports.random_desk import TAGS, RandomDesk

ZONE = "Europe/Helsinki"
SPRING, AUTUMN = (date(2026, 3, 24), date(2026, 4, 2)), (date(2026, 10, 21), date(2026, 10, 29))

FILTERS: dict[str, tuple[Filter, Callable[[RandomDesk, dict[str, Any]], bool]]] = {
    "all": (EVERYTHING, lambda desk, wait: True),
    "channel": (Filter(channel=ChannelKind.EMAIL), lambda desk, wait: wait["channel"] == "email"),
    "team": (Filter(team_id=TeamId(2)), lambda desk, wait: wait["team_id"] == 2),
    "operator": (Filter(operator_id=OperatorId(3)), lambda desk, wait: wait["ended_by"] == 3),
    "tag": (Filter(tag="invoice"), lambda desk, wait: (wait["conversation_id"], "invoice") in desk.tags),
    "touchpoint": (
        Filter(touchpoint_id=2),
        lambda desk, wait: desk.conversations[wait["conversation_id"]]["touchpoint_id"] == 2,
    ),
    "two": (
        Filter(channel=ChannelKind.CHAT, tag="delivery"),
        lambda desk, wait: wait["channel"] == "chat" and (wait["conversation_id"], "delivery") in desk.tags,
    ),
}


async def desk_with_past(db: Database, clock: ManualClock, days: tuple[date, date], seed: int) -> RandomDesk:
    period = whole_days(*days, ZONE)
    clock.set(period.until + timedelta(days=3))
    desk = RandomDesk(period.since - timedelta(days=2), period.until + timedelta(days=2), random.Random(seed))
    await db.write(desk.fill, 60)
    return desk


async def asked(db: Database, period: Period, clock: ManualClock, **more: Any) -> Report:
    loaded = await db.read(load, Question(period, compared=False, **more), now=clock.now())
    return await asyncio.to_thread(work_out, loaded)


def waits_as_plain(report: Report) -> dict[str, Any]:
    of = report.figures.waiting
    shares = {
        "level": of.service.all_counted,
        "level_answered": of.service.answered_only,
        "level_abandoned": of.service.with_abandoned,
        "abandonment": of.abandonment,
        "abandonment_long": of.abandonment_long,
    }
    return {
        "arrivals": of.arrivals,
        "counted": of.counted,
        **{name: (share.part, share.whole) for name, share in shares.items()},
        "mean": of.mean_s,
        "n": of.waits.n,
        "percentiles": (of.waits.median_s, of.waits.p90_s, of.waits.p95_s),
        "short": of.short_abandoned,
        "past": of.past_target,
    }


def responses_as_plain(report: Report) -> dict[str, Any]:
    of = report.figures.responses
    return {
        "first": (of.first.n, of.first.median_s, of.first.p90_s),
        "later": (of.later.n, of.later.median_s),
        "no_reply": of.no_reply,
        "buckets": list(of.distribution),
        "requester": (of.requester.n, of.requester.median_s),
        "told": (of.told.n, of.told.inside.part, of.told.longer.part),
    }


async def compare(db: Database, clock: ManualClock, desk: RandomDesk, period: Period) -> None:
    since, until = period.since, period.until
    for name, (wanted, fits) in FILTERS.items():
        waits = [w for w in slowly.in_period(desk.waits, "started_at", since, until) if fits(desk, w)]
        horizon = slowly.in_period(desk.waits, "started_at", since, until + timedelta(days=7))
        report = await asked(db, period, clock, filter=wanted)
        assert waits_as_plain(report) == slowly.wait_figures(waits), name
        assert responses_as_plain(report) == slowly.response_figures(waits, horizon), name
        assert sum(piece.waiting.counted for piece in report.pieces) == report.figures.waiting.counted, name
    await compare_work(db, clock, desk, period)


async def compare_work(db: Database, clock: ManualClock, desk: RandomDesk, period: Period) -> None:
    since, until = period.since, period.until
    for wanted, operators in ((EVERYTHING, {1, 2, 3, 4}), (Filter(operator_id=OperatorId(2)), {2})):
        figures = (await asked(db, period, clock, filter=wanted)).figures
        work, slow = figures.handling, slowly.work_figures(desk, operators, since, until)
        assert {
            "shared": work.shared_s,
            "engaged": work.engaged_s,
            "busy": work.busy_s,
            "online": work.online_s,
            "handle": work.handle_s,
            "conversations": work.conversations,
        } == pytest.approx(slow)
        resolved = figures.resolutions
        assert {
            "conversations": resolved.conversations,
            "reopened": resolved.reopened.part,
            "first_contact": (resolved.first_contact.part, resolved.first_contact.whole),
            "unknown": resolved.first_contact_unknown,
            "first": resolved.first.median_s,
            "full": resolved.full.median_s,
        } == slowly.resolution_figures(desk, operators, since, until, clock.now())
    figures = (await asked(db, period, clock)).figures
    ratings = slowly.in_period(desk.ratings, "at", since, until)
    assert figures.satisfaction.whole == len(ratings)
    assert figures.satisfaction.part == sum(rating["score"] >= 4 for rating in ratings)
    calls = slowly.in_period(desk.callbacks, "created_at", since, until)
    counted = [one for one in calls if one["state"] != "cancelled"]
    tried = [one for one in calls if one["tries"]]
    assert figures.callbacks.owed == len(counted)
    assert figures.callbacks.called_back.part == sum(bool(one["tries"]) for one in counted)
    first_tries = [int((one["tries"][0][0] - one["created_at"]).total_seconds()) for one in tried]
    assert figures.callbacks.first_try.median_s == slowly.percentile(first_tries, 50)
    assert figures.callbacks.unreached == sum(one["state"] == "closed_unreached" for one in calls)


@pytest.mark.parametrize(("days", "seed"), [(SPRING, 1), (AUTUMN, 2)])
async def test_fast_figures_are_the_slow_ones_before_and_after_packing_and_after_late_changes(
    database: Database, clock: ManualClock, days: tuple[date, date], seed: int
) -> None:
    desk = await desk_with_past(database, clock, days, seed)
    period = whole_days(*days, ZONE)
    unpacked = await asked(database, period, clock)

    assert await keeper.pack_all(database, clock) > 0
    assert await keeper.check(database) == []
    assert await asked(database, period, clock) == unpacked
    await compare(database, clock, desk, period)

    await database.write(desk.change_late)
    assert await database.read(packs.stale) != []
    changed = await asked(database, period, clock)
    assert changed != unpacked

    await keeper.pack_all(database, clock)
    assert await database.read(packs.stale) == []
    assert await keeper.check(database) == []
    assert await asked(database, period, clock) == changed
    await compare(database, clock, desk, period)

    assert await keeper.rebuild(database, clock) > 0
    assert await asked(database, period, clock) == changed


async def test_groups_and_lists_count_what_their_filters_count(database: Database, clock: ManualClock) -> None:
    desk = await desk_with_past(database, clock, SPRING, 5)
    period = whole_days(*SPRING, ZONE)
    await keeper.pack_all(database, clock)
    columns: dict[Group, Callable[[str], Filter]] = {
        Group.CHANNEL: lambda id_: Filter(channel=ChannelKind(id_)),
        Group.TEAM: lambda id_: Filter(team_id=TeamId(int(id_))),
        Group.OPERATOR: lambda id_: Filter(operator_id=OperatorId(int(id_))),
        Group.TAG: lambda id_: Filter(tag=id_),
        Group.TOUCHPOINT: lambda id_: Filter(touchpoint_id=int(id_)),
    }
    for group, filter_of in columns.items():
        rows = (await asked(database, period, clock, group=group)).groups
        assert len(rows) >= 3
        for row in rows:
            if row.id is None:
                continue
            alone = (await asked(database, period, clock, filter=filter_of(row.id))).figures
            assert row.waiting == alone.waiting, (group, row.name)
            assert row.first_response == alone.responses.first
            assert row.satisfaction == alone.satisfaction
            if group is not Group.TEAM:
                assert row.effort.mean_s == pytest.approx(alone.handling.mean_s)
            if group is not Group.CHANNEL:
                assert row.resolved == alone.resolutions.conversations
                assert row.reopened == alone.resolutions.reopened
    for wanted, _ in FILTERS.values():
        figures = (await asked(database, period, clock, filter=wanted)).figures
        expected = {
            WaitsOf.ARRIVALS: figures.waiting.arrivals,
            WaitsOf.COUNTED: figures.waiting.counted,
            WaitsOf.ANSWERED: figures.waiting.answered,
            WaitsOf.IN_TARGET: figures.waiting.service.all_counted.part,
            WaitsOf.MISSED: figures.waiting.counted - figures.waiting.service.all_counted.part,
            WaitsOf.ABANDONED: figures.waiting.abandonment_long.part,
            WaitsOf.SHORT_ABANDONED: figures.waiting.short_abandoned,
            WaitsOf.UNREACHED: figures.waiting.unreached,
            WaitsOf.CLOSED: figures.waiting.closed,
            WaitsOf.FIRST: figures.responses.first.n,
            WaitsOf.LATER: figures.responses.later.n,
            WaitsOf.NO_REPLY: figures.responses.no_reply,
            WaitsOf.TOLD: figures.responses.told.n,
            WaitsOf.TOLD_INSIDE: figures.responses.told.inside.part,
            WaitsOf.TOLD_LONGER: figures.responses.told.longer.part,
        }
        for figure, count in expected.items():
            assert await listed(database, clock, figure, period, wanted) == count, figure
    assert {tag for _, tag in desk.tags} == set(TAGS)


async def listed(db: Database, clock: ManualClock, figure: WaitsOf, period: Period, wanted: Filter) -> int:
    """All pieces of the list, followed to its end."""
    seen: set[int] = set()
    after = None
    while True:
        found = await db.read(behind, figure, period, wanted, WHOLE_DESK, now=clock.now(), after=after)
        assert not seen & {row.id for row in found.rows}
        seen |= {int(row.id) for row in found.rows}
        after = found.next_after
        if after is None:
            return len(seen)


@pytest.mark.parametrize("days", [SPRING, AUTUMN])
async def test_half_hours_of_the_week_count_as_often_as_they_took_place(
    database: Database, clock: ManualClock, days: tuple[date, date]
) -> None:
    desk = await desk_with_past(database, clock, days, 7)
    period = whole_days(*days, ZONE)
    heat = (await asked(database, period, clock)).heat
    assert [cell.occurrences for cell in heat] == slowly.occurrences(period.since, period.until, ZONE)
    arrivals = [0] * 336
    nets: list[list[int]] = [[] for _ in range(336)]
    for wait in slowly.in_period(desk.waits, "started_at", period.since, period.until):
        place = slowly.half_hour_of_week(wait["started_at"], ZONE)
        arrivals[place] += wait["first"] and wait["ending"] not in ("merged", "spam")
        if wait["ending"] == "answered":
            nets[place].append(wait["net_s"])
    assert [cell.arrivals for cell in heat] == arrivals
    assert [cell.waits.p90_s for cell in heat] == [slowly.percentile(found, 90) for found in nets]


async def test_the_night_of_a_change_has_a_half_hour_twice_or_not_at_all(
    database: Database, clock: ManualClock
) -> None:
    clock.set(datetime(2026, 12, 1, tzinfo=UTC))
    sunday_at_half_past_three = 6 * 48 + 7
    spring = (await asked(database, whole_days(date(2026, 3, 29), date(2026, 3, 29), ZONE), clock)).heat
    autumn = (await asked(database, whole_days(date(2026, 10, 25), date(2026, 10, 25), ZONE), clock)).heat
    assert spring[sunday_at_half_past_three].occurrences == 0
    assert autumn[sunday_at_half_past_three].occurrences == 2
    assert sum(cell.occurrences for cell in spring) == 46
    assert sum(cell.occurrences for cell in autumn) == 50
