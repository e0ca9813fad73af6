"""Queueing formulas: Erlang C (everybody waits) and Erlang A (some leave), in seconds, people and erlangs.

Load is arrivals per second times handling seconds. Recursions and ratios only, so nothing overflows: no factorials.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

MOST_PEOPLE = 5_000
"""No half-hour of a desk needs more; a search that gets here was asked for something impossible."""

_DUST = 1e-9
_NEGLIGIBLE = 1e-17
_MOST_STATES = 100_000


@dataclass(frozen=True, slots=True)
class Work:
    """What comes in: `rate` arrivals per second, `handle_s` seconds of one person for each."""

    rate: float
    handle_s: float

    @property
    def load(self) -> float:
        """Erlangs: how many people are busy all the time on average."""
        return self.rate * self.handle_s


@dataclass(frozen=True, slots=True)
class Expected:
    """What so many people would achieve. `asa_s` is the mean wait of all; None: the queue grows without end.

    `level`: answered within the target, of all who came. `left`: who gives up before an answer, of all.
    """

    people: int
    level: float
    asa_s: float | None
    occupancy: float
    waiting: float
    left: float = 0.0


def waiting_probabilities(load: float) -> Iterator[float]:
    """Erlang C: how likely an arrival has to wait, for 0, 1, 2 … people. 1 where people are too few."""
    blocked = 1.0
    yield 1.0 if load > 0 else 0.0
    for people in range(1, MOST_PEOPLE + 1):
        blocked = load * blocked / (people + load * blocked)
        yield people * blocked / (people - load * (1 - blocked)) if people > load else 1.0


def erlang_c(work: Work, people: int, target_s: float) -> Expected:
    """Everybody waits until they are answered."""
    load = work.load
    if load <= 0:
        return Expected(people, 1.0, 0.0, 0.0, 0.0)
    if people <= load:
        return Expected(people, 0.0, None, 1.0, 1.0)
    waiting = next(p for n, p in enumerate(waiting_probabilities(load)) if n == people)
    return _of_c(work, people, waiting, target_s)


def _of_c(work: Work, people: int, waiting: float, target_s: float) -> Expected:
    spare = people - work.load
    level = 1 - waiting * math.exp(-spare * target_s / work.handle_s)
    return Expected(people, level, waiting * work.handle_s / spare, work.load / people, waiting)


@lru_cache(4096)
def erlang_a(work: Work, people: int, target_s: float, patience_s: float | None) -> Expected:
    """Who waits leaves after `patience_s` on average (None: nobody does, which is Erlang C). Always stable."""
    if patience_s is None or work.load <= 0:
        return erlang_c(work, people, target_s)
    below, at_or_above = _states(work, people, patience_s)
    total = sum(below) + sum(at_or_above)
    waiting = sum(at_or_above) / total
    queue = sum(n * p for n, p in enumerate(at_or_above)) / total
    busy = (sum(n * p for n, p in enumerate(below)) + people * sum(at_or_above)) / total
    served = 0.0
    for p, share in zip(at_or_above, _served_in_time(work, people, target_s, patience_s), strict=False):
        served += p / total * share
    return Expected(
        people,
        min(1.0, 1 - waiting + served),
        queue / work.rate,
        busy / people if people else 1.0,
        waiting,
        queue / (patience_s * work.rate),
    )


def _states(work: Work, people: int, patience_s: float) -> tuple[list[float], list[float]]:
    """Weights of 0 … people-1 in the house, and of everybody busy with 0, 1, 2 … waiting; the peak has weight 1."""

    def leaving(n: int) -> float:
        return min(n, people) / work.handle_s + max(n - people, 0) / patience_s

    # The peak is where as many leave as come.
    peak = min(people, int(work.load))
    if work.load > people:
        peak = people + min(int((work.rate - people / work.handle_s) * patience_s), _MOST_STATES)
    down = [1.0]
    for n in range(peak, 0, -1):
        down.append(down[-1] * leaving(n) / work.rate)
    up: list[float] = []
    weight, n = 1.0, peak
    while (weight > _NEGLIGIBLE or n <= people) and n < peak + _MOST_STATES:
        n += 1
        weight *= work.rate / leaving(n)
        up.append(weight)
    weights = [*reversed(down), *up]
    return weights[:people], weights[people:]


def _served_in_time(work: Work, people: int, target_s: float, patience_s: float) -> Iterator[float]:
    """How likely somebody who finds 0, 1, 2 … waiting is answered within the target and has not left before.

    With patience as the unit of time the wait of a customer who never leaves is -log of a beta variable.
    """
    if not people:
        return
    servers = people * patience_s / work.handle_s
    kept = math.exp(-target_s / patience_s)
    gone = -math.expm1(-target_s / patience_s)
    term = math.exp(-people * target_s / work.handle_s) * kept
    later = 0.0
    queue = 0
    while True:
        later += term
        yield servers / (servers + queue + 1) * max(0.0, 1 - later)
        queue += 1
        term *= gone * (servers + queue) / queue


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked of a half-hour. Shares from 0 to 1; `most_left` only counts where people may leave."""

    level: float
    target_s: float
    occupancy: float = 1.0
    most_left: float = 1.0


def fewest(load: float, good: Callable[[int], bool]) -> int:
    """The fewest people above the load for whom `good` holds; 0 without load. Raises OverflowError."""
    if load <= 0:
        return 0
    for people in range(math.floor(load) + 1, MOST_PEOPLE + 1):
        if good(people):
            return people
    raise OverflowError(f"no number of people up to {MOST_PEOPLE} is enough for {load:.1f} erlangs")


@lru_cache(8192)
def needed_c(work: Work, goal: Goal) -> int:
    """The fewest people who keep the service level and stay below the occupancy limit, by Erlang C."""
    if work.load <= 0:
        return 0
    for people, waiting in enumerate(waiting_probabilities(work.load)):
        if people <= work.load or work.load / people > goal.occupancy + _DUST:
            continue
        if _of_c(work, people, waiting, goal.target_s).level >= goal.level - _DUST:
            return people
    raise OverflowError(f"no number of people up to {MOST_PEOPLE} is enough for {work.load:.1f} erlangs")


@lru_cache(8192)
def needed_a(work: Work, goal: Goal, patience_s: float | None) -> int:
    """The same by Erlang A. It may be fewer than the load, because customers leave; `goal.most_left` limits that."""
    if patience_s is None:
        return needed_c(work, goal)
    if work.load <= 0:
        return 0
    for people in range(1, MOST_PEOPLE + 1):
        found = erlang_a(work, people, goal.target_s, patience_s)
        if (
            found.level >= goal.level - _DUST
            and found.occupancy <= goal.occupancy + _DUST
            and found.left <= goal.most_left + _DUST
        ):
            return people
    raise OverflowError(f"no number of people up to {MOST_PEOPLE} is enough for {work.load:.1f} erlangs")


def scheduled(people: float, shrinkage: float) -> int:
    """How many to put on the plan so that `people` are at work; float dust makes nobody of 30.000000000000004."""
    return math.ceil(round(people / (1 - shrinkage), 9))


def at_work(planned: float, shrinkage: float) -> float:
    """How many of those planned are at work on average."""
    return round(planned * (1 - shrinkage), 9)


def busy_states(load: float, people: int) -> list[float]:
    """How likely 0, 1 … `people` are busy at a moment, by Erlang C; the last counts everybody busy, queue or not."""
    if load <= 0 or people <= 0:
        return [1.0, *[0.0] * people]
    if people <= load:
        return [*[0.0] * people, 1.0]
    waiting = next(p for n, p in enumerate(waiting_probabilities(load)) if n == people)
    peak = min(people - 1, int(load))
    weights = [0.0] * people
    weights[peak] = 1.0
    for n in range(peak, 0, -1):
        weights[n - 1] = weights[n] * n / load
    for n in range(peak, people - 1):
        weights[n + 1] = weights[n] * load / (n + 1)
    total = sum(weights)
    return [*((1 - waiting) * weight / total for weight in weights), waiting]
