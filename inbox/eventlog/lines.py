"""The lines of an event log: one JSON object each, checked field by field. The format is told in docs/event-log.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from inbox.errors import BadInput
from inbox.vocabulary import AttemptOutcome, CallOutcome, ChannelKind, Presence
from inbox.waits.hours import read_hours

LONGEST_NAME = 200
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class LineError(Exception):
    """What is wrong with a line, and what to do about it. `number` counts from 1; 0 is the log as a whole."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(f"line {number}: {problem}" if number else problem)
        self.number, self.problem = number, problem


class _Wrong(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Line:
    """`at`: when it happened. `known_at`: when the desk heard of it, never earlier. `unknown`: keys left out."""

    number: int
    kind: str
    at: datetime
    known_at: datetime
    said: datetime | None  # the time written, where it cannot be true
    values: Mapping[str, Any]
    unknown: tuple[str, ...] = ()


Read = Callable[[Any], Any]


def moment(written: Any) -> datetime:
    if not isinstance(written, str):
        raise _Wrong(f"{_short(written)} is no time; write it as text such as 2026-03-11T09:00:00+02:00")
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise _Wrong(f"{_short(written)} is no time; write one such as 2026-03-11T09:00:00+02:00") from None
    if found.tzinfo is None:
        raise _Wrong(f"{_short(written)} has no offset; add +02:00, or Z for UTC")
    try:
        found = found.astimezone(UTC)
    except OverflowError:
        raise _Wrong(f"{_short(written)} is not a time a desk can have known") from None
    if not EARLIEST <= found <= LATEST:
        raise _Wrong(f"{_short(written)} is not a time a desk can have known; is the year right?")
    return found


def name(written: Any) -> str:
    if isinstance(written, int) and not isinstance(written, bool):
        written = str(written)
    if not isinstance(written, str) or not written.strip():
        raise _Wrong(f"{_short(written)} names nobody; write an id, any text will do")
    if len(written) > LONGEST_NAME:
        raise _Wrong(f"an id has at most {LONGEST_NAME} characters")
    if "\0" in written:
        raise _Wrong("an id holds no NUL character")
    return written.strip()


def text(written: Any) -> str:
    if not isinstance(written, str):
        raise _Wrong(f"{_short(written)} is no text")
    return written.replace("\0", "")[:100_000]


def yes_or_no(written: Any) -> bool:
    if not isinstance(written, bool):
        raise _Wrong(f"{_short(written)} is neither true nor false")
    return written


def one_of(*words: str) -> Read:
    known = set(words)

    def read(written: Any) -> str:
        if not isinstance(written, str) or written not in known:
            raise _Wrong(f"{_short(written)} is not known; use one of {', '.join(sorted(known))}")
        return written

    return read


def score(written: Any) -> int:
    if type(written) is not int or not 1 <= written <= 5:
        raise _Wrong(f"{_short(written)} is no mark; use a whole number from 1 to 5")
    return written


def names(written: Any) -> list[str]:
    if not isinstance(written, list):
        raise _Wrong(f"{_short(written)} is no list")
    return [name(one) for one in written]


def or_nothing(read: Read) -> Read:
    return lambda written: None if written is None else read(written)


def anything(written: Any) -> Any:
    return written


channel = one_of(*ChannelKind)


@dataclass(frozen=True, slots=True)
class Kind:
    """`late`: the desk may hear of it after it happened, by `delivered_at`."""

    needs: Mapping[str, Read]
    may: Mapping[str, Read]
    late: bool = False


_IN: Mapping[str, Read] = {"conversation": name}
_BY: Mapping[str, Read] = {"operator": name}
_MAYBE_BY: Mapping[str, Read] = {"operator": or_nothing(name)}
_BEGINS: Mapping[str, Read] = {
    "channel": channel,
    "customer": name,
    "queue": or_nothing(name),
    "touchpoint": text,
    "subject": text,
    "language": text,
}

KINDS: Mapping[str, Kind] = {
    "operator": Kind(_BY, {"name": text, "queues": names}),
    "customer": Kind({"customer": name}, {"name": text, "language": text}),
    "hours": Kind(
        {},
        {
            "queue": or_nothing(name), "zone": text, "weekly": anything, "holidays": anything, "targets": anything,
            "follows_desk": yes_or_no,
        },
    ),
    "presence": Kind({**_BY, "presence": one_of(*Presence)}, {}),
    "conversation": Kind({**_IN, "channel": channel, "customer": name}, _BEGINS),
    "message": Kind(_IN, {**_BEGINS, "id": name, "text": text, "automatic": yes_or_no}, late=True),
    "answer": Kind({**_IN, **_BY}, {"channel": channel, "id": name, "text": text, "resolves": yes_or_no}),
    "automatic": Kind(_IN, {"channel": channel, "id": name, "name": text, "text": text}),
    "note": Kind({**_IN, **_BY}, {"id": name, "text": text}),
    "assigned": Kind({**_IN, "operator": or_nothing(name)}, {"by": or_nothing(name), "reason": text}),
    "offer_missed": Kind({**_IN, **_BY}, {"offered_at": moment}),
    "handling_began": Kind({**_IN, **_BY}, {"channel": channel}),
    "handling_ended": Kind({**_IN, **_BY}, {}),
    "snoozed": Kind({**_IN, "until": moment}, {**_MAYBE_BY, "agreed": yes_or_no}),
    "woken": Kind(_IN, _MAYBE_BY),
    "abandoned": Kind(
        _IN, {"reachable_by": or_nothing(one_of(ChannelKind.EMAIL, ChannelKind.PHONE))}, late=True
    ),
    "resolved": Kind(_IN, {**_MAYBE_BY, "answer_needed": yes_or_no}),
    "reopened": Kind(_IN, {**_MAYBE_BY, "mistake": yes_or_no}),
    "spam": Kind(_IN, _MAYBE_BY),
    "rated": Kind({**_IN, "score": score}, {"words": text}, late=True),
    "call": Kind(
        {**_IN, "outcome": one_of(*CallOutcome)},
        {
            **_BEGINS, **_MAYBE_BY, "call": name, "direction": one_of("inbound", "outbound"), "started_at": moment,
            "answered_at": or_nothing(moment), "line": text,
        },
        late=True,
    ),
    "callback_asked": Kind(_IN, _MAYBE_BY),
    "callback_agreed": Kind({**_IN, "from": moment, "to": moment}, _MAYBE_BY),
    "callback_attempted": Kind({**_IN, **_BY, "outcome": one_of(*AttemptOutcome)}, {"started_at": moment}),
    "callback_given_up": Kind(_IN, _MAYBE_BY),
    "callback_cancelled": Kind(_IN, _MAYBE_BY),
    "undelivered": Kind(_IN, {"answer": name, "error": text}, late=True),
    "sent_again": Kind(_IN, {**_MAYBE_BY, "answer": name}),
    "merged": Kind({**_IN, "into": name}, _MAYBE_BY),
    "split": Kind({**_IN, "into": name, "messages": names}, _MAYBE_BY),
    "queue": Kind({**_IN, "queue": or_nothing(name)}, _MAYBE_BY),
    "tagged": Kind({**_IN, "tags": names}, _MAYBE_BY),
}  # fmt: skip

_OFTEN = ("kind", "at", "delivered_at")


def read_line(written: str | bytes, number: int) -> Line | None:
    """The line, None where it is empty. Raises LineError."""
    if not written.strip():
        return None
    try:
        data = json.loads(written)
    except (ValueError, RecursionError):
        raise LineError(
            number, "this is no JSON object; write one object on each line, without commas between"
        ) from None
    if not isinstance(data, dict):
        raise LineError(number, 'this is no JSON object; a line looks like {"at": "…", "kind": "message", …}')
    wanted = data.get("kind")
    kind = KINDS.get(wanted) if isinstance(wanted, str) else None
    if kind is None:
        known = ", ".join(KINDS)
        raise LineError(number, f'the kind {_short(wanted)} is not known; "kind" is one of {known}')
    try:
        return _checked(data, str(wanted), kind, number)
    except _Wrong as wrong:
        raise LineError(number, str(wrong)) from None


def _checked(data: dict[str, Any], wanted: str, kind: Kind, number: int) -> Line:
    for key in ("at", *kind.needs):
        if key not in data:
            raise _Wrong(f'a line of kind "{wanted}" needs "{key}"')
    at = _field(data, "at", moment)
    known_at = _field(data, "delivered_at", moment) if data.get("delivered_at") is not None else at
    said = None
    if not kind.late:
        known_at = at  # people work in the desk itself: it knows at once
    elif at > known_at or at < known_at - timedelta(days=7):
        at, said = known_at, at  # a clock that is wrong: nobody can tell of what has not happened yet
    values: dict[str, Any] = {}
    unknown = []
    for key in data:
        read = kind.needs.get(key) or kind.may.get(key)
        if read is not None:
            values[key] = _field(data, key, read)
        elif key not in _OFTEN:
            unknown.append(str(key)[:60])
    _together(wanted, values)
    return Line(number, wanted, at, known_at, said, values, tuple(unknown))


def _field(data: Mapping[str, Any], key: str, read: Read) -> Any:
    try:
        return read(data[key])
    except _Wrong as wrong:
        raise _Wrong(f'"{key}": {wrong}') from None


def _together(wanted: str, values: dict[str, Any]) -> None:
    """What no field can say alone."""
    if wanted == "hours" and not values.get("follows_desk"):
        try:
            read_hours(values.get("zone", "UTC"), hours_of(values))
        except BadInput as error:
            raise _Wrong(
                f'"{error.field}": {error.message % error.values if error.values else error.message}'
            ) from None
        if "zone" not in values:
            raise _Wrong('opening hours need a "zone" such as Europe/Helsinki')
    if wanted == "hours" and values.get("follows_desk") and values.get("queue") is None:
        raise _Wrong('"follows_desk" is said of a queue; name it in "queue"')
    if wanted == "callback_agreed" and not values["from"] < values["to"]:
        raise _Wrong('"to" must come after "from"')


def hours_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a line of opening hours that a calendar keeps."""
    return {part: values[part] for part in ("weekly", "holidays", "targets") if values.get(part) is not None}


def _short(written: Any) -> str:
    shown = json.dumps(written, ensure_ascii=False, default=str)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
