from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inbox.clock import ManualClock
from tests.channels.email.desk import MailDesk, open_desk


@pytest.fixture
async def desk(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[MailDesk]:
    """A desk that listens on free SMTP and LMTP ports and keeps outgoing mail in a folder."""
    async with open_desk(database_url, tmp_path, clock=clock) as opened:
        yield opened
