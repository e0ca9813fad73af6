"""A desk with a random past, written straight into the tables; the same rows are at hand as plain records."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from inbox.store.models import (
    Callback,
    CallbackAttempt,
    Contact,
    Conversation,
    HandlingSpan,
    Operator,
    PresenceSpan,
    Rating,
    Resolution,
    Tag,
    Team,
    TeamMember,
    Touchpoint,
    Wait,
    table,
)
from inbox.store.transaction import Transaction

CHANNELS = ("chat", "email", "phone")
ENDINGS = ("answered",) * 6 + ("abandoned", "abandoned", "closed", "unreached", "merged", "spam", "no_answer_needed")
OPERATORS, TEAMS, TOUCHPOINTS, CONTACTS = 4, 2, 4, 9
TAGS = ("delivery", "invoice", "warranty")


@dataclass
class RandomDesk:
    """Times lie between `since` and `until`, many of them on whole minutes so that edges are met."""

    since: datetime
    until: datetime
    chance: random.Random
    waits: list[dict[str, Any]] = field(default_factory=list)
    conversations: dict[int, dict[str, Any]] = field(default_factory=dict)
    resolutions: list[dict[str, Any]] = field(default_factory=list)
    handling: list[dict[str, Any]] = field(default_factory=list)
    presence: list[dict[str, Any]] = field(default_factory=list)
    ratings: list[dict[str, Any]] = field(default_factory=list)
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    tags: list[tuple[int, str]] = field(default_factory=list)

    def moment(self, since: datetime | None = None) -> datetime:
        since = since or self.since
        span = int((self.until - since).total_seconds())
        at = since + timedelta(seconds=self.chance.randrange(max(span, 1)))
        return at.replace(second=0) if self.chance.random() < 0.5 else at

    def fill(self, tx: Transaction, conversations: int) -> None:
        chance = self.chance
        for n in range(1, TEAMS + 1):
            tx.conn.execute(insert(table(Team)).values(id=n, name=f"Team {n}"))
        for n in range(1, OPERATORS + 1):
            tx.conn.execute(
                insert(table(Operator)).values(
                    id=n, email=f"o{n}@desk.example", name=f"Operator {n}", title="", password_hash="-",
                    role="operator", language="en", preferences={}, presence="online", presence_since=self.since,
                    created_at=self.since,
                )
            )  # fmt: skip
            tx.conn.execute(insert(table(TeamMember)).values(team_id=n % TEAMS + 1, operator_id=n))
        for n in range(1, TOUCHPOINTS + 1):
            tx.conn.execute(insert(table(Touchpoint)).values(id=n, channel=CHANNELS[n % 3], name=f"door {n}"))
        for n in range(1, CONTACTS + 1):
            tx.conn.execute(insert(table(Contact)).values(id=n, name=f"C{n}", note="", created_at=self.since))
        for number in range(1, conversations + 1):
            began = self.moment()
            known: dict[str, Any] = {
                "id": number,
                "contact_id": chance.randint(1, CONTACTS),
                "touchpoint_id": chance.randint(1, 4),
            }
            self.conversations[number] = {**known, "created_at": began}
            known["team_id"] = (None, 1, 2)[number % 3]
            tx.conn.execute(
                insert(table(Conversation)).values(
                    **known, subject="", status="closed", spam=False, channel=chance.choice(CHANNELS), priority=0,
                    last_number=0, snippet="", version=1, created_at=began, active_at=began, queue_key=number, unread=0,
                    reply_token=f"t{number}", visitor_seen=0, source={},
                )
            )  # fmt: skip
            self._waits(tx, number, began)
            self._work(tx, number)
        for operator in range(1, OPERATORS + 1):
            self._presence(tx, operator)

    def _waits(self, tx: Transaction, conversation: int, began: datetime) -> None:
        chance, at = self.chance, began
        for number in range(chance.randint(1, 3)):
            net = chance.choice((0, 5, 9, 10, 11, 29, 30, 31, 180, 299, 300, 301, 1800, 1801, chance.randrange(5000)))
            ending = chance.choice(ENDINGS)
            told = chance.choice(((None, None), (60, 180), (0, 300), (1800, None)))
            self.add_wait(
                tx, conversation, at, net, ending, first=number == 0, told=told, operator=chance.randint(1, OPERATORS)
            )
            at += timedelta(seconds=net + chance.randrange(1, 90_000))

    def add_wait(
        self, tx: Transaction, conversation: int, at: datetime, net: int, ending: str | None, *, first: bool,
        told: tuple[int | None, int | None] = (None, None), operator: int = 1, missed: bool = False,
    ) -> None:  # fmt: skip
        ended = None if ending is None else at + timedelta(seconds=net)
        values = {
            "conversation_id": conversation,
            "channel": self.chance.choice(CHANNELS),
            "team_id": self.chance.choice((None, 1, 2)),
            "first": first,
            "calendar_id": 1,
            "started_at": at,
            "warn_after_s": 180,
            "target_s": self.chance.choice((300, 300, 120)),
            "paused_s": 0,
            "ended_at": ended,
            "ending": ending,
            "ended_by": operator if ending == "answered" else None,
            "wall_s": None if ended is None else net,
            "open_s": None if ended is None else net,
            "net_s": None if ended is None else net,
            "told_low_s": told[0],
            "told_high_s": told[1],
            "missed_at": at if missed else None,
        }
        values["id"] = tx.insert(Wait, **values)
        self.waits.append(values)

    def _work(self, tx: Transaction, conversation: int) -> None:
        chance = self.chance
        since = self.conversations[conversation]["created_at"]
        for _ in range(chance.randint(0, 2)):
            at, operator = self.moment(since), chance.randint(1, OPERATORS)
            span = {
                "operator_id": operator,
                "conversation_id": conversation,
                "channel": chance.choice(CHANNELS),
                "began_at": at,
                "ended_at": at + timedelta(seconds=chance.randrange(1, 4000)),
            }
            tx.conn.execute(insert(table(HandlingSpan)).values(**span, active_at=at))
            self.handling.append(span)
        at = since
        for _ in range(chance.randint(0, 2)):
            at = at + timedelta(seconds=chance.randrange(1, 200_000))
            again = at + timedelta(seconds=chance.randrange(1, 800_000)) if chance.random() < 0.4 else None
            self.resolutions.append(
                self._added(
                    tx, Resolution, conversation_id=conversation, operator_id=chance.randint(1, OPERATORS),
                    resolved_at=at, reopened_at=again,
                )
            )  # fmt: skip
            if again is None:
                break
            at = again
        if chance.random() < 0.3:
            rating = {"conversation_id": conversation, "score": chance.randint(1, 5), "operator_id": 1, "at": at}
            tx.conn.execute(insert(table(Rating)).values(**rating, words=""))
            self.ratings.append(rating)
        for name in chance.sample(TAGS, chance.randint(0, 2)):
            tx.conn.execute(insert(table(Tag)).values(conversation_id=conversation, name=name))
            self.tags.append((conversation, name))
        if chance.random() < 0.3:
            self._callback(tx, conversation)

    def _callback(self, tx: Transaction, conversation: int) -> None:
        chance = self.chance
        at = self.moment()
        state = chance.choice(("due", "done", "closed_unreached", "cancelled"))
        known = self._added(
            tx, Callback, conversation_id=conversation,
            contact_id=self.conversations[conversation]["contact_id"], state=state, owner_id=1, due_at=at,
            missed_calls=1, attempts=0, created_at=at, summary={},
        )  # fmt: skip
        known["tries"] = []
        for number in range(chance.randint(0, 3)):
            tried = at + timedelta(seconds=chance.randrange(1, 9000) + number * 9000)
            outcome = "reached" if state == "done" and number == 1 else "no_answer"
            tx.conn.execute(
                insert(table(CallbackAttempt)).values(
                    callback_id=known["id"],
                    number=number + 1,
                    operator_id=1,
                    started_at=tried,
                    outcome=outcome,
                    note="",
                )
            )
            known["tries"].append((tried, outcome))
        self.callbacks.append(known)

    def _presence(self, tx: Transaction, operator: int) -> None:
        at = self.since
        while at < self.until:
            end = at + timedelta(seconds=self.chance.randrange(600, 40_000))
            span = {
                "operator_id": operator,
                "presence": self.chance.choice(("online", "finishing", "away", "offline")),
                "began_at": at,
                "ended_at": end,
            }
            tx.conn.execute(insert(table(PresenceSpan)).values(**span))
            self.presence.append(span)
            at = end

    def _added(self, tx: Transaction, model: Any, **values: Any) -> dict[str, Any]:
        return {**values, "id": tx.insert(model, **values)}

    def change_late(self, tx: Transaction) -> None:
        """What the desk does to days that are long over: waits run again, end otherwise, move; conversations reopen."""
        for wait in self.chance.sample(self.waits, len(self.waits) // 6):
            fate = self.chance.random()
            if fate < 0.3 and not self._runs(wait["conversation_id"]):
                changed: dict[str, Any] = {
                    "ended_at": None, "ending": None, "ended_by": None, "net_s": None, "wall_s": None, "open_s": None,
                    "missed_at": wait["started_at"],
                }  # fmt: skip
            elif fate < 0.6 and wait["ending"] is not None:
                changed = {"net_s": wait["net_s"] + 100, "wall_s": wait["wall_s"] + 100, "ending": "answered",
                           "ended_by": 2}  # fmt: skip
            else:
                changed = {"team_id": 2}
            wait.update(changed)
            tx.conn.execute(update(Wait).where(Wait.id == wait["id"]).values(**changed))
        for resolution in self.chance.sample(self.resolutions, len(self.resolutions) // 5):
            if resolution["reopened_at"] is None:
                resolution["reopened_at"] = resolution["resolved_at"] + timedelta(hours=3)
                tx.conn.execute(
                    update(Resolution)
                    .where(Resolution.id == resolution["id"])
                    .values(reopened_at=resolution["reopened_at"])
                )
        for wait in self.chance.sample(self.waits, len(self.waits) // 12):
            tx.conn.execute(table(Wait).delete().where(Wait.id == wait["id"]))
            self.waits.remove(wait)

    def _runs(self, conversation: int) -> bool:
        return any(w["conversation_id"] == conversation and w["ended_at"] is None for w in self.waits)


def wait_ids(conn: Any) -> list[int]:
    return list(conn.execute(select(Wait.id)).scalars())
