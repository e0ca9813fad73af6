"""`vuoro init`: a configuration, a database, the first administrator."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from inbox.clock import SystemClock
from inbox.errors import InboxError
from inbox.people import operators
from inbox.store.database import open_database
from inbox.store.transaction import Transaction
from inbox.vocabulary import Role
from inbox.waits import calendar
from inbox.waits.change_hours import set_hours
from web.app import DURABLE, Config, load_config
from web.config import ConfigError
from web.security import LEAST_PASSWORD_CHARS, hash_password_now

OFFICE_HOURS = {
    "weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    "holidays": {},
    "targets": {"default": {"warn_s": 180, "target_s": 300}},
}

_WRITTEN = """\
# Written by `vuoro init`. Every key there is stands in config.example.toml; `vuoro check-config` checks this file.

[server]
address = "127.0.0.1"
port = 8800
url = "http://127.0.0.1:8800"

[store]
url = "sqlite:///var/vuoro.sqlite"
folder = "var"

[desk]
name = "Support"
zone = "Europe/Helsinki"

[security]
secret = "file:{secret}"
"""


def set_up(config_path: Path, *, email: str, name: str, password_file: Path | None) -> None:
    """Does what is not done yet: nothing that exists is written over."""
    console = Console(highlight=False)
    if not config_path.exists():
        _write_config(config_path)
        console.print(f"Written: {escape(str(config_path))}. Look through it; the defaults run on this machine alone.")
    try:
        config = load_config(config_path)
    except ConfigError as error:
        for problem in error.problems:
            console.print(f"  • {escape(problem)}")
        raise typer.Exit(2) from None
    email = email or typer.prompt("Mail address of the first administrator")
    name = name or typer.prompt("Name")
    password = _password(password_file)
    try:
        made = asyncio.run(_make(config, email=email, name=name, hashed=hash_password_now(password)))
    except InboxError as error:
        console.print(escape(str(error)))
        raise typer.Exit(2) from None
    if not made:
        console.print("This desk has accounts already; administrators add more under Settings. Nothing was changed.")
        raise typer.Exit(1)
    console.print(f"The desk is ready. Open it with: vuoro serve --config {escape(str(config_path))}")
    console.print(f"Then sign in at {escape(config.server.url)} as {escape(email)}.")


def _write_config(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    secret = path.parent / f"{path.stem}.secret"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(48))
    path.write_text(_WRITTEN.format(secret=secret.name))


def _password(file: Path | None) -> str:
    if file is not None:
        try:
            password = file.read_text().rstrip("\n")
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror}") from None
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(password) < LEAST_PASSWORD_CHARS:
        raise typer.BadParameter(f"A password has at least {LEAST_PASSWORD_CHARS} characters.")
    return str(password)


async def _make(config: Config, *, email: str, name: str, hashed: str) -> bool:
    from migrations.run import upgrade

    await asyncio.to_thread(upgrade, config.store.url)
    clock = SystemClock()
    db = open_database(config.store.url, now=clock.now, durable=DURABLE)

    def first(tx: Transaction) -> bool:
        if operators.any_account(tx.conn):
            return False
        operators.add(
            tx,
            email=email,
            name=name,
            role=Role.ADMINISTRATOR,
            password_hash=hashed,
            language=config.desk.language,
            now=clock.now(),
        )
        if not calendar.exists(tx.conn):
            set_hours(tx, config.desk.zone, OFFICE_HOURS, by=None, now=clock.now())
        return True

    try:
        return await db.write(first)
    finally:
        await db.close()
