"""Handing a conversation over, with a brief. The customer sees nothing and the wait runs on.

One conditional update settles who owns what; one open offer per conversation is an index of the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from inbox.errors import AlreadySettled, AlreadyTaken, BadInput, NotAllowed, NotFound
from inbox.events import ConversationChanged, HandoffChanged
from inbox.lifecycle import operator_name
from inbox.people import handling
from inbox.store.models import Conversation, Draft, Entry, Handoff, MissedOffer, Operator
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import ConversationId, EntryKind, HandoffId, HandoffState, OperatorId, Presence

OFFER_LASTS = timedelta(minutes=2)
"""How long a colleague has to accept before the conversation returns."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What the next person must know so that the customer need not repeat it."""

    wants: str = ""
    done: str = ""
    next: str = ""
    promised: str = ""

    def text(self) -> str:
        return "\n".join(part for part in (self.wants, self.done, self.next, self.promised) if part.strip())


def hand_off(
    tx: Transaction,
    conversation_id: ConversationId,
    *,
    by: OperatorId,
    to: OperatorId | None,
    brief: Brief,
    now: datetime,
    lasts: timedelta = OFFER_LASTS,
) -> HandoffId:
    """Offer to a colleague, or put into the queue at once (`to=None`). Raises AlreadyTaken, BadInput.

    An unowned conversation may be handed on by anybody; an owned one only by its owner.
    """
    if to == by:
        raise BadInput("to", "Hand it to somebody else, or keep it.")
    if not brief.text().strip():
        raise BadInput("brief", "Write a line for the next person: what the customer wants and what was done.")
    new_owner = by if to is not None else None
    settled = tx.conn.execute(
        update(Conversation)
        .where(
            Conversation.id == conversation_id,
            (Conversation.owner_id == by) | Conversation.owner_id.is_(None),
        )
        .values(owner_id=new_owner)
    )
    conversation = locked(tx, conversation_id)
    if settled.rowcount != 1:
        raise AlreadyTaken(operator_name(tx.conn, conversation.owner_id))
    if _open_offer(tx, conversation_id) is not None:
        raise AlreadySettled("handoff")
    if to is not None:
        receiver = tx.conn.execute(
            select(Operator.presence).where(Operator.id == to, Operator.disabled_at.is_(None))
        ).scalar()
        if receiver is None:
            raise BadInput("to", "There is no such operator.")
        if receiver == Presence.OFFLINE:
            raise BadInput("to", "This colleague is offline. Hand it to the queue, or to somebody who is here.")
    added = say(
        tx,
        conversation,
        "handed_off",
        by=by,
        now=now,
        kind=EntryKind.HANDOFF,
        text=brief.text(),
        data={"brief": asdict(brief), "to": to, "name": operator_name(tx.conn, to)},
    )
    handoff_id = HandoffId(
        tx.insert(
            Handoff,
            conversation_id=conversation_id,
            from_operator_id=by,
            to_operator_id=to,
            entry_id=added.entry_id,
            state=HandoffState.OFFERED if to is not None else HandoffState.ACCEPTED,
            offered_at=now,
            expires_at=now + lasts if to is not None else None,
            settled_at=None if to is not None else now,
        )
    )
    handling.left(tx, by, conversation_id, at=now)
    tx.record(HandoffChanged(conversation_id, handoff_id, to, by))
    tx.record(ConversationChanged(conversation_id))
    return handoff_id


def accept(tx: Transaction, handoff_id: HandoffId, *, by: OperatorId, now: datetime) -> ConversationId:
    """The receiver takes it over. Raises AlreadySettled when it was withdrawn, returned or taken."""
    handoff, conversation = _settle(tx, handoff_id, by, HandoffState.ACCEPTED, now)
    _draft_goes_along(tx, handoff, by, now)
    say(tx, conversation, "handoff_accepted", by=by, now=now, owner_id=by)
    handling.took(tx, by, conversation, at=now)
    return _announce(tx, handoff)


def decline(tx: Transaction, handoff_id: HandoffId, *, by: OperatorId, now: datetime) -> ConversationId:
    """The receiver cannot: it stays with the sender, who is told."""
    handoff, conversation = _settle(tx, handoff_id, by, HandoffState.DECLINED, now)
    say(tx, conversation, "handoff_declined", by=by, now=now)
    return _announce(tx, handoff)


def cancel(tx: Transaction, handoff_id: HandoffId, *, by: OperatorId, now: datetime) -> ConversationId:
    """The sender takes the offer back."""
    handoff, conversation = _settle(tx, handoff_id, by, HandoffState.CANCELLED, now)
    say(tx, conversation, "handoff_cancelled", by=by, now=now)
    return _announce(tx, handoff)


def next_return(conn: Connection) -> datetime | None:
    return conn.execute(select(func.min(Handoff.expires_at)).where(Handoff.state == HandoffState.OFFERED)).scalar()


def return_due(tx: Transaction, *, now: datetime) -> int:
    """Bring back offers nobody answered: to the sender, or to the queue when the sender has gone offline."""
    rows = tx.conn.execute(
        select(Handoff.__table__)
        .where(Handoff.state == HandoffState.OFFERED, Handoff.expires_at <= now)
        .order_by(Handoff.conversation_id)
        .limit(100)
    ).all()
    returned = 0
    for handoff in rows:
        conversation = locked(tx, ConversationId(handoff.conversation_id))
        settled = tx.conn.execute(
            update(Handoff)
            .where(Handoff.id == handoff.id, Handoff.state == HandoffState.OFFERED)
            .values(state=HandoffState.RETURNED, settled_at=now)
        )
        if settled.rowcount != 1:
            continue
        returned += 1
        tx.insert(
            MissedOffer,
            operator_id=handoff.to_operator_id,
            conversation_id=handoff.conversation_id,
            offered_at=handoff.offered_at,
            missed_at=handoff.expires_at,
        )
        changes: dict[str, Any] = {}
        presence = tx.conn.execute(select(Operator.presence).where(Operator.id == handoff.from_operator_id)).scalar()
        if presence == Presence.OFFLINE and conversation.owner_id == handoff.from_operator_id:
            changes["owner_id"] = None
        say(tx, conversation, "handoff_returned", by=None, now=now, data={"to": handoff.to_operator_id}, **changes)
        _announce(tx, handoff)
    return returned


@dataclass(frozen=True, slots=True)
class Offer:
    id: HandoffId
    conversation_id: ConversationId
    from_operator_id: OperatorId
    from_name: str
    to_operator_id: OperatorId | None
    to_name: str
    brief: Mapping[str, str]
    offered_at: datetime
    expires_at: datetime | None


def offers(
    conn: Connection, *, operator_id: OperatorId | None = None, conversation_id: ConversationId | None = None
) -> list[Offer]:
    """Open offers to an operator, or of a conversation."""
    query = (
        select(Handoff.__table__, Entry.data)
        .join(Entry, Entry.id == Handoff.entry_id)
        .where(Handoff.state == HandoffState.OFFERED)
    )
    if operator_id is not None:
        query = query.where(Handoff.to_operator_id == operator_id)
    if conversation_id is not None:
        query = query.where(Handoff.conversation_id == conversation_id)
    return [
        Offer(
            HandoffId(row.id),
            ConversationId(row.conversation_id),
            OperatorId(row.from_operator_id),
            operator_name(conn, row.from_operator_id),
            row.to_operator_id,
            operator_name(conn, row.to_operator_id),
            row.data.get("brief", {}),
            row.offered_at,
            row.expires_at,
        )
        for row in conn.execute(query.order_by(Handoff.id)).all()
    ]


def state(conn: Connection, handoff_id: HandoffId) -> HandoffState:
    """Raises NotFound."""
    found = conn.execute(select(Handoff.state).where(Handoff.id == handoff_id)).scalar()
    if found is None:
        raise NotFound("handoff")
    return HandoffState(found)


def _open_offer(tx: Transaction, conversation_id: ConversationId) -> Row[Any] | None:
    return tx.conn.execute(
        select(Handoff.id).where(Handoff.conversation_id == conversation_id, Handoff.state == HandoffState.OFFERED)
    ).first()


def _settle(
    tx: Transaction, handoff_id: HandoffId, by: OperatorId, state: HandoffState, now: datetime
) -> tuple[Row[Any], Any]:
    """Settle an open offer: the offer, and its conversation, held. Locks the conversation first, as every verb does."""
    handoff = tx.conn.execute(select(Handoff.__table__).where(Handoff.id == handoff_id)).first()
    if handoff is None:
        raise NotFound("handoff")
    entitled = handoff.from_operator_id if state is HandoffState.CANCELLED else handoff.to_operator_id
    if entitled != by:
        raise NotAllowed("This handoff was not offered to you.")
    conversation = locked(tx, ConversationId(handoff.conversation_id))
    settled = tx.conn.execute(
        update(Handoff)
        .where(Handoff.id == handoff_id, Handoff.state == HandoffState.OFFERED)
        .values(state=state, settled_at=now)
    )
    if settled.rowcount != 1:
        raise AlreadySettled("handoff")
    return handoff, conversation


def _draft_goes_along(tx: Transaction, handoff: Row[Any], to: OperatorId, now: datetime) -> None:
    """The sender's unfinished reply becomes the receiver's, unless they have begun one themselves."""
    mine = tx.conn.execute(
        select(Draft.operator_id).where(Draft.conversation_id == handoff.conversation_id, Draft.operator_id == to)
    ).first()
    if mine is None:
        tx.conn.execute(
            update(Draft)
            .where(
                Draft.conversation_id == handoff.conversation_id,
                Draft.operator_id == handoff.from_operator_id,
                Draft.kind == EntryKind.REPLY,
            )
            .values(operator_id=to, saved_at=now)
        )


def _announce(tx: Transaction, handoff: Row[Any]) -> ConversationId:
    conversation_id = ConversationId(handoff.conversation_id)
    tx.record(
        HandoffChanged(
            conversation_id, HandoffId(handoff.id), handoff.to_operator_id, OperatorId(handoff.from_operator_id)
        )
    )
    tx.record(ConversationChanged(conversation_id))
    return conversation_id
