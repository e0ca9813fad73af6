"""By which door customers come: a page of a site, a support address, a telephone line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, bindparam, insert, select

from inbox.store.models import Touchpoint, table
from inbox.store.prepared import Prepared
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind

_FIND = Prepared(
    select(Touchpoint.id).where(Touchpoint.channel == bindparam("channel"), Touchpoint.name == bindparam("name"))
)


@dataclass(frozen=True, slots=True)
class TouchpointRecord:
    """`name` is empty where nobody knows how the customer came."""

    id: int
    channel: ChannelKind
    name: str


def ensure(tx: Transaction, channel: ChannelKind, source: Mapping[str, Any]) -> int:
    """The id of the touchpoint that a conversation's source tells of."""
    name = name_of(source)
    found: int | None = _FIND.scalar(tx.conn, channel=channel, name=name)
    if found is None:
        made = insert(table(Touchpoint)).values(channel=channel, name=name).returning(table(Touchpoint).c.id)
        found = tx.conn.execute(made).scalar_one()
    return found


def name_of(source: Mapping[str, Any]) -> str:
    """What stands in the address after the path belongs to one visitor and is left out."""
    for key in ("site", "support_address", "line"):
        name = source.get(key)
        if isinstance(name, str) and name:
            page = source.get("page")
            if key == "site" and isinstance(page, str):
                try:
                    name = f"{name} {urlsplit(page).path or '/'}"
                except ValueError:  # not an address at all
                    name = f"{name} /"
            return name.strip()[:200]
    return ""


def every(conn: Connection) -> list[TouchpointRecord]:
    return [
        TouchpointRecord(row.id, ChannelKind(row.channel), row.name)
        for row in conn.execute(
            select(Touchpoint.id, Touchpoint.channel, Touchpoint.name).order_by(Touchpoint.channel, Touchpoint.name)
        )
    ]
