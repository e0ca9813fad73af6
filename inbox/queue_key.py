"""One number orders every view of the queue, so that each is read and paged along one index.

Waiting conversations come first, most urgent due time first; after them those in which nobody waits, newest activity
first. Values stay below 2**53, so a browser can hold them exactly.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOT_WAITING = 4_000_000_000_000_000
"""Keys from here on belong to conversations without a running clock; smaller ones are due times in microseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(when: datetime) -> int:
    since = when - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(micros: int) -> datetime:
    """The time that `microseconds` made a number of."""
    return _EPOCH + timedelta(microseconds=micros)


def queue_key(due_at: datetime | None, active_at: datetime) -> int:
    """Sort key of a conversation; ties are broken by its id."""
    if due_at is not None:
        return microseconds(due_at)
    return 2 * NOT_WAITING - microseconds(active_at)
