"""Reading and answering: from the queue to the customer, and what can come between."""

from __future__ import annotations

import re

from playwright.async_api import Browser, expect

from inbox import reading
from inbox.handoff import Brief
from tests.browser.conftest import OpenPage
from tests.browser.desk import BrowserDesk
from tests.support.browser import Troubles, axe_violations


async def test_the_queue_is_readable_without_any_script(browser: Browser, desk_server: BrowserDesk) -> None:
    mia = await desk_server.operator("Mia Novak")
    await desk_server.chat("Ava Khan", "Where is my parcel?", subject="Parcel")
    context = await browser.new_context(java_script_enabled=False)
    await desk_server.sign_in(context, mia)
    page = await context.new_page()
    await page.goto(desk_server.url + "/inbox")
    row = page.get_by_role("link", name=re.compile("Ava Khan"))
    await expect(row).to_contain_text("Where is my parcel?")
    await expect(row).to_contain_text("within target")
    await page.goto(desk_server.url + "/queue?plain=1")
    await expect(page.get_by_role("row", name=re.compile("Ava Khan"))).to_contain_text("within target")
    await context.close()


async def test_an_operator_reads_and_answers_the_longest_waiting(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    waits_long = await desk_server.chat("Noah Berg", "How do I export my data?", minutes=6)
    await desk_server.chat("Ava Khan", "Where is my parcel?", minutes=2)
    page = await open_desk(mia)
    await expect(page.get_by_text("1 over 5 min")).to_be_visible()
    await expect(page.get_by_text("1 in target")).to_be_visible()
    await expect(page.get_by_role("listbox").get_by_role("option").first).to_contain_text("Noah Berg")
    await page.keyboard.press("q")
    await expect(page.get_by_role("article").first).to_contain_text("How do I export my data?")
    await page.keyboard.press("r")
    await page.keyboard.type("Under Account, then Export.")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("article").last).to_contain_text("Under Account, then Export.")
    await expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(1)
    assert await desk_server.owner(waits_long) == mia
    assert (await desk_server.texts(waits_long)).count("Under Account, then Export.") == 1


async def test_two_operators_at_once_never_take_the_same_customer(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia, jonas = await desk_server.operator("Mia Novak"), await desk_server.operator("Jonas Lind")
    first = await desk_server.chat("Noah Berg", "First", minutes=4)
    second = await desk_server.chat("Ava Khan", "Second", minutes=2)
    one, other = await open_desk(mia), await open_desk(jonas)
    for page in (one, other):
        await page.evaluate("document.body.focus()")
    await one.keyboard.press("q")
    await other.keyboard.press("q")
    for page in (one, other):
        await expect(page.get_by_role("article").first).to_be_visible()
    assert {await desk_server.owner(first), await desk_server.owner(second)} == {mia, jonas}


async def test_an_answer_against_an_outdated_timeline_is_held_back_with_the_news(
    desk_server: BrowserDesk, open_desk: OpenPage, troubles: Troubles
) -> None:
    mia, jonas = await desk_server.operator("Mia Novak"), await desk_server.operator("Jonas Lind")
    conversation = await desk_server.chat("Ava Khan", "Where is my parcel?", minutes=2)
    page = await open_desk(mia, f"/inbox/{conversation}")
    await page.get_by_role("textbox", name="Reply").fill("It is on its way.")
    await desk_server.reply(conversation, jonas, "It arrives tomorrow.")
    await expect(page.get_by_text("It arrives tomorrow.")).to_be_visible()
    await page.keyboard.press("Control+Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("It arrives tomorrow.")
    await expect(dialog).to_contain_text("It is on its way.")
    await dialog.get_by_role("button", name="Edit my reply").click()
    box = page.get_by_role("textbox", name="Reply")
    await expect(box).to_have_value("It is on its way.")
    await expect(box).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("article").last).to_contain_text("It is on its way.")
    troubles.forgive("409")


async def test_what_was_stopped_can_become_a_note(
    desk_server: BrowserDesk, open_desk: OpenPage, troubles: Troubles
) -> None:
    mia, jonas = await desk_server.operator("Mia Novak"), await desk_server.operator("Jonas Lind")
    conversation = await desk_server.chat("Ava Khan", "Where is my parcel?", minutes=2)
    page = await open_desk(mia, f"/inbox/{conversation}")
    await page.get_by_role("textbox", name="Reply").fill("Ask the carrier.")
    await desk_server.reply(conversation, jonas, "It arrives tomorrow.")
    await page.keyboard.press("Control+Enter")
    await page.get_by_role("button", name="Make it a note").click()
    await expect(page.get_by_role("textbox", name="Internal note")).to_have_value("Ask the carrier.")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.get_by_role("article", name="You, internal note")).to_contain_text("Ask the carrier.")
    troubles.forgive("409")


async def test_a_mail_answer_shows_whom_it_reaches_and_says_who_is_left_out(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.mail(
        "Olivia Hart", "Please copy our accounts.", subject="Refund", cc=("accounts@hart.example",)
    )
    page = await open_desk(mia, f"/inbox/{conversation}")
    recipients = page.get_by_role("group", name="Recipients")
    await expect(recipients).to_contain_text("Olivia Hart")
    await recipients.get_by_role("button", name="Take out accounts@hart.example").click()
    await expect(recipients).to_contain_text("accounts@hart.example will not get this.")
    await recipients.get_by_role("button", name="Put back").click()
    await page.get_by_role("textbox", name="Reply").fill("Done.")
    await page.get_by_role("button", name="Send", exact=True).click()
    sent = page.get_by_role("article").last
    await expect(sent).to_contain_text("Re: Refund")
    await expect(sent).to_contain_text("accounts@hart.example")
    await expect(sent).to_contain_text("kept as a file", timeout=20_000)  # after its eight seconds


async def test_a_note_keeps_its_own_draft_and_never_becomes_a_reply(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.chat("Ava Khan", "Where is my parcel?")
    page = await open_desk(mia, f"/inbox/{conversation}")
    await page.get_by_role("textbox", name="Reply").fill("To the customer")
    await page.get_by_role("tab", name="Note").click()
    note = page.get_by_role("textbox", name="Internal note")
    await expect(note).to_have_value("")
    await note.fill("Among us")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.get_by_role("article", name="You, internal note")).to_contain_text("Among us")
    await page.get_by_role("tab", name="Reply").click()
    await expect(page.get_by_role("textbox", name="Reply")).to_have_value("To the customer")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("article", name="You", exact=True)).to_contain_text("To the customer")


async def test_drafts_survive_a_reload(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.chat("Ava Khan", "Where is my parcel?")
    page = await open_desk(mia, f"/inbox/{conversation}")
    await page.get_by_role("textbox", name="Reply").fill("I will look at")
    await page.reload()
    await expect(page.get_by_role("textbox", name="Reply")).to_have_value("I will look at")
    await expect(page.get_by_role("option", name=re.compile("Ava Khan"))).to_contain_text("Ava Khan")
    await expect(page.get_by_role("img", name="You have a draft here")).to_be_visible()


async def test_a_draft_is_found_on_another_computer(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.chat("Ava Khan", "Where is my parcel?")
    page = await open_desk(mia, f"/inbox/{conversation}")
    async with page.expect_response(re.compile(r"/draft$")):
        await page.get_by_role("textbox", name="Reply").fill("I will look at")
    elsewhere = await open_desk(mia, f"/inbox/{conversation}")
    await expect(elsewhere.get_by_role("textbox", name="Reply")).to_have_value("I will look at")


async def test_a_handoff_is_drafted_offered_and_accepted_with_its_brief(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia, jonas = await desk_server.operator("Mia Novak"), await desk_server.operator("Jonas Lind")
    conversation = await desk_server.chat("Ava Khan", "I want my refund traced.", minutes=2, subject="Refund")
    receiver = await open_desk(jonas)
    sender = await open_desk(mia, f"/inbox/{conversation}")
    await sender.keyboard.press("i")
    await expect(sender.get_by_text("You took this conversation")).to_be_visible()
    await sender.keyboard.press("h")
    dialog = sender.get_by_role("dialog", name="Hand off this conversation")
    await expect(dialog.get_by_label("Customer")).to_have_value(re.compile("refund traced"))
    await dialog.get_by_label("To", exact=True).select_option(label="Jonas Lind · here")
    await dialog.get_by_label("Next").fill("Call the bank.")
    await dialog.get_by_role("button", name="Hand off").click()
    await expect(sender.get_by_text(re.compile("Offered to Jonas Lind · "))).to_be_visible()
    await receiver.get_by_role("button", name="Accept").click()
    await expect(receiver.get_by_text("Brief from Mia Novak")).to_be_visible()
    await expect(receiver.get_by_role("article", name="Handoff")).to_contain_text("Call the bank.")
    await expect(sender.get_by_text("Jonas Lind has taken it over.")).to_be_visible()
    assert await desk_server.owner(conversation) == jonas


async def test_a_declined_offer_stays_with_the_sender(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia, jonas = await desk_server.operator("Mia Novak"), await desk_server.operator("Jonas Lind")
    conversation = await desk_server.chat("Ava Khan", "I want my refund traced.", minutes=2)
    await desk_server.take(conversation, mia)
    sender, receiver = await open_desk(mia, f"/inbox/{conversation}"), await open_desk(jonas)
    await desk_server.hand_off(conversation, by=mia, to=jonas, brief=Brief(next="Call the bank."))
    await expect(receiver.get_by_text("Mia Novak hands a conversation to you")).to_be_visible()
    await receiver.get_by_role("button", name="Decline").click()
    await expect(sender.get_by_text("Jonas Lind cannot take it: it is still yours.")).to_be_visible()
    assert await desk_server.owner(conversation) == mia


async def test_snoozing_closing_and_undoing(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.chat("Ava Khan", "Where is my parcel?", minutes=2)
    page = await open_desk(mia, f"/inbox/{conversation}")
    await page.keyboard.press("b")
    await page.get_by_role("button", name="In one hour").click()
    await expect(page.get_by_text(re.compile("You snoozed this until"))).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("You woke this")).to_be_visible()
    await page.keyboard.press("e")
    await expect(page.get_by_text("You closed this")).to_be_visible()
    await page.keyboard.press("z")
    await expect(page.get_by_text("You opened this again")).to_be_visible()


async def test_a_missed_call_is_taken_dialled_and_ends_with_an_outcome(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.missed_call("+442079460012", minutes=2, name="Emma Sato")
    page = await open_desk(mia, f"/inbox/{conversation}")
    await expect(page.get_by_role("article").first).to_contain_text("Missed call")
    await page.get_by_role("button", name="Take the call back").click()
    dial = page.get_by_role("link", name=re.compile("^Dial"))
    await expect(dial).to_have_attribute("href", "tel:+442079460012")
    await dial.evaluate("link => link.addEventListener('click', event => event.preventDefault())")
    await dial.click()
    await page.get_by_role("button", name="No answer").click()
    await expect(page.get_by_text(re.compile("Not reached; next try"))).to_be_visible()


async def test_a_file_goes_with_the_answer(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.mail("Olivia Hart", "Send me the invoice.", subject="Invoice")
    page = await open_desk(mia, f"/inbox/{conversation}")
    await page.locator("input[type=file]").set_input_files(
        {"name": "invoice.txt", "mimeType": "text/plain", "buffer": b"Invoice 10442"}
    )
    await expect(page.get_by_role("button", name="Take out invoice.txt")).to_be_visible()
    await page.get_by_role("textbox", name="Reply").fill("Here it is.")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("article").last.get_by_role("link", name=re.compile("invoice.txt"))).to_be_visible()


async def test_a_mail_says_what_the_desk_noticed_and_joins_the_conversation_it_names(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia = await desk_server.operator("Mia Novak")
    named = await desk_server.mail("Olivia Hart", "My refund is late.", subject="Refund", minutes=9)
    noticed = {"named_other": named, "protection": "signed", "invitation": True, "notes": ["several_from"]}
    joining = await desk_server.mail("Paul Hart", "About Olivia's refund.", subject="Re: Refund", mail_data=noticed)
    later = await desk_server.mail(
        "Olivia Hart", "Away.", subject="Away", mail_data={"continues": named, "machine": "automatic_reply"}
    )
    page = await open_desk(mia, f"/inbox/{later}")
    mail = page.get_by_role("article").first
    await expect(mail).to_contain_text("It answers a conversation that was closed long ago.")
    await expect(mail).to_contain_text("An automatic reply, such as a vacation notice.")
    await expect(mail.get_by_role("link", name=f"Open conversation {named}")).to_have_attribute(
        "href", f"/inbox/{named}"
    )
    await page.goto(f"{desk_server.url}/inbox/{joining}")
    mail = page.get_by_role("article").first
    for words in ("It is signed", "an invitation to an appointment", "It names several authors"):
        await expect(mail).to_contain_text(words)
    await expect(mail.get_by_role("link", name="Original")).to_be_visible()
    await mail.get_by_role("button", name="Join the two…").click()
    dialog = page.get_by_role("dialog", name="Merge with another conversation")
    await expect(dialog.get_by_label("Another conversation")).to_have_value(str(named))
    assert await axe_violations(page) == []
    await dialog.get_by_role("button", name="Merge", exact=True).click()
    await expect(page).to_have_url(re.compile(rf"/inbox/{named}$"))
    await expect(page.get_by_role("listbox").get_by_role("option", name=re.compile("Paul Hart"))).to_have_count(0)
    merged = await desk_server.db.read(reading.open_conversation, joining, mia)
    assert merged.merged_into_id == named
