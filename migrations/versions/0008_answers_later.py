"""Answers that leave later, mail that the desk writes by itself, and who wants none of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mail_stops",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_stops")),
        sa.UniqueConstraint("address", "topic", name=op.f("uq_mail_stops_address_topic")),
    )
    op.create_table(
        "desk_mails",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("client_key", sa.String(length=200), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=400), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=1000), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("message_id", sa.String(length=998), nullable=False),
        sa.Column("conversation_id", ID, nullable=True),
        sa.Column("delivery", sa.String(length=10), nullable=False),
        sa.Column("said", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_desk_mails_conversation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_mails")),
        sa.UniqueConstraint("client_key", name=op.f("uq_desk_mails_client_key")),
    )
    op.create_index(op.f("ix_desk_mails_conversation_id"), "desk_mails", ["conversation_id"])
    op.create_index(op.f("ix_desk_mails_created_at"), "desk_mails", ["created_at"])
    op.create_index(op.f("ix_desk_mails_message_id"), "desk_mails", ["message_id"])

    op.create_table(
        "planned_replies",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("client_key", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("send_at", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("held_because", sa.String(length=20), nullable=True),
        sa.Column("entry_id", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_planned_replies_conversation_id")
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_planned_replies_entry_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_planned_replies_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_planned_replies")),
        sa.UniqueConstraint("client_key", name=op.f("uq_planned_replies_client_key")),
    )
    op.create_index(op.f("ix_planned_replies_conversation_id"), "planned_replies", ["conversation_id"])
    op.create_index(
        "ix_planned_replies_due",
        "planned_replies",
        ["send_at"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:

    op.drop_table("planned_replies")

    op.drop_table("desk_mails")
    op.drop_table("mail_stops")
