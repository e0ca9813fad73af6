"""What is wrong with a log is said with the number of the line, and the desk stays as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from inbox.clock import ManualClock
from inbox.eventlog.importing import CannotImport, import_events, read_log
from inbox.store.database import Database
from inbox.store.models import Contact, Entry, HandlingSpan, Operator, PresenceSpan, Rating, Resolution, Wait
from tests.support.verbs import VerbDesk

BEGINS = {
    "at": "2026-03-11T09:00:00+02:00",
    "kind": "conversation",
    "conversation": "1",
    "channel": "chat",
    "customer": "v",
}
ASKS = {"at": "2026-03-11T09:00:01+02:00", "kind": "message", "conversation": "1"}


def written(*lines: Any) -> list[str]:
    return [line if isinstance(line, str) else json.dumps(line) for line in lines]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no json", "this is no JSON object"),
        ("[1]", "this is no JSON object"),
        ({"at": "2026-03-11T09:00:00Z", "kind": "explosion"}, 'the kind "explosion" is not known; "kind" is one of operator,'),  # noqa: E501
        ({"at": "2026-03-11T09:00:00Z"}, "the kind null is not known"),
        ({**ASKS, "at": "2026-03-11T09:00:00"}, '"at": "2026-03-11T09:00:00" has no offset; add +02:00, or Z for UTC'),
        ({**ASKS, "at": "yesterday"}, '"at": "yesterday" is no time'),
        ({**ASKS, "at": 5}, '"at": 5 is no time'),
        ({**ASKS, "at": "0001-01-01T00:00:00+10:00"}, "not a time a desk can have known"),
        ({"kind": "message", "conversation": "1"}, 'a line of kind "message" needs "at"'),
        ({**ASKS, "kind": "answer"}, 'a line of kind "answer" needs "operator"'),
        ({**ASKS, "kind": "presence", "operator": "a", "presence": "lunch"}, '"presence": "lunch" is not known; use one of away,'),  # noqa: E501
        ({**ASKS, "kind": "rated", "score": 6}, '"score": 6 is no mark'),
        ({**ASKS, "kind": "rated", "score": True}, '"score": true is no mark'),
        ({**ASKS, "kind": "hours", "zone": "Mars/Base"}, "is not a time zone"),
        ({**ASKS, "kind": "hours", "zone": "UTC", "weekly": {"mon": [["9", "10"]]}}, "is not a time of day"),
        ({**ASKS, "kind": "callback_agreed", "from": "2026-03-11T09:00:00Z", "to": "2026-03-11T09:00:00Z"}, '"to" must come after'),  # noqa: E501
        ({**ASKS, "conversation": ""}, '"conversation": "" names nobody'),
        ({**ASKS, "conversation": "x" * 201}, "an id has at most 200 characters"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_named(line: Any, said: str) -> None:
    with pytest.raises(CannotImport) as refused:
        read_log(written(BEGINS, line, "", ASKS))
    assert len(refused.value.problems) == 1
    assert refused.value.problems[0].startswith("line 2: ")
    assert said in refused.value.problems[0]


def test_unknown_keys_are_left_out_and_said_once() -> None:
    log = read_log(written(BEGINS, {**ASKS, "mood": "grim"}, {**ASKS, "mood": "better"}))
    assert log.warnings == ['line 2: "mood" of a line of kind "message" is not known and is left out (2 lines)']


async def test_a_conversation_begins_before_what_has_its_time_wherever_it_stands(database: Database) -> None:
    begins = {**BEGINS, "at": ASKS["at"]}
    await database.write(import_events, read_log(written(ASKS, begins)))
    assert await counted(database) == [0, 1, 1, 1]


def test_only_the_first_wrong_lines_are_named() -> None:
    with pytest.raises(CannotImport) as refused:
        read_log(["broken"] * 100)
    assert len(refused.value.problems) == 21


async def counted(db: Database) -> list[int]:
    def number(conn: Connection) -> list[int]:
        models = (Operator, Contact, Entry, Wait)
        return [conn.execute(select(func.count()).select_from(model)).scalar_one() for model in models]

    return await db.read(number)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({**ASKS, "conversation": "2"}, "line 3: the conversation '2' has not begun"),
        (BEGINS, "line 3: the conversation '1' has begun already"),
        ({**ASKS, "kind": "undelivered"}, "line 3: no answer is known"),
        ({**ASKS, "kind": "snoozed", "until": "2026-03-11T06:00:00Z"}, 'line 3: "until" lies before "at"'),
        ({**ASKS, "kind": "merged", "into": "1"}, "line 3: a conversation cannot be merged with itself"),
    ],
)
async def test_what_cannot_be_true_leaves_the_desk_as_it_was(database: Database, line: Any, said: str) -> None:
    log = read_log(written(BEGINS, ASKS, {**line, "at": "2026-03-11T09:00:05+02:00"}))
    with pytest.raises(CannotImport, match=said.partition("'")[0]):
        await database.write(import_events, log)
    assert await counted(database) == [0, 0, 0, 0]


async def test_a_desk_with_customers_takes_no_log(database: Database, clock: ManualClock) -> None:
    await VerbDesk(database, clock).chat("Hello?")
    with pytest.raises(CannotImport, match="vuoro init"):
        await database.write(import_events, read_log(written(BEGINS, ASKS)))


async def test_people_work_and_marks_are_taken_in(database: Database, clock: ManualClock) -> None:
    where = {"conversation": "1"}

    def at(minute: int, kind: str, **said: Any) -> dict[str, Any]:
        return {"at": f"2026-03-11T09:{minute:02}:00+02:00", "kind": kind, **said}

    log = read_log(
        written(
            BEGINS,
            at(1, "presence", operator="mia", presence="online"),
            at(2, "message", **where),
            at(3, "assigned", **where, operator="mia", reason="taken"),
            at(3, "handling_began", **where, operator="mia"),
            at(5, "answer", **where, operator="mia"),
            at(6, "handling_ended", **where, operator="mia"),
            at(7, "resolved", **where, operator="mia"),
            at(20, "rated", **where, score=2),
            at(21, "rated", **where, score=5, words="Thanks"),
            at(30, "message", **where),
        )
    )
    imported = await database.write(import_events, log)
    assert (imported.lines, imported.conversations, imported.waits) == (11, 1, 2)

    def rows(conn: Connection, model: Any) -> list[Any]:
        return list(conn.execute(select(model.__table__)))

    [mia] = await database.read(rows, Operator)
    assert (mia.name, mia.presence) == ("mia", "offline")
    spans = [(span.presence, span.began_at.minute, span.ended_at) for span in await database.read(rows, PresenceSpan)]
    assert [span[:2] for span in spans] == [("online", 1), ("offline", 30)]
    [work] = await database.read(rows, HandlingSpan)
    assert (work.operator_id, work.began_at.minute, work.ended_at.minute) == (mia.id, 3, 6)
    [resolution] = await database.read(rows, Resolution)
    assert (resolution.resolved_at.minute, resolution.reopened_at.minute) == (7, 30)
    [rating] = await database.read(rows, Rating)
    assert (rating.score, rating.words, rating.operator_id) == (5, "Thanks", mia.id)
    # What comes after goes on where the log ended, on both databases.
    received = await VerbDesk(database, clock).chat("Hello?")
    assert received.conversation_id == 2
