"""Work that may wait: mails and callbacks, to be done within a promise counted in opening time.

It fills the time that people who are there for calls and chats have left; only the rest needs more people, spread as
evenly as the promises allow.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from inbox.staffing.half_hours import HALF_HOUR_S

_DUST = 1e-6


@dataclass(frozen=True, slots=True)
class Slot:
    """`comes_s`: work that arrives with it. `spare_s`: time left over by those who are there anyway.

    `person_s`: what one more person gets done; 0 while closed.
    """

    open_s: float
    comes_s: float
    promise_s: float
    spare_s: float
    person_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """`people` more than calls and chats need, `worked_s` done in all, `late_s` of it after its promise."""

    people: int
    worked_s: float
    waiting_s: float
    late_s: float = 0.0


@dataclass(slots=True)
class _Piece:
    """`due`: index of the last half-hour in which it keeps its promise."""

    left_s: float
    due: int


def spread(
    slots: Sequence[Slot], *, start: int = 0, backlog_s: float = 0.0, backlog_promise_s: float = 0.0
) -> list[Done]:
    """What is done in each half-hour.

    What is left at the end of the week is what such a week begins with. From `start` on it is `backlog_s` instead,
    which has been counted.
    """
    counted = start > 0 or backlog_s > 0
    carried = _run(slots, range(len(slots)), [])[1]
    before, _ = _run(slots, range(start if counted else len(slots)), carried)
    if not counted:
        return before
    backlog = [_Piece(backlog_s, _due(slots, start, backlog_promise_s))] if backlog_s > _DUST else []
    after, _ = _run(slots, range(start, len(slots)), backlog)
    return [*before, *after]


def _run(slots: Sequence[Slot], which: range, carried: Sequence[_Piece]) -> tuple[list[Done], list[_Piece]]:
    pending = deque(_Piece(piece.left_s, piece.due) for piece in carried)
    done = []
    for index in which:
        slot = slots[index]
        if slot.comes_s > _DUST:
            pending.append(_Piece(slot.comes_s, _due(slots, index, slot.promise_s)))
        people = _people(slots, index, pending)
        room = slot.spare_s + people * slot.person_s
        worked = late = 0.0
        while pending and room > _DUST:
            piece = pending[0]
            take = min(piece.left_s, room)
            piece.left_s -= take
            room -= take
            worked += take
            late += take if piece.due < index else 0.0
            if piece.left_s <= _DUST:
                pending.popleft()
        done.append(Done(people, worked, sum(piece.left_s for piece in pending), late))
    end = len(slots)
    # Beyond the end every half-hour was taken for open; the next week begins like this one.
    return done, [
        _Piece(piece.left_s, _due(slots, 0, (piece.due - end + 1) * HALF_HOUR_S) if piece.due >= end else 0)
        for piece in pending
    ]


def _people(slots: Sequence[Slot], index: int, pending: Sequence[_Piece]) -> int:
    """So many that, going on like this, every promise is kept; spare time to come is reckoned with."""
    slot = slots[index]
    if slot.person_s <= 0 or not pending:
        return 0
    most = 0.0
    owed = spare = open_s = 0.0
    at = index - 1
    for piece in pending:
        owed += piece.left_s
        due = max(piece.due, index)
        while at < due:
            at += 1
            if at < len(slots):
                spare += slots[at].spare_s
                open_s += slots[at].open_s
            else:
                open_s += HALF_HOUR_S
        most = max(most, (owed - spare) / max(open_s, slot.open_s))
    wanted_s = most * slot.open_s
    return math.ceil(wanted_s / slot.person_s - _DUST) if wanted_s > _DUST else 0


def _due(slots: Sequence[Slot], index: int, promise_s: float) -> int:
    """The half-hour in which `promise_s` of opening time have passed since the beginning of `index`."""
    left = promise_s
    for place in range(index, len(slots)):
        left -= slots[place].open_s
        if left <= _DUST:
            return place
    return len(slots) + max(0, math.ceil(left / HALF_HOUR_S) - 1)
