"""The wallboard in a supervisor's browser and on a screen on the wall."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from inbox.vocabulary import OperatorId, Role
from tests.browser.wall_desk import WallDesk
from tests.support.browser import Troubles, axe_violations
from web.wall import WALL

RELOADED_AFTER_MS = 10_000


@pytest.fixture
async def desk(sqlite_url: str, tmp_path: Path) -> AsyncIterator[WallDesk]:
    desk = WallDesk(sqlite_url, tmp_path)
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def supervisor(desk: WallDesk, context: BrowserContext) -> OperatorId:
    supervisor = await desk.busy_day()
    await desk.sign_in(context, supervisor)
    return supervisor


async def opened(page: Page, desk: WallDesk, path: str = "/wallboard") -> Page:
    await page.goto(desk.url + path)
    await page.wait_for_selector("html[data-ready]")
    return page


def tile(page: Page, part: str) -> str:
    return f'[data-part="{part}"] .tile-figure'


async def test_the_board_shows_the_figures_and_its_clock_ticks(
    desk: WallDesk, supervisor: OperatorId, page: Page
) -> None:
    await opened(page, desk)
    await expect(page.locator(tile(page, "waiting"))).to_have_text("8")
    await expect(page.locator(tile(page, "longest"))).to_have_text(re.compile("^6:4|^6:5"))
    now = await page.locator(tile(page, "longest")).inner_text()
    await expect(page.locator(tile(page, "longest"))).not_to_have_text(now)
    longest = page.locator('[data-part="longest"]')
    await expect(longest).to_have_class("tile missed")
    await expect(longest).to_contain_text("Olivia Hart")
    await expect(longest).to_contain_text("over 5 min")
    await expect(page.locator(tile(page, "operators-tile"))).to_have_text("2 / 5")


async def test_what_happens_is_pushed_rather_than_asked_for(desk: WallDesk, supervisor: OperatorId, page: Page) -> None:
    await opened(page, desk)
    await expect(page.locator("#live-words")).to_have_text("Live")
    await desk.chat("New Visitor", "Hello?", minutes=0)
    desk.manual.advance(timedelta(seconds=1))
    await expect(page.locator(tile(page, "waiting"))).to_have_text("9", timeout=RELOADED_AFTER_MS / 2)


async def test_each_figure_opens_the_waits_behind_it(desk: WallDesk, supervisor: OperatorId, page: Page) -> None:
    await opened(page, desk)
    await page.get_by_role("link", name="Longest wait").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Longest wait")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(8)
    await expect(rows.first).to_contain_text("Olivia Hart")
    await rows.first.get_by_role("link").click()
    await expect(page).to_have_url(f"{desk.url}/inbox/1")


async def test_the_numbers_of_a_channel_open_only_theirs(desk: WallDesk, supervisor: OperatorId, page: Page) -> None:
    await opened(page, desk)
    cells = page.locator(".by-channel tbody tr").filter(has_text="E-mail").locator("td")
    await expect(cells).to_have_text(["1", "1", "0"])
    await cells.nth(1).get_by_role("link").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("Nadia Rahim")


async def test_an_update_keeps_focus_and_an_opened_table(desk: WallDesk, supervisor: OperatorId, page: Page) -> None:
    await opened(page, desk)
    await page.get_by_text("Show as table").click()
    await page.locator('[data-part="waiting"]').focus()
    await desk.chat("New Visitor", "Hello?", minutes=0)
    desk.manual.advance(timedelta(seconds=31))
    await desk.app[WALL].push()
    await expect(page.locator(tile(page, "waiting"))).to_have_text("9")
    assert await page.evaluate("document.activeElement.dataset.part") == "waiting"
    await expect(page.locator(".as-table table")).to_be_visible()


async def test_a_paused_board_stands_still_and_catches_up(desk: WallDesk, supervisor: OperatorId, page: Page) -> None:
    await opened(page, desk)
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#live-words")).to_have_text("Paused")
    await desk.chat("New Visitor", "Hello?", minutes=0)
    desk.manual.advance(timedelta(seconds=1))
    await desk.app[WALL].push()
    await expect(page.locator(tile(page, "waiting"))).to_have_text("8")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator(tile(page, "waiting"))).to_have_text("9")


@pytest.mark.parametrize(
    ("width", "height", "scheme", "locale"),
    [
        (1920, 1080, "dark", "en-GB"),
        (1440, 860, "light", "en-GB"),
        (390, 844, "light", "fi-FI"),
        (320, 640, "dark", "en-GB"),
    ],
)
async def test_the_board_is_accessible_and_fits_the_screen(
    desk: WallDesk,
    browser: Browser,
    troubles: Troubles,
    width: int,
    height: int,
    scheme: Literal["dark", "light"],
    locale: str,
) -> None:
    supervisor = await desk.busy_day()
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        locale=locale,
    )
    await desk.sign_in(context, supervisor)
    page = await opened(troubles.watch(await context.new_page()), desk)
    assert await axe_violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    if width == 1920:  # a television is not scrolled, and is read from four metres
        assert await page.evaluate("document.documentElement.scrollHeight") <= height
        sizes = await page.evaluate(
            "[...document.querySelectorAll('.tile-figure')].map((e) => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert sizes[0] >= 64
        assert min(sizes) >= 44
    await context.close()


async def test_the_lists_and_the_links_are_accessible(desk: WallDesk, supervisor: OperatorId, page: Page) -> None:
    for path in ("/waits?figure=missed_today", "/waits?figure=agreed", "/wallboard/links"):
        await page.goto(desk.url + path)
        assert await axe_violations(page) == []


async def test_a_desk_at_which_nothing_has_happened_says_so(
    desk: WallDesk, context: BrowserContext, page: Page
) -> None:
    await desk.sign_in(context, await desk.operator("Sofia Supervisor", Role.SUPERVISOR))
    await opened(page, desk)
    await expect(page.locator('[data-part="longest"]')).to_contain_text("Nobody is waiting.")
    await expect(page.locator('[data-part="chart"]')).to_contain_text("Nobody has been answered today yet.")
    assert await axe_violations(page) == []


async def test_a_link_shows_the_board_without_an_account_until_it_is_revoked(
    desk: WallDesk, supervisor: OperatorId, page: Page, browser: Browser, troubles: Troubles
) -> None:
    await page.goto(f"{desk.url}/wallboard/links")
    await page.get_by_label("Hide the names").check()
    await page.get_by_role("button", name="Make a link").click()
    address = await page.locator(".made-link").inner_text()
    token = address.rsplit("/", 1)[1]

    screen = await browser.new_context()
    wall = await opened(troubles.watch(await screen.new_page()), desk, f"/wall/{token}?theme=dark")
    await expect(wall.locator(tile(wall, "waiting"))).to_have_text("8")
    await expect(wall.locator("body")).not_to_contain_text("Olivia")
    await expect(wall.locator("body")).not_to_contain_text("Mia Novak")
    assert await wall.locator("#board a").count() == 0
    assert await axe_violations(wall) == []
    await desk.chat("New Visitor", "Hello?", minutes=0)
    desk.manual.advance(timedelta(seconds=1))
    await expect(wall.locator(tile(wall, "waiting"))).to_have_text("9", timeout=RELOADED_AFTER_MS / 2)

    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    desk.manual.advance(timedelta(seconds=11))
    await expect(wall.get_by_role("heading", level=1)).not_to_have_text("Wallboard")
    troubles.forgive("404")
    await screen.close()
