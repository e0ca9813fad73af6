"""The three clocks of a wait, as arithmetic: wall time, opening time, opening time less the pauses agreed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from inbox.waits.timetable import Timetable

NEVER = timedelta(days=366)
"""Due time, from the start, of a wait on a desk that never opens."""

Pause = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Clocks:
    """The three clocks of a wait at some moment."""

    wall: timedelta
    open: timedelta
    net: timedelta


def clocks(timetable: Timetable, started_at: datetime, pauses: Sequence[Pause], at: datetime) -> Clocks:
    """`pauses` may reach beyond `at`: news can come late."""
    in_hours = timetable.open_time(started_at, at)
    paused = sum(
        (timetable.open_time(begun, min(over, at)) for begun, over in pauses if begun < min(over, at)), timedelta()
    )
    return Clocks(at - started_at, in_hours, in_hours - paused)


def reached(timetable: Timetable, started_at: datetime, pauses: Sequence[Pause], net: timedelta) -> datetime:
    """The moment at which the third clock of a wait shows `net`; all pauses are over."""
    left, since = net, started_at
    for begun, over in pauses:
        if over <= begun:  # late news ended the wait before the pause began
            continue
        used = timetable.open_time(since, begun)
        if used >= left:
            break
        left, since = left - used, over
    return timetable.add(since, left) or started_at + NEVER


def whole_seconds(span: timedelta) -> int:
    """Rounded up: a wait is within a target of whole seconds exactly when its seconds are not more than the target."""
    return -(span // timedelta(seconds=-1))
