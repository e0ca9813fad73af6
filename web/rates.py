"""How often somebody may try something: one limiter over memory, or over Redis where several processes serve."""

from __future__ import annotations

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter


class RateLimited(Exception):
    """`retry_after_s`: whole seconds after which another try makes sense."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("Too many tries. Wait a moment.")


class Rates:
    def __init__(self, redis_url: str = "", *, sign_in_tries_per_minute: int = 10) -> None:
        storage = RedisStorage(f"async+{redis_url}", implementation="redispy") if redis_url else MemoryStorage()
        self._limiter = MovingWindowRateLimiter(storage)
        self._sign_in = RateLimitItemPerMinute(sign_in_tries_per_minute)

    async def sign_in(self, remote: str, account: str) -> None:
        """One more try to sign in, counted per address and per account. Raises RateLimited."""
        await self.hit(self._sign_in, "sign-in-from", remote, cost=1)
        await self.hit(self._sign_in, "sign-in-as", account.casefold()[:320], cost=1)

    async def hit(self, item: RateLimitItem, *who: str, cost: int = 1) -> None:
        if not await self._limiter.hit(item, *who, cost=cost):
            raise RateLimited(item.get_expiry())


PER_SECOND = RateLimitItemPerSecond
PER_MINUTE = RateLimitItemPerMinute
