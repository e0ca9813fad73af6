"""The wallboard's figures: read at most once a second for everybody who looks, and pushed when something happened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from inbox.clock import Clock
from inbox.events import AnyEvent, ArrivalKept, ArrivalSettled
from inbox.reports import personal
from inbox.store.database import Database
from inbox.waits.metrics import Live, live
from inbox.waits.over_time import HeatCell, Slot, by_half_hour, by_hour_of_week
from web.api.json import to_json
from web.realtime import DeskServer

NAMESPACE, ROOM, EVENT = "/desk", "wall", "wall"
LEAST_BETWEEN = timedelta(seconds=1)
MOST_BETWEEN = timedelta(seconds=10)
SLOTS_EVERY = timedelta(seconds=30)
WEEK_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Board:
    """All that a wallboard shows. `number` rises with each reading."""

    number: int
    live: Live
    slots: Sequence[Slot]
    week: Sequence[HeatCell]


class WallPusher:
    """`announce` is called after commits, `run` for as long as the process lives."""

    def __init__(self, server: DeskServer, db: Database, clock: Clock) -> None:
        self._server, self._db, self._clock = server, db, clock
        self._happened = asyncio.Event()
        self._reading = asyncio.Lock()
        self._board: Board | None = None
        self._slots_at = self._week_at = datetime.min.replace(tzinfo=clock.now().tzinfo)
        self._waiting: set[asyncio.Event] = set()

    def announce(self, happened: Sequence[AnyEvent]) -> None:
        if any(not isinstance(event, ArrivalKept | ArrivalSettled) for event in happened):
            self._happened.set()

    async def board(self) -> Board:
        """Never older than a second."""
        async with self._reading:
            now = self._clock.now()
            known = self._board
            if known is not None and now - known.live.now < LEAST_BETWEEN:
                return known
            slots = now - self._slots_at >= SLOTS_EVERY
            week = now - self._week_at >= WEEK_EVERY
            figures, new_slots, new_week = await self._db.read(_read, now, slots, week)
            if slots:
                self._slots_at = now
            if week:
                self._week_at = now
            self._board = Board(
                known.number + 1 if known else 1,
                figures,
                new_slots if new_slots is not None else known.slots if known else (),
                new_week if new_week is not None else known.week if known else (),
            )
            return self._board

    async def after(self, number: int) -> Board:
        """The first board newer than `number`, or the one that is there when nothing was pushed for a while."""
        pushed = asyncio.Event()
        self._waiting.add(pushed)
        try:
            board = await self.board()
            if board.number <= number:
                await self._clock.wait_until(self._clock.now() + MOST_BETWEEN, pushed)
                board = await self.board()
            return board
        finally:
            self._waiting.discard(pushed)

    async def run(self) -> None:
        while True:
            await self._clock.wait_until(self._clock.now() + MOST_BETWEEN, self._happened)
            await self.push()
            await self._clock.wait_until(self._clock.now() + LEAST_BETWEEN, asyncio.Event())

    async def push(self) -> None:
        """Tell every wall; read nothing when none is there."""
        for waiting in self._waiting:
            waiting.set()
        if self._db.several_processes or self._server.manager.members(NAMESPACE, ROOM):
            board = await self.board()
            await self._server.emit(EVENT, as_json(board.live), room=ROOM, namespace=NAMESPACE)


WALL = web.AppKey("wall", WallPusher)


def as_json(figures: Live) -> dict[str, Any]:
    """The figures for programs, with the sums over all channels."""
    record: dict[str, Any] = to_json(figures)
    return {
        **record,
        "waiting": figures.waiting,
        "in_target": figures.in_target,
        "warned": figures.warned,
        "missed": figures.missed,
        "agreed": figures.agreed,
    }


def _read(
    conn: Connection, now: datetime, slots: bool, week: bool
) -> tuple[Live, list[Slot] | None, list[HeatCell] | None]:
    return (
        live(conn, now, named=personal.others_see(conn)),
        by_half_hour(conn, now) if slots else None,
        by_hour_of_week(conn, now) if week else None,
    )
