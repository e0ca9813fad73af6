"""Conversations that become one, and one that becomes two, replayed: see `inbox.merging` and `inbox.moving`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inbox.eventlog.book import MemoryConversation, Said
from inbox.eventlog.lines import Line, LineError
from inbox.eventlog.operators import Operators
from inbox.lifecycle import AGREED_SNOOZE
from inbox.store.models import (
    Conversation,
    Entry,
)
from inbox.vocabulary import (
    Ending,
    Status,
)


class Joining(Operators):
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
