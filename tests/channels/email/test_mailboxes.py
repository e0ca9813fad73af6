"""Mailboxes watched over IMAP, on a real Dovecot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from channels.email.settings import Listener, Mailbox, Secret, TlsMode
from inbox.clock import ManualClock
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
        await until(lambda: "refused the sign-in" in desk.status.mailboxes[0].trouble, what="the refusal is shown")


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
