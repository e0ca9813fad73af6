"""The pictures of the documentation, taken of a demonstration desk that was just filled.

`python -m tests.browser.screenshots docs/images`
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
import zlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.widget_desk import panel
from tests.support.browser import launch_chromium
from tests.support.processes import free_port
from web.demo_data import ACCOUNTS

FILL_SECONDS = 120
MOST_BYTES = 200_000

AFTERNOON = 15
ZONE = f"Etc/GMT{(datetime.now(UTC).hour - AFTERNOON + 12) % 24 - 12:+d}"
"""Where it is three in the afternoon: the desk has a day behind it, whenever the pictures are taken."""

BEA, JONAS, SARI, AMIR = ACCOUNTS
expect.set_options(timeout=20_000)
NOTE = "Two cups set aside in the Turku shop. The Friday parcel reaches Izmir too late: it goes by courier, on us."
ANSWER = (
    "Dear Elif,\n\nI am sorry about the two cups. New ones leave today by courier and reach you on Friday, in time "
    "for Saturday. Keep the broken ones; there is nothing to send back."
)


class Demo:
    def __init__(self, desk: str, shop: str, browser: Browser) -> None:
        self.desk, self.shop, self._browser = desk, shop, browser

    async def page(
        self, width: int, height: int, scheme: Literal["light", "dark"] = "light", *, touch: bool = False
    ) -> Page:
        context = await self._browser.new_context(
            locale="en-GB",
            timezone_id=ZONE,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
            has_touch=touch,
        )
        context.set_default_timeout(20_000)
        return await context.new_page()

    async def sign_in(self, account: Any, page: Page, path: str = "/inbox") -> None:
        await page.goto(f"{self.desk}/sign-in?next={path}")
        await page.get_by_label("Mail address").fill(account.email)
        await page.get_by_label("Password").fill(account.password)
        await page.get_by_role("button", name="Sign in").click()
        if path.startswith("/inbox"):
            await page.get_by_text(re.compile("^Live$")).wait_for(state="attached")


@asynccontextmanager
async def demonstration(browser: Browser) -> AsyncIterator[Demo]:
    """`vuoro demo` on free ports, its data in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "web.cli", "demo", "--folder", f"{folder}/demo", "--port", str(free_port()),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        )  # fmt: skip
        try:
            async with asyncio.timeout(FILL_SECONDS):
                desk = await _said(process, "The desk is open: ")
                shop = await _said(process, "A shop with the chat widget: ")
            yield Demo(desk, shop, browser)
        finally:
            process.send_signal(signal.SIGINT)
            await process.wait()


async def _said(process: asyncio.subprocess.Process, before: str) -> str:
    assert process.stdout is not None
    while line := (await process.stdout.readline()).decode():
        if line.startswith(before):
            return line.removeprefix(before).strip()
    raise RuntimeError(f"the demonstration did not start: exit code {await process.wait()}")


async def move(demo: Demo) -> None:
    """The desk to where it is afternoon."""
    page = await demo.page(1400, 900)
    await demo.sign_in(AMIR, page, "/settings/hours")
    await page.get_by_label("Time zone").select_option(ZONE)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()


async def inbox(demo: Demo, folder: Path) -> str:
    """Returns the path of the conversation in the picture."""
    page = await demo.page(1600, 900)
    await demo.sign_in(BEA, page)
    await page.get_by_role("option", name=re.compile("Elif Yıldız")).click()
    await expect(page.get_by_role("article").first).to_contain_text("Elif")
    await page.get_by_role("button", name="Take", exact=True).click()
    await expect(page.get_by_text("You took this conversation")).to_be_visible()
    path = page.url.removeprefix(demo.desk).partition("?")[0]
    await page.get_by_role("tab", name="Note").click()
    await page.get_by_role("textbox", name="Internal note").fill(NOTE)
    await page.get_by_role("button", name="Add note").click()
    await expect(page.get_by_role("article").last).to_contain_text("Turku")
    await page.get_by_role("tab", name=re.compile("Reply")).click()
    await page.get_by_role("textbox", name="Reply").fill(ANSWER)
    await expect(page.get_by_text("Draft kept")).to_be_visible()
    await _shoot(page, folder / "inbox.png")
    return path


async def handoff(demo: Demo, path: str, folder: Path) -> None:
    page = await demo.page(1180, 800, "dark")
    await demo.sign_in(BEA, page, path)
    await expect(page.get_by_role("article").first).to_contain_text("Elif")
    await page.evaluate("document.activeElement?.blur()")
    await page.keyboard.press("h")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("The next person sees this first. Drafted from the timeline")
    to = dialog.get_by_label("To", exact=True)
    await to.select_option(await to.get_by_role("option", name=re.compile("Jonas")).get_attribute("value"))
    await _shoot(page, folder / "handoff-dark.png")


async def wallboard(demo: Demo, folder: Path) -> None:
    page = await demo.page(1600, 900)
    await demo.sign_in(SARI, page, "/wallboard")
    await page.get_by_text("Longest wait").first.wait_for()
    await page.wait_for_load_state("networkidle")
    await _shoot(page, folder / "wallboard.png")


async def widget(demo: Demo, folder: Path) -> None:
    visitor = await demo.page(1180, 800)
    await visitor.goto(demo.shop)
    await visitor.get_by_role("button", name="Chat with us").click()
    await panel(visitor).get_by_label("Your question").fill("Does the copper kettle work on induction?")
    await panel(visitor).get_by_role("button", name="Start chat").click()
    await expect(panel(visitor).get_by_text("Received")).to_be_visible()
    operator = await demo.page(1400, 900)
    await demo.sign_in(JONAS, operator)
    await operator.get_by_role("option", name=re.compile("copper kettle")).click()
    await operator.get_by_role("textbox", name="Reply").fill("It does, on every stove. Which size is your plate?")
    await operator.get_by_role("button", name="Send", exact=True).click()
    await expect(panel(visitor).get_by_role("log")).to_contain_text("on every stove")
    await panel(visitor).get_by_label("Message").fill("18 cm. Then I take the small one!")
    await panel(visitor).get_by_label("Message").press("Enter")
    await expect(panel(visitor).get_by_role("log")).to_contain_text("small one")
    await _shoot(visitor, folder / "widget.png")


async def phone(demo: Demo, path: str, folder: Path) -> None:
    page = await demo.page(390, 844, touch=True)
    await demo.sign_in(BEA, page, path)
    await expect(page.get_by_role("article").first).to_contain_text("Elif")
    await _shoot(page, folder / "phone.png")


async def reports(demo: Demo, folder: Path) -> None:
    page = await demo.page(1280, 900)
    await demo.sign_in(SARI, page, "/reports?period=last_month")
    await expect(page.get_by_role("heading", name="Reports")).to_be_visible()
    await _shoot(page, folder / "reports.png")


async def staffing(demo: Demo, folder: Path) -> None:
    page = await demo.page(1280, 900)
    await demo.sign_in(SARI, page, "/staffing")
    await expect(page.get_by_role("heading", name="Staffing plan")).to_be_visible()
    await _shoot(page, folder / "staffing.png")


async def _shoot(page: Page, path: Path) -> None:
    await page.evaluate("document.fonts.ready")
    browser = page.context.browser
    assert browser is not None
    path.write_bytes(await _smaller(browser, await page.screenshot()))
    size = path.stat().st_size
    print(f"{path}  {size // 1000} kB")
    if size > MOST_BYTES:
        raise RuntimeError(f"{path} has {size} bytes, more than {MOST_BYTES}")


INDEXED = """async (png) => {
  const picture = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  canvas.drawImage(picture, 0, 0);
  const pixels = new Uint32Array(canvas.getImageData(0, 0, picture.width, picture.height).data.buffer);
  const seen = new Map();
  for (const pixel of pixels) seen.set(pixel, (seen.get(pixel) || 0) + 1);
  const often = [...seen].sort((one, other) => other[1] - one[1]).map(([pixel]) => pixel);
  const parts = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  const palette = often.slice(0, 256).map(parts);
  const place = new Map(often.map((pixel, at) => {
    if (at < 256) return [pixel, at];
    const [r, g, b] = parts(pixel);
    let nearest = 0, least = Infinity;
    palette.forEach(([pr, pg, pb], n) => {
      const far = (r - pr) ** 2 + (g - pg) ** 2 + (b - pb) ** 2;
      if (far < least) [nearest, least] = [n, far];
    });
    return [pixel, nearest];
  }));
  const rows = new Uint8Array((picture.width + 1) * picture.height);
  pixels.forEach((pixel, at) => { rows[at + Math.floor(at / picture.width) + 1] = place.get(pixel); });
  return { width: picture.width, height: picture.height, palette: palette.flat(), rows: await text(rows) };
  async function text(bytes) {
    const address = await new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(new Blob([bytes]));
    });
    return address.slice(address.indexOf(",") + 1);
  }
}"""


async def _smaller(browser: Browser, png: bytes) -> bytes:
    """The picture in its 256 most frequent colours: screens have few, and browsers compress for speed."""
    page = await browser.new_page()
    found = await page.evaluate(INDEXED, b64encode(png).decode())
    await page.close()
    head = found["width"].to_bytes(4) + found["height"].to_bytes(4) + bytes([8, 3, 0, 0, 0])
    chunks = [(b"IHDR", head), (b"PLTE", bytes(found["palette"]))]
    chunks += [(b"IDAT", zlib.compress(b64decode(found["rows"]), 9)), (b"IEND", b"")]
    return png[:8] + b"".join(
        len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4) for kind, data in chunks
    )


async def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await launch_chromium(playwright)
        async with demonstration(browser) as demo:
            await move(demo)
            # A colleague to hand over to.
            await demo.sign_in(JONAS, await demo.page(1400, 900))
            await widget(demo, folder)
            path = await inbox(demo, folder)
            await handoff(demo, path, folder)
            await phone(demo, path, folder)
            await wallboard(demo, folder)
            await reports(demo, folder)
            await staffing(demo, folder)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
