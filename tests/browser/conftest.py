"""Browsers at a real desk: operators signed in, every page watched for errors and broken content policies."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from inbox.vocabulary import OperatorId
from tests.browser.desk import BrowserDesk
from tests.support.browser import Troubles

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture
async def desk_server(sqlite_url: str, tmp_path: Path) -> AsyncIterator[BrowserDesk]:
    desk = BrowserDesk(sqlite_url, tmp_path)
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def open_desk(browser: Browser, desk_server: BrowserDesk, troubles: Troubles) -> AsyncIterator[OpenPage]:
    """`await open_desk(operator, "/inbox", width=…, height=…, scheme=…)`: a browser of its own for each call."""
    contexts = []

    async def opened(
        operator: OperatorId, path: str = "/inbox", *, width: int = 1400, height: int = 900, scheme: str = "light"
    ) -> Page:
        context = await browser.new_context(
            locale="en-GB",
            timezone_id="Europe/Helsinki",
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(8_000)
        contexts.append(context)
        await desk_server.sign_in(context, operator)
        page = troubles.watch(await context.new_page())
        await page.goto(desk_server.url + path)
        if path.startswith("/inbox"):
            await page.get_by_text(re.compile("^Live$")).wait_for()
        return page

    yield opened
    for context in contexts:
        await context.close()
