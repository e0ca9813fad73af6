from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inbox.clock import ManualClock
from inbox.store.database import Database
from tests.channels.chat.desk import ChatDesk


@pytest.fixture
async def desk(database: Database, clock: ManualClock, tmp_path: Path) -> AsyncIterator[ChatDesk]:
    """The chat channel over a real socket; visitors left connected are hung up at the end."""
    started = ChatDesk(database, clock, tmp_path / "files")
    await started.start()
    yield started
    await started.stop()
