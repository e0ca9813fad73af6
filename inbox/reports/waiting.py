"""Figures of waits, for one key or for many keys at once (pieces of time, groups, half-hours of the week)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inbox.reports.facts import ENDINGS, NONE, Facts
from inbox.reports.period import Ints
from inbox.reports.question import Mask
from inbox.vocabulary import Ending
from inbox.waits.figures import SHORT_ABANDON_S
from inbox.waits.metrics import Percentiles, ServiceLevel, Share

EDGES_S = (30, 60, 180, 300, 600, 1800)
"""Upper ends of the buckets of the distribution; the last one is open."""

FEW = 20
"""Percentiles of fewer waits are marked: they stand on little."""

_ANSWERED, _NO_ANSWER_NEEDED, _CLOSED, _MERGED, _SPAM, _ABANDONED, _UNREACHED = range(len(ENDINGS))
assert ENDINGS[_ANSWERED] is Ending.ANSWERED
assert ENDINGS[_UNREACHED] is Ending.UNREACHED

# What a wait counts as: one small number, so that one pass counts everything.
(
    NOTHING, IN_TIME, TOO_LATE, LEFT_SOON, LEFT_IN_TIME, LEFT_LATE, NOT_REACHED, CLOSED, PAST_TARGET, ARRIVED_ONLY,
    LEFT_SOON_LATE,
) = range(11)  # fmt: skip
_CLASSES = 16
_FIRST = _CLASSES


@dataclass(frozen=True, slots=True)
class Told:
    """What customers were told on arrival against how long the answered ones waited."""

    n: int
    inside: Share
    longer: Share


@dataclass(frozen=True, slots=True)
class WaitFigures:
    """Of waits that began in some stretch of time. Seconds are those of the third clock."""

    arrivals: int
    counted: int
    answered: int
    service: ServiceLevel
    mean_s: float | None
    waits: Percentiles
    abandonment: Share
    abandonment_long: Share
    short_abandoned: int
    unreached: int
    closed: int
    past_target: int


def classes(waits: Facts, late: Mask) -> NDArray[np.int8]:
    """`late`: the running ones that are past their target (they have no ending)."""
    ending, net, target = waits["ending"], waits["net"], waits["target"]
    found = np.full(len(ending), NOTHING, dtype=np.int8)
    in_time = net <= target
    short = waits["wall"] < SHORT_ABANDON_S
    found[(ending == _ANSWERED) & in_time] = IN_TIME
    found[(ending == _ANSWERED) & ~in_time] = TOO_LATE
    left = ending == _ABANDONED
    found[left & short & in_time] = LEFT_SOON
    found[left & short & ~in_time] = LEFT_SOON_LATE
    found[left & ~short & in_time] = LEFT_IN_TIME
    found[left & ~short & ~in_time] = LEFT_LATE
    found[ending == _UNREACHED] = NOT_REACHED
    found[ending == _CLOSED] = CLOSED
    found[ending == _NO_ANSWER_NEEDED] = ARRIVED_ONLY
    running = ending == NONE
    found[running] = ARRIVED_ONLY
    found[running & late] = PAST_TARGET
    found[waits["first"] == 1] += _FIRST
    return found


@dataclass(frozen=True, slots=True)
class Ranks:
    """Percentiles per key."""

    n: Ints
    median: Ints
    p90: Ints
    p95: Ints

    def __getitem__(self, key: int) -> Percentiles:
        n = int(self.n[key])
        if not n:
            return Percentiles(0, None, None, None)
        return Percentiles(n, int(self.median[key]), int(self.p90[key]), int(self.p95[key]))


def ranks(values: Ints, key: Ints, keys: int) -> Ranks:
    """Nearest rank of the raw values of each key."""
    numbers = np.bincount(key, minlength=keys) if len(key) else np.zeros(keys, dtype=np.int64)
    ends = np.cumsum(numbers)
    if keys == 1:
        ordered = np.sort(values)
    else:
        ordered = np.sort((key.astype(np.int64) << 40) + values)
        ordered &= (1 << 40) - 1
    found = []
    for percent in (50, 90, 95):
        place = ends - numbers + np.maximum((numbers * percent + 99) // 100 - 1, 0)
        at = np.minimum(place, max(len(ordered) - 1, 0))
        found.append(ordered[at].astype(np.int64) if len(ordered) else np.zeros(keys, dtype=np.int64))
    return Ranks(numbers.astype(np.int64), *found)


def percentiles(values: Ints) -> Percentiles:
    return ranks(values, np.zeros(len(values), dtype=np.int64), 1)[0]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Counts of many keys; `[key]` makes the figures of one."""

    counts: Ints  # keys x classes
    seconds: NDArray[np.float64]
    ranks: Ranks

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, key: int) -> WaitFigures:
        every = self.counts[key]
        of = [int(every[one] + every[one + _FIRST]) for one in range(_CLASSES)]
        arrivals = int(every[_FIRST:].sum() - every[_FIRST + NOTHING])
        answered = of[IN_TIME] + of[TOO_LATE]
        soon = of[LEFT_SOON] + of[LEFT_SOON_LATE]
        left = of[LEFT_IN_TIME] + of[LEFT_LATE]
        finished = answered + left + of[NOT_REACHED] + of[CLOSED]
        counted = finished + of[PAST_TARGET]
        left_in_time = of[LEFT_IN_TIME] + of[LEFT_SOON]
        return WaitFigures(
            arrivals=arrivals,
            counted=counted,
            answered=answered,
            service=ServiceLevel(
                Share(of[IN_TIME], counted),
                Share(of[IN_TIME], answered),
                Share(of[IN_TIME] + left_in_time, answered + left + soon),
            ),
            mean_s=float(self.seconds[key]) / answered if answered else None,
            waits=self.ranks[key],
            abandonment=Share(left + soon, finished + soon),
            abandonment_long=Share(left, finished),
            short_abandoned=soon,
            unreached=of[NOT_REACHED],
            closed=of[CLOSED],
            past_target=of[PAST_TARGET],
        )

    def arrivals(self) -> Ints:
        """Conversations begun, per key."""
        found: Ints = self.counts[:, _FIRST:].sum(axis=1) - self.counts[:, _FIRST + NOTHING]
        return found


def tabulate(waits: Facts, what: NDArray[np.int8], key: Ints, keys: int) -> Waiting:
    """`what` comes from `classes`; keys are 0 to `keys` - 1."""
    if not len(key):
        counts = np.zeros((keys, 2 * _CLASSES), dtype=np.int64)
    else:
        counts = np.bincount(key.astype(np.int64) * (2 * _CLASSES) + what, minlength=keys * 2 * _CLASSES)
        counts = counts.reshape(keys, 2 * _CLASSES)
    answered = waits["ending"] == _ANSWERED
    its, net = key[answered], waits["net"][answered]
    seconds = np.bincount(its, weights=net, minlength=keys).astype(np.float64)
    return Waiting(counts, seconds, ranks(net, its, keys))


@dataclass(frozen=True, slots=True)
class Responses:
    """First and later answers. `no_reply`: conversations whose first wait ended, or is late, without an answer."""

    first: Percentiles
    no_reply: int
    later: Percentiles
    requester: Percentiles
    distribution: Sequence[int]
    told: Told


def responses(waits: Facts, what: NDArray[np.int8], every_wait: Facts) -> Responses:
    """`every_wait`: also the later ones of the conversations that began, for how long each customer waited in all."""
    answered, first = waits["ending"] == _ANSWERED, waits["first"] == 1
    net = waits["net"]
    kind = what % _CLASSES
    unanswered = first & np.isin(
        kind, (LEFT_SOON, LEFT_SOON_LATE, LEFT_IN_TIME, LEFT_LATE, NOT_REACHED, CLOSED, PAST_TARGET)
    )
    bucket = np.searchsorted(np.array(EDGES_S), net[answered], "left")
    return Responses(
        first=percentiles(net[answered & first]),
        no_reply=int(unanswered.sum()),
        later=percentiles(net[answered & ~first]),
        requester=_requesters(waits["conversation"][first & (kind != NOTHING)], every_wait),
        distribution=[int(n) for n in np.bincount(bucket, minlength=len(EDGES_S) + 1)],
        told=told(waits),
    )


def told(waits: Facts) -> Told:
    known = (waits["ending"] == _ANSWERED) & (waits["told_low"] != NONE)
    net, low, high = waits["net"][known], waits["told_low"][known], waits["told_high"][known]
    longer = (high != NONE) & (net > high)
    inside = (net >= low) & ~longer
    n = int(known.sum())
    return Told(n, Share(int(inside.sum()), n), Share(int(longer.sum()), n))


def _requesters(begun: Ints, every_wait: Facts) -> Percentiles:
    """Ended waits of each conversation added up, whatever their ending."""
    if not len(begun):
        return percentiles(begun)
    conversations = np.unique(begun)
    its = every_wait["conversation"]
    place = np.minimum(np.searchsorted(conversations, its), len(conversations) - 1)
    ours = (conversations[place] == its) & (every_wait["ending"] != NONE) & (every_wait["ending"] != _MERGED)
    ours &= every_wait["ending"] != _SPAM
    sums = np.bincount(place[ours], weights=every_wait["net"][ours], minlength=len(conversations)).astype(np.int64)
    return percentiles(sums[np.bincount(place[ours], minlength=len(conversations)) > 0])
