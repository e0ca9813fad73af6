"""The live line: what others do appears by itself, a broken line is said and caught up, the list stays calm."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.desk import BrowserDesk
from tests.support.browser import Troubles


async def test_a_new_question_appears_by_itself_in_its_place(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    await desk_server.chat("Ava Khan", "Second", minutes=2)
    page = await open_desk(mia)
    await desk_server.chat("Noah Berg", "First", minutes=4)
    rows = page.get_by_role("listbox").get_by_role("option")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Noah Berg")
    await expect(page).to_have_title(re.compile(r"^\(2 · 4:00\) Inbox"))


async def test_who_looks_and_who_writes_is_seen_in_list_and_conversation(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia, jonas = await desk_server.operator("Mia Novak"), await desk_server.operator("Jonas Lind")
    conversation = await desk_server.chat("Ava Khan", "Where is my parcel?")
    one = await open_desk(mia, f"/inbox/{conversation}")
    other = await open_desk(jonas, f"/inbox/{conversation}")
    await expect(one.get_by_text("Jonas Lind is viewing this conversation")).to_be_visible()
    await expect(one.get_by_role("listbox")).to_contain_text("Jonas is viewing")
    await other.get_by_role("textbox", name="Reply").type("It")
    await expect(one.get_by_text("and writing a reply")).to_be_visible()
    await expect(one.get_by_role("listbox")).to_contain_text("Jonas is writing")
    await other.keyboard.press("Escape")
    await other.keyboard.press("u")
    await expect(one.get_by_text("Jonas Lind is viewing")).to_have_count(0)


async def test_a_broken_line_is_said_and_everything_missed_is_caught_up(
    desk_server: BrowserDesk, open_desk: OpenPage, troubles: Troubles
) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.chat("Ava Khan", "Where is my parcel?")
    page = await open_desk(mia, f"/inbox/{conversation}")
    await expect(page.get_by_role("article").first).to_contain_text("Where is my parcel?")
    await page.route("**/socket.io/**", lambda route: route.abort())
    await page.context.set_offline(True)
    desk_server.cut_lines()
    await expect(page.get_by_text(re.compile("Reconnecting…|Not live since"))).to_be_visible()
    await desk_server.chat("Ava Khan", "Hello? Anybody?")
    await desk_server.chat("Noah Berg", "Me too")
    await page.unroute("**/socket.io/**")
    await page.context.set_offline(False)
    await expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=15_000)
    await expect(page.get_by_role("article").last).to_contain_text("Hello? Anybody?")
    await expect(page.get_by_role("listbox").get_by_role("option", name=re.compile("Noah Berg"))).to_be_visible()
    troubles.seen = [line for line in troubles.seen if "socket.io" not in line and "WebSocket" not in line]


async def test_rows_do_not_move_under_the_hand(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia, jonas = await desk_server.operator("Mia Novak"), await desk_server.operator("Jonas Lind")
    first = await desk_server.chat("Noah Berg", "First", minutes=4)
    await desk_server.chat("Ava Khan", "Second", minutes=2)
    page = await open_desk(mia)
    rows = page.get_by_role("listbox").get_by_role("option")
    await rows.nth(1).hover()
    await desk_server.reply(first, jonas, "Done")
    await expect(rows.first).to_contain_text("answered by Jonas Lind")
    await expect(rows).to_have_count(2)
    await page.get_by_role("button", name="1 change").click()
    await expect(rows).to_have_count(1)
    await expect(rows.first).to_contain_text("Ava Khan")


async def test_live_updates_can_be_paused(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    await desk_server.chat("Ava Khan", "First", minutes=2)
    page = await open_desk(mia)
    rows = page.get_by_role("listbox").get_by_role("option")
    await expect(rows).to_have_count(1)
    await page.keyboard.press("Shift+Space")
    go_on = page.get_by_role("button", name="Updates paused: go on")
    await expect(go_on).to_be_visible()
    await desk_server.chat("Noah Berg", "Second", minutes=1)
    await expect(page.get_by_role("button", name="1 change")).to_be_visible()
    await expect(rows).to_have_count(1)
    await go_on.click()
    await expect(rows).to_have_count(2)


async def test_a_long_queue_is_drawn_in_part_and_loaded_in_pieces(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia = await desk_server.operator("Mia Novak")
    for number in range(130):
        await desk_server.chat(f"Customer {number:03}", "Hello", minutes=130 - number)
    page = await open_desk(mia)
    rows = page.get_by_role("listbox").get_by_role("option")
    await expect(rows.first).to_have_attribute("aria-setsize", "130")
    assert await rows.count() < 40
    await page.get_by_role("listbox").focus()
    await page.keyboard.press("End")
    await expect(page.get_by_role("option", name=re.compile("Customer 129"))).to_have_attribute("aria-selected", "true")
    await expect(page.get_by_role("option", name=re.compile("Customer 129"))).to_be_in_viewport()


async def test_an_undelivered_answer_stays_visible_and_can_be_tried_again(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    from inbox import deliveries, reading

    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.mail("Olivia Hart", "Where is it?", subject="Parcel")
    await desk_server.reply(conversation, mia, "On its way.")
    page = await open_desk(mia, f"/inbox/{conversation}")
    await expect(page.get_by_text(re.compile("kept as a file"))).to_be_visible()
    sent = next(one for one in await desk_server.db.read(reading.timeline, conversation) if one.text == "On its way.")
    await desk_server.db.write(deliveries.failed_for_good, sent.id, "550 no such user", now=desk_server.clock.now())
    await expect(page.get_by_text("not delivered: 550 no such user")).to_be_visible()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text(re.compile("kept as a file"))).to_be_visible()
