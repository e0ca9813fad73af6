"""Running waits are found by the index of what is due next, not by that of the ended ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ENDED = sa.text("ended_at IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_waits_ended_at", "waits")
    op.create_index("ix_waits_ended", "waits", ["ended_at"], unique=False, sqlite_where=ENDED, postgresql_where=ENDED)


def downgrade() -> None:
    op.drop_index("ix_waits_ended", "waits")
    op.create_index("ix_waits_ended_at", "waits", ["ended_at"], unique=False)
