"""Entries that go to another conversation, with all that hangs on them: files, ids, people and waits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from inbox.errors import BadInput
from inbox.lifecycle import AGREED_SNOOZE
from inbox.people.contacts import fold
from inbox.store import outbox
from inbox.store.models import (
    Address,
    Attachment,
    AutoreplyDecision,
    Conversation,
    Entry,
    MailId,
    Participant,
    Wait,
)
from inbox.store.transaction import Transaction
from inbox.timeline import locked
from inbox.vocabulary import AddressKind, Author, ChannelKind, ConversationId, Ending, EntryId, EntryKind, WaitId
from inbox.waits import ledger
from inbox.words import N_

MOST_AT_ONCE = 500
"""Entries moved by one split."""

MOVABLE = (EntryKind.MESSAGE, EntryKind.REPLY, EntryKind.AUTOREPLY, EntryKind.NOTE, EntryKind.REPORT)
"""Calls, callbacks and handoffs belong to the conversation in which they took place."""
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
SPOKEN = (EntryKind.MESSAGE, EntryKind.REPLY, EntryKind.CALL, EntryKind.CALLBACK)
_SAID = (EntryKind.MESSAGE, EntryKind.REPLY)


def chosen(conn: Connection, source: ConversationId, entry_ids: Collection[EntryId]) -> Sequence[Any]:
    """The entries, oldest first. Raises BadInput unless they may go and something stays."""
    wanted = set(entry_ids)
    if not wanted:
        raise BadInput("entries", N_("Choose at least one mail."))
    if len(wanted) > MOST_AT_ONCE:
        raise BadInput("entries", N_("At most %(most)s entries at once."), most=MOST_AT_ONCE)
    found = [one for one in content(conn, source) if one.id in wanted]
    if len(found) != len(wanted):
        raise BadInput("entries", N_("Only mails and notes of this conversation can be split off."))
    if any(one.channel == ChannelKind.CHAT for one in found):
        raise BadInput("entries", N_("What was said in the chat stays together: the visitor sees one conversation."))
    if not any(one.kind in _SAID for one in found):
        raise BadInput("entries", N_("Choose at least one mail."))
    stays = conn.execute(
        select(Entry.id)
        .where(Entry.conversation_id == source, Entry.kind.in_(SPOKEN), Entry.id.not_in(wanted))
        .limit(1)
    ).first()
    if stays is None:
        raise BadInput("entries", N_("Nothing would be left here. Leave at least one mail."))
    return found


def content(conn: Connection, conversation_id: ConversationId, *, since: int = 0) -> Sequence[Any]:
    return conn.execute(
        select(
            Entry.id,
            Entry.number,
            Entry.kind,
            Entry.channel,
            Entry.author,
            Entry.contact_id,
            Entry.text,
            Entry.data,
            Entry.created_at,
        )
        .where(Entry.conversation_id == conversation_id, Entry.kind.in_(MOVABLE), Entry.number >= since)
        .order_by(Entry.number)
    ).all()


def gathered(conn: Connection, conversation_id: ConversationId) -> list[ConversationId]:
    """The conversation and those that were merged into it: their entries are read there and answered here."""
    found = [conversation_id]
    lines = conn.execute(
        select(Entry.data).where(Entry.conversation_id == conversation_id, Entry.kind == EntryKind.STATUS)
    ).scalars()
    for other in dict.fromkeys(data["other"] for data in lines if data.get("what") == "merged_from"):
        into = conn.execute(select(Conversation.merged_into_id).where(Conversation.id == other)).scalar()
        if into == conversation_id:
            found += gathered(conn, ConversationId(other))
    return found


def homes(conn: Connection, conversation_id: ConversationId) -> list[tuple[ConversationId, datetime]]:
    """Where a merged conversation goes on, and since when; step by step."""
    into = conn.execute(select(Conversation.merged_into_id).where(Conversation.id == conversation_id)).scalar()
    if into is None:
        return []
    lines = conn.execute(
        select(Entry.created_at, Entry.data)
        .where(Entry.conversation_id == conversation_id, Entry.kind == EntryKind.STATUS)
        .order_by(Entry.number.desc())
    )
    since = next((line.created_at for line in lines if line.data.get("what") == "merged_into"), None)
    further = homes(conn, ConversationId(into))
    return further if since is None else [(ConversationId(into), since), *further]


def _settled(
    conn: Connection, conversation_id: ConversationId, merged: Sequence[tuple[ConversationId, datetime]]
) -> dict[int, datetime]:
    """For a conversation and what was merged into it: what came until then is owed nothing any more."""
    found: dict[int, datetime] = {}
    for part in gathered(conn, conversation_id):
        ends = [_EVER]
        for home, since in ((part, _EVER), *homes(conn, part), *merged):
            ended = conn.execute(
                select(func.max(Wait.ended_at)).where(
                    Wait.conversation_id == home, Wait.ending != Ending.MERGED, Wait.ended_at >= since
                )
            ).scalar()
            if ended is not None:
                ends.append(ended)
        found[part] = max(ends)
    return found


def move_entries(tx: Transaction, source: ConversationId, target: ConversationId, ids: Sequence[int]) -> None:
    """With their files, their way out and what was decided about them. A number that is taken is given anew."""
    conversation = locked(tx, target)
    taken = set(tx.conn.execute(select(Entry.number).where(Entry.conversation_id == target)).scalars())
    last = conversation.last_number
    for row in tx.conn.execute(select(Entry.id, Entry.number).where(Entry.id.in_(ids)).order_by(Entry.number)).all():
        number = row.number
        if number in taken or number > conversation.last_number:
            last += 1
            number = last
        tx.conn.execute(update(Entry).where(Entry.id == row.id).values(conversation_id=target, number=number))
    tx.conn.execute(update(Conversation).where(Conversation.id == target).values(last_number=last))
    tx.conn.execute(update(Attachment).where(Attachment.entry_id.in_(ids)).values(conversation_id=target))
    tx.conn.execute(update(MailId).where(MailId.entry_id.in_(ids)).values(conversation_id=target))
    tx.conn.execute(update(AutoreplyDecision).where(AutoreplyDecision.entry_id.in_(ids)).values(conversation_id=target))
    outbox.moved(tx, source, target, ids)


def move_ended_waits(
    tx: Transaction, source: ConversationId, target: ConversationId, ids: Sequence[int], *, at: datetime
) -> None:
    """What an answer ended belongs where that answer is: should it bounce, the wait runs again there."""
    for wait in tx.conn.execute(
        select(Wait.id, Wait.entry_id, Wait.ended_entry_id)
        .where(Wait.conversation_id == source, Wait.ended_at.is_not(None))
        .order_by(Wait.id)
    ).all():
        decides = wait.ended_entry_id if wait.ended_entry_id is not None else wait.entry_id
        if decides in ids:
            ledger.carry(tx, WaitId(wait.id), source, target, at=at)


def move_ids(tx: Transaction, source: ConversationId, target: ConversationId, moved: Sequence[Any]) -> None:
    """Parents that only the moved mails are waiting for go along; Outlook's threads are known in both."""
    goes = _parents(moved)
    ids = {one.id for one in moved}
    stays = _parents([one for one in content(tx.conn, source) if one.id not in ids])
    awaited = tx.conn.execute(
        select(MailId.id, MailId.message_id).where(MailId.conversation_id == source, MailId.entry_id.is_(None))
    ).all()
    for row in awaited:
        if row.message_id.startswith("thread-index:"):
            tx.insert(MailId, message_id=row.message_id, conversation_id=target, entry_id=None, ours=False, digest="")
        elif row.message_id in goes and row.message_id not in stays:
            tx.conn.execute(update(MailId).where(MailId.id == row.id).values(conversation_id=target))


def _parents(mails: Sequence[Any]) -> set[str]:
    found: set[str] = set()
    for one in mails:
        mail = one.data.get("mail") or {}
        found.update((*mail.get("in_reply_to", ())[:1], *mail.get("references", ())[-1:]))
    return found


# --- people ---------------------------------------------------------------------------------------------------------


def share_people(
    tx: Transaction, source: ConversationId, target: ConversationId, moved: Sequence[Any], now: datetime
) -> None:
    """Whoever the moved mails name takes part there; who is named by no mail that stays takes part there only."""
    ids = {one.id for one in moved}
    rest = [one for one in content(tx.conn, source) if one.id not in ids]
    named, still_named = _named(moved), _named(rest)
    stays_for = {one.contact_id for one in rest if one.contact_id is not None}
    stays_for.add(tx.conn.execute(select(Conversation.contact_id).where(Conversation.id == source)).scalar_one())
    people = tx.conn.execute(
        select(Participant.id, Participant.address_id, Participant.new_since, Address.value, Address.contact_id)
        .join(Address, Address.id == Participant.address_id)
        .where(Participant.conversation_id == source, Address.kind == AddressKind.EMAIL)
        .order_by(Participant.id)
    ).all()
    for one in people:
        if one.value not in named:
            continue
        if one.value in still_named or one.contact_id in stays_for:
            tx.conn.execute(
                insert(Participant).values(
                    conversation_id=target, address_id=one.address_id, new_since=one.new_since, added_at=now
                )
            )
        else:
            tx.conn.execute(update(Participant).where(Participant.id == one.id).values(conversation_id=target))


def _named(mails: Sequence[Any]) -> set[str]:
    """Folded addresses that these mails name."""
    found: set[str] = set()
    for one in mails:
        mail = one.data.get("mail") or {}
        people = [*mail.get("to", ()), *mail.get("cc", ())]
        if "author" in mail:
            people.append(mail["author"])
        found.update(fold(AddressKind.EMAIL, person["address"]) for person in people if person.get("address"))
    return found


# --- waits ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parted:
    """How many unanswered messages stay and go, and whether a wait did."""

    stays: int
    goes: int
    left: bool


def part_waits(
    tx: Transaction,
    source: ConversationId,
    target: ConversationId,
    ids: Collection[int],
    *,
    at: datetime,
    merged: Sequence[tuple[ConversationId, datetime]] = (),
) -> Parted:
    """Give each of the two its own wait for what is unanswered there, counted from when it came."""
    wait = ledger.running(tx, source)
    if wait is None:
        return Parted(0, 0, False)
    settled = _settled(tx.conn, source, ()) | _settled(tx.conn, target, merged)
    here = list(settled)
    unanswered = [
        one
        for one in tx.conn.execute(
            select(Entry.id, Entry.conversation_id, Entry.created_at, Entry.channel, Entry.data)
            .where(
                Entry.conversation_id.in_(here),
                Entry.author == Author.CONTACT,
                Entry.kind.in_((EntryKind.MESSAGE, EntryKind.CALL)),
                (Entry.created_at >= wait.started_at) | (Entry.id == wait.entry_id),
            )
            .order_by(Entry.created_at, Entry.id)
        ).all()
        if not (one.data.get("mail") or {}).get("machine")
        and (one.id == wait.entry_id or one.created_at > settled[one.conversation_id])
    ]
    goes = [one for one in unanswered if one.id in ids]
    stays = [one for one in unanswered if one.id not in ids]
    moves = wait.entry_id in ids or (bool(goes) and not stays and wait.entry_id is None)
    if not goes and not moves:
        return Parted(len(stays), 0, False)
    if moves:
        ledger.carry(tx, WaitId(wait.id), source, target, at=at)
        ledger.resume(tx, target, at=at, why=AGREED_SNOOZE)
        left_over, needs = source, stays
    else:
        left_over, needs = target, goes
    if needs:
        ledger.start(
            tx,
            left_over,
            channel=ChannelKind(needs[0].channel),
            entry_id=EntryId(needs[0].id),
            at=needs[0].created_at,
            announced=False,  # they have had their receipt when they wrote
        )
    return Parted(len(stays), max(len(goes), int(moves)), bool(moves))
