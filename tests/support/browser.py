"""Debian's Chromium, driven by Playwright, and the accessibility checker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, Playwright

from tests.support.processes import Missing

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def launch_chromium(playwright: Playwright) -> Browser:
    if not CHROMIUM.exists():
        raise Missing("Chromium", "chromium fonts-noto-core")
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


class Troubles:
    """What a page complained about: script errors, console errors, refused loads, broken content policies."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def watch(self, page: Page) -> Page:
        page.on("pageerror", lambda error: self.seen.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda message: (
                self.seen.append(f"{page.url}: {message.text} {message.location}") if message.type == "error" else None
            ),
        )
        return page

    def forgive(self, words: str) -> None:
        """Take out what the test caused on purpose; fails when nothing of the kind was seen."""
        rest = [line for line in self.seen if words not in line]
        assert len(rest) < len(self.seen), f"nothing with {words!r} in {self.seen}"
        self.seen = rest


async def axe_violations(page: Page, *, within: str | None = None) -> list[str]:
    """One line for each element that breaks a WCAG 2.2 AA or best-practice rule; empty when the page is fine."""
    if not AXE.exists():
        raise RuntimeError("axe-core is not installed: npm ci")
    if not await page.evaluate("typeof window.axe === 'object'"):
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = await page.evaluate(
        "([within, options]) => axe.run(within || document, options)",
        [within, {"runOnly": {"type": "tag", "values": AXE_RULES}, "resultTypes": ["violations"]}],
    )
    return [
        f"{violation['id']}: {violation['help']} in {node['html'][:200]} {node.get('failureSummary', '')}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
