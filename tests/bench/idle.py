"""From a mail lying in a watched mailbox to the row on an operator's screen: a real Dovecot, IDLE, the whole program.

Mails come one after the other, each at a moment of its own, while a screen listens. The clock starts when Dovecot has
taken the mail. The goal is two seconds for 99 of 100.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from inbox.vocabulary import Role
from tests.support.dovecot import Dovecot
from tests.support.program import Operator, Program
from tests.support.stores import SqliteTemplate

MAILS = 100
GOAL_MS = 2_000.0

Row = tuple[str, float, float, float]
"""What was measured, milliseconds, the goal, the first divided by the second."""


@asynccontextmanager
async def watching(folder: Path, store_url: str, dovecot: Dovecot) -> AsyncIterator[tuple[Operator, str]]:
    """An operator of a running desk that watches a new mailbox, and the mailbox's name."""
    user = dovecot.new_user()
    dovecot.deliver(user, mail(0), sender="anna@customers.test")  # makes the mailbox; old mail is left alone
    desk = Program(folder, store_url, mailbox=(dovecot.imap_port, user, dovecot.password))
    await desk.add_account("ann@desk.test", "Ann Berg", Role.OPERATOR, datetime.now(UTC))
    await desk.start()
    try:
        ann = await desk.operator("ann@desk.test")
        try:
            yield ann, user
        finally:
            await ann.leave()
    finally:
        await desk.stop()


def mail(number: int) -> bytes:
    return (
        f"From: Customer {number} <customer{number}@customers.test>\r\nTo: help@desk.test\r\n"
        f"Subject: Parcel {number}\r\nMessage-ID: <{number}@customers.test>\r\n"
        "Date: Tue, 10 Mar 2026 12:00:00 +0200\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nWhere is it?\r\n"
    ).encode()


async def measure(folder: Path, store_url: str, dovecot: Dovecot, *, count: int) -> list[float]:
    """Milliseconds for each mail."""
    chance, took = random.Random(1), []
    loop = asyncio.get_running_loop()
    async with watching(folder, store_url, dovecot) as (ann, user):
        screen = await ann.screen()
        for number in range(1, count + 1):
            seen = screen.awaits(f"Parcel {number}")
            await asyncio.to_thread(dovecot.deliver, user, mail(number))
            begin = loop.time()
            took.append((await asyncio.wait_for(seen, 60) - begin) * 1000)
            await asyncio.sleep(chance.random() * 0.3)
        await screen.leave()
    return took


async def bench(*, count: int = MAILS) -> list[Row]:
    template, dovecot = SqliteTemplate(), Dovecot()
    url = template.copy()
    try:
        with tempfile.TemporaryDirectory(prefix="idle-bench-") as folder:
            took = await measure(Path(folder), url, dovecot, count=count)
    finally:
        dovecot.remove()
        template.drop(url)
        template.remove()
    half, most = statistics.median(took), statistics.quantiles(took, n=100, method="inclusive")[98]
    return [
        ("mail in the mailbox to screen, p50 ms, beside the goal", half, GOAL_MS, half / GOAL_MS),
        ("mail in the mailbox to screen, p99 ms, beside the goal", most, GOAL_MS, most / GOAL_MS),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description="From a watched mailbox to an operator's screen.")
    arguments.add_argument("--mails", type=int, default=MAILS)
    for name, took, goal, ratio in asyncio.run(bench(count=arguments.parse_args().mails)):
        sys.stdout.write(f"{name:60} {took:10.1f} {goal:10.1f} {ratio:6.2f}\n")


if __name__ == "__main__":
    main()
