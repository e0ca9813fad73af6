"""Mail and callbacks fill what calls and chats leave; only the rest needs people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.staffing.deferrable import Slot, spread


def half_hours(
    n: int, *, comes_s: float = 0, spare_s: float = 0, promise_s: float = 14400, open_s: float = 1800
) -> list[Slot]:
    return [Slot(open_s, comes_s, promise_s, spare_s, 0.85 * open_s) for _ in range(n)]


def test_spare_time_does_it_without_anybody_more() -> None:
    done = spread(half_hours(20, comes_s=300, spare_s=400))
    assert sum(one.people for one in done) == 0
    assert sum(one.worked_s for one in done) == pytest.approx(20 * 300)


def test_work_without_spare_time_needs_as_many_as_it_takes() -> None:
    done = spread(half_hours(20, comes_s=1530))
    assert sum(one.people for one in done) == 20
    assert max(one.people for one in done) == 1


def test_a_lump_is_spread_over_its_promise() -> None:
    slots = half_hours(20)
    slots[2] = Slot(1800, 8 * 1530, 14400, 0, 1530)
    done = spread(slots)
    assert [one.people for one in done[2:10]] == [1] * 8
    assert sum(one.late_s for one in done) == 0


def test_what_comes_while_closed_is_done_after_opening() -> None:
    slots = [*half_hours(10, comes_s=100, open_s=0), *half_hours(20)]
    done = spread(slots)
    assert all(one.people == 0 and one.worked_s == 0 for one in done[:10])
    assert sum(one.worked_s for one in done) == pytest.approx(1000)


def test_work_of_the_weekend_waits_for_monday_morning() -> None:
    slots = [*half_hours(10), *half_hours(4, comes_s=1530, open_s=0)]
    done = spread(slots)
    assert sum(one.worked_s for one in done[:10]) == pytest.approx(4 * 1530)


def test_what_waits_now_is_worked_off_from_now_on() -> None:
    done = spread(half_hours(10), start=4, backlog_s=4 * 1530, backlog_promise_s=4 * 1800)
    assert [one.people for one in done] == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0]


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 4000), st.floats(0, 3000)), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_every_promise_is_kept_and_nothing_is_done_twice(days: list[tuple[bool, float, float]], promise: int) -> None:
    slots = [
        Slot(1800.0 if opened else 0.0, comes, promise * 1800.0, spare if opened else 0.0, 1530.0 if opened else 0.0)
        for opened, comes, spare in days
    ]
    done = spread(slots)
    assert sum(one.late_s for one in done) == pytest.approx(0, abs=1)
    for slot, one in zip(slots, done, strict=True):
        assert one.worked_s <= slot.spare_s + one.people * slot.person_s + 1e-3
    # A whole week brings itself in and out: what is done is what comes, but for what the end carries into the next.
    assert sum(one.worked_s for one in done) <= 2 * sum(slot.comes_s for slot in slots) + 1
