"""A desk's past, put straight into the tables: a made-up but believable stream of customers, the same every time."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """`operators` of `teams` teams; each conversation has a touchpoint, half of them a tag."""

    conversations_per_day: int
    days: int
    operators: int = 20
    teams: int = 3
    touchpoints: int = 9


class History:
    """Writes to a migrated SQLite file, one transaction for each day."""

    def __init__(self, path: Path, size: Size, *, last_day: date, zone: str, seed: int = 1) -> None:
        self._store = sqlite3.connect(path, isolation_level=None)
        self._size, self._last_day, self._zone = size, last_day, ZoneInfo(zone)
        self._random = random.Random(seed)
        self._conversation = self._wait = 0

    def write(self) -> None:
        self._store.execute("PRAGMA synchronous=OFF")
        self._people()
        for back in range(self._size.days, 0, -1):
            self._day(self._last_day - timedelta(days=back - 1))
        self._store.execute("ANALYZE")
        self._store.close()

    def _people(self) -> None:
        size, now = self._size, 0
        self._store.execute("BEGIN")
        self._store.executemany(
            "INSERT INTO operators (id, email, name, title, password_hash, role, language, preferences, presence,"
            " presence_since, created_at) VALUES (?, ?, ?, '', '-', 'operator', 'en', '{}', 'offline', ?, ?)",
            [(n, f"op{n}@desk.example", f"Operator {n:02}", now, now) for n in range(1, size.operators + 1)],
        )
        self._store.executemany("INSERT INTO teams VALUES (?, ?)", [(n, f"Team {n}") for n in range(1, size.teams + 1)])
        self._store.executemany(
            "INSERT INTO team_members VALUES (?, ?)",
            [(n % size.teams + 1, n) for n in range(1, size.operators + 1)],
        )
        channels = ("chat", "email", "phone")
        self._store.executemany(
            "INSERT INTO touchpoints VALUES (?, ?, ?)",
            [(n, channels[n % 3], f"door {n}") for n in range(1, size.touchpoints + 1)],
        )
        self._store.executemany(
            "INSERT INTO contacts (id, name, note, created_at) VALUES (?, ?, '', 0)",
            [(n, f"Customer {n}") for n in range(1, self._contacts + 1)],
        )
        self._store.execute("COMMIT")

    @property
    def _contacts(self) -> int:
        return max(10, self._size.conversations_per_day * self._size.days // 3)

    def _moment(self, day: date, second: float) -> int:
        local = datetime(day.year, day.month, day.day, tzinfo=self._zone).astimezone(UTC)
        return int(local.timestamp()) * SECOND + int(second * SECOND)

    def _day(self, day: date) -> None:
        chance = self._random
        conversations, waits, resolutions, handling, ratings, tags, calls, callbacks, tries = ([] for _ in range(9))
        for _ in range(self._size.conversations_per_day):
            self._conversation += 1
            conversation = self._conversation
            touchpoint = chance.randint(1, self._size.touchpoints)
            channel = ("chat", "email", "phone")[touchpoint % 3]
            operator = chance.randint(1, self._size.operators)
            team = operator % self._size.teams + 1
            began = self._moment(day, chance.triangular(7, 21, 11) * 3600)
            contact = chance.randint(1, self._contacts)
            at = began
            for number in range(1 + (chance.random() < 0.45) + (chance.random() < 0.1)):
                self._wait += 1
                net = int(chance.expovariate(1 / 150))
                fate = chance.random()
                ending = "answered" if fate < 0.9 else "abandoned" if fate < 0.95 else "closed"
                if channel == "phone" and fate > 0.97:
                    ending = "unreached"
                told = (60, 180) if channel == "chat" else (None, None)
                waits.append(
                    (
                        self._wait, conversation, channel, team, number == 0, 1, at, 180, 300,
                        at + net * SECOND, ending, operator if ending == "answered" else None, net, net, net, *told,
                    )
                )  # fmt: skip
                handling.append(
                    (operator, conversation, channel, at + net * SECOND, at + (net + 240) * SECOND, at + net * SECOND)
                )
                at += (net + chance.randint(60, 7_200)) * SECOND
            conversations.append(
                (conversation, contact, channel, began, at, 8_000_000_000_000_000 - at, f"t{conversation}", touchpoint)
            )
            resolutions.append((conversation, operator, at, at + 5 * SECOND if chance.random() < 0.05 else None))
            if chance.random() < 0.15:
                ratings.append((conversation, operator, chance.randint(1, 5), at))
            if chance.random() < 0.5:
                tags.append((conversation, chance.choice(("delivery", "returns", "invoice", "warranty"))))
            if channel == "phone":
                calls.append((conversation, f"c{conversation}", chance.choice((1, 2, 3)), began))
                if chance.random() < 0.5:
                    callbacks.append((conversation, conversation, contact, operator, began, began, began))
                    tries.append((conversation, operator, began + 600 * SECOND))
        store = self._store
        store.execute("BEGIN")
        store.executemany(
            "INSERT INTO conversations (id, contact_id, subject, status, spam, channel, priority, last_number, snippet,"
            " version, created_at, active_at, queue_key, unread, reply_token, visitor_seen, source, touchpoint_id)"
            " VALUES (?, ?, 'Parcel', 'closed', 0, ?, 0, 1, '', 1, ?, ?, ?, 0, ?, 0, '{}', ?)",
            conversations,
        )
        store.executemany(
            "INSERT INTO waits (id, conversation_id, channel, team_id, first, calendar_id, started_at, warn_after_s,"
            " target_s, ended_at, ending, ended_by, wall_s, open_s, net_s, told_low_s, told_high_s, paused_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            waits,
        )
        store.executemany(
            "INSERT INTO handling_spans (operator_id, conversation_id, channel, began_at, ended_at, active_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            handling,
        )
        store.executemany(
            "INSERT INTO resolutions (conversation_id, operator_id, resolved_at, reopened_at) VALUES (?, ?, ?, ?)",
            resolutions,
        )
        store.executemany(
            "INSERT INTO ratings (conversation_id, operator_id, score, words, at) VALUES (?, ?, ?, '', ?)", ratings
        )
        store.executemany("INSERT INTO tags VALUES (?, ?)", tags)
        store.executemany(
            "INSERT INTO calls (provider, account, conversation_id, call_id, direction, rank, data, started_at)"
            " VALUES ('x', '', ?, ?, 'inbound', ?, '{}', ?)",
            calls,
        )
        store.executemany(
            "INSERT INTO callbacks (id, conversation_id, contact_id, owner_id, state, due_at, created_at, settled_at,"
            " missed_calls, attempts, summary) VALUES (?, ?, ?, ?, 'done', ?, ?, ?, 1, 1, '{}')",
            callbacks,
        )
        store.executemany(
            "INSERT INTO callback_attempts (callback_id, number, operator_id, started_at, outcome, note)"
            " VALUES (?, 1, ?, ?, 'reached', '')",
            tries,
        )
        store.executemany(
            "INSERT INTO presence_spans (operator_id, presence, began_at, ended_at) VALUES (?, 'online', ?, ?)",
            [
                (n, self._moment(day, start * 3600), self._moment(day, (start + 4) * 3600))
                for n in range(1, self._size.operators + 1)
                for start in (8, 12.5)
            ],
        )
        store.execute("COMMIT")
