from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inbox.vocabulary import Role
from tests.support.postfix import Postfix
from tests.support.program import Program


@pytest.fixture
def wall_clock() -> datetime:
    """These tests run whole programs: the machine's own time is the only one they share."""
    return datetime.now(UTC)


@pytest.fixture
async def program(tmp_path: Path, database_url: str, postfix: Postfix, wall_clock: datetime) -> AsyncIterator[Program]:
    """A running desk with two operators, a supervisor, and a real mail server for what goes out."""
    desk = Program(tmp_path, database_url, outgoing_port=postfix.smtp_port)
    for email, name, role in (
        ("ann@desk.test", "Ann Berg", Role.OPERATOR),
        ("ben@desk.test", "Ben Holm", Role.OPERATOR),
        ("sue@desk.test", "Sue Lind", Role.SUPERVISOR),
    ):
        await desk.add_account(email, name, role, wall_clock)
    await desk.start()
    yield desk
    await desk.stop()
