"""Waiting for something to be true in another process, where nothing can wake us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(ask: Callable[[], Awaitable[T]], *, seconds: float = 15) -> T:
    """The first answer that is true. Raises TimeoutError with the last one."""
    answer = await ask()
    try:
        async with asyncio.timeout(seconds):
            while not answer:
                await asyncio.sleep(0.03)
                answer = await ask()
    except TimeoutError:
        raise TimeoutError(f"still {answer!r} after {seconds} s") from None
    return answer
