"""Published values, limits, properties, and a queue that is really simulated."""

from __future__ import annotations

import heapq
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbox.staffing.erlang import (
    Expected,
    Goal,
    Work,
    at_work,
    busy_states,
    erlang_a,
    erlang_c,
    needed_a,
    needed_c,
    scheduled,
    waiting_probabilities,
)

HUNDRED_CALLS = Work(100 / 1800, 180)
"""100 calls in half an hour, three minutes each: ten erlangs."""


def waiting(load: float, people: int) -> float:
    return next(p for n, p in enumerate(waiting_probabilities(load)) if n == people)


def test_the_desk_of_the_pyworkforce_repository() -> None:
    people = needed_c(HUNDRED_CALLS, Goal(0.8, 20, 0.85))
    found = erlang_c(HUNDRED_CALLS, people, 20)
    assert (people, scheduled(people, 0.3)) == (14, 20)
    assert (round(found.level, 3), round(found.occupancy, 3), round(found.waiting, 3)) == (0.888, 0.714, 0.174)


def test_the_same_desk_with_a_lower_limit_of_occupancy() -> None:
    people = needed_c(HUNDRED_CALLS, Goal(0.8, 20, 0.70))
    found = erlang_c(HUNDRED_CALLS, people, 20)
    assert (people, scheduled(people, 0.3)) == (15, 22)
    assert (round(found.level, 3), round(found.occupancy, 3), round(found.waiting, 3)) == (0.941, 0.667, 0.102)


def test_the_desk_of_its_guide_whose_callers_leave() -> None:
    people = needed_a(HUNDRED_CALLS, Goal(0.8, 20, 0.85, most_left=0.05), 300)
    found = erlang_a(HUNDRED_CALLS, people, 20, 300)
    assert (people, scheduled(people, 0.3)) == (13, 19)
    assert (round(found.level, 3), round(found.occupancy, 3)) == (0.858, 0.750)
    assert (round(found.left, 3), round(found.waiting, 3)) == (0.025, 0.226)
    assert found.asa_s is not None
    assert round(found.asa_s / 60, 3) == 0.125


def test_two_hundred_and_fifty_calls_an_hour_need_twenty_eight() -> None:
    assert needed_c(Work(250 / 3600, 330), Goal(0.8, 30)) == 28


def test_ten_erlangs_by_exact_fractions() -> None:
    found = [round(waiting(10, people), 4) for people in range(11, 17)]
    assert found == [0.6821, 0.4494, 0.2853, 0.1741, 0.1020, 0.0573]


def test_forty_eight_erlangs_on_fifty_five_people() -> None:
    found = erlang_c(Work(360 / 1800, 240), 55, 15)
    assert (round(found.occupancy, 4), round(found.waiting, 4)) == (0.8727, 0.2387)
    assert found.asa_s is not None
    assert (round(found.asa_s, 2), round(found.level, 4)) == (8.18, 0.8459)


def test_pyworkforce_to_its_last_digits() -> None:
    fourteen = erlang_c(HUNDRED_CALLS, 14, 20)
    assert fourteen.waiting == pytest.approx(0.1741319335950, abs=1e-13)
    assert fourteen.level == pytest.approx(0.8883500191795, abs=1e-13)
    assert fourteen.occupancy == pytest.approx(0.7142857, abs=1e-7)
    ten = erlang_c(Work(40 / 1800, 300), 10, 20)
    assert ten.waiting == pytest.approx(0.1745819237380, abs=1e-13)
    assert ten.level == pytest.approx(0.8602057237898, abs=1e-13)


@pytest.mark.parametrize("load", [0.001, 0.3, 0.99])
def test_one_person_is_busy_as_often_as_there_is_work(load: float) -> None:
    assert waiting(load, 1) == pytest.approx(load)


def test_one_erlang_on_two_people_waits_one_time_in_three() -> None:
    assert waiting(1, 2) == pytest.approx(1 / 3)


def test_no_work_needs_nobody() -> None:
    nothing = Work(0, 180)
    assert needed_c(nothing, Goal(0.8, 20)) == 0
    assert needed_a(nothing, Goal(0.8, 20), 60) == 0
    assert erlang_c(nothing, 0, 20) == Expected(0, 1.0, 0.0, 0.0, 0.0)


def test_too_few_people_answer_nobody_in_time() -> None:
    found = erlang_c(HUNDRED_CALLS, 10, 20)
    assert (found.level, found.asa_s) == (0.0, None)


def test_nobody_at_work_loses_every_caller_who_does_not_wait_for_ever() -> None:
    found = erlang_a(HUNDRED_CALLS, 0, 20, 60)
    assert found.level == 0
    assert found.left == pytest.approx(1)


def test_a_low_target_starts_with_the_first_number_that_is_enough() -> None:
    assert needed_c(Work(10.6, 1), Goal(0.01, 20)) == 11


@pytest.mark.parametrize(
    ("people", "shrinkage", "wanted"), [(21, 0.3, 30), (14, 0.3, 20), (7, 0, 7), (0, 0.3, 0), (1, 0.3, 2)]
)
def test_float_dust_puts_nobody_on_the_plan(people: int, shrinkage: float, wanted: int) -> None:
    assert scheduled(people, shrinkage) == wanted
    assert at_work(wanted, shrinkage) >= people


def test_a_thousand_erlangs_overflow_nothing() -> None:
    people = needed_c(Work(1000 / 180, 180), Goal(0.8, 20))
    assert 1000 < people < 1050
    assert sum(busy_states(1000, people)) == pytest.approx(1)
    assert 0 < erlang_a(Work(1000 / 180, 180), 990, 20, 60).left < 0.05


def test_what_no_number_of_people_can_do_says_so() -> None:
    with pytest.raises(OverflowError):
        needed_c(Work(1e6, 1e6), Goal(0.8, 20))


works = st.builds(Work, st.floats(0.0005, 0.2), st.floats(20, 900)).filter(lambda work: work.load < 60)


@given(works, st.floats(1, 600))
def test_one_more_person_never_makes_it_worse(work: Work, target_s: float) -> None:
    first = math.floor(work.load) + 1
    found = [erlang_c(work, people, target_s) for people in range(first, first + 6)]
    for fewer, more in pairwise(found):
        assert more.level >= fewer.level - 1e-12
        assert more.waiting <= fewer.waiting + 1e-12
        assert (more.asa_s or 0) <= (fewer.asa_s or 0) + 1e-9


@settings(max_examples=40)
@given(works, st.floats(1, 300), st.floats(20, 1200), st.integers(1, 40))
def test_one_more_person_never_loses_more_customers(
    work: Work, target_s: float, patience_s: float, people: int
) -> None:
    fewer, more = (erlang_a(work, n, target_s, patience_s) for n in (people, people + 1))
    assert more.left <= fewer.left + 1e-9
    assert more.level >= fewer.level - 1e-9


@settings(max_examples=40)
@given(works, st.floats(1, 300), st.integers(1, 10))
def test_customers_of_endless_patience_are_those_of_erlang_c(work: Work, target_s: float, spare: int) -> None:
    people = math.floor(work.load) + 1 + spare
    assert erlang_a(work, people, target_s, None) == erlang_c(work, people, target_s)
    patient, endless = erlang_a(work, people, target_s, 1e8), erlang_c(work, people, target_s)
    assert patient.level == pytest.approx(endless.level, abs=1e-4)
    assert patient.waiting == pytest.approx(endless.waiting, abs=1e-4)


@given(works, st.floats(0.05, 0.95), st.floats(1, 600), st.floats(0.5, 0.99))
def test_the_number_found_is_the_smallest(work: Work, level: float, target_s: float, occupancy: float) -> None:
    goal = Goal(level, target_s, occupancy)
    people = needed_c(work, goal)
    assert erlang_c(work, people, target_s).level >= level - 1e-6
    assert work.load / people <= occupancy + 1e-6
    fewer = erlang_c(work, people - 1, target_s)
    assert fewer.level < level or people - 1 <= work.load or work.load / (people - 1) > occupancy


@given(st.floats(0.01, 50), st.integers(1, 80))
def test_somebody_or_nobody_is_busy_at_every_moment(load: float, people: int) -> None:
    assert sum(busy_states(load, people)) == pytest.approx(1)


def simulated(work: Work, people: int, target_s: float, patience_s: float, calls: int) -> tuple[float, float, float]:
    """Level, share who left and mean wait of a queue played call by call: first come, first served."""
    chance = random.Random(7)
    free = [0.0] * people
    now = waited = 0.0
    in_time = left = 0
    for _ in range(calls):
        now += chance.expovariate(work.rate)
        patience = chance.expovariate(1 / patience_s) if patience_s else math.inf
        begins = max(now, free[0])
        if begins - now > patience:
            left += 1
            waited += patience
            continue
        heapq.heapreplace(free, begins + chance.expovariate(1 / work.handle_s))
        waited += begins - now
        in_time += begins - now <= target_s
    return in_time / calls, left / calls, waited / calls


@pytest.mark.parametrize(("people", "patience_s"), [(12, 0.0), (14, 0.0), (9, 120.0), (11, 120.0), (13, 300.0)])
def test_a_queue_that_is_simulated_does_as_computed(people: int, patience_s: float) -> None:
    level, left, waited = simulated(HUNDRED_CALLS, people, 20, patience_s, 200_000)
    found = erlang_a(HUNDRED_CALLS, people, 20, patience_s or None)
    assert found.asa_s is not None
    assert (found.level, found.left) == pytest.approx((level, left), abs=0.015)
    assert found.asa_s == pytest.approx(waited, rel=0.15, abs=0.7)
