"""An event log lived through: each line told to the desk's own verbs when the desk would have heard of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, select

from inbox import (
    callbacks,
    deliveries,
    lifecycle,
    merging,
    passing_on,
    ratings,
    receive,
    reply,
    visitor_leaving,
)
from inbox.call_facts import CallFacts, Direction
from inbox.calls import record_call
from inbox.clock import ManualClock
from inbox.eventlog.lines import Line, hours_of
from inbox.people import operators, teams
from inbox.people.contacts import AddressLine, Sender
from inbox.store.database import Database
from inbox.store.models import Callback, Conversation, Entry, Operator, Team, Wait, WaitLine
from inbox.timers import TIMERS, Watcher, nearest
from inbox.vocabulary import (
    OPEN_CALLBACK_STATES,
    AddressKind,
    AttemptOutcome,
    CallbackId,
    CallOutcome,
    ChannelKind,
    ConversationId,
    Ending,
    EntryId,
    EntryKind,
    OperatorId,
    Presence,
    Role,
    Status,
    TeamId,
)
from inbox.waits.change_hours import follow_desk, set_hours

ADDRESSES = {
    ChannelKind.CHAT: AddressKind.VISITOR,
    ChannelKind.EMAIL: AddressKind.EMAIL,
    ChannelKind.PHONE: AddressKind.PHONE,
}


@dataclass(slots=True)
class Begun:
    channel: ChannelKind
    customer: str
    queue: str | None
    id: ConversationId | None = None
    last_answer: EntryId | None = None


class LivedDesk:
    """Customers are named as addresses of their channel: a visitor, a mail address, a telephone number."""

    def __init__(self, db: Database, clock: ManualClock) -> None:
        self.db, self.clock, self.watcher = db, clock, Watcher(db, clock)
        self.begun: dict[str, Begun] = {}
        self.operators: dict[str, OperatorId] = {}
        self.teams: dict[str, TeamId] = {}
        self.messages: dict[str, EntryId] = {}
        self.answers: dict[str, EntryId] = {}
        self._keys = count(1)

    async def live(self, lines: Iterable[Line]) -> None:
        for line in lines:
            await self._until(line.known_at)
            await getattr(self, f"_{line.kind}")(line, line.values)
        await self.watcher.fire()

    async def _until(self, moment: datetime) -> None:
        """Let time pass. What is due at the very moment of a line comes after it."""
        while (due := await self.db.read(nearest, TIMERS)) is not None and due < moment:
            self.clock.set(max(due, self.clock.now()))
            await self.watcher.fire()
        self.clock.set(max(moment, self.clock.now()))

    async def _do(self, verb: Any, *args: Any, **more: Any) -> Any:
        return await self.db.write(verb, *args, now=self.clock.now(), **more)

    async def _by(self, name: str | None) -> OperatorId | None:
        if name is not None and name not in self.operators:
            self.operators[name] = await self._do(
                operators.add, email=f"{name}@desk.example", name=name, role=Role.OPERATOR, password_hash="-"
            )
        return None if name is None else self.operators[name]

    async def _team(self, name: str | None) -> TeamId | None:
        if name is None:
            return None
        if name not in self.teams:
            self.teams[name] = await self.db.write(teams.add, name)
            doors = [f"{channel}:{name}" for channel in ChannelKind]
            await self._do(teams.change, self.teams[name], name=name, members=(), doors=doors)
        return self.teams[name]

    async def _in(self, name: str) -> ConversationId:
        found = self.begun[name].id
        assert found is not None, f"{name} has nothing to go on with"

        def goes_on(conn: Connection, conversation_id: int) -> int:
            while True:
                into = conn.execute(
                    select(Conversation.merged_into_id).where(Conversation.id == conversation_id)
                ).scalar()
                if into is None:
                    return conversation_id
                conversation_id = into

        return ConversationId(await self.db.read(goes_on, found))

    # --- people and hours -------------------------------------------------------------------------------------------

    async def _hours(self, line: Line, v: Mapping[str, Any]) -> None:
        team_id = await self._team(v.get("queue"))
        if v.get("follows_desk"):
            await self._do(follow_desk, team_id, by=None)
        else:
            await self._do(set_hours, v["zone"], hours_of(v), by=None, team_id=team_id)

    async def _presence(self, line: Line, v: Mapping[str, Any]) -> None:
        await self._do(operators.set_presence, await self._by(v["operator"]), Presence(v["presence"]))

    async def _conversation(self, line: Line, v: Mapping[str, Any]) -> None:
        await self._team(v.get("queue"))
        self.begun[v["conversation"]] = Begun(ChannelKind(v["channel"]), v["customer"], v.get("queue"))

    # --- customers --------------------------------------------------------------------------------------------------

    async def _message(self, line: Line, v: Mapping[str, Any]) -> None:
        begun = self.begun[v["conversation"]]
        channel = ChannelKind(v.get("channel", begun.channel))
        source = {teams.DOOR_KEYS[begun.channel]: begun.queue} if begun.queue else {}
        received = await self._do(
            receive.receive,
            receive.Incoming(
                channel,
                Sender(AddressLine(ADDRESSES[begun.channel], begun.customer)),
                v.get("text", "Hello?"),
                kind=EntryKind.REPORT if v.get("automatic") else EntryKind.MESSAGE,
                client_key=f"lived:{next(self._keys)}",
                conversation_id=None if begun.id is None else await self._in(v["conversation"]),
                occurred_at=line.said or line.at,
                starts_wait=not v.get("automatic"),
                source=source,
            ),
        )
        begun.id = begun.id or received.conversation_id
        self.messages[v.get("id", "")] = received.entry_id

    async def _abandoned(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation_id, reachable_by = await self._in(v["conversation"]), v.get("reachable_by")

        def left(tx: Any, *, now: datetime) -> None:
            row = tx.conn.execute(select(Conversation.__table__).where(Conversation.id == conversation_id)).one()
            if row.wait_id is None:
                return
            if reachable_by is not None:
                visitor_leaving.goes_on_by(tx, row, ChannelKind(reachable_by), now=now)
            else:
                visitor_leaving.gave_up(tx, row, left_at=line.at, now=now)

        await self._do(left)

    async def _rated(self, line: Line, v: Mapping[str, Any]) -> None:
        await self.db.write(ratings.rate, await self._in(v["conversation"]), v["score"], v.get("words"), now=line.at)

    async def _call(self, line: Line, v: Mapping[str, Any]) -> None:
        begun = self.begun[v["conversation"]]
        by = await self._by(v.get("operator"))
        recorded = await self._do(
            record_call,
            CallFacts(
                provider="lived",
                account="",
                call_id=str(line.number),
                direction=Direction(v.get("direction", "inbound")),
                started_at=v.get("started_at", line.at),
                number=begun.customer,
                line=begun.queue or "",
                answered_at=v.get("answered_at"),
                ended_at=line.at,
                outcome=CallOutcome(v["outcome"]),
                operator=str(by or ""),
            ),
        )
        begun.id = begun.id or recorded.conversation_id

    # --- operators --------------------------------------------------------------------------------------------------

    async def _answer(self, line: Line, v: Mapping[str, Any]) -> None:
        begun = self.begun[v["conversation"]]
        draft = await self._draft(v)
        then = Status.CLOSED if v.get("resolves") else Status.PENDING
        written = await self._do(
            reply.reply,
            reply.ReplyDraft(**draft, channel=ChannelKind(v.get("channel", begun.channel)), then=then),
            addressings={},
        )
        begun.last_answer = self.answers[v.get("id", "")] = written.entry_id

    async def _note(self, line: Line, v: Mapping[str, Any]) -> None:
        await self._do(reply.note, reply.ReplyDraft(**await self._draft(v)))

    async def _draft(self, v: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "conversation_id": await self._in(v["conversation"]),
            "operator_id": await self._by(v["operator"]),
            "text": "Good morning!",
            "key": f"lived:{next(self._keys)}",
            "seen": 0,
            "even_so": True,
        }

    async def _automatic(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation_id = await self._in(v["conversation"])

        def wait_id(conn: Connection) -> Any:
            return conn.execute(select(Conversation.wait_id).where(Conversation.id == conversation_id)).scalar()

        running = await self.db.read(wait_id)
        text = reply.AutomaticText(
            conversation_id, running, f"text {next(self._keys)}", "Thank you.", ChannelKind.CHAT, "", "somebody waits"
        )
        await self._do(reply.write_automatic, text, addressings={})

    async def _assigned(self, line: Line, v: Mapping[str, Any]) -> None:
        conversation_id, to = await self._in(v["conversation"]), await self._by(v["operator"])

        def owner(conn: Connection) -> Any:
            return conn.execute(select(Conversation.owner_id).where(Conversation.id == conversation_id)).scalar()

        by = await self._by(v.get("by") or v["operator"] or "nobody")
        await self._do(lifecycle.assign, conversation_id, to, by=by, expected=await self.db.read(owner))

    async def _snoozed(self, line: Line, v: Mapping[str, Any]) -> None:
        by, agreed = await self._by(v.get("operator") or "nobody"), v.get("agreed", False)
        await self._do(lifecycle.snooze, await self._in(v["conversation"]), v["until"], by=by, agreed=agreed)

    async def _woken(self, line: Line, v: Mapping[str, Any]) -> None:
        await self._do(lifecycle.wake, await self._in(v["conversation"]), by=await self._by(v.get("operator")))

    async def _resolved(self, line: Line, v: Mapping[str, Any]) -> None:
        ending = Ending.CLOSED if v.get("answer_needed", True) else Ending.NO_ANSWER_NEEDED
        by = await self._by(v.get("operator"))
        await self._do(lifecycle.close, await self._in(v["conversation"]), by=by, ending=ending)

    async def _reopened(self, line: Line, v: Mapping[str, Any]) -> None:
        by, mistake = await self._by(v.get("operator")), v.get("mistake", False)
        await self._do(lifecycle.reopen, await self._in(v["conversation"]), by=by, mistake=mistake)

    async def _spam(self, line: Line, v: Mapping[str, Any]) -> None:
        by = await self._by(v.get("operator") or "nobody")
        await self._do(lifecycle.mark_spam, await self._in(v["conversation"]), by=by)

    async def _undelivered(self, line: Line, v: Mapping[str, Any]) -> None:
        entry_id = self.answers[v["answer"]] if "answer" in v else self.begun[v["conversation"]].last_answer
        await self._do(deliveries.failed_for_good, entry_id, "550 no such user")

    async def _sent_again(self, line: Line, v: Mapping[str, Any]) -> None:
        entry_id = self.answers[v["answer"]] if "answer" in v else self.begun[v["conversation"]].last_answer
        await self._do(deliveries.try_again, entry_id, by=await self._by(v.get("operator") or "nobody"))

    async def _merged(self, line: Line, v: Mapping[str, Any]) -> None:
        by = await self._by(v.get("operator") or "nobody")
        await self._do(merging.merge, await self._in(v["conversation"]), await self._in(v["into"]), by=by)

    async def _split(self, line: Line, v: Mapping[str, Any]) -> None:
        source = self.begun[v["conversation"]]
        moved = [self.messages[message] for message in v["messages"]]
        by = await self._by(v.get("operator") or "nobody")
        target = await self._do(merging.split, await self._in(v["conversation"]), moved, by=by)
        self.begun[v["into"]] = Begun(source.channel, source.customer, source.queue, target)

    async def _queue(self, line: Line, v: Mapping[str, Any]) -> None:
        team_id, by = await self._team(v["queue"]), await self._by(v.get("operator"))
        await self._do(passing_on.pass_on, await self._in(v["conversation"]), team_id, by=by)

    # --- callbacks --------------------------------------------------------------------------------------------------

    async def _callback_agreed(self, line: Line, v: Mapping[str, Any]) -> None:
        begun = self.begun[v["conversation"]]
        slot = callbacks.Slot(v["from"], v["to"])
        by = await self._by(v.get("operator") or "nobody")
        await self._do(callbacks.create, await self._in(v["conversation"]), number=begun.customer, by=by, slot=slot)

    async def _callback(self, v: Mapping[str, Any]) -> CallbackId:
        conversation_id = await self._in(v["conversation"])

        def owed(conn: Connection) -> Any:
            query = select(Callback.id).where(
                Callback.conversation_id == conversation_id, Callback.state.in_(OPEN_CALLBACK_STATES)
            )
            return conn.execute(query).scalar_one()

        return CallbackId(await self.db.read(owed))

    async def _callback_attempted(self, line: Line, v: Mapping[str, Any]) -> None:
        callback_id, by = await self._callback(v), await self._by(v["operator"])
        await self._do(callbacks.take, callback_id, by)
        await self._do(callbacks.dial, callback_id, by)
        await self._do(callbacks.outcome, callback_id, by, AttemptOutcome(v["outcome"]))

    async def _callback_given_up(self, line: Line, v: Mapping[str, Any]) -> None:
        await self._do(callbacks.confirm_unreached, await self._callback(v), by=await self._by(v.get("operator")))


WAIT_FIELDS = (
    "channel", "first", "started_at", "warn_after_s", "target_s", "warn_at", "due_at", "warned_at", "missed_at",
    "paused_at", "paused_until", "paused_s", "ended_at", "ending", "wall_s", "open_s", "net_s",
)  # fmt: skip


def ledger_of(conn: Connection, names: Mapping[int, str]) -> dict[str, list[Any]]:
    """Every wait with its lines, by the name of its conversation; ids are put into words."""
    people = {row.id: row.name for row in conn.execute(select(Operator.id, Operator.name))}
    queues = {row.id: row.name for row in conn.execute(select(Team.id, Team.name))}
    entries = {row.id: row.created_at for row in conn.execute(select(Entry.id, Entry.created_at))}
    steps: dict[int, list[Any]] = {}
    for line in conn.execute(select(WaitLine.__table__).order_by(WaitLine.id)):
        data = dict(line.data)
        for key in ("entry", "undelivered"):
            if data.get(key) is not None:
                data[key] = entries[data[key]].isoformat()
        for key in ("from", "to"):
            if key in data:
                data[key] = names[data[key]]
        if data.get("by") is not None:
            data["by"] = people[data["by"]]
        if "team" in data:
            data["team"] = [None if team is None else queues[team] for team in data["team"]]
        steps.setdefault(line.wait_id, []).append((line.step, line.at, data))
    found: dict[str, list[Any]] = {}
    for wait in conn.execute(select(Wait.__table__).order_by(Wait.started_at, Wait.id)):
        found.setdefault(names[wait.conversation_id], []).append(
            {
                **{field: getattr(wait, field) for field in WAIT_FIELDS},
                "team": queues.get(wait.team_id),
                "by": people.get(wait.ended_by),
                "entry": entries.get(wait.entry_id),
                "lines": steps[wait.id],
            }
        )
    return found


def names_of_imported(conn: Connection) -> dict[int, str]:
    return {row.id: row.source["log"] for row in conn.execute(select(Conversation.id, Conversation.source))}
