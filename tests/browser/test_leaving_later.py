"""Mail in the composer: taken back, planned, with its summary, begun by the desk, and followed for each recipient."""

from __future__ import annotations

import re

from playwright.async_api import expect

from inbox import deliveries, reading
from inbox.deliveries import Answer
from inbox.people import contacts
from inbox.people.contacts import AddressLine
from inbox.vocabulary import AddressKind, Delivery, EntryKind, RecipientState
from tests.browser.conftest import OpenPage
from tests.browser.desk import BrowserDesk
from tests.support.browser import Troubles, axe_violations

ACCOUNTS = "accounts@hart.example"


async def test_a_mail_is_taken_back_with_its_words_recipients_and_points(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.mail("Olivia Hart", "Please copy us.", subject="Refund", cc=(ACCOUNTS,))
    page = await open_desk(mia, f"/inbox/{conversation}")
    reply = page.get_by_role("textbox", name="Reply", exact=True)
    await page.get_by_role("button", name=f"Take out {ACCOUNTS}").click()
    await reply.fill("Done.")
    await page.get_by_role("button", name="Add a summary and request").click()
    await page.get_by_label("What we need from you").fill("The receipt.")
    await page.get_by_role("button", name="Send", exact=True).click()
    undo = page.get_by_role("button", name="Undo")
    await expect(undo).to_be_visible()
    await expect(page.get_by_text(re.compile(r"^Leaves in \d"))).to_be_visible()
    assert await axe_violations(page) == []
    await reply.press("Escape")
    await page.keyboard.press("z")
    await expect(reply).to_have_value("Done.")
    await expect(page.get_by_label("What we need from you")).to_have_value("The receipt.")
    await expect(page.get_by_role("group", name="Recipients")).to_contain_text(f"{ACCOUNTS} will not get this.")
    await expect(undo).to_be_hidden()
    await expect(page.get_by_text("You took an answer back before it left")).to_be_visible()
    await page.get_by_role("button", name="Send", exact=True).click()
    sent = page.get_by_role("article", name="You", exact=True)
    await expect(sent).to_contain_text("The receipt.")
    await expect(sent).to_contain_text("kept as a file", timeout=20_000)
    await expect(undo).to_be_hidden()


async def test_a_planned_answer_is_shown_moved_and_brought_back(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.mail("Olivia Hart", "When does it come?", subject="Parcel")
    page = await open_desk(mia, f"/inbox/{conversation}")
    reply = page.get_by_role("textbox", name="Reply", exact=True)
    await reply.fill("Tomorrow.")
    await page.get_by_role("button", name="Other ways to send").click()
    await page.get_by_role("menuitem", name="Send later").click()
    assert await axe_violations(page) == []
    await page.get_by_role("button", name="Send then").click()
    await expect(page.get_by_text("Choose a time.")).to_be_visible()
    await page.get_by_role("button", name="Tomorrow morning").click()
    planned = page.get_by_role("article", name="Planned answer by Mia Novak")
    await expect(planned).to_contain_text("Tomorrow.")
    await expect(reply).to_have_value("")
    await planned.get_by_role("button", name="Other time").click()
    await page.get_by_role("button", name="In a week").click()
    await expect(page.get_by_text("You moved the planned answer")).to_be_visible()
    await desk_server.mail("Olivia Hart", "It has come!", subject="Parcel", into=conversation)
    await page.reload()
    await expect(planned).to_contain_text("it will be held back")
    await planned.get_by_role("button", name="Edit").click()
    await expect(reply).to_have_value("Tomorrow.")
    await expect(planned).to_be_hidden()


async def test_a_new_conversation_is_begun_from_the_keyboard(desk_server: BrowserDesk, open_desk: OpenPage) -> None:
    mia = await desk_server.operator("Mia Novak")
    page = await open_desk(mia, "/inbox")
    await page.keyboard.press("c")
    dialog = page.get_by_role("dialog", name="New conversation by mail")
    await dialog.get_by_label("To", exact=True).fill("not an address")
    await dialog.get_by_label("Subject").fill("Your order")
    await dialog.get_by_label("Text").fill("It leaves tomorrow.")
    await dialog.get_by_role("button", name="Send", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("is no e-mail address")
    assert await axe_violations(page) == []
    await dialog.get_by_label("To", exact=True).fill("Noah Reed <noah@reed.example>, finance@reed.example")
    await expect(dialog.get_by_text("A mail to many")).to_be_visible()
    await dialog.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("heading", name="Your order")).to_be_visible()
    sent = page.get_by_role("article", name="You", exact=True)
    await expect(sent).to_contain_text("It leaves tomorrow.")
    await expect(sent).to_contain_text("Noah Reed")
    await expect(page.get_by_text("waiting for customer", exact=True)).to_be_visible()


async def test_an_entry_is_forwarded_into_a_conversation_of_its_own(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.mail("Olivia Hart", "The label is torn.", subject="Parcel")
    page = await open_desk(mia, f"/inbox/{conversation}")
    await expect(page.get_by_role("article", name="Olivia Hart")).to_be_visible()
    await page.keyboard.press("f")
    dialog = page.get_by_role("dialog", name="Forward to somebody outside")
    await expect(dialog.get_by_label("Subject")).to_have_value("Fwd: Parcel")
    await expect(dialog.get_by_label("Text")).to_have_value(re.compile("The label is torn"))
    await dialog.get_by_label("To", exact=True).fill("carrier@parcels.example")
    await dialog.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("heading", name="Fwd: Parcel")).to_be_visible()
    await page.goto(f"{desk_server.url}/inbox/{conversation}")
    await expect(page.get_by_text("You forwarded entry 1 to carrier@parcels.example")).to_be_visible()


async def test_each_recipient_shows_how_far_the_mail_has_got(
    desk_server: BrowserDesk, open_desk: OpenPage, troubles: Troubles
) -> None:
    mia = await desk_server.operator("Mia Novak")
    conversation = await desk_server.mail("Olivia Hart", "Please copy us.", subject="Refund", cc=(ACCOUNTS,))
    await desk_server.reply(conversation, mia, "Done.")
    entries = await desk_server.db.read(reading.timeline, conversation)
    [entry] = [one for one in entries if one.kind is EntryKind.REPLY]
    page = await open_desk(mia, f"/inbox/{conversation}")
    sent = page.get_by_role("article", name="You", exact=True)
    await expect(sent).to_contain_text("kept as a file", timeout=20_000)
    await desk_server.db.write(
        deliveries.note_answers,
        entry.id,
        {
            "olivia@hart.example": Answer(RecipientState.SENT, "250 Ok"),
            ACCOUNTS: Answer(RecipientState.FAILED, "550 5.1.1 <b>no such user</b>"),
        },
        now=desk_server.clock.now(),
    )
    await desk_server.db.write(deliveries.set_delivery, entry.id, Delivery.SENT, data={"moved": 1})
    await page.reload()
    states = sent.get_by_role("list", name="Delivery to each recipient")
    await expect(states).to_contain_text("Olivia Hart: sent")
    await states.get_by_text(f"{ACCOUNTS}: refused").click()
    await expect(states).to_contain_text("550 5.1.1 <b>no such user</b>")
    await expect(sent.get_by_role("button", name="Try again for 1 recipient")).to_be_visible()
    assert await axe_violations(page) == []
    reply = page.get_by_role("textbox", name="Reply", exact=True)
    await reply.fill("Once more.")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("could not be delivered")
    await page.get_by_role("button", name="Send all the same").click()
    await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    troubles.forgive("409")
    line = AddressLine(AddressKind.EMAIL, ACCOUNTS)
    assert await desk_server.db.read(contacts.failing_among, [line.written]) == [ACCOUNTS]


async def test_the_signature_is_set_by_administrators_and_the_link_asks_before_it_unsubscribes(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    from inbox import mail_stops
    from inbox.vocabulary import Role
    from web.keys import UNSUBSCRIBE

    ada = await desk_server.operator("Ada Stone", Role.ADMINISTRATOR)
    page = await open_desk(ada, "/settings/mail")
    await page.get_by_label("Text").fill("{name}\n{role}\nAcme Ltd · acme.example")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    await expect(page.get_by_role("region", name="In your mails it looks like this")).to_contain_text("Acme Ltd")
    assert await axe_violations(page) == []
    token = desk_server.app[UNSUBSCRIBE].token("noah@reed.example", "reports")
    await page.context.clear_cookies()
    await page.goto(f"{desk_server.url}/unsubscribe/{token}")
    assert not await desk_server.db.read(mail_stops.is_stopped, "noah@reed.example", "reports")
    assert await axe_violations(page) == []
    await page.get_by_role("button", name="No more such mail").click()
    await expect(page.get_by_role("status")).to_contain_text("noah@reed.example gets no more such mail")
    assert await desk_server.db.read(mail_stops.is_stopped, "noah@reed.example", "reports")
