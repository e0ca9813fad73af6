"""Mailboxes, the accounts they are read with, and work on whole mailboxes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "watched_mailboxes",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=True),
        sa.Column("last_uid", sa.BigInteger(), nullable=True),
        sa.Column("moved_at", sa.BigInteger(), nullable=True),
        sa.Column("first_validity", sa.BigInteger(), nullable=True),
        sa.Column("first_uid", sa.BigInteger(), nullable=True),
        sa.Column("first_at", sa.BigInteger(), nullable=True),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("state_since", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.String(length=20), nullable=False),
        sa.Column("said", sa.String(length=500), nullable=False),
        sa.Column("mail_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_by", sa.String(length=60), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watched_mailboxes")),
    )
    op.create_table(
        "mail_accounts",
        sa.Column("name", sa.String(length=380), nullable=False),
        sa.Column("connected_as", sa.String(length=320), nullable=False),
        sa.Column("tokens", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("connected_at", sa.BigInteger(), nullable=True),
        sa.Column("connected_by", ID, nullable=True),
        sa.Column("trouble", sa.String(length=20), nullable=False),
        sa.Column("said", sa.String(length=500), nullable=False),
        sa.Column("trouble_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_by", sa.String(length=60), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["connected_by"], ["operators.id"], name=op.f("fk_mail_accounts_connected_by")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_mail_accounts")),
    )
    op.create_table(
        "mail_jobs",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("mailbox", sa.String(length=60), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("error", sa.String(length=1000), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_by", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_by", sa.String(length=60), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["operators.id"], name=op.f("fk_mail_jobs_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_jobs")),
    )
    op.create_index(op.f("ix_mail_jobs_mailbox"), "mail_jobs", ["mailbox"])
    op.create_index(
        "ix_mail_jobs_open",
        "mail_jobs",
        ["id"],
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )

    with op.batch_alter_table("arrivals") as batch_op:
        batch_op.add_column(sa.Column("reason_word", sa.String(length=60), nullable=True))
        batch_op.create_index(
            "ix_arrivals_aside",
            ["state", "source", "reason_word", "id"],
            unique=False,
            sqlite_where=sa.text("state IN ('tray', 'set_aside')"),
            postgresql_where=sa.text("state IN ('tray', 'set_aside')"),
        )

    # How far mailboxes have been read stood among the settings; what was there before the first mail taken is old.
    settings, mailboxes = _settings(), _mailboxes()
    connection = op.get_bind()
    for row in connection.execute(sa.select(settings).where(settings.c.name.like("mailbox:%"))).all():
        name = row.name.removeprefix("mailbox:")
        first_at = connection.execute(
            sa.text("SELECT min(received_at) FROM arrivals WHERE source = :source"), {"source": f"imap:{name}"}
        ).scalar()
        connection.execute(
            sa.insert(mailboxes).values(
                name=name,
                folder="",
                uid_validity=row.value["uid_validity"],
                last_uid=row.value["last_uid"],
                moved_at=row.changed_at,
                first_at=first_at or row.changed_at,
                connected=False,
                trouble="",
                said="",
                leased_by="",
            )
        )
    connection.execute(sa.delete(settings).where(settings.c.name.like("mailbox:%")))
    op.execute("UPDATE arrivals SET reason_word = substr(reason, 1, 60) WHERE state IN ('tray', 'set_aside')")


def downgrade() -> None:
    settings, mailboxes = _settings(), _mailboxes()
    connection = op.get_bind()
    for row in connection.execute(sa.select(mailboxes).where(mailboxes.c.uid_validity.is_not(None))).all():
        value = {"uid_validity": row.uid_validity, "last_uid": row.last_uid}
        connection.execute(
            sa.insert(settings).values(name=f"mailbox:{row.name}", value=value, changed_at=row.moved_at or row.first_at)
        )
    with op.batch_alter_table("arrivals") as batch_op:
        batch_op.drop_index(
            "ix_arrivals_aside",
            sqlite_where=sa.text("state IN ('tray', 'set_aside')"),
            postgresql_where=sa.text("state IN ('tray', 'set_aside')"),
        )
        batch_op.drop_column("reason_word")

    op.drop_table("mail_jobs")
    op.drop_table("mail_accounts")
    op.drop_table("watched_mailboxes")


def _settings() -> sa.TableClause:
    return sa.table(
        "settings", sa.column("name", sa.String), sa.column("value", sa.JSON), sa.column("changed_at", sa.BigInteger)
    )


def _mailboxes() -> sa.TableClause:
    names = {"name": sa.String, "folder": sa.String, "trouble": sa.String, "said": sa.String, "leased_by": sa.String}
    numbers = dict.fromkeys(("uid_validity", "last_uid", "moved_at", "first_at"), sa.BigInteger)
    types = {**names, **numbers, "connected": sa.Boolean}
    return sa.table("watched_mailboxes", *(sa.column(name, kind) for name, kind in types.items()))
