"""Several processes on one Redis: viewers are shared and tries counted together, and neither needs Redis to be up."""

from __future__ import annotations

import pytest
import redis.asyncio

from inbox.vocabulary import ConversationId, EntryKind, OperatorId
from tests.support.processes import free_port
from tests.support.redis_server import RedisServer
from web.rates import RateLimited, Rates
from web.viewers import Viewers

HERE = ConversationId(7)


async def test_each_process_sees_the_viewers_of_all(redis_server: RedisServer) -> None:
    one = Viewers(redis.asyncio.from_url(redis_server.url), "one")
    two = Viewers(redis.asyncio.from_url(redis_server.url), "two")
    await one.joined(HERE, "sid-1", OperatorId(1), "Bea")
    shown = await two.joined(HERE, "sid-2", OperatorId(2), "Jonas")
    assert {viewer["name"] for viewer in shown} == {"Bea", "Jonas"}
    assert {v["writing"] for v in await one.writes(HERE, "sid-1", EntryKind.REPLY) or []} == {None, "reply"}
    assert {viewer["name"] for viewer in (await two.everything())[7]} == {"Bea", "Jonas"}
    assert [viewer["name"] for viewer in await one.left(HERE, "sid-1")] == ["Jonas"]
    await two.left(HERE, "sid-2")
    assert await one.everything() == {}
    await one.close()
    await two.close()


async def test_two_windows_of_one_operator_are_one_viewer() -> None:
    viewers = Viewers()
    await viewers.joined(HERE, "sid-1", OperatorId(1), "Bea")
    await viewers.joined(HERE, "sid-2", OperatorId(1), "Bea")
    await viewers.writes(HERE, "sid-2", EntryKind.NOTE)
    assert await viewers.left(HERE, "sid-1") == [{"operator_id": 1, "name": "Bea", "writing": "note"}]
    assert await viewers.left(HERE, "sid-2") == []


async def test_without_redis_each_process_goes_on_with_what_it_knows() -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    viewers = Viewers(redis.asyncio.from_url(nowhere), "one")
    assert [viewer["name"] for viewer in await viewers.joined(HERE, "sid-1", OperatorId(1), "Bea")] == ["Bea"]
    assert list(await viewers.everything()) == [7]
    await viewers.close()
    rates = Rates(nowhere, sign_in_tries_per_minute=2)
    await rates.sign_in("192.0.2.1", "bea@desk.test")
    await rates.sign_in("192.0.2.1", "bea@desk.test")
    with pytest.raises(RateLimited):
        await rates.sign_in("192.0.2.1", "bea@desk.test")
    await rates.close()


async def test_tries_are_counted_over_all_processes_by_address_and_by_account(redis_server: RedisServer) -> None:
    one, two = (Rates(redis_server.url, sign_in_tries_per_minute=2) for _ in range(2))
    await one.sign_in("192.0.2.1", "bea@desk.test")
    await two.sign_in("192.0.2.2", "BEA@desk.test")
    with pytest.raises(RateLimited):
        await one.sign_in("192.0.2.3", "bea@desk.test")
    await two.sign_in("192.0.2.9", "jonas@desk.test")
    await one.close()
    await two.close()
