"""The figures again, slowly and obviously: one loop for each, over the records of a random desk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.inbox.reports.random_desk import RandomDesk

Record = dict[str, Any]


def percentile(values: Sequence[float], percent: int) -> float | None:
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)] if ordered else None


def late(wait: Record) -> bool:
    return wait["ending"] is None and wait["missed_at"] is not None


def owed(wait: Record) -> bool:
    """Counts for the service level."""
    if wait["ending"] == "abandoned":
        return bool(wait["wall_s"] >= 10)
    return wait["ending"] in ("answered", "closed", "unreached") or late(wait)


def in_period(records: Sequence[Record], at: str, since: datetime, until: datetime) -> list[Record]:
    return [one for one in records if since <= one[at] < until]


def wait_figures(waits: Sequence[Record]) -> dict[str, Any]:
    answered = [w for w in waits if w["ending"] == "answered"]
    in_time = [w for w in answered if w["net_s"] <= w["target_s"]]
    left = [w for w in waits if w["ending"] == "abandoned"]
    left_long = [w for w in left if w["wall_s"] >= 10]
    left_in_time = [w for w in left if w["net_s"] <= w["target_s"]]
    finished = [w for w in waits if owed(w) and w["ending"] is not None]
    nets = [w["net_s"] for w in answered]
    return {
        "arrivals": sum(w["first"] and w["ending"] not in ("merged", "spam") for w in waits),
        "counted": sum(owed(w) for w in waits),
        "level": (len(in_time), sum(owed(w) for w in waits)),
        "level_answered": (len(in_time), len(answered)),
        "level_abandoned": (len(in_time) + len(left_in_time), len(answered) + len(left)),
        "mean": sum(nets) / len(nets) if nets else None,
        "n": len(nets),
        "percentiles": tuple(percentile(nets, p) for p in (50, 90, 95)),
        "abandonment": (len(left), len(finished) + len(left) - len(left_long)),
        "abandonment_long": (len(left_long), len(finished)),
        "short": len(left) - len(left_long),
        "past": sum(late(w) for w in waits),
    }


def response_figures(waits: Sequence[Record], horizon: Sequence[Record]) -> dict[str, Any]:
    answered = [w for w in waits if w["ending"] == "answered"]
    first = [w["net_s"] for w in answered if w["first"]]
    later = [w["net_s"] for w in answered if not w["first"]]
    edges = (30, 60, 180, 300, 600, 1800)
    buckets = [0] * 7
    for wait in answered:
        buckets[next((place for place, edge in enumerate(edges) if wait["net_s"] <= edge), 6)] += 1
    begun = {w["conversation_id"] for w in waits if w["first"] and w["ending"] not in ("merged", "spam")}
    sums: dict[int, int] = {}
    for wait in horizon:
        if wait["conversation_id"] in begun and wait["ending"] not in (None, "merged", "spam"):
            sums[wait["conversation_id"]] = sums.get(wait["conversation_id"], 0) + wait["net_s"]
    told = [w for w in answered if w["told_low_s"] is not None]
    longer = [w for w in told if w["told_high_s"] is not None and w["net_s"] > w["told_high_s"]]
    return {
        "first": (len(first), percentile(first, 50), percentile(first, 90)),
        "later": (len(later), percentile(later, 50)),
        "no_reply": sum(w["first"] and (w["ending"] in ("abandoned", "closed", "unreached") or late(w)) for w in waits),
        "buckets": buckets,
        "requester": (len(sums), percentile(list(sums.values()), 50)),
        "told": (len(told), sum(w["net_s"] >= w["told_low_s"] and w not in longer for w in told), len(longer)),
    }


def resolution_figures(desk: RandomDesk, operators: set[int], since: datetime, until: datetime, now: datetime) -> Any:
    week = timedelta(days=7)
    found = [r for r in in_period(desk.resolutions, "resolved_at", since, until) if r["operator_id"] in operators]
    firsts = [
        r for r in found
        if not any(o["conversation_id"] == r["conversation_id"] and o["id"] < r["id"] for o in desk.resolutions)
    ]  # fmt: skip
    known = [r for r in firsts if r["resolved_at"] + week <= now]

    def kept(resolution: Record) -> bool:
        again, at = resolution["reopened_at"], resolution["resolved_at"]
        if again is not None and again - at <= week:
            return False
        contact = desk.conversations[resolution["conversation_id"]]["contact_id"]
        return not any(
            desk.conversations[w["conversation_id"]]["contact_id"] == contact
            and at < w["started_at"] <= at + week
            and w["ending"] not in ("merged", "spam", "no_answer_needed")
            for w in desk.waits
        )

    conversations = {r["conversation_id"] for r in found}
    reopened = {r["conversation_id"] for r in found if r["reopened_at"] is not None}

    def took(resolution: Record) -> int:
        began = desk.conversations[resolution["conversation_id"]]["created_at"]
        return int((resolution["resolved_at"] - began).total_seconds())

    return {
        "conversations": len(conversations),
        "reopened": len(reopened),
        "first_contact": (sum(map(kept, known)), len(known)),
        "unknown": len(firsts) - len(known),
        "first": percentile([took(r) for r in firsts], 50),
        "full": percentile([took(r) for r in found if r["reopened_at"] is None], 50),
    }


def work_figures(desk: RandomDesk, operators: set[int], since: datetime, until: datetime) -> dict[str, float]:
    """A mark for each second in which something went on."""
    shared = engaged = busy = online = 0
    length = int((until - since).total_seconds())
    for operator in operators:
        working, there = bytearray(length), bytearray(length)
        for span in desk.handling:
            if span["operator_id"] == operator:
                shared += _mark(working, span, since)
        for span in desk.presence:
            if span["operator_id"] == operator and span["presence"] in ("online", "finishing"):
                _mark(there, span, since)
        engaged += working.count(1)
        online += there.count(1)
        busy += sum(map(min, working, there))
    began = [h for h in in_period(desk.handling, "began_at", since, until) if h["operator_id"] in operators]
    return {
        "shared": shared,
        "engaged": engaged,
        "busy": busy,
        "online": online,
        "handle": sum((h["ended_at"] - h["began_at"]).total_seconds() for h in began),
        "conversations": len({h["conversation_id"] for h in began}),
    }


def _mark(line: bytearray, span: Record, since: datetime) -> int:
    """Mark the seconds of a span that lie inside; how many."""
    begin, end = (int((span[name] - since).total_seconds()) for name in ("began_at", "ended_at"))
    begin, end = max(begin, 0), min(end, len(line))
    if begin >= end:
        return 0
    line[begin:end] = b"\x01" * (end - begin)
    return end - begin


def half_hour_of_week(at: datetime, zone: str) -> int:
    local = at.astimezone(ZoneInfo(zone))
    return local.weekday() * 48 + local.hour * 2 + local.minute // 30


def occurrences(since: datetime, until: datetime, zone: str) -> list[float]:
    """Minute by minute."""
    found = [0.0] * 336
    at = since.astimezone(UTC)
    while at < until:
        found[half_hour_of_week(at, zone)] += 1 / 30
        at += timedelta(minutes=1)
    return [round(value, 6) for value in found]
