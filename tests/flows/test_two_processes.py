"""Two processes over PostgreSQL and Redis are one desk: whoever is connected where sees everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from inbox.vocabulary import Role
from tests.flows.test_three_channels import mail
from tests.support.program import Program
from tests.support.redis_server import RedisServer
from tests.support.stores import PostgresServer


@pytest.fixture
def shared_url(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.copy()
    yield url
    postgres.drop(url)


@pytest.fixture
async def two(
    tmp_path: Path, shared_url: str, redis_server: RedisServer, wall_clock: datetime
) -> AsyncIterator[tuple[Program, Program]]:
    desks = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        desks.append(Program(folder, shared_url, redis_url=redis_server.url))
    await desks[0].add_account("ann@desk.test", "Ann Berg", Role.OPERATOR, wall_clock)
    await desks[0].add_account("ben@desk.test", "Ben Holm", Role.OPERATOR, wall_clock)
    await asyncio.gather(*(desk.start() for desk in desks))
    yield desks[0], desks[1]
    await asyncio.gather(*(desk.stop() for desk in desks))


async def test_a_visitor_here_is_answered_by_an_operator_there(two: tuple[Program, Program]) -> None:
    here, there = two
    visitor = await here.visitor()
    assert (await visitor.say("Hello?", "message-1"))["ok"]
    ann = await there.operator("ann@desk.test")
    [row] = await ann.waits_until(1)
    await ann.reply(row["id"], "Good morning!", "draft-1")
    await visitor.hears("Good morning!")
    await visitor.leave()
    await ann.leave()


async def test_two_operators_at_two_processes_never_take_the_same(two: tuple[Program, Program]) -> None:
    here, there = two
    for number in range(6):
        await here.send_mail(mail("Question", subject=f"Question {number}", sender=f"c{number}@customers.test"))
    ann, ben = await here.operator("ann@desk.test"), await there.operator("ben@desk.test")
    await asyncio.gather(ann.waits_until(6), ben.waits_until(6))
    taken = await asyncio.gather(*(person.post("/api/take-next") for person in (ann, ben) for _ in range(3)))
    assert len({answer["conversation_id"] for answer in taken}) == 6
    await ann.leave()
    await ben.leave()
