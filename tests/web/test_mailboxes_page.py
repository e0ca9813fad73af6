"""Settings, Mailboxes: what the page shows and does, on a desk without a mail server behind it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection
from yarl import URL

from channels.email.settings import EmailSettings
from inbox.clock import ManualClock
from inbox.store import arrivals
from inbox.store.database import Database
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalState, Role
from tests.support.conditions import eventually
from tests.web.conftest import Application
from web.app import Config, build
from web.config import ServerTable, StoreTable
from web.serving import listening_socket, start


def _in_the_tray(tx: Transaction, key: str, reason: str, *, now: datetime) -> None:
    kept = arrivals.keep(tx, source="smtp", dedupe_key=key, raw=b"Subject: x\r\n\r\nHello\r\n", envelope={}, now=now)
    arrivals.settle(tx, kept.arrival_id, ArrivalState.TRAY, now=now, reason=reason)


async def test_only_administrators_see_how_mail_comes_in(application: Application) -> None:
    supervisor = await application.signed_in("Sam", Role.SUPERVISOR)
    assert (await supervisor.page("/settings/mailboxes"))[0] == 403
    administrator = await application.signed_in("Ada", Role.ADMINISTRATOR)
    status, html = await administrator.page("/settings/mailboxes")
    assert status == 200
    assert "help@desk.test" in html
    assert "no mail comes in" in html


async def test_all_that_lie_in_the_tray_for_one_reason_are_tried_again_together(application: Application) -> None:
    for number, reason in enumerate(("ValueError: odd", "ValueError: odd", "KeyError: else")):
        await application.db.write(_in_the_tray, f"key-{number}", reason, now=application.clock.now())
    administrator = await application.signed_in("Ada", Role.ADMINISTRATOR)
    _, html = await administrator.page("/settings/mailboxes")
    row = next(row for row in re.findall(r"<tr>.*?</tr>", html, re.DOTALL) if "ValueError: odd" in row)
    assert re.search(r'class="number">2<', row)
    fields = {"state": "tray", "source": "smtp", "reason": "ValueError: odd"}
    status, _ = await administrator.form("/settings/mailboxes/again", fields)
    assert status == 303
    _, html = await administrator.page(administrator.location)
    assert "2 are being tried again." in html

    def left(conn: Connection) -> list[str]:
        return [line.reason for line in arrivals.listing(conn, [ArrivalState.TRAY])]

    assert await application.db.read(left) == ["KeyError: else"]


async def test_what_is_put_away_leaves_the_tray_and_stays_accounted_for(application: Application) -> None:
    await application.db.write(_in_the_tray, "key", "ValueError: odd", now=application.clock.now())
    operator = await application.signed_in("Bea")
    (line,) = await application.db.read(arrivals.listing, [ArrivalState.TRAY])
    status, _ = await operator.form(f"/tray/arrivals/{line.id}/dismiss", {})
    assert status == 303
    assert await application.db.read(arrivals.listing, [ArrivalState.TRAY]) == []
    _, html = await operator.page("/tray?state=set_aside")
    assert "Somebody has looked at it and put it away." in html


async def test_a_forged_or_foreign_way_back_from_a_provider_connects_nothing(application: Application) -> None:
    administrator = await application.signed_in("Ada", Role.ADMINISTRATOR)
    status, html = await administrator.page("/settings/mailboxes/connected?state=made-up&code=stolen")
    assert status == 422
    assert "was not begun here" in html


async def test_a_mailbox_nobody_configured_gets_no_work(application: Application) -> None:
    administrator = await application.signed_in("Ada", Role.ADMINISTRATOR)
    status, html = await administrator.form("/settings/mailboxes/compare", {"mailbox": "nowhere"})
    assert status == 422
    assert "There is no such mailbox" in html
    status, html = await administrator.form("/settings/mailboxes/import", {"mailbox": "nowhere", "since": "soon"})
    assert status == 422


@pytest.fixture
async def desk_with_mailboxes(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Application]:
    sock = listening_socket("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    nobody = {"host": "127.0.0.1", "port": 1}
    email = EmailSettings.model_validate(
        {
            "addresses": [{"address": "help@desk.test"}],
            "keep_folder": tmp_path / "outgoing-mail",
            "mailboxes": [
                {"name": "support", "username": "help@desk.test", "password": "x", **nobody},
                {"name": "sales", "username": "sales@desk.test", "oauth": "microsoft", **nobody},
            ],
            "outgoing": {"username": "sales@desk.test", "oauth": "microsoft", **nobody},
            "oauth": {"microsoft": {"client_id": "desk", "secret_ends": clock.now().date() + timedelta(days=6)}},
        }
    )
    config = Config(
        server=ServerTable(url=url, port=sock.getsockname()[1]), store=StoreTable(folder=tmp_path), email=email
    )
    app = build(config, clock=clock, db=database)
    runner = await start(app, sock)
    opened = Application(app, url, database, clock)
    yield opened
    await opened.close()
    await runner.cleanup()


async def test_the_page_says_how_each_mailbox_does_and_leads_to_the_provider(
    desk_with_mailboxes: Application,
) -> None:
    administrator = await desk_with_mailboxes.signed_in("Ada", Role.ADMINISTRATOR)

    async def noticed() -> bool:
        return "cannot be reached" in (await administrator.page("/settings/mailboxes"))[1]

    await eventually(noticed)
    _, html = await administrator.page("/settings/mailboxes")
    assert "No mail is taken from the mailbox “support”." in html
    assert "The account sales@desk.test is not connected." in html
    assert "in 6 days: no mail after that" in html
    assert f"{desk_with_mailboxes.url}/settings/mailboxes/connected" in html
    assert "https://login.microsoftonline.com" in administrator.headers["Content-Security-Policy"]
    operator = await desk_with_mailboxes.signed_in("Bea")
    _, tray = await operator.page("/tray")
    assert "The account sales@desk.test is not connected." in tray
    assert "/settings/mailboxes" not in tray

    status, _ = await administrator.form("/settings/mailboxes/connect", {"account": "microsoft:sales@desk.test"})
    assert status == 303
    there = URL(administrator.location)
    assert there.host == "login.microsoftonline.com"
    assert there.query["code_challenge_method"] == "S256"
    assert there.query["login_hint"] == "sales@desk.test"
    refused = await administrator.page(
        f"/settings/mailboxes/connected?state={there.query['state']}&error=access_denied"
    )
    assert refused[0] == 422
    assert "The consent was not given. access_denied" in refused[1]


async def test_a_job_shows_how_far_it_is_without_scripts_and_can_be_stopped(desk_with_mailboxes: Application) -> None:
    administrator = await desk_with_mailboxes.signed_in("Ada", Role.ADMINISTRATOR)
    fields = {"mailbox": "support", "since": "2025-01-31", "folder": "Archive"}
    status, _ = await administrator.form("/settings/mailboxes/import", fields)
    assert status == 303
    page = administrator.location
    _, html = await administrator.page(page)
    assert "<progress" in html
    assert administrator.headers["Refresh"] == "2"
    await administrator.page(f"{page}?still=1")
    assert "Refresh" not in administrator.headers
    status, html = await administrator.form("/settings/mailboxes/import", fields)
    assert status == 422
    assert "The same is under way" in html
    assert (await administrator.form(f"{page}/stop", {}))[0] == 303
    _, html = await administrator.page(page)
    assert "stopped" in html
    status, html = await administrator.form("/settings/mailboxes/import", {**fields, "since": "soon"})
    assert status == 422
    assert "Write a day such as" in html
