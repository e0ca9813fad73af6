"""A mail put into a watched mailbox appears on an operator's screen by itself: Dovecot, IDLE, desk, live line."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.bench.idle import mail, watching
from tests.support.dovecot import Dovecot


async def test_a_mail_in_a_watched_mailbox_is_pushed_to_the_screens(
    tmp_path: Path, database_url: str, dovecot: Dovecot
) -> None:
    async with watching(tmp_path, database_url, dovecot) as (ann, user):
        screen = await ann.screen()
        for number in (1, 2):
            seen = screen.awaits(f"Parcel {number}")
            await asyncio.to_thread(dovecot.deliver, user, mail(number))
            await asyncio.wait_for(seen, 30)
        rows = await ann.waits_until(2)
        assert sorted(row["subject"] for row in rows) == ["Parcel 1", "Parcel 2"], "old mail was left alone"
        await screen.leave()
