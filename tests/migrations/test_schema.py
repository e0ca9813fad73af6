"""The migrations and the models say the same, on both databases, forwards and back, with data in the tables."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, NullPool, create_engine, func, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

import migrations
from inbox.store.models import Base
from migrations.run import downgrade, upgrade
from tests.support.stores import PostgresServer

T = TypeVar("T")
MICROSECONDS = 1_773_136_800_123_456  # a time as the store keeps it


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'folder' / 'desk.sqlite'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.empty()
    yield url
    server.drop(url)


def on(url: str, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction, on either database, from ordinary code."""
    if make_url(url).get_backend_name() == "sqlite":
        Path(str(make_url(url).database)).parent.mkdir(exist_ok=True)
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            return work(connection)

    async def run() -> T:
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
        async with engine.begin() as connection:
            result = await connection.run_sync(work)
        await engine.dispose()
        return result

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(run())).result()


def revisions() -> list[str]:
    """All revisions, oldest first."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def schema_words(connection: Connection) -> set[str]:
    """How the database itself describes its tables, columns, indexes and constraints."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")).scalars()
        # Columns and constraints may stand in another order; a table that was altered has its name in quotes, and
        # columns added to it stand on the last line.
        own = [sql.replace('"', "") for sql in rows if "alembic_version" not in sql]
        words = {part for sql in own for part in re.split(r"\n|, (?=[a-z_]+ (?:[A-Z]{4,}))", sql)}
        return {part.strip(" \t\n,)") for part in words}
    asked = (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace",
        "SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length, is_nullable, "
        "column_default) FROM information_schema.columns WHERE table_schema = 'public'",
    )
    words = {line for question in asked for line in connection.execute(text(question)).scalars()}
    return {line for line in words if "alembic_version" not in line}


def test_the_migrations_give_the_schema_that_the_models_describe(empty_url: str) -> None:
    upgrade(empty_url)

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    assert on(empty_url, differences) == []


def test_the_migrations_give_every_condition_of_every_index_and_constraint(
    empty_url: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    sqlite = make_url(empty_url).get_backend_name() == "sqlite"
    made_by_models = f"sqlite:///{tmp_path / 'models.sqlite'}" if sqlite else postgres.empty()
    on(made_by_models, Base.metadata.create_all)
    upgrade(empty_url)

    assert on(empty_url, schema_words) == on(made_by_models, schema_words)
    if not sqlite:
        postgres.drop(made_by_models)


def test_every_step_goes_up_down_and_up_again_with_a_row_in_every_table(empty_url: str) -> None:
    for index, revision in enumerate(revisions()):
        upgrade(empty_url, revision)
        on(empty_url, fill)
        before = on(empty_url, counted)
        assert before
        assert set(before.values()) == {1}
        downgrade(empty_url, revisions()[index - 1] if index else "base")
        upgrade(empty_url, revision)
        on(empty_url, empty)
    downgrade(empty_url, "base")
    assert on(empty_url, tables) == set()


def test_upgrading_a_desk_that_is_up_to_date_changes_nothing(empty_url: str) -> None:
    upgrade(empty_url)
    on(empty_url, fill)
    schema, rows = on(empty_url, schema_words), on(empty_url, counted)
    upgrade(empty_url)
    assert (on(empty_url, schema_words), on(empty_url, counted)) == (schema, rows)


def test_several_processes_may_migrate_the_same_database_at_once(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(on_its_own, empty_url) for _ in range(4)]:
            assert done.result() == 0
    assert on(empty_url, tables) == set(Base.metadata.tables)


def on_its_own(url: str) -> int:
    command = [sys.executable, "-c", "import sys; from migrations.run import upgrade; upgrade(sys.argv[1])", url]
    return subprocess.run(command, cwd=Path(migrations.__file__).parents[1], check=False).returncode


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_url: str) -> None:
    def in_the_way(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE wait_lines (mine INTEGER)"))

    on(empty_url, in_the_way)
    with pytest.raises(Exception, match="wait_lines"):
        upgrade(empty_url)
    assert on(empty_url, tables) == {"wait_lines"}


# --- one row in every table, whatever the tables are -----------------------------------------------------------------


def fill(connection: Connection) -> None:
    """Put a row with every column set into each table; references point at the first row of the other table."""
    metadata = reflected(connection)
    for table in metadata.sorted_tables:
        if table.name != "alembic_version":
            connection.execute(insert(table).values({column.name: value_for(column) for column in table.columns}))


def value_for(column: Column[Any]) -> Any:
    if column.primary_key and not column.foreign_keys and column.type.python_type is int:
        return 1
    if column.foreign_keys:
        return 1
    python_type = column.type.python_type
    if python_type is bool:
        return True
    if python_type is int:
        return MICROSECONDS if column.name.endswith(("_at", "_until", "_from")) else 1
    if python_type is bytes:
        return b"\x00\xff"
    if python_type is dict:
        return {"zone": "Europe/Helsinki"}
    return "x"


def empty(connection: Connection) -> None:
    for table in reversed(reflected(connection).sorted_tables):
        if table.name != "alembic_version":
            connection.execute(table.delete())


def counted(connection: Connection) -> dict[str, int]:
    metadata = reflected(connection)
    return {
        name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in metadata.tables.items()
        if name != "alembic_version"
    }


def reflected(connection: Connection) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata
