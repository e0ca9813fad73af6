"""Raising alarms and settling them. Each notice is one recipient, one means, one step, one wait: never twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

from sqlalchemy import Connection, Row, func, select, update

from inbox.alarms import rules
from inbox.alarms.rules import After, Means, Step, To
from inbox.events import AlarmQueued, AlarmRaised, AlarmStepDue
from inbox.store.models import AlarmNotice, Contact, Conversation, Operator, Team, TeamMember, Wait
from inbox.store.transaction import Transaction, add_outbox
from inbox.vocabulary import ChannelKind, ConversationId, OperatorId, Presence, Role, WaitId
from inbox.waits import calendar, ledger

NoticeId = NewType("NoticeId", int)

MAIL_EVERY = timedelta(minutes=5)
"""Nobody gets alarms by mail more often; what comes meanwhile stands in the next one."""

SENDERS: Mapping[Means, str] = {Means.PUSH: "alarm_push", Means.MAIL: "alarm_mail", Means.WEBHOOK: "alarm_hook"}
"""The outbox handler of each means that leaves the desk."""
STEPS = "alarm"
"""The outbox handler that looks which steps of the rules apply."""


class NoticeState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    ENDED = "ended"  # the wait was over before it could be told
    FAILED = "failed"
    NOWHERE = "nowhere"  # no browser of this person wants to be told, no mail reaches them


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be told. `waited_s`: open seconds the customer has waited when this was read."""

    id: NoticeId
    wait_id: WaitId
    conversation_id: ConversationId
    step: str
    means: Means
    recipient: str
    state: NoticeState
    error: str
    created_at: datetime
    settled_at: datetime | None
    channel: ChannelKind
    contact_name: str
    subject: str
    started_at: datetime
    target_s: int
    missed: bool
    running: bool
    waited_s: int
    recipient_name: str = ""

    @property
    def operator_id(self) -> OperatorId | None:
        kind, _, number = self.recipient.partition(":")
        return OperatorId(int(number)) if kind == "operator" else None


def raise_due(
    tx: Transaction,
    wait_id: WaitId,
    after: After,
    *,
    key: str | None = None,
    webhooks: Sequence[str] = (),
    now: datetime,
) -> list[NoticeId]:
    """Apply the steps that follow `after` (only the one with `key` where it is given) to a wait that still runs.

    Screens hear at once, everything else is queued. Returns what was queued.
    """
    wait = tx.conn.execute(select(Wait.__table__).where(Wait.id == wait_id)).first()
    if wait is None or wait.ended_at is not None:
        return []
    conversation = tx.conn.execute(
        select(Conversation.owner_id, Conversation.team_id, Conversation.spam).where(
            Conversation.id == wait.conversation_id
        )
    ).one()
    if conversation.spam:
        return []
    steps = [step for step in rules.load(tx.conn) if step.is_about(ChannelKind(wait.channel), conversation.team_id)]
    queued: list[NoticeId] = []
    in_the_app: dict[OperatorId, None] = {}
    for step in steps:
        if step.after is not after or (key is not None and step.key != key):
            continue
        if after is After.LATER and (moment := _not_yet(tx.conn, wait, step, now)) is not None:
            add_outbox(tx, STEPS, AlarmStepDue(wait_id, step.key), at=moment)
            continue
        told = _people(tx.conn, step, conversation)
        if Means.APP in step.means:
            in_the_app |= dict.fromkeys(OperatorId(person.id) for person in told)
        queued += _queue(tx, wait, step, told, [name for name in step.webhooks if name in webhooks], now)
    if in_the_app:
        tx.record(AlarmRaised(ConversationId(wait.conversation_id), wait_id, after.value, tuple(in_the_app)))
    if after is After.TARGET:
        for step in steps:
            if step.after is After.LATER:
                moment = _not_yet(tx.conn, wait, step, now) or now
                add_outbox(tx, STEPS, AlarmStepDue(wait_id, step.key), at=moment)
    return queued


def _not_yet(conn: Connection, wait: Row[Any], step: Step, now: datetime) -> datetime | None:
    """When this later step must be looked at (again), while the wait has not run long enough; None when it has.

    Waits stand still at night and in agreed pauses, so the moment may move; then it is only asked for once more.
    """
    wanted = timedelta(seconds=wait.target_s, minutes=step.later_min)
    left = wanted - ledger.clocks(conn, wait, now).net
    if left <= timedelta():
        return None
    resumes = now
    if wait.paused_at is not None:
        resumes = max(wait.paused_until or now, now + timedelta(minutes=1))
    return calendar.timetable(conn, resumes, wait.team_id).add(resumes, left) or now + timedelta(days=1)


def _people(conn: Connection, step: Step, conversation: Any) -> list[Row[Any]]:
    """Whom a step tells. An owner who is gone cannot hear, nobody may own it: then the team does."""
    found: dict[int, Row[Any]] = {}
    if To.OWNER in step.to and conversation.owner_id is not None:
        owner = _enabled(conn, [conversation.owner_id])
        found |= {person.id: person for person in owner if person.presence != Presence.OFFLINE}
    if To.TEAM in step.to or (To.OWNER in step.to and not found):
        found |= {person.id: person for person in _team(conn, conversation.team_id)}
    if To.SUPERVISORS in step.to:
        found |= {person.id: person for person in _supervisors(conn, conversation.team_id)}
    return list(found.values())


def _enabled(conn: Connection, ids: Iterable[int] | None = None) -> list[Row[Any]]:
    asked = select(Operator.id, Operator.role, Operator.presence, Operator.preferences).where(
        Operator.disabled_at.is_(None)
    )
    return list(conn.execute(asked if ids is None else asked.where(Operator.id.in_(list(ids)))).all())


def _team(conn: Connection, team_id: int | None) -> list[Row[Any]]:
    """Who is at work in a team; a conversation without one, or with an empty one, belongs to everybody."""
    members = list(conn.execute(select(TeamMember.operator_id).where(TeamMember.team_id == team_id)).scalars())
    people = _enabled(conn, members) if members else _enabled(conn)
    return [person for person in people if person.presence != Presence.OFFLINE]


def _supervisors(conn: Connection, team_id: int | None) -> list[Row[Any]]:
    """The team's own supervisors, whether at work or not; where it has none, all of them."""
    everybody = [person for person in _enabled(conn) if person.role in (Role.SUPERVISOR, Role.ADMINISTRATOR)]
    members = set(conn.execute(select(TeamMember.operator_id).where(TeamMember.team_id == team_id)).scalars())
    return [person for person in everybody if person.id in members] or everybody


def _queue(
    tx: Transaction, wait: Row[Any], step: Step, people: Sequence[Row[Any]], webhooks: Sequence[str], now: datetime
) -> list[NoticeId]:
    wanted: list[tuple[Means, str, datetime]] = []
    for means in (Means.PUSH, Means.MAIL):
        if means in step.means:
            for person in people:
                if person.preferences.get(f"alarms_{means}") != "off":
                    recipient = f"operator:{person.id}"
                    due = _next_mail(tx.conn, recipient, now) if means is Means.MAIL else now
                    wanted.append((means, recipient, due))
    if Means.WEBHOOK in step.means:
        wanted += [(Means.WEBHOOK, f"webhook:{name}"[:80], now) for name in webhooks]
    known = {
        (row.means, row.recipient)
        for row in tx.conn.execute(
            select(AlarmNotice.means, AlarmNotice.recipient).where(
                AlarmNotice.wait_id == wait.id, AlarmNotice.step == step.key
            )
        )
    }
    queued = []
    for means, recipient, due in wanted:
        if (means, recipient) in known:
            continue
        notice_id = NoticeId(
            tx.insert(
                AlarmNotice,
                wait_id=wait.id,
                conversation_id=wait.conversation_id,
                step=step.key,
                means=means,
                recipient=recipient,
                state=NoticeState.QUEUED,
                error="",
                created_at=now,
                due_at=due,
            )
        )
        queued.append(notice_id)
        if means is not Means.MAIL or _is_first(tx.conn, recipient, notice_id):
            add_outbox(tx, SENDERS[means], AlarmQueued(notice_id), at=due)
    return queued


def _is_first(conn: Connection, recipient: str, notice_id: NoticeId) -> bool:
    """Nothing else waits to be mailed to this person: what does takes this notice along."""
    conn.execute(select(Operator.id).where(Operator.id == int(recipient.partition(":")[2])).with_for_update())
    earlier = select(AlarmNotice.id).where(
        AlarmNotice.means == Means.MAIL,
        AlarmNotice.recipient == recipient,
        AlarmNotice.state == NoticeState.QUEUED,
        AlarmNotice.id != notice_id,
    )
    return conn.execute(earlier.limit(1)).first() is None


def _next_mail(conn: Connection, recipient: str, now: datetime) -> datetime:
    last = conn.execute(
        select(func.max(AlarmNotice.settled_at)).where(
            AlarmNotice.means == Means.MAIL,
            AlarmNotice.recipient == recipient,
            AlarmNotice.state == NoticeState.SENT,
            AlarmNotice.due_at > now - 2 * MAIL_EVERY,
        )
    ).scalar()
    return now if last is None else max(now, last + MAIL_EVERY)


# --- telling ---------------------------------------------------------------------------------------------------------


def get(conn: Connection, notice_id: NoticeId, now: datetime) -> Notice | None:
    row = conn.execute(_notices().where(AlarmNotice.id == notice_id)).first()
    return None if row is None else _records(conn, [row], now)[0]


def unsent_mail(conn: Connection, recipient: str, now: datetime, limit: int = 100) -> list[Notice]:
    """Everything one person has not been told by mail yet, longest wait first."""
    rows = conn.execute(
        _notices()
        .where(
            AlarmNotice.means == Means.MAIL,
            AlarmNotice.recipient == recipient,
            AlarmNotice.state == NoticeState.QUEUED,
        )
        .order_by(Wait.started_at)
        .limit(limit)
    ).all()
    return _records(conn, rows, now)


def latest(conn: Connection, now: datetime, limit: int = 50) -> list[Notice]:
    """The newest notices with what became of them, for people who want to see that alarms arrive."""
    rows = conn.execute(_notices().order_by(AlarmNotice.id.desc()).limit(limit)).all()
    names = {f"operator:{row.id}": row.name for row in conn.execute(select(Operator.id, Operator.name))}
    return _records(conn, rows, now, names)


def settle(tx: Transaction, ids: Iterable[NoticeId], state: NoticeState, *, now: datetime, error: str = "") -> None:
    tx.conn.execute(
        update(AlarmNotice)
        .where(AlarmNotice.id.in_(list(ids)), AlarmNotice.state == NoticeState.QUEUED)
        .values(state=state, settled_at=now, error=error[:300])
    )


def note_failure(tx: Transaction, ids: Iterable[NoticeId], error: str) -> None:
    """A try did not succeed; another one follows."""
    tx.conn.execute(
        update(AlarmNotice)
        .where(AlarmNotice.id.in_(list(ids)), AlarmNotice.state == NoticeState.QUEUED)
        .values(error=error[:300])
    )


def _notices() -> Any:
    return (
        select(
            AlarmNotice.__table__,
            Wait.channel,
            Wait.started_at,
            Wait.target_s,
            Wait.missed_at,
            Wait.ended_at,
            Wait.net_s,
            Conversation.subject,
            Contact.name.label("contact_name"),
        )
        .join(Wait, Wait.id == AlarmNotice.wait_id)
        .join(Conversation, Conversation.id == AlarmNotice.conversation_id)
        .join(Contact, Contact.id == Conversation.contact_id)
    )


def _records(
    conn: Connection, rows: Sequence[Row[Any]], now: datetime, names: Mapping[str, str] | None = None
) -> list[Notice]:
    """The clocks of what has ended are known; those that run are read together, each wait once."""
    running = {row.wait_id for row in rows if row.net_s is None}
    waited_s = {
        wait.id: int(ledger.clocks(conn, wait, now).net.total_seconds())
        for wait in conn.execute(select(Wait.__table__).where(Wait.id.in_(running))).all()
    }
    return [
        _record(row, waited_s[row.wait_id] if row.net_s is None else row.net_s, (names or {}).get(row.recipient, ""))
        for row in rows
    ]


def _record(row: Row[Any], waited_s: int, recipient_name: str) -> Notice:
    return Notice(
        id=NoticeId(row.id),
        wait_id=WaitId(row.wait_id),
        conversation_id=ConversationId(row.conversation_id),
        step=row.step,
        means=Means(row.means),
        recipient=row.recipient,
        state=NoticeState(row.state),
        error=row.error,
        created_at=row.created_at,
        settled_at=row.settled_at,
        channel=ChannelKind(row.channel),
        contact_name=row.contact_name,
        subject=row.subject,
        started_at=row.started_at,
        target_s=row.target_s,
        missed=row.missed_at is not None,
        running=row.ended_at is None,
        waited_s=waited_s,
        recipient_name=recipient_name,
    )


def teams(conn: Connection) -> list[tuple[int, str]]:
    """For choosing: (id, name)."""
    return [(row.id, row.name) for row in conn.execute(select(Team.id, Team.name).order_by(Team.name))]
