"""Times and spans in words."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from autoreply.moments import between, moment, opening_lines, span
from inbox.waits.hours import read_hours
from inbox.words import Words

HELSINKI = ZoneInfo("Europe/Helsinki")
NOW = datetime(2026, 3, 27, 20, tzinfo=UTC)  # Friday, ten in the evening, before the night the clocks change


@pytest.mark.parametrize(
    ("language", "when", "said"),
    [
        ("en", datetime(2026, 3, 27, 21, 30, tzinfo=UTC), "today at 23:30"),
        ("en", datetime(2026, 3, 28, 7, tzinfo=UTC), "tomorrow at 09:00"),
        ("en", datetime(2026, 3, 30, 6, tzinfo=UTC), "on Monday 30 March at 09:00"),
        ("fi", datetime(2026, 3, 27, 21, 30, tzinfo=UTC), "tänään klo 23.30"),
        ("fi", datetime(2026, 3, 28, 7, tzinfo=UTC), "huomenna klo 9.00"),
        ("fi", datetime(2026, 3, 30, 6, tzinfo=UTC), "maanantaina 30. maaliskuuta klo 9.00"),
    ],
)
def test_a_moment_is_said_as_a_person_would(words: Words, language: str, when: datetime, said: str) -> None:
    assert moment(words, language, when, now=NOW, zone=HELSINKI) == said


def test_tomorrow_is_counted_by_the_calendar_not_by_hours(words: Words) -> None:
    just_after_midnight = datetime(2026, 3, 27, 22, 5, tzinfo=UTC)
    assert moment(words, "en", just_after_midnight, now=NOW, zone=HELSINKI) == "tomorrow at 00:05"
    assert moment(words, "en", just_after_midnight, now=NOW, zone=ZoneInfo("UTC")) == "today at 22:05"


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "on Monday 30 March between 09:00 and 10:00"), ("fi", "maanantaina 30. maaliskuuta klo 9.00–10.00")],
)
def test_a_slot_is_said_with_both_ends(words: Words, language: str, said: str) -> None:
    since, until = datetime(2026, 3, 30, 6, tzinfo=UTC), datetime(2026, 3, 30, 7, tzinfo=UTC)
    assert between(words, language, since, until, now=NOW, zone=HELSINKI) == said


@pytest.mark.parametrize(
    ("low_s", "high_s", "english", "finnish"),
    [
        (240, 420, "4 to 7 minutes", "4–7 minuutissa"),
        (170, 190, "about 3 minutes", "noin 3 minuutissa"),
        (50, 70, "about 1 minute", "noin minuutissa"),
        (0, 120, "less than 2 minutes", "alle 2 minuutissa"),
    ],
)
def test_a_span_is_said_in_whole_minutes(words: Words, low_s: int, high_s: int, english: str, finnish: str) -> None:
    assert (span(words, "en", low_s, high_s), span(words, "fi", low_s, high_s)) == (english, finnish)


def test_opening_hours_are_one_line_for_each_day() -> None:
    hours = read_hours(
        "Europe/Helsinki", {"weekly": {"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "sat": [["10:00", "24:00"]]}}
    )
    assert opening_lines("en", hours) == ["Monday 09:00–12:00, 13:00–17:00", "Saturday 10:00–24:00"]
    assert opening_lines("fi", hours) == ["Maanantai 9.00–12.00, 13.00–17.00", "Lauantai 10.00–24:00"]
