"""Figures of work: handling time, occupancy, concurrency, resolutions, calls back, ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inbox.reports.facts import NONE, CallbackEnd, Facts
from inbox.reports.outcome import KINDS, NOT_NEEDED, NOTHING
from inbox.reports.period import DAY, SECOND, Ints
from inbox.reports.waiting import percentiles
from inbox.waits.metrics import Percentiles, Share

FCR_WINDOW = 7 * DAY
REPEAT = 30 * 60 * SECOND
"""Who calls again within this time is the same demand."""
GOOD = 4
"""Ratings from here on say that the customer was satisfied."""
_APART = 10**14
"""Microseconds between the time lines of two operators laid behind each other: more than any period has."""


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
    highest = max([*people, int(facts["operator"].max(initial=0)), int(online.operator.max(initial=0))])
    size = highest + 1

    def laid_out(operator: Ints, began: Ints, ended: Ints) -> tuple[Ints, Ints]:
        """One time line behind the other."""
        lane = operator.astype(np.int64) * _APART - since_us
        return lane + np.clip(began, since_us, until_us), lane + np.clip(ended, since_us, until_us)

    many = how_many(facts["conversation"][(facts["at"] >= since_us) & (facts["at"] < until_us)])
    order = np.argsort(facts["operator"].astype(np.int16), kind="stable") if highest < 2**15 else None
    if order is not None:  # within each they are in order already: radix sort, where sorting moments costs ten times
        needed = ("at", "lasted", "operator", *(("conversation",) if people else ()))
        facts = {**facts, **{name: facts[name][order] for name in needed}}
    who, lasted = facts["operator"], facts["lasted"]
    began, ended = laid_out(who, facts["at"], facts["at"] + lasted.astype(np.int64) * 1000)
    engaged = _union(began, ended)
    at_work = _union(*laid_out(online.operator, online.began, online.ended))
    started = (facts["at"] >= since_us) & (facts["at"] < until_us)

    def per(lane: Ints, weights: NDArray[np.generic]) -> NDArray[np.float64]:
        return np.bincount(lane, weights=weights, minlength=size).astype(np.float64)

    handle = per(who[started], lasted[started] / 1000)
    shared = per(who, (ended - began) / SECOND)
    engaged_s = per(engaged[0] // _APART, (engaged[1] - engaged[0]) / SECOND)
    online_s = per(at_work[0] // _APART, (at_work[1] - at_work[0]) / SECOND)
    busy_s = per(at_work[0] // _APART, (_before(engaged, at_work[1]) - _before(engaged, at_work[0])) / SECOND)
    sessions = np.bincount(who[started], minlength=size)
    conversations = distinct(who[started], facts["conversation"][started], size) if people else sessions
    times = (handle, shared, engaged_s, busy_s, online_s)
    return [
        Handling(int(sessions.sum()), many, *(float(one.sum()) for one in times)),
        *(Handling(int(sessions[at]), int(conversations[at]), *(float(one[at]) for one in times)) for at in people),
    ]


def how_many(ids: Ints) -> int:
    """Different ones. Ids of one period lie close together, so marking each is quicker than sorting them."""
    if not len(ids):
        return 0
    seen = np.zeros(int(ids.max()) - int(ids.min()) + 1, dtype=np.bool_)
    seen[ids - ids.min()] = True
    return int(np.count_nonzero(seen))


def distinct(key: Ints, ids: Ints, keys: int) -> Ints:
    """Different ids of each key."""
    ordered = np.sort(key.astype(np.int64) << 42 | ids)
    fresh = np.ones(len(ordered), dtype=np.bool_)
    fresh[1:] = ordered[1:] != ordered[:-1]
    found: Ints = np.bincount(ordered[fresh] >> 42, minlength=keys)
    return found


def _union(began: Ints, ended: Ints) -> tuple[Ints, Ints]:
    """Disjoint intervals that cover the same time, ascending."""
    some = ended > began
    began, ended = began[some], ended[some]
    if not len(began):
        return began, ended
    if (began[1:] < began[:-1]).any():
        order = np.argsort(began)
        began, ended = began[order], ended[order]
    reach = np.maximum.accumulate(ended)
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
    known = earliest & (facts["at"] + window <= now_us)
    reopened = facts["reopened"][known]
    lasting = (reopened == NONE) | (reopened > window // SECOND)
    kept = _left_alone(facts["at"][known][lasting], facts["contact"][known][lasting], contacts, window)
    conversations = how_many(facts["conversation"])
    return Resolutions(
        conversations=conversations,
        first=percentiles(facts["took"][earliest]),
        full=percentiles(facts["took"][for_good]),
        reopened=Share(how_many(facts["conversation"][~for_good]), conversations),
        first_contact=Share(kept, int(known.sum())),
        first_contact_unknown=int(earliest.sum() - known.sum()),
    )


def _left_alone(at: Ints, contact: Ints, contacts: Facts, window: int) -> int:
    """How many of these customers did not begin to wait again within the window (to the millisecond)."""
    kind = contacts["what"] % KINDS
    real = (kind != NOTHING) & (kind != NOT_NEEDED)
    if not len(at) or not real.any():
        return len(at)
    start = int(min(contacts["at"].min(), at.min()))

    def line(who: Ints, when: Ints) -> Ints:
        """Customer, milliseconds (up to four years), and a last bit that tells waits from resolutions."""
        return who.astype(np.int64) << 38 | (when - start) // 1000 << 1

    # One sort of both: after each resolution the customer's next wait follows, if there is one.
    every = np.sort(np.concatenate([line(contacts["contact"][real], contacts["at"][real]), line(contact, at) | 1]))
    place = np.arange(len(every))
    resolved = (every & 1) == 1
    following = np.where(resolved, len(every), place)
    following = np.minimum.accumulate(following[::-1])[::-1][resolved]
    mine = every[resolved] >> 1
    wait = np.append(every, 2**62)[following] >> 1
    back = (wait - mine <= window // 1000) & (wait >> 37 == mine >> 37)
    return int(len(mine) - np.count_nonzero(back))


# --- satisfaction, calls back ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Callbacks:
    """`missed_calls` is None where the filter cannot tell calls apart (operators do not miss calls)."""

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
        first_try=percentiles(facts["first_try"][tried]),
        reached=percentiles(facts["reached"][got]),
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
