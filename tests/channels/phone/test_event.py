"""Reading what telephone systems post about calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.phone.event import EventType, Reader
from inbox.call_facts import Direction
from inbox.errors import BadInput
from inbox.vocabulary import CallOutcome

HELSINKI = Reader("pbx", "FI", lines={"+358931580000": "Support"})

MISSED: dict[str, Any] = {
    "version": 1,
    "event_id": "b1d0",
    "type": "call.ended",
    "provider": "asterisk",
    "account": "pbx-1",
    "call_id": "1795295017.74",
    "direction": "inbound",
    "from": "0401234567",
    "from_name": "Maija M",
    "to": "+358931580000",
    "queue": "support",
    "started_at": "2026-03-10T10:00:00Z",
    "queued_at": None,
    "answered_at": None,
    "ended_at": "2026-03-10T10:00:31Z",
    "outcome": "abandoned_in_queue",
    "cause": "487",
    "hangup_by": "caller",
    "offers": 2,
    "operator": None,
    "voicemail": None,
    "callback": None,
    "raw": {"anything": ["goes"]},
}


def read(changes: dict[str, Any] | None = None, *, without: str = "", reader: Reader = HELSINKI) -> Any:
    event = {**MISSED, **(changes or {})}
    event.pop(without, None)
    return reader.read(json.dumps(event).encode())


def test_a_whole_event_becomes_the_facts_of_a_call() -> None:
    event = read()
    facts = event.facts
    assert (event.type, event.event_id) == (EventType.ENDED, "b1d0")
    assert (facts.provider, facts.account, facts.call_id) == ("asterisk", "pbx-1", "1795295017.74")
    assert (facts.direction, facts.number, facts.shown) == (Direction.INBOUND, "+358401234567", "")
    assert (facts.name, facts.line, facts.queue, facts.offers) == ("Maija M", "Support", "support", 2)
    assert facts.started_at == datetime(2026, 3, 10, 10, tzinfo=UTC)
    assert facts.ended_at == facts.started_at + timedelta(seconds=31)
    assert facts.outcome is CallOutcome.ABANDONED_IN_QUEUE


@pytest.mark.parametrize(
    "written",
    [
        "0401234567",
        "00358401234567",
        "358401234567",
        "+358 40 123 4567",
        "tel:+358401234567",
        "sip:0401234567@pbx.example;user=phone",
    ],
)
def test_one_number_written_in_many_ways_is_one_number(written: str) -> None:
    assert read({"from": written}).facts.number == "+358401234567"


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        "anonymous",
        "Anonymous",
        "<unknown>",
        "restricted",
        "private",
        "unavailable",
        "blocked",
        "+266696687",
        "+266 696 687",
        "+86282452253",
        "+8656696",
        "+2562533",
        "+7378742833",
        "sip:anonymous@anonymous.invalid",
    ],
)
def test_a_withheld_number_is_no_number_however_the_exchange_says_it(written: str | None) -> None:
    facts = read({"from": written}).facts
    assert (facts.number, facts.shown) == (None, "")


def test_an_extension_is_kept_as_it_was_shown() -> None:
    facts = read({"from": "100"}).facts
    assert (facts.number, facts.shown) == (None, "100")


def test_an_outgoing_call_is_about_the_number_that_was_called() -> None:
    facts = read(
        {"direction": "outbound", "from": "+358931580000", "to": "0401234567", "callback": {"id": 42, "attempt": 1}}
    ).facts
    assert (facts.number, facts.line, facts.callback_id, facts.attempt) == ("+358401234567", "Support", 42, 1)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-10T12:00:00+02:00",
        "2026-03-10T10:00:00.000Z",
        1773136800,
        1773136800.0,
        1773136800000,
        "1773136800",
        "1773136800.000",
    ],
)
def test_a_time_is_iso_with_its_zone_or_counted_since_1970(written: Any) -> None:
    assert read({"started_at": written, "ended_at": None}).facts.started_at == datetime(2026, 3, 10, 10, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused_unless_the_source_has_one() -> None:
    with pytest.raises(BadInput) as refused:
        read({"started_at": "2026-03-10T12:00:00"})
    assert refused.value.field == "started_at"
    zoned = Reader("pbx", "FI", zone="Europe/Helsinki")
    assert read({"started_at": "2026-03-10T12:00:00"}, reader=zoned).facts.started_at.hour == 10


@pytest.mark.parametrize("field", ["version", "type", "call_id", "started_at", "outcome"])
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(without=field)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("outcome", "vanished"),
        ("direction", "sideways"),
        ("started_at", "yesterday"),
        ("started_at", 0),
        ("started_at", True),
        ("started_at", 1e300),
        ("started_at", [1]),
        ("ended_at", "9999-12-31T23:59:59-23:59"),
        ("call_id", {"a": 1}),
        ("from", ["+358401234567"]),
        ("voicemail", "RE01"),
        ("callback", 42),
    ],
)
def test_a_field_that_makes_no_sense_is_named(field: str, value: Any) -> None:
    with pytest.raises(BadInput) as refused:
        read({field: value})
    assert refused.value.field == field


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"version":1',
        b"[" * 30_000,
        b'{"version":' + b"9" * 6000 + b"}",
    ],
)
def test_a_body_that_is_no_event_is_refused_as_such(raw: bytes) -> None:
    with pytest.raises(BadInput):
        HELSINKI.read(raw)


def test_an_unknown_field_is_ignored_and_an_unknown_type_is_kept_for_later() -> None:
    assert read({"shoe_size": 44}).type is EventType.ENDED
    assert read({"type": "call.parked"}, without="outcome").type is None


def test_text_from_outside_is_one_line_of_limited_length() -> None:
    name = "Eve\r\n\x00\x1b[31m\u202e<script>" + "x" * 1000
    facts = read({"from_name": name}).facts
    assert facts.name.startswith("Eve [31m<script>xxx")
    assert len(facts.name) == 200


def test_only_a_web_address_is_taken_for_a_recording() -> None:
    assert read({"voicemail": {"url": "javascript:alert(1)"}}).facts.voicemail.url == ""
    assert read({"voicemail": {"url": "https://pbx.example/RE01"}}).facts.voicemail.url == "https://pbx.example/RE01"


def test_a_call_that_seems_to_end_before_it_began_lasted_no_time() -> None:
    facts = read({"ended_at": "2026-03-10T09:59:00Z"}).facts
    assert facts.ended_at == facts.started_at


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(MISSED)), JSON, max_size=6))
def test_whatever_a_field_holds_the_event_is_read_or_refused(changes: dict[str, Any]) -> None:
    try:
        facts = HELSINKI.read(json.dumps({**MISSED, **changes}).encode()).facts
    except BadInput as problem:
        named: str | None = problem.field
    else:
        named = None
        assert facts.call_id
        assert "\x00" not in facts.name + facts.shown + facts.line
    assert named in {*MISSED, "body", None}
