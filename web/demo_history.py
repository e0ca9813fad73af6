"""Eight weeks of the demonstration shop before today: made up, the same each time, so that reports show something."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from inbox.past import PastConversation, PastWait
from inbox.vocabulary import ChannelKind, Ending, OperatorId, Presence

WEEKS = 8
ZONE = ZoneInfo("Europe/Helsinki")
HOURS = range(8, 20)
BUSY = (3, 5, 8, 9, 10, 8, 7, 6, 6, 5, 3, 2)
"""How many customers come in each hour, more or less."""
ON_DAY = (1.25, 1.1, 1.0, 0.95, 1.0, 0.5, 0.35)

DOORS: Sequence[tuple[ChannelKind, Mapping[str, str]]] = (
    (ChannelKind.CHAT, {"site": "shop", "page": "/products/teapot"}),
    (ChannelKind.CHAT, {"site": "shop", "page": "/orders"}),
    (ChannelKind.CHAT, {"site": "shop", "page": "/returns"}),
    (ChannelKind.EMAIL, {"support_address": "help@demo.example"}),
    (ChannelKind.EMAIL, {"support_address": "help@demo.example"}),
    (ChannelKind.PHONE, {"line": "+35825550100"}),
)
SUBJECTS: Sequence[tuple[str, str, str, str]] = (
    ("Where is my parcel?", "It has not moved for two days.", "It is on its way again and comes tomorrow.", "delivery"),
    ("Broken lid", "The lid came in two pieces.", "A new one leaves today. I am sorry.", "damaged"),
    ("Return", "How do I send the cups back?", "The label is in your mail now.", "returns"),
    ("Invoice", "I need the invoice of my last order.", "It is in your account, under orders.", "invoice"),
    ("Which teapot?", "Which one keeps warm longest?", "The cast iron one, for about an hour.", ""),
    ("Discount code", "The code does not work.", "I have made you a new one.", "discount"),
)
NAMES = ("Emma", "Liam", "Aino", "Marco", "Sofia", "Jan", "Ines", "Otto", "Vera", "Noel", "Tuula", "Pekka", "Mira")
FAMILIES = ("Holm", "Novak", "Laine", "Rossi", "Berg", "Costa", "Virta", "Lund", "Weiss", "Koski", "Niemi", "Hart")


def history(
    staff: Sequence[OperatorId], now: datetime
) -> tuple[list[PastConversation], list[tuple[OperatorId, Presence, datetime, datetime]]]:
    """Whole days before today, and who was there."""
    chance = random.Random(8)
    last = now.astimezone(ZONE).date() - timedelta(days=1)
    conversations: list[PastConversation] = []
    presence: list[tuple[OperatorId, Presence, datetime, datetime]] = []
    for back in range(WEEKS * 7, -1, -1):
        day = last - timedelta(days=back)
        conversations += _day(day, staff, chance, slower=1.0 + back / (WEEKS * 14))
        for shift, operator in enumerate(staff):
            begin = 8 + shift * 3
            presence.append((operator, Presence.ONLINE, _at(day, begin), _at(day, begin + 4)))
            presence.append((operator, Presence.AWAY, _at(day, begin + 4), _at(day, begin + 4.5)))
            presence.append((operator, Presence.ONLINE, _at(day, begin + 4.5), _at(day, begin + 8.5)))
    return conversations, presence


def _day(day: date, staff: Sequence[OperatorId], chance: random.Random, *, slower: float) -> list[PastConversation]:
    found = []
    for hour, many in zip(HOURS, BUSY, strict=True):
        for _ in range(round(many * ON_DAY[day.weekday()] * chance.uniform(0.7, 1.3))):
            at = _at(day, hour) + timedelta(seconds=chance.randrange(3600))
            found.append(_conversation(at, staff, chance, 70.0 * slower * (0.6 + many / 8)))
    return found


def _conversation(at: datetime, staff: Sequence[OperatorId], chance: random.Random, mean_s: float) -> PastConversation:
    channel, source = chance.choice(DOORS)
    subject, question, answer, tag = chance.choice(SUBJECTS)
    operator = staff[0] if at.astimezone(ZONE).hour < 12 and chance.random() < 0.8 else chance.choice(staff)
    waits, handled, tries = [], [], []
    missed = channel is ChannelKind.PHONE
    for number in range(1 + (chance.random() < 0.35)):
        waited = timedelta(seconds=1 + int(chance.expovariate(1 / (mean_s * (2.5 if missed else 1)))))
        fate = chance.random()
        ending = Ending.ANSWERED
        if number == 0 and channel is ChannelKind.CHAT and fate < 0.06:
            ending = Ending.ABANDONED
        elif number == 0 and missed and fate < 0.08:
            ending, waited = Ending.UNREACHED, waited + timedelta(hours=3)
        reply_at = at + waited
        told = (60, 180) if channel is ChannelKind.CHAT and number == 0 else None
        waits.append(
            PastWait(
                at, question if number == 0 else "Thank you. One more thing: can I change the address?", reply_at,
                ending, operator if ending is Ending.ANSWERED else None, answer if ending is Ending.ANSWERED else "",
                told,
            )
        )  # fmt: skip
        if missed and number == 0:
            tries = [(operator, reply_at)]
            if chance.random() < 0.3:
                tries.insert(0, (operator, reply_at - waited / 2))
        if ending is not Ending.ANSWERED:
            at = reply_at
            break
        spent = timedelta(seconds=int(chance.triangular(40, 600, 150)))
        handled.append((operator, reply_at - min(spent / 2, waited), reply_at + spent / 2))
        at = reply_at + spent / 2 + timedelta(seconds=chance.randrange(30, 900))
    answered = waits[-1].ending is Ending.ANSWERED
    return PastConversation(
        f"{chance.choice(NAMES)} {chance.choice('ABCDEFGHIJKLMNOPRSTUV')}. {chance.choice(FAMILIES)}",
        channel,
        subject,
        source,
        waits,
        handled,
        at + timedelta(minutes=2),
        operator if answered else None,
        reopened=answered and len(waits) == 1 and chance.random() < 0.03,
        rating=chance.choice((5, 5, 5, 4, 4, 3, 2)) if answered and chance.random() < 0.2 else None,
        tags=(tag,) if tag and chance.random() < 0.6 else (),
        missed_call=missed,
        tries=tries,
    )


def _at(day: date, hour: float) -> datetime:
    return datetime.combine(day, time(int(hour), int(hour % 1 * 60)), ZONE).astimezone(UTC)
