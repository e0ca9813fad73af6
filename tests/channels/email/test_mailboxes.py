"""Mailboxes watched over IMAP, on a real Dovecot."""

from __future__ import annotations

import asyncio
import imaplib
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from channels.email.settings import Listener, Mailbox, Secret, TlsMode
from inbox.clock import ManualClock
from inbox.mailboxes import MailTrouble
from tests.channels.email.desk import MailDesk, mail, open_desk, until
from tests.channels.email.test_listener import deliver_smtp
from tests.support.dovecot import Dovecot


def mailbox(dovecot: Dovecot, user: str, *, password: str | None = None, existing: bool = False) -> Mailbox:
    return Mailbox(
        name="main",
        host="127.0.0.1",
        port=dovecot.imap_port,
        tls=TlsMode.NONE,
        username=user,
        password=Secret(value=SecretStr(password or dovecot.password)),
        import_existing=existing,
    )


async def connected(desk: MailDesk) -> None:
    await until(lambda: desk.status.mailboxes and desk.status.mailboxes[0].waiting_with_server, what="IDLE")


async def arrived(desk: MailDesk, count: int) -> None:
    async def there() -> bool:
        return len(await desk.conversations()) == count

    await until(there, seconds=30, what=f"{count} conversations")


async def test_new_mail_wakes_the_desk_and_old_mail_is_left_alone(
    dovecot: Dovecot, database_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    dovecot.deliver(user, mail("Long ago", message_id="<old@customers.test>"))
    async with open_desk(
        database_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(mailbox(dovecot, user),)
    ) as desk:
        await connected(desk)
        await asyncio.to_thread(dovecot.deliver, user, mail("Just now", message_id="<new@customers.test>"))
        await arrived(desk, 1)
        (conversation,) = await desk.conversations()
        assert await desk.texts(conversation) == ["Just now"]


async def test_what_came_while_the_desk_was_off_is_taken_once(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    settings: dict[str, Any] = {"listener": Listener(), "mailboxes": (mailbox(dovecot, user, existing=True),)}
    dovecot.deliver(user, mail("First", message_id="<1@customers.test>", subject="One"))
    async with open_desk(sqlite_url, tmp_path, clock=clock, **settings) as desk:
        await arrived(desk, 1)
    dovecot.deliver(user, mail("Second", message_id="<2@customers.test>", subject="Two"))
    dovecot.deliver(user, mail("Third", message_id="<3@customers.test>", subject="Three"))
    async with open_desk(sqlite_url, tmp_path, clock=clock, **settings) as desk:
        await arrived(desk, 3)
        await connected(desk)
        assert [await desk.texts(one) for one in await desk.conversations()] == [["First"], ["Second"], ["Third"]]
        assert desk.status.mailboxes[0].taken == 2


async def test_a_restarted_mail_server_is_found_again(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    async with open_desk(
        sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(mailbox(dovecot, user),)
    ) as desk:
        await connected(desk)
        await asyncio.to_thread(dovecot.stop)
        await until(lambda: not desk.status.mailboxes[0].connected, what="the lost line is noticed")
        assert desk.status.mailboxes[0].trouble
        await asyncio.to_thread(dovecot.start)
        await asyncio.to_thread(dovecot.deliver, user, mail("After the restart"))
        await arrived(desk, 1)
        assert desk.status.mailboxes[0].trouble == ""


async def test_a_wrong_password_is_said_and_stops_nothing(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    async with open_desk(
        sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(mailbox(dovecot, user, password="wrong"),)
    ) as desk:
        await until(lambda: desk.status.mailboxes[0].trouble == MailTrouble.REFUSED, what="the refusal is shown")


async def test_the_same_mail_by_imap_and_by_smtp_is_one_entry(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    async with open_desk(
        sqlite_url,
        tmp_path,
        clock=clock,
        listener=Listener(smtp_port=0),
        mailboxes=(mailbox(dovecot, user),),
    ) as desk:
        await connected(desk)
        await asyncio.to_thread(deliver_smtp, desk, mail())
        await arrived(desk, 1)
        await asyncio.to_thread(dovecot.deliver, user, mail())
        await until(lambda: desk.status.mailboxes[0].taken == 1)
        await desk.settled()
        (line,) = await desk.tray()
        assert line.reason == "copy"
        assert len(await desk.conversations()) == 1


async def test_a_mailbox_that_was_made_anew_loses_nothing_and_doubles_nothing(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    user = dovecot.new_user()
    watched = mailbox(dovecot, user, existing=True).model_copy(update={"folder": "Support"})

    def make_anew(*mails: bytes, unlike: bytes = b"") -> bytes:
        with imaplib.IMAP4("127.0.0.1", dovecot.imap_port) as client:
            client.login(user, dovecot.password)
            validity = unlike
            while validity == unlike:  # Dovecot makes UIDVALIDITY from the second
                client.delete("Support")
                client.create("Support")
                validity = bytes(client.status("Support", "(UIDVALIDITY)")[1][0])
            for raw in mails:
                assert client.append("Support", "", imaplib.Time2Internaldate(0), raw)[0] == "OK"
            return validity

    first = mail("First", message_id="<1@customers.test>", subject="One")
    validity = await asyncio.to_thread(make_anew, first)
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(watched,)) as desk:
        await arrived(desk, 1)
    # Another UIDVALIDITY: every number stands for another mail now.
    second = mail("Second", message_id="<2@customers.test>", subject="Two")
    await asyncio.to_thread(make_anew, second, first, unlike=validity)
    async with open_desk(sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(watched,)) as desk:
        await arrived(desk, 2)
        await desk.settled()
        assert [await desk.texts(one) for one in await desk.conversations()] == [["First"], ["Second"]]


async def test_a_frozen_line_is_noticed_and_left(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's side goes silent without closing: no packet says so, only the missing answer does."""
    monkeypatch.setattr("channels.email.imap_session.READ_SECONDS", 1)
    frozen = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", dovecot.imap_port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if frozen.is_set():
                    await asyncio.Event().wait()
                target.write(data)

        writers.extend((writer, there_writer))
        tasks.extend(asyncio.ensure_future(one) for one in (copy(reader, there_writer), copy(there_reader, writer)))

    server = await asyncio.start_server(between, "127.0.0.1", 0)
    user = dovecot.new_user()
    watched = mailbox(dovecot, user).model_copy(update={"port": server.sockets[0].getsockname()[1], "idle_seconds": 1})
    try:
        async with open_desk(sqlite_url, tmp_path, clock=clock, listener=Listener(), mailboxes=(watched,)) as desk:
            await connected(desk)
            frozen.set()
            await until(lambda: not desk.status.mailboxes[0].connected, what="the frozen line is noticed")
            frozen.clear()
            await asyncio.to_thread(dovecot.deliver, user, mail("After the frost"))
            await arrived(desk, 1)
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        for writer in writers:
            writer.close()
        await asyncio.gather(*tasks, *(writer.wait_closed() for writer in writers), return_exceptions=True)
