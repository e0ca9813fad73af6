"""Triggers that count the changes to days whose facts reports have packed (see inbox/reports/packs.py).

Triggers, because whoever changes a wait must not have to know that reports exist; a pack is used only while its count
of changes is the newest. A desk that makes tables from the models gets them here, migrations have their own copy; on
SQLite a step that alters one of these tables by copying it drops its triggers and must make them again.
"""

from __future__ import annotations

from sqlalchemy import DDL, MetaData, event

DAY_MICROS = 86_400_000_000

COUNTED: tuple[tuple[str, str, str], ...] = (
    ("waits", "waits", "{row}.started_at"),
    ("resolutions", "resolutions", "{row}.resolved_at"),
    ("handling", "handling_spans", "{row}.began_at"),
    ("ratings", "ratings", "{row}.at"),
    ("calls", "calls", "{row}.started_at"),
    ("callbacks", "callbacks", "{row}.created_at"),
    ("callbacks", "callback_attempts", "(SELECT created_at FROM callbacks WHERE id = {row}.callback_id)"),
)
"""Kind of facts, table, and the moment that says to which day a row belongs."""


def sqlite_triggers() -> list[str]:
    made = []
    for kind, table, moment in COUNTED:
        for verb, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            at = moment.format(row=row)
            made.append(
                f"CREATE TRIGGER report_{table}_{verb.lower()} AFTER {verb} ON {table}\n"
                f"WHEN {at} < (SELECT sealed_before FROM report_seals) BEGIN\n"
                f"INSERT INTO report_changes VALUES ('{kind}', {at} / {DAY_MICROS}, 1)\n"
                "ON CONFLICT DO UPDATE SET changes = changes + 1;\nEND"
            )
    for kind, table, column in _movable():
        made.append(
            f"CREATE TRIGGER report_{table}_moved AFTER UPDATE OF {column} ON {table}\n"
            f"WHEN OLD.{column} <> NEW.{column} AND OLD.{column} < (SELECT sealed_before FROM report_seals) BEGIN\n"
            f"INSERT INTO report_changes VALUES ('{kind}', OLD.{column} / {DAY_MICROS}, 1)\n"
            "ON CONFLICT DO UPDATE SET changes = changes + 1;\nEND"
        )
    return made


def postgresql_triggers() -> list[str]:
    made = []
    for kind, table, moment in COUNTED:
        made.append(
            f"CREATE FUNCTION report_{table}_changed() RETURNS trigger LANGUAGE plpgsql AS $$\n"
            "DECLARE at bigint;\nBEGIN\n"
            f"IF TG_OP = 'DELETE' THEN at := {moment.format(row='OLD')}; ELSE at := {moment.format(row='NEW')}; "
            "END IF;\n"
            "IF at < (SELECT sealed_before FROM report_seals) THEN\n"
            f"INSERT INTO report_changes AS known VALUES ('{kind}', at / {DAY_MICROS}, 1)\n"
            "ON CONFLICT (kind, day) DO UPDATE SET changes = known.changes + 1;\n"
            "END IF;\nRETURN NULL;\nEND $$"
        )
        made.append(
            f"CREATE TRIGGER report_{table}_changed AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION report_{table}_changed()"
        )
    for kind, table, column in _movable():
        made.append(
            f"CREATE FUNCTION report_{table}_moved() RETURNS trigger LANGUAGE plpgsql AS $$\n"
            f"BEGIN\nIF OLD.{column} < (SELECT sealed_before FROM report_seals) THEN\n"
            f"INSERT INTO report_changes AS known VALUES ('{kind}', OLD.{column} / {DAY_MICROS}, 1)\n"
            "ON CONFLICT (kind, day) DO UPDATE SET changes = known.changes + 1;\n"
            "END IF;\nRETURN NULL;\nEND $$"
        )
        made.append(
            f"CREATE TRIGGER report_{table}_moved AFTER UPDATE OF {column} ON {table} FOR EACH ROW "
            f"WHEN (OLD.{column} <> NEW.{column}) EXECUTE FUNCTION report_{table}_moved()"
        )
    return made


def _movable() -> list[tuple[str, str, str]]:
    """Kind, table and column of rows that can go to another day: the day they leave has changed, too."""
    return [
        (kind, table, moment.removeprefix("{row}.")) for kind, table, moment in COUNTED if moment.startswith("{row}.")
    ]


def follow(metadata: MetaData) -> None:
    """Make the triggers wherever all tables are made."""
    for dialect, statements in (("sqlite", sqlite_triggers()), ("postgresql", postgresql_triggers())):
        for statement in statements:
            made = DDL(statement)  # type: ignore[no-untyped-call]
            event.listen(metadata, "after_create", made.execute_if(dialect=dialect))
