"""Peers that want too much, too long or at a bad moment: they are told to come back, and everybody else is served."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from channels.email.settings import Listener
from inbox.clock import ManualClock
from inbox.store import arrivals
from tests.channels.email.desk import MailDesk, mail, open_desk, until
from tests.channels.email.test_listener import deliver_smtp

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def desk(sqlite_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[MailDesk]:
    async with open_desk(sqlite_url, tmp_path, clock=clock) as opened:
        yield opened


async def ask(line: Line, command: bytes) -> bytes:
    """Send one command, return the last line of its answer."""
    line[1].write(command + b"\r\n")
    await line[1].drain()
    while (said := await asyncio.wait_for(line[0].readline(), 10))[3:4] == b"-":
        pass
    return said


@asynccontextmanager
async def line_to(port: int | None) -> AsyncIterator[Line]:
    opened = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield opened
    finally:
        opened[1].close()
        with suppress(ConnectionError):
            await opened[1].wait_closed()


@asynccontextmanager
async def greeted(desk: MailDesk, protocol: str = "smtp") -> AsyncIterator[Line]:
    port = desk.status.ports.smtp if protocol == "smtp" else desk.status.ports.lmtp
    async with line_to(port) as line:
        assert (await line[0].readline()).startswith(b"220")
        assert (await ask(line, b"EHLO x" if protocol == "smtp" else b"LHLO x")).startswith(b"250")
        yield line


async def served(desk: MailDesk, **more: Any) -> int:
    """The code a well-behaved sender gets for a mail of its own."""
    try:
        await asyncio.to_thread(deliver_smtp, desk, mail(**more))
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refused:
        return int(refused.smtp_code)
    return 250


# --- back-pressure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
async def test_a_full_disk_makes_senders_keep_their_mail(
    protocol: str, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    free = [499_999_999]
    async with open_desk(sqlite_url, tmp_path, clock=clock, free=lambda _: free[0]) as desk:
        async with greeted(desk, protocol) as line:
            assert (await ask(line, b"MAIL FROM:<anna@customers.test>")).startswith(b"452 4.3.1")
            assert (await ask(line, b"RCPT TO:<help@desk.test>")).startswith(b"503")
        free[0] = 500_000_000
        assert await served(desk) == 250
        await desk.settled()
        assert len(await desk.conversations()) == 1


async def test_a_database_that_does_not_answer_makes_senders_keep_their_mail(
    sqlite_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener(smtp_port=0, slow_store_seconds=0.3)
    stuck, goes_on = threading.Event(), threading.Event()
    really = arrivals.keep

    def slow(*given: Any, **more: Any) -> Any:
        stuck.set()
        goes_on.wait(20)
        return really(*given, **more)

    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        monkeypatch.setattr(arrivals, "keep", slow)
        try:
            assert await served(desk) == 451
            assert stuck.is_set()
            assert await served(desk, message_id="<two@customers.test>") == 451  # refused before it says a word
        finally:
            goes_on.set()
        monkeypatch.undo()

        async def well_again() -> bool:
            return await served(desk) == 250  # the first one again: it was kept late, and is recognised

        await until(well_again)
        await desk.settled()
        assert len(await desk.conversations()) == 1


async def test_too_many_mails_waiting_for_the_database_make_senders_wait(
    sqlite_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener(smtp_port=0, most_unsaved_mails=1)
    goes_on = threading.Event()
    really = arrivals.keep

    def slow(*given: Any, **more: Any) -> Any:
        goes_on.wait(20)
        return really(*given, **more)

    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        monkeypatch.setattr(arrivals, "keep", slow)
        first = asyncio.ensure_future(served(desk))
        async with greeted(desk) as line:

            async def refused() -> bool:
                said = await ask(line, b"MAIL FROM:<anna@customers.test>")
                await ask(line, b"RSET")
                return said.startswith(b"452")

            try:
                await until(refused)
            finally:
                goes_on.set()
            assert await first == 250


async def test_one_peer_cannot_take_all_connections(sqlite_url: str, tmp_path: Path, clock: ManualClock) -> None:
    listener = Listener(smtp_port=0, connections_per_peer=2, own_networks=())
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        async with greeted(desk), greeted(desk), line_to(desk.status.ports.smtp) as third:
            assert (await third[0].readline()).startswith(b"421 4.3.2")

        async def free() -> bool:
            async with line_to(desk.status.ports.smtp) as line:
                return (await line[0].readline()).startswith(b"220")

        await until(free)


async def test_mails_that_are_being_received_cannot_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    monkeypatch.setattr("channels.email.listener.MOST_HELD_BYTES", 300_000)
    listener = Listener(smtp_port=0, max_mail_bytes=60_000)
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        async with AsyncExitStack() as opened:
            for _ in range(5):
                line = await opened.enter_async_context(greeted(desk))
                for command in (b"MAIL FROM:<a@b.test>", b"RCPT TO:<help@desk.test>", b"DATA"):
                    assert (await ask(line, command))[:1] in b"23"
                line[1].write((b"x" * 70 + b"\r\n") * 800)
                await line[1].drain()
            said = await asyncio.wait_for(_from_one_more(desk), 10)
            assert b"421 4.3.2" in said

        async def well() -> bool:
            return await served(desk) == 250

        await until(well)


async def _from_one_more(desk: MailDesk) -> bytes:
    """All that a sixth peer hears when it, too, sends its mail."""
    heard = b""
    async with line_to(desk.status.ports.smtp) as line:
        line[1].write(b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<help@desk.test>\r\nDATA\r\n" + b"x" * 50_000)
        with suppress(ConnectionResetError):
            while piece := await line[0].read(1000):
                heard += piece
    return heard


# --- slow and greedy peers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [b"", b"E", b"NOOP\r\n"])
async def test_a_peer_that_drips_is_cut_off(piece: bytes, sqlite_url: str, tmp_path: Path, clock: ManualClock) -> None:
    listener = Listener(smtp_port=0, idle_seconds=1, session_seconds=2.0)
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        async with line_to(desk.status.ports.smtp) as line:

            async def drip() -> None:
                while not line[1].is_closing():
                    line[1].write(piece)
                    await asyncio.sleep(0.2)

            dripping = asyncio.ensure_future(drip())
            try:
                await asyncio.wait_for(line[0].read(), 8)  # until the other side closes
            except ConnectionResetError:
                pass
            finally:
                dripping.cancel()
        assert await served(desk) == 250


async def test_a_mail_that_drips_is_cut_off_and_not_kept(sqlite_url: str, tmp_path: Path, clock: ManualClock) -> None:
    listener = Listener(smtp_port=0, idle_seconds=1, session_seconds=30.0)
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        async with greeted(desk) as line:
            for command in (b"MAIL FROM:<a@b.test>", b"RCPT TO:<help@desk.test>", b"DATA"):
                await ask(line, command)

            async def drip() -> None:
                while not line[1].is_closing():
                    line[1].write(b"x\r\n")
                    await asyncio.sleep(0.2)

            dripping = asyncio.ensure_future(drip())
            try:
                assert await asyncio.wait_for(line[0].read(), 8) in (b"", None)
            except ConnectionResetError:
                pass
            finally:
                dripping.cancel()
        assert await desk.tray() == []
        assert await desk.conversations() == []


async def test_a_command_that_is_too_long_is_refused_and_the_line_goes_on(desk: MailDesk) -> None:
    async with greeted(desk) as line:
        assert (await ask(line, b"MAIL FROM:<" + b"a" * 5000 + b"@b.test>"))[:3] == b"500"
        assert (await ask(line, b"NOOP " + b"x" * 2_000_000))[:3] == b"500"
        assert (await ask(line, b"NOOP")).startswith(b"250")


async def test_the_recipient_beyond_the_limit_is_asked_to_be_sent_later(desk: MailDesk) -> None:
    async with greeted(desk) as line:
        await ask(line, b"MAIL FROM:<anna@customers.test>")
        said = [await ask(line, b"RCPT TO:<help+%d@desk.test>" % number) for number in range(101)]
        assert all(one.startswith(b"250") for one in said[:100])
        assert said[100].startswith(b"452 4.5.3")
        await ask(line, b"DATA")
        assert (await ask(line, mail().rstrip() + b"\r\n.")).startswith(b"250")
    await desk.settled()
    assert len(await desk.conversations()) == 1


async def test_a_mail_that_says_it_is_too_large_is_refused_before_it_is_sent(desk: MailDesk) -> None:
    async with greeted(desk) as line:
        assert (await ask(line, b"MAIL FROM:<anna@customers.test> SIZE=50000001"))[:3] == b"552"


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\x00.\r\n"])
async def test_no_unusual_end_of_data_smuggles_a_second_mail(desk: MailDesk, end: bytes) -> None:
    smuggled = b"MAIL FROM:<ceo@desk.test>\r\nRCPT TO:<help@desk.test>\r\nDATA\r\nSubject: forged\r\n\r\nforged"
    async with greeted(desk) as line:
        for command in (b"MAIL FROM:<anna@customers.test>", b"RCPT TO:<help@desk.test>", b"DATA"):
            assert (await ask(line, command))[:1] in b"23"
        body = b"From: anna@customers.test\r\nSubject: one\r\n\r\nfirst" + end + smuggled + b"\r\n."
        assert (await ask(line, body)).startswith(b"250")
        assert (await ask(line, b"NOOP")).startswith(b"250")  # and nothing else was answered in between
    await desk.settled()
    assert len(await desk.conversations()) == 1
