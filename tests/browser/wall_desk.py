"""A desk in the middle of a busy day with four weeks behind it, at a time of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import sin
from pathlib import Path

from sqlalchemy import insert

from inbox.clock import ManualClock
from inbox.people import operators
from inbox.store.models import Conversation, Wait
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, ConversationId, Ending, OperatorId, Presence, Role
from inbox.waits.change_hours import set_hours
from inbox.waits.hours import WEEKDAYS
from tests.browser.desk import BrowserDesk
from web.wall import WALL

NOON = datetime(2026, 3, 10, 12, 6, 32, tzinfo=UTC)  # 14:06 at the desk
CHANNELS = (ChannelKind.CHAT, ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.PHONE)


class WallDesk(BrowserDesk):
    """Its clock stands still unless a test moves it; browsers count on from it."""

    def __init__(self, sqlite_url: str, folder: Path) -> None:
        super().__init__(sqlite_url, folder)
        self.manual = ManualClock(NOON)
        self.clock = self.manual  # type: ignore[assignment]

    async def busy_day(self) -> OperatorId:
        """People, a past and a present. The supervisor."""
        weekly = {day: [["07:00", "21:00"]] for day in WEEKDAYS}
        await self.db.write(set_hours, "Europe/Helsinki", {"weekly": weekly}, by=None, now=NOON - timedelta(days=40))
        supervisor = await self.operator("Sofia Supervisor", Role.SUPERVISOR)
        people = [await self.operator(name) for name in ("Mia Novak", "Jonas Lind", "Ines Costa", "Sam Okafor")]
        for person, presence in zip(
            people, (Presence.ONLINE, Presence.ONLINE, Presence.FINISHING, Presence.AWAY), strict=True
        ):
            await self.db.write(operators.set_presence, person, presence, now=NOON)
        first = await self.chat("Olivia Hart", "My parcel is empty.", minutes=6.7)
        for name, minutes in (("Bo Ek", 4.2), ("Kim Ito", 3.5), ("Lea Roth", 2.0), ("Ari Salo", 1.0)):
            await self.chat(name, "Hello?", minutes=minutes)
        await self.mail("Nadia Rahim", "Where is my invoice?", minutes=3.1)
        await self.mail("Tom Berg", "Thank you, one more thing.", minutes=0.5)
        await self.missed_call("+358401234567", minutes=5.5)
        await self.db.write(_past, first, people[0])
        await self.app[WALL].push()
        return supervisor


def _past(tx: Transaction, conversation_id: ConversationId, by: OperatorId) -> None:
    """Answered waits of four weeks and of today; who asked does not matter for the figures."""
    rows = []
    midnight = NOON.replace(hour=0, minute=0, second=0) - timedelta(hours=2)
    for day in range(29):
        for half_hour in range(14, 42):
            begins = midnight - timedelta(days=day) + timedelta(minutes=30 * half_hour)
            weekend = begins.weekday() >= 5
            if begins > NOON - timedelta(minutes=10) or (weekend and not 18 <= half_hour < 34):
                continue
            for number in range(3):
                busy = (
                    1.6
                    + 1.2 * sin(half_hour / 3 + 2)
                    + 0.5 * sin(day + half_hour)
                    + (0.9 if half_hour in (18, 19, 20) else 0)
                )
                net_s = int(60 * max(0.3, busy) * (0.6 + 0.55 * number)) + (day * 7 + half_hour * 3) % 37
                started = begins + timedelta(minutes=7 * number)
                left = (day + half_hour + number) % 41 == 0
                rows.append(
                    {
                        "conversation_id": conversation_id,
                        "channel": CHANNELS[(half_hour + number) % 4],
                        "first": True,
                        "calendar_id": 1,
                        "started_at": started,
                        "warn_after_s": 180,
                        "target_s": 300,
                        "warn_at": started + timedelta(minutes=3),
                        "due_at": started + timedelta(minutes=5),
                        "warned_at": started + timedelta(minutes=3) if net_s > 180 else None,
                        "missed_at": started + timedelta(minutes=5) if net_s > 300 else None,
                        "paused_s": 0,
                        "ended_at": started + timedelta(seconds=net_s),
                        "ending": Ending.ABANDONED if left else Ending.ANSWERED,
                        "ended_by": None if left else by,
                        "wall_s": net_s,
                        "open_s": net_s,
                        "net_s": net_s,
                    }
                )
    tx.conn.execute(insert(Wait), rows)
    tx.conn.execute(
        Conversation.__table__.update().where(Conversation.id == conversation_id + 1).values(owner_id=by)  # type: ignore[attr-defined]
    )
