"""Waits in memory, by the rules of the ledger (inbox/waits/ledger.py), for a whole history at once.

The ledger asks the database for each step; a history of a year has millions. Both use the same arithmetic
(inbox/waits/clockwork.py), and a test lives through random logs to see that they agree to the second, line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from inbox.lifecycle import AGREED_SNOOZE
from inbox.vocabulary import ChannelKind, Ending, Status, WaitStep
from inbox.waits.clockwork import Pause, clocks, reached, whole_seconds
from inbox.waits.hours import OpeningHours
from inbox.waits.timetable import Change, Timetable, Version

Step = tuple[datetime, WaitStep, dict[str, Any]]


@dataclass(slots=True)
class MemoryWait:
    """A row of the table of waits, and its lines."""

    id: int
    conversation: MemoryConversation
    entry_id: int | None
    channel: ChannelKind
    team_id: int | None
    first: bool
    calendar_id: int
    started_at: datetime
    warn_after_s: int
    target_s: int
    warn_at: datetime | None = None
    due_at: datetime | None = None
    warned_at: datetime | None = None
    missed_at: datetime | None = None
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    why_paused: str = ""
    pauses: list[Pause] = field(default_factory=list)
    teams: list[tuple[datetime, int | None]] = field(default_factory=list)  # where it was before, and until when
    ended_at: datetime | None = None
    ending: Ending | None = None
    ended_by: int | None = None
    ended_entry_id: int | None = None
    wall_s: int | None = None
    open_s: int | None = None
    net_s: int | None = None
    paused_s: int = 0
    lines: list[Step] = field(default_factory=list)

    @property
    def team_since(self) -> datetime | None:
        return self.teams[-1][0] if self.teams else None


@dataclass(frozen=True, slots=True)
class Said:
    """Something the customer did: when the desk knew of it, since when they waited, whether a reply is owed."""

    entry_id: int
    key: str
    known_at: datetime
    since: datetime
    channel: ChannelKind
    owed: bool


@dataclass(slots=True)
class MemoryConversation:
    id: int
    name: str
    contact_id: int
    channel: ChannelKind
    created_at: datetime
    team_id: int | None = None
    subject: str = ""
    language: str | None = None
    began_by: ChannelKind | None = None
    touchpoint: str = ""
    touchpoint_id: int | None = None
    status: Status = Status.PENDING
    owner_id: int | None = None
    spam: bool = False
    active_at: datetime | None = None
    closed_at: datetime | None = None
    snoozed_until: datetime | None = None
    answer_by: ChannelKind | None = None
    last_number: int = 0
    unread: int = 0
    snippet: str = ""
    merged_into: MemoryConversation | None = None
    wait: MemoryWait | None = None
    waits: list[MemoryWait] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    last_answer: int | None = None

    @property
    def goes_on(self) -> MemoryConversation:
        found = self
        while found.merged_into is not None:
            found = found.merged_into
        return found


class Calendars:
    """Opening hours of the desk and of its teams, as they come to be known."""

    def __init__(self, desk: list[Version]) -> None:
        self.desk, self.own = desk, dict[int, list[Change]]()
        self._timetables: dict[int | None, Timetable] = {}

    def add(self, version: Version, team_id: int | None) -> None:
        if team_id is None:
            self.desk.append(version)
        else:
            self.own.setdefault(team_id, []).append((version.valid_from, version))
        self._timetables.clear()

    def follow_desk(self, team_id: int, at: datetime) -> None:
        self.own.setdefault(team_id, []).append((at, None))
        self._timetables.clear()

    def has_own(self, team_id: int) -> bool:
        return bool(self.own.get(team_id)) and self.own[team_id][-1][1] is not None

    def timetable(self, team_id: int | None) -> Timetable:
        found = self._timetables.get(team_id)
        if found is None:
            found = Timetable(self.desk)
            if team_id is not None:
                found = found.with_own(self.own.get(team_id, ()))
            self._timetables[team_id] = found
        return found

    def hours(self, team_id: int | None, at: datetime) -> OpeningHours:
        return self.timetable(team_id).at(at).hours

    def for_wait(self, wait: MemoryWait) -> Timetable:
        if not wait.teams:
            return self.timetable(wait.team_id).since(wait.started_at)
        parts, since = [], wait.started_at
        for until, team_id in wait.teams:
            parts.append((since, self.timetable(team_id)))
            since = max(until, wait.started_at)
        parts.append((since, self.timetable(wait.team_id)))
        return Timetable.joined(parts)


class WaitBook:
    """The ledger of a history. `now` is when the desk knows; `at` is when something happened."""

    def __init__(self, calendars: Calendars, next_id: Callable[[], int]) -> None:
        self.calendars, self._next_id = calendars, next_id
        self.running: dict[int, MemoryWait] = {}

    # --- what time does by itself -------------------------------------------------------------------------------

    def catch_up(self, conversation: MemoryConversation, now: datetime, *, until_end: bool = False) -> None:
        """What was due in this conversation before `now` (`until_end`: by `now`), in the order in which it was."""
        while True:
            due = list(self._due(conversation))
            soonest = min((at for at, _ in due), default=None)
            if soonest is None or soonest > now or (soonest == now and not until_end):
                return
            step = next(step for at, step in due if at == soonest)
            wait = conversation.wait
            if step == "resume":
                self.resume(conversation, at=soonest)
            elif step == "wake":
                self.wake(conversation, now=soonest)
            elif step == "warn" and wait is not None:
                wait.warned_at = soonest
                wait.lines.append((soonest, WaitStep.WARNED, {}))
            elif step == "miss" and wait is not None:
                wait.missed_at = soonest
                wait.lines.append((soonest, WaitStep.MISSED, {}))

    @staticmethod
    def _due(conversation: MemoryConversation) -> Iterator[tuple[datetime, str]]:
        wait = conversation.wait
        if wait is not None:
            if wait.paused_until is not None:
                yield wait.paused_until, "resume"
            if wait.warn_at is not None and wait.warned_at is None:
                yield wait.warn_at, "warn"
            if wait.due_at is not None and wait.missed_at is None:
                yield wait.due_at, "miss"
        if conversation.status is Status.SNOOZED and conversation.snoozed_until is not None:
            yield conversation.snoozed_until, "wake"

    def wake(self, conversation: MemoryConversation, *, now: datetime) -> None:
        until, conversation.status, conversation.snoozed_until = conversation.snoozed_until, Status.OPEN, None
        self.resume(conversation, at=min(now, until or now), why=AGREED_SNOOZE)

    # --- the steps of the ledger ----------------------------------------------------------------------------------

    def start(
        self,
        conversation: MemoryConversation,
        *,
        channel: ChannelKind,
        entry_id: int | None,
        at: datetime,
        said: datetime | None = None,
    ) -> None:
        running = conversation.wait
        if running is not None:
            if at < running.started_at:
                self._started_earlier(running, at, entry_id)
            return
        timetable = self.calendars.timetable(conversation.team_id).since(at)
        version = timetable.at(at)
        target = version.hours.target(channel)
        data: dict[str, Any] = {"channel": channel, "entry": entry_id}
        if said is not None:
            data["said"] = said.isoformat()
        wait = MemoryWait(
            id=self._next_id(),
            conversation=conversation,
            entry_id=entry_id,
            channel=channel,
            team_id=conversation.team_id,
            first=not conversation.waits,
            calendar_id=version.id,
            started_at=at,
            warn_after_s=target.warn_s,
            target_s=target.target_s,
            warn_at=reached(timetable, at, (), timedelta(seconds=target.warn_s)),
            due_at=reached(timetable, at, (), timedelta(seconds=target.target_s)),
            lines=[(at, WaitStep.STARTED, data)],
        )
        conversation.wait = wait
        conversation.waits.append(wait)
        self.running[wait.id] = wait

    def _started_earlier(self, wait: MemoryWait, at: datetime, entry_id: int | None) -> None:
        settled = [
            other.ended_at
            for other in wait.conversation.waits
            if other is not wait and other.ended_at is not None and other.ending is not Ending.MERGED
        ]
        if settled and at <= max(settled):
            return
        began = [wait.started_at.isoformat(), at.isoformat()]
        wait.lines.append((at, WaitStep.MOVED, {"began": began, "entry": entry_id}))
        wait.started_at, wait.entry_id = at, entry_id
        self._count_anew(wait)

    def end(
        self,
        conversation: MemoryConversation,
        ending: Ending,
        *,
        at: datetime,
        by: int | None = None,
        entry_id: int | None = None,
    ) -> bool:
        wait = conversation.wait
        if wait is None:
            return False
        at = max(at, wait.started_at)
        pauses = [*wait.pauses]
        if wait.paused_at is not None:
            pauses.append((wait.paused_at, max(wait.paused_at, at)))
        shown = clocks(self.calendars.for_wait(wait), wait.started_at, pauses, at)
        if wait.paused_at is not None:
            wait.pauses.append((wait.paused_at, at))
        wait.ended_at, wait.ending, wait.ended_by, wait.ended_entry_id = at, ending, by, entry_id
        wait.wall_s, wait.open_s = whole_seconds(shown.wall), whole_seconds(shown.open)
        wait.net_s, wait.paused_s = whole_seconds(shown.net), whole_seconds(shown.open - shown.net)
        wait.paused_at = wait.paused_until = None
        wait.lines.append((at, WaitStep.ENDED, {"ending": ending, "by": by, "entry": entry_id}))
        conversation.wait = None
        self.running.pop(wait.id, None)
        return True

    def run_again(self, conversation: MemoryConversation, entry_id: int, *, at: datetime) -> bool:
        """The answer `entry_id` did not arrive."""
        wait = next((w for w in conversation.waits if w.ended_entry_id == entry_id and w.ended_at is not None), None)
        if wait is None:
            return False
        self._run_on(conversation, wait, {"undelivered": entry_id}, at=at)
        return True

    def take_back(self, conversation: MemoryConversation, closed_at: datetime, *, at: datetime) -> bool:
        closing = (Ending.CLOSED, Ending.NO_ANSWER_NEEDED, Ending.SPAM)
        found = [w for w in conversation.waits if w.ended_at == closed_at and w.ending in closing]
        if not found:
            return False
        wait = max(found, key=lambda w: w.id)
        self._run_on(conversation, wait, {"taken_back": wait.ending}, at=at)
        return True

    def _run_on(self, conversation: MemoryConversation, wait: MemoryWait, why: dict[str, Any], *, at: datetime) -> None:
        self.end(conversation, Ending.MERGED, at=at)
        wait.ended_at = wait.ending = wait.ended_by = wait.ended_entry_id = None
        wait.wall_s = wait.open_s = wait.net_s = None
        conversation.wait = wait
        self.running[wait.id] = wait
        self._count_anew(wait)
        wait.lines.append((at, WaitStep.RUNS_AGAIN, why))

    def pause(self, conversation: MemoryConversation, *, at: datetime, until: datetime, why: str) -> None:
        wait = conversation.wait
        if wait is None:
            return
        at = max(at, wait.started_at)
        line: Step = (at, WaitStep.PAUSED, {"until": until.isoformat(), "why": why})
        if wait.paused_at is not None:
            if wait.paused_until == until:
                return
        else:
            wait.paused_at, wait.warn_at, wait.due_at = at, None, None
        wait.paused_until, wait.why_paused = until, why
        wait.lines.append(line)

    def resume(self, conversation: MemoryConversation, *, at: datetime, why: str | None = None) -> None:
        wait = conversation.wait
        if wait is None or wait.paused_at is None or (why is not None and why != wait.why_paused):
            return
        at = max(at, wait.paused_at)
        wait.pauses.append((wait.paused_at, at))
        wait.lines.append((at, WaitStep.RESUMED, {}))
        wait.paused_at = wait.paused_until = None
        shown = clocks(self.calendars.for_wait(wait), wait.started_at, wait.pauses, at)
        wait.paused_s = whole_seconds(shown.open - shown.net)
        self._count_anew(wait)

    def move(self, source: MemoryConversation, target: MemoryConversation, *, at: datetime) -> None:
        """Merging: the older of two running waits goes on in `target`, the younger ends as merged."""
        moving, staying = source.wait, target.wait
        if moving is None:
            return
        if staying is not None and staying.started_at <= moving.started_at:
            self.end(source, Ending.MERGED, at=at)
            return
        if staying is not None:
            self.end(target, Ending.MERGED, at=at)
        self.carry(moving, source, target, at=at)

    def carry(self, wait: MemoryWait, source: MemoryConversation, target: MemoryConversation, *, at: datetime) -> None:
        source.waits.remove(wait)
        target.waits.append(wait)
        wait.conversation = target
        wait.lines.append((at, WaitStep.MOVED, {"from": source.id, "to": target.id}))
        if source.wait is wait:
            source.wait, target.wait = None, wait
            self.change_team(target, target.team_id, at=at)

    def change_channel(self, conversation: MemoryConversation, channel: ChannelKind, *, at: datetime) -> None:
        wait = conversation.wait
        if wait is None or wait.channel is channel:
            return
        target = self.calendars.hours(wait.team_id, at).target(channel)
        wait.lines.append((at, WaitStep.MOVED, {"channel": [wait.channel, channel]}))
        wait.channel, wait.warn_after_s, wait.target_s = channel, target.warn_s, target.target_s
        self._count_anew(wait)

    def change_team(self, conversation: MemoryConversation, team_id: int | None, *, at: datetime) -> None:
        wait = conversation.wait
        if wait is None or wait.team_id == team_id:
            return
        at = max(at, wait.started_at)
        target = self.calendars.hours(team_id, at).target(wait.channel)
        wait.lines.append((at, WaitStep.MOVED, {"team": [wait.team_id, team_id]}))
        wait.teams.append((at, wait.team_id))
        wait.team_id, wait.warn_after_s, wait.target_s = team_id, target.warn_s, target.target_s
        self._count_anew(wait)

    def hours_changed(self) -> None:
        for wait in self.running.values():
            self._count_anew(wait)

    def _count_anew(self, wait: MemoryWait) -> None:
        if wait.paused_at is not None:
            wait.warn_at = wait.due_at = None
            return
        timetable = self.calendars.for_wait(wait)
        warn, target = timedelta(seconds=wait.warn_after_s), timedelta(seconds=wait.target_s)
        wait.warn_at = wait.warned_at or reached(timetable, wait.started_at, wait.pauses, warn)
        wait.due_at = wait.missed_at or reached(timetable, wait.started_at, wait.pauses, target)
