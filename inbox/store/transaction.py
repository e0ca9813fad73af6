"""One use case, one transaction.

A use case is an ordinary function of a `Transaction`; it cannot await, so nothing can hold a database lock over the
network. `Database.write` commits it together with the outbox rows of what it recorded, and only then returns and
tells the screens. See docs/decisions/0001-transactions-are-plain-functions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, insert

from inbox import events
from inbox.events import AnyEvent
from inbox.store.models import Base, Outbox, table
from inbox.store.prepared import Prepared
from inbox.vocabulary import OutboxState

DurableConsequences = Mapping[type, Sequence[str]]
"""Event type → names of the outbox handlers that must see it."""


class Transaction:
    """A write in progress: `conn` for statements, `record` for what has happened."""

    __slots__ = ("_durable", "conn", "events", "now")

    def __init__(self, conn: Connection, now: datetime, durable: DurableConsequences) -> None:
        self.conn, self.now, self._durable = conn, now, durable
        self.events: list[AnyEvent] = []

    def insert(self, model: type[Base], **values: Any) -> int:
        """Add a row to a table with an `id`; the new id."""
        added = table(model)
        new_id: int = self.conn.execute(insert(added).values(**values).returning(added.c.id)).scalar_one()
        return new_id

    def record(self, event: AnyEvent) -> None:
        """Note a fact: its durable consequences are stored with this commit, screens hear of it afterwards."""
        self.events.append(event)
        at = event.not_before if isinstance(event, events.ReplyWritten) else None
        for handler in self._durable.get(type(event), ()):
            add_outbox(self, handler, event, at=at)


_COLUMNS = ("handler", "conversation_id", "payload", "state", "attempts", "next_at", "last_error", "created_at")
_INSERT = Prepared(insert(table(Outbox)).values({column: bindparam(column) for column in _COLUMNS}))


class Announce(Protocol):
    """Told on the event loop after the commit; must not fail the command and may be missed."""

    def __call__(self, happened: Sequence[AnyEvent], /) -> None: ...


def add_outbox(tx: Transaction, handler: str, event: AnyEvent, *, at: datetime | None = None) -> None:
    """Queue `event` for `handler`, not before `at`."""
    _INSERT.run(
        tx.conn,
        handler=handler,
        conversation_id=event.conversation_id if isinstance(event, events.Event) else None,
        payload={"event": type(event).__name__, **_plain(asdict(event))},
        state=OutboxState.QUEUED,
        attempts=0,
        next_at=at or tx.now,
        last_error="",
        created_at=tx.now,
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}


Work = Callable[..., Any]
