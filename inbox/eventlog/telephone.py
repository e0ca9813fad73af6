"""Calls and callbacks, replayed: see `inbox.calls` and `inbox.callbacks`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inbox.callbacks import AGREED_CALLBACK
from inbox.eventlog.book import MemoryConversation
from inbox.eventlog.joining import Joining
from inbox.eventlog.lines import Line
from inbox.store.models import (
    Call,
    Callback,
    CallbackAttempt,
)
from inbox.vocabulary import (
    AttemptOutcome,
    Author,
    CallbackState,
    CallOutcome,
    ChannelKind,
    Ending,
    EntryKind,
    Status,
)

PROVIDER = "event log"
_RANK = {CallOutcome.VOICEMAIL: 2, CallOutcome.ANSWERED: 3}


class Telephone(Joining):
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
