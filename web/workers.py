"""Supervised loops: a crash is logged, shown by /health and followed by another start, later each time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from inbox.clock import Clock

log = structlog.get_logger(__name__)

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=1)
CALM = timedelta(minutes=5)
"""A loop that ran this long begins again with the first pause."""

Loop = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class State:
    """What /health says about a loop."""

    running: bool = False
    crashes: int = 0
    last_error: str = ""
    last_crash_at: datetime | None = None


@dataclass(slots=True)
class Workers:
    clock: Clock
    states: dict[str, State] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, name: str, loop: Loop) -> None:
        self.states[name] = State()
        self._tasks.append(asyncio.create_task(self._supervise(name, loop), name=name))

    def start_context(self, name: str, open_context: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        """Keep a context open; one that cannot be entered is tried again like a loop that crashed."""

        async def hold() -> None:
            async with open_context():
                self.states[name].running = True
                await asyncio.Event().wait()

        self.start(name, hold)

    @property
    def healthy(self) -> bool:
        return all(state.running for state in self.states.values())

    def report(self) -> Mapping[str, State]:
        return dict(self.states)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _supervise(self, name: str, loop: Loop) -> None:
        state, pause = self.states[name], FIRST_PAUSE
        while True:
            began = self.clock.now()
            try:
                state.running = True
                await loop()
                raise RuntimeError("the loop ended by itself")
            except asyncio.CancelledError:
                state.running = False
                raise
            except Exception as error:
                now = self.clock.now()
                state.running, state.last_crash_at = False, now
                state.crashes += 1
                state.last_error = f"{type(error).__name__}: {error}"[:500]
                log.exception("worker crashed", worker=name, pause_s=pause.total_seconds())
                if now - began > CALM:
                    pause = FIRST_PAUSE
                await self.clock.wait_until(now + pause, asyncio.Event())
                pause = min(pause * 2, LONGEST_PAUSE)
