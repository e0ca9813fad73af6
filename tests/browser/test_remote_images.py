"""Remote pictures of a mail: held back, shown once, always for a sender, and held back again."""

from __future__ import annotations

from playwright.async_api import expect
from sqlalchemy import update

from inbox.store.models import Entry
from inbox.store.transaction import Transaction
from tests.browser.conftest import OpenPage
from tests.browser.desk import BrowserDesk
from tests.support.browser import axe_violations
from web.keys import REMOTE_IMAGES
from web.remote_images import Picture

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "a5f645400000000049454e44ae426082"
)
HTML = '<p>Spring is here</p><img data-remote-src="https://pictures.example/spring.png?who=1&amp;x=2" alt="Tulips">'


async def _html(desk: BrowserDesk) -> None:
    def keep(tx: Transaction) -> None:
        tx.conn.execute(update(Entry).values(html=HTML))

    await desk.db.write(keep)


async def test_pictures_are_asked_for_by_the_desk_and_only_on_request(
    desk_server: BrowserDesk, open_desk: OpenPage
) -> None:
    asked: list[str] = []

    async def get(address: str) -> Picture:
        asked.append(address)
        return Picture(PNG, "image/png")

    desk_server.app[REMOTE_IMAGES].get = get  # type: ignore[method-assign]
    mia = await desk_server.operator("Mia Novak")
    first = await desk_server.mail("Ava Khan", "Spring is here", minutes=3, mail_data={"remote_images": 1})
    await _html(desk_server)
    page = await open_desk(mia, f"/inbox/{first}")
    outside: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(desk_server.url) else outside.append(request.url))
    await page.get_by_role("button", name="Show whole mail").click()
    frame = page.frame_locator("iframe.mail-frame")
    await expect(frame.get_by_text("Spring is here")).to_be_visible()
    assert asked == []

    await page.get_by_role("button", name="Show remote images").click()
    await expect(frame.get_by_role("img", name="Tulips")).to_have_js_property("naturalWidth", 1)
    assert asked == ["https://pictures.example/spring.png?who=1&x=2"]

    await page.get_by_role("button", name="Always for this sender").click()
    stop = page.get_by_role("button", name="Stop showing remote images of this sender")
    await expect(stop).to_be_visible()
    assert await axe_violations(page) == []
    second = await desk_server.mail("Ava Khan", "Again", minutes=2, mail_data={"remote_images": 1})
    await _html(desk_server)
    other = await open_desk(mia, f"/inbox/{second}")
    await other.get_by_role("button", name="Show whole mail").click()
    await expect(other.frame_locator("iframe.mail-frame").get_by_role("img", name="Tulips")).to_have_js_property(
        "naturalWidth", 1
    )
    await other.get_by_role("button", name="Stop showing remote images of this sender").click()
    await expect(other.get_by_role("button", name="Show remote images")).to_be_visible()
    assert [one for one in outside if not one.startswith(("data:", "blob:", "about:"))] == []
