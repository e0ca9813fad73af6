"""What operators do, replayed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inbox.eventlog.book import MemoryConversation
from inbox.eventlog.customers import Customers
from inbox.eventlog.lines import Line, LineError
from inbox.lifecycle import AGREED_SNOOZE
from inbox.store.models import (
    HandlingSpan,
    MissedOffer,
    Resolution,
)
from inbox.vocabulary import (
    Author,
    ChannelKind,
    Delivery,
    Ending,
    EntryKind,
    Status,
)


class Operators(Customers):
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
