from __future__ import annotations

import pytest

from inbox.clock import ManualClock
from inbox.store.database import Database
from tests.support.eventlog import DrivenDesk


@pytest.fixture
def desk(database: Database, clock: ManualClock) -> DrivenDesk:
    return DrivenDesk(database, clock)
