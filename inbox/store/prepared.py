"""Statements of the hot paths, compiled once per kind of database and then run on the bare driver.

Building and caching a SQLAlchemy statement costs many times what SQLite needs to run it. A `Prepared` is written with
the same models and `bindparam`s, keeps their type conversions, and works on both databases; it is used where a
customer's message, a mail or a wait passes, and nowhere else.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

Convert = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement for one dialect."""

    sql: str
    names: tuple[str, ...]
    binds: tuple[Convert, ...]
    fixed: dict[str, Any]
    row: type[Any] | None
    results: tuple[Convert, ...]


class Prepared:
    """`statement` uses `bindparam("name")` for every value that varies."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._forms: dict[str, _Form] = {}

    def run(self, conn: Connection, **values: Any) -> int:
        """Execute; the number of rows changed."""
        form = self._form(conn)
        if conn.dialect.name == "sqlite":
            return _driver(conn).execute(form.sql, _bound(form, values)).rowcount
        return conn.exec_driver_sql(form.sql, _bound(form, values)).rowcount

    def first(self, conn: Connection, **values: Any) -> Any:
        """The first row as a named tuple, or None."""
        form = self._form(conn)
        found: Any
        if conn.dialect.name == "sqlite":
            cursor = _driver(conn).execute(form.sql, _bound(form, values))
            found = cursor.fetchone()
            cursor.close()
        else:
            found = conn.exec_driver_sql(form.sql, _bound(form, values)).first()
        return None if found is None else _converted(form, found)

    def scalar(self, conn: Connection, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.first(conn, **values)
        return None if row is None else row[0]

    def all(self, conn: Connection, **values: Any) -> list[Any]:
        """Every row as a named tuple."""
        form = self._form(conn)
        found: Any
        if conn.dialect.name == "sqlite":
            found = _driver(conn).execute(form.sql, _bound(form, values)).fetchall()
        else:
            found = conn.exec_driver_sql(form.sql, _bound(form, values)).all()
        return [_converted(form, row) for row in found]

    def _form(self, conn: Connection) -> _Form:
        form = self._forms.get(conn.dialect.name)
        if form is None:
            form = self._forms[conn.dialect.name] = self._compile(conn)
        return form

    def _compile(self, conn: Connection) -> _Form:
        dialect = conn.dialect
        compiled = cast(SQLCompiler, self._statement.compile(dialect=dialect))
        names = tuple(compiled.positiontup or ())
        types = {name: bind.type for name, bind in compiled.binds.items()}
        binds = tuple(types[name].dialect_impl(dialect).bind_processor(dialect) for name in names)
        columns = compiled._result_columns
        results = tuple(column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns)
        row = namedtuple("Row", [column.keyname for column in columns]) if columns else None
        fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        return _Form(str(compiled), names, binds, fixed, row, results)


def _driver(conn: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, conn.connection.driver_connection)


def _bound(form: _Form, values: dict[str, Any]) -> tuple[Any, ...]:
    bound = []
    for name, convert in zip(form.names, form.binds, strict=True):
        value = values[name] if name in values else form.fixed[name]
        bound.append(value if convert is None else convert(value))
    return tuple(bound)


def _converted(form: _Form, row: Any) -> Any:
    assert form.row is not None
    return form.row(
        *[value if convert is None else convert(value) for value, convert in zip(row, form.results, strict=True)]
    )
