"""The waits behind a figure, and the ledger of one conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from inbox.queue_key import microseconds, moment
from inbox.store.models import Contact, Conversation, Operator, Wait, WaitLine
from inbox.vocabulary import ChannelKind, ConversationId, Ending, OperatorId, TeamId, WaitId, WaitStep
from inbox.waits import ledger
from inbox.waits.figures import Figure, condition, today

PIECE = 100
"""Waits in one piece of the list behind a figure."""


@dataclass(frozen=True, slots=True)
class WaitRecord:
    id: WaitId
    conversation_id: ConversationId
    contact_name: str
    subject: str
    channel: ChannelKind
    team_id: TeamId | None
    first: bool
    started_at: datetime
    warn_at: datetime | None
    due_at: datetime | None
    warned_at: datetime | None
    missed_at: datetime | None
    paused_at: datetime | None
    ended_at: datetime | None
    ending: Ending | None
    ended_by: str
    wall_s: int | None
    open_s: int | None
    net_s: int | None
    target_s: int
    told_low_s: int | None
    told_high_s: int | None


@dataclass(frozen=True, slots=True)
class LineRecord:
    at: datetime
    step: WaitStep
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Behind:
    """A piece of the waits behind a figure; `next_after` asks for the following one."""

    rows: Sequence[WaitRecord]
    next_after: tuple[int, int] | None


def behind(
    conn: Connection,
    figure: Figure,
    *,
    now: datetime,
    channel: ChannelKind | None = None,
    operator_id: OperatorId | None = None,
    since: datetime | None = None,
    after: tuple[int, int] | None = None,
    limit: int = PIECE,
) -> Behind:
    """The waits a figure counts: running ones longest first, others by how long they took.

    Running ones have their clocks as they stand now.

    `operator_id`: of conversations this operator owns (running) or of waits they ended. `since`: instead of today.
    """
    which = condition(figure, now=now, since=since or today(conn, now))
    by_start = figure in (
        Figure.LONGEST, Figure.WAITING, Figure.IN_TARGET, Figure.WARNED, Figure.MISSED, Figure.AGREED
    )  # fmt: skip
    # One ascending number orders either list, so that it is paged by key.
    key: ColumnElement[int] = Wait.__table__.c.started_at if by_start else -func.coalesce(Wait.net_s, 2**31)
    query = _waits().where(which)
    if channel is not None:
        query = query.where(Wait.channel == channel)
    if operator_id is not None:
        query = query.where(Conversation.owner_id == operator_id if by_start else Wait.ended_by == operator_id)
    if after is not None:
        bound: Any = moment(after[0]) if by_start else after[0]
        query = query.where(or_(key > bound, and_(key == bound, Wait.id > after[1])))
    rows = conn.execute(query.order_by(key, Wait.id).limit(limit + 1)).all()
    more, rows = len(rows) > limit, rows[:limit]
    last = rows[-1] if more else None
    return Behind(
        [_record(row) if row.ended_at is not None else _running(conn, row, now) for row in rows],
        None
        if last is None
        else (microseconds(last.started_at) if by_start else -(2**31 if last.net_s is None else last.net_s), last.id),
    )


def began_between(
    conn: Connection,
    which: ColumnElement[bool],
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    after: tuple[int, int] | None = None,
    limit: int = PIECE,
) -> Behind:
    """The waits of [since, until) that `which` chooses, latest first. `which` may ask about their conversation."""
    start = Wait.__table__.c.started_at
    query = _waits().where(which, start >= since, start < until)
    if after is not None:
        bound = moment(after[0])
        query = query.where(start <= bound, or_(start < bound, Wait.id < after[1]))
    rows = conn.execute(query.order_by(start.desc(), Wait.id.desc()).limit(limit + 1)).all()
    more, rows = len(rows) > limit, rows[:limit]
    return Behind(
        [_record(row) if row.ended_at is not None else _running(conn, row, now) for row in rows],
        (microseconds(rows[-1].started_at), rows[-1].id) if more else None,
    )


def of_conversation(conn: Connection, conversation_id: ConversationId) -> list[WaitRecord]:
    """Every wait of a conversation, oldest first."""
    rows = conn.execute(_waits().where(Wait.conversation_id == conversation_id).order_by(Wait.started_at, Wait.id))
    return [_record(row) for row in rows]


def lines(conn: Connection, wait_id: WaitId) -> list[LineRecord]:
    """The ledger of one wait, as it was written."""
    rows = conn.execute(
        select(WaitLine.at, WaitLine.step, WaitLine.data).where(WaitLine.wait_id == wait_id).order_by(WaitLine.id)
    )
    return [LineRecord(row.at, WaitStep(row.step), row.data) for row in rows]


def _waits() -> Any:
    return (
        select(
            Wait.__table__,
            Conversation.subject,
            Contact.name.label("contact_name"),
            Operator.name.label("operator_name"),
        )
        .join(Conversation, Conversation.id == Wait.conversation_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .outerjoin(Operator, Operator.id == Wait.ended_by)
    )


def _running(conn: Connection, row: Any, now: datetime) -> WaitRecord:
    clocks = ledger.clocks(conn, row, now)
    wall_s, open_s, net_s = (int(span.total_seconds()) for span in (clocks.wall, clocks.open, clocks.net))
    return replace(_record(row), wall_s=wall_s, open_s=open_s, net_s=net_s)


def _record(row: Any) -> WaitRecord:
    return WaitRecord(
        id=WaitId(row.id),
        conversation_id=ConversationId(row.conversation_id),
        contact_name=row.contact_name,
        subject=row.subject,
        channel=ChannelKind(row.channel),
        team_id=row.team_id,
        first=row.first,
        started_at=row.started_at,
        warn_at=row.warn_at,
        due_at=row.due_at,
        warned_at=row.warned_at,
        missed_at=row.missed_at,
        paused_at=row.paused_at,
        ended_at=row.ended_at,
        ending=Ending(row.ending) if row.ending else None,
        ended_by=row.operator_name or "",
        wall_s=row.wall_s,
        open_s=row.open_s,
        net_s=row.net_s,
        target_s=row.target_s,
        told_low_s=row.told_low_s,
        told_high_s=row.told_high_s,
    )
