"""A history replayed into an empty desk, line by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inbox.eventlog.lines import KINDS, Line
from inbox.eventlog.telephone import Telephone


class Replay(Telephone):
    """Lines must come in the order in which the desk knew of them."""

    def apply(self, line: Line) -> None:
        """Raises LineError."""
        self.end = line.known_at
        done: Callable[[Replay, Line, Mapping[str, Any]], None] = _DO[line.kind]
        done(self, line, line.values)


_DO: Mapping[str, Callable[[Replay, Line, Mapping[str, Any]], None]] = {
    kind: getattr(Replay, f"_do_{kind}") for kind in KINDS
}
