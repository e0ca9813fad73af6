"""Taking a whole history into an empty desk: all of it in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, select, update

from inbox.eventlog.book import Calendars, WaitBook
from inbox.eventlog.lines import Line, LineError, read_line
from inbox.eventlog.people import People
from inbox.eventlog.replay import Replay
from inbox.eventlog.rows import Rows
from inbox.store.models import (
    Address,
    Base,
    Calendar,
    Call,
    Callback,
    CallbackAttempt,
    Contact,
    Conversation,
    Entry,
    HandlingSpan,
    MissedOffer,
    Operator,
    Participant,
    PresenceSpan,
    Rating,
    Resolution,
    Tag,
    Team,
    TeamMember,
    Touchpoint,
    Wait,
    WaitLine,
)
from inbox.store.transaction import Transaction
from inbox.waits import calendar
from inbox.waits.timetable import Version

MOST_ERRORS = 20
FOUNDATIONS = frozenset({"hours", "operator", "customer", "conversation"})
"""Other lines build on these: they come first of those with one time."""

ORDER: tuple[type[Base], ...] = (
    Operator, Team, TeamMember, Contact, Address, Touchpoint, Calendar, Conversation, Participant, Entry, Call,
    Callback, CallbackAttempt, Wait, WaitLine, PresenceSpan, HandlingSpan, MissedOffer, Resolution, Rating, Tag,
)  # fmt: skip
"""Every table after those it refers to."""

Told = Callable[[str, int, int], None]
"""Called with the name of a step, how much of it is done, and how much there is."""


class CannotImport(Exception):
    """`problems`: sentences for whoever wrote or exported the log."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(slots=True)
class Log:
    """Lines in the order in which the desk knew of them. `warnings` say what was left out."""

    lines: list[Line] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Imported:
    lines: int
    conversations: int
    waits: int
    rows: int
    until: datetime | None


def read_log(written: Iterable[str | bytes], told: Callable[[int], None] = lambda number: None) -> Log:
    """Check every line; `told` hears how many were read. Raises CannotImport naming the first lines that are wrong."""
    log, problems = Log(), []
    unknown: dict[tuple[str, str], tuple[int, int]] = {}
    number = 0
    for number, line in enumerate(written, 1):
        try:
            found = read_line(line, number)
        except LineError as error:
            problems.append(str(error))
            if len(problems) >= MOST_ERRORS:
                problems.append("there may be more; mend these first")
                break
            continue
        if found is not None:
            log.lines.append(found)
            for key in found.unknown:
                first, times = unknown.get((found.kind, key), (number, 0))
                unknown[found.kind, key] = first, times + 1
        if number % 1_000 == 0:
            told(number)
    told(number)
    if problems:
        raise CannotImport(*problems)
    if not log.lines:
        raise CannotImport("the log holds no line")
    log.warnings = [
        f'line {first}: "{key}" of a line of kind "{kind}" is not known and is left out'
        + (f" ({times} lines)" if times > 1 else "")
        for (kind, key), (first, times) in unknown.items()
    ]
    log.lines.sort(key=lambda line: (line.known_at, line.kind not in FOUNDATIONS))
    return log


def import_events(tx: Transaction, log: Log, told: Told = lambda step, done, whole: None) -> Imported:
    """Replay a log. Raises CannotImport unless the desk is empty; LineError names the line that cannot be true."""
    _require_empty(tx)
    rows = Rows(tx.conn)
    first_hours = next((line for line in log.lines if line.kind == "hours" and line.values.get("queue") is None), None)
    calendars = Calendars(_desk_hours(tx, log) if first_hours is None else [])
    replay = Replay(rows, WaitBook(calendars, lambda: rows.next_id(Wait)), People(tx.conn, rows))
    if first_hours is not None:
        # What the log says of opening hours replaces what a new desk begins with.
        tx.conn.execute(delete(Calendar))
        replay.begin_with(first_hours)
    whole = len(log.lines)
    for done, line in enumerate(log.lines, 1):
        try:
            replay.apply(line)
        except LineError as error:
            raise CannotImport(str(error)) from None
        if done % 1_000 == 0 or done == whole:
            told("replay", done, whole)
    replay.finish()
    number, written = rows.number, 0

    def progress(more: int) -> None:
        nonlocal written
        written += more
        told("write", written, number)

    rows.write(tx, ORDER, progress)
    merged = [
        (conversation.id, conversation.merged_into.id)
        for conversation in replay.conversations.values()
        if conversation.merged_into is not None
    ]
    for source, target in merged:
        tx.conn.execute(update(Conversation).where(Conversation.id == source).values(merged_into_id=target))
    waits = sum(len(conversation.waits) for conversation in replay.conversations.values())
    return Imported(whole, len(replay.conversations), waits, number, log.lines[-1].known_at)


def _require_empty(tx: Transaction) -> None:
    for model in (Conversation, Contact, Wait, Entry):
        if tx.conn.execute(select(model.__table__).limit(1)).first() is not None:
            raise CannotImport(
                "this desk has conversations already; a log is imported into an empty one. Make a new desk with "
                "“vuoro init”, with a store of its own, and import there."
            )


def _desk_hours(tx: Transaction, log: Log) -> list[Version]:
    return list(calendar.timetable(tx.conn, min(line.at for line in log.lines)).versions)
