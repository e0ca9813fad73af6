"""Random days give the same ledger as a slow calculation that goes through them minute by minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbox.waits.hours import WEEKDAYS
from tests.support.eventlog import DrivenDesk

ZONE = ZoneInfo("Europe/Helsinki")
MINUTE = timedelta(minutes=1)


@dataclass
class SlowWait:
    start: datetime
    end: datetime | None = None
    ending: str | None = None
    answer: int | None = None
    pauses: list[list[datetime]] = field(default_factory=list)

    @property
    def paused(self) -> bool:
        return bool(self.pauses) and len(self.pauses[-1]) == 1

    def pause(self, at: datetime) -> None:
        if not self.paused:
            self.pauses.append([at])

    def resume(self, at: datetime) -> None:
        if self.paused:
            self.pauses[-1].append(at)

    def finish(self, at: datetime, ending: str, answer: int | None = None) -> None:
        self.resume(at)
        self.end, self.ending, self.answer = at, ending, answer


@dataclass
class SlowConversation:
    waits: list[SlowWait] = field(default_factory=list)
    snoozed_until: datetime | None = None
    closed: bool = False
    failed: bool = True
    answers: int = 0

    @property
    def running(self) -> SlowWait | None:
        return next((wait for wait in self.waits if wait.end is None), None)


class SlowDesk:
    """The rules once more, in the plainest words."""

    def __init__(self) -> None:
        self.conversations: dict[str, SlowConversation] = {}
        self.hours: list[tuple[datetime, Mapping[str, Any]]] = []

    def pass_to(self, moment: datetime) -> None:
        for c in self.conversations.values():
            if c.snoozed_until is not None and c.snoozed_until <= moment:
                if c.running:
                    c.running.resume(c.snoozed_until)
                c.snoozed_until = None

    def message(self, name: str, at: datetime) -> None:
        c = self.conversations.setdefault(name, SlowConversation())
        c.closed, c.snoozed_until = False, None
        if c.running:
            c.running.resume(at)
        else:
            c.waits.append(SlowWait(at))

    def reply(self, name: str, at: datetime) -> None:
        c = self.conversations[name]
        c.answers, c.failed, c.closed, c.snoozed_until = c.answers + 1, False, False, None
        if c.running:
            c.running.finish(at, "answered", c.answers)

    def undelivered(self, name: str, at: datetime) -> None:
        c = self.conversations[name]
        if c.failed:
            return
        c.failed, c.closed, c.snoozed_until = True, False, None
        again = next((wait for wait in c.waits if wait.answer == c.answers), None)
        if again is not None:
            if c.running:
                c.running.finish(at, "merged")
            again.end = again.ending = again.answer = None

    def snooze(self, name: str, at: datetime, until: datetime, agreed: bool) -> None:
        c = self.conversations[name]
        c.snoozed_until = until
        if c.running:
            c.running.pause(at) if agreed else c.running.resume(at)

    def close(self, name: str, at: datetime) -> None:
        c = self.conversations[name]
        if not c.closed:
            c.closed, c.snoozed_until = True, None
            if c.running:
                c.running.finish(at, "closed")

    def is_open(self, at: datetime) -> bool:
        in_force = [data for since, data in self.hours if since <= at] or [self.hours[0][1]]
        wall = at.astimezone(ZONE)
        return any(a <= f"{wall:%H:%M}" < b for a, b in in_force[-1]["weekly"].get(WEEKDAYS[wall.weekday()], []))

    def figures(self, wait: SlowWait) -> tuple[Any, ...]:
        assert wait.end is not None
        opened = net = 0
        fired: dict[int, datetime] = {}
        at = wait.start
        while at < wait.end:
            if self.is_open(at):
                opened += 1
                if not any(a <= at < b for a, b in wait.pauses):
                    net += 1
                    fired.setdefault(net, at + MINUTE)
            at += MINUTE
        wall = int((wait.end - wait.start) / MINUTE)
        return wait.start, wait.end, wait.ending, wall * 60, opened * 60, net * 60, fired.get(3), fired.get(5)


edges = st.integers(0, 24 * 6).map(lambda tens: f"{tens // 6:02}:{tens % 6}0")
office = st.lists(edges, min_size=2, max_size=4, unique=True).map(
    lambda found: [list(pair) for pair in zip(sorted(found)[::2], sorted(found)[1::2], strict=False)]
)
hours = st.builds(lambda windows: {"weekly": dict.fromkeys(WEEKDAYS, windows)}, office)
events = st.tuples(
    st.integers(0, 30),
    st.sampled_from(["aino", "otso"]),
    st.one_of(
        st.just(("message",)),
        st.just(("message",)),
        st.just(("reply",)),
        st.just(("note",)),
        st.just(("close",)),
        st.just(("undelivered",)),
        st.tuples(st.just("snooze"), st.integers(1, 40), st.booleans()),
        st.tuples(st.just("hours"), hours),
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2_000), hours, st.lists(events, min_size=3, max_size=30))
async def test_the_ledger_of_a_random_day_equals_a_slow_obvious_calculation(
    desk: DrivenDesk, later: int, first_hours: Mapping[str, Any], day: list[Any]
) -> None:
    now = (desk.clock.now() + timedelta(days=1)).replace(hour=5, minute=0, second=0) + later * MINUTE
    slow = SlowDesk()
    number = len(desk.conversations)

    async def play(what: str, **more: Any) -> None:
        await desk.play([{"at": now.isoformat(), "what": what, **more}])

    await play("hours", **first_hours)
    slow.hours.append((now, first_hours))
    for gap, customer, (what, *values) in day:
        name = f"{customer}{number}"
        now += gap * MINUTE
        slow.pass_to(now)
        known = slow.conversations.get(name)
        if what == "hours":
            await play("hours", **values[0])
            slow.hours.append((now, values[0]))
        elif what == "message":
            await play("message", **{"in": name})
            slow.message(name, now)
        elif known is None or (what == "undelivered" and not known.answers) or (what == "snooze" and known.closed):
            continue
        elif what == "snooze":
            until = now + values[0] * MINUTE
            await play("snooze", by="mia", until=until.isoformat(), agreed=values[1], **{"in": name})
            slow.snooze(name, now, until, values[1])
        else:
            await play(what, **{"in": name, **({} if what == "undelivered" else {"by": "mia"})})
            if what != "note":
                getattr(slow, what)(name, now)
    now += 600 * MINUTE
    slow.pass_to(now)
    for name in slow.conversations:
        await play("reply", by="mia", **{"in": name})
        slow.reply(name, now)
    for name, conversation in slow.conversations.items():
        ledger = [
            (w.started_at, w.ended_at, w.ending, w.wall_s, w.open_s, w.net_s, w.warned_at, w.missed_at)
            for w in await desk.waits(name)
        ]
        assert ledger == [slow.figures(wait) for wait in conversation.waits]
