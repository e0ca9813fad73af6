"""The servers that other tests rely on do what those tests take for granted."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest
from imapclient import IMAPClient
from playwright.async_api import Page
from redis.asyncio import Redis
from sqlalchemy import Connection, select, update

from inbox.clock import ManualClock
from inbox.store.database import Database
from inbox.store.models import Calendar
from inbox.store.transaction import Transaction
from tests.support.browser import Troubles, axe_violations
from tests.support.dovecot import Dovecot
from tests.support.postfix import Postfix
from tests.support.processes import Missing, program
from tests.support.redis_server import RedisServer


def _hello(to: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "anna@customers.test", to, "Hello"
    mail.set_content("Is anybody there?")
    return mail


def _zones(conn: Connection) -> list[str]:
    return list(conn.scalars(select(Calendar.zone)))


async def test_each_test_gets_an_empty_database_that_is_open_around_the_clock(
    database: Database, clock: ManualClock
) -> None:
    def move(tx: Transaction) -> int:
        return tx.conn.execute(update(Calendar).values(zone="Asia/Tbilisi")).rowcount

    assert await database.read(_zones) == ["Europe/Helsinki"]
    assert await database.write(move) == 1
    assert await database.read(_zones) == ["Asia/Tbilisi"]


async def test_what_one_test_wrote_no_other_test_sees(database: Database) -> None:
    assert await database.read(_zones) == ["Europe/Helsinki"]


async def test_postfix_takes_the_desks_mail_to_a_customers_mailbox(postfix: Postfix) -> None:
    with smtplib.SMTP("127.0.0.1", postfix.smtp_port) as smtp:
        smtp.send_message(_hello("first.customer@customers.test"))
    (mail,) = await postfix.arrives("first.customer")
    assert mail["Subject"] == "Hello"
    assert mail["X-Original-To"] == "first.customer@customers.test"


def test_dovecot_shows_what_was_delivered_and_survives_a_restart(dovecot: Dovecot) -> None:
    user = dovecot.new_user()
    dovecot.deliver(user, _hello(user).as_bytes())
    dovecot.stop()
    dovecot.start()
    with IMAPClient("127.0.0.1", dovecot.imap_port, ssl=False) as imap:
        imap.login(user, dovecot.password)
        assert imap.select_folder("INBOX")[b"EXISTS"] == 1


async def test_redis_answers(redis_server: RedisServer) -> None:
    async with Redis.from_url(redis_server.url) as redis:
        assert await redis.ping()


async def test_chromium_reports_broken_scripts_and_inaccessible_elements(page: Page, troubles: Troubles) -> None:
    await page.set_content("<title>x</title><main><h1>x</h1><img src='data:,'><script>nothing.there()</script></main>")
    assert any(line.startswith("image-alt") for line in await axe_violations(page))
    troubles.forgive("nothing is not defined")


def test_a_missing_server_fails_the_test_and_names_the_package_to_install() -> None:
    with pytest.raises(Missing, match="apt-get install --no-install-recommends kafka-server"):
        program("kafka", "kafka-server")
