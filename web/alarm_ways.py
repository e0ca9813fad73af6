"""How alarms can leave this desk, as the pages see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from inbox.alarms.rules import Means
from inbox.people.operators import OperatorRecord


@dataclass(frozen=True, slots=True)
class AlarmWays:
    """`checked` refuses push addresses of strangers. `try_out` tells one person, or one webhook by its name, that this
    is a trial; it returns what went wrong in the words of the other side, or nothing."""

    webhooks: Sequence[str]
    push_key: Callable[[], str]
    checked: Callable[[str], str]
    try_out: Callable[[OperatorRecord, Means, str], Awaitable[str]]
