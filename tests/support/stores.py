"""Empty, migrated databases, one per test: a copied file on SQLite, a copied database on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Connection, NullPool, create_engine, insert
from sqlalchemy.engine import make_url

from inbox.store.models import Calendar
from inbox.waits.hours import ALWAYS
from migrations.run import upgrade
from tests.support.processes import Server, free_port, listens, own_folder, program

T = TypeVar("T")

ALWAYS_OPEN_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
ZONE = "Europe/Helsinki"


def open_around_the_clock(connection: Connection) -> None:
    """The one thing a desk can't be without: opening hours. Tests that need others add a version."""
    connection.execute(insert(Calendar).values(valid_from=ALWAYS_OPEN_SINCE, zone=ZONE, data=dict(ALWAYS)))


class SqliteTemplate:
    """A migrated file to copy; in memory where the system has a file system for that."""

    def __init__(self) -> None:
        self.folder = own_folder("sqlite", in_memory=True)
        self._template = self.folder / "template.sqlite"
        self._count = 0
        url = f"sqlite:///{self._template}"
        upgrade(url)
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        with engine.begin() as connection:
            open_around_the_clock(connection)

    def copy(self) -> str:
        """The URL of a new database in a folder of its own."""
        self._count += 1
        folder = self.folder / str(self._count)
        folder.mkdir()
        shutil.copyfile(self._template, folder / "desk.sqlite")
        return f"sqlite:///{folder / 'desk.sqlite'}"

    def drop(self, url: str) -> None:
        shutil.rmtree(Path(str(make_url(url).database)).parent, ignore_errors=True)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgresServer:
    """A throw-away cluster without durability, its administrator's connections on a thread and loop of their own.

    Making a database costs far more than emptying one, so a test's database is emptied and used again.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = own_folder("postgres", in_memory=True)
        self._count = 0
        self._free: list[_Emptied] = []
        self._taken: dict[str, _Emptied] = {}
        self._server = self._start()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres-administrator", daemon=True)
        self._thread.start()
        self._admin: Any = self._run(asyncpg.connect(self._url("postgres")))
        self._run(self._admin.execute("CREATE DATABASE template_desk"))
        upgrade(self._url("template_desk"))

    def copy(self) -> str:
        """The URL of a migrated database without rows, except for the opening hours."""
        database = self._free.pop() if self._free else self._run(self._create("template_desk"))
        self._run(database.prepare())
        self._taken[database.url] = database
        return database.url

    def empty(self) -> str:
        """The URL of a new database without any table."""
        database = self._run(self._create("template0"))
        self._taken[database.url] = database
        return database.url

    def drop(self, url: str) -> None:
        database = self._taken.pop(url)
        if database.migrated and self._run(database.clean()):
            self._free.append(database)
        else:
            self._run(self._remove(database))

    def remove(self) -> None:
        for database in self._free:
            self._run(database.admin.close())
        self._run(self._admin.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _url(self, name: str) -> str:
        return f"postgresql://desk@127.0.0.1:{self.port}/{name}"

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _start(self) -> Server:
        initdb = program("initdb", "postgresql", "/usr/lib/postgresql/*/bin")
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(self._folder, "postgres", "postgres")
            as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        data = self._folder / "data"
        subprocess.run(
            [initdb, "-A", "trust", "-U", "desk", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D", str(data)],
            check=True,
            capture_output=True,
            cwd="/",
            **as_user,
        )
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "max_connections": 200,
            "shared_buffers": "64MB",
        }
        command = [str(Path(initdb).with_name("postgres")), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        server = Server("postgres", command, self._folder, user="postgres", stop_signal=signal.SIGINT)
        status = data / "postmaster.pid"
        server.start(lambda: listens(self.port) and status.read_text().strip().endswith("ready"))
        return server

    async def _create(self, template: str) -> _Emptied:
        self._count += 1
        name = f"desk_{self._count}"
        await self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        url = self._url(name)
        return _Emptied(url, await asyncpg.connect(url), migrated=template == "template_desk")

    async def _remove(self, database: _Emptied) -> None:
        await database.admin.close()
        await self._admin.execute(f'DROP DATABASE "{make_url(database.url).database}" WITH (FORCE)')


class _Emptied:
    """One database and the connection that empties it between two tests."""

    def __init__(self, url: str, admin: Any, *, migrated: bool) -> None:
        self.url, self.admin, self.migrated = url, admin, migrated
        self._uses = 0

    async def prepare(self) -> None:
        await self.admin.execute(
            "INSERT INTO calendars (valid_from, zone, data) VALUES ($1, $2, $3)",
            int(ALWAYS_OPEN_SINCE.timestamp()) * 1_000_000,
            ZONE,
            json.dumps(ALWAYS),
        )

    async def clean(self) -> bool:
        """Cut off forgotten connections, delete all rows, count from 1 again; False when dropping it is better."""
        self._uses += 1
        await self.admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        size: int = await self.admin.fetchval("SELECT pg_database_size(current_database())")
        if self._uses > 100 or size > 30_000_000:  # deleted rows stay in the files
            return False
        tables = [row["relname"] for row in await self.admin.fetch("SELECT relname FROM pg_stat_user_tables")]
        delete = "".join(f'DELETE FROM "{table}"; ' for table in tables if table != "alembic_version")
        await self.admin.execute(
            f"BEGIN; SET LOCAL session_replication_role = replica; {delete} "
            "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence; COMMIT"
        )
        return True
