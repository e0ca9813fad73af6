"""What the desk does with an imported history when it opens: nobody sits at a browser, nobody is written to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from inbox import chat_by_mail, visitor_leaving
from inbox.clock import ManualClock
from inbox.eventlog.importing import import_events
from inbox.reports.loading import Question, load
from inbox.reports.period import whole_days
from inbox.reports.question import Filter
from inbox.reports.report import work_out
from inbox.store.database import Database
from inbox.store.models import Conversation, Wait
from inbox.vocabulary import ChannelKind
from tests.inbox.eventlog.logs import log_of


def at(minute: int, kind: str, **said: Any) -> dict[str, Any]:
    return {"at": f"2026-03-11T09:{minute:02}:00+02:00", "kind": kind, **said}


def begun(name: str, channel: str, customer: str) -> dict[str, Any]:
    return at(0, "conversation", conversation=name, channel=channel, customer=customer)


@pytest.mark.parametrize("customer", ["v-88", "olivia@example.org", "+358401234567"])
async def test_a_chat_that_waits_goes_on_waiting(database: Database, clock: ManualClock, customer: str) -> None:
    log = log_of([begun("1", "chat", customer), at(0, "message", conversation="1")])
    await database.write(import_events, log)
    await database.write(visitor_leaving.all_left, now=clock.now())
    clock.advance(timedelta(minutes=5))
    await database.write(visitor_leaving.leaving_due, now=clock.now())
    waits = await database.read(lambda conn: conn.execute(select(Wait.channel, Wait.ending)).all())
    assert [tuple(one) for one in waits] == [("chat", None)]


async def test_answers_of_the_log_are_not_sent_by_mail(database: Database, clock: ManualClock) -> None:
    log = log_of(
        [
            begun("1", "chat", "olivia@example.org"),
            at(0, "message", conversation="1"),
            at(1, "answer", conversation="1", operator="mia"),
        ]
    )
    await database.write(import_events, log)
    await database.write(visitor_leaving.all_left, now=log.lines[-1].at + timedelta(minutes=1))
    assert await database.read(lambda conn: conn.execute(select(Conversation.unread_since)).scalars().all()) == [None]
    assert await database.read(lambda conn: chat_by_mail.next_due(conn, after=timedelta(minutes=5))) is None


async def test_a_call_begins_its_conversation_when_it_rang(database: Database) -> None:
    rang = {"channel": "phone", "customer": "+358401234567", "started_at": "2026-03-11T09:01:00+02:00"}
    called = at(4, "call", conversation="1", outcome="answered", operator="mia", **rang)
    await database.write(import_events, log_of([called, at(6, "resolved", conversation="1", operator="mia")]))
    row = await database.read(lambda conn: conn.execute(select(Conversation.created_at, Conversation.closed_at)).one())
    assert row.closed_at - row.created_at == timedelta(minutes=5)


async def test_offers_not_taken_are_counted_by_channel(database: Database, clock: ManualClock) -> None:
    lines = [begun("1", "chat", "v-1"), begun("2", "email", "v-2")]
    lines += [at(minute, "offer_missed", conversation="1", operator="mia") for minute in (1, 2)]
    await database.write(import_events, log_of([*lines, at(3, "offer_missed", conversation="2", operator="mia")]))
    day = log_of(lines).lines[0].at.date()
    counted = {}
    for channel in ChannelKind:
        asked = Question(whole_days(day, day, "Europe/Helsinki"), Filter(channel=channel), compared=False)
        loaded = await database.read(load, asked, now=clock.now())
        counted[channel] = work_out(loaded).figures.missed_offers
    assert counted == {ChannelKind.CHAT: 2, ChannelKind.EMAIL: 1, ChannelKind.PHONE: 0}
