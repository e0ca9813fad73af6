"""Fixtures for every test. Servers start when the first test asks for one and stop with the run.

`database` runs a test twice, on SQLite and on PostgreSQL; `clock` stands at ten o'clock UTC on a Tuesday.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from inbox.clock import ManualClock
from inbox.store.database import Database, open_database
from tests.support.browser import Troubles, launch_chromium
from tests.support.dovecot import Dovecot
from tests.support.postfix import Postfix
from tests.support.redis_server import RedisServer
from tests.support.stores import PostgresServer, SqliteTemplate

TUESDAY_AT_TEN = datetime(2026, 3, 10, 10, tzinfo=UTC)  # noon in Helsinki


settings.register_profile("desk", deadline=None)  # a shared machine is sometimes slow; pytest-timeout finds hangs
settings.load_profile("desk")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(TUESDAY_AT_TEN)


@pytest.fixture(scope="session")
def sqlite_template() -> Iterator[SqliteTemplate]:
    template = SqliteTemplate()
    yield template
    template.remove()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postfix() -> Iterator[Postfix]:
    server = Postfix()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty migrated database, open around the clock."""
    source: SqliteTemplate | PostgresServer = request.getfixturevalue(
        "sqlite_template" if request.param == "sqlite" else "postgres"
    )
    url = source.copy()
    yield url
    source.drop(url)


@pytest.fixture
def sqlite_url(sqlite_template: SqliteTemplate) -> Iterator[str]:
    """For the few tests that are about SQLite itself or about a whole program on its default database."""
    url = sqlite_template.copy()
    yield url
    sqlite_template.drop(url)


@pytest.fixture
def durable() -> Mapping[type, Sequence[str]]:
    """Event type → outbox handlers. A test file that needs some overrides this fixture."""
    return {}


@pytest.fixture
async def database(
    database_url: str, clock: ManualClock, durable: Mapping[type, Sequence[str]]
) -> AsyncIterator[Database]:
    opened = open_database(database_url, now=clock.now, durable=durable)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await launch_chromium(playwright)
        yield chromium
        await chromium.close()


@pytest.fixture
def troubles() -> Iterator[Troubles]:
    """What watched pages complained about; the test fails when anything is left at its end."""
    troubles = Troubles()
    yield troubles
    assert troubles.seen == []


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """One person's browser: own cookies, English, Helsinki time, 1280 by 800. Make more with `browser.new_context`."""
    opened = await browser.new_context(
        locale="en-GB", timezone_id="Europe/Helsinki", viewport={"width": 1280, "height": 800}
    )
    opened.set_default_timeout(10_000)
    yield opened
    await opened.close()


@pytest.fixture
async def page(context: BrowserContext, troubles: Troubles) -> Page:
    return troubles.watch(await context.new_page())
