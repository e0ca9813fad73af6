"""`vuoro import-mail` and `vuoro compare-mail` as an administrator types them, on a real Dovecot."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.channels.email.desk import mail
from tests.support.conditions import eventually
from tests.support.dovecot import Dovecot

MAILS = 150
CONFIG = """
[store]
url = "{url}"
folder = "data"

[email]
addresses = [{{ address = "help@desk.test" }}]
check_senders = false

[[email.mailboxes]]
name = "support"
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{user}"
password = "env:MAILBOX_PASSWORD"
"""


def old(number: int) -> bytes:
    raw = mail(
        f"Old mail {number}",
        from_=f"Customer {number} <customer{number}@customers.test>",
        subject=f"Matter {number}",
        message_id=f"<old-{number}@customers.test>",
    )
    return raw.replace(b"Tue, 10 Mar 2026", f"{1 + number % 28:02d} May 2025".encode())


async def vuoro(folder: Path, dovecot: Dovecot, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "web.cli", *words, "--config", str(folder / "config.toml"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"MAILBOX_PASSWORD": dovecot.password, "COLUMNS": "120"},
    )  # fmt: skip


async def said(process: asyncio.subprocess.Process) -> tuple[int, str]:
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


@pytest.mark.timeout(300)  # five programs in turn
async def test_an_import_killed_in_the_middle_goes_on_and_every_mail_is_accounted_for(
    dovecot: Dovecot, sqlite_url: str, tmp_path: Path
) -> None:
    user = dovecot.new_user()
    dovecot.fill(user, [old(number) for number in range(MAILS)], dated=datetime(2025, 6, 1, tzinfo=UTC))
    config = CONFIG.format(url=sqlite_url, port=dovecot.imap_port, user=user)
    (tmp_path / "config.toml").write_text(config)
    engine = create_engine(sqlite_url)

    def count(query: str) -> int:
        with engine.connect() as conn:
            return int(conn.execute(text(query)).scalar_one())

    async def begun() -> bool:
        return count("SELECT count(*) FROM arrivals") >= 50

    process = await vuoro(tmp_path, dovecot, "import-mail")
    await eventually(begun, seconds=60)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    left_at = count("SELECT count(*) FROM arrivals")
    assert left_at < MAILS
    with engine.begin() as conn:  # what half a minute does to the lease of a dead process
        conn.execute(text("UPDATE mail_jobs SET leased_until = 0"))

    code, out = await said(await vuoro(tmp_path, dovecot, "import-mail"))
    assert code == 0, out
    assert f"{MAILS} looked at" in out
    assert f"{MAILS}/{MAILS}" in out
    assert count("SELECT count(*) FROM mail_jobs") == 1
    assert count("SELECT count(*) FROM conversations WHERE status = 'closed'") == MAILS
    assert count("SELECT count(*) FROM waits") == 0
    assert count("SELECT count(*) FROM outbox") == 0

    code, out = await said(await vuoro(tmp_path, dovecot, "compare-mail"))
    assert code == 0, out
    assert re.search(rf"in a conversation\W+{MAILS}\W", out)
    assert re.search(r"missing\W+0\W", out)
    engine.dispose()


async def test_a_wrong_password_ends_a_command_in_words(dovecot: Dovecot, sqlite_url: str, tmp_path: Path) -> None:
    config = CONFIG.format(url=sqlite_url, port=dovecot.imap_port, user=dovecot.new_user())
    (tmp_path / "config.toml").write_text(config.replace("env:MAILBOX_PASSWORD", "wrong"))
    code, out = await said(await vuoro(tmp_path, dovecot, "compare-mail"))
    assert code == 1
    assert "The mail server refused the sign-in." in " ".join(out.split())
    assert "Traceback" not in out
