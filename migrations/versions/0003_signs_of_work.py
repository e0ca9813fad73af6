"""Handling ends when nothing is done; a wait remembers when it changed teams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("handling_spans") as batch_op:
        batch_op.add_column(sa.Column("active_at", sa.BigInteger(), nullable=True))

    op.execute("UPDATE handling_spans SET active_at = COALESCE(ended_at, began_at)")

    with op.batch_alter_table("handling_spans") as batch_op:
        batch_op.alter_column("active_at", existing_type=sa.BigInteger(), nullable=False)
        batch_op.create_index(
            "ix_handling_spans_open",
            ["active_at"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(
            "uq_handling_spans_one_open",
            ["operator_id", "conversation_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    with op.batch_alter_table("presence_spans") as batch_op:
        batch_op.create_index(
            "uq_presence_spans_one_open",
            ["operator_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    with op.batch_alter_table("waits") as batch_op:
        batch_op.add_column(sa.Column("team_since", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("waits") as batch_op:
        batch_op.drop_column("team_since")

    with op.batch_alter_table("presence_spans") as batch_op:
        batch_op.drop_index(
            "uq_presence_spans_one_open",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    with op.batch_alter_table("handling_spans") as batch_op:
        batch_op.drop_index(
            "uq_handling_spans_one_open",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_handling_spans_open",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.drop_column("active_at")
