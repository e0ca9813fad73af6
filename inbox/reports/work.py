"""Figures of work: handling time, occupancy, concurrency, resolutions, calls back, ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inbox.reports.facts import ENDINGS, NONE, CallbackEnd, Facts
from inbox.reports.period import DAY, SECOND, Ints
from inbox.reports.waiting import percentiles
from inbox.vocabulary import Ending
from inbox.waits.metrics import Percentiles, Share

FCR_WINDOW = 7 * DAY
REPEAT = 30 * 60 * SECOND
"""Who calls again within this time is the same demand."""
GOOD = 4
"""Ratings from here on say that the customer was satisfied."""
_APART = 10**14
"""Microseconds between the time lines of two operators laid behind each other: more than any period has."""
_NO_CONTACT = tuple(ENDINGS.index(one) for one in (Ending.NO_ANSWER_NEEDED, Ending.SPAM, Ending.MERGED))


@dataclass(frozen=True, slots=True)
class Handling:
    """`handle_s`: sessions that began here, in full. The rest is cut to the stretch of time.

    `shared_s`: all sessions added up; `engaged_s`: time in at least one of them; `online_s`: able to work;
    `busy_s`: engaged while online.
    """

    sessions: int
    conversations: int
    handle_s: float
    shared_s: float
    engaged_s: float
    busy_s: float
    online_s: float

    @property
    def mean_s(self) -> float | None:
        """AHT: per conversation handled."""
        return self.handle_s / self.conversations if self.conversations else None

    @property
    def occupancy(self) -> float | None:
        """Percent."""
        return 100 * self.busy_s / self.online_s if self.online_s else None

    @property
    def concurrency(self) -> float | None:
        return self.shared_s / self.engaged_s if self.engaged_s else None


@dataclass(frozen=True, slots=True)
class Spans:
    """Presence that counts as being at work: operator, from, to (microseconds)."""

    operator: Ints
    began: Ints
    ended: Ints


def handling(facts: Facts, online: Spans, since_us: int, until_us: int, people: Sequence[int]) -> list[Handling]:
    """In all, and then one for each of `people`.

    Sessions count where they began; for occupancy and concurrency they are cut to the period, and so is presence.
    """
    order = np.unique(np.concatenate([np.array(people, dtype=np.int64), facts["operator"], online.operator]))
    if not len(order):
        return [Handling(0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)]
    origin = since_us

    def laid_out(operator: Ints, began: Ints, ended: Ints) -> tuple[Ints, Ints]:
        lane = np.searchsorted(order, operator).astype(np.int64) * _APART
        return (
            lane + np.clip(began, since_us, until_us) - origin,
            lane + np.clip(ended, since_us, until_us) - origin,
        )

    began, ended = laid_out(facts["operator"], facts["at"], facts["ended"])
    clipped = ended - began
    engaged = _union(began, ended)
    at_work = _union(*laid_out(online.operator, online.began, online.ended))
    started = (facts["at"] >= since_us) & (facts["at"] < until_us)
    lengths = np.where(started, facts["ended"] - facts["at"], 0)
    who = np.searchsorted(order, facts["operator"])
    size = len(order)

    def per(lane: Ints, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(lane, weights=weights, minlength=size).astype(np.float64)

    handle = per(who, lengths / SECOND)
    shared = per(who, clipped / SECOND)
    union_s = per(engaged[0] // _APART, (engaged[1] - engaged[0]) / SECOND)
    online_s = per(at_work[0] // _APART, (at_work[1] - at_work[0]) / SECOND)
    busy_s = per(at_work[0] // _APART, (_before(engaged, at_work[1]) - _before(engaged, at_work[0])) / SECOND)
    sessions = per(who, started.astype(np.float64))
    pairs = np.unique(who[started] * _APART + facts["conversation"][started])
    conversations = per(pairs // _APART, np.ones(len(pairs)))
    total = Handling(
        int(sessions.sum()),
        len(np.unique(pairs % _APART)),
        *(float(one.sum()) for one in (handle, shared, union_s, busy_s, online_s)),
    )
    return [
        total,
        *(
            Handling(
                int(sessions[at]),
                int(conversations[at]),
                *(float(one[at]) for one in (handle, shared, union_s, busy_s, online_s)),
            )
            for at in (int(np.searchsorted(order, one)) for one in people)
        ),
    ]


def _union(began: Ints, ended: Ints) -> tuple[Ints, Ints]:
    """Disjoint intervals that cover the same time, ascending."""
    some = ended > began
    began, ended = began[some], ended[some]
    if not len(began):
        return began, ended
    order = np.argsort(began, kind="stable")
    began, reach = began[order], np.maximum.accumulate(ended[order])
    fresh = np.ones(len(began), dtype=np.bool_)
    fresh[1:] = began[1:] > reach[:-1]
    last = np.append(np.flatnonzero(fresh)[1:] - 1, len(began) - 1)
    return began[fresh], reach[last]


def _before(spans: tuple[Ints, Ints], moments: Ints) -> Ints:
    """How much of disjoint ascending spans lies before each moment."""
    began, ended = spans
    if not len(began):
        return np.zeros(len(moments), dtype=np.int64)
    whole = np.concatenate([[0], np.cumsum(ended - began)])
    place = np.searchsorted(began, moments, "right")
    inside = np.where(
        place > 0, np.minimum(moments, ended[np.maximum(place - 1, 0)]) - began[np.maximum(place - 1, 0)], 0
    )
    found: Ints = np.where(place > 0, whole[np.maximum(place - 1, 0)] + inside, 0)
    return found


# --- resolutions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resolutions:
    """Conversations resolved in a stretch of time. Times are by the clock on the wall."""

    conversations: int
    first: Percentiles
    full: Percentiles
    reopened: Share
    first_contact: Share
    first_contact_unknown: int


def resolutions(facts: Facts, contacts: Facts, now_us: int, window: int = FCR_WINDOW) -> Resolutions:
    """`contacts`: the waits of the whole desk, up to a window after the last resolution."""
    earliest, for_good = facts["earlier"] == 0, facts["reopened"] == NONE
    took = np.maximum(facts["at"] - facts["began"], 0) // SECOND
    known = earliest & (facts["at"] + window <= now_us)
    at, contact = facts["at"][known], facts["contact"][known]
    back = _came_back(at, contact, contacts, window)
    reopened = facts["reopened"][known]
    kept = ~back & ((reopened == NONE) | (reopened - at > window))
    conversations = np.unique(facts["conversation"])
    return Resolutions(
        conversations=len(conversations),
        first=percentiles(took[earliest]),
        full=percentiles(took[for_good]),
        reopened=Share(len(np.unique(facts["conversation"][~for_good])), len(conversations)),
        first_contact=Share(int(kept.sum()), int(known.sum())),
        first_contact_unknown=int(earliest.sum() - known.sum()),
    )


def _came_back(at: Ints, contact: Ints, contacts: Facts, window: int) -> NDArray[np.bool_]:
    """Whether the same customer began to wait again within the window after each moment."""
    real = ~np.isin(contacts["ending"], _NO_CONTACT)
    who, when = contacts["contact"][real], contacts["at"][real]
    if not len(who) or not len(at):
        return np.zeros(len(at), dtype=np.bool_)
    order = np.lexsort((when, who))
    who, when = who[order], when[order]
    names, lane = np.unique(who, return_inverse=True)
    start = int(min(when.min(), at.min()))
    line = lane.astype(np.int64) * (_APART) + when - start
    mine = np.minimum(np.searchsorted(names, contact), len(names) - 1)
    known = names[mine] == contact
    here = mine.astype(np.int64) * _APART + at - start
    place = np.minimum(np.searchsorted(line, here, "right"), len(line) - 1)
    found: NDArray[np.bool_] = known & (line[place] > here) & (line[place] - here <= window)
    return found


# --- satisfaction, calls back ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Callbacks:
    """`missed_calls` is None where the filter cannot tell calls apart (operators and teams do not miss calls)."""

    missed_calls: int | None
    answered_calls: int | None
    repeats: int | None
    owed: int
    called_back: Share
    first_try: Percentiles
    reached: Percentiles
    unreached: int
    open: int
    tries_per_reached: float | None


def callbacks(facts: Facts, calls: Facts | None) -> Callbacks:
    tried, got = facts["first_try"] != NONE, facts["reached"] != NONE
    owed = int((facts["end"] != CallbackEnd.CANCELLED).sum())
    counted = facts["end"] != CallbackEnd.CANCELLED
    reached = int(got.sum())
    missed = None if calls is None else calls["missed"] == 1
    return Callbacks(
        missed_calls=None if missed is None else int(missed.sum()),
        answered_calls=None if missed is None else int((~missed).sum()),
        repeats=None if calls is None or missed is None else _repeats(calls["contact"][missed], calls["at"][missed]),
        owed=owed,
        called_back=Share(int((tried & counted).sum()), owed),
        first_try=percentiles((facts["first_try"][tried] - facts["at"][tried]) // SECOND),
        reached=percentiles((facts["reached"][got] - facts["at"][got]) // SECOND),
        unreached=int((facts["end"] == CallbackEnd.UNREACHED).sum()),
        open=int((facts["end"] == CallbackEnd.OPEN).sum()),
        tries_per_reached=float(facts["tries"][got].sum()) / reached if reached else None,
    )


def _repeats(contact: Ints, at: Ints) -> int:
    """Calls of somebody who had missed us within half an hour before."""
    known = contact != NONE
    contact, at = contact[known], at[known]
    order = np.lexsort((at, contact))
    contact, at = contact[order], at[order]
    return int(((contact[1:] == contact[:-1]) & (at[1:] - at[:-1] <= REPEAT)).sum())


def satisfaction(ratings: Facts) -> Share:
    """Ratings of 4 and 5 among all."""
    return Share(int((ratings["score"] >= GOOD).sum()), len(ratings["score"]))
