"""A pause that was agreed ends by itself when its time has come."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IS_SET = sa.text("paused_until IS NOT NULL")


def upgrade() -> None:
    op.add_column("waits", sa.Column("paused_until", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_waits_paused", "waits", ["paused_until"], unique=False, sqlite_where=IS_SET, postgresql_where=IS_SET
    )

    # What was agreed stands in the last line that says so.
    waits = sa.table("waits", sa.column("id"), sa.column("paused_at"), sa.column("paused_until"))
    lines = sa.table(
        "wait_lines", sa.column("id"), sa.column("wait_id"), sa.column("step"), sa.column("data", sa.JSON())
    )
    conn = op.get_bind()
    agreed = conn.execute(
        sa.select(lines.c.wait_id, lines.c.data)
        .join(waits, waits.c.id == lines.c.wait_id)
        .where(waits.c.paused_at.is_not(None), lines.c.step == "paused")
        .order_by(lines.c.id)
    ).all()
    for line in agreed:
        until = (line.data or {}).get("until")
        if until:
            since = datetime.fromisoformat(until).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
            micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
            conn.execute(sa.update(waits).where(waits.c.id == line.wait_id).values(paused_until=micros))


def downgrade() -> None:
    op.drop_index("ix_waits_paused", "waits")
    op.drop_column("waits", "paused_until")
