"""The wait ledger: one wait = one spell in which a customer is owed an answer by a person (see docs/waits.md).

A wait opens at the first unanswered thing the customer did and closes only by a person's public answer, a connected
call, the customer leaving, or closing. Every step is a line that is added and never changed; the row of the wait and
the copy on its conversation are kept in step with the lines in the same transaction.

Three clocks: wall time, opening time, and opening time less pauses agreed with the customer. Targets run on the third.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from inbox.events import WaitEnded, WaitMissed, WaitStarted, WaitWarned
from inbox.queue_key import queue_key
from inbox.store.models import Conversation, Wait, WaitLine, table
from inbox.store.prepared import Prepared
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, ConversationId, Ending, EntryId, OperatorId, WaitId, WaitStep
from inbox.waits import calendar, clockwork
from inbox.waits.clockwork import NEVER, Clocks, reached, whole_seconds
from inbox.waits.timetable import Timetable

OLDEST = timedelta(days=7)
"""News of something longer ago is taken for a clock that is wrong: the wait counts from when we heard of it."""

_RUNNING = Prepared(
    select(Wait.__table__).where(Wait.conversation_id == bindparam("conversation"), Wait.ended_at.is_(None))
)
_EARLIER = Prepared(select(Wait.id).where(Wait.conversation_id == bindparam("conversation")).limit(1))
_WAIT_COLUMNS = (
    "conversation_id", "entry_id", "channel", "team_id", "first", "calendar_id", "started_at", "warn_after_s",
    "target_s", "warn_at", "due_at", "paused_s",
)  # fmt: skip
_INSERT = Prepared(insert(table(Wait)).values({c: bindparam(c) for c in _WAIT_COLUMNS}).returning(table(Wait).c.id))
_LINE = Prepared(insert(table(WaitLine)).values({c: bindparam(c) for c in ("wait_id", "at", "step", "data")}))
_ACTIVE_AT = Prepared(select(Conversation.active_at).where(Conversation.id == bindparam("conversation")))
_TEAM = Prepared(select(Conversation.team_id).where(Conversation.id == bindparam("conversation")))
_SHOW = Prepared(
    update(table(Conversation))
    .where(table(Conversation).c.id == bindparam("conversation"))
    .values(
        wait_id=bindparam("new_wait"),
        waiting_since=bindparam("new_since"),
        warn_at=bindparam("new_warn_at"),
        due_at=bindparam("new_due_at"),
        queue_key=bindparam("new_key"),
        version=table(Conversation).c.version + 1,
    )
)
_FIRES = {
    WaitStep.WARNED: (Wait.warn_at, Wait.warned_at),
    WaitStep.MISSED: (Wait.due_at, Wait.missed_at),
}
_FIRED = {
    step: Prepared(
        update(table(Wait))
        .where(Wait.id == bindparam("wait"), Wait.ended_at.is_(None), done.is_(None))
        .values({done.key: bindparam("fired_at")})
    )
    for step, done in ((WaitStep.WARNED, Wait.warned_at), (WaitStep.MISSED, Wait.missed_at))
}


def running(tx: Transaction, conversation_id: ConversationId) -> Any:
    """The wait that runs in this conversation, or None."""
    return _RUNNING.first(tx.conn, conversation=conversation_id)


def start(
    tx: Transaction,
    conversation_id: ConversationId,
    *,
    channel: ChannelKind,
    entry_id: EntryId | None,
    at: datetime,
    said: datetime | None = None,
    announced: bool = True,
) -> WaitId | None:
    """Begin a wait unless one is running (writing again keeps the place). The id of the new wait, else None.

    News can come late: what was done before the running wait began moves its start back to there. `said` is the time
    a provider gave where that cannot be true (see `believable`). The caller holds the conversation's row, so two
    messages cannot both begin one. `announced=False`: nothing follows from it, for the customer was heard when they
    wrote.
    """
    wait = running(tx, conversation_id)
    if wait is not None:
        if at < wait.started_at:
            _started_earlier(tx, wait, at, entry_id)
        return None
    team_id: int | None = _TEAM.scalar(tx.conn, conversation=conversation_id)
    timetable = calendar.timetable(tx.conn, at, team_id)
    version = timetable.at(at)
    target = version.hours.target(channel)
    warn_at = timetable.add(at, timedelta(seconds=target.warn_s)) or at + NEVER
    due_at = timetable.add(at, timedelta(seconds=target.target_s)) or at + NEVER
    earlier = _EARLIER.first(tx.conn, conversation=conversation_id)
    wait_id = WaitId(
        _INSERT.scalar(
            tx.conn,
            conversation_id=conversation_id,
            entry_id=entry_id,
            channel=channel,
            team_id=team_id,
            first=earlier is None,
            calendar_id=version.id,
            started_at=at,
            warn_after_s=target.warn_s,
            target_s=target.target_s,
            warn_at=warn_at,
            due_at=due_at,
            paused_s=0,
        )
    )
    data: dict[str, Any] = {"channel": channel, "entry": entry_id}
    if said is not None:
        data["said"] = said.isoformat()
    _line(tx, wait_id, at, WaitStep.STARTED, data)
    _show(tx, conversation_id, wait_id=wait_id, since=at, warn_at=warn_at, due_at=due_at)
    if announced:
        tx.record(WaitStarted(conversation_id, wait_id, entry_id, channel))
    return wait_id


def believable(occurred_at: datetime | None, now: datetime) -> tuple[datetime, datetime | None]:
    """When a customer began to wait, and, where that is not what was said, what was said.

    A clock that runs ahead of ours means now; one that tells of long ago is wrong.
    """
    if occurred_at is None or occurred_at == now:
        return now, None
    if now - OLDEST <= occurred_at < now:
        return occurred_at, None
    return now, occurred_at


def _started_earlier(tx: Transaction, wait: Any, at: datetime, entry_id: EntryId | None) -> None:
    """Late news of what the customer did first. What was settled before stays settled."""
    settled = tx.conn.execute(
        select(func.max(Wait.ended_at)).where(
            Wait.conversation_id == wait.conversation_id, Wait.id != wait.id, Wait.ending != Ending.MERGED
        )
    ).scalar()
    if settled is not None and at <= settled:
        return
    data = {"began": [wait.started_at.isoformat(), at.isoformat()], "entry": entry_id}
    _line(tx, WaitId(wait.id), at, WaitStep.MOVED, data)
    tx.conn.execute(update(Wait).where(Wait.id == wait.id).values(started_at=at, entry_id=entry_id))
    _count_anew(tx, ConversationId(wait.conversation_id))


def end(
    tx: Transaction,
    conversation_id: ConversationId,
    ending: Ending,
    *,
    at: datetime,
    by: OperatorId | None = None,
    entry_id: EntryId | None = None,
) -> WaitId | None:
    """End the running wait, if there is one, and fix its three clocks."""
    wait = running(tx, conversation_id)
    if wait is None:
        return None
    at = max(at, wait.started_at)
    _fire_before(tx, wait, at)
    shown = clocks(tx.conn, wait, at)
    tx.conn.execute(
        update(Wait)
        .where(Wait.id == wait.id)
        .values(
            ended_at=at,
            ending=ending,
            ended_by=by,
            ended_entry_id=entry_id,
            wall_s=whole_seconds(shown.wall),
            open_s=whole_seconds(shown.open),
            net_s=whole_seconds(shown.net),
            paused_s=whole_seconds(shown.open - shown.net),
            paused_at=None,
            paused_until=None,
        )
    )
    wait_id = WaitId(wait.id)
    _line(tx, wait_id, at, WaitStep.ENDED, {"ending": ending, "by": by, "entry": entry_id})
    _show(tx, conversation_id, wait_id=None, since=None, warn_at=None, due_at=None)
    tx.record(WaitEnded(conversation_id, wait_id, ending))
    return wait_id


def run_again(
    tx: Transaction, conversation_id: ConversationId, entry_id: EntryId, *, at: datetime, why: str = "undelivered"
) -> WaitId | None:
    """The answer `entry_id` could not be delivered or was taken back: the wait it ended runs from its original start.

    A wait that began in between is folded into it. None when `entry_id` ended no wait.
    """
    wait = tx.conn.execute(
        select(Wait.__table__).where(Wait.conversation_id == conversation_id, Wait.ended_entry_id == entry_id)
    ).first()
    if wait is None or wait.ended_at is None:
        return None
    return _run_on(tx, conversation_id, wait, {why: entry_id}, at=at)


def take_back(tx: Transaction, conversation_id: ConversationId, closed_at: datetime, *, at: datetime) -> WaitId | None:
    """Closing was a mistake: the wait that ended with it runs again from its original start.

    None when closing ended no wait.
    """
    wait = tx.conn.execute(
        select(Wait.__table__)
        .where(
            Wait.conversation_id == conversation_id,
            Wait.ended_at == closed_at,
            Wait.ending.in_((Ending.CLOSED, Ending.NO_ANSWER_NEEDED, Ending.SPAM)),
        )
        .order_by(Wait.id.desc())
        .limit(1)
    ).first()
    if wait is None:
        return None
    return _run_on(tx, conversation_id, wait, {"taken_back": wait.ending}, at=at)


def _run_on(
    tx: Transaction, conversation_id: ConversationId, wait: Row[Any], why: dict[str, Any], *, at: datetime
) -> WaitId:
    """Open an ended wait again; one that began in between is folded into it."""
    end(tx, conversation_id, Ending.MERGED, at=at)
    warn_at, due_at = _due(tx.conn, wait)
    tx.conn.execute(
        update(Wait)
        .where(Wait.id == wait.id)
        .values(
            ended_at=None,
            ending=None,
            ended_by=None,
            ended_entry_id=None,
            wall_s=None,
            open_s=None,
            net_s=None,
            warn_at=warn_at,
            due_at=due_at,
        )
    )
    wait_id = WaitId(wait.id)
    _line(tx, wait_id, at, WaitStep.RUNS_AGAIN, why)
    _show(tx, conversation_id, wait_id=wait_id, since=wait.started_at, warn_at=warn_at, due_at=due_at)
    return wait_id


def pause(tx: Transaction, conversation_id: ConversationId, *, at: datetime, until: datetime, why: str) -> bool:
    """Stop the third clock because the customer agreed to wait until `until`; then it goes on by itself.

    Agreeing anew on another time moves that. False when nothing waits.
    """
    wait = running(tx, conversation_id)
    if wait is None:
        return False
    at = max(at, wait.started_at)
    data = {"until": until.isoformat(), "why": why}
    if wait.paused_at is not None:
        if wait.paused_until != until:
            tx.conn.execute(update(Wait).where(Wait.id == wait.id).values(paused_until=until))
            _line(tx, WaitId(wait.id), at, WaitStep.PAUSED, data)
        return True
    _fire_before(tx, wait, at)
    paused = {"paused_at": at, "paused_until": until, "warn_at": None, "due_at": None}
    tx.conn.execute(update(Wait).where(Wait.id == wait.id).values(**paused))
    _line(tx, WaitId(wait.id), at, WaitStep.PAUSED, data)
    _show(tx, conversation_id, wait_id=wait.id, since=wait.started_at, warn_at=None, due_at=None)
    return True


def resume(tx: Transaction, conversation_id: ConversationId, *, at: datetime, why: str | None = None) -> bool:
    """The agreed pause is over: the third clock goes on where it stood. `why`: only one agreed for that reason."""
    wait = running(tx, conversation_id)
    if wait is None or wait.paused_at is None:
        return False
    if why is not None and why != _why_paused(tx.conn, wait):
        return False
    at = max(at, wait.paused_at)
    shown = clocks(tx.conn, wait, at)
    _line(tx, WaitId(wait.id), at, WaitStep.RESUMED, {})
    warn_at, due_at = _due(tx.conn, wait)
    tx.conn.execute(
        update(Wait)
        .where(Wait.id == wait.id)
        .values(
            paused_at=None,
            paused_until=None,
            paused_s=whole_seconds(shown.open - shown.net),
            warn_at=warn_at,
            due_at=due_at,
        )
    )
    _show(tx, conversation_id, wait_id=wait.id, since=wait.started_at, warn_at=warn_at, due_at=due_at)
    return True


def move(tx: Transaction, source: ConversationId, target: ConversationId, *, at: datetime) -> None:
    """Merging: the older of two running waits goes on in `target`, the younger ends as merged."""
    moving, staying = running(tx, source), running(tx, target)
    if moving is None:
        return
    if staying is not None and staying.started_at <= moving.started_at:
        end(tx, source, Ending.MERGED, at=at)
        return
    if staying is not None:
        end(tx, target, Ending.MERGED, at=at)
    carry(tx, WaitId(moving.id), source, target, at=at)


def carry(tx: Transaction, wait_id: WaitId, source: ConversationId, target: ConversationId, *, at: datetime) -> None:
    """Splitting and merging: one wait, running or ended, belongs to `target` from now on. Its start stays."""
    tx.conn.execute(update(Wait).where(Wait.id == wait_id).values(conversation_id=target))
    _line(tx, wait_id, at, WaitStep.MOVED, {"from": source, "to": target})
    moving = running(tx, target)
    if moving is None or moving.id != wait_id:
        return
    _show(tx, source, wait_id=None, since=None, warn_at=None, due_at=None)
    _show(tx, target, wait_id=moving.id, since=moving.started_at, warn_at=moving.warn_at, due_at=moving.due_at)
    team_id = tx.conn.execute(select(Conversation.team_id).where(Conversation.id == target)).scalar()
    change_team(tx, target, team_id, at=at)


def next_due(conn: Any) -> datetime | None:
    """The nearest moment at which a running wait turns to a warning or a miss, or an agreed pause is over."""
    soonest: list[datetime] = []
    for column, done in _FIRES.values():
        at = conn.execute(select(func.min(column)).where(Wait.ended_at.is_(None), done.is_(None))).scalar()
        if at is not None:
            soonest.append(at)
    resumes_at = conn.execute(select(func.min(Wait.paused_until)).where(Wait.paused_until.is_not(None))).scalar()
    if resumes_at is not None:
        soonest.append(resumes_at)
    return min(soonest, default=None)


def fire_due(tx: Transaction, *, now: datetime, limit: int = 500) -> int:
    """Write the warnings and misses that are due by `now`, each exactly once, dated at the second they were due.

    Pauses whose time has come end first, so that what is due after them is not late.
    """
    over = tx.conn.execute(
        select(Wait.conversation_id, Wait.paused_until)
        .where(Wait.paused_until.is_not(None), Wait.paused_until <= now)
        .order_by(Wait.paused_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    fired = sum(resume(tx, ConversationId(row.conversation_id), at=row.paused_until) for row in over)
    for step, (column, done) in _FIRES.items():
        rows = tx.conn.execute(
            select(Wait.id, Wait.conversation_id, column.label("at"))
            .where(Wait.ended_at.is_(None), done.is_(None), column <= now)
            .order_by(column)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        fired += sum(_fire(tx, step, row.id, row.conversation_id, row.at) for row in rows)
    return fired


def change_channel(
    tx: Transaction, conversation_id: ConversationId, channel: ChannelKind, *, at: datetime
) -> WaitId | None:
    """The customer is now to be answered over another channel: same wait, same start, the target of that channel."""
    wait = running(tx, conversation_id)
    if wait is None or wait.channel == channel:
        return None
    _fire_before(tx, wait, at)
    target = calendar.current(tx.conn, at, wait.team_id).hours.target(channel)
    tx.conn.execute(
        update(Wait)
        .where(Wait.id == wait.id)
        .values(channel=channel, warn_after_s=target.warn_s, target_s=target.target_s)
    )
    _line(tx, WaitId(wait.id), at, WaitStep.MOVED, {"channel": [wait.channel, channel]})
    _count_anew(tx, conversation_id)
    return WaitId(wait.id)


def change_team(
    tx: Transaction, conversation_id: ConversationId, team_id: int | None, *, at: datetime
) -> WaitId | None:
    """Another team is to answer: same wait, same start; from now on the hours and the target of that team count."""
    wait = running(tx, conversation_id)
    if wait is None or wait.team_id == team_id:
        return None
    at = max(at, wait.started_at)
    _fire_before(tx, wait, at)
    target = calendar.current(tx.conn, at, team_id).hours.target(ChannelKind(wait.channel))
    _line(tx, WaitId(wait.id), at, WaitStep.MOVED, {"team": [wait.team_id, team_id]})
    tx.conn.execute(
        update(Wait)
        .where(Wait.id == wait.id)
        .values(team_id=team_id, team_since=at, warn_after_s=target.warn_s, target_s=target.target_s)
    )
    _count_anew(tx, conversation_id)
    return WaitId(wait.id)


def _count_anew(tx: Transaction, conversation_id: ConversationId) -> None:
    """Something that decides when the running wait is due has changed."""
    wait = running(tx, conversation_id)
    warn_at, due_at = (None, None) if wait.paused_at is not None else _due(tx.conn, wait)
    tx.conn.execute(update(Wait).where(Wait.id == wait.id).values(warn_at=warn_at, due_at=due_at))
    _show(tx, conversation_id, wait_id=wait.id, since=wait.started_at, warn_at=warn_at, due_at=due_at)


def recalculate(tx: Transaction, *, now: datetime) -> None:
    """Opening hours have changed: running, unpaused waits get due times by the versions now in force."""
    waits = tx.conn.execute(select(Wait.__table__).where(Wait.ended_at.is_(None), Wait.paused_at.is_(None))).all()
    timetables: dict[int | None, Timetable] = {}
    for wait in waits:
        if wait.team_since is not None:
            timetable = calendar.for_wait(tx.conn, wait)
        elif wait.team_id in timetables:
            timetable = timetables[wait.team_id]
        else:
            oldest = min(w.started_at for w in waits if w.team_id == wait.team_id and w.team_since is None)
            timetable = timetables[wait.team_id] = calendar.timetable(tx.conn, oldest, wait.team_id)
        warn_at, due_at = _due(tx.conn, wait, timetable)
        if (warn_at, due_at) != (wait.warn_at, wait.due_at):
            tx.conn.execute(update(Wait).where(Wait.id == wait.id).values(warn_at=warn_at, due_at=due_at))
            _show(tx, wait.conversation_id, wait_id=wait.id, since=wait.started_at, warn_at=warn_at, due_at=due_at)


def clocks(conn: Connection, wait: Any, at: datetime) -> Clocks:
    """The clocks of a row of the table of waits at some moment."""
    return clockwork.clocks(calendar.for_wait(conn, wait), wait.started_at, _pauses(conn, wait, at), at)


def _due(conn: Connection, wait: Any, timetable: Timetable | None = None) -> tuple[datetime, datetime]:
    """When an unpaused wait turns to a warning and to a miss; what has been written down stays."""
    if timetable is None:
        timetable = calendar.for_wait(conn, wait)
    pauses = _pauses(conn, wait, None)
    return (
        wait.warned_at or reached(timetable, wait.started_at, pauses, timedelta(seconds=wait.warn_after_s)),
        wait.missed_at or reached(timetable, wait.started_at, pauses, timedelta(seconds=wait.target_s)),
    )


def _pauses(conn: Connection, wait: Row[Any], at: datetime | None) -> list[tuple[datetime, datetime]]:
    """The agreed pauses of a wait, from its lines; one that still runs counts up to `at`."""
    if not wait.paused_s and wait.paused_at is None:
        return []
    pauses = []
    since = None
    for line in conn.execute(
        select(WaitLine.at, WaitLine.step)
        .where(
            WaitLine.wait_id == wait.id,
            WaitLine.step.in_((WaitStep.PAUSED, WaitStep.RESUMED, WaitStep.ENDED)),
        )
        .order_by(WaitLine.id)
    ):
        if line.step == WaitStep.PAUSED:
            since = since or line.at
        elif since is not None:
            pauses.append((since, line.at))
            since = None
    if since is not None and at is not None:
        pauses.append((since, max(since, at)))
    return pauses


def _why_paused(conn: Connection, wait: Row[Any]) -> str | None:
    data: dict[str, Any] | None = conn.execute(
        select(WaitLine.data)
        .where(WaitLine.wait_id == wait.id, WaitLine.step == WaitStep.PAUSED)
        .order_by(WaitLine.id.desc())
        .limit(1)
    ).scalar()
    return None if data is None else data.get("why")


def _fire_before(tx: Transaction, wait: Row[Any], at: datetime) -> None:
    """What was due before `at` and the watcher has not written down yet must not be lost by what happens at `at`."""
    if wait.warn_at is not None and wait.warned_at is None and wait.warn_at < at:
        _fire(tx, WaitStep.WARNED, wait.id, wait.conversation_id, wait.warn_at)
    if wait.due_at is not None and wait.missed_at is None and wait.due_at < at:
        _fire(tx, WaitStep.MISSED, wait.id, wait.conversation_id, wait.due_at)


def _fire(tx: Transaction, step: WaitStep, wait_id: int, conversation_id: int, at: datetime) -> bool:
    """Write a warning or a miss, dated `at`, unless it has been written."""
    if _FIRED[step].run(tx.conn, wait=wait_id, fired_at=at) != 1:
        return False
    _line(tx, WaitId(wait_id), at, step, {})
    happened = WaitWarned if step is WaitStep.WARNED else WaitMissed
    tx.record(happened(ConversationId(conversation_id), WaitId(wait_id), at))
    return True


def _line(tx: Transaction, wait_id: WaitId, at: datetime, step: WaitStep, data: dict[str, Any]) -> None:
    _LINE.run(tx.conn, wait_id=wait_id, at=at, step=step, data=data)


def _show(
    tx: Transaction,
    conversation_id: int,
    *,
    wait_id: int | None,
    since: datetime | None,
    warn_at: datetime | None,
    due_at: datetime | None,
) -> None:
    active_at = _ACTIVE_AT.scalar(tx.conn, conversation=conversation_id)
    _SHOW.run(
        tx.conn,
        conversation=conversation_id,
        new_wait=wait_id,
        new_since=since,
        new_warn_at=warn_at,
        new_due_at=due_at,
        new_key=queue_key(due_at, active_at),
    )
