"""The pages that are forms and lists, and the dialogs of a turn at work: checked by axe in both schemes and sizes."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from playwright.async_api import Page, expect

from inbox import deliveries, reading
from inbox.store import arrivals
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalState, Role
from tests.browser.conftest import OpenPage
from tests.browser.desk import BrowserDesk
from tests.support.browser import Troubles, axe_violations

LOOKS = [(1280, "light"), (390, "dark")]
HEIGHT = 844


async def _look(page: Page, state: str) -> list[str]:
    """What axe finds in this state, and whether a small phone must be pushed sideways; one reading, several looks."""
    broken: list[str] = []
    for width, scheme in LOOKS:
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        broken += [f"{state} {width} {scheme}: {line}" for line in await axe_violations(page)]
    await page.set_viewport_size({"width": 320, "height": 640})
    if not await page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        broken.append(f"{state}: wider than 320 pixels")
    await page.set_viewport_size({"width": 1280, "height": HEIGHT})
    return broken


def _set_aside(tx: Transaction, reason: str, *, now: datetime) -> None:
    kept = arrivals.keep(tx, source="smtp", dedupe_key=reason, raw=b"Subject: x\r\n\r\n", envelope={}, now=now)
    arrivals.settle(tx, kept.arrival_id, ArrivalState.SET_ASIDE, now=now, reason=reason)


@pytest.mark.timeout(180)
async def test_no_form_or_list_breaks_an_accessibility_rule(
    desk_server: BrowserDesk, open_desk: OpenPage, troubles: Troubles
) -> None:
    desk = desk_server
    mia, jonas = await desk.operator("Mia Novak", Role.ADMINISTRATOR), await desk.operator("Jonas Lind")
    for reason in ("copy", "automatic_reply: vacation_subject", "a reason of " + "manywords" * 12):
        await desk.db.write(_set_aside, reason, now=desk.clock.now())
    mail = await desk.mail("Olivia Hart", "Where is it?", subject="Parcel")
    await desk.reply(mail, mia, "On its way.")
    sent = next(one for one in await desk.db.read(reading.timeline, mail) if one.text == "On its way.")
    await desk.db.write(deliveries.failed_for_good, sent.id, "550 no such user", now=desk.clock.now())
    page = await open_desk(mia, "/account")
    broken: list[str] = []
    for path in (
        "/account",
        "/settings/hours",
        "/settings/texts",
        "/settings/operators",
        f"/settings/operators/{jonas}",
        "/settings/audit",
        "/tray",
        "/tray?state=set_aside",
        "/tray?state=undelivered",
        "/no-such-page",
    ):
        await page.goto(desk.url + path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        broken += await _look(page, path)
    await page.goto(desk.url + "/settings/hours")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("Saved.")
    broken += await _look(page, "hours saved")
    await page.goto(desk.url + "/settings/operators")
    await page.get_by_label("Name").fill("Ann")
    await page.get_by_label("Mail address").fill("ann@acme.example")
    await page.get_by_label("Password").fill("short")
    await page.get_by_role("button", name="Add").click()
    await expect(page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
    broken += await _look(page, "account refused")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name=re.compile("^Sign in"))).to_be_visible()
    broken += await _look(page, "sign-in")
    await page.get_by_label("Mail address").fill("mia@acme.example")
    await page.get_by_label("Password").fill("not this one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    broken += await _look(page, "sign-in refused")
    troubles.seen = [line for line in troubles.seen if "Failed to load resource" not in line]
    assert broken == []


async def _more(page: Page, item: str, title: str) -> None:
    await page.get_by_role("button", name="More about this conversation").click()
    await page.get_by_role("menuitem", name=re.compile(f"^{item}")).click()
    await expect(page.get_by_role("dialog", name=title)).to_be_visible()


async def _shut(page: Page) -> None:
    await page.get_by_role("button", name="Cancel", exact=True).click()
    await expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.timeout(180)
async def test_no_dialog_of_a_call_or_of_one_conversation_breaks_an_accessibility_rule(
    desk_server: BrowserDesk, open_desk: OpenPage, troubles: Troubles
) -> None:
    desk = desk_server
    mia, jonas = await desk.operator("Mia Novak"), await desk.operator("Jonas Lind")
    await desk.mail("Olivia Hart", "My refund is late.", subject="Refund", minutes=30)
    mail = await desk.mail("Olivia Hart", "And a parcel.", subject="Parcel", minutes=20)
    page = await open_desk(mia, f"/inbox/{mail}", width=1280)
    broken: list[str] = []
    await expect(page.get_by_text("And a parcel.").last).to_be_visible()
    await _more(page, "Priority", "Priority")
    broken += await _look(page, "priority")
    await _shut(page)
    await _more(page, "Merge", "Merge with another conversation")
    await page.get_by_role("button", name="Merge", exact=True).click()
    await expect(page.get_by_role("alert")).to_be_visible()
    broken += await _look(page, "merge")
    await _shut(page)
    await _more(page, "Call the customer", "Call the customer back")
    broken += await _look(page, "owe a call")
    await _shut(page)
    await page.get_by_role("button", name="More of the queue").click()
    await page.get_by_role("menuitem", name=re.compile("Log a call")).click()
    await expect(page.get_by_role("dialog", name="Log a call")).to_be_visible()
    broken += await _look(page, "log a call")
    await _shut(page)

    await page.get_by_role("textbox", name="Reply").fill("It left today.")
    await desk.reply(mail, jonas, "It arrives tomorrow.")
    await expect(page.get_by_text("It arrives tomorrow.").last).to_be_visible()
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("It left today.")
    broken += await _look(page, "timeline moved")
    await page.get_by_role("button", name="Edit my reply").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    troubles.forgive("409")

    await page.route("**/socket.io/**", lambda route: route.abort())
    await page.context.set_offline(True)
    desk.cut_lines()
    await expect(page.get_by_text(re.compile("Not live since")).last).to_be_attached(timeout=20_000)
    broken += await _look(page, "broken line")
    troubles.seen = [line for line in troubles.seen if "socket.io" not in line and "INTERNET_DISCONNECTED" not in line]
    assert broken == []


@pytest.mark.timeout(120)
async def test_after_the_call_a_summary_is_drafted_read_and_sent(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    mail = await desk_server.mail("Olivia Hart", "Please call me about my refund.", subject="Refund", minutes=2)
    page = await open_desk(mia, f"/inbox/{mail}", width=1280)
    broken: list[str] = []
    await _more(page, "Call the customer", "Call the customer back")
    await page.get_by_label("Telephone number").fill("+44 20 7946 0012")
    await page.get_by_role("button", name="Owe a call").click()
    await page.get_by_role("button", name="Take the call back").click()
    dial = page.get_by_role("link", name=re.compile("^Dial"))
    broken += await _look(page, "call taken")
    await dial.evaluate("link => link.addEventListener('click', event => event.preventDefault())")
    await dial.click()
    await expect(page.get_by_role("button", name="Wrong number")).to_be_visible()
    broken += await _look(page, "on the phone")
    await page.get_by_role("button", name="Reached", exact=True).click()
    await page.get_by_role("button", name="Write the summary").click()
    broken += await _look(page, "wrap-up")
    await page.get_by_label("What was asked").fill("Where the refund is.")
    await page.get_by_label("What was agreed").fill("It is traced by Friday.")
    await page.get_by_label("Next steps").fill("We ask the bank.\nYou send the receipt.")
    await page.get_by_role("button", name="Draft the mail").click()
    reply = page.get_by_role("textbox", name="Reply")
    await expect(reply).to_have_value(re.compile("It is traced by Friday"))
    await expect(page.get_by_role("group", name="Recipients")).to_contain_text("Olivia Hart")
    await reply.press("End")
    await reply.fill(f"{await reply.input_value()}\nMia")
    async with page.expect_response(re.compile(r"/api/callbacks/\d+/summary$")) as answered:
        await page.get_by_role("button", name="Send", exact=True).click()
    assert (await answered.value).ok
    sent = page.get_by_role("article").last
    await expect(sent).to_contain_text("It is traced by Friday.")
    await expect(sent).to_contain_text("kept as a file", timeout=20_000)
    await expect(page.get_by_role("button", name="Write the summary")).to_have_count(0)
    await expect(reply).to_have_value("")
    assert [one for one in await desk_server.texts(mail) if "You send the receipt." in one and one.endswith("Mia")]
    assert broken == []


async def test_the_finnish_desk_fits_and_speaks_finnish(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak", language="fi")
    chat = await desk_server.chat("Ava Khan", "Missä pakettini on?", minutes=4)
    await desk_server.take(chat, mia)
    page = await open_desk(mia, "/account")
    await page.goto(f"{desk_server.url}/inbox/{chat}")
    await expect(page.get_by_text("Mia Novak otti tämän keskustelun")).to_be_visible()
    picker = page.get_by_label("Näkymä")
    for view in ("waiting", "callbacks"):
        await picker.select_option(view)
        box = await page.get_by_role("button", name="Lisää jonosta").bounding_box()
        queue = await page.locator(".queue-pane").bounding_box()
        assert box is not None
        assert queue is not None
        assert box["x"] + box["width"] <= queue["x"] + queue["width"]
