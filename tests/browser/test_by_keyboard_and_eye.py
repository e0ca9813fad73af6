"""Keys, layouts and barriers: the desk by keyboard alone, on a phone, and checked by axe in every state."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from inbox.handoff import Brief
from inbox.vocabulary import OperatorId, Role
from tests.browser.conftest import OpenPage
from tests.browser.desk import BrowserDesk
from tests.support.browser import Troubles, axe_violations

SIZES = [(1600, 900), (1180, 800), (390, 844), (320, 640)]


async def _full_desk(desk: BrowserDesk) -> tuple[OperatorId, int]:
    """A supervisor, a colleague, customers in every state, an open offer; returns who and what to open."""
    mia, jonas = await desk.operator("Mia Novak", Role.SUPERVISOR), await desk.operator("Jonas Lind")
    await desk.chat("Noah Berg", "How do I export my data?", minutes=6, subject="Export")
    await desk.chat("Ava Khan", "Where is my parcel?", minutes=4)
    await desk.missed_call("+442079460012", minutes=2, name="Emma Sato")
    olivia = await desk.mail(
        "Olivia Hart",
        "My refund is late.\n\nOn Friday you wrote:\n> It is on its way.",
        minutes=60 * 26,
        subject="Refund for order 10442",
        cc=("accounts@hart.example",),
        html="<p>My refund is late.</p>",
        mail_data={"new_text": "My refund is late."},
    )
    await desk.note(olivia, jonas, "The bank has it.", minutes=60 * 25)
    await desk.reply(olivia, jonas, "It is at your bank: https://bank.example/trace", minutes=60 * 24)
    await desk.mail("Olivia Hart", "Thanks. A number?", minutes=4, subject="Re: Refund for order 10442", into=olivia)
    return mia, olivia


async def test_every_shortcut_of_the_table_is_in_the_help_dialog(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    page = await open_desk(mia)
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    for words in ("Next conversation", "Take the longest waiting", "Hand off with a brief", "Internal note", "Snooze"):
        await expect(dialog).to_contain_text(words)
    shown = await dialog.get_by_role("listitem").count()
    listed = await page.evaluate(
        "import(document.querySelector('script[type=module]').src.replace('inbox.js', 'keys.js'))"
        ".then(keys => keys.SHORTCUTS.length)"
    )
    assert shown == listed
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)


async def test_a_whole_turn_by_keyboard_alone(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia, _ = await _full_desk(desk_server)
    page = await open_desk(mia)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Export")).to_be_visible()
    await page.keyboard.press("n")
    await expect(page.get_by_role("textbox", name="Internal note")).to_be_focused()
    await page.keyboard.type("qjk")
    await expect(page.get_by_role("textbox", name="Internal note")).to_have_value("qjk")
    await page.keyboard.press("Escape")
    await page.keyboard.press("u")
    await expect(page.get_by_text("No conversation is open.")).to_be_visible()
    await page.keyboard.press("]")
    await expect(page.get_by_label("View")).to_have_value("mine")
    await page.keyboard.press("[")
    await expect(page.get_by_label("View")).to_have_value("waiting")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("refund")
    await expect(page.get_by_role("listbox", name="Found").get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("m")
    await expect(page.get_by_label("View")).to_have_value("mine")


async def test_fast_typists_lose_no_letter_to_a_shortcut(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia, olivia = await _full_desk(desk_server)
    page = await open_desk(mia, f"/inbox/{olivia}")
    await page.keyboard.type("nqueue ebb")
    await expect(page.get_by_role("textbox", name="Internal note")).to_have_value("queue ebb")
    await page.get_by_role("option", name=re.compile("Noah Berg")).click()
    await expect(page.get_by_role("heading", name="Export")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Reply")).not_to_be_focused()


async def test_single_keys_can_be_switched_off(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    page = await open_desk(mia)
    await page.get_by_role("button", name=re.compile("your menu")).click()
    await page.get_by_role("menuitem", name="Single-key shortcuts off").click()
    await page.keyboard.press("?")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_have_count(0)


async def test_the_palette_runs_any_action_by_its_name(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia, olivia = await _full_desk(desk_server)
    page = await open_desk(mia, f"/inbox/{olivia}")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("hand off")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name="Hand off this conversation")).to_be_visible()


async def test_addresses_are_links_and_back_works(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia, olivia = await _full_desk(desk_server)
    page = await open_desk(mia)
    await page.get_by_role("option", name=re.compile("Olivia Hart")).click()
    await expect(page).to_have_url(re.compile(rf"/inbox/{olivia}$"))
    await page.go_back()
    await expect(page.get_by_text("No conversation is open.")).to_be_visible()


async def test_on_a_phone_one_pane_shows_at_a_time_with_a_way_back(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia, _ = await _full_desk(desk_server)
    page = await open_desk(mia, width=390, height=844)
    await page.get_by_role("option", name=re.compile("Olivia Hart")).click()
    await expect(page.get_by_role("textbox", name="Reply")).to_be_visible()
    await expect(page.get_by_role("listbox")).to_be_hidden()
    await expect(page.get_by_role("navigation", name="Desk")).to_be_visible()
    await page.get_by_role("button", name="Back to the queue").click()
    await expect(page.get_by_role("listbox")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Reply")).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_nothing_is_wider_than_the_screen(
    desk_server: BrowserDesk, open_desk: OpenPage, width: int, height: int
) -> None:
    mia, olivia = await _full_desk(desk_server)
    page = await open_desk(mia, width=width, height=height)
    for path in ("/inbox", f"/inbox/{olivia}", "/queue?plain=1"):
        await page.goto(desk_server.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        if path.startswith("/inbox/"):
            await expect(page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport(ratio=1)


async def test_the_customer_card_slides_over_on_a_laptop(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia, olivia = await _full_desk(desk_server)
    page = await open_desk(mia, f"/inbox/{olivia}", width=1180, height=800)
    card = page.get_by_role("complementary", name="Customer")
    await expect(card).to_be_hidden()
    await page.keyboard.press(".")
    await expect(card).to_contain_text("olivia@hart.example")
    await page.get_by_role("button", name="Close the customer card").click()
    await expect(card).to_be_hidden()


async def test_a_whole_mail_is_shown_in_its_own_closed_frame(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    mail = await desk_server.mail(
        "Olivia Hart", "Hello", subject="Refund", html="<p>Hello <b>there</b></p>", mail_data={"remote_images": 1}
    )
    page = await open_desk(mia, f"/inbox/{mail}")
    await page.get_by_role("button", name="Show whole mail").click()
    frame = page.locator("iframe[title='Whole mail']")
    await expect(frame).to_have_attribute("sandbox", "allow-same-origin allow-popups")
    await expect(frame.content_frame.get_by_text("there")).to_be_visible()
    await page.get_by_role("button", name="Show remote images").click()
    await expect(frame).to_have_attribute("src", re.compile("remote=1"))


async def test_the_theme_can_be_set_by_hand(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    page = await open_desk(mia)
    surface = "getComputedStyle(document.querySelector('.queue-pane')).backgroundColor"
    assert await page.evaluate(surface) == "rgb(255, 255, 255)"
    await page.get_by_role("button", name=re.compile("your menu")).click()
    await page.get_by_role("menuitemradio", name="Dark").click()
    assert await page.evaluate(surface) == "rgb(24, 28, 36)"


# --- every state, light and dark, by axe ---


async def _press(page: Page, key: str, role: str, name: str) -> None:
    await page.keyboard.press(key)
    await expect(page.get_by_role(role, name=name)).to_be_visible()  # type: ignore[arg-type]


async def _menu(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name).click()
    await expect(page.get_by_role("menu")).to_be_visible()


STATES: dict[str, tuple[str, Callable[[Page], Awaitable[None]]]] = {
    "help": ("/inbox", lambda page: _press(page, "?", "dialog", "Keyboard shortcuts")),
    "palette": ("/inbox", lambda page: _press(page, "Control+k", "dialog", "Command palette")),
    "search": ("/inbox", lambda page: _press(page, "/", "searchbox", "Search conversations, customers and words")),
    "queue menu": ("/inbox", lambda page: _menu(page, "More of the queue")),
    "handoff": ("conversation", lambda page: _press(page, "h", "dialog", "Hand off this conversation")),
    "snooze": ("conversation", lambda page: _press(page, "b", "dialog", "Snooze until…")),
    "assign": ("conversation", lambda page: _press(page, "a", "dialog", "Assign to…")),
    "labels": ("conversation", lambda page: _press(page, "l", "dialog", "Labels")),
    "note": ("conversation", lambda page: _press(page, "n", "textbox", "Internal note")),
    "conversation menu": ("conversation", lambda page: _menu(page, "More about this conversation")),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_state_of_the_desk_breaks_an_accessibility_rule(
    desk_server: BrowserDesk, open_desk: OpenPage, scheme: str
) -> None:
    mia, olivia = await _full_desk(desk_server)
    broken: list[str] = []
    for width, height in SIZES:
        page = await open_desk(mia, width=width, height=height, scheme=scheme)
        paths = ["/inbox", f"/inbox/{olivia}"]
        if width in (1600, 390):
            paths += ["/inbox?view=mine", "/queue?plain=1", "/search?q=x"]
        for path in paths:
            await page.goto(desk_server.url + path)
            if path == f"/inbox/{olivia}":
                await expect(page.get_by_text("Thanks. A number?").last).to_be_visible()
            elif "view=" in path:
                await expect(page.get_by_role("region", name="Mine")).to_be_visible()
            broken += [f"{width} {scheme} {path}: {line}" for line in await axe_violations(page)]
    assert broken == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
async def test_no_dialog_or_menu_breaks_an_accessibility_rule(
    desk_server: BrowserDesk, open_desk: OpenPage, scheme: str, width: int
) -> None:
    mia, olivia = await _full_desk(desk_server)
    jonas = await desk_server.operator("Ines Costa")
    page = await open_desk(mia, width=width, height=844, scheme=scheme)
    offered = await desk_server.chat("Liam Kaya", "Please help", minutes=1)
    await desk_server.take(offered, jonas)
    await desk_server.hand_off(offered, by=jonas, to=mia, brief=Brief(wants="Help", next="Call him."))
    await expect(page.get_by_role("button", name="Accept")).to_be_visible()
    broken = [f"offer: {line}" for line in await axe_violations(page)]
    await page.get_by_role("button", name="Decline").click()
    for name, (path, show) in STATES.items():
        await page.goto(desk_server.url + (f"/inbox/{olivia}" if path == "conversation" else path))
        await page.get_by_text("Thanks. A number?").last.wait_for(state="attached")
        await show(page)
        broken += [f"{name}: {line}" for line in await axe_violations(page)]
    assert broken == []


async def test_the_pages_obey_a_strict_policy_with_trusted_types(
    desk_server: BrowserDesk, open_desk: OpenPage, troubles: Troubles
) -> None:
    mia, olivia = await _full_desk(desk_server)
    page = await open_desk(mia, f"/inbox/{olivia}")
    answer = await page.context.request.get(f"{desk_server.url}/inbox")
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "require-trusted-types-for 'script'" in policy
    await page.get_by_role("button", name="Show whole mail").click()
    await expect(page.locator("iframe").content_frame.get_by_text("My refund is late.")).to_be_visible()
    assert troubles.seen == []
