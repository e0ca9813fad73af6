"""Settings, Mailboxes: what the page shows and does, on a desk without a mail server behind it."""

from __future__ import annotations

import re
from datetime import datetime

from inbox.store import arrivals
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalState, Role
from tests.web.conftest import Application


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

    def left(conn):  # type: ignore[no-untyped-def]
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
