"""How many people a half-hour needs for calls and chats together, and what a given number of people would achieve.

Calls come first: whoever is on a call has no chat. Chats are answered by the rest, which is now more, now fewer people:
their service level is the mean over how many are on calls at a moment. That is careful, since it lets no crowd of calls
pass before the next chat comes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from inbox.staffing.erlang import (
    MOST_PEOPLE,
    Expected,
    Goal,
    Work,
    at_work,
    busy_states,
    erlang_a,
    erlang_c,
    needed_a,
    needed_c,
)

_DUST = 1e-9
ROUGH_BELOW = 1.0
"""Erlangs: with less work than for one person these formulas say little."""


@dataclass(frozen=True, slots=True)
class Live:
    """What must be answered at once. `patience_s`: Erlang A is computed beside; None: only Erlang C."""

    phone: Work
    chat: Work
    phone_goal: Goal
    chat_goal: Goal
    phone_patience_s: float | None = None
    chat_patience_s: float | None = None

    @property
    def load(self) -> float:
        return self.phone.load + self.chat.load

    @property
    def rough(self) -> bool:
        return 0 < self.load < ROUGH_BELOW


@dataclass(frozen=True, slots=True)
class Crew:
    """People at their desks, by what they do."""

    anything: int
    phone: int = 0
    chat: int = 0

    @property
    def live(self) -> int:
        return self.anything + self.phone + self.chat


@dataclass(frozen=True, slots=True)
class Need:
    """People at work. `phone` of `people` are for calls; `by_a`: what Erlang A asks for, None where nobody leaves."""

    people: int
    phone: int
    by_a: int | None = None


@dataclass(frozen=True, slots=True)
class Achieved:
    """What people would achieve. None: nothing of that kind comes, or (`*_asa_s`) the queue grows without end."""

    phone_level: float | None
    chat_level: float | None
    phone_asa_s: float | None
    chat_asa_s: float | None
    occupancy: float


@lru_cache(8192)
def need(live: Live) -> Need:
    """The fewest people for both service levels within the occupancy limit."""
    phone = needed_c(live.phone, live.phone_goal)
    people = _with_chats(live, phone, by_a=False)
    by_a = None
    if live.phone_patience_s is not None or live.chat_patience_s is not None:
        by_a = _with_chats(live, needed_a(live.phone, live.phone_goal, live.phone_patience_s), by_a=True)
    return Need(people, phone, by_a)


def _with_chats(live: Live, phone: int, *, by_a: bool) -> int:
    if live.chat.load <= 0:
        return phone
    patience = live.chat_patience_s if by_a else None
    if live.phone.load <= 0:
        return needed_a(live.chat, live.chat_goal, patience)
    people = max(phone, math.ceil(live.load / live.chat_goal.occupancy - _DUST))
    while people < MOST_PEOPLE:
        if _chats_beside_calls(live, Crew(people), patience).level >= live.chat_goal.level - _DUST:
            return people
        people += 1
    raise OverflowError(f"no number of people up to {MOST_PEOPLE} is enough for {live.load:.1f} erlangs")


def _chats_beside_calls(live: Live, crew: Crew, patience_s: float | None) -> Expected:
    """What the chats of people who also take calls get. Calls go to those who do nothing else first."""
    callers = crew.anything + crew.phone
    level, asa_s, free = 0.0, 0.0, 0.0
    for on_calls, share in enumerate(busy_states(live.phone.load, callers)):
        if share < 1e-12:
            continue
        people = crew.anything + crew.chat - max(0, on_calls - crew.phone)
        found = _chats(live, people, patience_s)
        free += share * people
        level += share * found.level
        # Too few for the chats only until a call ends.
        asa_s += share * (live.phone.handle_s if found.asa_s is None else min(found.asa_s, live.phone.handle_s * 10))
    grows = free <= live.chat.load and patience_s is None
    return Expected(crew.live, level, None if grows else asa_s, min(1.0, live.load / max(crew.live, 1)), 0.0)


@lru_cache(65536)
def _chat_outcome(chat: Work, people: int, target_s: float, patience_s: float | None) -> Expected:
    if patience_s is None:
        return erlang_c(chat, people, target_s)
    return erlang_a(chat, people, target_s, patience_s)


def _chats(live: Live, people: int, patience_s: float | None) -> Expected:
    return _chat_outcome(live.chat, people, live.chat_goal.target_s, patience_s)


@lru_cache(8192)
def achieved(live: Live, crew: Crew) -> Achieved:
    """By Erlang A where customers leave, else by Erlang C."""
    phone = chat = None
    if live.phone.load > 0:
        people = crew.anything + crew.phone
        phone = erlang_a(live.phone, people, live.phone_goal.target_s, live.phone_patience_s)
    if live.chat.load > 0:
        chat = (
            _chats_beside_calls(live, crew, live.chat_patience_s)
            if phone is not None
            else _chats(live, crew.anything + crew.chat, live.chat_patience_s)
        )
    return Achieved(
        phone.level if phone else None,
        chat.level if chat else None,
        phone.asa_s if phone else None,
        chat.asa_s if chat else None,
        min(1.0, live.load / crew.live) if crew.live else float(live.load > 0),
    )


def achieved_by_planned(live: Live, anything: float, phone: float, chat: float, shrinkage: float) -> Achieved:
    """With breaks and absence: of 3 planned people 2.1 are at work, two most of the time and three for the rest."""
    there = [at_work(planned, shrinkage) for planned in (anything, phone, chat)]
    low, high = Crew(*(math.floor(n) for n in there)), Crew(*(math.ceil(n) for n in there))
    fewest = achieved(live, low)
    if low == high:
        return fewest
    return _between(fewest, achieved(live, high), (sum(there) - low.live) / (high.live - low.live))


def _between(low: Achieved, high: Achieved, share: float) -> Achieved:
    def mean(a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else a + (b - a) * share

    return Achieved(
        mean(low.phone_level, high.phone_level),
        mean(low.chat_level, high.chat_level),
        mean(low.phone_asa_s, high.phone_asa_s),
        mean(low.chat_asa_s, high.chat_asa_s),
        low.occupancy + (high.occupancy - low.occupancy) * share,
    )
