"""What a calendar part says, for people: title, time, place, who invites (RFC 5545, RFC 5546). Never raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from channels.email.headers import one_line
from channels.email.record import Appointment, AppointmentMethod

_MOST_CHARACTERS = 200_000
_UNFOLD = re.compile(r"\n[ \t]")
_MOST_LINES, _LONGEST_LINE = 5_000, 10_000
_ESCAPED = re.compile(r"\\([\\;,nN])")
_STAMP = re.compile(r"^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?$")
_DURATION = re.compile(r"^P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:\d{1,5}S)?)?$")
_ZONE_NAME = re.compile(r"[A-Z][A-Za-z_]{2,30}/[A-Za-z_/+-]{2,40}")
_WINDOWS_ZONES = {
    "fle standard time": "Europe/Helsinki", "gtb standard time": "Europe/Bucharest", "utc": "UTC",
    "turkey standard time": "Europe/Istanbul", "georgian standard time": "Asia/Tbilisi",
    "central europe standard time": "Europe/Budapest", "central european standard time": "Europe/Warsaw",
    "w. europe standard time": "Europe/Berlin", "romance standard time": "Europe/Paris",
    "gmt standard time": "Europe/London", "russian standard time": "Europe/Moscow",
    "eastern standard time": "America/New_York", "central standard time": "America/Chicago",
    "mountain standard time": "America/Denver", "pacific standard time": "America/Los_Angeles",
    "e. europe standard time": "Europe/Chisinau", "greenwich standard time": "Atlantic/Reykjavik",
}  # fmt: skip


def read_appointment(text: str, method: str = "") -> Appointment | None:
    """The first event or task of a calendar; `method` from the part's own header. None when there is none."""
    found: dict[str, tuple[dict[str, str], str]] = {}
    inside, depth, attendees = "", 0, 0
    for name, parameters, value in _lines(text):
        if name == "BEGIN":
            if not inside and value.upper() in ("VEVENT", "VTODO"):
                inside = value.upper()
            elif inside:
                depth += 1  # an alarm inside the event has a description of its own
        elif name == "END":
            if inside and not depth and value.upper() == inside:
                break
            depth = max(0, depth - 1)
        elif name == "METHOD" and not inside:
            method = value
        elif inside and not depth:
            attendees += name == "ATTENDEE"
            found.setdefault(name, (parameters, value))
    if not inside:
        return None
    starts, ends = _moment(found.get("DTSTART")), _moment(found.get("DTEND") or found.get("DUE"))
    if starts and not ends and "DURATION" in found:
        ends = _after(starts, _duration(found["DURATION"][1]))
    status = _text(found, "STATUS").upper()
    return Appointment(
        method=_method(method, status),
        title=_text(found, "SUMMARY")[:300],
        starts=starts,
        ends=ends,
        all_day=len(found.get("DTSTART", ({}, ""))[1].strip()) == 8,
        place=_text(found, "LOCATION")[:300],
        organiser=_person(found.get("ORGANIZER"))[:300],
        repeats="RRULE" in found or "RDATE" in found,
        attendees=attendees,
    )


def words_of(appointment: Appointment) -> str:
    """Where the mail says nothing else."""
    when = ""
    if appointment.starts is not None:
        form = "%Y-%m-%d" if appointment.all_day else "%Y-%m-%d %H:%M %Z"
        when = appointment.starts.strftime(form).strip()
    lines = (appointment.title, when, appointment.place, appointment.organiser)
    return "\n".join(line for line in lines if line)


def _method(written: str, status: str) -> AppointmentMethod:
    try:
        method = AppointmentMethod(written.strip().lower())
    except ValueError:
        method = AppointmentMethod.PUBLISH
    return AppointmentMethod.CANCEL if status == "CANCELLED" else method


def _lines(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    for line in _UNFOLD.sub("", text[:_MOST_CHARACTERS]).split("\n")[:_MOST_LINES]:
        quoted = False
        for at, character in enumerate(line[:_LONGEST_LINE]):
            if character == '"':
                quoted = not quoted
            elif character == ":" and not quoted:
                name, _, parameters = line[:at].partition(";")
                yield name.strip().upper(), _parameters(parameters), line[at + 1 :].strip()
                break


def _parameters(written: str) -> dict[str, str]:
    pairs = (one.partition("=") for one in written.split(";")[:20])
    return {name.strip().upper(): value.strip().strip('"') for name, _, value in pairs}


def _text(found: dict[str, tuple[dict[str, str], str]], name: str) -> str:
    value = found.get(name, ({}, ""))[1]
    return one_line(_ESCAPED.sub(lambda mark: " " if mark[1] in "nN" else mark[1], value))


def _person(line: tuple[dict[str, str], str] | None) -> str:
    if line is None:
        return ""
    parameters, value = line
    address = value[7:] if value[:7].lower() == "mailto:" else value
    name = one_line(parameters.get("CN", ""))
    return one_line(f"{name} <{address}>" if name and name != address else address)


def _moment(line: tuple[dict[str, str], str] | None) -> datetime | None:
    """Aware, in UTC; a whole day begins at midnight of no zone in particular, which is then UTC."""
    if line is None:
        return None
    parameters, value = line
    stamp = _STAMP.match(value.strip())
    if stamp is None:
        return None
    try:
        naive = datetime(
            int(stamp[1]), int(stamp[2]), int(stamp[3]), int(stamp[4] or 0), int(stamp[5] or 0), tzinfo=UTC
        )
        if stamp[7] or not stamp[4]:
            return naive
        return naive.replace(tzinfo=_zone(parameters.get("TZID", ""))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(name: str) -> ZoneInfo:
    found = _ZONE_NAME.search(name)
    for wanted in (_WINDOWS_ZONES.get(name.lower()), found[0] if found else None):
        if wanted:
            try:
                return ZoneInfo(wanted)
            except (OSError, ValueError, KeyError):
                continue
    return ZoneInfo("UTC")


def _after(starts: datetime, length: timedelta) -> datetime | None:
    try:
        return starts + length
    except OverflowError:
        return None


def _duration(written: str) -> timedelta:
    found = _DURATION.match(written.strip().upper())
    if found is None:
        return timedelta()
    weeks, days, hours, minutes = (int(one or 0) for one in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
