"""The tray says in words why a mail lies there, whatever stands in the reason."""

from __future__ import annotations

from datetime import datetime

from inbox.store import arrivals
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalState
from tests.web.conftest import Application


def _set_aside(tx: Transaction, reason: str, *, now: datetime) -> None:
    kept = arrivals.keep(tx, source="smtp", dedupe_key=reason, raw=b"Subject: x\r\n\r\n", envelope={}, now=now)
    arrivals.settle(tx, kept.arrival_id, ArrivalState.SET_ASIDE, now=now, reason=reason)


async def test_a_mail_set_aside_says_why(application: Application) -> None:
    await application.account("Bea")
    browser = application.browser()
    await browser.sign_in("bea@desk.test")
    for reason in ("copy", "automatic_reply: vacation_subject", "100 % strange <b>reason</b> %(x)s"):
        await application.db.write(_set_aside, reason, now=application.clock.now())
    status, html = await browser.page("/tray?state=set_aside")
    assert status == 200
    assert "A second copy of a mail the desk has already." in html
    assert "An automatic reply, such as a vacation notice." in html
    assert "100 % strange &lt;b&gt;reason&lt;/b&gt; %(x)s" in html
