"""Alarms reach people by push, mail and webhook, each once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "push_subscriptions",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(length=2000), nullable=False),
        sa.Column("p256dh", sa.String(length=200), nullable=False),
        sa.Column("auth", sa.String(length=60), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_push_subscriptions_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscriptions")),
        sa.UniqueConstraint("digest", name=op.f("uq_push_subscriptions_digest")),
    )
    op.create_index(op.f("ix_push_subscriptions_operator_id"), "push_subscriptions", ["operator_id"])

    op.create_table(
        "alarm_notices",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("wait_id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("means", sa.String(length=10), nullable=False),
        sa.Column("recipient", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("error", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_alarm_notices_conversation_id")
        ),
        sa.ForeignKeyConstraint(["wait_id"], ["waits.id"], name=op.f("fk_alarm_notices_wait_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_notices")),
        sa.UniqueConstraint(
            "wait_id", "step", "means", "recipient", name=op.f("uq_alarm_notices_wait_id_step_means_recipient")
        ),
    )
    op.create_index(op.f("ix_alarm_notices_conversation_id"), "alarm_notices", ["conversation_id"])
    op.create_index(op.f("ix_alarm_notices_created_at"), "alarm_notices", ["created_at"])
    op.create_index("ix_alarm_notices_recipient", "alarm_notices", ["means", "recipient", "state", "due_at"])


def downgrade() -> None:

    op.drop_table("alarm_notices")

    op.drop_table("push_subscriptions")
