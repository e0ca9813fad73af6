"""Empty, migrated databases, one per test: a copied file on SQLite, a copied database on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Connection, NullPool, create_engine, insert
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

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
        memory = Path("/dev/shm")
        roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 500_000_000
        self.folder = own_folder("sqlite")
        if roomy:
            self.folder.rmdir()
            self.folder = memory / self.folder.name
            self.folder.mkdir()
        self._template = self.folder / "template.sqlite"
        self._count = 0
        url = f"sqlite:///{self._template}"
        upgrade(url)
        engine = create_engine(url, poolclass=NullPool)
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
    """A throw-away cluster without durability, its administrator's connection on a thread and loop of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = own_folder("postgres")
        self._count = 0
        self._ready: deque[Future[str]] = deque()
        self._leaving: deque[Future[None]] = deque()
        self._one_at_a_time = asyncio.Lock()
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
        (self._folder / "postgres.output").touch()
        self._server = Server("postgres", command, self._folder, user="postgres", stop_signal=signal.SIGINT)
        self._server.start(
            lambda: listens(self.port) and (data / "postmaster.pid").read_text().strip().endswith("ready")
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres-administrator", daemon=True)
        self._thread.start()
        self._admin = self._run(asyncpg.connect(self.url("postgres"))).result(20)
        self._run(self._ask("CREATE DATABASE template_desk")).result(20)
        upgrade(self.url("template_desk"))
        self._run(self._fill_template()).result(20)

    def url(self, name: str) -> str:
        return f"postgresql://desk@127.0.0.1:{self.port}/{name}"

    def copy(self) -> str:
        """The URL of a new migrated database; the one for the next test is made meanwhile."""
        while len(self._leaving) > 2:
            self._leaving.popleft().result(20)
        while len(self._ready) < 2:
            self._ready.append(self._run(self._create("template_desk")))
        return self._ready.popleft().result(20)

    def empty(self) -> str:
        """The URL of a new database without any table."""
        return self._run(self._create("template0")).result(20)

    def drop(self, url: str) -> None:
        self._leaving.append(self._run(self._ask(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')))

    def remove(self) -> None:
        for unfinished in (*self._ready, *self._leaving):
            unfinished.result(20)
        self._run(self._admin.close()).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _create(self, template: str) -> str:
        self._count += 1
        name = f"desk_{self._count}"
        await self._ask(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    async def _ask(self, statement: str) -> None:
        async with self._one_at_a_time:
            await self._admin.execute(statement)

    async def _fill_template(self) -> None:
        url = make_url(self.url("template_desk")).set(drivername="postgresql+asyncpg")
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.run_sync(open_around_the_clock)
        await engine.dispose()
