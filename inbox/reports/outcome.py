"""What becomes of a wait in the figures, as one small number: so one pass over a year counts everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inbox.vocabulary import Ending
from inbox.waits.figures import SHORT_ABANDON_S

ENDINGS: Sequence[Ending] = (
    Ending.ANSWERED, Ending.NO_ANSWER_NEEDED, Ending.CLOSED, Ending.MERGED, Ending.SPAM, Ending.ABANDONED,
    Ending.UNREACHED,
)  # fmt: skip
"""Read from the store as their place in this line."""
RUNNING = -1

_ANSWERED, _NO_ANSWER_NEEDED, _CLOSED, _MERGED, _SPAM, _ABANDONED, _UNREACHED = range(len(ENDINGS))

(
    NOTHING, IN_TIME, TOO_LATE, LEFT_SOON, LEFT_IN_TIME, LEFT_LATE, NOT_REACHED, CLOSED, PAST_TARGET, WAITS,
    LEFT_SOON_LATE, NOT_NEEDED,
) = range(12)  # fmt: skip
"""Merged ones and spam are nothing. WAITS and PAST_TARGET still run; "soon" is within ten seconds of the start."""

KINDS = 16
FIRST = KINDS
"""Added for the first wait of a conversation."""

UNTOLD, TOLD_INSIDE, TOLD_LONGER, TOLD_SHORTER = range(4)

Small = NDArray[np.int8]
Column = NDArray[np.int64]


def outcomes(raw: Mapping[str, Column]) -> Small:
    """From ending, net, wall, target (seconds), first (0 or 1) and late (a running one past its target)."""
    ending, in_time = raw["ending"], raw["net"] <= raw["target"]
    soon = raw["wall"] < SHORT_ABANDON_S
    found = np.full(len(ending), NOTHING, dtype=np.int8)
    found[(ending == _ANSWERED) & in_time] = IN_TIME
    found[(ending == _ANSWERED) & ~in_time] = TOO_LATE
    left = ending == _ABANDONED
    found[left & soon & in_time] = LEFT_SOON
    found[left & soon & ~in_time] = LEFT_SOON_LATE
    found[left & ~soon & in_time] = LEFT_IN_TIME
    found[left & ~soon & ~in_time] = LEFT_LATE
    found[ending == _UNREACHED] = NOT_REACHED
    found[ending == _CLOSED] = CLOSED
    found[ending == _NO_ANSWER_NEEDED] = NOT_NEEDED
    found[ending == RUNNING] = WAITS
    found[(ending == RUNNING) & (raw["late"] == 1)] = PAST_TARGET
    found[raw["first"] == 1] += FIRST
    return found


def told(raw: Mapping[str, Column]) -> Small:
    """What the customer was told against what came, of answered waits; -1 for an open end."""
    net, low, high = raw["net"], raw["told_low"], raw["told_high"]
    found = np.full(len(net), UNTOLD, dtype=np.int8)
    known = (raw["ending"] == _ANSWERED) & (low >= 0)
    longer = (high >= 0) & (net > high)
    found[known & longer] = TOLD_LONGER
    found[known & ~longer & (net >= low)] = TOLD_INSIDE
    found[known & ~longer & (net < low)] = TOLD_SHORTER
    return found


def answered(what: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    kind = what % KINDS
    found: NDArray[np.bool_] = (kind == IN_TIME) | (kind == TOO_LATE)
    return found


def first(what: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = what >= FIRST
    return found
