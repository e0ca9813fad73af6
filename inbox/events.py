"""Facts in the past tense. What must follow each is listed once, in `DURABLE` in `web/app.py`.

Durable consequences get an outbox row in the same transaction; screens are told after the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inbox.vocabulary import (
    ArrivalId,
    CallbackId,
    ChannelKind,
    ConversationId,
    Delivery,
    DeskMailId,
    Ending,
    EntryId,
    HandoffId,
    OperatorId,
    WaitId,
)


@dataclass(frozen=True, slots=True)
class Event:
    conversation_id: ConversationId


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """A customer's entry is in the timeline, over any channel."""

    entry_id: EntryId
    number: int
    channel: ChannelKind


@dataclass(frozen=True, slots=True)
class ReplyWritten(Event):
    """A public entry by a person or by the automatic reply; it still has to leave the desk, not before `not_before`."""

    entry_id: EntryId
    number: int
    channel: ChannelKind
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntryAdded(Event):
    """An entry that does not leave the desk: note, status, call, handoff."""

    entry_id: EntryId
    number: int


@dataclass(frozen=True, slots=True)
class DeliveryChanged(Event):
    entry_id: EntryId
    number: int
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class WaitStarted(Event):
    wait_id: WaitId
    entry_id: EntryId | None
    channel: ChannelKind


@dataclass(frozen=True, slots=True)
class WaitWarned(Event):
    wait_id: WaitId
    at: datetime


@dataclass(frozen=True, slots=True)
class WaitMissed(Event):
    wait_id: WaitId
    at: datetime


@dataclass(frozen=True, slots=True)
class AlarmRaised(Event):
    """The rules say whose screens must tell of a wait. `after`: warning, target or later."""

    wait_id: WaitId
    after: str
    operators: tuple[OperatorId, ...]


@dataclass(frozen=True, slots=True)
class WaitEnded(Event):
    wait_id: WaitId
    ending: Ending


@dataclass(frozen=True, slots=True)
class ConversationChanged(Event):
    """Status, owner, subject, tags … have changed; screens reload the row."""


@dataclass(frozen=True, slots=True)
class HandoffChanged(Event):
    handoff_id: HandoffId
    to_operator_id: OperatorId | None
    from_operator_id: OperatorId


@dataclass(frozen=True, slots=True)
class CallbackChanged(Event):
    callback_id: CallbackId


@dataclass(frozen=True, slots=True)
class ArrivalKept:
    """A raw thing is stored and waits to be understood."""

    arrival_id: ArrivalId
    source: str


@dataclass(frozen=True, slots=True)
class ArrivalSettled:
    arrival_id: ArrivalId


@dataclass(frozen=True, slots=True)
class AlarmQueued:
    """An alarm has to leave the desk by push, mail or webhook."""

    notice_id: int


@dataclass(frozen=True, slots=True)
class AlarmStepDue:
    """A later step of the alarm rules may apply to a wait."""

    wait_id: WaitId
    step: str


@dataclass(frozen=True, slots=True)
class DeskMailWritten:
    """A mail of the desk's own still has to leave."""

    mail_id: DeskMailId


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    operator_id: OperatorId


@dataclass(frozen=True, slots=True)
class HoursChanged:
    """Opening hours, holidays or targets were edited: desk mode and running due times may differ."""


AnyEvent = (
    Event | DeskMailWritten | AlarmQueued | AlarmStepDue | ArrivalKept | ArrivalSettled | PresenceChanged | HoursChanged
)
