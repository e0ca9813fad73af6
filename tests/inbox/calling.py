"""Calls and callbacks for tests: what an exchange reports, and what the desk then shows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, text

from inbox import callback_list, queue, reading
from inbox.call_facts import CallFacts, Direction
from inbox.callback_list import CallbackLine
from inbox.people import operators
from inbox.queue import QueueRow
from inbox.store.database import Database
from inbox.store.models import Call, Wait, WaitLine
from inbox.vocabulary import CallOutcome, ConversationId, OperatorId, Presence, Role

MAIJA = "+358401234567"
BEN = "+447400123456"


def missed(
    call_id: str,
    started_at: datetime,
    *,
    number: str | None = MAIJA,
    outcome: CallOutcome | None = CallOutcome.NO_ANSWER,
    lasted: timedelta = timedelta(seconds=30),
    **facts: Any,
) -> CallFacts:
    """A call as its last event tells it; `outcome=ANSWERED` with `answered_at` for one that was answered."""
    return CallFacts(
        provider="asterisk",
        account="pbx-1",
        call_id=call_id,
        direction=facts.pop("direction", Direction.INBOUND),
        started_at=started_at,
        number=number,
        ended_at=started_at + lasted if outcome is not None else None,
        outcome=outcome,
        **facts,
    )


async def operator(db: Database, name: str, now: datetime, *, presence: Presence = Presence.ONLINE) -> OperatorId:
    operator_id = await db.write(
        operators.add,
        email=f"{name.casefold()}@desk.example",
        name=name,
        password_hash="-",
        role=Role.OPERATOR,
        now=now,
    )
    await db.write(_appear, operator_id, presence)
    return operator_id


def _appear(tx: Any, operator_id: OperatorId, presence: Presence) -> None:
    tx.conn.execute(text("UPDATE operators SET presence = :p WHERE id = :id"), {"p": presence, "id": operator_id})


async def row(db: Database, conversation_id: ConversationId | None) -> QueueRow:
    assert conversation_id is not None
    found = await db.read(queue.row, conversation_id)
    assert found is not None
    return found


async def entries(db: Database, conversation_id: ConversationId | None) -> list[reading.TimelineEntry]:
    assert conversation_id is not None
    return await db.read(reading.timeline, conversation_id)


async def only_callback(db: Database, conversation_id: ConversationId | None) -> CallbackLine:
    assert conversation_id is not None
    [found] = await db.read(callback_list.of_conversation, conversation_id)
    return found


def waits(conn: Connection) -> list[Any]:
    return list(conn.execute(select(Wait.__table__).order_by(Wait.id)))


def wait_steps(conn: Connection) -> list[tuple[datetime, str]]:
    return [(line.at, line.step) for line in conn.execute(select(WaitLine.at, WaitLine.step).order_by(WaitLine.id))]


def calls(conn: Connection) -> list[Any]:
    return list(conn.execute(select(Call.__table__).order_by(Call.id)))
