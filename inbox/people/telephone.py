"""Telephone numbers: what people and exchanges write, in one comparable form, and when it is decent to ring it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from inbox.errors import BadInput
from inbox.waits.hours import WEEKDAYS, OpeningHours, read_hours
from inbox.words import N_

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

CALLING_WINDOW = ("09:00", "20:00")
"""When customers are rung, in their own time zone. US 47 CFR 64.1200(c) allows 8 to 21."""

MAX_ZONES = 12
"""A number that may lie in more zones than this (freephone) tells nothing about where its owner is."""


def e164(written: str, country: str | None) -> str | None:
    """`written` as +358401234567 (ITU-T E.164), or None: withheld, an extension, a service code, no number.

    `country` (ISO 3166 code of two letters) is assumed where the number does not name one.
    """
    number = _parsed(written, country)
    if number is None:
        return None
    from phonenumbers import PhoneNumberFormat, format_number

    return format_number(number, PhoneNumberFormat.E164)


def require_e164(written: str, country: str | None) -> str:
    """Raises BadInput("number")."""
    number = e164(written, country)
    if number is None:
        raise BadInput("number", N_("This is not a telephone number that can be rung. Write it with its country code."))
    return number


def spoken(number: str) -> str:
    """+358401234567 as people read it: +358 40 1234567."""
    parsed = _parsed(number, None)
    if parsed is None:
        return number
    from phonenumbers import PhoneNumberFormat, format_number

    return format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


def known_country(country: str) -> bool:
    from phonenumbers import SUPPORTED_REGIONS

    return country in SUPPORTED_REGIONS


def calling_time(number: str, contact_zone: str | None, desk_zone: str, at: datetime) -> datetime:
    """The first moment from `at` on at which ringing is decent for everybody the number may belong to."""
    zones = [contact_zone] if contact_zone and contact_zone in available_timezones() else _zones(number)
    return _common(zones, at) or _common([desk_zone], at) or at


def _common(zones: Sequence[str], at: datetime) -> datetime | None:
    """The first moment from `at` on inside the calling window of every zone; None when they share none."""
    windows = [_window(zone) for zone in zones]
    moment = at
    for _ in range(4 * len(windows)):
        latest = max((opening for w in windows if (opening := w.next_opening(moment)) is not None), default=None)
        if latest is None or latest == moment:
            return latest
        moment = latest
    return None


@lru_cache(64)
def _window(zone: str) -> OpeningHours:
    return read_hours(zone, {"weekly": {day: [list(CALLING_WINDOW)] for day in WEEKDAYS}})


def _zones(number: str) -> Sequence[str]:
    parsed = _parsed(number, None)
    if parsed is None:
        return ()
    from phonenumbers import timezone

    zones = timezone.time_zones_for_number(parsed)
    return zones if len(zones) <= MAX_ZONES and timezone.UNKNOWN_TIMEZONE not in zones else ()


def _parsed(written: str, country: str | None) -> PhoneNumber | None:
    """A valid number. The library (2 MB, 40 ms) is loaded with the first number and not before."""
    if not written or len(written) > 80:
        return None
    from phonenumbers import NumberParseException, is_valid_number, parse

    try:
        number = parse(written, country)
    except NumberParseException:
        return None
    return number if is_valid_number(number) else None
