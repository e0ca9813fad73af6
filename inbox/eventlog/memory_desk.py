"""A desk in memory while its history is replayed: how conversations are found, written and settled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from inbox.eventlog.book import MemoryConversation, WaitBook
from inbox.eventlog.lines import Line, LineError
from inbox.eventlog.people import People
from inbox.eventlog.rows import Rows
from inbox.queue_key import queue_key
from inbox.store.models import (
    Conversation,
    Entry,
    Tag,
    Wait,
    WaitLine,
)
from inbox.timeline import snippet
from inbox.vocabulary import (
    Author,
    CallbackState,
    ChannelKind,
    Delivery,
    EntryKind,
    Status,
)


class MemoryDesk:
    """What the lines so far have made: conversations in memory, rows to be written."""

    def __init__(self, rows: Rows, book: WaitBook, people: People) -> None:
        self.rows, self.book, self.people = rows, book, people
        self.conversations: dict[str, MemoryConversation] = {}
        self.end = datetime.min.replace(tzinfo=UTC)
        self._first_hours = 0
        self._written_in: dict[int, MemoryConversation] = {}
        self._answered_by: dict[int, int | None] = {}
        self._failed: set[int] = set()
        self._talks: dict[int, datetime] = {}
        self._snoozed: dict[int, MemoryConversation] = {}
        self._presence: dict[int, dict[str, Any]] = {}
        self._handling: dict[tuple[int, int], dict[str, Any]] = {}
        self._resolved: dict[int, dict[str, Any]] = {}
        self._callbacks: dict[int, dict[str, Any]] = {}
        self._tags: dict[int, set[str]] = {}
        self._ratings: dict[int, dict[str, Any]] = {}

    def _in(self, line: Line, name: str | None = None) -> MemoryConversation:
        """The conversation of a line, with all that was due in it before. Raises LineError."""
        wanted = name or line.values["conversation"]
        found = self.conversations.get(wanted)
        if found is None and "channel" in line.values and "customer" in line.values:
            found = self._begin(line)
        if found is None:
            raise LineError(
                line.number,
                f'the conversation {wanted!r} has not begun; put a line of kind "conversation" before this one',
            )
        goes_on = found.goes_on
        self.book.catch_up(goes_on, line.known_at)
        return goes_on

    def _begin(self, line: Line) -> MemoryConversation:
        v = line.values
        name = v["conversation"]
        if name in self.conversations:
            raise LineError(line.number, f"the conversation {name!r} has begun already")
        queue = v.get("queue")
        conversation = MemoryConversation(
            id=self.rows.next_id(Conversation),
            name=name,
            contact_id=self.people.contact(v["customer"], line.known_at),
            channel=ChannelKind(v["channel"]),
            began_by=ChannelKind(v["channel"]),
            created_at=_begun_at(line),
            team_id=None if queue is None else self.people.team(queue),
            subject=v.get("subject", "")[:1000],
            language=(v.get("language") or None) and v["language"][:10],
            touchpoint=v.get("touchpoint", "")[:200],
            touchpoint_id=self.people.touchpoint(ChannelKind(v["channel"]), v.get("touchpoint", "")[:200]),
            active_at=line.known_at,
        )
        self.conversations[name] = conversation
        self.people.takes_part(conversation.id, v["customer"], line.known_at)
        return conversation

    def _operator(self, line: Line, key: str = "operator") -> int | None:
        name = line.values.get(key)
        return None if name is None else self.people.operator(name, line.known_at)

    def _entry(
        self,
        conversation: MemoryConversation,
        line: Line,
        kind: EntryKind,
        author: Author,
        *,
        by: int | None = None,
        channel: ChannelKind | None = None,
        delivery: Delivery | None = None,
        data: dict[str, Any] | None = None,
    ) -> int:
        conversation.last_number += 1
        words = line.values.get("text", "")
        row = self.rows.add_with_id(
            Entry,
            conversation_id=conversation.id,
            number=conversation.last_number,
            kind=kind,
            channel=channel,
            author=author,
            contact_id=conversation.contact_id if author is Author.CONTACT else None,
            operator_id=by,
            text=words,
            data=data or {},
            created_at=line.known_at,
            delivery=delivery,
        )
        if kind in (EntryKind.MESSAGE, EntryKind.REPLY, EntryKind.CALL, EntryKind.CALLBACK):
            conversation.active_at, conversation.snippet = line.known_at, snippet(words)
        if by is not None:
            span = self._handling.get((by, conversation.id))
            if span is not None:
                span["active_at"] = max(span["active_at"], line.known_at)
        return int(row["id"])

    def _say(self, conversation: MemoryConversation, line: Line, what: str, by: int | None, **data: Any) -> int:
        author = Author.SYSTEM if by is None else Author.OPERATOR
        return self._entry(conversation, line, EntryKind.STATUS, author, by=by, data={"what": what, **data})

    def _stands(self, conversation: MemoryConversation, status: Status, at: datetime) -> None:
        """Change the status; what was resolved and goes on was reopened."""
        if conversation.status is Status.CLOSED and status is not Status.CLOSED:
            resolution = self._resolved.pop(conversation.id, None)
            if resolution is not None:
                resolution["reopened_at"] = at
        conversation.status = status
        if status is not Status.CLOSED:
            conversation.closed_at = None
        if status is not Status.SNOOZED:
            conversation.snoozed_until = None
            self._snoozed.pop(conversation.id, None)

    def _close(self, conversation: MemoryConversation, at: datetime) -> None:
        self._stands(conversation, Status.CLOSED, at)
        conversation.closed_at, conversation.unread = at, 0
        self._settle(conversation, at)

    def _settle(self, conversation: MemoryConversation, at: datetime) -> None:
        """What is closed owes no call and gives no work."""
        callback = self._callbacks.pop(conversation.id, None)
        if callback is not None:
            callback.update(state=CallbackState.CANCELLED, settled_at=at)
        for operator_id, conversation_id in list(self._handling):
            if conversation_id == conversation.id:
                self._stop_work(operator_id, conversation_id, at)

    def _stop_work(self, operator_id: int, conversation_id: int, at: datetime) -> None:
        span = self._handling.pop((operator_id, conversation_id), None)
        if span is not None:
            span["ended_at"] = max(at, span["began_at"])

    def finish(self) -> None:
        """What time did up to the last line; then the rows of what could change until now."""
        for conversation in self.conversations.values():
            if conversation.wait is not None or conversation.snoozed_until is not None:
                self.book.catch_up(conversation, self.end, until_end=True)
        for operator_id, conversation_id in list(self._handling):
            self._stop_work(operator_id, conversation_id, self.end)
        for conversation in self.conversations.values():
            self._write(conversation)
        self.people.finish(self._presence, self.end)
        for conversation_id, tags in self._tags.items():
            for tag in sorted(tags):
                self.rows.add(Tag, conversation_id=conversation_id, name=tag)

    def _write(self, c: MemoryConversation) -> None:
        wait, active_at = c.wait, c.active_at or c.created_at
        due_at = wait.due_at if wait is not None else None
        self.rows.add(
            Conversation, id=c.id, contact_id=c.contact_id, subject=c.subject, status=c.status, spam=c.spam,
            channel=c.channel, language=c.language, owner_id=c.owner_id, team_id=c.team_id, priority=0,
            last_number=c.last_number, snippet=c.snippet, version=1, created_at=c.created_at, active_at=active_at,
            closed_at=c.closed_at, snoozed_until=c.snoozed_until, answer_by=c.answer_by,
            wait_id=wait.id if wait is not None else None,
            waiting_since=wait.started_at if wait is not None else None,
            warn_at=wait.warn_at if wait is not None else None, due_at=due_at,
            queue_key=queue_key(due_at, active_at), unread=c.unread, reply_token=uuid4().hex, visitor_seen=0,
            source={"log": c.name, **({"touchpoint": c.touchpoint} if c.touchpoint else {})},
            touchpoint_id=c.touchpoint_id,
            merged_into_id=None,  # the other one may be written later
        )  # fmt: skip
        for w in c.waits:
            self.rows.add(
                Wait, id=w.id, conversation_id=c.id, entry_id=w.entry_id, channel=w.channel, team_id=w.team_id,
                team_since=w.team_since, first=w.first, calendar_id=w.calendar_id, started_at=w.started_at,
                warn_after_s=w.warn_after_s, target_s=w.target_s, warn_at=w.warn_at, due_at=w.due_at,
                warned_at=w.warned_at, missed_at=w.missed_at, paused_at=w.paused_at, paused_until=w.paused_until,
                paused_s=w.paused_s, ended_at=w.ended_at, ending=w.ending, ended_by=w.ended_by,
                ended_entry_id=w.ended_entry_id, wall_s=w.wall_s, open_s=w.open_s, net_s=w.net_s,
            )  # fmt: skip
            for at, step, data in w.lines:
                self.rows.add(WaitLine, wait_id=w.id, at=at, step=step, data=data)


def _begun_at(line: Line) -> datetime:
    """When the customer began it: that of a call is told when it is over, and other news may come late."""
    started_at = line.values.get("started_at")
    return line.at if started_at is None or line.said is not None else min(started_at, line.at)
