"""The widget in real Chromium, on a shop of another origin with a strict content policy and Trusted Types."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, Request, expect

from inbox import lifecycle, ratings, reading
from inbox.queue import rows_of
from inbox.vocabulary import CallbackState, Delivery
from tests.browser.widget_desk import FIRST, WidgetDesk, panel, panel_frame
from tests.support.browser import Troubles, axe_violations
from tests.support.conditions import eventually
from tests.support.processes import program
from web.demo_shop import shop_app

expect.set_options(timeout=15_000)  # a machine may be busy with other tests
BUDGET_LOADER, BUDGET_PANEL = 4_096, 14_336


@pytest.fixture
async def desk(tmp_path: Path, sqlite_url: str) -> AsyncIterator[WidgetDesk]:
    started = WidgetDesk(tmp_path, sqlite_url)
    await started.start()
    yield started
    await started.stop()


async def _open(page: Page, desk: WidgetDesk) -> None:
    await page.goto(desk.shop)
    await page.get_by_role("button", name="Chat with us").click()
    await expect(panel(page).get_by_role("banner").get_by_text("Connecting")).to_have_count(0)


async def _ask(page: Page, desk: WidgetDesk, question: str = "Where is my tent?") -> None:
    await _open(page, desk)
    await panel(page).get_by_label("Your question").fill(question)
    await panel(page).get_by_role("button", name="Start chat").click()
    await expect(panel(page).get_by_text("Received")).to_be_visible()


async def test_nothing_but_one_script_is_asked_for_before_somebody_wants_to_chat(page: Page, desk: WidgetDesk) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.startswith(desk.url):
            asked.append(request.url)

    page.on("request", note)
    await page.goto(desk.shop, wait_until="networkidle")
    await expect(page.get_by_role("button", name="Chat with us")).to_be_visible()
    assert asked == [f"{desk.url}/widget/loader.js"]


async def test_a_visitor_asks_waits_in_the_queue_and_is_answered(page: Page, desk: WidgetDesk) -> None:
    await _ask(page, desk)
    await expect(panel(page).get_by_text("is your place in the queue")).to_be_visible()
    await expect(panel(page).locator(".place strong")).to_have_text("1")
    await desk.reply(FIRST, desk.mia, "On its way since this morning.")
    await expect(panel(page).get_by_role("log").get_by_text("On its way since this morning.")).to_be_visible()
    await expect(panel(page).get_by_text("You are talking with Mia")).to_be_visible()
    await expect(panel(page).get_by_text("is your place in the queue")).to_have_count(0)
    await panel(page).get_by_label("Message").fill("Thank you")
    await panel(page).get_by_label("Message").press("Enter")
    await expect(panel(page).get_by_text("Received")).to_be_visible()
    await desk.screens._shown(FIRST, 10)  # as when an operator has it on the screen
    await expect(panel(page).get_by_text("Read", exact=True)).to_be_visible()

    async def read() -> bool:
        return any(e.delivery is Delivery.READ for e in await desk.db.read(reading.timeline, FIRST))

    await eventually(read)


async def test_the_visitor_sees_who_writes(page: Page, desk: WidgetDesk) -> None:
    await _ask(page, desk)
    await desk.chat.operator_writing(FIRST, "Mia", True)
    await expect(panel(page).get_by_text("Mia is writing")).to_be_visible()
    await desk.chat.operator_writing(FIRST, "Mia", False)
    await expect(panel(page).get_by_text("Mia is writing")).to_have_count(0)


async def test_after_a_reload_the_conversation_is_there_and_the_badge_counts_what_is_new(
    page: Page, desk: WidgetDesk
) -> None:
    await _ask(page, desk)
    await page.reload()
    await eventually(lambda: _connected(desk))
    await desk.reply(FIRST, desk.mia, "On its way.")
    await expect(page.get_by_role("img", name="1 new messages")).to_be_visible()
    await page.get_by_role("button", name="Chat with us").click()
    await expect(panel(page).get_by_text("Where is my tent?")).to_be_visible()
    await expect(page.get_by_role("img", name="1 new messages")).to_be_hidden()


async def _connected(desk: WidgetDesk) -> bool:
    return bool(desk.chat.connected)


async def test_what_is_written_while_the_desk_is_away_arrives_once_when_it_is_back(
    page: Page, desk: WidgetDesk, troubles: Troubles
) -> None:
    await _ask(page, desk)
    await desk.stop_desk()
    await expect(panel(page).get_by_text("The connection is down.")).to_be_visible()
    await panel(page).get_by_label("Message").fill("Still there?")
    await panel(page).get_by_role("button", name="Send").click()
    await expect(panel(page).get_by_text("Sending")).to_be_visible()
    await desk.start_desk()
    await expect(panel(page).get_by_text("Sending")).to_have_count(0, timeout=20_000)
    assert await desk.texts() == ["Where is my tent?", "Still there?"]
    _forgive_lost_lines(troubles)


def _forgive_lost_lines(troubles: Troubles) -> None:
    """Chromium reports each try to connect that fails or that a reload cuts short."""
    lost = (
        "ERR_CONNECTION_REFUSED",
        "ERR_EMPTY_RESPONSE",
        "ERR_CONNECTION_RESET",
        "ERR_INTERNET_DISCONNECTED",
        "socket.io",
    )
    troubles.seen = [line for line in troubles.seen if not any(words in line for words in lost)]


async def test_offline_the_question_is_kept_and_sent_once_when_the_line_is_back(
    page: Page, desk: WidgetDesk, troubles: Troubles
) -> None:
    await page.goto(desk.shop)
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Chat with us").click()
    await expect(page.get_by_role("heading", name="We cannot connect you right now")).to_be_visible()
    assert await axe_violations(page, within="vuoro-chat") == []
    await page.get_by_label("Your question").fill("Is the shop open on Sunday?")
    await page.get_by_label("E-mail or phone").fill("olivia@hart.example")
    await page.get_by_role("button", name="Save and send").click()
    await expect(page.get_by_text("Kept. We will send it when you are back online.")).to_be_visible()
    await page.context.set_offline(False)

    async def arrived() -> bool:
        return await desk.texts() == ["Is the shop open on Sunday?"]

    await eventually(arrived)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.reload(wait_until="networkidle")
    assert await page.evaluate("localStorage.getItem('vuoro.shop.outbox')") is None
    (row,) = await desk.db.read(rows_of, [FIRST])
    assert (row.last_number, row.waiting_since is not None) == (1, True)
    _forgive_lost_lines(troubles)


async def test_closed_the_widget_takes_a_question_and_says_when_somebody_is_back(page: Page, desk: WidgetDesk) -> None:
    await desk.close_the_doors()
    await _open(page, desk)
    await expect(panel(page).get_by_text("We are closed")).to_be_visible()
    await panel(page).get_by_label("Your question").fill("Is the shop open on Sunday?")
    await panel(page).get_by_role("button", name="Send").click()
    await expect(panel(page).locator(".error").get_by_text("Write your mail address")).to_be_visible()
    assert await axe_violations(panel_frame(page)) == []  # type: ignore[arg-type]
    await panel(page).get_by_label("E-mail", exact=True).fill("olivia@hart.example")
    await panel(page).get_by_role("button", name="Send").click()
    await expect(panel(page).get_by_text("Your reference number")).to_be_visible()
    assert await desk.texts() == ["Is the shop open on Sunday?"]


async def test_a_call_can_be_asked_for_while_waiting(page: Page, desk: WidgetDesk) -> None:
    await _ask(page, desk)
    await panel(page).get_by_role("button", name="Call me back").click()
    await panel(page).get_by_label("Phone").fill("040 123 4567")
    await panel(page).get_by_role("button", name="Request the call").click()
    await expect(panel(page).get_by_text("Thank you")).to_be_visible()
    (row,) = await desk.db.read(rows_of, [FIRST])
    assert row.callback == CallbackState.DUE
    await panel(page).get_by_role("button", name="Back to the queue").click()
    await expect(panel(page).get_by_text("is your place in the queue")).to_be_visible()


async def test_a_file_is_sent_and_can_be_fetched_again(page: Page, desk: WidgetDesk, tmp_path: Path) -> None:
    await _ask(page, desk)
    file = tmp_path / "receipt.txt"
    file.write_text("Paid: 289 €")
    await panel(page).locator("input[type=file]").set_input_files(file)
    await expect(panel(page).locator(".chosen").get_by_text("receipt.txt")).to_be_visible()
    await panel(page).get_by_role("button", name="Send").click()
    await expect(panel(page).get_by_role("log").get_by_text("receipt.txt")).to_be_visible()
    await page.reload()
    await page.get_by_role("button", name="Chat with us").click()
    async with page.expect_download() as download:
        await panel(page).get_by_role("link", name="receipt.txt").click()
    saved = await (await download.value).path()
    assert saved.read_text() == "Paid: 289 €"


async def test_everything_works_by_keyboard_and_focus_comes_back(page: Page, desk: WidgetDesk) -> None:
    await page.goto(desk.shop)
    button = page.get_by_role("button", name="Chat with us")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(panel(page).get_by_label("Your question")).to_be_focused()
    await page.keyboard.type("Where is my tent?")
    await page.keyboard.press("Enter")
    await expect(panel(page).get_by_label("Message")).to_be_focused()
    await expect(panel(page).get_by_text("Received")).to_be_visible()
    await page.keyboard.type("First line")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second line")
    await page.keyboard.press("Enter")
    await expect(panel(page).get_by_text("First line")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(button).to_be_focused()
    assert await desk.texts() == ["Where is my tent?", "First line\nsecond line"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_state_breaks_an_accessibility_rule(
    browser: Browser, desk: WidgetDesk, troubles: Troubles, scheme: str
) -> None:
    context = await browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": 1000, "height": 760}
    )
    context.set_default_timeout(10_000)
    page = troubles.watch(await context.new_page())

    async def fine(state: str) -> None:
        await expect(panel(page).locator(f"main.{state}")).to_be_visible()
        found = await axe_violations(panel_frame(page))  # type: ignore[arg-type]
        assert found == [], (state, found)

    await page.goto(desk.shop)
    assert await axe_violations(page, within="vuoro-chat") == []
    await _open(page, desk)
    await fine("home")
    await panel(page).get_by_label("Your question").fill("Where is my tent?")
    await panel(page).get_by_role("button", name="Start chat").click()
    await expect(panel(page).get_by_text("is your place in the queue")).to_be_visible()
    await fine("wait")
    await panel(page).get_by_role("button", name="Call me back").click()
    await fine("call")
    await panel(page).get_by_role("button", name="Back to the queue").click()
    await panel(page).get_by_role("button", name="Answer by e-mail").click()
    await panel(page).get_by_label("E-mail").fill("nonsense")
    await panel(page).get_by_role("button", name="Answer by e-mail").click()
    await expect(panel(page).locator(".error").get_by_text("This is not a mail address")).to_be_visible()
    await fine("mail")
    await panel(page).get_by_label("E-mail").fill("olivia@hart.example")
    await panel(page).get_by_role("button", name="Answer by e-mail").click()
    await fine("done")
    await panel(page).get_by_role("button", name="Back").click()
    await desk.reply(FIRST, desk.mia, "See https://shop.example/tents")
    await fine("chat")
    await context.close()


async def test_on_a_phone_the_panel_fills_the_screen_and_targets_are_large(
    browser: Browser, desk: WidgetDesk, troubles: Troubles
) -> None:
    context = await browser.new_context(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    context.set_default_timeout(10_000)
    page = troubles.watch(await context.new_page())
    await _ask(page, desk)
    box = await page.locator("vuoro-chat iframe").bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 360, 640)
    small = await panel_frame(page).evaluate(
        """() => [...document.querySelectorAll("button, input, textarea, select, footer a")]
             .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML)"""
    )
    assert small == []
    sizes = await panel_frame(page).evaluate(
        "() => [...document.querySelectorAll('input, textarea, select')].map((e) => getComputedStyle(e).fontSize)"
    )
    assert set(sizes) == {"16px"}
    wide = await panel_frame(page).evaluate("() => document.documentElement.scrollWidth")
    assert wide == 360
    await panel(page).get_by_role("button", name="Close chat").click()
    await expect(page.get_by_role("button", name="Chat with us")).to_be_visible()
    await context.close()


def _changed(path: str, old: str, new: str) -> Callable[[str], web.Application]:
    """The shop with something else in one of its answers; everything when `old` is empty."""

    def make(desk_url: str) -> web.Application:
        @web.middleware
        async def change(request: web.Request, handler: Any) -> web.StreamResponse:
            response: web.Response = await handler(request)
            if request.path == path:
                response.text = (response.text or "").replace(old, new) if old else new
            return response

        shop = shop_app(desk_url)
        shop.middlewares.append(change)
        return shop

    return make


async def test_a_finnish_shop_gets_a_finnish_widget(tmp_path: Path, sqlite_url: str, page: Page) -> None:
    desk = WidgetDesk(tmp_path, sqlite_url)
    await desk.start(_changed("/", '<html lang="en">', '<html lang="fi">'))
    try:
        await page.goto(desk.shop)
        await page.get_by_role("button", name="Keskustele kanssamme").click()
        await expect(panel(page).get_by_role("heading", name="Miten voimme auttaa?")).to_be_visible()
        assert await panel_frame(page).evaluate("document.documentElement.lang") == "fi"
    finally:
        await desk.stop()


HOSTILE = """
*, *::before, *::after { all: revert; letter-spacing: 9px !important; text-transform: uppercase !important;
  color: lime !important; background: black !important; font: 40px cursive !important; position: static !important;
  display: block !important;
  width: 900px !important; opacity: 0.3 !important; z-index: 1 !important; animation: none !important; }
button, iframe, div { display: none !important; } vuoro-chat { display: none; margin: 500px !important; }
"""


async def test_hostile_styles_of_the_host_do_not_reach_the_widget(tmp_path: Path, sqlite_url: str, page: Page) -> None:
    desk = WidgetDesk(tmp_path, sqlite_url)
    await desk.start(_changed("/shop.css", "", HOSTILE))
    try:
        await page.goto(desk.shop)
        button = page.get_by_role("button", name="Chat with us")
        await expect(button).to_be_visible()
        style = await button.evaluate(
            "(b) => { const s = getComputedStyle(b); return [s.letterSpacing, s.textTransform, s.fontSize, s.opacity] }"
        )
        assert style == ["normal", "none", "15px", "1"]
        box = await button.bounding_box()
        assert box is not None
        assert 1280 - 16 - box["x"] - box["width"] == pytest.approx(0, abs=1)
        await button.click()
        await expect(panel(page).get_by_label("Your question")).to_be_visible()
    finally:
        await desk.stop()


async def test_the_widget_stays_small(desk: WidgetDesk, page: Page) -> None:
    """Brotli sizes of what a visitor loads before, and with, the first opening."""
    bodies: dict[str, bytes] = {}

    async def keep(response: object) -> None:
        url = response.url  # type: ignore[attr-defined]
        if url.startswith(desk.url) and "socket.io" not in url:
            bodies[url] = await response.body()  # type: ignore[attr-defined]

    page.on("response", keep)
    await page.goto(desk.shop, wait_until="networkidle")
    await page.get_by_role("button", name="Chat with us").click()
    await expect(panel(page).get_by_role("button", name="Start chat")).to_be_visible()
    await eventually(lambda: _has(bodies, 5))
    node = program("node", "nodejs")
    script = "console.log(require('zlib').brotliCompressSync(require('fs').readFileSync(0)).length)"
    total: dict[str, int] = {}
    for url, body in bodies.items():
        done = subprocess.run([node, "-e", script], input=body, capture_output=True, check=True)
        total[url.rpartition("/")[2].partition("?")[0]] = int(done.stdout)
    assert set(total) == {"loader.js", "panel", "panel.js", "rt.js", "panel.css"}
    loader = total.pop("loader.js")
    assert loader <= BUDGET_LOADER, loader
    assert sum(total.values()) <= BUDGET_PANEL, total


async def _has(bodies: dict[str, bytes], count: int) -> bool:
    return len(bodies) >= count


async def test_a_visitor_rates_a_talk_that_was_closed_with_one_tap_and_a_sentence(page: Page, desk: WidgetDesk) -> None:
    await _ask(page, desk)
    await desk.reply(FIRST, desk.mia, "It arrives tomorrow.")
    await expect(panel(page).get_by_text("It arrives tomorrow.")).to_be_visible()
    await expect(panel(page).get_by_text("How was it?")).to_have_count(0)
    await desk.db.write(lifecycle.close, FIRST, by=desk.mia, now=desk.now)
    await panel(page).get_by_role("button", name="4 of 5").click()
    await panel(page).get_by_label("What should we know about it?").fill("Quick.")
    await panel(page).get_by_role("group", name="Thank you.").locator("xpath=following::button[1]").click()

    async def kept() -> bool:
        given = await desk.db.read(ratings.of_conversation, FIRST)
        return given is not None and (given.score, given.words) == (4, "Quick.")

    await eventually(kept)
    assert await axe_violations(panel_frame(page)) == []  # type: ignore[arg-type]
