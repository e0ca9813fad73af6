"""Conversations that become one, and one that becomes two; later answers arrive where the mails they answer are.

Merging leaves the entries where they were said and lets the conversation go on in the other. Splitting moves entries:
they keep their numbers, so what is taken back stands where it stood. Neither loses or restarts anybody's wait.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, select, update

from inbox import callback_endings
from inbox.errors import BadInput
from inbox.events import ConversationChanged
from inbox.lifecycle import AGREED_SNOOZE, withdraw_offers
from inbox.mail_ids import split_off_from, surviving
from inbox.moving import (
    SPOKEN,
    Parted,
    chosen,
    content,
    gathered,
    homes,
    move_ended_waits,
    move_entries,
    move_ids,
    part_waits,
    share_people,
)
from inbox.people import handling
from inbox.queue_key import queue_key
from inbox.store.models import (
    Callback,
    Conversation,
    Entry,
    MailId,
    Participant,
)
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say, snippet
from inbox.vocabulary import (
    Author,
    ChannelKind,
    ConversationId,
    EntryId,
    EntryKind,
    OperatorId,
    Status,
)
from inbox.waits import ledger
from inbox.words import N_

REMEMBERED = 1_000
"""Ids kept with a merge, so that it can be taken apart again."""


def merge(tx: Transaction, source: ConversationId, target: ConversationId, *, by: OperatorId, now: datetime) -> None:
    """Let `source` go on in `target`: later answers to either arrive there; the older wait runs on. Raises BadInput.

    What was split off `target` goes back to where it stood; anything else stays readable in `source`.
    """
    if source == target:
        raise BadInput("target", N_("A conversation cannot be merged with itself."))
    from_row, to_row = _both(tx, source, target)
    if from_row.merged_into_id is not None or to_row.merged_into_id is not None:
        raise BadInput("target", N_("One of the two has been merged already."))
    taken_back: list[int] = []
    if split_off_from(tx.conn, source) == target:
        taken_back = [row.id for row in content(tx.conn, source)]
    ledger.move(tx, source, target, at=now)
    if taken_back:
        move_entries(tx, source, target, taken_back)
        move_ended_waits(tx, source, target, taken_back, at=now)
    callbacks = list(tx.conn.execute(select(Callback.id).where(Callback.conversation_id == source)).scalars())
    callback_endings.moved(tx, source, target)
    known = select(Participant.address_id).where(Participant.conversation_id == target)
    people = list(
        tx.conn.execute(
            select(Participant.id).where(Participant.conversation_id == source, Participant.address_id.not_in(known))
        ).scalars()
    )
    tx.conn.execute(update(Participant).where(Participant.id.in_(people)).values(conversation_id=target))
    awaited = list(
        tx.conn.execute(
            select(MailId.id).where(MailId.conversation_id == source, MailId.entry_id.is_(None)).limit(REMEMBERED)
        ).scalars()
    )
    tx.conn.execute(update(MailId).where(MailId.conversation_id == source).values(conversation_id=target))
    withdraw_offers(tx, source, now=now)
    handling.settled(tx, source, at=now)
    say(
        tx,
        from_row,
        "merged_into",
        by=by,
        now=now,
        # What came along, for taking it apart again.
        data={
            "other": target,
            "people": people[:REMEMBERED],
            "awaited": awaited,
            "callbacks": callbacks[:REMEMBERED],
            "status": from_row.status,
        },
        status=Status.CLOSED,
        closed_at=now,
        merged_into_id=target,
        unread=0,
    )
    changes: dict[str, Any] = {}
    to_row = locked(tx, target)  # with the wait and the entries it has now
    if from_row.unread or from_row.wait_id is not None:
        changes = {
            "unread": to_row.unread + from_row.unread,
            "status": Status.OPEN,
            "closed_at": None,
            "snoozed_until": None,
            "spam": False,
        }
        ledger.resume(tx, target, at=now, why=AGREED_SNOOZE)  # nothing would wake it any more
        to_row = locked(tx, target)
    if taken_back:
        changes |= _newest(tx.conn, target, to_row)
    data = {"other": source, "subject": from_row.subject, "taken_back": bool(taken_back)}
    say(tx, to_row, "merged_from", by=by, now=now, data=data, **changes)
    tx.record(ConversationChanged(source))
    tx.record(ConversationChanged(target))


def split(
    tx: Transaction,
    source: ConversationId,
    entry_ids: Collection[EntryId],
    *,
    by: OperatorId,
    now: datetime,
) -> ConversationId:
    """Make these entries of `source` a conversation of their own. Raises BadInput naming what cannot be moved.

    The running wait goes where the message is that began it; what is unanswered in the other one waits there, from
    the moment it came.
    """
    from_row = locked(tx, source)
    if from_row.merged_into_id is not None:
        raise BadInput("conversation", N_("This conversation has been merged into another one. Take it apart first."))
    moved = chosen(tx.conn, source, entry_ids)
    first = next((one for one in moved if one.author == Author.CONTACT), moved[0])
    mail = first.data.get("mail") or {}
    spoken = [one for one in moved if one.kind in SPOKEN]
    last_from = next((one for one in reversed(moved) if one.author == Author.CONTACT), None)
    target = ConversationId(
        tx.insert(
            Conversation,
            contact_id=first.contact_id or from_row.contact_id,
            subject=(mail.get("subject") or from_row.subject or snippet(first.text)[:80])[:1000],
            status=Status.OPEN,
            spam=False,
            channel=(last_from.channel if last_from is not None else None) or ChannelKind.EMAIL,
            language=from_row.language,
            team_id=from_row.team_id,
            owner_id=from_row.owner_id,
            priority=from_row.priority,
            last_number=from_row.last_number,  # entries keep their numbers, here and when they are taken back
            snippet=snippet(spoken[-1].text),
            version=1,
            created_at=moved[0].created_at,
            active_at=spoken[-1].created_at,
            queue_key=queue_key(None, spoken[-1].created_at),
            unread=0,
            reply_token=uuid4().hex,
            visitor_seen=0,
            source=dict(from_row.source),
            touchpoint_id=from_row.touchpoint_id,
        )
    )
    ids = [one.id for one in moved]
    share_people(tx, source, target, moved, now)
    move_ids(tx, source, target, moved)
    waits = part_waits(tx, source, target, ids, at=now)
    move_entries(tx, source, target, ids)
    move_ended_waits(tx, source, target, ids, at=now)
    _say_split(tx, source, target, by=by, now=now, waits=waits)
    return target


def answers_to(conn: Connection, entry_id: EntryId) -> tuple[ConversationId, list[EntryId]]:
    """A mail, and everything later in its conversation that goes on from it. Raises BadInput when it is no mail."""
    row = conn.execute(select(Entry.conversation_id, Entry.number).where(Entry.id == entry_id)).first()
    if row is None:
        raise BadInput("entry", N_("There is no such mail."))
    found: list[EntryId] = []
    names: set[str] = set()
    for one in content(conn, ConversationId(row.conversation_id), since=row.number):
        mail = one.data.get("mail")
        if not mail:
            continue
        parents = [*mail.get("in_reply_to", ())[:1]] or [*mail.get("references", ())[-1:]]
        if one.id == entry_id or one.data.get("answers") in found or names.intersection(parents):
            found.append(EntryId(one.id))
            if mail.get("message_id"):
                names.add(mail["message_id"])
    if not found:
        raise BadInput("entry", N_("There is no such mail."))
    return ConversationId(row.conversation_id), found


def take_apart(tx: Transaction, source: ConversationId, *, by: OperatorId, now: datetime) -> ConversationId:
    """Undo a merge: `source` goes on by itself, with its people, its mails and its own wait. Raises BadInput.

    The conversation it had gone into is returned.
    """
    target = surviving(tx.conn, source)
    if target == source:
        raise BadInput("conversation", N_("This conversation has not been merged."))
    from_row, _ = _both(tx, source, target)
    said = [one for part in gathered(tx.conn, source) for one in content(tx.conn, part)]
    if from_row.merged_into_id is None or not said:
        raise BadInput("conversation", N_("Nothing is left here to go on with."))
    ids = [one.id for one in said]
    merged = homes(tx.conn, source)
    line = tx.conn.execute(
        select(Entry.data)
        .where(Entry.conversation_id == source, Entry.kind == EntryKind.STATUS)
        .order_by(Entry.number.desc())
    ).scalars()
    came_with: dict[str, Any] = next((data for data in line if data.get("what") == "merged_into"), {})
    tx.conn.execute(update(MailId).where(MailId.entry_id.in_(ids)).values(conversation_id=source))
    for model, name in ((MailId, "awaited"), (Participant, "people"), (Callback, "callbacks")):
        tx.conn.execute(
            update(model)
            .where(model.id.in_(came_with.get(name, ())), model.conversation_id == target)
            .values(conversation_id=source)
        )
    tx.conn.execute(
        update(Conversation)
        .where(Conversation.id == source)
        .values(merged_into_id=None, status=Status.OPEN, closed_at=None, unread=0)
    )
    waits = part_waits(tx, target, source, ids, at=now, merged=merged)
    from_row, to_row = _both(tx, source, target)
    status = Status.OPEN if waits.goes else _before(came_with)
    say(
        tx,
        from_row,
        "taken_apart",
        by=by,
        now=now,
        data={"other": target},
        status=status,
        closed_at=now if status == Status.CLOSED else None,
        unread=waits.goes,
    )
    data = {"other": source, "subject": from_row.subject}
    say(tx, to_row, "taken_apart", by=by, now=now, data=data, **_rest(to_row, waits))
    tx.record(ConversationChanged(source))
    tx.record(ConversationChanged(target))
    return target


def _rest(row: Any, waits: Parted) -> dict[str, Any]:
    """How the conversation stands from which something was taken."""
    changes: dict[str, Any] = {"unread": min(row.unread, waits.stays) if waits.goes else row.unread}
    if waits.left and not waits.stays and row.status == Status.OPEN:
        changes["status"] = Status.PENDING
    return changes


def _say_split(
    tx: Transaction,
    source: ConversationId,
    target: ConversationId,
    *,
    by: OperatorId,
    now: datetime,
    waits: Parted,
) -> None:
    from_row, to_row = _both(tx, source, target)
    to_changes: dict[str, Any] = {"unread": waits.goes}
    if to_row.wait_id is None and from_row.owner_id is None:
        to_changes["owner_id"] = by  # nobody waits there: whoever split it off sees to it
    say(
        tx,
        from_row,
        "split_into",
        by=by,
        now=now,
        data={"other": target, "subject": to_row.subject},
        **_rest(from_row, waits),
        **_newest(tx.conn, source, from_row),
    )
    say(tx, to_row, "split_from", by=by, now=now, data={"other": source, "subject": from_row.subject}, **to_changes)
    tx.record(ConversationChanged(source))
    tx.record(ConversationChanged(target))


def _newest(conn: Connection, conversation_id: ConversationId, row: Any) -> dict[str, Any]:
    """The line in the queue says what was said last of what is there now."""
    last = conn.execute(
        select(Entry.text, Entry.created_at)
        .where(Entry.conversation_id == conversation_id, Entry.kind.in_(SPOKEN))
        .order_by(Entry.created_at.desc(), Entry.number.desc())
        .limit(1)
    ).first()
    if last is None:
        return {}
    return {
        "snippet": snippet(last.text),
        "active_at": last.created_at,
        "queue_key": queue_key(row.due_at, last.created_at),
    }


# --- inside ---------------------------------------------------------------------------------------------------------


def _both(tx: Transaction, one: ConversationId, other: ConversationId) -> tuple[Any, Any]:
    """Both rows, locked in an order on which everybody agrees."""
    first, second = (locked(tx, c) for c in sorted((one, other)))
    return (first, second) if first.id == one else (second, first)


def _before(came_with: dict[str, Any]) -> Status:
    """How a conversation stood when it was merged; nobody waits in it now."""
    status = Status(came_with.get("status", Status.PENDING))
    return Status.PENDING if status in (Status.OPEN, Status.SNOOZED) else status
