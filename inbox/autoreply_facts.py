"""What the automatic reply must know about one wait before it says anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from inbox import mail_stops, mail_trust
from inbox.store.models import (
    Address,
    AutoreplyDecision,
    Callback,
    Contact,
    Conversation,
    Entry,
    Participant,
    Wait,
)
from inbox.store.transaction import Transaction
from inbox.vocabulary import (
    OPEN_CALLBACK_STATES,
    AddressKind,
    ChannelKind,
    ConversationId,
    DeskMode,
    EntryKind,
    WaitId,
)
from inbox.waits import calendar
from inbox.waits.hours import OpeningHours
from inbox.waits.mode import desk_mode

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LOOKED_BACK = 2_000
"""Decisions among which the last hour's mails are counted: the global rate is far below."""


@dataclass(frozen=True, slots=True)
class CallbackFacts:
    number: str | None
    slot_from: datetime | None
    slot_to: datetime | None


@dataclass(frozen=True, slots=True)
class AutoreplyFacts:
    """`channel` is what the customer used, `answer_over` how a written text reaches them (None: not at all)."""

    conversation_id: ConversationId
    wait_id: WaitId
    warned: bool  # asked because the wait has passed its warning mark, not because it began
    channel: ChannelKind
    answer_over: ChannelKind | None
    address: str  # folded mail address or visitor
    waits: bool  # the wait still runs
    first_wait: bool  # of its conversation
    spam: bool
    answered: bool  # a person has written to the customer since the wait began
    visitor_left: bool
    stopped: bool  # the address gets no mail that the desk writes by itself
    silence: str | None  # why the mail may not be answered by itself
    decided: frozenset[str]  # names of the texts this wait has had or was refused
    said_here: int  # automatic texts in this conversation
    said_today: int  # automatic mails to this address in 24 hours
    said_this_hour: int  # automatic mails of the whole desk
    mode: DeskMode
    opens_at: datetime | None
    closes_at: datetime | None
    hours: OpeningHours
    callback: CallbackFacts | None
    name: str
    language: str | None
    zone: str | None  # the customer's own


def load(
    conn: Connection, conversation_id: ConversationId, wait_id: WaitId, *, warned: bool, now: datetime
) -> AutoreplyFacts | None:
    """None when there is no such wait any more."""
    wait = conn.execute(select(Wait.__table__).where(Wait.id == wait_id)).first()
    if wait is None:
        return None
    conversation_id = ConversationId(wait.conversation_id)  # a merge may have moved it
    conversation = conn.execute(select(Conversation.__table__).where(Conversation.id == conversation_id)).one()
    contact = conn.execute(select(Contact.__table__).where(Contact.id == conversation.contact_id)).one()
    began_with = _entry(conn, wait.entry_id)
    channel = ChannelKind(wait.channel if began_with is None else began_with.channel or wait.channel)
    over, address = _way(conn, conversation_id, channel)
    mode = desk_mode(conn, now)
    decisions = conn.execute(
        select(AutoreplyDecision.wait_id, AutoreplyDecision.text_name, AutoreplyDecision.sent).where(
            AutoreplyDecision.conversation_id == conversation_id
        )
    ).all()
    return AutoreplyFacts(
        conversation_id=conversation_id,
        wait_id=wait_id,
        warned=warned,
        channel=channel,
        answer_over=over,
        address=address,
        waits=wait.ended_at is None and conversation.wait_id == wait_id,
        first_wait=bool(wait.first),
        spam=bool(conversation.spam),
        answered=_answered(conn, conversation_id, began_with),
        visitor_left=conversation.visitor_left_at is not None,
        stopped=over is ChannelKind.EMAIL and mail_stops.is_stopped(conn, address, mail_stops.EVERYTHING),
        silence=_silence(began_with),
        decided=frozenset(d.text_name for d in decisions if d.wait_id == wait_id),
        said_here=sum(1 for d in decisions if d.sent),
        said_today=_said_today(conn, address, now) if over is ChannelKind.EMAIL else 0,
        said_this_hour=_said_this_hour(conn, now) if over is ChannelKind.EMAIL else 0,
        mode=mode.mode,
        opens_at=mode.opens_at,
        closes_at=mode.closes_at,
        hours=calendar.current(conn, now).hours,
        callback=_callback(conn, conversation_id),
        name=contact.name,
        language=conversation.language or contact.language,
        zone=contact.zone,
    )


def hold_address(tx: Transaction, address: str) -> None:
    """Let two waits of one mail address be decided one after the other: the second sees what the first sent."""
    tx.conn.execute(
        select(Address.id)
        .where(Address.kind == AddressKind.EMAIL, Address.value == address)
        .with_for_update(key_share=True)
    ).all()


def _entry(conn: Connection, entry_id: int | None) -> Row[Any] | None:
    if entry_id is None:
        return None
    return conn.execute(select(Entry.number, Entry.channel, Entry.data).where(Entry.id == entry_id)).first()


def _way(conn: Connection, conversation_id: ConversationId, channel: ChannelKind) -> tuple[ChannelKind | None, str]:
    """How a text reaches the customer, and their address there.

    Who wrote over chat is answered in the chat: a mail address they typed proves nothing and gets nothing by itself.
    """
    rows = conn.execute(
        select(Address.kind, Address.value, Participant.new_since)
        .join(Participant, Participant.address_id == Address.id)
        .where(Participant.conversation_id == conversation_id)
        .order_by(Participant.id)
    ).all()
    first = {kind: value for kind, value, new_since in reversed(rows) if new_since is None}
    visitor, email = first.get(AddressKind.VISITOR), first.get(AddressKind.EMAIL)
    if visitor is not None and channel is not ChannelKind.EMAIL:
        return ChannelKind.CHAT, visitor
    if email is not None:
        return ChannelKind.EMAIL, email
    return None, ""


def _answered(conn: Connection, conversation_id: ConversationId, began_with: Row[Any] | None) -> bool:
    newer = [Entry.number > began_with.number] if began_with is not None else []
    return (
        conn.execute(
            select(Entry.id)
            .where(Entry.conversation_id == conversation_id, Entry.kind == EntryKind.REPLY, *newer)
            .limit(1)
        ).first()
        is not None
    )


def _silence(began_with: Row[Any] | None) -> str | None:
    mail = began_with.data.get("mail") if began_with is not None else None
    if not isinstance(mail, dict):
        return None
    if mail_trust.is_doubtful({"mail": mail}):
        return str(mail.get("silence") or mail["suspicious"][0]["why"])
    if mail.get("stranger") or mail.get("named_other"):
        return "stranger"
    found = mail.get("silence") or mail.get("machine_reason") or mail.get("machine")
    return str(found) if found else None


def _said_today(conn: Connection, address: str, now: datetime) -> int:
    return conn.execute(
        select(func.count()).where(
            AutoreplyDecision.address == address, AutoreplyDecision.at > now - DAY, AutoreplyDecision.sent.is_(True)
        )
    ).scalar_one()


def _said_this_hour(conn: Connection, now: datetime) -> int:
    newest = conn.execute(select(func.max(AutoreplyDecision.id))).scalar() or 0
    return conn.execute(
        select(func.count()).where(
            AutoreplyDecision.id > newest - LOOKED_BACK,
            AutoreplyDecision.at > now - HOUR,
            AutoreplyDecision.sent.is_(True),
            AutoreplyDecision.address.contains("@"),
        )
    ).scalar_one()


def _callback(conn: Connection, conversation_id: ConversationId) -> CallbackFacts | None:
    row = conn.execute(
        select(Callback.number, Callback.slot_from, Callback.slot_to)
        .where(Callback.conversation_id == conversation_id, Callback.state.in_(OPEN_CALLBACK_STATES))
        .order_by(Callback.id.desc())
        .limit(1)
    ).first()
    return None if row is None else CallbackFacts(row.number, row.slot_from, row.slot_to)
