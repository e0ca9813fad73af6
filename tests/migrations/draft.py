"""Draft the next migration: `python -m tests.migrations.draft 0002 "Promises remember who made them."`

Prints the step from the newest revision to the models, to be read, corrected and saved by a person under
migrations/versions/. With `--from base` it prints the whole schema.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, TypeDecorator, create_engine

from inbox.store.models import Base, Id
from migrations.run import upgrade


def render_type(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Migrations import no application code, so our types appear as what they are in the database."""
    if kind != "type":
        return False
    if isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    if isinstance(item, BigInteger) and item._variant_mapping == Id._variant_mapping and item._variant_mapping:
        return "ID"
    return False


def draft(number: str, sentence: str, after: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'draft.sqlite'}"
        if after != "base":
            upgrade(url, after)
        engine = create_engine(url)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            steps = produce_migrations(context, Base.metadata)
            down_revision = context.get_current_revision()
        engine.dispose()
    assert steps.upgrade_ops is not None
    assert steps.downgrade_ops is not None
    batch = after != "base"  # SQLite alters a table by copying it
    up = render_python_code(steps.upgrade_ops, render_item=render_type, render_as_batch=batch)
    down = render_python_code(steps.downgrade_ops, render_item=render_type, render_as_batch=batch)
    return f'''"""{sentence}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {f'"{down_revision}"' if down_revision else None}
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}
'''


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number")
    parser.add_argument("sentence")
    parser.add_argument("--from", dest="after", default="head")
    given = parser.parse_args()
    print(draft(given.number, given.sentence, given.after))
