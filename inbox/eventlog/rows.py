"""Rows of a whole history, gathered in memory and written in bulk, in an order in which every reference is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, func, insert, select, text

from inbox.store.models import Base, table
from inbox.store.transaction import Transaction

CHUNK = 5_000

Progress = Callable[[int], None]


class Rows:
    """`add` gives out ids beforehand, so that rows can name each other before any of them is written."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._next: dict[type[Base], int] = {}
        self._rows: dict[type[Base], list[dict[str, Any]]] = {}

    def next_id(self, model: type[Base]) -> int:
        if model not in self._next:
            newest = self._conn.execute(select(func.max(table(model).c.id))).scalar()
            self._next[model] = (newest or 0) + 1
        self._next[model] += 1
        return self._next[model] - 1

    def add(self, model: type[Base], **values: Any) -> dict[str, Any]:
        """A row; it may be changed until it is written."""
        self._rows.setdefault(model, []).append(values)
        return values

    def add_with_id(self, model: type[Base], **values: Any) -> dict[str, Any]:
        return self.add(model, id=self.next_id(model), **values)

    def remove(self, model: type[Base], row: dict[str, Any]) -> None:
        rows = self._rows[model]
        del rows[next(index for index in reversed(range(len(rows))) if rows[index] is row)]

    def with_id(self, model: type[Base], row_id: int) -> dict[str, Any]:
        """A row of a table of which none is ever removed."""
        rows = self._rows[model]
        first: int = rows[0]["id"]
        return rows[row_id - first]

    @property
    def number(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def write(self, tx: Transaction, order: Iterable[type[Base]], progress: Progress) -> None:
        """Insert everything. The references of one row to a later one of the same table are not looked at before."""
        if tx.conn.dialect.name == "sqlite":
            tx.conn.execute(text("PRAGMA defer_foreign_keys=ON"))
        for model in order:
            rows = self._rows.pop(model, [])
            statement = insert(table(model))
            for start in range(0, len(rows), CHUNK):
                piece = rows[start : start + CHUNK]
                tx.conn.execute(statement, piece)
                progress(len(piece))
            if model in self._next and tx.conn.dialect.name == "postgresql":
                name = table(model).name
                tx.conn.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), :newest)"),
                    {"newest": max(1, self._next[model] - 1)},
                )
        assert not self._rows, f"rows of {sorted(model.__name__ for model in self._rows)} have no place in the order"
