"""A desk that answers by itself, its outbox worked off on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

import web
from autoreply.respond import HANDLER, Respond
from autoreply.settings import AutoreplySettings
from inbox.clock import ManualClock
from inbox.events import WaitStarted, WaitWarned
from inbox.reading import AutomaticDecision, open_conversation
from inbox.store.database import Database
from inbox.store.outbox_worker import OutboxWorker
from inbox.timers import Watcher
from inbox.vocabulary import ConversationId, EntryKind, OperatorId
from inbox.waits.change_hours import set_hours
from inbox.words import Words
from tests.support.verbs import VerbDesk

LOCALES = Path(web.__file__).parent / "locales"
OFFICE_HOURS = {"weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}


@pytest.fixture
def durable() -> Mapping[type, Sequence[str]]:
    return {WaitStarted: [HANDLER], WaitWarned: [HANDLER]}


@pytest.fixture(scope="session")
def words() -> Words:
    return Words(LOCALES)


class AnsweringDesk(VerbDesk):
    """`settle` lets the timers fire and the automatic replies be decided, as the workers of a desk do."""

    def __init__(self, db: Database, clock: ManualClock, words: Words, rules: AutoreplySettings) -> None:
        super().__init__(db, clock)
        self.respond = Respond(db, clock, words, self.addressings, rules, desk_name="Kauppa", language="en")
        self.worker = OutboxWorker(db, clock, HANDLER, self.respond)
        self.watcher = Watcher(db, clock)

    async def settle(self) -> None:
        await self.watcher.fire()
        await self.worker.work_off()

    async def said(self, conversation_id: ConversationId) -> list[str]:
        return [entry.text for entry in await self.timeline(conversation_id) if entry.kind is EntryKind.AUTOREPLY]

    async def decisions(self, conversation_id: ConversationId) -> Sequence[AutomaticDecision]:
        """Oldest first."""
        view = await self.db.read(open_conversation, conversation_id, OperatorId(0))
        return view.automatic[::-1]

    async def office_hours(self) -> None:
        """Weekdays nine to five in Helsinki."""
        await self.db.write(set_hours, "Europe/Helsinki", OFFICE_HOURS, by=None, now=self.clock.now())


@pytest.fixture
def answering(database: Database, clock: ManualClock, words: Words) -> Callable[..., AnsweringDesk]:
    def make(**rules: object) -> AnsweringDesk:
        return AnsweringDesk(database, clock, words, AutoreplySettings.model_validate(rules))

    return make


@pytest.fixture
def desk(answering: Callable[..., AnsweringDesk]) -> AnsweringDesk:
    return answering()
