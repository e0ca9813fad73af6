"""The desk's words: typed ids and closed sets. Values are stored, so they never change meaning."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

ConversationId = NewType("ConversationId", int)
EntryId = NewType("EntryId", int)
ContactId = NewType("ContactId", int)
AddressId = NewType("AddressId", int)
OperatorId = NewType("OperatorId", int)
TeamId = NewType("TeamId", int)
WaitId = NewType("WaitId", int)
ArrivalId = NewType("ArrivalId", int)
OutboxId = NewType("OutboxId", int)
HandoffId = NewType("HandoffId", int)
CallbackId = NewType("CallbackId", int)
AttachmentId = NewType("AttachmentId", int)
SessionId = NewType("SessionId", int)
PlannedId = NewType("PlannedId", int)
DeskMailId = NewType("DeskMailId", int)


class ChannelKind(StrEnum):
    CHAT = "chat"
    EMAIL = "email"
    PHONE = "phone"


class Author(StrEnum):
    CONTACT = "contact"
    OPERATOR = "operator"
    AUTOREPLY = "autoreply"  # never stops the waiting clock
    SYSTEM = "system"


class EntryKind(StrEnum):
    MESSAGE = "message"  # customer's words, over any channel
    REPLY = "reply"  # an operator's public answer
    AUTOREPLY = "autoreply"
    NOTE = "note"  # internal, never leaves the desk
    CALL = "call"  # a call that took place or was missed
    CALLBACK = "callback"  # asked for, tried, ended
    HANDOFF = "handoff"  # carries the brief
    STATUS = "status"  # taken, assigned, snoozed, closed, reopened, merged …
    REPORT = "report"  # delivery report, machine mail: kept, starts nothing


PUBLIC_KINDS = frozenset({EntryKind.MESSAGE, EntryKind.REPLY, EntryKind.AUTOREPLY})
"""What a visitor may see in the widget."""


class Status(StrEnum):
    OPEN = "open"  # the customer waits for us, or we have work to do
    PENDING = "pending"  # waiting for the customer
    SNOOZED = "snoozed"
    CLOSED = "closed"


class Ending(StrEnum):
    """Why a wait ended."""

    ANSWERED = "answered"
    NO_ANSWER_NEEDED = "no_answer_needed"
    CLOSED = "closed"
    MERGED = "merged"
    SPAM = "spam"
    ABANDONED = "abandoned"
    UNREACHED = "unreached"


class WaitStep(StrEnum):
    """What a line of the wait ledger says."""

    STARTED = "started"
    WARNED = "warned"
    MISSED = "missed"
    PAUSED = "paused"  # agreed with the customer
    RESUMED = "resumed"
    ENDED = "ended"
    RUNS_AGAIN = "runs_again"  # the answer could not be delivered
    MOVED = "moved"  # merged or split into another conversation


class Delivery(StrEnum):
    """State of an outgoing entry."""

    QUEUED = "queued"
    SENT = "sent"
    RECEIVED = "received"  # the visitor's browser has it
    READ = "read"
    DELAYED = "delayed"
    FAILED = "failed"
    KEPT = "kept"  # no mail server is configured: written to a file, not sent


class RecipientState(StrEnum):
    """How far a mail has got on its way to one of its recipients."""

    QUEUED = "queued"
    DELAYED = "delayed"  # our server has not taken it yet: the desk tries again
    SENT = "sent"
    HELD_UP = "held_up"  # ours has taken it, the next one keeps it waiting
    FAILED = "failed"  # refused when it was handed over
    BOUNCED = "bounced"  # came back later


class PlannedState(StrEnum):
    """An answer that is to leave at a chosen time."""

    WAITING = "waiting"
    HELD = "held"  # its time has come, but something has changed: people decide
    SENT = "sent"
    CANCELLED = "cancelled"


class ArrivalState(StrEnum):
    NEW = "new"
    PLACED = "placed"
    TRAY = "tray"
    SET_ASIDE = "set_aside"  # deliberately not a conversation; `reason` says why


class OutboxState(StrEnum):
    QUEUED = "queued"
    DONE = "done"
    GIVEN_UP = "given_up"


class HandoffState(StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class CallbackState(StrEnum):
    """PHONE.md A.8. `wrap_up` and after: the wait has ended."""

    DUE = "due"
    SCHEDULED = "scheduled"
    CLAIMED = "claimed"
    DIALLING = "dialling"
    RETRY_WAIT = "retry_wait"
    EXHAUSTED = "exhausted"
    NEEDS_NUMBER = "needs_number"
    WRAP_UP = "wrap_up"
    DONE = "done"
    CLOSED_UNREACHED = "closed_unreached"
    CANCELLED = "cancelled"


OPEN_CALLBACK_STATES = frozenset(CallbackState) - {
    CallbackState.WRAP_UP,
    CallbackState.DONE,
    CallbackState.CLOSED_UNREACHED,
    CallbackState.CANCELLED,
}


class AttemptOutcome(StrEnum):
    REACHED = "reached"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    WRONG_NUMBER = "wrong_number"
    VOICEMAIL_LEFT = "voicemail_left"


class CallOutcome(StrEnum):
    """PHONE.md A.5. Missed is everything but answered."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    CANCELED = "canceled"
    ABANDONED_IN_QUEUE = "abandoned_in_queue"
    QUEUE_TIMEOUT = "queue_timeout"
    VOICEMAIL = "voicemail"
    AFTER_HOURS = "after_hours"
    FAILED = "failed"


class AddressKind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    VISITOR = "visitor"


FROM_A_LOG = "log:"
"""How the visitor's address of somebody begins who is known from an event log alone: no browser has it."""


class Role(StrEnum):
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"


class Presence(StrEnum):
    ONLINE = "online"
    FINISHING = "finishing"  # works on, takes nothing new
    AWAY = "away"
    OFFLINE = "offline"


class DeskMode(StrEnum):
    STAFFED = "staffed"
    BUSY = "busy"
    AWAY = "away"  # open hours, nobody online
    CLOSED = "closed"
