"""How much one visitor and one network address may do: buckets that fill up again with the desk's clock."""

from __future__ import annotations

from datetime import datetime

from inbox.clock import Clock
from inbox.errors import InboxError
from inbox.words import N_

MAX_BUCKETS = 50_000


class TooMuch(InboxError):
    code = "rate_limited"

    def __init__(self) -> None:
        super().__init__(N_("That was a lot at once. Wait a moment and try again."))


class TooManyBegun(InboxError):
    """Not "rate_limited": trying again by itself, as the widget does then, would fill the next minute too."""

    code = "too_many_conversations"

    def __init__(self) -> None:
        super().__init__(N_("Many conversations were begun from your network just now. Try again in a minute."))


class Buckets:
    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock, self._per_minute = clock, per_minute
        self._buckets: dict[str, tuple[float, datetime]] = {}  # what is left, when that was

    def take(self, who: str) -> None:
        """Raises TooMuch when the bucket of `who` is empty."""
        now = self._clock.now()
        left, at = self._buckets.get(who, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - at).total_seconds() * self._per_minute / 60)
        if left < 1:
            raise TooMuch
        if len(self._buckets) >= MAX_BUCKETS and who not in self._buckets:
            self._forget_full(now)
        self._buckets[who] = (left - 1, now)

    def _forget_full(self, now: datetime) -> None:
        """Drop whoever has been quiet long enough; under an attack from everywhere, drop all."""
        quiet = [who for who, (_, at) in self._buckets.items() if (now - at).total_seconds() >= 60]
        for who in quiet or list(self._buckets):
            del self._buckets[who]
