"""What looks after the reports while the desk runs: packs of days that are over, and the weekly mail."""

from __future__ import annotations

import asyncio

from aiohttp import web

from inbox.reports.keeper import keep_packed
from web import keys
from web.reports.weekly import send_weekly


async def keep(app: web.Application) -> None:
    """For as long as it is awaited; one that fails takes the other with it, and both begin again."""
    async with asyncio.TaskGroup() as together:
        together.create_task(keep_packed(app[keys.DB], app[keys.CLOCK]))
        together.create_task(send_weekly(app))
