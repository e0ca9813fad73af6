"""Bring a database to a revision of the schema, all steps in one transaction or none.

Synchronous: a program with a running event loop calls these in a thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from alembic.config import Config

POSTGRES_LOCK = 0x5675_6F72_6F  # "Vuoro": processes that start together migrate one after the other


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrade `sqlite:///path` or `postgresql://…`; does nothing when the database is there already."""
    if revision == "head" and _is_newest(url):
        return
    from alembic import command

    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str) -> None:
    """Go back to `revision`; "base" removes everything."""
    from alembic import command

    _run(url, lambda config: command.downgrade(config, revision))


def _is_newest(url: str) -> bool:
    """Asked of SQLite alone: it spares an ordinary start of a small desk the loading of Alembic."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or not Path(parsed.database).exists():
        return False
    with closing(sqlite3.connect(parsed.database, timeout=30)) as connection:
        try:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        except sqlite3.OperationalError:  # a new file
            return False
    newest = max(path.name.partition("_")[0] for path in Path(__file__).parent.glob("versions/[0-9]*_*.py"))
    return found == [(newest,)]


def _run(url: str, step: Callable[[Config], None]) -> None:
    from alembic.config import Config

    def on(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.attributes["connection"] = connection
        step(config)

    if make_url(url).get_backend_name() == "sqlite":
        _on_sqlite(url, on)
    else:
        # asyncpg is the only driver the desk has, and this thread may have a loop of its own.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(_on_postgres(url, on))).result()


def _on_sqlite(url: str, work: Callable[[Connection], None]) -> None:
    path = make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def on_connect(dbapi: sqlite3.Connection, _: object) -> None:
        dbapi.isolation_level = None  # the driver would commit before every CREATE TABLE
        dbapi.execute("PRAGMA synchronous=FULL")
        dbapi.execute("PRAGMA foreign_keys=OFF")  # altering a table on SQLite means copying and dropping it

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.begin() as connection:
        work(connection)
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise RuntimeError(f"the migration would leave a reference without its row: {tuple(broken)}")
    engine.dispose()


async def _on_postgres(url: str, work: Callable[[Connection], None]) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({POSTGRES_LOCK})")
            await connection.run_sync(work)
    finally:
        await engine.dispose()
