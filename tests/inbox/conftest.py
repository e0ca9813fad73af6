"""A desk that acts through its verbs alone."""

from __future__ import annotations

import pytest

from inbox.clock import ManualClock
from inbox.store.database import Database
from tests.support.verbs import VerbDesk


@pytest.fixture
def desk(database: Database, clock: ManualClock) -> VerbDesk:
    return VerbDesk(database, clock)
