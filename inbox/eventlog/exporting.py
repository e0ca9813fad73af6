"""The history of a living desk as lines of an event log: what happened and when, nobody's words or addresses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from inbox.store.models import (
    Calendar,
    Call,
    Conversation,
    Entry,
    HandlingSpan,
    MissedOffer,
    Operator,
    PresenceSpan,
    Rating,
    Resolution,
    Team,
    Touchpoint,
    Wait,
    WaitLine,
)
from inbox.vocabulary import Author, Ending, EntryKind, WaitStep

Written = dict[str, Any]
_Timed = tuple[datetime, int, int, Written]
"""When the desk knew, what goes before what at one moment, the row's number, the line."""


def export_events(conn: Connection) -> Iterator[Written]:
    """The lines, in the order in which the desk knew of what they tell."""
    found = _Export(conn)
    for _, _, _, line in sorted(found.lines(), key=lambda timed: timed[:3]):
        yield line


class _Export:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._operators = {row.id: f"operator-{row.id}" for row in conn.execute(select(Operator.id))}
        self._teams = {row.id: row.name for row in conn.execute(select(Team.id, Team.name))}
        self._touchpoints = {row.id: row.name for row in conn.execute(select(Touchpoint.id, Touchpoint.name))}
        self._look_ahead()

    def lines(self) -> Iterator[_Timed]:
        yield from self._hours()
        yield from self._people()
        yield from self._conversations()
        yield from self._entries()
        yield from self._calls()
        yield from self._sent_again()
        yield from self._work()

    # --- people and hours -------------------------------------------------------------------------------------------

    def _hours(self) -> Iterator[_Timed]:
        for row in self._conn.execute(select(Calendar.__table__).order_by(Calendar.valid_from, Calendar.id)):
            said = {"zone": row.zone, **row.data}
            if row.data.get("follows_desk"):
                said = {"follows_desk": True}
            if row.team_id is not None:
                said["queue"] = self._teams[row.team_id]
            yield self._line(row.valid_from, 0, row.id, "hours", **said)

    def _people(self) -> Iterator[_Timed]:
        for row in self._conn.execute(select(Operator.id, Operator.name, Operator.created_at)):
            yield self._line(row.created_at, 1, row.id, "operator", operator=self._operators[row.id], name=row.name)
        for row in self._conn.execute(select(PresenceSpan.__table__).order_by(PresenceSpan.id)):
            yield self._line(
                row.began_at, 2, row.id, "presence", operator=self._operators[row.operator_id], presence=row.presence
            )

    # --- conversations ----------------------------------------------------------------------------------------------

    def _conversations(self) -> Iterator[_Timed]:
        for row in self._conn.execute(select(Conversation.__table__).order_by(Conversation.id)):
            if row.id in self._split:
                continue
            channel = self._channels.get(row.id, row.channel)
            said: Written = {"channel": channel, "customer": f"customer-{row.contact_id}"}
            team_id = self._first_team.get(row.id, row.team_id)
            if team_id is not None:
                said["queue"] = self._teams[team_id]
            if self._touchpoints.get(row.touchpoint_id):
                said["touchpoint"] = self._touchpoints[row.touchpoint_id]
            worked = self._worked.get(row.id, row.created_at)  # news of a call comes when it is over
            yield self._line(min(worked, row.created_at), 3, row.id, "conversation", conversation=str(row.id), **said)

    def _entries(self) -> Iterator[_Timed]:
        for row in self._conn.execute(select(Entry.__table__).order_by(Entry.id)):
            for kind, said in self._of_entry(row):
                at, known_at = said.pop("at", row.created_at), row.created_at
                where = self._written_in(row.conversation_id, known_at)
                line = self._line(known_at, 4, row.id, kind, conversation=str(where), **said)
                line[3]["at"] = at.isoformat()
                if at != known_at:
                    line[3]["delivered_at"] = known_at.isoformat()
                yield line

    def _of_entry(self, row: Any) -> Iterator[tuple[str, Written]]:
        by = {} if row.operator_id is None else {"operator": self._operators[row.operator_id]}
        match EntryKind(row.kind):
            case EntryKind.MESSAGE:
                began = self._starts.get(row.id, row.created_at)
                yield "message", {"id": str(row.id), "channel": row.channel, "at": began}
            case EntryKind.REPORT:
                yield "message", {"id": str(row.id), "channel": row.channel, "automatic": True}
            case EntryKind.REPLY:
                resolves = (row.conversation_id, row.created_at) in self._resolved
                yield "answer", {**by, "id": str(row.id), "channel": row.channel, "resolves": resolves}
            case EntryKind.AUTOREPLY:
                yield "automatic", {"channel": row.channel, "name": row.data.get("automatic", "")}
            case EntryKind.NOTE:
                yield "note", by
            case EntryKind.STATUS | EntryKind.HANDOFF | EntryKind.CALLBACK:
                yield from self._of_status(row, by)
            case EntryKind.CALL:
                pass  # told from the record of the call

    def _of_status(self, row: Any, by: Written) -> Iterator[tuple[str, Written]]:
        said = row.data
        match said.get("what"):
            case "taken" | "handoff_accepted":
                yield "assigned", {**by, "by": by.get("operator"), "reason": said.get("reason") or said["what"]}
            case "assigned":
                to = self._operators[said["to"]]
                yield "assigned", {"operator": to, "by": by.get("operator"), "reason": said.get("reason") or "assigned"}
            case "released":
                reason = said.get("reason") or "released"
                yield "assigned", {"operator": None, "by": by.get("operator"), "reason": reason}
            case "handed_off" if said.get("to") is None:
                yield "assigned", {"operator": None, "by": by.get("operator"), "reason": "handed_off"}
            case "snoozed":
                yield "snoozed", {**by, "until": said["until"], "agreed": bool(said.get("agreed"))}
            case "woken" if by:
                yield "woken", by
            case "closed" | "no_answer_needed":
                yield "resolved", {**by, "answer_needed": said["what"] == "closed"}
            case "reopened":
                # Timelines did not always say it; spam that is reopened never was resolved, so that does not tell.
                known = (row.conversation_id, row.created_at) not in self._reopened
                yield "reopened", {**by, "mistake": said.get("mistake", known)}
            case "spam":
                yield "spam", by
            case "team":
                yield "queue", {**by, "queue": said.get("name") or None}
            case "tags":
                yield "tagged", {**by, "tags": said.get("tags", [])}
            case "merged_into":
                yield "merged", {**by, "into": str(said["other"])}
            case "split_into":
                other, at = said["other"], row.created_at
                mine = select(Entry.id).where(
                    Entry.conversation_id == other, Entry.kind == EntryKind.MESSAGE, Entry.created_at < at
                )
                messages = [str(entry_id) for entry_id in self._conn.execute(mine.order_by(Entry.id)).scalars()]
                yield "split", {**by, "into": str(other), "messages": messages}
            case "visitor_left":
                ends = [at for at in self._left_at.get(row.conversation_id, ()) if at <= row.created_at]
                left_at = row.created_at if said.get("goes_on") or not ends else max(ends)
                yield "abandoned", {"reachable_by": said.get("goes_on"), "at": left_at}
            case "delivery_failed":
                yield "undelivered", {"answer": str(said["entry"])}
            case "callback_asked":
                yield "callback_asked", by
            case "callback_scheduled":
                yield "callback_agreed", {**by, "from": said["slot_from"], "to": said["slot_to"]}
            case "callback_tried" if by:
                yield "callback_attempted", {**by, "outcome": said["outcome"]}
            case "callback_unreached":
                yield "callback_given_up", by
            case "callback_cancelled":
                yield "callback_cancelled", by

    # --- what only the ledger and the records of work know --------------------------------------------------------

    def _sent_again(self) -> Iterator[_Timed]:
        replies = {
            row.id: row
            for row in self._conn.execute(
                select(Entry.id, Entry.conversation_id, Entry.created_at).where(Entry.kind == EntryKind.REPLY)
            )
        }
        for line in self._conn.execute(
            select(WaitLine.__table__).where(WaitLine.step == WaitStep.ENDED).order_by(WaitLine.id)
        ):
            reply = replies.get(line.data.get("entry"))
            if reply is None or line.at <= reply.created_at or line.data.get("ending") != Ending.ANSWERED:
                continue
            by = {} if line.data.get("by") is None else {"operator": self._operators[line.data["by"]]}
            yield self._line(
                line.at, 4, line.id, "sent_again", conversation=str(reply.conversation_id), answer=str(reply.id), **by
            )

    def _calls(self) -> Iterator[_Timed]:
        entries = {row.id: row for row in self._conn.execute(select(Entry.id, Entry.created_at, Entry.conversation_id))}
        by_mail = {row.email: row.id for row in self._conn.execute(select(Operator.id, Operator.email))}
        for row in self._conn.execute(
            select(Call.__table__).where(Call.conversation_id.is_not(None), Call.outcome.is_not(None)).order_by(Call.id)
        ):
            entry = entries.get(row.entry_id)
            ended_at = row.ended_at or row.started_at
            known_at = max(ended_at, entry.created_at if entry is not None else ended_at)
            said: Written = {"outcome": row.outcome, "direction": row.direction, "call": str(row.id)}
            said["started_at"] = row.started_at.isoformat()
            if row.data.get("answered_at"):
                said["answered_at"] = row.data["answered_at"]
            told = str(row.data.get("by_hand") or row.data.get("operator") or "").casefold()
            operator_id = by_mail.get(told) or (int(told) if told.isdecimal() else None)
            if operator_id in self._operators:
                said["operator"] = self._operators[operator_id]
            where = entry.conversation_id if entry is not None else row.conversation_id
            line = self._line(known_at, 4, row.entry_id or 0, "call", conversation=str(where), **said)
            line[3]["at"] = ended_at.isoformat()
            if ended_at != known_at:
                line[3]["delivered_at"] = known_at.isoformat()
            yield line

    def _work(self) -> Iterator[_Timed]:
        for row in self._conn.execute(select(HandlingSpan.__table__).order_by(HandlingSpan.id)):
            who = {"conversation": str(row.conversation_id), "operator": self._operators[row.operator_id]}
            yield self._line(row.began_at, 5, row.id, "handling_began", **who, channel=row.channel)
            if row.ended_at is not None:
                yield self._line(row.ended_at, 5, row.id, "handling_ended", **who)
        for row in self._conn.execute(select(MissedOffer.__table__).order_by(MissedOffer.id)):
            who = {"conversation": str(row.conversation_id), "operator": self._operators[row.operator_id]}
            yield self._line(row.missed_at, 5, row.id, "offer_missed", **who, offered_at=row.offered_at.isoformat())
        for row in self._conn.execute(select(Rating.__table__)):
            yield self._line(
                row.at, 5, row.conversation_id, "rated", conversation=str(row.conversation_id), score=row.score
            )

    # --- what must be known beforehand ------------------------------------------------------------------------------

    def _look_ahead(self) -> None:
        conn = self._conn
        self._starts, self._left_at = dict[int, datetime](), dict[int, list[datetime]]()
        for line in conn.execute(
            select(WaitLine.__table__)
            .where(WaitLine.step.in_((WaitStep.STARTED, WaitStep.MOVED)))
            .order_by(WaitLine.id)
        ):
            entry_id = line.data.get("entry")
            if entry_id is not None:
                said = line.data.get("said")
                self._starts[entry_id] = datetime.fromisoformat(said) if said else line.at
        for row in conn.execute(
            select(Wait.conversation_id, Wait.ended_at).where(Wait.ending == Ending.ABANDONED).order_by(Wait.ended_at)
        ):
            self._left_at.setdefault(row.conversation_id, []).append(row.ended_at)
        self._resolved, self._reopened = set[tuple[int, datetime]](), set[tuple[int, datetime | None]]()
        for row in conn.execute(select(Resolution.__table__)):
            self._resolved.add((row.conversation_id, row.resolved_at))
            self._reopened.add((row.conversation_id, row.reopened_at))
        self._worked: dict[int, datetime] = {}
        for row in conn.execute(select(HandlingSpan.__table__).order_by(HandlingSpan.began_at.desc())):
            self._worked[row.conversation_id] = row.began_at
        self._split: dict[int, tuple[int, datetime]] = {}
        self._first_team: dict[int, int | None] = {}
        self._channels: dict[int, str] = {}
        for row in conn.execute(select(Entry.__table__).order_by(Entry.id.desc())):
            what = row.data.get("what") if row.kind == EntryKind.STATUS else None
            if what == "split_from":
                self._split[row.conversation_id] = (row.data["other"], row.created_at)
            elif what == "team" and "from" in row.data:
                self._first_team[row.conversation_id] = row.data["from"]
            if row.channel is not None and row.author == Author.CONTACT:
                self._channels[row.conversation_id] = row.channel

    def _written_in(self, conversation_id: int, at: datetime) -> int:
        """Where an entry stood when it was written."""
        while conversation_id in self._split and at < self._split[conversation_id][1]:
            conversation_id = self._split[conversation_id][0]
        return conversation_id

    def _line(self, known_at: datetime, rank: int, number: int, kind: str, **said: Any) -> _Timed:
        return known_at, rank, number, {"at": known_at.isoformat(), "kind": kind, **said}
