"""The first desk: people, conversations, waits, calls, arrivals and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "operators",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=300), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("preferences", sa.JSON(), nullable=False),
        sa.Column("presence", sa.String(length=20), nullable=False),
        sa.Column("presence_since", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
        sa.UniqueConstraint("email", name=op.f("uq_operators_email")),
    )
    op.create_table(
        "organisations",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
    )
    op.create_index(op.f("ix_organisations_name"), "organisations", ["name"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("handler", sa.String(length=20), nullable=False),
        sa.Column("conversation_id", ID, nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_given_up", "outbox", ["state", "id"], unique=False)
    op.create_index(
        "ix_outbox_order",
        "outbox",
        ["conversation_id", "handler", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_outbox_queued",
        "outbox",
        ["handler", "next_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )
    op.create_table(
        "teams",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("name", name=op.f("uq_teams_name")),
    )
    op.create_table(
        "audit_lines",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("operator_id", ID, nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_audit_lines_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_lines")),
    )
    op.create_index(op.f("ix_audit_lines_at"), "audit_lines", ["at"], unique=False)
    op.create_table(
        "calendars",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_by", ID, nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["operators.id"], name=op.f("fk_calendars_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendars")),
    )
    op.create_index(op.f("ix_calendars_valid_from"), "calendars", ["valid_from"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=True),
        sa.Column("zone", sa.String(length=64), nullable=True),
        sa.Column("tier", sa.String(length=40), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("organisation_id", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_contacts_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "operator_sessions",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.Column("remote", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_operator_sessions_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_sessions")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_operator_sessions_token_digest")),
    )
    op.create_index(op.f("ix_operator_sessions_operator_id"), "operator_sessions", ["operator_id"], unique=False)
    op.create_table(
        "team_members",
        sa.Column("team_id", ID, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_team_members_operator_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_members_team_id")),
        sa.PrimaryKeyConstraint("team_id", "operator_id", name=op.f("pk_team_members")),
    )
    op.create_table(
        "wallboard_links",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("hide_names", sa.Boolean(), nullable=False),
        sa.Column("created_by", ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["operators.id"], name=op.f("fk_wallboard_links_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallboard_links")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_wallboard_links_token_digest")),
    )
    op.create_table(
        "addresses",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("value", sa.String(length=320), nullable=False),
        sa.Column("written", sa.String(length=400), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_addresses_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_addresses_kind_value")),
    )
    op.create_index(op.f("ix_addresses_contact_id"), "addresses", ["contact_id"], unique=False)
    op.create_table(
        "conversations",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("subject", sa.String(length=1000), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("spam", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=True),
        sa.Column("owner_id", ID, nullable=True),
        sa.Column("team_id", ID, nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("snippet", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("active_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("snoozed_until", sa.BigInteger(), nullable=True),
        sa.Column("answer_by", sa.String(length=10), nullable=True),
        sa.Column("wait_id", ID, nullable=True),
        sa.Column("waiting_since", sa.BigInteger(), nullable=True),
        sa.Column("warn_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("queue_key", sa.BigInteger(), nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("reply_token", sa.String(length=32), nullable=False),
        sa.Column("visitor_seen", sa.Integer(), nullable=False),
        sa.Column("visitor_left_at", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("merged_into_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_conversations_contact_id")),
        sa.ForeignKeyConstraint(["merged_into_id"], ["conversations.id"], name=op.f("fk_conversations_merged_into_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["operators.id"], name=op.f("fk_conversations_owner_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_conversations_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("reply_token", name=op.f("uq_conversations_reply_token")),
    )
    op.create_index(op.f("ix_conversations_contact_id"), "conversations", ["contact_id"], unique=False)
    op.create_index(
        "ix_conversations_left",
        "conversations",
        ["visitor_left_at"],
        unique=False,
        sqlite_where=sa.text("visitor_left_at IS NOT NULL"),
        postgresql_where=sa.text("visitor_left_at IS NOT NULL"),
    )
    op.create_index("ix_conversations_owner", "conversations", ["owner_id", "status", "queue_key", "id"], unique=False)
    op.create_index("ix_conversations_queue", "conversations", ["status", "queue_key", "id"], unique=False)
    op.create_index(
        "ix_conversations_snoozed",
        "conversations",
        ["snoozed_until"],
        unique=False,
        sqlite_where=sa.text("snoozed_until IS NOT NULL"),
        postgresql_where=sa.text("snoozed_until IS NOT NULL"),
    )
    op.create_table(
        "callbacks",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("owner_id", ID, nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("slot_from", sa.BigInteger(), nullable=True),
        sa.Column("slot_to", sa.BigInteger(), nullable=True),
        sa.Column("missed_calls", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_callbacks_contact_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_callbacks_conversation_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["operators.id"], name=op.f("fk_callbacks_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callbacks")),
    )
    op.create_index(op.f("ix_callbacks_conversation_id"), "callbacks", ["conversation_id"], unique=False)
    op.create_index("ix_callbacks_state", "callbacks", ["state", "due_at"], unique=False)
    op.create_table(
        "drafts",
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_drafts_conversation_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_drafts_operator_id")),
        sa.PrimaryKeyConstraint("conversation_id", "operator_id", "kind", name=op.f("pk_drafts")),
    )
    op.create_table(
        "entries",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=True),
        sa.Column("author", sa.String(length=10), nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("operator_id", ID, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("client_key", sa.String(length=100), nullable=True),
        sa.Column("delivery", sa.String(length=10), nullable=True),
        sa.Column("delivery_error", sa.String(length=1000), nullable=True),
        sa.Column("arrival_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_entries_contact_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_entries_conversation_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_entries_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("client_key", name=op.f("uq_entries_client_key")),
        sa.UniqueConstraint("conversation_id", "number", name=op.f("uq_entries_conversation_id_number")),
    )
    op.create_index(
        "ix_entries_undelivered",
        "entries",
        ["id"],
        unique=False,
        sqlite_where=sa.text("delivery = 'failed'"),
        postgresql_where=sa.text("delivery = 'failed'"),
    )
    op.create_table(
        "participants",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("address_id", ID, nullable=False),
        sa.Column("new_since", sa.Integer(), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name=op.f("fk_participants_address_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_participants_conversation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participants")),
        sa.UniqueConstraint("conversation_id", "address_id", name=op.f("uq_participants_conversation_id_address_id")),
    )
    op.create_index(op.f("ix_participants_address_id"), "participants", ["address_id"], unique=False)
    op.create_table(
        "tags",
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_tags_conversation_id")),
        sa.PrimaryKeyConstraint("conversation_id", "name", name=op.f("pk_tags")),
    )
    op.create_index(op.f("ix_tags_name"), "tags", ["name"], unique=False)
    op.create_table(
        "arrivals",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.Column("dedupe_key", sa.String(length=200), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("entry_id", ID, nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_arrivals_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrivals")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_arrivals_dedupe_key")),
    )
    op.create_index(op.f("ix_arrivals_received_at"), "arrivals", ["received_at"], unique=False)
    op.create_index("ix_arrivals_state", "arrivals", ["state", "id"], unique=False)
    op.create_table(
        "attachments",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", ID, nullable=True),
        sa.Column("entry_id", ID, nullable=True),
        sa.Column("uploaded_by", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("original_name", sa.String(length=1000), nullable=False),
        sa.Column("media_type", sa.String(length=200), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content_id", sa.String(length=300), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_attachments_conversation_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_attachments_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    op.create_index(op.f("ix_attachments_entry_id"), "attachments", ["entry_id"], unique=False)
    op.create_table(
        "callback_attempts",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("callback_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["callback_id"], ["callbacks.id"], name=op.f("fk_callback_attempts_callback_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_callback_attempts_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_attempts")),
    )
    op.create_index(op.f("ix_callback_attempts_callback_id"), "callback_attempts", ["callback_id"], unique=False)
    op.create_table(
        "calls",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("provider", sa.String(length=60), nullable=False),
        sa.Column("account", sa.String(length=120), nullable=False),
        sa.Column("call_id", sa.String(length=200), nullable=False),
        sa.Column("conversation_id", ID, nullable=True),
        sa.Column("entry_id", ID, nullable=True),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("number", sa.String(length=40), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_calls_conversation_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_calls_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        sa.UniqueConstraint("provider", "account", "call_id", name=op.f("uq_calls_provider_account_call_id")),
    )
    op.create_index(op.f("ix_calls_conversation_id"), "calls", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_calls_number"), "calls", ["number"], unique=False)
    op.create_table(
        "handoffs",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("from_operator_id", ID, nullable=False),
        sa.Column("to_operator_id", ID, nullable=True),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("offered_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_handoffs_conversation_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_handoffs_entry_id")),
        sa.ForeignKeyConstraint(["from_operator_id"], ["operators.id"], name=op.f("fk_handoffs_from_operator_id")),
        sa.ForeignKeyConstraint(["to_operator_id"], ["operators.id"], name=op.f("fk_handoffs_to_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handoffs")),
    )
    op.create_index(op.f("ix_handoffs_conversation_id"), "handoffs", ["conversation_id"], unique=False)
    op.create_index(
        "ix_handoffs_offered_to",
        "handoffs",
        ["to_operator_id"],
        unique=False,
        sqlite_where=sa.text("state = 'offered'"),
        postgresql_where=sa.text("state = 'offered'"),
    )
    op.create_index(
        "ix_handoffs_open",
        "handoffs",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'offered'"),
        postgresql_where=sa.text("state = 'offered'"),
    )
    op.create_index(
        "uq_handoffs_one_offer",
        "handoffs",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("state = 'offered'"),
        postgresql_where=sa.text("state = 'offered'"),
    )
    op.create_table(
        "mail_ids",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=998), nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=True),
        sa.Column("ours", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_mail_ids_conversation_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_mail_ids_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_ids")),
    )
    op.create_index(op.f("ix_mail_ids_conversation_id"), "mail_ids", ["conversation_id"], unique=False)
    op.create_index("ix_mail_ids_message_id", "mail_ids", ["message_id"], unique=False)
    op.create_table(
        "waits",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=True),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("team_id", ID, nullable=True),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("calendar_id", ID, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("warn_after_s", sa.Integer(), nullable=False),
        sa.Column("target_s", sa.Integer(), nullable=False),
        sa.Column("warn_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.Column("missed_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_s", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ending", sa.String(length=20), nullable=True),
        sa.Column("ended_by", ID, nullable=True),
        sa.Column("ended_entry_id", ID, nullable=True),
        sa.Column("wall_s", sa.Integer(), nullable=True),
        sa.Column("open_s", sa.Integer(), nullable=True),
        sa.Column("net_s", sa.Integer(), nullable=True),
        sa.Column("told_low_s", sa.Integer(), nullable=True),
        sa.Column("told_high_s", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], name=op.f("fk_waits_calendar_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_waits_conversation_id")),
        sa.ForeignKeyConstraint(["ended_by"], ["operators.id"], name=op.f("fk_waits_ended_by")),
        sa.ForeignKeyConstraint(["ended_entry_id"], ["entries.id"], name=op.f("fk_waits_ended_entry_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_waits_entry_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_waits_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waits")),
    )
    op.create_index(op.f("ix_waits_conversation_id"), "waits", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_waits_ended_at"), "waits", ["ended_at"], unique=False)
    op.create_index(op.f("ix_waits_started_at"), "waits", ["started_at"], unique=False)
    op.create_index(
        "ix_waits_to_miss",
        "waits",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL AND missed_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL AND missed_at IS NULL"),
    )
    op.create_index(
        "ix_waits_to_warn",
        "waits",
        ["warn_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL AND warned_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL AND warned_at IS NULL"),
    )
    op.create_index(
        "uq_waits_one_running",
        "waits",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "autoreply_decisions",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("wait_id", ID, nullable=True),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("text_name", sa.String(length=60), nullable=False),
        sa.Column("entry_id", ID, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_autoreply_decisions_conversation_id")
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_autoreply_decisions_entry_id")),
        sa.ForeignKeyConstraint(["wait_id"], ["waits.id"], name=op.f("fk_autoreply_decisions_wait_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_autoreply_decisions")),
    )
    op.create_index("ix_autoreply_address", "autoreply_decisions", ["address", "at"], unique=False)
    op.create_index(
        op.f("ix_autoreply_decisions_conversation_id"), "autoreply_decisions", ["conversation_id"], unique=False
    )
    op.create_index(
        "uq_autoreply_once",
        "autoreply_decisions",
        ["wait_id", "text_name"],
        unique=True,
        sqlite_where=sa.text("sent"),
        postgresql_where=sa.text("sent"),
    )
    op.create_table(
        "wait_lines",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("wait_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(length=12), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["wait_id"], ["waits.id"], name=op.f("fk_wait_lines_wait_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wait_lines")),
    )
    op.create_index(op.f("ix_wait_lines_wait_id"), "wait_lines", ["wait_id"], unique=False)


def downgrade() -> None:
    op.drop_table("wait_lines")
    op.drop_table("autoreply_decisions")
    op.drop_table("waits")
    op.drop_table("mail_ids")
    op.drop_table("handoffs")
    op.drop_table("calls")
    op.drop_table("callback_attempts")
    op.drop_table("attachments")
    op.drop_table("arrivals")
    op.drop_table("tags")
    op.drop_table("participants")
    op.drop_table("entries")
    op.drop_table("drafts")
    op.drop_table("callbacks")
    op.drop_table("conversations")
    op.drop_table("addresses")
    op.drop_table("wallboard_links")
    op.drop_table("team_members")
    op.drop_table("operator_sessions")
    op.drop_table("contacts")
    op.drop_table("calendars")
    op.drop_table("audit_lines")
    op.drop_table("teams")
    op.drop_table("settings")
    op.drop_table("outbox")
    op.drop_table("organisations")
    op.drop_table("operators")
