"""Times and spans as a person says them, in the reader's language and zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_time, get_day_names

from inbox.waits.hours import OpeningHours
from inbox.words import N_, Words


def locale_of(language: str) -> str:
    """English words come with a 24-hour clock."""
    return "en_GB" if language == "en" else language


def clock(language: str, when: datetime, zone: ZoneInfo) -> str:
    return format_time(when.astimezone(zone), "short", locale=locale_of(language))


def moment(words: Words, language: str, when: datetime, *, now: datetime, zone: ZoneInfo) -> str:
    """ "today at 13:00", "tomorrow at 09:00", "on Monday 12 January at 09:00"."""
    time = clock(language, when, zone)
    match _days_away(when, now, zone):
        case 0:
            return words.say(language, N_("today at %(time)s"), time=time)
        case 1:
            return words.say(language, N_("tomorrow at %(time)s"), time=time)
    return words.say(language, N_("on %(day)s at %(time)s"), day=_day(language, when, zone), time=time)


def between(words: Words, language: str, since: datetime, until: datetime, *, now: datetime, zone: ZoneInfo) -> str:
    """ "today between 13:00 and 14:00", "on Monday 12 January between 13:00 and 14:00"."""
    times = {"start": clock(language, since, zone), "end": clock(language, until, zone)}
    match _days_away(since, now, zone):
        case 0:
            return words.say(language, N_("today between %(start)s and %(end)s"), **times)
        case 1:
            return words.say(language, N_("tomorrow between %(start)s and %(end)s"), **times)
    day = _day(language, since, zone)
    return words.say(language, N_("on %(day)s between %(start)s and %(end)s"), day=day, **times)


def span(words: Words, language: str, low_s: int, high_s: int) -> str:
    """ "4 to 7 minutes", "less than 3 minutes", or "about 3 minutes" where both ends round to the same."""
    low, high = round(low_s / 60), max(1, round(high_s / 60))
    if low == 0:
        return words.count(language, "less than %(n)s minute", "less than %(n)s minutes", high)
    if low >= high:
        return words.count(language, "about %(n)s minute", "about %(n)s minutes", high)
    return words.say(language, N_("%(low)s to %(high)s minutes"), low=low, high=high)


def opening_lines(language: str, hours: OpeningHours) -> Sequence[str]:
    """ "Monday 09:00–12:00, 13:00–17:00" for each day that opens."""
    names = get_day_names("wide", "stand-alone", locale=locale_of(language))
    lines = []
    for day, windows in enumerate(hours.weekly):
        if windows:
            times = ", ".join(f"{_minutes(language, a)}–{_minutes(language, b)}" for a, b in windows)
            lines.append(f"{names[day].capitalize()} {times}")
    return lines


def _minutes(language: str, minutes: int) -> str:
    if minutes == 24 * 60:
        return "24:00"
    at = datetime(2026, 1, 1, minutes // 60, minutes % 60)  # noqa: DTZ001 (a wall time, of no day in particular)
    return format_time(at.time(), "short", locale=locale_of(language))


def _days_away(when: datetime, now: datetime, zone: ZoneInfo) -> int:
    span: timedelta = when.astimezone(zone).date() - now.astimezone(zone).date()
    return span.days


def _day(language: str, when: datetime, zone: ZoneInfo) -> str:
    local, locale = when.astimezone(zone), locale_of(language)
    return f"{format_date(local, 'EEEE', locale=locale)} {format_skeleton('MMMMd', local, locale=locale)}"
