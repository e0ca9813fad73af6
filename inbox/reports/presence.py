"""Who was at work when: online or finishing. Away is not at work."""

from __future__ import annotations

import numpy as np
from sqlalchemy import BigInteger, Connection, func, or_, select, type_coerce

from inbox.queue_key import moment
from inbox.reports.work import Spans
from inbox.store.models import PresenceSpan
from inbox.vocabulary import Presence

AT_WORK = (Presence.ONLINE, Presence.FINISHING)


def at_work(conn: Connection, since_us: int, until_us: int) -> Spans:
    """Spans that touch [since, until), cut to it; one that has not ended lasts until its end."""
    rows = conn.execute(
        select(
            PresenceSpan.operator_id,
            type_coerce(PresenceSpan.began_at, BigInteger),
            func.coalesce(type_coerce(PresenceSpan.ended_at, BigInteger), until_us),
        ).where(
            PresenceSpan.presence.in_(AT_WORK),
            PresenceSpan.began_at < moment(until_us),
            or_(PresenceSpan.ended_at > moment(since_us), PresenceSpan.ended_at.is_(None)),
        )
    ).all()
    if not rows:
        nothing = np.zeros(0, dtype=np.int64)
        return Spans(nothing, nothing, nothing)
    operator, began, ended = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Spans(operator, np.clip(began, since_us, until_us), np.clip(ended, since_us, until_us))
