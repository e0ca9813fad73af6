"""Links that show the wallboard on a screen without an account: read-only, revocable, names hidden if wanted."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from inbox.errors import NotFound
from inbox.store.models import Operator, WallboardLink
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId


@dataclass(frozen=True, slots=True)
class LinkRecord:
    id: int
    hide_names: bool
    created_by: str
    created_at: datetime


def make(tx: Transaction, *, by: OperatorId, hide_names: bool, now: datetime) -> str:
    """The token of a new link. Only its digest is kept: it can be shown this once."""
    token = secrets.token_urlsafe(24)
    tx.insert(WallboardLink, token_digest=_digest(token), hide_names=hide_names, created_by=by, created_at=now)
    return token


def find(conn: Connection, token: str) -> LinkRecord | None:
    """None for a link that does not exist or has been revoked."""
    row = conn.execute(_links().where(WallboardLink.token_digest == _digest(token))).first()
    return None if row is None else LinkRecord(row.id, row.hide_names, row.name, row.created_at)


def valid(conn: Connection) -> list[LinkRecord]:
    return [
        LinkRecord(row.id, row.hide_names, row.name, row.created_at)
        for row in conn.execute(_links().order_by(WallboardLink.id))
    ]


def revoke(tx: Transaction, link_id: int, *, now: datetime) -> None:
    """Raises NotFound."""
    changed = tx.conn.execute(
        update(WallboardLink)
        .where(WallboardLink.id == link_id, WallboardLink.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if changed.rowcount != 1:
        raise NotFound("page")


def _links() -> Any:
    return (
        select(WallboardLink.id, WallboardLink.hide_names, WallboardLink.created_at, Operator.name)
        .join(Operator, Operator.id == WallboardLink.created_by)
        .where(WallboardLink.revoked_at.is_(None))
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
