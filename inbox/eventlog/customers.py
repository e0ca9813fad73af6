"""What people are told of and what customers do, replayed: each line does what its verb would have done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inbox.eventlog.book import MemoryConversation, Said
from inbox.eventlog.lines import Line, LineError, hours_of
from inbox.eventlog.memory_desk import MemoryDesk
from inbox.store.models import (
    Calendar,
    PresenceSpan,
    Rating,
)
from inbox.vocabulary import (
    Author,
    ChannelKind,
    Ending,
    EntryKind,
    Presence,
    Status,
)
from inbox.waits.hours import read_hours
from inbox.waits.timetable import Version


class Customers(MemoryDesk):
    def _do_operator(self, line: Line, v: Mapping[str, Any]) -> None:
        self.people.describe_operator(v["operator"], v.get("name", ""), v.get("queues", ()), line.known_at)

    def _do_customer(self, line: Line, v: Mapping[str, Any]) -> None:
        self.people.describe_customer(v["customer"], v.get("name", ""), v.get("language", ""), line.known_at)

    def _do_hours(self, line: Line, v: Mapping[str, Any]) -> None:
        for wait in list(self.book.running.values()):
            self.book.catch_up(wait.conversation, line.known_at)
        for conversation in list(self._snoozed.values()):
            self.book.catch_up(conversation, line.known_at)
        queue = v.get("queue")
        team_id = None if queue is None else self.people.team(queue)
        data = {"follows_desk": True} if v.get("follows_desk") else hours_of(v)
        if v.get("follows_desk"):
            assert team_id is not None
            if not self.book.calendars.has_own(team_id):
                return
        if line.number == self._first_hours:
            return
        zone = v.get("zone") or self.book.calendars.timetable(None).at(line.at).zone
        row = self.rows.add_with_id(
            Calendar, team_id=team_id, valid_from=line.at, zone=zone, data=data, created_by=None
        )
        if v.get("follows_desk"):
            assert team_id is not None
            self.book.calendars.follow_desk(team_id, line.at)
        else:
            self.book.calendars.add(Version(row["id"], line.at, zone, data, read_hours(zone, data)), team_id)
        self.book.hours_changed()

    def begin_with(self, line: Line) -> None:
        """The first opening hours of the desk count for the time before them, too."""
        self._do_hours(line, line.values)
        self._first_hours = line.number

    def _do_presence(self, line: Line, v: Mapping[str, Any]) -> None:
        operator_id, presence = self._operator(line), Presence(v["presence"])
        assert operator_id is not None
        running = self._presence.get(operator_id)
        if running is not None and running["presence"] == presence:
            return
        if running is not None:
            running["ended_at"] = line.at
        elif (since := self.people.since(operator_id)) is not None and since < line.at:
            self.rows.add_with_id(
                PresenceSpan, operator_id=operator_id, presence=Presence.OFFLINE, began_at=since, ended_at=line.at
            )
        self._presence[operator_id] = self.rows.add_with_id(
            PresenceSpan, operator_id=operator_id, presence=presence, began_at=line.at, ended_at=None
        )
        if presence in (Presence.AWAY, Presence.OFFLINE):
            for who, conversation_id in list(self._handling):
                if who == operator_id:
                    self._stop_work(who, conversation_id, line.at)

    def _do_conversation(self, line: Line, v: Mapping[str, Any]) -> None:
        if v["conversation"] in self.conversations:
            raise LineError(line.number, f"the conversation {v['conversation']!r} has begun already")
        self._begin(line)

    def _do_message(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation = self._in(line)
        named = self.conversations[v["conversation"]]
        channel = ChannelKind(v.get("channel") or named.began_by or conversation.channel)
        if v.get("automatic"):
            self._entry(conversation, line, EntryKind.REPORT, Author.CONTACT, channel=channel)
            return
        self._received(conversation, line, channel, EntryKind.MESSAGE, since=line.at, said=line.said)

    def _received(
        self,
        conversation: MemoryConversation,
        line: Line,
        channel: ChannelKind,
        kind: EntryKind,
        *,
        since: datetime,
        said: datetime | None = None,
        waits: bool = True,
        owed: bool = True,
    ) -> int:
        """See `inbox.receive`."""
        waits = waits and not conversation.spam
        was_snoozed = conversation.status is Status.SNOOZED
        if waits:
            self._stands(conversation, Status.OPEN, line.known_at)
            conversation.channel = channel
            conversation.unread += 1
        entry_id = self._entry(conversation, line, kind, Author.CONTACT, channel=channel)
        key = line.values.get("id") or f"#{line.number}"
        conversation.said.append(Said(entry_id, key, line.known_at, since, channel, owed))
        if not waits:
            return entry_id
        if was_snoozed:
            self.book.resume(conversation, at=line.known_at)
        self.book.start(conversation, channel=channel, entry_id=entry_id, at=since, said=said)
        return entry_id

    def _do_abandoned(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation = self._in(line)
        if conversation.wait is None:
            return
        goes_on = v.get("reachable_by")
        if goes_on is not None:
            self._say(conversation, line, "visitor_left", None, goes_on=goes_on)
            conversation.answer_by = ChannelKind(goes_on)
            self.book.change_channel(conversation, ChannelKind(goes_on), at=line.known_at)
            return
        self.book.end(conversation, Ending.ABANDONED, at=line.at)
        self._say(conversation, line, "visitor_left", None, goes_on=None)
        self._close(conversation, line.known_at)

    def _do_rated(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation = self._in(line)
        resolution = self._resolved.get(conversation.id)
        answered = [w for w in conversation.waits if w.ending is Ending.ANSWERED and w.ended_by is not None]
        by = (resolution or {}).get("operator_id")
        if by is None and answered:
            by = max(answered, key=lambda w: (w.ended_at, w.id)).ended_by
        values = {"operator_id": by or conversation.owner_id, "score": v["score"], "at": line.at}
        row = self._ratings.get(conversation.id)
        if row is None:
            row = self.rows.add(Rating, conversation_id=conversation.id, words="", **values)
            self._ratings[conversation.id] = row
        row.update(values)
        if "words" in v:
            row["words"] = v["words"].strip()[:2_000]
