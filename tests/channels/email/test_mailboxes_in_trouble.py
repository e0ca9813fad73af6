"""Mailboxes whose mails, servers, readers or processes misbehave: nothing is lost, nothing doubled, nobody blocked."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.email.settings import Listener
from inbox import accounting, mailboxes
from inbox.clock import ManualClock
from inbox.mailboxes import LEASE
from inbox.vocabulary import ArrivalState
from tests.channels.email.desk import MailDesk, mail, open_desk, until
from tests.channels.email.test_mailboxes import arrived, connected, mailbox
from tests.conftest import TUESDAY_AT_TEN
from tests.support.dovecot import Dovecot
from tests.support.stores import PostgresServer


def numbered(number: int) -> bytes:
    return mail(f"Mail {number}", message_id=f"<{number}@customers.test>", subject=f"Matter {number}")


@pytest.fixture
def shared_url(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.copy()
    yield url
    postgres.drop(url)


async def test_one_process_watches_a_mailbox_and_another_takes_over_when_it_is_gone(
    dovecot: Dovecot, shared_url: str, tmp_path: Path
) -> None:
    user = dovecot.new_user()
    settings: dict[str, Any] = {"listener": Listener(), "mailboxes": (mailbox(dovecot, user),)}
    # Each process has a clock of its own; one that stands still is a process that hangs.
    hanging, living = ManualClock(TUESDAY_AT_TEN), ManualClock(TUESDAY_AT_TEN)
    async with open_desk(shared_url, tmp_path, clock=hanging, **settings) as first:
        await connected(first)
        async with open_desk(shared_url, tmp_path, clock=living, **settings) as second:
            assert second.status.mailboxes[0].elsewhere
            await asyncio.to_thread(dovecot.deliver, user, numbered(1))
            await arrived(first, 1)
            assert (first.status.mailboxes[0].taken, second.status.mailboxes[0].taken) == (1, 0)
            living.advance(LEASE * 2)
            await connected(second)
            hanging.advance(LEASE * 2)  # it wakes, and finds that it is no longer the one
            await until(lambda: first.status.mailboxes[0].elsewhere, what="the first has let go")
            await asyncio.to_thread(dovecot.deliver, user, numbered(2))
            await arrived(second, 2)
            assert second.status.mailboxes[0].taken == 1
        # The second left in order and gave its lease back: nobody has to wait for it.
        known = await first.db.read(mailboxes.read_mailbox, "main")
        assert known is not None
        assert known.leased_by == ""
        hanging.advance(LEASE)
        await connected(first)


async def test_a_mail_the_server_cannot_hand_out_is_noted_and_blocks_nobody(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.email.imap.BACK_OFF_SECONDS", (0.05, 0.1))
    user = dovecot.new_user()
    async with open_desk(
        sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(mailbox(dovecot, user),)
    ) as desk:
        await connected(desk)
    for number in (1, 2, 3):
        dovecot.deliver(user, numbered(number))
    broken = dovecot.file_of(user, b"Mail 2\n")
    broken.chmod(0)
    async with open_desk(
        sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(mailbox(dovecot, user),)
    ) as desk:
        await arrived(desk, 2)
        await until(lambda: _in_tray(desk), what="it is noted")
        (line,) = await desk.tray(ArrivalState.TRAY)
        assert line.reason.startswith("not_fetched")
        # Once the server is mended, the line in the tray is tried again as any other.
        await connected(desk)
        broken.chmod(0o644)
        operator = await desk.operator()
        await desk.db.write(accounting.run_again, line.id, by=operator, now=clock.now())
        assert desk.status.administration is not None
        desk.status.administration.jobs.wake()
        await arrived(desk, 3)
        await desk.settled()
        assert await desk.tray(ArrivalState.TRAY) == []


async def _in_tray(desk: MailDesk) -> bool:
    return bool(await desk.tray(ArrivalState.TRAY))


async def test_other_readers_of_the_mailbox_do_no_harm(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    """They mark as read, delete, move away and back: what the desk has it has once."""
    user = dovecot.new_user()
    settings: dict[str, Any] = {"listener": Listener(), "mailboxes": (mailbox(dovecot, user),)}

    def read_and_tidy() -> None:
        with imaplib.IMAP4("127.0.0.1", dovecot.imap_port) as client:
            client.login(user, dovecot.password)
            client.create("Done")
            client.select("INBOX")
            client.uid("STORE", "1", "+FLAGS", r"(\Seen)")
            client.uid("MOVE", "2", "Done")
            client.uid("STORE", "3", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.select("Done")
            client.uid("MOVE", "1", "INBOX")  # and back: under a new number

    async with open_desk(sqlite_url, tmp_path, clock=clock, **settings) as desk:
        await connected(desk)
        for number in (1, 2, 3):
            await asyncio.to_thread(dovecot.deliver, user, numbered(number))
        await arrived(desk, 3)
        await asyncio.to_thread(read_and_tidy)
        await until(lambda: desk.status.mailboxes[0].taken == 4)
        await desk.settled()
        assert len(await desk.conversations()) == 3
        assert [line.reason for line in await desk.tray()] == ["copy"]
        # Read by somebody before the desk saw it: taken all the same.
    dovecot.deliver(user, numbered(4))
    with imaplib.IMAP4("127.0.0.1", dovecot.imap_port) as client:
        client.login(user, dovecot.password)
        client.select("INBOX")
        client.store("1:*", "+FLAGS", r"(\Seen)")
    async with open_desk(sqlite_url, tmp_path, clock=clock, **settings) as desk:
        await arrived(desk, 4)


async def test_of_a_mail_that_is_too_large_the_header_and_the_texts_are_taken(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    box = mailbox(dovecot, user).model_copy(update={"max_mail_bytes": 100_000})
    large = mail("x", headers=("X-Kept: yes",)).partition(b"MIME-Version")[0] + b"\r\n".join(
        [
            b"MIME-Version: 1.0",
            b'Content-Type: multipart/mixed; boundary="b"',
            b"",
            b"--b",
            b"Content-Type: application/octet-stream; name=film.bin",
            b"Content-Disposition: attachment; filename=film.bin",
            b"Content-Transfer-Encoding: base64",
            b"",
            b"\r\n".join([b"QUJD" * 19] * 4000),
            b"--b",
            b"Content-Type: text/plain; charset=utf-8",
            b"",
            "The words stand after the film, ä.".encode(),
            b"--b--",
            b"",
        ]
    )
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(box,)) as desk:
        await connected(desk)
        await asyncio.to_thread(dovecot.deliver, user, large)
        await arrived(desk, 1)
        (conversation,) = await desk.conversations()
        (entry,) = await desk.timeline(conversation)
        assert "The words stand after the film, ä." in entry.text
        assert "truncated" in entry.data["mail"]["notes"]
        assert entry.data["mail"]["message_id"] == "<one@customers.test>"
        (line,) = await desk.tray(ArrivalState.PLACED)
        assert line.size_bytes < 5_000  # the film stayed where it was


async def test_what_was_put_away_stays_away_although_the_server_numbers_its_mails_anew(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = dovecot.new_user()
    watched = mailbox(dovecot, user, existing=True).model_copy(update={"folder": "Support"})

    def make_anew(unlike: bytes) -> bytes:
        with imaplib.IMAP4("127.0.0.1", dovecot.imap_port) as client:
            client.login(user, dovecot.password)
            validity = unlike
            while validity == unlike:  # Dovecot makes UIDVALIDITY from the second
                client.delete("Support")
                client.create("Support")
                validity = bytes(client.status("Support", "(UIDVALIDITY)")[1][0])
            assert client.append("Support", "", imaplib.Time2Internaldate(0), numbered(1))[0] == "OK"
            return validity

    def cannot(*_: Any, **__: Any) -> None:
        raise RuntimeError("this mail cannot be placed")

    validity = await asyncio.to_thread(make_anew, b"")
    monkeypatch.setattr("channels.email.intake_worker.place", cannot)
    settings: dict[str, Any] = {"listener": Listener(), "mailboxes": (watched,)}
    async with open_desk(sqlite_url, tmp_path, clock=clock, **settings) as desk:

        async def in_tray() -> bool:
            clock.advance(LEASE)  # three tries, a pause after each
            return bool(await desk.tray(ArrivalState.TRAY))

        await until(in_tray, what="after three tries it lies in the tray")
        (line,) = await desk.tray(ArrivalState.TRAY)
        assert "this mail cannot be placed" in line.reason
        assert desk.status.mailboxes[0].taken == 1  # fetched once, tried three times
        await desk.db.write(accounting.dismiss, line.id, by=await desk.operator(), now=clock.now())
    monkeypatch.undo()
    await asyncio.to_thread(make_anew, validity)
    async with open_desk(sqlite_url, tmp_path, clock=clock, **settings) as desk:
        await until(lambda: desk.status.mailboxes[0].taken == 1)
        await desk.settled()
        assert await desk.conversations() == []
        assert {line.reason for line in await desk.tray()} == {"dismissed"}


async def test_one_mailbox_that_cannot_be_reached_keeps_no_other_from_its_work(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    gone = mailbox(dovecot, user).model_copy(update={"name": "gone", "port": 1})
    async with open_desk(
        sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(gone, mailbox(dovecot, user))
    ) as desk:
        await until(lambda: desk.status.mailboxes[0].trouble == "unreachable", what="the one is noticed")
        await until(lambda: desk.status.mailboxes[1].waiting_with_server, what="the other waits")
        await asyncio.to_thread(dovecot.deliver, user, numbered(1))
        await arrived(desk, 1)
