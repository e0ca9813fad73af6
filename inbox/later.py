"""Answers planned for a chosen time.

They are no entries yet and end no wait. When the time comes they are sent, unless something has changed meanwhile:
then they are held for people to decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from inbox.errors import AlreadySettled, BadInput, InboxError, NotFound
from inbox.events import ConversationChanged
from inbox.reply import (
    Addressings,
    Block,
    Recipients,
    ReplyDraft,
    Written,
    check_text,
    fixed,
    forget_draft,
    refuse_outdated,
    reply,
    reply_channel,
)
from inbox.store.models import Attachment, Entry, Operator, PlannedReply
from inbox.store.transaction import Transaction
from inbox.taking_back import Returned, keep_draft, shown
from inbox.timeline import locked, say
from inbox.vocabulary import (
    AttachmentId,
    Author,
    ChannelKind,
    ConversationId,
    EntryId,
    EntryKind,
    OperatorId,
    PlannedId,
    PlannedState,
    Status,
)
from inbox.waits import ledger
from inbox.words import N_

LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Planned:
    """`held_because` is the stable word of what has changed; `news`: somebody has written since it was planned."""

    id: PlannedId
    conversation_id: ConversationId
    operator_id: OperatorId
    operator_name: str
    state: PlannedState
    send_at: datetime
    text: str
    to: Sequence[str]
    cc: Sequence[str]
    block: Mapping[str, Any] | None
    files: int
    held_because: str | None
    news: bool


def plan(
    tx: Transaction, draft: ReplyDraft, send_at: datetime, *, addressings: Addressings, now: datetime
) -> PlannedId:
    """Send it at `send_at`. The same key again changes nothing. Raises as `reply` does."""
    known = tx.conn.execute(
        select(PlannedReply.id, PlannedReply.conversation_id, PlannedReply.operator_id).where(
            PlannedReply.client_key == draft.key
        )
    ).first()
    if known is not None:
        if (known.conversation_id, known.operator_id) != (draft.conversation_id, draft.operator_id):
            raise BadInput("key", N_("This key has been used for another entry."))
        return PlannedId(known.id)
    check_text(draft.text, draft.attachments)
    _check_time(send_at, now)
    conversation = locked(tx, draft.conversation_id)
    if conversation.merged_into_id is not None:
        raise BadInput("conversation", N_("This conversation has been merged into another one. Answer there."))
    if not draft.even_so:
        refuse_outdated(tx, draft)
    channel = draft.channel or reply_channel(tx.conn, conversation)
    mail = fixed(tx.conn, draft, channel, addressings).get("mail", {})
    if not _files_are_free(tx.conn, draft.attachments, draft.operator_id):
        raise BadInput("attachments", N_("An attachment is gone or belongs to another entry. Attach it again."))
    forget_draft(tx, draft, EntryKind.REPLY)
    added = say(
        tx,
        conversation,
        "reply_planned",
        by=draft.operator_id,
        now=now,
        data={"at": send_at.isoformat()},
        owner_id=conversation.owner_id or draft.operator_id,
    )
    planned = tx.insert(
        PlannedReply,
        conversation_id=draft.conversation_id,
        operator_id=draft.operator_id,
        client_key=draft.key,
        state=PlannedState.WAITING,
        send_at=send_at,
        seen=max(draft.seen, 0) if not draft.even_so else added.number,
        text=draft.text,
        data={
            "channel": channel,
            "to": [shown(one) for one in mail.get("to", ())],
            "cc": [shown(one) for one in mail.get("cc", ())],
            "sender": mail.get("author", {}).get("address"),
            "answers": draft.recipients.answers,
            "history_to_new": draft.recipients.history_to_new,
            "attachments": list(draft.attachments),
            "block": asdict(draft.block) if draft.block is not None else None,
            "then": draft.then,
            "to_failing": draft.to_failing,
            "more": dict(draft.data),
        },
        created_at=now,
    )
    tx.record(ConversationChanged(draft.conversation_id))
    return PlannedId(planned)


def put_off(tx: Transaction, planned_id: PlannedId, send_at: datetime, *, by: OperatorId, now: datetime) -> None:
    """Another time; what was held waits for it. Raises NotFound, AlreadySettled, BadInput."""
    planned, conversation = _held(tx, planned_id)
    _check_time(send_at, now)
    said = say(tx, conversation, "plan_changed", by=by, now=now, data={"at": send_at.isoformat()})
    tx.conn.execute(
        update(PlannedReply)
        .where(PlannedReply.id == planned_id)
        # Who gives a held one a new time has read what came in between.
        .values(
            send_at=send_at,
            state=PlannedState.WAITING,
            held_because=None,
            seen=said.number if planned.state == PlannedState.HELD else planned.seen,
        )
    )
    tx.record(ConversationChanged(ConversationId(conversation.id)))


def cancel(tx: Transaction, planned_id: PlannedId, *, by: OperatorId, now: datetime) -> Returned:
    """It will not be sent: its words are its author's draft again. Raises NotFound, AlreadySettled."""
    planned, conversation = _held(tx, planned_id)
    conversation_id = ConversationId(conversation.id)
    files = tx.conn.execute(
        select(Attachment.id, Attachment.name, Attachment.size_bytes).where(
            Attachment.id.in_(planned.data["attachments"]), Attachment.entry_id.is_(None)
        )
    ).all()
    data = planned.data
    returned = Returned(
        conversation_id,
        planned.text,
        {
            "recipients": {"to": data["to"], "cc": data["cc"]} if data["channel"] == ChannelKind.EMAIL else None,
            "attachments": [{"id": one.id, "name": one.name, "size_bytes": one.size_bytes} for one in files],
            "block": data["block"],
            "seen": 0,
        },
    )
    keep_draft(tx, conversation_id, OperatorId(planned.operator_id), returned, now)
    _settle(tx, planned_id, PlannedState.CANCELLED, now)
    say(tx, conversation, "plan_cancelled", by=by, now=now)
    tx.record(ConversationChanged(conversation_id))
    return returned


def send_now(
    tx: Transaction, planned_id: PlannedId, *, by: OperatorId, addressings: Addressings, now: datetime
) -> Written:
    """Whoever presses this has read what came in between. Raises as `reply` does, AlreadySettled."""
    planned, _ = _held(tx, planned_id)
    return _send(tx, planned, addressings, now)


def next_due(conn: Connection) -> datetime | None:
    return conn.execute(
        select(PlannedReply.send_at)
        .where(PlannedReply.state == PlannedState.WAITING)
        .order_by(PlannedReply.send_at)
        .limit(1)
    ).scalar()


def fire_due(tx: Transaction, *, addressings: Addressings, now: datetime, limit: int = 50) -> int:
    """Send what is due, or hold it for people where something has changed since it was planned."""
    due = list(
        tx.conn.execute(
            select(PlannedReply.id)
            .where(PlannedReply.state == PlannedState.WAITING, PlannedReply.send_at <= now)
            .order_by(PlannedReply.send_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).scalars()
    )
    for planned_id in due:
        planned, conversation = _held(tx, PlannedId(planned_id))
        why = _obstacle(tx.conn, planned, conversation)
        if why is None:
            try:
                _send(tx, planned, addressings, now)
                continue
            except InboxError as error:  # nothing is written before these are raised
                why = error.code
        _hold(tx, planned, conversation, why, now)
    return len(due)


def of_conversation(conn: Connection, conversation_id: ConversationId) -> list[Planned]:
    """What waits to be sent here, the next first."""
    rows = conn.execute(
        select(PlannedReply.__table__, Operator.name.label("operator_name"))
        .join(Operator, Operator.id == PlannedReply.operator_id)
        .where(
            PlannedReply.conversation_id == conversation_id,
            PlannedReply.state.in_((PlannedState.WAITING, PlannedState.HELD)),
        )
        .order_by(PlannedReply.send_at)
    ).all()
    return [
        Planned(
            PlannedId(row.id),
            conversation_id,
            OperatorId(row.operator_id),
            row.operator_name,
            PlannedState(row.state),
            row.send_at,
            row.text,
            row.data["to"],
            row.data["cc"],
            row.data["block"],
            len(row.data["attachments"]),
            row.held_because,
            _news(conn, conversation_id, row.seen, row.operator_id),
        )
        for row in rows
    ]


def _held(tx: Transaction, planned_id: PlannedId) -> tuple[Any, Any]:
    """The planned answer and its conversation, both held; one that was merged counts as the other."""
    found = tx.conn.execute(select(PlannedReply.conversation_id).where(PlannedReply.id == planned_id)).first()
    if found is None:
        raise NotFound("planned")
    conversation = locked(tx, ConversationId(found.conversation_id))
    while conversation.merged_into_id is not None:
        conversation = locked(tx, ConversationId(conversation.merged_into_id))
    planned = tx.conn.execute(
        select(PlannedReply.__table__).where(PlannedReply.id == planned_id).with_for_update()
    ).one()
    if planned.state not in (PlannedState.WAITING, PlannedState.HELD):
        raise AlreadySettled("planned")
    return planned, conversation


def _send(tx: Transaction, planned: Any, addressings: Addressings, now: datetime) -> Written:
    data = planned.data
    if not _files_are_free(tx.conn, data["attachments"], planned.operator_id):
        raise BadInput("attachments", N_("An attachment is gone or belongs to another entry. Attach it again."))
    conversation_id = ConversationId(planned.conversation_id)
    written = reply(
        tx,
        ReplyDraft(
            conversation_id=conversation_id,
            operator_id=OperatorId(planned.operator_id),
            text=planned.text,
            key=f"planned:{planned.id}",
            seen=planned.seen,
            channel=ChannelKind(data["channel"]),
            recipients=Recipients(
                data["to"],
                data["cc"],
                data["sender"],
                data["answers"],
                history_to_new=data.get("history_to_new", False),
            )
            if data["channel"] == ChannelKind.EMAIL
            else Recipients(),
            attachments=[AttachmentId(one) for one in data["attachments"]],
            even_so=True,
            then=Status(data["then"]),
            block=Block(**data["block"]) if data["block"] else None,
            to_failing=data["to_failing"],
            data={**data["more"], "planned": planned.id},
        ),
        addressings=addressings,
        now=now,
    )
    _settle(tx, PlannedId(planned.id), PlannedState.SENT, now, entry_id=written.entry_id)
    return written


def _settle(
    tx: Transaction, planned_id: PlannedId, state: PlannedState, now: datetime, entry_id: EntryId | None = None
) -> None:
    tx.conn.execute(
        update(PlannedReply)
        .where(PlannedReply.id == planned_id)
        .values(state=state, settled_at=now, held_because=None, entry_id=entry_id)
    )


def _hold(tx: Transaction, planned: Any, conversation: Any, why: str, now: datetime) -> None:
    changes: dict[str, Any] = {"state": PlannedState.HELD, "held_because": why}
    if planned.conversation_id != conversation.id:
        changes["conversation_id"] = conversation.id
    tx.conn.execute(update(PlannedReply).where(PlannedReply.id == planned.id).values(**changes))
    reopened: dict[str, Any] = {}
    if not conversation.spam:  # people have to decide, so it stands where they look
        reopened = {"status": Status.OPEN, "closed_at": None, "snoozed_until": None}
        if conversation.status == Status.SNOOZED:
            ledger.resume(tx, ConversationId(conversation.id), at=now)
    say(tx, conversation, "plan_held", by=None, now=now, data={"why": why}, **reopened)
    tx.record(ConversationChanged(ConversationId(conversation.id)))


def _obstacle(conn: Connection, planned: Any, conversation: Any) -> str | None:
    if planned.conversation_id != conversation.id:
        return "merged"
    if conversation.spam or conversation.status == Status.CLOSED:
        return "closed"
    return "news" if _news(conn, conversation.id, planned.seen, planned.operator_id) else None


def _news(conn: Connection, conversation_id: int, seen: int, operator_id: int) -> bool:
    """The customer has written or called, or a colleague has answered, since the author looked."""
    said = select(Entry.id).where(
        Entry.conversation_id == conversation_id,
        Entry.number > seen,
        ((Entry.author == Author.CONTACT) & Entry.kind.in_((EntryKind.MESSAGE, EntryKind.CALL, EntryKind.CALLBACK)))
        | ((Entry.kind == EntryKind.REPLY) & (Entry.operator_id != operator_id)),
    )
    return conn.execute(said.limit(1)).first() is not None


def _files_are_free(conn: Connection, files: Sequence[int], operator_id: int) -> bool:
    if not files:
        return True
    free = conn.execute(
        select(Attachment.id).where(
            Attachment.id.in_(files),
            Attachment.entry_id.is_(None),
            Attachment.uploaded_by == f"operator:{operator_id}",
        )
    ).all()
    return len(free) == len(set(files))


def _check_time(send_at: datetime, now: datetime) -> None:
    if not now < send_at <= now + LONGEST:
        raise BadInput("send_at", N_("Choose a time that is still to come, within a year."))
