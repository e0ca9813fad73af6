"""Figures of waits, for one key or for many keys at once (pieces of time, groups, half-hours of the week)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inbox.reports.facts import Facts
from inbox.reports.outcome import (
    CLOSED,
    FIRST,
    IN_TIME,
    KINDS,
    LEFT_IN_TIME,
    LEFT_LATE,
    LEFT_SOON,
    LEFT_SOON_LATE,
    NOT_NEEDED,
    NOT_REACHED,
    NOTHING,
    PAST_TARGET,
    TOLD_INSIDE,
    TOLD_LONGER,
    TOO_LATE,
    UNTOLD,
    WAITS,
    answered,
    first,
)
from inbox.reports.period import Ints
from inbox.waits.metrics import Percentiles, ServiceLevel, Share

EDGES_S = (30, 60, 180, 300, 600, 1800)
"""Upper ends of the buckets of the distribution; the last one is open."""

_BUCKET_OF = np.searchsorted(np.array(EDGES_S), np.arange(EDGES_S[-1] + 2), "left")

FEW = 20
"""Percentiles of fewer waits are marked: they stand on little."""


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
        ordered = np.sort((key.astype(np.int64) << 40) | values)
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
        of = [int(every[one] + every[one + FIRST]) for one in range(KINDS)]
        arrivals = int(every[FIRST:].sum() - every[FIRST + NOTHING])
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
        found: Ints = self.counts[:, FIRST:].sum(axis=1) - self.counts[:, FIRST + NOTHING]
        return found


def tabulate(waits: Facts, key: Ints, keys: int) -> Waiting:
    """Keys are 0 to `keys` - 1."""
    what = waits["what"]
    counts = np.bincount(key.astype(np.int64) * (2 * KINDS) + what, minlength=keys * 2 * KINDS)
    replied = answered(what)
    its, net = key[replied], waits["net"][replied]
    seconds = np.bincount(its, weights=net, minlength=keys).astype(np.float64)
    return Waiting(counts.reshape(keys, 2 * KINDS), seconds, ranks(net, its, keys))


@dataclass(frozen=True, slots=True)
class Responses:
    """First and later answers. `no_reply`: conversations whose first wait ended, or is late, without an answer."""

    first: Percentiles
    no_reply: int
    later: Percentiles
    requester: Percentiles
    distribution: Sequence[int]
    told: Told


def responses(waits: Facts, every_wait: Facts) -> Responses:
    """`every_wait`: also the later ones of the conversations that began, for how long each customer waited in all."""
    what, net = waits["what"], waits["net"]
    replied, begins, kind = answered(what), first(what), what % KINDS
    unanswered = begins & ~replied & (kind != NOTHING) & (kind != WAITS) & (kind != NOT_NEEDED)
    bucket = _BUCKET_OF[np.minimum(net[replied], len(_BUCKET_OF) - 1)]
    return Responses(
        first=percentiles(net[replied & begins]),
        no_reply=int(unanswered.sum()),
        later=percentiles(net[replied & ~begins]),
        requester=_requesters(waits["conversation"][begins & (kind != NOTHING)], every_wait),
        distribution=[int(n) for n in np.bincount(bucket, minlength=len(EDGES_S) + 1)],
        told=_told(waits),
    )


def _told(waits: Facts) -> Told:
    numbers = np.bincount(waits["told"], minlength=4)
    n = int(numbers.sum() - numbers[UNTOLD])
    return Told(n, Share(int(numbers[TOLD_INSIDE]), n), Share(int(numbers[TOLD_LONGER]), n))


def _requesters(begun: Ints, every_wait: Facts) -> Percentiles:
    """Ended waits of each conversation added up, whatever their ending."""
    if not len(begun):
        return percentiles(begun)
    kind = every_wait["what"] % KINDS
    ended = (kind != NOTHING) & (kind != WAITS) & (kind != PAST_TARGET)
    its, net = every_wait["conversation"][ended], every_wait["net"][ended]
    low, high = int(begun.min()), int(begun.max())
    inside = (its >= low) & (its <= high)
    its, net = its[inside] - low, net[inside]
    wanted = np.zeros(high - low + 1, dtype=np.bool_)  # ids of one period lie close together
    wanted[begun - low] = True
    wanted &= np.bincount(its, minlength=len(wanted)) > 0
    return percentiles(np.bincount(its, weights=net, minlength=len(wanted))[wanted].astype(np.int64))
