"""Visitors who are away, senders whose pictures are shown, and uploads that nobody sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "visitor_windows",
        sa.Column("visitor", sa.String(length=80), nullable=False),
        sa.Column("process", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("visitor", "process", name=op.f("pk_visitor_windows")),
    )
    op.create_index(op.f("ix_visitor_windows_process"), "visitor_windows", ["process"])

    op.create_table(
        "window_processes",
        sa.Column("process", sa.String(length=40), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("process", name=op.f("pk_window_processes")),
    )
    op.create_index(op.f("ix_window_processes_seen_at"), "window_processes", ["seen_at"])

    with op.batch_alter_table("addresses") as batch_op:
        batch_op.add_column(sa.Column("shows_images", sa.Boolean(), server_default=sa.false(), nullable=False))

    with op.batch_alter_table("attachments") as batch_op:
        batch_op.create_index(
            "ix_attachments_unsent",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("entry_id IS NULL"),
            postgresql_where=sa.text("entry_id IS NULL"),
        )

    with op.batch_alter_table("conversations") as batch_op:
        batch_op.add_column(sa.Column("visitor_away_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("unread_since", sa.BigInteger(), nullable=True))
        batch_op.create_index(
            "ix_conversations_unread_since",
            ["unread_since"],
            unique=False,
            sqlite_where=sa.text("unread_since IS NOT NULL"),
            postgresql_where=sa.text("unread_since IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("conversations") as batch_op:
        batch_op.drop_index(
            "ix_conversations_unread_since",
            sqlite_where=sa.text("unread_since IS NOT NULL"),
            postgresql_where=sa.text("unread_since IS NOT NULL"),
        )
        batch_op.drop_column("unread_since")
        batch_op.drop_column("visitor_away_at")

    with op.batch_alter_table("attachments") as batch_op:
        batch_op.drop_index(
            "ix_attachments_unsent",
            sqlite_where=sa.text("entry_id IS NULL"),
            postgresql_where=sa.text("entry_id IS NULL"),
        )

    with op.batch_alter_table("addresses") as batch_op:
        batch_op.drop_column("shows_images")

    op.drop_table("window_processes")

    op.drop_table("visitor_windows")
