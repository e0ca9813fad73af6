"""A row that goes to another day changes the day it leaves, too: reports made of packed days counted it twice."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

DAY_MICROS = 86_400_000_000
MOVABLE = (
    ("waits", "waits", "started_at"),
    ("resolutions", "resolutions", "resolved_at"),
    ("handling", "handling_spans", "began_at"),
    ("ratings", "ratings", "at"),
    ("calls", "calls", "started_at"),
    ("callbacks", "callbacks", "created_at"),
)


def upgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for kind, table, column in MOVABLE:
        for statement in (sqlite if on_sqlite else postgresql)(kind, table, column):
            op.get_bind().exec_driver_sql(statement)
    op.execute("DELETE FROM report_packs WHERE kind IN ('waits', 'ratings')")  # made anew from the rows


def downgrade() -> None:
    for _, table, _ in MOVABLE:
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER report_{table}_moved")
        else:
            op.execute(f"DROP TRIGGER report_{table}_moved ON {table}")
            op.execute(f"DROP FUNCTION report_{table}_moved()")


def sqlite(kind: str, table: str, column: str) -> list[str]:
    return [
        f"CREATE TRIGGER report_{table}_moved AFTER UPDATE OF {column} ON {table}\n"
        f"WHEN OLD.{column} <> NEW.{column} AND OLD.{column} < (SELECT sealed_before FROM report_seals) BEGIN\n"
        f"INSERT INTO report_changes VALUES ('{kind}', OLD.{column} / {DAY_MICROS}, 1)\n"
        "ON CONFLICT DO UPDATE SET changes = changes + 1;\nEND"
    ]


def postgresql(kind: str, table: str, column: str) -> list[str]:
    return [
        f"CREATE FUNCTION report_{table}_moved() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        f"BEGIN\nIF OLD.{column} < (SELECT sealed_before FROM report_seals) THEN\n"
        f"INSERT INTO report_changes AS known VALUES ('{kind}', OLD.{column} / {DAY_MICROS}, 1)\n"
        "ON CONFLICT (kind, day) DO UPDATE SET changes = known.changes + 1;\n"
        "END IF;\nRETURN NULL;\nEND $$",
        f"CREATE TRIGGER report_{table}_moved AFTER UPDATE OF {column} ON {table} FOR EACH ROW "
        f"WHEN (OLD.{column} <> NEW.{column}) EXECUTE FUNCTION report_{table}_moved()",
    ]
