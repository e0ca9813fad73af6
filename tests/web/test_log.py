"""What may stand in a log: never a secret, nor what customers write."""

from __future__ import annotations

import logging
import sys

import pytest
from aiohttp.http_exceptions import BadHttpMessage
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from inbox.store.database import Database
from web.config import DeskConfig
from web.serving import set_up_log


def test_a_request_that_is_no_http_leaves_no_cookie_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("structlog.configure", lambda **_: None)
    set_up_log(DeskConfig())
    server = logging.getLogger("aiohttp.server")
    for error in (BadHttpMessage("Cookie: vuoro_session=abc"), RuntimeError("our own fault")):
        try:
            raise error
        except (BadHttpMessage, RuntimeError):
            server.error("Error handling request", exc_info=sys.exc_info())
    assert "vuoro_session" not in caplog.text
    assert "our own fault" in caplog.text


async def test_what_the_store_refuses_is_named_without_its_values(database: Database) -> None:
    def broken(conn: Connection) -> None:
        conn.execute(text("SELECT :said FROM nowhere"), {"said": "what a customer wrote"})

    with pytest.raises(DBAPIError) as refused:
        await database.read(broken)
    assert "nowhere" in str(refused.value)
    assert "what a customer wrote" not in str(refused.value)
