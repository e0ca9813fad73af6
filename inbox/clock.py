"""One injectable clock. Services take `now`; only loops hold a Clock."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""

    async def wait_until(self, due: datetime, woken: asyncio.Event) -> None:
        """Return at `due`, or earlier as soon as `woken` is set (which this clears)."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def wait_until(self, due: datetime, woken: asyncio.Event) -> None:
        # Naps of at most a minute: a clock set forward by the administrator or a laptop that slept is noticed.
        while (left := (due - self.now()).total_seconds()) > 0:
            try:
                # Not wait_for: it swallows a cancellation that comes in the moment of waking, and a loop never ends.
                async with asyncio.timeout(min(left, 60)):
                    await woken.wait()
            except TimeoutError:
                continue
            woken.clear()
            return


class ManualClock:
    """A clock that moves only when told to: a test drives a desk through a night in milliseconds."""

    def __init__(self, start: datetime) -> None:
        if start.utcoffset() is None:
            raise ValueError(f"naive datetime {start!r}: which time zone?")
        self._now = start.astimezone(UTC)
        self._sleepers: list[tuple[datetime, int, asyncio.Event]] = []
        self._count = 0

    def now(self) -> datetime:
        return self._now

    def set(self, when: datetime) -> None:
        """Jump to `when` and wake everybody due by then. The clock never goes back."""
        if when < self._now:
            raise ValueError(f"{when} is before {self._now}")
        self._now = when.astimezone(UTC)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            heapq.heappop(self._sleepers)[2].set()

    def advance(self, by: timedelta) -> None:
        self.set(self._now + by)

    async def wait_until(self, due: datetime, woken: asyncio.Event) -> None:
        if due > self._now:
            self._count += 1
            heapq.heappush(self._sleepers, (due, self._count, woken))
            await woken.wait()
        woken.clear()
