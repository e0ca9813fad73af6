"""Two databases behind two verbs: `write` (one committed use case) and `read`.

SQLite: one writer thread. All commands that wait when it becomes free share one transaction, each in its own
savepoint, and are answered after the one commit (`synchronous=FULL`): under load the price of an fsync is shared.
PostgreSQL: asyncpg; the same plain functions run inside SQLAlchemy's greenlet, several at a time.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool, StaticPool

from inbox.errors import StoreBusy
from inbox.events import AnyEvent
from inbox.store.storable import json_text
from inbox.store.transaction import Announce, DurableConsequences, Transaction

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

MAX_BATCH = 500
"""Commands in one grouped commit: bounds how long the first of them waits for its answer."""

MAX_WAITING = 20_000
"""Commands that may wait for the SQLite writer before new ones are refused with StoreBusy."""

POSTGRES_TRIES = 4
"""A use case lost to a deadlock, a serialisation failure or a concurrent insert of the same key is run again."""

RETRIED_SQLSTATES = {"40001", "40P01"}


LONGEST_SLEEP = timedelta(minutes=1)
SHARED_SLEEP = timedelta(seconds=1)
"""Where several processes share a database, what another one has left to do is looked for this often."""


def longest_sleep(db: Database) -> timedelta:
    """How long a worker may sleep that is woken by the commits of its own process."""
    return SHARED_SLEEP if db.several_processes else LONGEST_SLEEP


class Database(Protocol):
    """The store. `write` and `read` may be called from any task of the loop that opened it."""

    several_processes: bool

    async def write(self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(tx, …)` in one transaction; return after the commit. An exception rolls back, announces nothing."""

    async def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, …)` on a consistent view that cannot write."""

    def on_commit(self, announce: Announce) -> None: ...

    async def close(self) -> None: ...


def open_database(url: str, *, now: Callable[[], datetime], durable: DurableConsequences) -> Database:
    """`sqlite:///path` or `postgresql://user:password@host/name`.

    Raises ValueError for any other kind of URL.
    """
    backend = make_url(url).get_backend_name()
    if backend == "sqlite":
        return SqliteDatabase(url, now=now, durable=durable)
    if backend == "postgresql":
        return PostgresDatabase(url, now=now, durable=durable)
    raise ValueError(f"{backend}: a desk runs on sqlite:/// or postgresql://")


class _Announcing:
    def __init__(self) -> None:
        self._listeners: list[Announce] = []

    def on_commit(self, announce: Announce) -> None:
        self._listeners.append(announce)

    def _announce(self, happened: Sequence[AnyEvent]) -> None:
        if not happened:
            return
        for listener in self._listeners:
            try:
                listener(happened)
            except Exception:
                log.exception("announcing failed", listener=repr(listener))


# --- SQLite ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Command:
    work: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    done: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    events: Sequence[AnyEvent] = ()


class SqliteDatabase(_Announcing):
    several_processes = False

    def __init__(self, url: str, *, now: Callable[[], datetime], durable: DurableConsequences) -> None:
        super().__init__()
        path = make_url(url).database
        if not path or path == ":memory:":
            raise ValueError("SQLite needs a file: sqlite:///path/to/vuoro.sqlite")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._now, self._durable = now, durable
        self._writer = _sqlite_engine(url, StaticPool, begin="BEGIN IMMEDIATE")
        self._readers = _sqlite_engine(url, QueuePool, begin="BEGIN", query_only=True, pool_size=4, max_overflow=0)
        self._waiting: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._reading = ThreadPoolExecutor(4, thread_name_prefix="sqlite-reader")
        self._thread: threading.Thread | None = None
        self._closed = False

    async def write(self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        if self._closed:
            raise RuntimeError("the database is closed")
        if self._waiting.qsize() > MAX_WAITING:
            raise StoreBusy
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_forever, args=(loop,), name="sqlite-writer", daemon=True)
            self._thread.start()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.put(_Command(work, args, kwargs, done))
        return await done

    async def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        def run() -> T:
            with self._readers.connect() as conn:
                return work(conn, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def close(self) -> None:
        """Finish what was accepted, checkpoint, release the file."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._thread.join)
        self._reading.shutdown()
        self._readers.dispose()
        self._writer.dispose()

    def _write_forever(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._writer.connect() as conn:
            stopping = False
            while not stopping:
                first = self._waiting.get()
                if first is None:
                    return
                batch = [first]
                while len(batch) < MAX_BATCH:
                    try:
                        more = self._waiting.get_nowait()
                    except queue.Empty:
                        break
                    if more is None:
                        stopping = True
                        break
                    batch.append(more)
                self._commit_together(conn, batch)
                try:
                    loop.call_soon_threadsafe(self._answer, batch)
                except RuntimeError:  # the loop has gone; what is committed is committed
                    return

    def _commit_together(self, conn: Connection, batch: list[_Command]) -> None:
        try:
            with conn.begin():
                driver = conn.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                for command in batch:
                    tx = Transaction(conn, self._now(), self._durable)
                    driver.execute("SAVEPOINT command")
                    try:
                        command.result = command.work(tx, *command.args, **command.kwargs)
                        command.events = tx.events
                    except BaseException as error:
                        command.error = error
                        if not driver.in_transaction:  # SQLite gave up the whole transaction (disk full …)
                            raise
                        driver.execute("ROLLBACK TO command")
                    driver.execute("RELEASE command")
        except BaseException as error:
            log.exception("commit failed", commands=len(batch))
            for command in batch:
                command.error, command.events = command.error or error, ()

    def _answer(self, batch: list[_Command]) -> None:
        for command in batch:
            if not command.done.done():  # whoever asked may have gone
                if command.error is not None:
                    command.done.set_exception(command.error)
                else:
                    command.done.set_result(command.result)
            if command.error is None:
                self._announce(command.events)


def _sqlite_engine(url: str, pool: type[Any], *, begin: str, query_only: bool = False, **options: Any) -> Engine:
    engine = create_engine(
        url,
        poolclass=pool,
        connect_args={"check_same_thread": False},
        json_serializer=json_text,
        hide_parameters=True,
        **options,
    )

    @event.listens_for(engine, "connect")
    def on_connect(dbapi: sqlite3.Connection, _: object) -> None:
        dbapi.isolation_level = None  # the driver's own transactions begin too late and lose updates
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "busy_timeout=10000",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-20000",
            f"query_only={'ON' if query_only else 'OFF'}",
        ):
            dbapi.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(conn: Connection) -> None:
        conn.exec_driver_sql(begin)

    return engine


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


class PostgresDatabase(_Announcing):
    several_processes = True

    def __init__(self, url: str, *, now: Callable[[], datetime], durable: DurableConsequences) -> None:
        super().__init__()
        self._now, self._durable = now, durable
        self._engine: AsyncEngine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            pool_size=8,
            max_overflow=8,
            pool_pre_ping=True,
            json_serializer=json_text,
            hide_parameters=True,  # what customers write does not belong into a log
        )

    async def write(self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        tries = 0
        while True:
            tries += 1
            try:
                # Shielded: a visitor who disconnects must not cut a use case in half.
                return await asyncio.shield(self._write_once(work, args, kwargs))
            except DBAPIError as error:
                if tries >= POSTGRES_TRIES or not _may_succeed_again(error):
                    raise

    async def _write_once(self, work: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        def run(conn: Connection) -> tuple[T, Sequence[AnyEvent]]:
            tx = Transaction(conn, self._now(), self._durable)
            return work(tx, *args, **kwargs), tx.events

        async with self._engine.begin() as conn:
            result, happened = await conn.run_sync(run)
        self._announce(happened)
        return result

    async def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._engine.connect() as conn:
            await conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            return await conn.run_sync(lambda connection: work(connection, *args, **kwargs))

    async def close(self) -> None:
        await self._engine.dispose()


def _may_succeed_again(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error, IntegrityError) or state in RETRIED_SQLSTATES
