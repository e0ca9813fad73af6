"""A past that is written down at once: conversations that are over, with their waits, answers and the work on them.

For desks that begin with a history. Every figure counts these rows like those of conversations that were lived through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select

from inbox import touchpoints
from inbox.queue_key import queue_key
from inbox.store.models import (
    Base,
    Call,
    Callback,
    CallbackAttempt,
    Contact,
    Conversation,
    Entry,
    HandlingSpan,
    PresenceSpan,
    Rating,
    Resolution,
    Tag,
    Wait,
    WaitLine,
    table,
)
from inbox.store.transaction import Transaction
from inbox.vocabulary import (
    AttemptOutcome,
    Author,
    CallbackState,
    ChannelKind,
    Ending,
    EntryKind,
    OperatorId,
    Presence,
    Status,
    WaitStep,
)
from inbox.waits import calendar
from inbox.waits.clockwork import whole_seconds
from inbox.waits.timetable import Timetable, Version

PIECE = 500
"""Rows in one statement."""


@dataclass(frozen=True, slots=True)
class PastWait:
    """What the customer wrote, when, and how that ended: a person's answer has words and a writer."""

    asked_at: datetime
    asked: str
    ended_at: datetime
    ending: Ending
    by: OperatorId | None = None
    answer: str = ""
    told_s: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class PastConversation:
    """Over since `resolved_at`. `missed_call`: it began with one; `tries` are calls back, the last one got through."""

    customer: str
    channel: ChannelKind
    subject: str
    source: Mapping[str, Any]
    waits: Sequence[PastWait]
    handled: Sequence[tuple[OperatorId, datetime, datetime]]
    resolved_at: datetime
    resolved_by: OperatorId | None
    reopened: bool = False
    rating: int | None = None
    tags: Sequence[str] = ()
    missed_call: bool = False
    tries: Sequence[tuple[OperatorId, datetime]] = ()


@dataclass(slots=True)
class _Rows:
    """What is to be inserted, by table, in an order in which references find their rows."""

    rows: dict[type[Base], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, model: type[Base], **values: Any) -> None:
        self.rows.setdefault(model, []).append(values)


_ORDER: Sequence[type[Base]] = (
    Contact, Conversation, Entry, Wait, WaitLine, HandlingSpan, Resolution, Rating, Tag, Call, Callback,
    CallbackAttempt,
)  # fmt: skip


def write(tx: Transaction, conversations: Sequence[PastConversation]) -> None:
    """Add conversations that are over. Times lie in the past and after the desk's first opening hours."""
    if not conversations:
        return
    timetable = calendar.timetable(tx.conn, min(one.waits[0].asked_at for one in conversations))
    version = timetable.at(conversations[0].waits[0].asked_at)
    rows, people = _Rows(), {}
    numbers: dict[type[Base], Iterator[int]] = {
        model: _after_last(tx.conn, model) for model in (Contact, Conversation, Entry, Wait, Callback)
    }
    doors: dict[tuple[ChannelKind, str], int] = {}
    for past in conversations:
        door = (past.channel, touchpoints.name_of(past.source))
        if door not in doors:
            doors[door] = touchpoints.ensure(tx, past.channel, past.source)
        if past.customer not in people:
            people[past.customer] = next(numbers[Contact])
            rows.add(Contact, id=people[past.customer], name=past.customer, note="", created_at=past.waits[0].asked_at)
        _conversation(rows, past, people[past.customer], doors[door], numbers, timetable, version)
    for model in _ORDER:
        found = rows.rows.get(model, [])
        for start in range(0, len(found), PIECE):
            tx.conn.execute(insert(table(model)), found[start : start + PIECE])
    if tx.conn.dialect.name == "postgresql":
        for model in numbers:
            name = table(model).name
            tx.conn.execute(
                select(
                    func.setval(
                        func.pg_get_serial_sequence(name, "id"), select(func.max(table(model).c.id)).scalar_subquery()
                    )
                )
            )


def write_presence(tx: Transaction, spans: Sequence[tuple[OperatorId, Presence, datetime, datetime]]) -> None:
    rows = [
        {"operator_id": operator, "presence": presence, "began_at": began, "ended_at": ended}
        for operator, presence, began, ended in spans
    ]
    for start in range(0, len(rows), PIECE):
        tx.conn.execute(insert(table(PresenceSpan)), rows[start : start + PIECE])


def _conversation(
    rows: _Rows,
    past: PastConversation,
    contact: int,
    door: int,
    numbers: Mapping[type[Base], Iterator[int]],
    timetable: Timetable,
    version: Version,
) -> None:
    conversation = next(numbers[Conversation])
    began = past.waits[0].asked_at
    number = 0
    for place, wait in enumerate(past.waits):
        number += 1
        asked = next(numbers[Entry])
        call = past.missed_call and place == 0
        rows.add(
            Entry, id=asked, conversation_id=conversation, number=number,
            kind=EntryKind.MESSAGE, channel=past.channel, author=Author.CONTACT, contact_id=contact, operator_id=None,
            text=wait.asked, data={}, created_at=wait.asked_at,
        )  # fmt: skip
        answer = None
        if wait.ending is Ending.ANSWERED and wait.answer:
            number += 1
            answer = next(numbers[Entry])
            rows.add(
                Entry, id=answer, conversation_id=conversation, number=number, kind=EntryKind.REPLY,
                channel=past.channel, author=Author.OPERATOR, contact_id=None, operator_id=wait.by, text=wait.answer,
                data={}, created_at=wait.ended_at,
            )  # fmt: skip
        _wait(rows, past, wait, conversation, asked, answer, place == 0, next(numbers[Wait]), timetable, version)
        if call:
            _call(rows, past, wait, conversation, contact, next(numbers[Callback]))
    rows.add(
        Conversation, id=conversation, contact_id=contact, subject=past.subject, status=Status.CLOSED, spam=False,
        channel=past.channel, owner_id=past.resolved_by, priority=0, last_number=number,
        snippet=past.waits[-1].asked[:200], version=1, created_at=began, active_at=past.resolved_at,
        closed_at=past.resolved_at, queue_key=queue_key(None, past.resolved_at), unread=0, reply_token=uuid4().hex,
        visitor_seen=0, source=dict(past.source), touchpoint_id=door,
    )  # fmt: skip
    for operator, at, until in past.handled:
        rows.add(
            HandlingSpan, operator_id=operator, conversation_id=conversation, channel=past.channel, began_at=at,
            ended_at=until, active_at=until,
        )  # fmt: skip
    if past.reopened:
        rows.add(
            Resolution, conversation_id=conversation, operator_id=past.resolved_by,
            resolved_at=past.resolved_at - timedelta(minutes=30), reopened_at=past.resolved_at - timedelta(minutes=10),
        )  # fmt: skip
    rows.add(
        Resolution, conversation_id=conversation, operator_id=past.resolved_by, resolved_at=past.resolved_at,
        reopened_at=None,
    )  # fmt: skip
    if past.rating is not None:
        rows.add(
            Rating, conversation_id=conversation, operator_id=past.resolved_by, score=past.rating, words="",
            at=past.resolved_at,
        )  # fmt: skip
    for tag in past.tags:
        rows.add(Tag, conversation_id=conversation, name=tag)


def _wait(
    rows: _Rows,
    past: PastConversation,
    wait: PastWait,
    conversation: int,
    asked: int,
    answer: int | None,
    first: bool,
    wait_id: int,
    timetable: Timetable,
    version: Version,
) -> None:
    target = version.hours.target(past.channel)
    warn_at = timetable.add(wait.asked_at, timedelta(seconds=target.warn_s))
    due_at = timetable.add(wait.asked_at, timedelta(seconds=target.target_s))
    warned = warn_at if warn_at is not None and warn_at < wait.ended_at else None
    missed = due_at if due_at is not None and due_at < wait.ended_at else None
    open_s = whole_seconds(timetable.open_time(wait.asked_at, wait.ended_at))
    low, high = wait.told_s or (None, None)
    rows.add(
        Wait, id=wait_id, conversation_id=conversation, entry_id=asked, channel=past.channel, team_id=None, first=first,
        calendar_id=version.id, started_at=wait.asked_at, warn_after_s=target.warn_s, target_s=target.target_s,
        warn_at=warn_at, due_at=due_at, warned_at=warned, missed_at=missed, paused_s=0, ended_at=wait.ended_at,
        ending=wait.ending, ended_by=wait.by, ended_entry_id=answer,
        wall_s=whole_seconds(wait.ended_at - wait.asked_at), open_s=open_s, net_s=open_s, told_low_s=low,
        told_high_s=high,
    )  # fmt: skip
    steps: list[tuple[datetime | None, WaitStep, dict[str, Any]]] = [
        (wait.asked_at, WaitStep.STARTED, {"channel": past.channel, "entry": asked}),
        (warned, WaitStep.WARNED, {}),
        (missed, WaitStep.MISSED, {}),
        (wait.ended_at, WaitStep.ENDED, {"ending": wait.ending, "by": wait.by, "entry": answer}),
    ]
    for at, step, data in steps:
        if at is not None:
            rows.add(WaitLine, wait_id=wait_id, at=at, step=step, data=data)


def _call(rows: _Rows, past: PastConversation, wait: PastWait, conversation: int, contact: int, callback: int) -> None:
    rows.add(
        Call, provider="past", account="", call_id=str(callback), conversation_id=conversation, direction="inbound",
        rank=1, outcome="no_answer", data={}, started_at=wait.asked_at, ended_at=wait.asked_at + timedelta(seconds=30),
    )  # fmt: skip
    reached = wait.ending is Ending.ANSWERED
    rows.add(
        Callback, id=callback, conversation_id=conversation, contact_id=contact,
        state=CallbackState.DONE if reached else CallbackState.CLOSED_UNREACHED, owner_id=past.resolved_by,
        due_at=wait.asked_at, missed_calls=1, attempts=len(past.tries), created_at=wait.asked_at,
        settled_at=wait.ended_at, summary={},
    )  # fmt: skip
    for number, (operator, at) in enumerate(past.tries, 1):
        last = number == len(past.tries)
        outcome = AttemptOutcome.REACHED if reached and last else AttemptOutcome.NO_ANSWER
        rows.add(
            CallbackAttempt, callback_id=callback, number=number, operator_id=operator, started_at=at,
            outcome=outcome, ended_at=at + timedelta(minutes=2), note="",
        )  # fmt: skip


def _after_last(conn: Connection, model: type[Base]) -> Iterator[int]:
    number = conn.execute(select(func.coalesce(func.max(table(model).c.id), 0))).scalar_one()
    while True:
        number += 1
        yield number
