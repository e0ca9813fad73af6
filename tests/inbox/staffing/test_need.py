"""Calls first, chats on the rest."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbox.staffing.erlang import Goal, Work, needed_c
from inbox.staffing.need import Crew, Live, achieved, achieved_by_planned, need

NOTHING = Work(0, 1)
PHONE_GOAL, CHAT_GOAL = Goal(0.8, 20, 0.85), Goal(0.8, 60, 0.85)


def live(phone: Work = NOTHING, chat: Work = NOTHING, patience_s: float | None = None) -> Live:
    return Live(phone, chat, PHONE_GOAL, CHAT_GOAL, patience_s, None)


CALLS, CHATS = Work(30 / 1800, 240), Work(40 / 1800, 200)


def test_one_channel_alone_is_plain_erlang() -> None:
    assert need(live(CALLS)).people == needed_c(CALLS, PHONE_GOAL)
    assert need(live(chat=CHATS)).people == needed_c(CHATS, CHAT_GOAL)
    assert need(live()).people == 0


def test_calls_and_chats_together_need_less_than_two_desks_and_more_than_one() -> None:
    alone, chats = needed_c(CALLS, PHONE_GOAL), needed_c(CHATS, CHAT_GOAL)
    found = need(live(CALLS, CHATS))
    assert found.phone == alone
    assert max(alone, chats) < found.people <= alone + chats


works = st.builds(Work, st.floats(0.0005, 0.03), st.floats(60, 600))


@settings(max_examples=25)
@given(works, works)
def test_what_is_found_keeps_both_levels_and_the_limit(phone: Work, chat: Work) -> None:
    both = live(phone, chat)
    people = need(both).people
    found = achieved(both, Crew(people))
    assert found.phone_level is not None
    assert found.chat_level is not None
    assert found.phone_level >= 0.8 - 1e-6
    assert found.chat_level >= 0.8 - 1e-6
    assert found.occupancy <= 0.85 + 1e-6
    assert achieved(both, Crew(people + 1)).chat_level >= found.chat_level - 1e-9  # type: ignore[operator]


def test_erlang_a_stands_beside_where_callers_leave() -> None:
    assert need(live(CALLS)).by_a is None
    found = need(live(CALLS, patience_s=60))
    assert found.by_a is not None
    assert found.by_a <= found.people


def test_less_work_than_for_one_is_rough() -> None:
    assert live(Work(1 / 1800, 300)).rough
    assert not live(CALLS).rough
    assert not live().rough


def test_of_three_planned_two_and_a_bit_are_at_work() -> None:
    two, three = achieved(live(chat=CHATS), Crew(6)), achieved(live(chat=CHATS), Crew(7))
    found = achieved_by_planned(live(chat=CHATS), 9, 0, 0, 0.3)
    assert found.chat_level == pytest.approx(0.7 * two.chat_level + 0.3 * three.chat_level)  # type: ignore[operator]


def test_who_only_takes_calls_answers_no_chat() -> None:
    found = achieved(live(CALLS, CHATS), Crew(0, phone=20))
    assert found.phone_level == pytest.approx(1, abs=0.01)
    assert found.chat_level == 0
    assert found.chat_asa_s is None


def simulated(phone: Work, chat: Work, people: int, target_s: float) -> float:
    """Share of chats begun within the target; a call takes a free person, else one from a chat, which goes on later."""
    chance = random.Random(3)
    now, calls, at_chat = 0.0, 0, 0
    waiting: list[float] = []
    came = in_time = 0
    while came < 15_000:
        on_calls = min(calls, people)
        room = max(0, people - on_calls)
        serving = min(at_chat, room)
        rates = (phone.rate, chat.rate, on_calls / phone.handle_s, serving / chat.handle_s)
        now += chance.expovariate(sum(rates))
        event = chance.choices(range(4), rates)[0]
        if event == 0:
            calls += 1
        elif event == 1:
            waiting.append(now)
            came += 1
        elif event == 2:
            calls -= 1
        else:
            at_chat -= 1
        while waiting and at_chat < people - min(calls, people):
            in_time += now - waiting.pop(0) <= target_s
            at_chat += 1
    return in_time / came


@pytest.mark.parametrize(("calls", "chats"), [(30, 40), (10, 60), (60, 20)])
def test_a_desk_that_is_simulated_does_at_least_as_well(calls: int, chats: int) -> None:
    phone, chat = Work(calls / 1800, 240), Work(chats / 1800, 200)
    people = need(live(phone, chat)).people
    promised = achieved(live(phone, chat), Crew(people)).chat_level
    assert promised is not None
    assert simulated(phone, chat, people, 60) >= promised - 0.03
