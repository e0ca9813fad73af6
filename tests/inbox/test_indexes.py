"""What is read all day long never reads a whole table: a desk of many years answers like a new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event

from inbox import callback_timers, deliveries, handoff, lifecycle, queue, visitor_leaving
from inbox.call_facts import MISSED
from inbox.calls import _got_through_since
from inbox.clock import ManualClock
from inbox.store import arrivals, outbox
from inbox.store.models import Base, Call
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalState, OperatorId
from inbox.waits import ledger

ANN = OperatorId(1)
HOLDS_NOTHING_ELSE = "USING INDEX ix_entries_undelivered"


def late_news_of_a_call(conn: Connection, clock: ManualClock) -> None:
    call = Call(id=1, number="+358401234567", rank=MISSED, started_at=clock.now())
    _got_through_since(Transaction(conn, clock.now(), {}), call)


def claim(conn: Connection, clock: ManualClock) -> None:
    outbox.claim(Transaction(conn, clock.now(), {}), "delivery", now=clock.now())


def page(view: queue.View) -> Callable[[Connection, ManualClock], Any]:
    return lambda conn, _: queue.page(conn, view, ANN)


READS: dict[str, Callable[[Connection, ManualClock], Any]] = {
    **{f"the view {view}": page(view) for view in queue.View},
    "the counts": lambda c, clock: queue.counts(c, ANN, now=clock.now()),
    "everybody's place": lambda c, _: queue.places(c),
    "what is due to be sent": claim,
    "when something is to be sent": lambda c, _: outbox.next_at(c, "delivery"),
    "what was given up": lambda c, _: outbox.given_up(c),
    "what came in": lambda c, _: arrivals.waiting(c, "smtp"),
    "the tray": lambda c, _: arrivals.listing(c, [ArrivalState.TRAY]),
    "what was not delivered": lambda c, _: deliveries.undelivered(c),
    "the next warning": lambda c, _: ledger.next_due(c),
    "the next return of an offer": lambda c, _: handoff.next_return(c),
    "the offers to me": lambda c, _: handoff.offers(c, operator_id=ANN),
    "the next to wake": lambda c, _: lifecycle.next_wake(c),
    "the next to be given up on": lambda c, _: visitor_leaving.next_leaving(c),
    "the next callback": lambda c, _: callback_timers.next_due(c),
    "late news of a call": late_news_of_a_call,
}


@pytest.mark.parametrize("name", READS)
def test_no_list_reads_a_whole_table(name: str, tmp_path: Path, clock: ManualClock) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'desk.sqlite'}")
    Base.metadata.create_all(engine)
    steps: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def explain(_: Any, cursor: Any, statement: str, values: Any, *__: Any) -> None:
        if statement.startswith("SELECT"):
            steps.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    with engine.connect() as conn:
        READS[name](conn, clock)
    assert steps
    whole = [step for step in steps if step.startswith("SCAN") and not step.endswith(HOLDS_NOTHING_ELSE)]
    assert whole == []
