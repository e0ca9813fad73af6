"""Whose figures are whose: what became of a conversation is its team's, work is of who did it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from inbox.eventlog.importing import import_events
from inbox.reports.loading import Question, load
from inbox.reports.period import whole_days
from inbox.reports.question import Filter, Group, Scope
from inbox.reports.report import Report, work_out
from inbox.store.database import Database
from inbox.vocabulary import OperatorId, TeamId
from inbox.waits.metrics import Share
from tests.inbox.eventlog.logs import log_of


def at(minute: int, kind: str, conversation: str = "1", **said: Any) -> dict[str, Any]:
    where = {} if kind == "operator" else {"conversation": conversation}
    return {"at": f"2026-03-11T09:{minute:02}:00+02:00", "kind": kind, **where, **said}


LOG = log_of(
    [
        at(0, "operator", operator="mia", queues=["night"]),
        at(0, "conversation", channel="chat", customer="v-1", queue="sales"),
        at(0, "message"),
        at(1, "handling_began", operator="mia"),
        at(2, "answer", operator="mia"),
        at(3, "handling_ended", operator="mia"),
        at(3, "resolved", operator="mia"),
        at(9, "rated", score=5),
        at(20, "call", "2", channel="phone", customer="+358401234567", queue="sales", outcome="no_answer"),
        at(21, "callback_attempted", "2", operator="mia", outcome="no_answer"),
    ]
)
NIGHT, SALES = TeamId(1), TeamId(2)


async def asked(db: Database, **more: Any) -> Report:
    day = LOG.lines[0].at.date()
    question = Question(whole_days(day, day, "Europe/Helsinki"), compared=False, **more)
    return work_out(await db.read(load, question, now=LOG.lines[-1].at + timedelta(days=1)))


async def test_what_became_of_a_conversation_is_its_teams(database: Database) -> None:
    await database.write(import_events, LOG)
    found = {}
    for team in (SALES, NIGHT):
        figures = (await asked(database, filter=Filter(team_id=team))).figures
        calls = figures.callbacks
        found[team] = (
            figures.waiting.arrivals,
            figures.resolutions.conversations,
            figures.satisfaction,
            calls.missed_calls,
            calls.called_back,
            figures.handling.conversations,
        )
    assert found == {SALES: (2, 1, Share(1, 1), 1, Share(1, 1), 0), NIGHT: (0, 0, Share(0, 0), 0, Share(0, 0), 1)}
    rows = {row.name: row for row in (await asked(database, group=Group.TEAM)).groups}
    assert (rows["sales"].resolved, rows["sales"].satisfaction, rows["night"].resolved) == (1, Share(1, 1), 0)


async def test_a_supervisor_sees_the_missed_calls_of_their_teams(database: Database) -> None:
    await database.write(import_events, LOG)
    for team, missed, resolved in ((SALES, 1, 1), (NIGHT, 0, 1)):  # mia of the night team resolved it
        members = frozenset([OperatorId(1)]) if team == NIGHT else frozenset[OperatorId]()
        figures = (await asked(database, scope=Scope(frozenset([team]), members))).figures
        assert (figures.callbacks.missed_calls, figures.resolutions.conversations) == (missed, resolved)
