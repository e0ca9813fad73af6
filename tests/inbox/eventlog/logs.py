"""Event logs for tests: written by hand with little words, or drawn at random."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from inbox.eventlog.importing import Log, read_log

OFFICE = {day: [["09:00", "12:00"], ["12:45", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
NIGHT = {day: [["00:00", "05:00"], ["22:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
SHORT = {
    day: [["10:00", "10:04"], ["10:30", "10:33"], ["15:00", "16:00"]] for day in ("mon", "wed", "fri", "sat", "sun")
}
ANYWHERE = (
    "message", "message", "message", "automatic", "note", "answer", "answer", "assigned", "snoozed", "agreed", "woken",
    "queue", "undelivered", "sent_again", "late", "skewed",
)  # fmt: skip
ON = {
    "phone": ("call", "callback", "callback"),
    "chat": ("resolved", "resolved", "reopened", "spam", "abandoned"),
    "email": ("resolved", "resolved", "reopened", "spam"),
}
WEEKS = (OFFICE, NIGHT, SHORT)
ZONES = ("Europe/Helsinki", "Asia/Tbilisi", "America/New_York", "Australia/Lord_Howe")


def log_of(lines: Iterable[dict[str, Any]]) -> Log:
    return read_log(json.dumps(line) for line in lines)


class RandomLog:
    """A few conversations over some days, with whatever can happen to them. Times differ, down to the second."""

    def __init__(self, seed: int, begins: datetime, days: float) -> None:
        self.random, self.begins, self.days = Random(seed), begins, days
        self.lines: list[dict[str, Any]] = []
        self._times: set[datetime] = set()
        self.zone = self.random.choice(ZONES)

    def drawn(self, conversations: int) -> list[dict[str, Any]]:
        self._hours(self.begins - timedelta(hours=1), None)
        for number in range(self.random.choice((0, 0, 1, 2))):
            self._hours(self._some(self.begins), self.random.choice((None, "sales")), later=number)
        for number in range(conversations):
            self._conversation(number)
        if self.random.random() < 0.5:
            self._join()
        return self.lines

    def _some(self, after: datetime, most: timedelta | None = None) -> datetime:
        span = most or timedelta(days=self.days)
        at = after + timedelta(seconds=self.random.randint(1, max(2, int(span.total_seconds()))))
        while at in self._times:
            at += timedelta(seconds=1)
        self._times.add(at)
        return at

    def _line(self, at: datetime, kind: str, **values: Any) -> None:
        offset = timedelta(hours=self.random.choice((-5, 0, 2, 4)))
        written = (at + offset).replace(
            tzinfo=None
        ).isoformat() + f"{'-' if offset < timedelta() else '+'}{abs(offset)}"
        written = written[: len("2026-03-11T09:00:00+")] + f"{abs(int(offset.total_seconds() // 3600)):02}:00"
        self.lines.append({"at": written, "kind": kind, **values})

    def _hours(self, at: datetime, queue: str | None, *, later: int = 0) -> None:
        if queue is not None and later and self.random.random() < 0.3:
            self._line(at, "hours", queue=queue, follows_desk=True)
            return
        holidays = {
            (self.begins + timedelta(days=1)).date().isoformat(): self.random.choice(([], [["11:00", "12:00"]]))
        }
        targets = {"default": {"warn_s": 180, "target_s": 300}, "email": {"warn_s": 240, "target_s": 900}}
        values: dict[str, Any] = {"zone": self.zone, "weekly": self.random.choice(WEEKS), "holidays": holidays}
        if self.random.random() < 0.7:
            values["targets"] = targets
        self._line(at, "hours", **values, **({} if queue is None else {"queue": queue}))

    def _conversation(self, number: int) -> None:
        r, name = self.random, f"c{number}"
        channel = r.choice(("chat", "chat", "email", "email", "phone"))
        customer = {"chat": f"v{number}", "email": f"k{number}@post.example", "phone": f"+3584010000{number:02}"}[
            channel
        ]
        queue = r.choice((None, None, "sales", "help"))
        at = self._some(self.begins)
        self._line(at, "conversation", conversation=name, channel=channel, customer=customer, queue=queue)
        at = self._call(at, name) if channel == "phone" else self._message(at, name, 0)
        answered, agreed, steps = False, False, r.randint(1, 9)
        for step in range(1, steps):
            at = self._some(at, timedelta(minutes=r.choice((1, 3, 8, 90, 1500))))
            by = r.choice(("ann", "bea"))
            what = r.choice((*ANYWHERE, *ON[channel]))
            where = {"conversation": name}
            if what == "message":
                at = self._message(at, name, step)
            elif what == "late" and channel != "phone":
                self._line(
                    at - timedelta(seconds=r.randint(1, 900)), "message", **where, id=f"{name}-{step}",
                    delivered_at=at.isoformat(),
                )  # fmt: skip
            elif what == "skewed" and channel != "phone":
                self._line(
                    at + timedelta(days=r.choice((40, -40))), "message", **where, id=f"{name}-{step}",
                    delivered_at=at.isoformat(),
                )  # fmt: skip
            elif what == "automatic":
                self._line(at, "automatic", **where)
            elif what == "note":
                self._line(at, "note", **where, operator=by)
            elif what == "answer":
                answered = True
                self._line(at, "answer", **where, operator=by, resolves=channel != "phone" and r.random() < 0.3)
            elif what == "assigned":
                self._line(at, "assigned", **where, operator=r.choice((by, None)), reason="shift ends")
            elif what in ("snoozed", "agreed") and not (agreed and channel == "phone"):
                until = at + timedelta(minutes=r.choice((2, 20, 600)))
                self._line(at, "snoozed", **where, operator=by, until=until.isoformat(), agreed=what == "agreed")
            elif what == "queue":
                self._line(at, "queue", **where, queue=r.choice((None, "sales", "help")))
            elif what in ("undelivered", "sent_again") and answered:
                if what == "sent_again":
                    self._line(at, "undelivered", **where)
                    at = self._some(at, timedelta(minutes=5))
                self._line(at, what, **where, **({"operator": by} if what == "sent_again" else {}))
            elif what in ("woken", "spam"):
                self._line(at, what, **where, operator=by)
            elif what == "resolved":
                self._line(at, "resolved", **where, operator=by, answer_needed=r.random() < 0.6)
            elif what == "reopened":
                self._line(at, "reopened", **where, operator=by, mistake=r.random() < 0.5)
            elif what == "abandoned":
                self._line(
                    at, "abandoned", **where, reachable_by=r.choice((None, "email")),
                    delivered_at=(at + timedelta(seconds=60)).isoformat(),
                )  # fmt: skip
                at += timedelta(seconds=60)
            elif what == "call":
                at = self._call(at, name)
            elif what == "callback":
                if not agreed:
                    agreed = True
                    since = at + timedelta(minutes=r.choice((5, 60)))
                    until = since + timedelta(minutes=30)
                    self._line(at, "callback_agreed", **where, **{"from": since.isoformat(), "to": until.isoformat()})
                else:
                    self._line(at, "callback_agreed", **where, **{
                        "from": (at + timedelta(minutes=3)).isoformat(), "to": (at + timedelta(minutes=9)).isoformat()
                    })  # fmt: skip
                    at = self._some(at, timedelta(minutes=6))
                    self._line(
                        at,
                        "callback_attempted",
                        **where,
                        operator=by,
                        outcome=r.choice(("no_answer", "reached", "busy")),
                    )

    def _message(self, at: datetime, name: str, step: int) -> datetime:
        machine = step > 0 and self.random.random() < 0.15
        self._line(at, "message", conversation=name, id=f"{name}-{step}", automatic=machine)
        return at

    def _call(self, at: datetime, name: str) -> datetime:
        r = self.random
        started, ended = at, self._some(at, timedelta(minutes=4))
        outcome = r.choice(("no_answer", "abandoned_in_queue", "answered"))
        values: dict[str, Any] = {"outcome": outcome, "started_at": started.isoformat(), "operator": "ann"}
        if outcome == "answered":
            values["answered_at"] = (started + (ended - started) / 2).isoformat()
        known = self._some(ended, timedelta(minutes=8))
        self._line(ended, "call", conversation=name, delivered_at=known.isoformat(), **values)
        return known

    def _join(self) -> None:
        """Two conversations become one, or a mail that came later goes its own way."""
        written = [line for line in self.lines if line["kind"] == "conversation" and line["channel"] != "phone"]
        if len(written) < 2:
            return
        end = max(self._times) + timedelta(hours=self.random.choice((0, 1)))
        source, target = [line["conversation"] for line in self.random.sample(written, 2)]
        mails = [line["conversation"] for line in written if line["channel"] == "email"]
        if source in mails and self.random.random() < 0.5:
            self._line(end + timedelta(minutes=1), "message", conversation=source, id="stays")
            self._line(end + timedelta(minutes=2), "message", conversation=source, id="goes")
            self._line(end + timedelta(minutes=3), "message", conversation=source, id="goes too")
            messages = self.random.choice((["goes"], ["goes", "goes too"]))
            self._line(end + timedelta(minutes=4), "split", conversation=source, into="new", messages=messages)
            self._line(end + timedelta(minutes=6), "answer", conversation="new", operator="ann")
            return
        self._line(end + timedelta(minutes=1), "merged", conversation=source, into=target)
        self._line(end + timedelta(minutes=2), "message", conversation=source, id="after")
        self._line(end + timedelta(minutes=6), "answer", conversation=target, operator="ann")
        self._line(end + timedelta(minutes=7), "undelivered", conversation=target)


def day(number: int) -> datetime:
    """Midnight in UTC, some days after the start of 2026."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
