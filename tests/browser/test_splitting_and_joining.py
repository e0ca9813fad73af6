"""One conversation that becomes two, two that become one: what an operator sees and clicks."""

from __future__ import annotations

import re

from playwright.async_api import expect

from inbox import reading
from inbox.vocabulary import EntryKind
from tests.browser.conftest import OpenPage
from tests.browser.desk import BrowserDesk
from tests.support.browser import Troubles, axe_violations


async def test_a_changed_subject_is_shown_and_split_off_with_one_click_and_back(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia = await desk_server.operator("Mia Novak")
    first = await desk_server.mail("Ava Khan", "Where is my parcel?", subject="My parcel", minutes=9)
    await desk_server.mail(
        "Ava Khan",
        "And I never got the invoice for May.",
        subject="Invoice for May",
        minutes=2,
        into=first,
        mail_data={"subject_changed": "My parcel"},
    )
    page = await open_desk(mia, f"/inbox/{first}")
    mail = page.get_by_role("article").filter(has_text="the invoice for May")
    await expect(mail).to_contain_text("before it was “My parcel”")
    await mail.get_by_role("button", name="Split into a new conversation").click()
    await expect(page.get_by_role("heading", name="Invoice for May")).to_be_visible()
    await expect(page.locator("article:not(.robot)")).to_have_count(1)
    await expect(page.locator(".status-line").last.get_by_role("link")).to_have_text(f"Open conversation {first}")
    made = int(page.url.rpartition("/")[2])
    assert made != first
    assert await axe_violations(page) == []

    other = await open_desk(mia, f"/inbox/{first}")
    await expect(other.locator("article:not(.robot)")).to_have_count(1)
    await expect(other.locator(".status-line").last).to_contain_text("Invoice for May")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("article:not(.robot)")).to_have_count(2)
    await expect(page).to_have_url(re.compile(f"/inbox/{first}$"))
    # Whoever has it open sees the mail come back to its place.
    await expect(other.locator("article:not(.robot)").last).to_contain_text("the invoice for May")
    texts = [e.text for e in await desk_server.db.read(reading.timeline, first) if e.kind == EntryKind.MESSAGE]
    assert texts == ["Where is my parcel?", "And I never got the invoice for May."]


async def test_chosen_mails_are_split_off_by_keyboard(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    first = await desk_server.mail("Ava Khan", "Where is my parcel?", subject="My parcel", minutes=9)
    await desk_server.mail("Ava Khan", "My account is locked.", subject="Re: My parcel", minutes=5, into=first)
    await desk_server.mail("Ava Khan", "The parcel came.", subject="Re: My parcel", minutes=2, into=first)
    page = await open_desk(mia, f"/inbox/{first}")
    mail = page.get_by_role("article").filter(has_text="My account is locked.")
    await mail.get_by_role("button", name="More about this mail").press("Enter")
    await page.get_by_role("menuitem", name="Split off from here…").press("Enter")
    dialog = page.get_by_role("dialog", name="Split into two conversations")
    stays, goes, later = (
        dialog.get_by_role("checkbox", name=re.compile(words))
        for words in ("Where is my parcel", "My account is locked", "The parcel came")
    )
    assert [await box.is_checked() for box in (stays, goes, later)] == [False, True, True]
    assert await axe_violations(page) == []
    await later.press("Space")
    await dialog.get_by_role("button", name="Split off").press("Enter")
    await expect(page.locator("article:not(.robot)")).to_have_count(1)
    await expect(page.locator("article:not(.robot)")).to_contain_text("My account is locked.")
    texts = [e.text for e in await desk_server.db.read(reading.timeline, first) if e.kind == EntryKind.MESSAGE]
    assert texts == ["Where is my parcel?", "The parcel came."]


async def test_what_cannot_be_split_off_is_refused_in_words(
    desk_server: BrowserDesk, open_desk: OpenPage, troubles: Troubles
) -> None:
    mia = await desk_server.operator("Mia Novak")
    first = await desk_server.mail("Ava Khan", "Where is my parcel?", minutes=9)
    await desk_server.mail("Ava Khan", "Hello?", minutes=5, into=first)
    page = await open_desk(mia, f"/inbox/{first}")
    await page.get_by_role("button", name="More about this mail").first.click()
    await page.get_by_role("menuitem", name="Split off from here…").click()
    dialog = page.get_by_role("dialog", name="Split into two conversations")
    await dialog.get_by_role("button", name="Split off").click()
    await expect(page.get_by_text("Leave at least one mail.")).to_be_visible()
    await expect(dialog).to_be_visible()
    troubles.forgive("422")


async def test_a_mail_that_names_another_conversation_is_joined_with_one_click_and_taken_apart_again(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia = await desk_server.operator("Mia Novak")
    known = await desk_server.mail("Ava Khan", "Where is my parcel?", subject="My parcel", minutes=9)
    named = await desk_server.mail(
        "Olli Laine", "I answer for my wife.", subject="Re: My parcel", minutes=3, mail_data={"named_other": known}
    )
    page = await open_desk(mia, f"/inbox/{named}")
    hint = page.get_by_role("article").filter(has_text="in which its author has no part")
    await expect(hint.get_by_role("link", name=f"Open conversation {known}")).to_be_visible()
    await hint.get_by_role("button", name="Join the two").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Merge").click()
    await expect(page).to_have_url(re.compile(f"/inbox/{known}$"))
    line = page.locator(".status-line").last
    await expect(line).to_contain_text("was merged into this one")
    await expect(line.get_by_role("link", name=f"Open conversation {named}")).to_be_visible()
    await line.get_by_role("button", name="Take apart").click()
    await expect(page.locator(".status-line").last).to_contain_text("apart again")
    await expect(page.get_by_role("button", name="Take apart")).to_have_count(0)
    await page.locator(".status-line").last.get_by_role("link", name=f"Open conversation {named}").click()
    await expect(page.locator("article:not(.robot)")).to_contain_text("I answer for my wife.")
