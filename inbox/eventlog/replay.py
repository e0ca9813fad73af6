"""A history replayed into an empty desk: each line does to the book and the rows what its verb would have done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from inbox.eventlog.book import MemoryConversation, Said, WaitBook
from inbox.eventlog.lines import KINDS, Line, LineError, hours_of
from inbox.eventlog.people import People
from inbox.eventlog.rows import Rows
from inbox.lifecycle import AGREED_SNOOZE
from inbox.queue_key import queue_key
from inbox.store.models import (
    Calendar,
    Call,
    Callback,
    CallbackAttempt,
    Conversation,
    Entry,
    HandlingSpan,
    MissedOffer,
    PresenceSpan,
    Rating,
    Resolution,
    Tag,
    Wait,
    WaitLine,
)
from inbox.timeline import snippet
from inbox.vocabulary import (
    AttemptOutcome,
    Author,
    CallbackState,
    CallOutcome,
    ChannelKind,
    Delivery,
    Ending,
    EntryKind,
    Presence,
    Status,
)
from inbox.waits.hours import read_hours
from inbox.waits.timetable import Version

AGREED_CALLBACK = "agreed_callback"
PROVIDER = "event log"
_RANK = {CallOutcome.VOICEMAIL: 2, CallOutcome.ANSWERED: 3}


class Replay:
    """Lines must come in the order in which the desk knew of them."""

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

    def apply(self, line: Line) -> None:
        """Raises LineError."""
        self.end = line.known_at
        done: Callable[[Replay, Line, Mapping[str, Any]], None] = _DO[line.kind]
        done(self, line, line.values)

    # --- finding ------------------------------------------------------------------------------------------------

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
            created_at=line.known_at,
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

    # --- people and hours -------------------------------------------------------------------------------------------

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

    # --- what customers do ------------------------------------------------------------------------------------------

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

    # --- what operators do ------------------------------------------------------------------------------------------

    def _do_answer(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by = self._in(line), self._operator(line)
        closes = v.get("resolves", False)
        was_closed = conversation.status is Status.CLOSED
        self._stands(conversation, Status.CLOSED if closes else Status.PENDING, line.known_at)
        conversation.unread, conversation.spam = 0, False
        conversation.owner_id = conversation.owner_id or by
        channel = ChannelKind(v.get("channel", conversation.answer_by or conversation.channel))
        entry_id = self._entry(
            conversation, line, EntryKind.REPLY, Author.OPERATOR, by=by, channel=channel, delivery=Delivery.SENT
        )
        conversation.answers[v.get("id") or f"#{line.number}"] = conversation.last_answer = entry_id
        self._written_in[entry_id], self._answered_by[entry_id] = conversation, by
        self.book.end(conversation, Ending.ANSWERED, at=line.at, by=by, entry_id=entry_id)
        if closes:
            self._close(conversation, line.known_at)
            if not was_closed:
                self._resolve(conversation, by, line.known_at)

    def _do_automatic(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation = self._in(line)
        channel = ChannelKind(v.get("channel", conversation.channel))
        self._entry(
            conversation, line, EntryKind.AUTOREPLY, Author.AUTOREPLY, channel=channel, delivery=Delivery.SENT,
            data={"automatic": v.get("name", "")},
        )  # fmt: skip

    def _do_note(self, line: Line, v: Mapping[str, Any]) -> None:
        self._entry(self._in(line), line, EntryKind.NOTE, Author.OPERATOR, by=self._operator(line))

    def _do_assigned(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, owner, by = self._in(line), self._operator(line), self._operator(line, "by")
        reason = v.get("reason", "")[:300]
        before, conversation.owner_id = conversation.owner_id, owner
        if owner is None:
            self._say(conversation, line, "released", by, reason=reason)
        elif by in (None, owner):
            self._say(conversation, line, "taken", owner, reason=reason)
        else:
            name = self.people.name_of(owner)
            self._say(conversation, line, "assigned", by, to=owner, name=name, reason=reason)
        if before is not None and before != owner:
            self._stop_work(before, conversation.id, line.at)

    def _do_offer_missed(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, operator_id = self._in(line), self._operator(line)
        self._say(conversation, line, "handoff_returned", None, to=operator_id)
        self.rows.add_with_id(
            MissedOffer, operator_id=operator_id, conversation_id=conversation.id,
            offered_at=min(v.get("offered_at", line.at), line.at), missed_at=line.at,
        )  # fmt: skip

    def _do_handling_began(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, operator_id = self._in(line), self._operator(line)
        assert operator_id is not None
        if (operator_id, conversation.id) in self._handling:
            return
        self._handling[operator_id, conversation.id] = self.rows.add_with_id(
            HandlingSpan, operator_id=operator_id, conversation_id=conversation.id,
            channel=v.get("channel", conversation.channel), began_at=line.at, active_at=line.at, ended_at=None,
        )  # fmt: skip

    def _do_handling_ended(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, operator_id = self._in(line), self._operator(line)
        assert operator_id is not None
        self._stop_work(operator_id, conversation.id, line.at)

    def _stop_work(self, operator_id: int, conversation_id: int, at: datetime) -> None:
        span = self._handling.pop((operator_id, conversation_id), None)
        if span is not None:
            span["ended_at"] = max(at, span["began_at"])

    def _do_snoozed(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by, until, agreed = self._in(line), self._operator(line), v["until"], v.get("agreed", False)
        if until <= line.at:
            raise LineError(line.number, '"until" lies before "at"; a snooze ends in the future')
        self._stands(conversation, Status.SNOOZED, line.known_at)
        conversation.snoozed_until = until
        self._snoozed[conversation.id] = conversation
        self._say(conversation, line, "snoozed", by, until=until.isoformat(), agreed=agreed)
        if agreed:
            self.book.pause(conversation, at=line.at, until=until, why=AGREED_SNOOZE)
        else:
            self.book.resume(conversation, at=line.at, why=AGREED_SNOOZE)

    def _do_woken(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation = self._in(line)
        if conversation.status is Status.SNOOZED:
            self._say(conversation, line, "woken", self._operator(line))
            self.book.wake(conversation, now=line.at)
            self._snoozed.pop(conversation.id, None)

    def _do_resolved(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by = self._in(line), self._operator(line)
        if conversation.status is Status.CLOSED:
            return
        ending = Ending.CLOSED if v.get("answer_needed", True) else Ending.NO_ANSWER_NEEDED
        self.book.end(conversation, ending, at=line.at, by=by)
        self._close(conversation, line.known_at)
        self._say(conversation, line, "closed" if ending is Ending.CLOSED else "no_answer_needed", by)
        self._resolve(conversation, by, line.at)

    def _resolve(self, conversation: MemoryConversation, by: int | None, at: datetime) -> None:
        self._resolved[conversation.id] = self.rows.add_with_id(
            Resolution, conversation_id=conversation.id, operator_id=by, resolved_at=at, reopened_at=None
        )

    def _forget_resolution(self, conversation: MemoryConversation) -> None:
        resolution = self._resolved.pop(conversation.id, None)
        if resolution is not None:
            self.rows.remove(Resolution, resolution)

    def _do_reopened(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by = self._in(line), self._operator(line)
        if conversation.status not in (Status.CLOSED, Status.PENDING):
            return
        closed_at = conversation.closed_at
        if v.get("mistake") and closed_at is not None:
            self._forget_resolution(conversation)
            if self.book.take_back(conversation, closed_at, at=line.at):
                conversation.unread = 1
        self._stands(conversation, Status.OPEN, line.at)
        conversation.spam = False
        self._say(conversation, line, "reopened", by)

    def _do_spam(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by = self._in(line), self._operator(line)
        self.book.end(conversation, Ending.SPAM, at=line.at, by=by)
        self._forget_resolution(conversation)
        self._close(conversation, line.known_at)
        conversation.spam = True
        self._say(conversation, line, "spam", by)

    def _answer(self, line: Line, conversation: MemoryConversation) -> int:
        named = line.values.get("answer")
        entry_id = conversation.last_answer if named is None else conversation.answers.get(named)
        if entry_id is None:
            which = "" if named is None else f" {named!r}"
            raise LineError(line.number, f'no answer{which} is known in this conversation; name one by its "id"')
        return entry_id

    def _do_undelivered(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation = self._in(line)
        entry_id = self._answer(line, conversation)
        if entry_id in self._failed:
            return
        self._failed.add(entry_id)
        was_snoozed = conversation.status is Status.SNOOZED
        self._stands(conversation, Status.OPEN, line.known_at)
        self._say(conversation, line, "delivery_failed", None, entry=entry_id, error=v.get("error", "")[:300])
        wrote_in = self._written_in[entry_id]
        self.book.run_again(wrote_in, entry_id, at=line.known_at)
        if wrote_in is not conversation:
            self.book.move(wrote_in, conversation, at=line.known_at)
        if was_snoozed:
            self.book.resume(conversation, at=line.known_at)

    def _do_sent_again(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by = self._in(line), self._operator(line)
        entry_id = self._answer(line, conversation)
        if entry_id not in self._failed:
            return
        self._failed.discard(entry_id)
        by = by or self._answered_by.get(entry_id)
        if not any(said.entry_id > entry_id for said in conversation.said):
            self.book.end(conversation, Ending.ANSWERED, at=line.at, by=by, entry_id=entry_id)
            self._stands(conversation, Status.PENDING, line.known_at)
            conversation.unread = 0

    def _do_merged(self, line: Line, v: Mapping[str, Any]) -> None:
        source, target, by = self._in(line), self._in(line, v["into"]), self._operator(line)
        if source is target:
            raise LineError(line.number, 'a conversation cannot be merged with itself; name another one in "into"')
        goes_on = bool(source.unread) or source.wait is not None
        self.book.move(source, target, at=line.at)
        callback = self._callbacks.pop(source.id, None)
        if callback is not None:
            callback["conversation_id"] = target.id
            self._callbacks.setdefault(target.id, callback)
        moved = source.unread
        self._say(source, line, "merged_into", by, other=target.id)
        source.status, source.closed_at, source.merged_into, source.unread = Status.CLOSED, line.known_at, target, 0
        source.snoozed_until = None
        self._snoozed.pop(source.id, None)
        for operator_id, conversation_id in list(self._handling):
            if conversation_id == source.id:
                self._stop_work(operator_id, conversation_id, line.at)
        target.said = sorted([*target.said, *source.said], key=lambda said: said.entry_id)
        target.answers = source.answers | target.answers
        target.last_answer = target.last_answer or source.last_answer
        if goes_on:
            target.unread += moved
            target.spam = False
            self._stands(target, Status.OPEN, line.known_at)
            self.book.resume(target, at=line.at, why=AGREED_SNOOZE)
        self._say(target, line, "merged_from", by, other=source.id)

    def _do_split(self, line: Line, v: Mapping[str, Any]) -> None:
        """See `inbox.moving.part_waits`."""
        source, by = self._in(line), self._operator(line)
        if v["into"] in self.conversations:
            raise LineError(line.number, f"the conversation {v['into']!r} has begun already; split into a new one")
        wanted = set(v.get("messages", ()))
        moved = [said for said in source.said if said.key in wanted]
        if len(moved) != len(wanted):
            missing = sorted(wanted - {said.key for said in moved})
            raise LineError(line.number, f'no message {missing[0]!r} is known in this conversation; give it an "id"')
        target = MemoryConversation(
            id=self.rows.next_id(Conversation), name=v["into"], contact_id=source.contact_id,
            channel=moved[-1].channel if moved else source.channel, created_at=line.known_at, team_id=source.team_id,
            subject=source.subject, language=source.language, touchpoint=source.touchpoint,
            touchpoint_id=source.touchpoint_id, last_number=source.last_number,
            owner_id=source.owner_id, active_at=line.known_at, status=Status.OPEN,
        )  # fmt: skip
        self.conversations[target.name] = target
        self.people.takes_part_too(target.id, source.id, line.known_at)
        ids = {said.entry_id for said in moved}
        target.said, source.said = moved, [said for said in source.said if said.entry_id not in ids]
        self._part_waits(source, target, ids, line)
        for wait in [w for w in source.waits if w.ended_at is not None and w.ended_entry_id is None]:
            if wait.entry_id in ids:
                self.book.carry(wait, source, target, at=line.at)
        for entry_id in ids:
            self.rows.with_id(Entry, entry_id)["conversation_id"] = target.id
        self._say(source, line, "split_into", by, other=target.id)
        self._say(target, line, "split_from", by, other=source.id)

    def _part_waits(self, source: MemoryConversation, target: MemoryConversation, ids: set[int], line: Line) -> None:
        wait = source.wait
        if wait is None:
            return
        settled = max((w.ended_at for w in source.waits if w.ended_at and w.ending is not Ending.MERGED), default=None)

        def unanswered(said: Said) -> bool:
            if said.entry_id == wait.entry_id:
                return True
            return said.known_at >= wait.started_at and (settled is None or said.known_at > settled)

        goes = [said for said in target.said if unanswered(said)]
        stays = [said for said in source.said if unanswered(said)]
        if wait.entry_id in ids:
            self.book.carry(wait, source, target, at=line.at)
            self.book.resume(target, at=line.at, why=AGREED_SNOOZE)
            left_over, needs = source, stays
            if not stays and source.status is Status.OPEN:
                self._stands(source, Status.PENDING, line.known_at)
        else:
            left_over, needs = target, goes
        target.unread, source.unread = len(goes), min(source.unread, len(stays))
        if needs:
            self.book.start(left_over, channel=needs[0].channel, entry_id=needs[0].entry_id, at=needs[0].known_at)

    def _do_queue(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by, queue = self._in(line), self._operator(line), v["queue"]
        team_id = None if queue is None else self.people.team(queue)
        if conversation.team_id == team_id:
            return
        before, conversation.team_id = conversation.team_id, team_id
        self._say(conversation, line, "team", by, to=team_id, name=queue or "", **{"from": before})
        self.book.change_team(conversation, team_id, at=line.at)

    def _do_tagged(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation = self._in(line)
        self._tags[conversation.id] = {tag[:60] for tag in v["tags"]}
        self._say(conversation, line, "tags", self._operator(line), tags=sorted(self._tags[conversation.id]))

    # --- telephone --------------------------------------------------------------------------------------------------

    def _do_call(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by, outcome = self._in(line), self._operator(line), CallOutcome(v["outcome"])
        ahead = line.said - line.at if line.said is not None else None
        inbound = v.get("direction", "inbound") == "inbound"
        ended_at = line.at
        started_at = min(v.get("started_at", line.at) - (ahead or ended_at - ended_at), ended_at)
        answered_at = v.get("answered_at")
        if answered_at is not None and ahead is not None:
            answered_at -= ahead
        answered = outcome is CallOutcome.ANSWERED
        talked_from = max(started_at, min(answered_at or started_at, ended_at))
        entry_id = None
        if inbound:
            later = self._talks.get(conversation.contact_id)
            waits = answered or later is None or later < started_at
            entry_id = self._received(
                conversation, line, ChannelKind.PHONE, EntryKind.CALL, since=started_at, waits=waits, owed=not answered
            )
        elif answered:
            entry_id = self._entry(conversation, line, EntryKind.CALL, Author.CONTACT, channel=ChannelKind.PHONE)
        data: dict[str, Any] = {"direction": v.get("direction", "inbound"), "line": v.get("line", "")}
        if answered and answered_at is not None:
            data["answered_at"] = talked_from.isoformat()
        self.rows.add_with_id(
            Call, provider=PROVIDER, account="", call_id=f"{line.number}:{v.get('call', '')}"[:200],
            conversation_id=conversation.id, entry_id=entry_id, direction=data["direction"],
            rank=_RANK.get(outcome, 1), outcome=outcome, number=self.people.number(conversation.contact_id),
            data=data, started_at=started_at, ended_at=ended_at,
        )  # fmt: skip
        if answered:
            self._talks[conversation.contact_id] = max(started_at, self._talks.get(conversation.contact_id, started_at))
            self._talked(conversation, line, talked_from, ended_at, by, entry_id)
        elif inbound and conversation.wait is not None:
            self._owe(conversation, line, missed=True)

    def _talked(
        self,
        conversation: MemoryConversation,
        line: Line,
        talked_from: datetime,
        talked_to: datetime,
        by: int | None,
        entry_id: int | None,
    ) -> None:
        """See `inbox.calls`: the wait ended when they talked, not when we heard of it."""
        wait = conversation.wait
        if conversation.spam or (wait is not None and wait.started_at > talked_to):
            return
        if self.book.end(conversation, Ending.ANSWERED, at=min(talked_from, line.known_at), by=by, entry_id=entry_id):
            for said in conversation.said:
                if said.entry_id == entry_id or said.known_at <= talked_to or not said.owed:
                    continue
                since = said.since if said.since != said.known_at else said.known_at
                if since <= talked_to:
                    continue
                self.book.start(conversation, channel=said.channel, entry_id=said.entry_id, at=since)
                return
        self._stands(conversation, Status.PENDING if by is None else Status.OPEN, line.known_at)
        conversation.unread = 0
        conversation.owner_id = conversation.owner_id or by
        callback = self._callbacks.pop(conversation.id, None)
        if callback is not None:
            callback.update(state=CallbackState.DONE, settled_at=line.known_at, owner_id=by)

    def _owe(self, conversation: MemoryConversation, line: Line, *, missed: bool = False) -> dict[str, Any]:
        callback = self._callbacks.get(conversation.id)
        if callback is None:
            callback = self._callbacks[conversation.id] = self.rows.add_with_id(
                Callback, conversation_id=conversation.id, contact_id=conversation.contact_id,
                number=self.people.number(conversation.contact_id), state=CallbackState.DUE, owner_id=None,
                due_at=line.known_at, slot_from=None, slot_to=None, missed_calls=0, attempts=0,
                created_at=line.known_at, settled_at=None, summary={},
            )  # fmt: skip
        callback["missed_calls"] += missed
        return callback

    def _do_callback_asked(self, line: Line, v: Mapping[str, Any]) -> None:
        self._asked(self._in(line), line, self._operator(line))

    def _asked(self, conversation: MemoryConversation, line: Line, by: int | None) -> dict[str, Any]:
        if conversation.id not in self._callbacks:
            was_snoozed = conversation.status is Status.SNOOZED
            self._stands(conversation, Status.OPEN, line.known_at)
            entry_id = self._entry(
                conversation, line, EntryKind.CALLBACK, Author.SYSTEM, by=by, data={"what": "callback_asked"}
            )
            if was_snoozed:
                self.book.resume(conversation, at=line.at)
            self.book.start(conversation, channel=ChannelKind.PHONE, entry_id=entry_id, at=line.at)
        return self._owe(conversation, line)

    def _do_callback_cancelled(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation = self._in(line)
        callback = self._callbacks.pop(conversation.id, None)
        if callback is not None:
            callback.update(state=CallbackState.CANCELLED, settled_at=line.at)
        self._say(conversation, line, "callback_cancelled", self._operator(line))
        self.book.resume(conversation, at=line.at, why=AGREED_CALLBACK)

    def _do_callback_agreed(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by = self._in(line), self._operator(line)
        callback = self._asked(conversation, line, by)
        callback.update(state=CallbackState.SCHEDULED, due_at=v["from"], slot_from=v["from"], slot_to=v["to"])
        self._say(
            conversation, line, "callback_scheduled", by, slot_from=v["from"].isoformat(), slot_to=v["to"].isoformat()
        )
        if v["from"] > line.at:
            self.book.pause(conversation, at=line.at, until=v["from"], why=AGREED_CALLBACK)

    def _do_callback_attempted(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by, outcome = self._in(line), self._operator(line), AttemptOutcome(v["outcome"])
        assert by is not None
        callback = self._owe(conversation, line)
        callback["attempts"] += 1
        self.rows.add_with_id(
            CallbackAttempt, callback_id=callback["id"], number=callback["attempts"], operator_id=by,
            started_at=min(v.get("started_at", line.at), line.at), outcome=outcome, ended_at=line.at, note="",
        )  # fmt: skip
        entry_id = self._entry(
            conversation, line, EntryKind.CALLBACK, Author.OPERATOR, by=by,
            data={"what": "callback_tried", "callback": callback["id"], "outcome": outcome,
                  "attempt": callback["attempts"]},
        )  # fmt: skip
        if outcome is AttemptOutcome.REACHED:
            self.book.end(conversation, Ending.ANSWERED, at=line.at, by=by, entry_id=entry_id)
            conversation.unread = 0
            conversation.owner_id = conversation.owner_id or by
            callback.update(state=CallbackState.DONE, settled_at=line.at, owner_id=by)
            self._callbacks.pop(conversation.id, None)
        elif outcome is AttemptOutcome.WRONG_NUMBER:
            callback.update(state=CallbackState.NEEDS_NUMBER, number=None, slot_from=None, slot_to=None)
            self.book.resume(conversation, at=line.at, why=AGREED_CALLBACK)
        elif callback["state"] != CallbackState.SCHEDULED:
            callback["state"] = CallbackState.EXHAUSTED if callback["attempts"] >= 3 else CallbackState.DUE

    def _do_callback_given_up(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation, by = self._in(line), self._operator(line)
        callback = self._callbacks.pop(conversation.id, None)
        if callback is not None:
            callback.update(state=CallbackState.CLOSED_UNREACHED, settled_at=line.at, owner_id=None)
        entry_id = self._entry(
            conversation, line, EntryKind.CALLBACK, Author.SYSTEM if by is None else Author.OPERATOR, by=by,
            data={"what": "callback_unreached"},
        )  # fmt: skip
        self._stands(conversation, Status.PENDING, line.known_at)
        conversation.unread = 0
        self.book.end(conversation, Ending.UNREACHED, at=line.at, by=by, entry_id=entry_id)

    # --- at the end -------------------------------------------------------------------------------------------------

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


_DO: Mapping[str, Callable[[Replay, Line, Mapping[str, Any]], None]] = {
    kind: getattr(Replay, f"_do_{kind}") for kind in KINDS
}
