"""Versions of opening hours as one line of time. The past is always counted by the version in force then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from inbox.waits.hours import OpeningHours


@dataclass(frozen=True, slots=True)
class Version:
    id: int
    valid_from: datetime
    zone: str
    data: Mapping[str, Any]
    hours: OpeningHours


Change = tuple[datetime, Version | None]
"""From when on a team has hours of its own; None: those of the desk again."""


class Timetable:
    """Every version from some moment on, as one line of time. Before the first one it is the first that counts."""

    __slots__ = ("_versions",)

    def __init__(self, found: Sequence[Version]) -> None:
        if not found:
            raise LookupError("A desk needs opening hours before anybody can wait.")
        self._versions = found

    @property
    def versions(self) -> Sequence[Version]:
        return self._versions

    def at(self, moment: datetime) -> Version:
        return next((v for v in reversed(self._versions) if v.valid_from <= moment), self._versions[0])

    def spans(self, since: datetime, until: datetime) -> list[tuple[datetime, datetime, Version]]:
        """Which version is in force when, covering [since, until) without gaps."""
        starts = [since, *(max(v.valid_from, since) for v in self._versions[1:]), until]
        return [
            (start, min(end, until), version)
            for (start, end), version in zip(pairwise(starts), self._versions, strict=True)
            if start < min(end, until)
        ]

    def open_time(self, since: datetime, until: datetime) -> timedelta:
        """Opening time in [since, until), each part by the version in force then."""
        if len(self._versions) == 1:
            return self._versions[0].hours.open_time(since, until)
        return sum((v.hours.open_time(a, b) for a, b, v in self.spans(since, until)), timedelta())

    def add(self, start: datetime, open_time: timedelta) -> datetime | None:
        """The moment at which `open_time` has passed in opening hours since `start`. None when the desk never opens."""
        for version, following in zip(self._versions, [*self._versions[1:], None], strict=True):
            if following is None:
                return version.hours.add(start, open_time)
            if following.valid_from <= start:
                continue
            reached = version.hours.add(start, open_time)
            if reached is not None and reached <= following.valid_from:
                return reached
            open_time -= version.hours.open_time(start, following.valid_from)
            start = following.valid_from
        return None

    def since(self, moment: datetime) -> Timetable:
        """Only what is in force at `moment` and after."""
        first = next((i for i in reversed(range(len(self._versions))) if self._versions[i].valid_from <= moment), 0)
        return self if first == 0 else Timetable(self._versions[first:])

    def with_own(self, own: Sequence[Change]) -> Timetable:
        """The timetable of a team: its own versions where it has some, else these of the desk."""
        if not own:
            return self
        found: list[Version] = []
        moments = sorted({*(version.valid_from for version in self._versions), *(moment for moment, _ in own)})
        for moment in moments:
            latest = next((version for at, version in reversed(own) if at <= moment), None)
            version = latest or self.at(moment)
            if not found or found[-1].id != version.id:
                found.append(replace(version, valid_from=moment))
        if own[0][0] > self._versions[0].valid_from:
            return Timetable(found)
        # Before the team had hours of its own it was the desk's that counted, also before the desk's first.
        before = replace(self._versions[0], valid_from=datetime.min.replace(tzinfo=moments[0].tzinfo))
        return Timetable([before, *found])

    @staticmethod
    def joined(parts: Sequence[tuple[datetime, Timetable]]) -> Timetable:
        """One after the other, each from its moment on: what counts for somebody who was passed on."""
        found: list[Version] = []
        for index, (since, part) in enumerate(parts):
            until = parts[index + 1][0] if index + 1 < len(parts) else None
            if until is not None and until <= since:
                continue
            found.append(replace(part.at(since), valid_from=since))
            found += [v for v in part._versions if v.valid_from > since and (until is None or v.valid_from < until)]
        return Timetable(found)
