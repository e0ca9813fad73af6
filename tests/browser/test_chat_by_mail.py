"""The widget says where the answer goes when the visitor leaves, and shows what came by mail when they return."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import Connection, select

from inbox import chat_by_mail, reading
from inbox.people.contacts import AddressLine, Sender
from inbox.receive import Incoming, receive
from inbox.store.models import Conversation
from inbox.vocabulary import AddressKind, ChannelKind, EntryKind
from tests.browser.widget_desk import FIRST, WidgetDesk, panel
from tests.support.browser import axe_violations
from tests.support.conditions import eventually
from web.keys import ADDRESSINGS

OLIVIA = "olivia@hart.example"


@pytest.fixture
async def desk(tmp_path: Path, sqlite_url: str) -> AsyncIterator[WidgetDesk]:
    started = WidgetDesk(tmp_path, sqlite_url)
    await started.start()
    yield started
    await started.stop()


async def test_who_leaves_gets_the_answer_by_mail_and_finds_everything_when_they_return(
    page: Page, desk: WidgetDesk
) -> None:
    await page.goto(desk.shop)
    await page.get_by_role("button", name="Chat with us").click()
    widget = panel(page)
    await widget.get_by_label("Your question").fill("Where is my tent?")
    await widget.get_by_role("button", name="Start chat").click()
    await widget.get_by_role("button", name="Get what you miss by e-mail").click()
    await widget.get_by_role("button", name="Save").click()
    await expect(widget.get_by_text("Write your mail address.").first).to_be_visible()
    await widget.get_by_label("E-mail").fill(OLIVIA)
    assert await axe_violations(page) == []
    await widget.get_by_role("button", name="Save").click()
    await expect(widget.locator(".leaving")).to_have_text(
        "If you leave, unread answers come to o…@hart.example by e-mail."
    )
    assert await axe_violations(page) == []

    await page.goto("about:blank")

    await eventually(lambda: desk.db.read(_is_away))
    await desk.reply(FIRST, desk.mia, "On its way since this morning.")
    later = desk.now + timedelta(minutes=6)
    addressings = desk.app[ADDRESSINGS]
    await desk.db.write(chat_by_mail.fire_due, after=timedelta(minutes=5), addressings=addressings, now=later)
    (mail,) = [
        one
        for one in await desk.db.read(reading.timeline, FIRST)
        if one.kind is EntryKind.REPLY and one.channel is ChannelKind.EMAIL
    ]
    assert (mail.text, mail.data["mail"]["to"][0]["address"]) == ("On its way since this morning.", OLIVIA)

    sender = Sender(AddressLine(AddressKind.EMAIL, OLIVIA))
    answer = Incoming(
        ChannelKind.EMAIL, sender, "Thank you, it is here", conversation_id=FIRST, data={"in_widget": True, "mail": {}}
    )
    await desk.db.write(receive, answer, now=later)
    await page.goto(desk.shop)
    await page.get_by_role("button", name="Chat").first.click()
    log = panel(page).get_by_role("log")
    await expect(log.get_by_text("On its way since this morning.")).to_have_count(1)
    await expect(log.locator("li", has_text="Thank you, it is here")).to_contain_text("by e-mail")


def _is_away(conn: Connection) -> bool:
    return conn.execute(select(Conversation.visitor_away_at).where(Conversation.id == FIRST)).scalar() is not None
