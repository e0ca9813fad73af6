"""Reports count by packed days; conversations know the touchpoint they came by."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

COUNTED = (
    ("waits", "waits", "{row}.started_at"),
    ("resolutions", "resolutions", "{row}.resolved_at"),
    ("handling", "handling_spans", "{row}.began_at"),
    ("ratings", "ratings", "{row}.at"),
    ("calls", "calls", "{row}.started_at"),
    ("callbacks", "callbacks", "{row}.created_at"),
    ("callbacks", "callback_attempts", "(SELECT created_at FROM callbacks WHERE id = {row}.callback_id)"),
)
DAY_MICROS = 86_400_000_000


def upgrade() -> None:
    op.create_table(
        "report_changes",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "day", name=op.f("pk_report_changes")),
    )
    op.create_table(
        "report_mails",
        sa.Column("week", sa.String(length=10), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("week", name=op.f("pk_report_mails")),
    )
    op.create_table(
        "report_packs",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("layout", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "day", name=op.f("pk_report_packs")),
    )
    op.create_table(
        "report_seals",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed_before", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_seals")),
    )
    op.create_table(
        "touchpoints",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_touchpoints")),
        sa.UniqueConstraint("channel", "name", name=op.f("uq_touchpoints_channel_name")),
    )
    with op.batch_alter_table("conversations") as batch_op:
        batch_op.add_column(sa.Column("touchpoint_id", ID, nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_conversations_touchpoint_id"), "touchpoints", ["touchpoint_id"], ["id"]
        )

    name_touchpoints(op.get_bind())
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in sqlite_triggers() if on_sqlite else postgresql_triggers():
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    for _, table, _ in COUNTED:
        if op.get_bind().dialect.name == "sqlite":
            for verb in ("insert", "update", "delete"):
                op.execute(f"DROP TRIGGER report_{table}_{verb}")
        else:
            op.execute(f"DROP TRIGGER report_{table}_changed ON {table}")
            op.execute(f"DROP FUNCTION report_{table}_changed()")

    with op.batch_alter_table("conversations") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_conversations_touchpoint_id"), type_="foreignkey")
        batch_op.drop_column("touchpoint_id")

    op.drop_table("touchpoints")
    op.drop_table("report_seals")
    op.drop_table("report_packs")
    op.drop_table("report_mails")
    op.drop_table("report_changes")


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
    return made


def name_touchpoints(connection: sa.Connection) -> None:
    """Give every conversation the touchpoint that its source tells of."""
    named: dict[tuple[str, str], list[int]] = {}
    conversations = sa.table("conversations", sa.column("id", sa.BigInteger), sa.column("source", sa.JSON))
    for row in connection.execute(sa.select(conversations.c.id, conversations.c.source)):
        found = touchpoint(row.source) if isinstance(row.source, dict) else None
        if found is not None:
            named.setdefault(found, []).append(row.id)
    for (channel, name), ids in named.items():
        made = connection.execute(
            sa.text("INSERT INTO touchpoints (channel, name) VALUES (:channel, :name) RETURNING id"),
            {"channel": channel, "name": name},
        ).scalar_one()
        connection.execute(
            sa.text("UPDATE conversations SET touchpoint_id = :touchpoint WHERE id = :id"),
            [{"touchpoint": made, "id": conversation} for conversation in ids],
        )


def touchpoint(source: dict[str, Any]) -> tuple[str, str] | None:
    """Channel and name; None where nobody knows how the customer came."""
    for channel, key in (("chat", "site"), ("email", "support_address"), ("phone", "line")):
        name = source.get(key)
        if isinstance(name, str) and name:
            page = source.get("page")
            if channel == "chat" and isinstance(page, str):
                try:
                    name = f"{name} {urlsplit(page).path or '/'}"
                except ValueError:
                    continue
            return channel, name.strip()[:200]
    return None
