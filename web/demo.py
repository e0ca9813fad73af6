"""`vuoro demo`: a desk on this machine with customers in it, a shop that embeds the widget, nothing else needed."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from aiohttp import web
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from channels.chat.settings import ChatSettings
from channels.email.addressing import EmailAddressing
from channels.email.intake import place, store_files
from channels.email.parse import parse
from channels.email.settings import EmailSettings, Listener, SupportAddress
from channels.phone.example import curl_line
from channels.phone.settings import PhoneSettings, PhoneSource
from inbox.clock import SystemClock
from inbox.events import ReplyWritten
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import open_database
from inbox.vocabulary import ArrivalId, ChannelKind, ConversationId
from web.app import EMAIL_STATUS, Config, build
from web.config import DeskTable, LogTable, SecurityTable, ServerTable, StoreTable
from web.demo_data import ACCOUNTS, SUPPORT_ADDRESS, SUPPORT_NUMBER, Story, seed
from web.demo_shop import shop_app
from web.serving import listening_socket, run_loop, serve_until_stopped, set_up_log

SMTP_PORT = 2525
PORTS_TO_TRY = 20
FILLED = "filled"
"""Marks a demonstration that was filled to the end."""


def run_demo(folder: Path, port: int, *, fresh: bool, address: str = "127.0.0.1") -> None:
    """Until Ctrl-C. What happens in it is kept in `folder` for the next time."""
    console = Console(highlight=False)
    folder = folder.absolute()
    filled = folder / FILLED
    if folder.exists() and (fresh or not filled.exists()):
        _forget(folder)
    folder.mkdir(parents=True, exist_ok=True)
    desk_socket = _socket(address, port)
    shop_socket = _socket(address, desk_socket.getsockname()[1] + 1)
    desk_port, shop_port = desk_socket.getsockname()[1], shop_socket.getsockname()[1]
    smtp = _socket(address, SMTP_PORT)
    smtp_port = smtp.getsockname()[1]
    smtp.close()
    config = demo_config(folder, address, desk_port, shop_port, smtp_port)
    set_up_log(config)

    async def main() -> None:
        if not filled.exists():
            console.print("The first start fills the desk with customers; the next ones are quicker.")
            await fill(config)
            filled.touch()
        await serve_until_stopped(
            [
                (lambda: build(config), desk_socket),
                (lambda: shop_app(config.server.url), shop_socket),
            ],
            ready=lambda apps: _say(console, config, apps, shop_port, folder),
        )
        console.print("The desk is closed. Everything is kept for the next time.")

    run_loop(main())


def demo_config(folder: Path, address: str, desk_port: int, shop_port: int, smtp_port: int) -> Config:
    """A desk on SQLite that sends nothing: outgoing mail is kept as files."""
    token_file = folder / "phone-token"
    if not token_file.exists():
        token_file.write_text(secrets.token_urlsafe(24))
    origins = (f"http://{address}:{shop_port}", f"http://localhost:{shop_port}")
    return Config(
        server=ServerTable(address=address, port=desk_port, url=f"http://{address}:{desk_port}"),
        store=StoreTable(url=f"sqlite:///{folder / 'desk.sqlite'}", folder=folder),
        desk=DeskTable(name="Teapots & Co", zone="Europe/Helsinki"),
        security=SecurityTable(sign_in_tries_per_minute=60),
        log=LogTable(level="warning"),
        chat=ChatSettings.model_validate(
            {
                "sites": [
                    {
                        "key": "shop",
                        "name": "Teapots & Co",
                        "origins": origins,
                        "email": SUPPORT_ADDRESS,
                        "phone": SUPPORT_NUMBER,
                    }
                ]
            }
        ),
        email=EmailSettings(
            addresses=(SupportAddress(address=SUPPORT_ADDRESS, name="Teapots & Co"),),
            listener=Listener(host=address, smtp_port=smtp_port),
            keep_folder=folder / "outgoing-mail",
        ),
        phone=PhoneSettings.model_validate(
            {"sources": [{"name": "demo", "token": token_file.read_text().strip(), "default_country": "FI"}]}
        ),
    )


async def fill(config: Config) -> None:
    """Make the database and the demonstration's accounts and customers."""
    from migrations.run import upgrade

    await asyncio.to_thread(upgrade, config.store.url)
    clock = SystemClock()
    db = open_database(config.store.url, now=clock.now, durable={ReplyWritten: ["delivery"]})
    folder = AttachmentFolder(config.store.folder / "attachments")
    own = [SUPPORT_ADDRESS]

    async def take_in_mail(arrival_id: ArrivalId, raw: bytes, at: datetime) -> ConversationId:
        understood = await asyncio.to_thread(lambda: store_files(folder, parse(raw, own_addresses=own), raw))
        placed = await db.write(place, arrival_id, understood, own_addresses=own, envelope_recipients=own, now=at)
        assert placed.conversation_id is not None, placed.reason
        return placed.conversation_id

    try:
        await seed(Story(db, {ChannelKind.EMAIL: EmailAddressing(config.email)}, take_in_mail, clock.now()))
    finally:
        await db.close()


def _forget(folder: Path) -> None:
    """Remove what a demonstration has made, and nothing else that may lie there."""
    for name in ("desk.sqlite", "desk.sqlite-wal", "desk.sqlite-shm", "secret", "phone-token", FILLED):
        (folder / name).unlink(missing_ok=True)
    for name in ("attachments", "outgoing-mail"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _socket(address: str, port: int) -> socket.socket:
    """The port, or the next one that is free."""
    for candidate in range(port, port + PORTS_TO_TRY):
        try:
            return listening_socket(address, candidate)
        except OSError:
            continue
    raise typer.BadParameter(f"No port from {port} to {port + PORTS_TO_TRY - 1} is free.")


def _say(console: Console, config: Config, apps: Sequence[web.Application], shop_port: int, folder: Path) -> None:
    address = config.server.address
    source: PhoneSource = config.phone.sources[0]
    smtp_port = config.email.listener.smtp_port
    mail = (
        f"printf 'From: Maya Lind <maya@lind.example>\\nTo: {SUPPORT_ADDRESS}\\nSubject: Hello\\n\\nAnybody there?\\n'"
        " | "
        f"curl -sS smtp://{address}:{smtp_port} --mail-from maya@lind.example --mail-rcpt {SUPPORT_ADDRESS} -T -"
    )
    accounts = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Sign in as", "Address", "Password"):
        accounts.add_column(title)
    for account in ACCOUNTS:
        accounts.add_row(f"{account.name} ({account.role})", account.email, account.password)
    console.print()
    console.print(f"[bold]The desk is open:[/bold] {config.server.url}")
    console.print(f"A shop with the chat widget: http://{address}:{shop_port}")
    console.print()
    console.print(accounts)
    console.print()
    _line(console, f"Send it a mail (SMTP on port {smtp_port}, to {SUPPORT_ADDRESS}):", mail)
    _line(console, "Report a missed call:", curl_line(config.server.url, source))
    if not apps[0][EMAIL_STATUS].outgoing:
        console.print("No mail server is configured, so nothing leaves this machine. Outgoing mail is kept as files in")
        console.print(f"  {escape(str(folder / 'outgoing-mail'))}", soft_wrap=True)
    console.print("\nCtrl-C closes the desk; what happened in it is kept.")
    console.print("[bold].venv/bin/vuoro demo --fresh[/bold] begins anew.")


def _line(console: Console, what: str, command: Any) -> None:
    console.print(what)
    console.print(f"  {escape(command)}", soft_wrap=True)
    console.print()
