"""Mails that hang, crash or swell: each is kept as unreadable, and the others come in meanwhile."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from channels.email import readers as module
from channels.email.intake_worker import IntakeWorker
from channels.email.keeping import fingerprint, keep_from_smtp
from channels.email.readers import Readers
from inbox.clock import ManualClock
from inbox.store.attachments import AttachmentFolder
from inbox.vocabulary import ArrivalState
from tests.channels.email.desk import MailDesk, mail, open_desk, until

ODD = "tests.channels.email.odd_readers:parse"
OWN = frozenset({"help@desk.test"})


async def test_a_mail_is_read_in_a_process_of_its_own() -> None:
    async with Readers() as readers:
        assert not readers.is_running
        read = await readers.read(mail("Hello"), own_addresses=OWN, return_path="")
        assert (read.text, read.return_path) == ("Hello", "")
        assert readers.is_running
    assert not readers.is_running


@pytest.mark.parametrize("subject", ["hang", "die", "swell"])
async def test_a_mail_that_hurts_its_reader_comes_back_unreadable_with_its_headers(subject: str) -> None:
    async with Readers(parser=ODD, longest_seconds=1.0) as readers:
        read = await readers.read(mail("Hello", subject=subject), own_addresses=OWN, return_path=None)
        assert "unreadable" in read.notes
        assert (read.subject, read.author.address) == (subject, "anna@customers.test")
        again = await readers.read(mail("And on it goes"), own_addresses=OWN, return_path=None)
        assert again.text == "And on it goes"


async def test_a_reader_that_was_killed_while_it_waited_costs_no_mail() -> None:
    async with Readers() as readers:
        await readers.read(mail("Hello"), own_addresses=OWN, return_path=None)
        (waiting,) = readers._free
        waiting.kill()
        await until(lambda: not waiting.is_alive())
        read = await readers.read(mail("Hello again"), own_addresses=OWN, return_path=None)
        assert (read.text, "unreadable" in read.notes) == ("Hello again", False)


async def test_readers_end_when_no_mail_has_come_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    async with Readers() as readers:
        await readers.read(mail("Hello"), own_addresses=OWN, return_path=None)
        await until(lambda: not readers.is_running)
        read = await readers.read(mail("Hello again"), own_addresses=OWN, return_path=None)
        assert read.text == "Hello again"


async def test_readers_know_none_of_the_desks_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_MAIL_PASSWORD", "secret")
    async with Readers() as readers:
        await readers.read(mail("Hello"), own_addresses=OWN, return_path=None)
        program = readers._program
        assert program is not None
        assert b"SHOP_MAIL_PASSWORD" not in Path(f"/proc/{program.pid}/environ").read_bytes()
        assert os.getpid() != program.pid


async def keep(desk: MailDesk, raw: bytes) -> None:
    await desk.db.write(
        keep_from_smtp,
        raw,
        source="smtp",
        sender="anna@customers.test",
        recipients=["help@desk.test"],
        peer="127.0.0.1",
        digest=fingerprint(raw),
        now=desk.clock.now(),
    )


async def test_mails_that_hang_delay_nobody_and_are_kept(database_url: str, tmp_path: Path, clock: ManualClock) -> None:
    """No time is measured: as long as any of the six hangs, all the others must have been placed."""
    async with open_desk(database_url, tmp_path, clock=clock, background=False) as desk:
        readers = Readers(parser=ODD, longest_seconds=4.0)
        folder = AttachmentFolder(tmp_path / "attachments")
        async with IntakeWorker(desk.db, clock, folder, OWN, readers=readers) as worker:
            for number in range(6):
                await keep(desk, mail("x", subject="hang", message_id=f"<h{number}@customers.test>"))
            for number in range(10):
                await keep(desk, mail(f"Question {number}", subject=f"Q{number}", message_id=f"<q{number}@c.test>"))
            working = asyncio.ensure_future(worker.work_off())

            async def all_good_are_placed() -> bool:
                return await _placed(desk) >= 10

            await until(all_good_are_placed, seconds=30)
            assert await _hanging(desk) == 6, "a hanging mail was done before an ordinary one"
            await working
            await worker.all_read()
            assert await _hanging(desk) == 0
            unreadable = [
                conversation
                for conversation in await desk.conversations()
                for entry in await desk.timeline(conversation)
                if "unreadable" in entry.data.get("mail", {}).get("notes", ())
            ]
            assert len(unreadable) == 6
            assert not await desk.tray(ArrivalState.TRAY)


async def _placed(desk: MailDesk) -> int:
    return len(await desk.conversations())


async def _hanging(desk: MailDesk) -> int:
    return len(await desk.tray(ArrivalState.NEW))
