"""The desk's own SMTP and LMTP ports against real peers: swaks, Postfix, and peers that misbehave."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from channels.email.settings import Listener
from inbox.clock import ManualClock
from inbox.store import arrivals
from inbox.store.database import Database
from inbox.vocabulary import ArrivalState
from tests.channels.email.desk import MailDesk, mail, open_desk, until
from tests.support.postfix import Postfix


@pytest.fixture
async def desk(sqlite_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[MailDesk]:
    async with open_desk(sqlite_url, tmp_path, clock=clock) as opened:
        yield opened


async def swaks(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        "swaks", "--no-hints", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode(errors="replace")


async def test_swaks_delivers_by_smtp(desk: MailDesk) -> None:
    code, said = await swaks(
        "--server", f"127.0.0.1:{desk.status.ports.smtp}", "--from", "anna@customers.test", "--to", "help@desk.test",
        "--header", "Subject: From swaks", "--body", "Hello",
    )  # fmt: skip
    assert code == 0, said
    await desk.settled()
    (conversation,) = await desk.conversations()
    assert await desk.texts(conversation) == ["Hello"]


async def test_an_address_that_is_not_ours_is_refused_at_once(desk: MailDesk) -> None:
    code, said = await swaks(
        "--server", f"127.0.0.1:{desk.status.ports.smtp}", "--from", "a@customers.test", "--to", "who@desk.test",
        "--quit-after", "RCPT",
    )  # fmt: skip
    assert code != 0
    assert "550 5.1.1" in said


async def test_lmtp_answers_once_for_each_recipient(desk: MailDesk) -> None:
    code, said = await swaks(
        "--protocol", "LMTP", "--server", f"127.0.0.1:{desk.status.ports.lmtp}", "--from", "anna@customers.test",
        "--to", "help@desk.test,support@desk.test", "--header", "Subject: Two", "--body", "Hello",
    )  # fmt: skip
    assert code == 0, said
    assert said.count("250 2.0.0 Kept") == 2
    await desk.settled()
    assert len(await desk.conversations()) == 1


async def test_lmtp_refuses_too_much_data_for_each_recipient(
    sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    listener = Listener(lmtp_port=0, max_mail_bytes=20_000)
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        port = desk.status.ports.lmtp
        assert port is not None

        def deliver() -> bytes:
            with smtplib.LMTP("127.0.0.1", port, timeout=10) as lmtp:
                lmtp.ehlo_or_helo_if_needed()
                lmtp.mail("anna@customers.test")
                lmtp.rcpt("help@desk.test")
                lmtp.rcpt("support@desk.test")
                lmtp.putcmd("data")
                lmtp.getreply()
                lmtp.send(b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 500 + b".\r\n")
                return b"%d %d" % (lmtp.getreply()[0], lmtp.getreply()[0])

        assert await asyncio.to_thread(deliver) == b"552 552"


async def test_a_line_longer_than_the_standard_allows_is_taken(desk: MailDesk) -> None:
    raw = mail("x" * 150_000)
    await asyncio.to_thread(deliver_smtp, desk, raw)
    await desk.settled()
    (conversation,) = await desk.conversations()
    assert await desk.texts(conversation) == ["x" * 150_000]


async def test_the_sender_is_told_to_come_back_when_the_store_fails(
    desk: MailDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrivals, "keep", broken)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await asyncio.to_thread(deliver_smtp, desk, mail())
    assert refused.value.smtp_code == 451
    monkeypatch.undo()
    await asyncio.to_thread(deliver_smtp, desk, mail())
    await desk.settled()
    assert len(await desk.conversations()) == 1


async def test_too_many_peers_are_turned_away_and_the_others_served(
    sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    listener = Listener(smtp_port=0, max_connections=2)
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        port = desk.status.ports.smtp
        first = await asyncio.open_connection("127.0.0.1", port)
        second = await asyncio.open_connection("127.0.0.1", port)
        assert (await first[0].readline()).startswith(b"220")
        assert (await second[0].readline()).startswith(b"220")
        third = await asyncio.open_connection("127.0.0.1", port)
        assert (await third[0].readline()).startswith(b"421")
        third[1].close()
        first[1].close()
        second[1].close()

        async def free() -> bool:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            greeting = await reader.readline()
            writer.close()
            return greeting.startswith(b"220")

        await until(free)


async def test_garbage_on_the_line_hurts_nobody(desk: MailDesk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.status.ports.smtp)
    await reader.readline()
    writer.write(b"\x00\xff\xfe" * 2000 + b"\r\n" + b"MAIL FROM:<\xff\xfe@x>\r\nDATA\r\n" + b"EHLO x\r\n")
    await writer.drain()
    assert (await reader.readline()).startswith(b"5")
    writer.close()
    await asyncio.to_thread(deliver_smtp, desk, mail())
    await desk.settled()
    assert len(await desk.conversations()) == 1


async def test_a_smuggled_second_mail_stays_inside_the_first(desk: MailDesk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.status.ports.smtp)
    commands = [b"EHLO x", b"MAIL FROM:<anna@customers.test>", b"RCPT TO:<help@desk.test>", b"DATA"]
    await reader.readline()
    for command in commands:
        writer.write(command + b"\r\n")
        while (line := await reader.readline())[3:4] == b"-":
            pass
        assert line[:1] in b"23"
    smuggled = b"MAIL FROM:<ceo@desk.test>\r\nRCPT TO:<help@desk.test>\r\nDATA\r\nSubject: forged\r\n\r\nforged\r\n"
    writer.write(b"From: anna@customers.test\r\nSubject: one\r\n\r\nfirst\r\n\n.\n" + smuggled + b".\r\n")
    assert (await reader.readline()).startswith(b"250")
    writer.close()
    await desk.settled()
    assert len(await desk.conversations()) == 1


async def test_postfix_delivers_by_lmtp_and_keeps_what_we_cannot_take_yet(
    postfix: Postfix, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    def send(text: str, message_id: str) -> None:
        with smtplib.SMTP("127.0.0.1", postfix.smtp_port) as client:
            client.sendmail("anna@customers.test", ["help@desk.test"], mail(text, message_id=message_id))

    await asyncio.to_thread(send, "While you were away", "<away@customers.test>")
    listener = Listener(lmtp_port=postfix.desk_lmtp_port)
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        await asyncio.to_thread(send, "Now you are here", "<here@customers.test>")

        async def both() -> bool:
            return len(await desk.conversations()) == 2

        def flush() -> None:
            postfix.flush()

        await asyncio.to_thread(flush)
        await until(both, seconds=30, what="both mails through Postfix")
        texts = {(await desk.texts(one))[0] for one in await desk.conversations()}
        assert texts == {"While you were away", "Now you are here"}


async def test_a_mail_that_cannot_be_placed_lies_in_the_tray_after_three_tries(
    desk: MailDesk, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("channels.email.intake.receive", broken)
    await asyncio.to_thread(deliver_smtp, desk, mail())

    async def in_the_tray() -> bool:
        clock.advance(timedelta(seconds=3))  # it is not tried again at once
        return bool(await desk.tray(ArrivalState.TRAY))

    await until(in_the_tray)
    (line,) = await desk.tray(ArrivalState.TRAY)
    assert "a fault of ours" in line.reason
    monkeypatch.undo()
    await run_again(desk.db, line.id)
    await desk.settled()
    (conversation,) = await desk.conversations()
    assert await desk.texts(conversation) == ["Where is my parcel?"]


async def run_again(db: Database, arrival_id: int) -> None:
    await db.write(arrivals.run_again, arrival_id)  # type: ignore[arg-type]


def deliver_smtp(desk: MailDesk, raw: bytes, *, sender: str = "anna@customers.test", tls: bool = False) -> None:
    port = desk.status.ports.smtp
    assert port is not None
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        if tls:
            client.starttls()
        client.sendmail(sender, ["help@desk.test"], raw)


async def test_starttls_is_offered_with_a_certificate_and_can_be_demanded(
    sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=desk.test", "-days", "2"),
        *("-keyout", str(key), "-out", str(certificate)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    listener = Listener(smtp_port=0, certificate=certificate, key=key, require_tls=True)
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=listener) as desk:
        server = f"127.0.0.1:{desk.status.ports.smtp}"
        common = ("--server", server, "--from", "anna@customers.test", "--to", "help@desk.test", "--body", "Hello")
        code, said = await swaks(*common)
        assert code != 0
        assert "530" in said
        await asyncio.to_thread(deliver_smtp, desk, mail(), tls=True)
        await desk.settled()
        assert len(await desk.conversations()) == 1
