"""How often somebody may try something: one limiter over memory, or over Redis where several processes serve."""

from __future__ import annotations

import redis.asyncio
import structlog
from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)


class RateLimited(Exception):
    """`retry_after_s`: whole seconds after which another try makes sense."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("Too many tries. Wait a moment.")


class Rates:
    def __init__(self, redis_url: str = "", *, sign_in_tries_per_minute: int = 10) -> None:
        self._here = MovingWindowRateLimiter(MemoryStorage())
        self._pool = redis.asyncio.ConnectionPool.from_url(redis_url) if redis_url else None
        self._shared = (
            MovingWindowRateLimiter(
                RedisStorage(
                    f"async+{redis_url}",
                    implementation="redispy",
                    connection_pool=self._pool,  # type: ignore[arg-type]  # every option is handed on to the client
                )
            )
            if self._pool is not None
            else None
        )
        self._sign_in = RateLimitItemPerMinute(sign_in_tries_per_minute)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.disconnect()

    async def sign_in(self, remote: str, account: str, *, known_here: bool = False) -> None:
        """One more try to sign in, counted per address and per account. Raises RateLimited.

        `known_here`: the account has signed in from this address before, so strangers elsewhere cannot lock it out.
        """
        await self.hit(self._sign_in, "sign-in-from", remote, cost=1)
        if not known_here:
            await self.hit(self._sign_in, "sign-in-as", account.casefold()[:320], cost=1)

    async def hit(self, item: RateLimitItem, *who: str, cost: int = 1) -> None:
        if not await self._count(item, *who, cost=cost):
            raise RateLimited(item.get_expiry())

    async def _count(self, item: RateLimitItem, *who: str, cost: int) -> bool:
        if self._shared is not None:
            try:
                return await self._shared.hit(item, *who, cost=cost)
            except (RedisError, StorageError) as error:
                log.warning("tries are counted by this process alone", error=str(error))
        return await self._here.hit(item, *who, cost=cost)


PER_SECOND = RateLimitItemPerSecond
PER_MINUTE = RateLimitItemPerMinute
