"""The desk remembers what people did: presence, handling, offers, resolutions, ratings; hours of a team."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "presence_spans",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("presence", sa.String(length=20), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_presence_spans_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_presence_spans")),
    )
    op.create_index(op.f("ix_presence_spans_began_at"), "presence_spans", ["began_at"])
    op.create_index(op.f("ix_presence_spans_ended_at"), "presence_spans", ["ended_at"])
    op.create_index("ix_presence_spans_operator", "presence_spans", ["operator_id", "began_at"])

    op.create_table(
        "handling_spans",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_handling_spans_conversation_id")
        ),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_handling_spans_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handling_spans")),
    )
    op.create_index(op.f("ix_handling_spans_began_at"), "handling_spans", ["began_at"])
    op.create_index(op.f("ix_handling_spans_conversation_id"), "handling_spans", ["conversation_id"])
    op.create_index(op.f("ix_handling_spans_ended_at"), "handling_spans", ["ended_at"])
    op.create_index("ix_handling_spans_operator", "handling_spans", ["operator_id", "began_at"])

    op.create_table(
        "missed_offers",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("offered_at", sa.BigInteger(), nullable=False),
        sa.Column("missed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_missed_offers_conversation_id")
        ),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_missed_offers_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_missed_offers")),
    )
    op.create_index(op.f("ix_missed_offers_conversation_id"), "missed_offers", ["conversation_id"])
    op.create_index(op.f("ix_missed_offers_missed_at"), "missed_offers", ["missed_at"])

    op.create_table(
        "ratings",
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("operator_id", ID, nullable=True),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_ratings_conversation_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_ratings_operator_id")),
        sa.PrimaryKeyConstraint("conversation_id", name=op.f("pk_ratings")),
    )
    op.create_index(op.f("ix_ratings_at"), "ratings", ["at"])

    op.create_table(
        "resolutions",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("conversation_id", ID, nullable=False),
        sa.Column("operator_id", ID, nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=False),
        sa.Column("reopened_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_resolutions_conversation_id")),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_resolutions_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resolutions")),
    )
    op.create_index(op.f("ix_resolutions_conversation_id"), "resolutions", ["conversation_id"])
    op.create_index(op.f("ix_resolutions_resolved_at"), "resolutions", ["resolved_at"])

    with op.batch_alter_table("calendars") as batch_op:
        batch_op.add_column(sa.Column("team_id", ID, nullable=True))
        batch_op.create_index("ix_calendars_team", ["team_id", "valid_from"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_calendars_team_id"), "teams", ["team_id"], ["id"])

    # What is known of the past: where everybody is now, and what is closed at this moment.
    op.execute(
        "INSERT INTO presence_spans (operator_id, presence, began_at)"
        " SELECT id, presence, presence_since FROM operators"
    )
    op.execute(
        "INSERT INTO resolutions (conversation_id, resolved_at) SELECT id, closed_at FROM conversations"
        " WHERE closed_at IS NOT NULL AND merged_into_id IS NULL AND NOT spam"
    )


def downgrade() -> None:
    with op.batch_alter_table("calendars") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_calendars_team_id"), type_="foreignkey")
        batch_op.drop_index("ix_calendars_team")
        batch_op.drop_column("team_id")

    op.drop_table("resolutions")

    op.drop_table("ratings")

    op.drop_table("missed_offers")

    op.drop_table("handling_spans")

    op.drop_table("presence_spans")
