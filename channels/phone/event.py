"""The normalised call event, version 1: what a telephone system posts about a call (docs/phone.md has every field).

Reading is tolerant of what does not matter (unknown fields, texts too long) and exact about what does: a field that is
missing or makes no sense is named. Everything in an event is text from outside: cut to length, control characters out.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from inbox.call_facts import CallFacts, Direction, Voicemail
from inbox.errors import BadInput
from inbox.people import telephone
from inbox.vocabulary import ArrivalId, CallbackId, CallOutcome
from inbox.words import N_

VERSION = 1
WITHHELD = frozenset(
    {
        *("", "anonymous", "unknown", "<unknown>", "restricted", "private", "unavailable", "blocked", "withheld"),
        *("+266696687", "266696687"),  # ANONYMOUS on a keypad
        *("+86282452253", "+8656696", "+2562533", "+7378742833"),
    }
)
"""What exchanges write in place of a number that the caller did not show."""

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Times before this are a clock that was never set."""
MILLISECONDS_FROM = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds they would lie after the year 5000."""
BIGGEST_ID = 2**63 - 1

_SIP = re.compile(r"<?(?:sips?|tel):([^@;>]*)(?:[@;>].*)?", re.IGNORECASE)


class EventType(StrEnum):
    STARTED = "call.started"
    QUEUED = "call.queued"
    ANSWERED = "call.answered"
    ENDED = "call.ended"
    VOICEMAIL = "voicemail.created"


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One report. `type=None`: a kind of report this version does not know; kept, changes nothing."""

    type: EventType | None
    event_id: str
    facts: CallFacts


@dataclass(frozen=True, slots=True)
class Reader:
    """How the numbers and times of one source are to be understood."""

    source: str
    country: str
    zone: str = ""
    lines: Mapping[str, str] | None = None

    def read(self, raw: bytes, *, arrival_id: ArrivalId | None = None) -> CallEvent:
        """Raises BadInput naming the field that is missing or makes no sense."""
        event = _Fields(_object(raw))
        if event.data.get("version") not in (VERSION, str(VERSION)):
            raise BadInput("version", N_("The version of the event must be 1."))
        kind = event.text("type", 60, required=True)
        event_type = EventType(kind) if kind in set(EventType) else None
        call_id = event.text("call_id", 200, required=True)
        direction = event.choice("direction", Direction, Direction.INBOUND)
        started_at = self._time(event, "started_at")
        if started_at is None:
            raise BadInput("started_at", N_("This field is missing."))
        customer, ours = ("from", "to") if direction is Direction.INBOUND else ("to", "from")
        number, shown = self._number(event.text(customer, 80))
        facts = CallFacts(
            provider=event.text("provider", 60) or self.source,
            account=event.text("account", 120) or self.source,
            call_id=call_id,
            direction=direction,
            started_at=started_at,
            number=number,
            shown=shown,
            name=event.text(f"{customer}_name", 200),
            line=event.text("line", 80) or self._line(event.text(ours, 80)),
            queue=event.text("queue", 80),
            answered_at=self._later(event, "answered_at", started_at),
            ended_at=self._later(event, "ended_at", started_at),
            outcome=_outcome(event, event_type),
            operator=event.text("operator", 320),
            cause=event.text("cause", 120),
            hangup_by=event.text("hangup_by", 40),
            offers=event.number("offers"),
            voicemail=_voicemail(event, event_type),
            callback_id=_callback(event, "id"),
            attempt=_callback(event, "attempt"),
            arrival_id=arrival_id,
        )
        return CallEvent(event_type, event.text("event_id", 150), facts)

    def _number(self, said: str) -> tuple[str | None, str]:
        """E.164, or what the exchange said, or neither when the caller showed none."""
        address = _SIP.fullmatch(said)
        said = address[1] if address is not None else said
        if said.casefold() in WITHHELD or said.replace(" ", "") in WITHHELD:
            return None, ""
        number = telephone.e164(said, self.country)
        return (number, "") if number is not None else (None, said)

    def _line(self, called: str) -> str:
        named = self.lines or {}
        return named.get(called) or named.get(telephone.e164(called, self.country) or "") or called

    def _time(self, event: _Fields, name: str) -> datetime | None:
        value = event.data.get(name)
        if value is None or value == "":
            return None
        at = self._moment(name, value)
        if at < EARLIEST:
            raise BadInput(name, N_("This time lies before the year 2000."))
        return at

    def _later(self, event: _Fields, name: str, started_at: datetime) -> datetime | None:
        at = self._time(event, name)
        return None if at is None else max(at, started_at)

    def _moment(self, name: str, value: Any) -> datetime:
        bad = BadInput(name, N_("Write a time with its zone, such as 2026-03-10T10:00:00Z, or seconds since 1970."))
        if isinstance(value, str) and re.fullmatch(r"\d{9,14}(\.\d{1,9})?", value):
            value = float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                if not math.isfinite(value):
                    raise bad
                return datetime.fromtimestamp(value / 1000 if abs(value) >= MILLISECONDS_FROM else value, UTC)
            except (OverflowError, ValueError, OSError) as error:
                raise bad from error
        if not isinstance(value, str) or len(value) > 60:
            raise bad
        try:
            at = datetime.fromisoformat(value.strip())
            if at.utcoffset() is None:
                if not self.zone:
                    raise BadInput(name, N_("This time names no zone, and none is configured for this source."))
                at = at.replace(tzinfo=ZoneInfo(self.zone))
            return at.astimezone(UTC)
        except (OverflowError, ValueError) as error:
            raise bad from error


class _Fields:
    """The object of an event, asked for one field at a time."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data

    def text(self, name: str, longest: int, *, required: bool = False) -> str:
        value = self.data.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        if value is not None and not isinstance(value, str):
            raise BadInput(name, N_("This field must be text."))
        text = clean(value or "", longest)
        if required and not text:
            raise BadInput(name, N_("This field is missing."))
        return text

    def choice(self, name: str, choices: type[Direction], default: Direction) -> Direction:
        value = self.text(name, 40)
        if not value:
            return default
        try:
            return choices(value.casefold())
        except ValueError:
            raise BadInput(name, N_("The direction must be inbound or outbound.")) from None

    def number(self, name: str) -> int | None:
        value = self.data.get(name)
        if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None or isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= BIGGEST_ID:
            return None
        return value

    def inner(self, name: str) -> _Fields | None:
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise BadInput(name, N_("This field must be an object."))
        return _Fields(value)


def clean(text: str, longest: int) -> str:
    """Caller-supplied text on one line: no control, format or unpaired surrogate characters."""
    kept = "".join(
        " " if character in "\t\r\n" else character
        for character in text[: longest * 4]
        if character in "\t\r\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co")
    )
    return " ".join(kept.split())[:longest]


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput("body", N_("This is not valid JSON.")) from error
    if not isinstance(data, dict):
        raise BadInput("body", N_("The event must be a JSON object."))
    return data


def _outcome(event: _Fields, event_type: EventType | None) -> CallOutcome | None:
    match event_type:
        case EventType.ANSWERED:
            return CallOutcome.ANSWERED
        case EventType.VOICEMAIL:
            return CallOutcome.VOICEMAIL
        case EventType.ENDED:
            value = event.text("outcome", 40, required=True).casefold()
            try:
                return CallOutcome(value)
            except ValueError:
                raise BadInput("outcome", N_("This outcome is not known.")) from None
        case _:
            return None


def _voicemail(event: _Fields, event_type: EventType | None) -> Voicemail | None:
    inner = event.inner("voicemail")
    if inner is None:
        return Voicemail() if event_type is EventType.VOICEMAIL else None
    url = inner.text("url", 2000)
    return Voicemail(
        id=inner.text("id", 200),
        duration_s=inner.number("duration_s"),
        url=url if _is_web_address(url) else "",
        transcript=clean(str(inner.data.get("transcript") or ""), 10_000),
    )


def _callback(event: _Fields, name: str) -> Any:
    inner = event.inner("callback")
    number = inner.number(name) if inner is not None else None
    return CallbackId(number) if number is not None and name == "id" else number


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
