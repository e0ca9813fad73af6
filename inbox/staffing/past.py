"""The past as plain arrays, read from what reports keep packed: the only place that knows how they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from inbox.queue_key import microseconds
from inbox.reports import outcome, packs
from inbox.reports.facts import CHANNELS, Kind, joined, running_waits
from inbox.store.models import Callback
from inbox.vocabulary import ChannelKind, OperatorId, TeamId

Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]
"""Arrays of one length, by name. `at` is microseconds since 1970, and the order is theirs."""

REPEAT_MICROS = 30 * 60 * 1_000_000
AT_ONCE = 5_000
"""Ids in one statement."""
_LEFT = (outcome.LEFT_SOON, outcome.LEFT_SOON_LATE, outcome.LEFT_IN_TIME, outcome.LEFT_LATE)
_LATE = (outcome.TOO_LATE, outcome.PAST_TARGET, outcome.NOT_REACHED)
_TAKEN = (outcome.IN_TIME, outcome.TOO_LATE)


def where(columns: Columns, which: Bools) -> Columns:
    return {name: values[which] for name, values in columns.items()}


def of_channel(columns: Columns, channel: ChannelKind) -> Columns:
    return where(columns, columns["channel"] == CHANNELS.index(channel))


@dataclass(frozen=True, slots=True)
class Past:
    """A span of time: waits that mean work, inbound calls, callbacks asked for without a call.

    `waits`: at, conversation, contact, channel, first, left, late, taken, waited_s; so have `callbacks` and
    `unrecorded`: waits on the telephone of which no call is known, because they began elsewhere. `ringing`: at,
    conversation, contact, missed.
    """

    waits: Columns
    ringing: Columns
    callbacks: Columns
    unrecorded: Columns

    def between(self, since: datetime, until: datetime) -> Past:
        since_us, until_us = microseconds(since), microseconds(until)

        def part(columns: Columns) -> Columns:
            return where(columns, (columns["at"] >= since_us) & (columns["at"] < until_us))

        return Past(part(self.waits), part(self.ringing), part(self.callbacks), part(self.unrecorded))

    def calls(self) -> tuple[Ints, Bools]:
        """When callers rang, and whether nobody took it, repeats left out."""
        others = self.unrecorded
        at = np.concatenate([self.ringing["at"], others["at"]]).astype(np.int64)
        contact = np.concatenate([self.ringing["contact"], others["contact"]]).astype(np.int64)
        missed = np.concatenate([self.ringing["missed"] == 1, ~others["taken"]])
        order = np.lexsort((at, contact))
        at, contact, missed = at[order], contact[order], missed[order]
        counts = _counted(at, contact)
        return at[counts], missed[counts]


def _counted(at: Ints, contact: Ints) -> Bools:
    """Which calls count, of calls sorted by caller and time: each hides the half-hour after it."""
    counts = np.ones(len(at), dtype=np.bool_)
    soon = np.zeros(len(at), dtype=np.bool_)
    soon[1:] = (contact[1:] == contact[:-1]) & (contact[1:] >= 0) & (at[1:] - at[:-1] < REPEAT_MICROS)
    last = 0
    for index in (int(place) for place in np.flatnonzero(soon)):
        if not soon[index - 1]:
            last = index - 1
        if at[index] - at[last] < REPEAT_MICROS:
            counts[index] = False
        else:
            last = index
    return counts


def read(conn: Connection, since: datetime, until: datetime, *, team_id: TeamId | None, now: datetime) -> Past:
    """What came in [since, until), of one team or of all."""
    since_us, until_us = microseconds(since), microseconds(until)
    facts = joined(
        [packs.load(conn, Kind.WAITS, since_us, until_us), running_waits(conn, now, since_us, until_us)], Kind.WAITS
    )
    what = facts["what"] % outcome.KINDS
    waits: Columns = {
        "at": facts["at"],
        "conversation": facts["conversation"],
        "contact": facts["contact"],
        "channel": facts["channel"],
        "team": facts["team"],
        "first": outcome.first(facts["what"].astype(np.int8)),
        "left": np.isin(what, _LEFT),
        "late": np.isin(what, _LATE),
        "taken": np.isin(what, _TAKEN),
        "waited_s": facts["net"],
    }
    waits = where(waits, what != outcome.NOTHING)
    called = packs.load(conn, Kind.CALLS, since_us, until_us)
    ringing: Columns = {name: called[name] for name in ("at", "conversation", "contact", "missed")}
    if team_id is not None:
        # A call is the team's when a wait of its conversation is.
        waits = where(waits, waits["team"] == team_id)
        ringing = where(ringing, np.isin(ringing["conversation"], waits["conversation"]))
    phone = of_channel(waits, ChannelKind.PHONE)
    others = where(phone, ~np.isin(phone["conversation"], ringing["conversation"]))
    asked = np.isin(others["conversation"], _with_callback(conn, others["conversation"]))
    return Past(waits, ringing, where(others, asked), where(others, ~asked))


def _with_callback(conn: Connection, conversations: Ints) -> Ints:
    """Which of these conversations have a callback."""
    found: list[int] = []
    wanted = [int(one) for one in np.unique(conversations)]
    for begin in range(0, len(wanted), AT_ONCE):
        found += conn.execute(
            select(Callback.conversation_id).where(Callback.conversation_id.in_(wanted[begin : begin + AT_ONCE]))
        ).scalars()
    return np.array(found, dtype=np.int64)


def handled(conn: Connection, since: datetime, until: datetime, operators: Sequence[OperatorId] | None) -> Columns:
    """Ended spans of handling, of these operators: at, ended, conversation, operator, channel."""
    facts = packs.load(conn, Kind.HANDLING, microseconds(since), microseconds(until))
    columns: Columns = {
        "at": facts["at"],
        "ended": facts["at"] + facts["lasted"].astype(np.int64) * 1000,
        "conversation": facts["conversation"],
        "operator": facts["operator"],
        "channel": facts["channel"],
    }
    if operators is None:
        return columns
    return where(columns, np.isin(columns["operator"], np.array(operators, dtype=np.int64)))
