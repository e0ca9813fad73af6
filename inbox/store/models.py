"""The schema on one page.

Rows hold, they carry no behaviour, and they stay inside `inbox`. Times are aware UTC (`UtcDateTime`), durations
are whole seconds and say so in their names.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from inbox.store import report_triggers
from inbox.store.storable import String, Text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC, stored as whole microseconds since 1970: exact, sortable and equal on every database."""

    impl, cache_ok = BigInteger, True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"naive datetime {value!r}: which time zone?")
        since = value - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        seconds, micro = divmod(value, 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)


Id = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


def table(model: type[Base]) -> Table:
    """The plain table of a model, for statements that are prepared."""
    return cast(Table, model.__table__)


def _id() -> Mapped[int]:
    return mapped_column(Id, primary_key=True, autoincrement=True)


# --- people ---------------------------------------------------------------------------------------------------------


class Operator(Base):
    __tablename__ = "operators"
    id: Mapped[int] = _id()
    email: Mapped[str] = mapped_column(String(320), unique=True)  # folded
    name: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(200), default="")  # under the name in signatures
    password_hash: Mapped[str] = mapped_column(String(300))
    role: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(10), default="en")
    preferences: Mapped[dict[str, Any]] = mapped_column(default=dict)  # theme, density, shortcuts
    presence: Mapped[str] = mapped_column(String(20), default="offline")
    presence_since: Mapped[datetime]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class OperatorSession(Base):
    __tablename__ = "operator_sessions"
    id: Mapped[int] = _id()
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"), index=True)
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of the cookie's token
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    remote: Mapped[str] = mapped_column(String(64), default="")


class Team(Base):
    __tablename__ = "teams"
    id: Mapped[int] = _id()
    name: Mapped[str] = mapped_column(String(200), unique=True)


class TeamMember(Base):
    __tablename__ = "team_members"
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"), primary_key=True)


class Organisation(Base):
    __tablename__ = "organisations"
    id: Mapped[int] = _id()
    name: Mapped[str] = mapped_column(String(200), index=True)
    created_at: Mapped[datetime]


class Contact(Base):
    __tablename__ = "contacts"
    id: Mapped[int] = _id()
    name: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str | None] = mapped_column(String(10))
    zone: Mapped[str | None] = mapped_column(String(64))  # IANA time zone
    tier: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(Text, default="")
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"))
    created_at: Mapped[datetime]


class Address(Base):
    """One way to reach a contact. `value` is folded for comparing; `written` is as first seen."""

    __tablename__ = "addresses"
    __table_args__ = (UniqueConstraint("kind", "value"),)
    id: Mapped[int] = _id()
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    value: Mapped[str] = mapped_column(String(320))
    written: Mapped[str] = mapped_column(String(400))
    failing_since: Mapped[datetime | None]  # a permanent delivery failure
    shows_images: Mapped[bool] = mapped_column(Boolean, server_default=false())  # remote ones, unasked
    created_at: Mapped[datetime]


class AuditLine(Base):
    __tablename__ = "audit_lines"
    id: Mapped[int] = _id()
    at: Mapped[datetime] = mapped_column(index=True)
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    action: Mapped[str] = mapped_column(String(60))
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


# --- conversations --------------------------------------------------------------------------------------------------


class Conversation(Base):
    """`due_at` … `wait_id` copy the running wait so that the queue is one indexed read; the ledger is the truth."""

    __tablename__ = "conversations"
    id: Mapped[int] = _id()
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id"), index=True)
    subject: Mapped[str] = mapped_column(String(1000), default="")
    status: Mapped[str] = mapped_column(String(10))
    spam: Mapped[bool] = mapped_column(Boolean, default=False)
    channel: Mapped[str] = mapped_column(String(10))  # the channel of the last customer entry
    language: Mapped[str | None] = mapped_column(String(10))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
    priority: Mapped[int] = mapped_column(Integer, default=0)  # 0 normal, 1 high, 2 urgent
    last_number: Mapped[int] = mapped_column(Integer, default=0)  # number of the newest entry
    snippet: Mapped[str] = mapped_column(String(200), default="")
    version: Mapped[int] = mapped_column(Integer, default=1)  # rises with every change a screen shows
    created_at: Mapped[datetime]
    active_at: Mapped[datetime]  # newest entry
    closed_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    answer_by: Mapped[str | None] = mapped_column(String(10))  # how the visitor wants it: None chat, email, callback
    wait_id: Mapped[int | None] = mapped_column(Id)
    waiting_since: Mapped[datetime | None]
    warn_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    queue_key: Mapped[int] = mapped_column(BigInteger)  # one sort key for every view: see inbox/queue_key.py
    unread: Mapped[int] = mapped_column(Integer, default=0)  # customer entries since the last human answer
    reply_token: Mapped[str] = mapped_column(String(32), unique=True)  # random, in Reply-To plus-addresses
    visitor_seen: Mapped[int] = mapped_column(Integer, default=0)  # newest entry number the visitor has read
    visitor_left_at: Mapped[datetime | None]  # the chat line went down while waiting
    visitor_away_at: Mapped[datetime | None]  # the visitor's last window closed; None: one is open, or never was
    unread_since: Mapped[datetime | None]  # chat answers lie unread since then, and the visitor is away
    source: Mapped[dict[str, Any]] = mapped_column(default=dict)  # page, support address, line …
    touchpoint_id: Mapped[int | None] = mapped_column(ForeignKey("touchpoints.id"))
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("conversations.id"))
    __table_args__ = (
        Index("ix_conversations_queue", "status", "queue_key", "id"),
        Index("ix_conversations_owner", "owner_id", "status", "queue_key", "id"),
        Index(
            "ix_conversations_snoozed",
            "snoozed_until",
            sqlite_where=text("snoozed_until IS NOT NULL"),
            postgresql_where=text("snoozed_until IS NOT NULL"),
        ),
        Index(
            "ix_conversations_left",
            "visitor_left_at",
            sqlite_where=text("visitor_left_at IS NOT NULL"),
            postgresql_where=text("visitor_left_at IS NOT NULL"),
        ),
        Index(
            "ix_conversations_unread_since",
            "unread_since",
            sqlite_where=text("unread_since IS NOT NULL"),
            postgresql_where=text("unread_since IS NOT NULL"),
        ),
    )


class Participant(Base):
    """Everybody in a conversation, by address: who may join by mail, who gets the next answer."""

    __tablename__ = "participants"
    __table_args__ = (UniqueConstraint("conversation_id", "address_id"),)
    id: Mapped[int] = _id()
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"), index=True)
    new_since: Mapped[int | None] = mapped_column(Integer)  # entry number at which a stranger joined
    added_at: Mapped[datetime]


class Entry(Base):
    """`data` holds what only this kind has: mail headers, call facts, brief, status words and their values."""

    __tablename__ = "entries"
    __table_args__ = (
        UniqueConstraint("conversation_id", "number"),
        UniqueConstraint("client_key"),
        Index(
            "ix_entries_undelivered",
            "id",
            sqlite_where=text("delivery = 'failed'"),
            postgresql_where=text("delivery = 'failed'"),
        ),
    )
    id: Mapped[int] = _id()
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    number: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(10))
    channel: Mapped[str | None] = mapped_column(String(10))
    author: Mapped[str] = mapped_column(String(10))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"))
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    text: Mapped[str] = mapped_column(Text, default="")
    html: Mapped[str | None] = mapped_column(Text)  # sanitised; remote images blocked
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    client_key: Mapped[str | None] = mapped_column(String(100))  # "visitor:<id>:<client id>", "draft:<key>", …
    delivery: Mapped[str | None] = mapped_column(String(10))
    delivery_error: Mapped[str | None] = mapped_column(String(1000))
    arrival_id: Mapped[int | None] = mapped_column(Id)


class Attachment(Base):
    __tablename__ = "attachments"
    id: Mapped[int] = _id()
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversations.id"))
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("entries.id"), index=True)
    uploaded_by: Mapped[str] = mapped_column(String(40))  # "operator:3", "visitor:…", "email"
    name: Mapped[str] = mapped_column(String(255))  # safe to show and save
    original_name: Mapped[str] = mapped_column(String(1000), default="")
    media_type: Mapped[str] = mapped_column(String(200))  # sniffed, not as declared
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256; the file's name in the store
    content_id: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime]
    __table_args__ = (
        Index(
            "ix_attachments_unsent",
            "created_at",
            sqlite_where=text("entry_id IS NULL"),
            postgresql_where=text("entry_id IS NULL"),
        ),
    )


class VisitorWindow(Base):
    """A visitor's website is open in a process of the desk. Kept where several processes share the database."""

    __tablename__ = "visitor_windows"
    visitor: Mapped[str] = mapped_column(String(80), primary_key=True)
    process: Mapped[str] = mapped_column(String(40), primary_key=True, index=True)


class WindowProcess(Base):
    """A process that holds visitors' windows; silent for too long, it has died and they are closed."""

    __tablename__ = "window_processes"
    process: Mapped[str] = mapped_column(String(40), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(index=True)


class Draft(Base):
    __tablename__ = "drafts"
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)  # reply or note
    text: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    saved_at: Mapped[datetime]


class Handoff(Base):
    __tablename__ = "handoffs"
    id: Mapped[int] = _id()
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    from_operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    to_operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))  # None: to the queue
    entry_id: Mapped[int] = mapped_column(ForeignKey("entries.id"))
    state: Mapped[str] = mapped_column(String(10))
    offered_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "ix_handoffs_open",
            "expires_at",
            sqlite_where=text("state = 'offered'"),
            postgresql_where=text("state = 'offered'"),
        ),
        Index(
            "ix_handoffs_offered_to",
            "to_operator_id",
            sqlite_where=text("state = 'offered'"),
            postgresql_where=text("state = 'offered'"),
        ),
        Index(
            "uq_handoffs_one_offer",
            "conversation_id",
            unique=True,
            sqlite_where=text("state = 'offered'"),
            postgresql_where=text("state = 'offered'"),
        ),
    )


# --- waits ----------------------------------------------------------------------------------------------------------


class Calendar(Base):
    """One version of the opening hours and targets. Never changed: editing adds a version."""

    __tablename__ = "calendars"
    __table_args__ = (Index("ix_calendars_team", "team_id", "valid_from"),)
    id: Mapped[int] = _id()
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))  # None: the desk's own hours
    valid_from: Mapped[datetime] = mapped_column(index=True)
    zone: Mapped[str] = mapped_column(String(64))
    data: Mapped[dict[str, Any]]  # windows per weekday, holidays, targets: see inbox/waits/hours.py
    created_by: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))


class Wait(Base):
    """One interval in which a customer waited for a person. The lines of `WaitLine` are its history."""

    __tablename__ = "waits"
    id: Mapped[int] = _id()
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("entries.id"))  # what started it
    channel: Mapped[str] = mapped_column(String(10))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))  # whose hours count
    team_since: Mapped[datetime | None]  # when it came from another team; None: it began there
    first: Mapped[bool] = mapped_column(Boolean)  # the first of its conversation
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendars.id"))
    started_at: Mapped[datetime] = mapped_column(index=True)
    warn_after_s: Mapped[int] = mapped_column(Integer)
    target_s: Mapped[int] = mapped_column(Integer)
    warn_at: Mapped[datetime | None]  # None while paused
    due_at: Mapped[datetime | None]
    warned_at: Mapped[datetime | None]
    missed_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]  # an agreed pause is running
    paused_until: Mapped[datetime | None]  # when it ends by itself
    paused_s: Mapped[int] = mapped_column(Integer, default=0)  # open seconds inside ended agreed pauses
    ended_at: Mapped[datetime | None]
    ending: Mapped[str | None] = mapped_column(String(20))
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    ended_entry_id: Mapped[int | None] = mapped_column(ForeignKey("entries.id"))
    wall_s: Mapped[int | None] = mapped_column(Integer)  # the three clocks, computed when it ends
    open_s: Mapped[int | None] = mapped_column(Integer)
    net_s: Mapped[int | None] = mapped_column(Integer)
    told_low_s: Mapped[int | None] = mapped_column(Integer)  # what the visitor was told on arrival
    told_high_s: Mapped[int | None] = mapped_column(Integer)
    __table_args__ = (
        # Only of the ended: without figures SQLite would look for the running ones here, and read them all.
        Index(
            "ix_waits_ended",
            "ended_at",
            sqlite_where=text("ended_at IS NOT NULL"),
            postgresql_where=text("ended_at IS NOT NULL"),
        ),
        Index(
            "uq_waits_one_running",
            "conversation_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_waits_to_warn",
            "warn_at",
            sqlite_where=text("ended_at IS NULL AND warned_at IS NULL"),
            postgresql_where=text("ended_at IS NULL AND warned_at IS NULL"),
        ),
        Index(
            "ix_waits_to_miss",
            "due_at",
            sqlite_where=text("ended_at IS NULL AND missed_at IS NULL"),
            postgresql_where=text("ended_at IS NULL AND missed_at IS NULL"),
        ),
        Index(
            "ix_waits_paused",
            "paused_until",
            sqlite_where=text("paused_until IS NOT NULL"),
            postgresql_where=text("paused_until IS NOT NULL"),
        ),
    )


class WaitLine(Base):
    """The ledger: one line for each thing that happened to a wait. Lines are added, never changed or removed."""

    __tablename__ = "wait_lines"
    id: Mapped[int] = _id()
    wait_id: Mapped[int] = mapped_column(ForeignKey("waits.id"), index=True)
    at: Mapped[datetime]
    step: Mapped[str] = mapped_column(String(12))
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


# --- what people did ------------------------------------------------------------------------------------------------


class PresenceSpan(Base):
    """An operator's presence over time. The open span (`ended_at` is None) says what `operators.presence` says."""

    __tablename__ = "presence_spans"
    __table_args__ = (
        Index("ix_presence_spans_operator", "operator_id", "began_at"),
        Index(
            "uq_presence_spans_one_open",
            "operator_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: Mapped[int] = _id()
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    presence: Mapped[str] = mapped_column(String(20))
    began_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None] = mapped_column(index=True)


class HandlingSpan(Base):
    """Time an operator worked on a conversation, on the telephone hold and wrap-up included."""

    __tablename__ = "handling_spans"
    __table_args__ = (
        Index("ix_handling_spans_operator", "operator_id", "began_at"),
        Index(
            "ix_handling_spans_open",
            "active_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "uq_handling_spans_one_open",
            "operator_id",
            "conversation_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: Mapped[int] = _id()
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    channel: Mapped[str] = mapped_column(String(10))
    began_at: Mapped[datetime] = mapped_column(index=True)
    active_at: Mapped[datetime]  # the last sign of work, or the end of a call that is expected to last
    ended_at: Mapped[datetime | None] = mapped_column(index=True)


class MissedOffer(Base):
    """A conversation that was offered to an operator who did not take it in time."""

    __tablename__ = "missed_offers"
    id: Mapped[int] = _id()
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    offered_at: Mapped[datetime]
    missed_at: Mapped[datetime] = mapped_column(index=True)


class Resolution(Base):
    """Each time a conversation was closed, and when it was opened again. Spam and merged conversations have none."""

    __tablename__ = "resolutions"
    id: Mapped[int] = _id()
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    resolved_at: Mapped[datetime] = mapped_column(index=True)
    reopened_at: Mapped[datetime | None]


class Rating(Base):
    """What the customer thought of it: one for each conversation, the last one counts."""

    __tablename__ = "ratings"
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    score: Mapped[int] = mapped_column(Integer)  # 1 to 5
    words: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(index=True)


# --- staffing -------------------------------------------------------------------------------------------------------


class Shift(Base):
    """When an operator is planned to work: times on the wall of `zone`, dates in ISO 8601.

    `to_minute` counts from midnight of the day it begins on and may pass 1440: a night. A weekly one comes from
    `first_on` to `last_on` (9999-12-31: without end), but on the dates of `left_out`.
    """

    __tablename__ = "shifts"
    __table_args__ = (Index("ix_shifts_operator", "operator_id", "last_on"),)
    id: Mapped[int] = _id()
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    kind: Mapped[str] = mapped_column(String(10))
    zone: Mapped[str] = mapped_column(String(64))
    first_on: Mapped[str] = mapped_column(String(10))
    last_on: Mapped[str] = mapped_column(String(10), index=True)
    weekly: Mapped[bool] = mapped_column(Boolean)
    from_minute: Mapped[int] = mapped_column(Integer)
    to_minute: Mapped[int] = mapped_column(Integer)
    left_out: Mapped[list[Any]] = mapped_column(default=list)
    note: Mapped[str] = mapped_column(String(200), default="")
    created_by: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    created_at: Mapped[datetime]


# --- telephone ------------------------------------------------------------------------------------------------------


class Call(Base):
    """One call, however many events report it. `rank` only rises: ringing 0, missed 1, voicemail 2, answered 3."""

    __tablename__ = "calls"
    __table_args__ = (
        UniqueConstraint("provider", "account", "call_id"),
        Index("ix_calls_direction", "direction", "started_at"),
    )
    id: Mapped[int] = _id()
    provider: Mapped[str] = mapped_column(String(60))
    account: Mapped[str] = mapped_column(String(120))
    call_id: Mapped[str] = mapped_column(String(200))
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversations.id"), index=True)
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("entries.id"))
    direction: Mapped[str] = mapped_column(String(10))
    rank: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str | None] = mapped_column(String(20))
    number: Mapped[str | None] = mapped_column(String(40), index=True)  # E.164; None: withheld
    data: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Callback(Base):
    __tablename__ = "callbacks"
    id: Mapped[int] = _id()
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id"))
    number: Mapped[str | None] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(16))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    due_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    slot_from: Mapped[datetime | None]
    slot_to: Mapped[datetime | None]
    missed_calls: Mapped[int] = mapped_column(Integer, default=0)  # folded into this callback
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)  # the wrap-up form
    __table_args__ = (Index("ix_callbacks_state", "state", "due_at"),)


class CallbackAttempt(Base):
    __tablename__ = "callback_attempts"
    id: Mapped[int] = _id()
    callback_id: Mapped[int] = mapped_column(ForeignKey("callbacks.id"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    started_at: Mapped[datetime]
    outcome: Mapped[str | None] = mapped_column(String(16))
    ended_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(Text, default="")


# --- coming in, going out -------------------------------------------------------------------------------------------


class Arrival(Base):
    """What came in, raw, before it is understood. `dedupe_key` makes a second delivery a no-op."""

    __tablename__ = "arrivals"
    id: Mapped[int] = _id()
    source: Mapped[str] = mapped_column(String(60))  # "smtp", "imap:<mailbox>", "phone:<source>"
    dedupe_key: Mapped[str] = mapped_column(String(200), unique=True)
    received_at: Mapped[datetime] = mapped_column(index=True)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    envelope: Mapped[dict[str, Any]] = mapped_column(default=dict)  # sender, recipients, headers of the request
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    reason: Mapped[str] = mapped_column(String(1000), default="")
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("entries.id"))
    settled_at: Mapped[datetime | None]
    reason_word: Mapped[str | None] = mapped_column(String(60))  # how the reason begins, to count by
    __table_args__ = (
        Index("ix_arrivals_state", "state", "id"),
        Index(
            "ix_arrivals_aside",
            "state",
            "source",
            "reason_word",
            "id",
            sqlite_where=text("state IN ('tray', 'set_aside')"),
            postgresql_where=text("state IN ('tray', 'set_aside')"),
        ),
    )


class Outbox(Base):
    """What must still follow. One handler per row; rows of one conversation and handler run in order."""

    __tablename__ = "outbox"
    id: Mapped[int] = _id()
    handler: Mapped[str] = mapped_column(String(20))
    conversation_id: Mapped[int | None] = mapped_column(Id)
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(String(1000), default="")
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "ix_outbox_queued",
            "handler",
            "next_at",
            "id",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_outbox_order",
            "conversation_id",
            "handler",
            "id",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index("ix_outbox_given_up", "state", "id"),
    )


class MailId(Base):
    """Every Message-ID the desk knows. `ours`: made by us and random, so holding it proves having had the mail."""

    __tablename__ = "mail_ids"
    id: Mapped[int] = _id()
    message_id: Mapped[str] = mapped_column(String(998))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("entries.id"))
    ours: Mapped[bool] = mapped_column(Boolean)
    digest: Mapped[str] = mapped_column(String(64), default="")  # of sender and content: a true copy or not
    __table_args__ = (Index("ix_mail_ids_message_id", "message_id"),)


class PlannedReply(Base):
    """An answer that leaves at a chosen time. Only then it becomes an entry; until then it ends no wait."""

    __tablename__ = "planned_replies"
    __table_args__ = (
        Index(
            "ix_planned_replies_due",
            "send_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )
    id: Mapped[int] = _id()
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    client_key: Mapped[str] = mapped_column(String(100), unique=True)  # made with the draft
    state: Mapped[str] = mapped_column(String(10))
    send_at: Mapped[datetime]
    seen: Mapped[int] = mapped_column(Integer)  # newest entry its author had on the screen
    text: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)  # chosen recipients, files, what follows the sending
    held_because: Mapped[str | None] = mapped_column(String(20))
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("entries.id"))  # what it became
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class DeskMail(Base):
    """A mail that the desk writes by itself to one person: reports, surveys. It stands in no timeline."""

    __tablename__ = "desk_mails"
    id: Mapped[int] = _id()
    client_key: Mapped[str] = mapped_column(String(200), unique=True)  # the same key is one mail
    topic: Mapped[str] = mapped_column(String(40))  # what somebody can unsubscribe from
    address: Mapped[str] = mapped_column(String(400))
    name: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(10), default="en")
    subject: Mapped[str] = mapped_column(String(1000))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(998), index=True)
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversations.id"), index=True)
    delivery: Mapped[str] = mapped_column(String(10))
    said: Mapped[str] = mapped_column(String(1000), default="")  # the mail server's last words
    created_at: Mapped[datetime] = mapped_column(index=True)
    sent_at: Mapped[datetime | None]


class MailStop(Base):
    """An address that gets no more mail of a topic; the topic "" stands for all that the desk writes by itself."""

    __tablename__ = "mail_stops"
    __table_args__ = (UniqueConstraint("address", "topic"),)
    id: Mapped[int] = _id()
    address: Mapped[str] = mapped_column(String(320))  # folded
    topic: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]


class WatchedMailbox(Base):
    """A mailbox on a mail server: how far it has been read, how it does, and which process watches it."""

    __tablename__ = "watched_mailboxes"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)  # as configured
    folder: Mapped[str] = mapped_column(String(255), default="")
    uid_validity: Mapped[int | None] = mapped_column(BigInteger)  # None: never connected
    last_uid: Mapped[int | None] = mapped_column(BigInteger)
    moved_at: Mapped[datetime | None]  # when `last_uid` was set
    first_validity: Mapped[int | None] = mapped_column(BigInteger)  # up to `first_uid` all was there before us
    first_uid: Mapped[int | None] = mapped_column(BigInteger)
    first_at: Mapped[datetime | None]
    connected: Mapped[bool] = mapped_column(Boolean, default=False)
    state_since: Mapped[datetime | None]
    trouble: Mapped[str] = mapped_column(String(20), default="")
    said: Mapped[str] = mapped_column(String(500), default="")  # the server's own words
    mail_at: Mapped[datetime | None]  # when the newest mail was taken
    leased_by: Mapped[str] = mapped_column(String(60), default="")
    leased_until: Mapped[datetime | None]


class MailAccount(Base):
    """An account at a provider to which somebody has consented: its tokens, encrypted, and how it does."""

    __tablename__ = "mail_accounts"
    name: Mapped[str] = mapped_column(String(380), primary_key=True)  # "google:help@shop.example"
    connected_as: Mapped[str] = mapped_column(String(320), default="")  # who signed in at the provider
    tokens: Mapped[str] = mapped_column(Text, default="")
    expires_at: Mapped[datetime | None]  # of the access token
    connected_at: Mapped[datetime | None]
    connected_by: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    trouble: Mapped[str] = mapped_column(String(20), default="")
    said: Mapped[str] = mapped_column(String(500), default="")
    trouble_at: Mapped[datetime | None]
    leased_by: Mapped[str] = mapped_column(String(60), default="")  # who is asking for new tokens
    leased_until: Mapped[datetime | None]


class MailJob(Base):
    """Work on a whole mailbox: taking old mail in, comparing. `result` is for people; a lease that ran out goes on."""

    __tablename__ = "mail_jobs"
    id: Mapped[int] = _id()
    kind: Mapped[str] = mapped_column(String(10))
    mailbox: Mapped[str] = mapped_column(String(60), index=True)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(10))
    total: Mapped[int] = mapped_column(Integer, default=0)
    done: Mapped[int] = mapped_column(Integer, default=0)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str] = mapped_column(String(1000), default="")
    tries: Mapped[int] = mapped_column(Integer, default=0)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    leased_by: Mapped[str] = mapped_column(String(60), default="")
    leased_until: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "ix_mail_jobs_open",
            "id",
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )


class AutoreplyDecision(Base):
    """What the automatic reply decided, and why: shown on the conversation."""

    __tablename__ = "autoreply_decisions"
    id: Mapped[int] = _id()
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    wait_id: Mapped[int | None] = mapped_column(ForeignKey("waits.id"))
    address: Mapped[str] = mapped_column(String(320), default="")
    sent: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(String(200))
    text_name: Mapped[str] = mapped_column(String(60), default="")
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("entries.id"))
    at: Mapped[datetime]
    __table_args__ = (
        Index("ix_autoreply_address", "address", "at"),
        Index(
            "uq_autoreply_once",
            "wait_id",
            "text_name",
            unique=True,
            sqlite_where=text("sent"),
            postgresql_where=text("sent"),
        ),
    )


class Tag(Base):
    __tablename__ = "tags"
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True, index=True)


class Setting(Base):
    """What administrators change while the desk runs. What the process needs to start stands in config.toml."""

    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[dict[str, Any]]
    changed_at: Mapped[datetime]


class WallboardLink(Base):
    __tablename__ = "wallboard_links"
    id: Mapped[int] = _id()
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    hide_names: Mapped[bool] = mapped_column(Boolean, default=False)
    created_by: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


# --- alarms ---------------------------------------------------------------------------------------------------------


class AlarmNotice(Base):
    """One person or webhook told once, by one means, of one step of the rules about one wait."""

    __tablename__ = "alarm_notices"
    __table_args__ = (
        UniqueConstraint("wait_id", "step", "means", "recipient"),
        Index("ix_alarm_notices_recipient", "means", "recipient", "state", "due_at"),
    )
    id: Mapped[int] = _id()
    wait_id: Mapped[int] = mapped_column(ForeignKey("waits.id"))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    step: Mapped[str] = mapped_column(String(20))
    means: Mapped[str] = mapped_column(String(10))
    recipient: Mapped[str] = mapped_column(String(80))  # "operator:3", "webhook:on-call"
    state: Mapped[str] = mapped_column(String(10))
    error: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime] = mapped_column(index=True)
    due_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class PushSubscription(Base):
    """A browser of an operator that wants alarms by web push (RFC 8030)."""

    __tablename__ = "push_subscriptions"
    id: Mapped[int] = _id()
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of the endpoint
    endpoint: Mapped[str] = mapped_column(String(2000))
    p256dh: Mapped[str] = mapped_column(String(200))
    auth: Mapped[str] = mapped_column(String(60))
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime]


# --- reports --------------------------------------------------------------------------------------------------------


class Touchpoint(Base):
    """By which page of a site, support address or telephone line customers come."""

    __tablename__ = "touchpoints"
    __table_args__ = (UniqueConstraint("channel", "name"),)
    id: Mapped[int] = _id()
    channel: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(200))


class ReportSeal(Base):
    """One row: what began before this moment is counted by packs; triggers note every later change to it."""

    __tablename__ = "report_seals"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sealed_before: Mapped[datetime]


class ReportChange(Base):
    """How often the rows of a sealed day were changed. Written by triggers alone: inbox/store/report_triggers.py."""

    __tablename__ = "report_changes"
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    day: Mapped[int] = mapped_column(Integer, primary_key=True)  # days since 1970, in UTC
    changes: Mapped[int] = mapped_column(BigInteger)


class ReportPack(Base):
    """What reports need of one day's rows, packed. It counts only while `changes` is what `ReportChange` says."""

    __tablename__ = "report_packs"
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    day: Mapped[int] = mapped_column(Integer, primary_key=True)
    changes: Mapped[int] = mapped_column(BigInteger)
    layout: Mapped[int] = mapped_column(Integer)  # of `data`
    facts: Mapped[int] = mapped_column(Integer)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class ReportMail(Base):
    """The weekly mails that have been put on their way: one row for each week, so that none goes out twice."""

    __tablename__ = "report_mails"
    week: Mapped[str] = mapped_column(String(10), primary_key=True)  # the Monday it tells of, ISO
    made_at: Mapped[datetime]


report_triggers.follow(Base.metadata)
