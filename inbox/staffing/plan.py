"""The plan of a week, worked out of what was gathered. Nothing here reads the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from inbox.staffing import half_hours, shifts
from inbox.staffing.arrivals import days_between
from inbox.staffing.deferrable import Done, Slot, spread
from inbox.staffing.erlang import Goal, Work, at_work, scheduled
from inbox.staffing.forecast import WEEKS, Forecast, Profile, Trend
from inbox.staffing.gathering import Gathered
from inbox.staffing.half_hours import HalfHour
from inbox.staffing.measured import Concurrency, Handle, HandleTimes, Patience
from inbox.staffing.need import Achieved, Live, Need, achieved_by_planned, need
from inbox.staffing.scope import Scope
from inbox.staffing.settings import StaffingSettings
from inbox.staffing.shifts import ShiftKind
from inbox.vocabulary import ChannelKind

SHORT_PROMISE_S = 900
"""Mail that is promised sooner cannot be put off: it is planned like chat."""
NO_WORK = Work(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """One channel in one half-hour. `came`: what really did, None while that is to come."""

    forecast: Forecast
    handle: Handle
    came: int | None


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """`at_work` people are needed at their desks, `scheduled` on the plan, so that breaks and absence are covered.

    `gap`: planned people more (+) or fewer (-) than scheduled ones. `callbacks`: asked for, on average.
    """

    half_hour: HalfHour
    open: bool
    holiday: bool
    channels: Mapping[ChannelKind, ChannelPlan]
    callbacks: float
    live: Live
    need: Need
    written: Done
    at_work: int
    scheduled: int
    by_erlang_a: int | None
    least: bool
    planned: Mapping[ShiftKind, float]
    present: float | None
    gap: float
    expected: Achieved

    @property
    def people_planned(self) -> float:
        return sum(n for kind, n in self.planned.items() if kind is not ShiftKind.OTHER)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the plan stands on, for the week as a whole."""

    first_day: date | None
    days: int
    left_out: Sequence[date]
    holidays: Sequence[date]
    trends: Mapping[ChannelKind, Trend]
    handle: Mapping[ChannelKind, Handle]
    concurrency: Concurrency
    patience: Mapping[ChannelKind, Patience]
    target_s: Mapping[ChannelKind, int]
    mail_promise_s: int
    callback_promise_s: int
    mail_like_chat: bool
    backlog: tuple[int, int]
    rough: bool


@dataclass(frozen=True, slots=True)
class WeekPlan:
    monday: date
    zone: ZoneInfo
    now: datetime
    scope: Scope
    settings: StaffingSettings
    standing: Standing
    slots: Sequence[SlotPlan]

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=6)

    @property
    def known(self) -> bool:
        """Whether there is any past to plan from."""
        return self.standing.days > 0

    def day(self, wanted: date) -> list[SlotPlan]:
        return [slot for slot in self.slots if slot.half_hour.day == wanted]


def work_out(found: Gathered) -> WeekPlan:
    wanted, zone = found.settings, found.zone
    days, holidays, left_out = days_of_past(found)
    profiles = {
        channel: Profile({**found.holiday_arrivals.channels[channel].came, **counted.came}, days, holidays, zone)
        for channel, counted in found.arrivals.channels.items()
    }
    callback_profile = Profile(
        {**found.holiday_arrivals.callbacks.came, **found.arrivals.callbacks.came}, days, holidays, zone
    )
    handle = {
        ChannelKind.PHONE: HandleTimes(found.handled[ChannelKind.PHONE], wanted.phone_handle_s),
        ChannelKind.CHAT: HandleTimes(found.handled[ChannelKind.CHAT], wanted.chat_handle_s),
        ChannelKind.EMAIL: HandleTimes(found.handled[ChannelKind.EMAIL], wanted.email_handle_s),
    }
    targets, mail_promise_s = _targets(found)
    like_chat = mail_promise_s <= SHORT_PROMISE_S
    callback_promise_s = wanted.callback_minutes * 60
    parts = [
        _part(found, half_hour, profiles, callback_profile, handle, targets, like_chat)
        for half_hour in found.half_hours
    ]
    needs = [need(part.live) for part in parts]
    least = at_work(wanted.least_people, wanted.shrinkage)
    slots = [
        Slot(
            part.open_s,
            part.deferred_s,
            mail_promise_s if not like_chat else callback_promise_s,
            max(0.0, max(needed.people, least) * wanted.occupancy - part.live.load) * part.open_s,
            wanted.occupancy * part.open_s,
        )
        for part, needed in zip(parts, needs, strict=True)
    ]
    start = next((n for n, part in enumerate(parts) if part.half_hour.ends > found.now), len(parts))
    waiting_s = 0.0
    if found.half_hours[0].begins <= found.now < found.half_hours[-1].ends:
        mails, callbacks = found.backlog
        waiting_s = callbacks * handle[ChannelKind.PHONE].month.seconds
        waiting_s += 0.0 if like_chat else mails * handle[ChannelKind.EMAIL].month.seconds
    else:
        start = 0
    done = spread(slots, start=start, backlog_s=waiting_s, backlog_promise_s=callback_promise_s)
    planned = shifts.planned(found.half_hours, found.occurrences)
    made = [
        _slot(found, part, needed, written, people, there)
        for part, needed, written, people, there in zip(parts, needs, done, planned, found.present, strict=True)
    ]
    standing = Standing(
        first_day=found.first_day,
        days=len(days),
        left_out=left_out,
        holidays=sorted(day for day in found.holidays if found.monday <= day <= found.monday + timedelta(days=6)),
        trends={channel: profile.trend for channel, profile in profiles.items()},
        handle={channel: times.month for channel, times in handle.items()},
        concurrency=found.concurrency,
        patience=found.patience,
        target_s=targets,
        mail_promise_s=mail_promise_s,
        callback_promise_s=callback_promise_s,
        mail_like_chat=like_chat,
        backlog=found.backlog,
        rough=any(slot.live.load for slot in made) and max(slot.live.load for slot in made) < 1,
    )
    return WeekPlan(found.monday, zone, found.now, found.scope, wanted, standing, made)


def days_of_past(found: Gathered) -> tuple[list[date], list[date], list[date]]:
    """Days to learn from, holidays to learn from, and the marked ones that are left out of both."""
    if found.first_day is None:
        return [], [], []
    last = (found.until - timedelta(microseconds=1)).astimezone(found.zone).date()
    first = max(found.first_day, (found.until - WEEKS * half_hours.WEEK).astimezone(found.zone).date())
    # The first day is one on which the desk was filled or began at noon: it says too little.
    if first == found.first_day:
        first += timedelta(days=1)
    marked = found.settings.marked()
    every = days_between(first, last)
    days = [day for day in every if day not in marked and day not in found.holidays]
    holidays = [day for day in found.holidays if found.first_day < day <= last and day not in marked]
    return days, holidays, [day for day in every if day in marked]


def _targets(found: Gathered) -> tuple[Mapping[ChannelKind, int], int]:
    hours = found.timetable.at(max(found.half_hours[0].begins, found.now)).hours
    wanted = found.settings
    return {
        ChannelKind.PHONE: wanted.phone_s or hours.target(ChannelKind.PHONE).warn_s,
        ChannelKind.CHAT: wanted.chat_s or hours.target(ChannelKind.CHAT).warn_s,
        ChannelKind.EMAIL: hours.target(ChannelKind.EMAIL).warn_s,
    }, hours.target(ChannelKind.EMAIL).target_s


@dataclass(frozen=True, slots=True)
class _Part:
    """What comes in a half-hour. `deferred_s`: seconds of work that may wait."""

    half_hour: HalfHour
    open_s: float
    holiday: bool
    channels: Mapping[ChannelKind, ChannelPlan]
    callbacks: float
    live: Live
    deferred_s: float


def _part(
    found: Gathered,
    half_hour: HalfHour,
    profiles: Mapping[ChannelKind, Profile],
    callback_profile: Profile,
    handle: Mapping[ChannelKind, HandleTimes],
    targets: Mapping[ChannelKind, int],
    like_chat: bool,
) -> _Part:
    holiday = half_hour.day in found.holidays
    hours = found.timetable.at(half_hour.begins).hours
    open_s = hours.open_time(half_hour.begins, half_hour.ends).total_seconds()
    channels = {}
    for channel, profile in profiles.items():
        came = found.arrivals.channels[channel].came.get((half_hour.day, half_hour.place), 0)
        channels[channel] = ChannelPlan(
            profile.forecast(half_hour, holiday=holiday),
            handle[channel].of(half_hour.weekday, half_hour.place),
            came if half_hour.ends <= found.now else None,
        )
    callbacks = callback_profile.forecast(half_hour, holiday=holiday).expected
    deferred_s = callbacks * channels[ChannelKind.PHONE].handle.seconds
    now_s = {channel: one.forecast.expected * one.handle.seconds for channel, one in channels.items()}
    if not open_s:
        # Nobody is there: whoever comes is called back or written to.
        live = _live(found, NO_WORK, NO_WORK, targets)
        return _Part(half_hour, 0.0, holiday, channels, callbacks, live, deferred_s + sum(now_s.values()))
    phone = _work(channels[ChannelKind.PHONE], half_hour)
    chat = _work(channels[ChannelKind.CHAT], half_hour, found.concurrency.factor)
    if like_chat:
        chat = _together(chat, _work(channels[ChannelKind.EMAIL], half_hour))
    else:
        deferred_s += now_s[ChannelKind.EMAIL]
    return _Part(half_hour, open_s, holiday, channels, callbacks, _live(found, phone, chat, targets), deferred_s)


def _work(channel: ChannelPlan, half_hour: HalfHour, at_once: float = 1.0) -> Work:
    if channel.forecast.expected <= 0:
        return NO_WORK
    return Work(channel.forecast.expected / half_hour.seconds, channel.handle.seconds / at_once)


def _together(one: Work, other: Work) -> Work:
    rate = one.rate + other.rate
    return NO_WORK if rate <= 0 else Work(rate, (one.load + other.load) / rate)


def _live(found: Gathered, phone: Work, chat: Work, targets: Mapping[ChannelKind, int]) -> Live:
    wanted = found.settings
    callers, visitors = found.patience[ChannelKind.PHONE], found.patience[ChannelKind.CHAT]
    return Live(
        phone,
        chat,
        Goal(wanted.level, targets[ChannelKind.PHONE], wanted.occupancy),
        Goal(wanted.level, targets[ChannelKind.CHAT], wanted.occupancy),
        callers.seconds if callers.matters else None,
        visitors.seconds if visitors.matters else None,
    )


def _slot(
    found: Gathered, part: _Part, needed: Need, written: Done, planned: Mapping[ShiftKind, float], there: float | None
) -> SlotPlan:
    shrinkage = found.settings.shrinkage
    people = needed.people + written.people
    by_load = scheduled(people, shrinkage)
    least = part.open_s > 0 and by_load < found.settings.least_people
    wanted = found.settings.least_people if least else by_load
    return SlotPlan(
        half_hour=part.half_hour,
        open=part.open_s > 0,
        holiday=part.holiday,
        channels=part.channels,
        callbacks=part.callbacks,
        live=part.live,
        need=needed,
        written=written,
        at_work=people,
        scheduled=wanted,
        by_erlang_a=None if needed.by_a is None else scheduled(needed.by_a + written.people, shrinkage),
        least=least,
        planned=planned,
        present=there,
        gap=gap(planned, wanted, needed, written.people, shrinkage),
        expected=expected(part.live, planned, shrinkage),
    )


def gap(planned: Mapping[ShiftKind, float], wanted: int, needed: Need, for_written: int, shrinkage: float) -> float:
    """People planned beyond those wanted; below zero the worst of what is missing, for all or for one kind of work."""
    anything, phone, chat, written = _kinds(planned)
    over = anything + phone + chat + written - wanted
    missing = min(
        over,
        anything + phone - scheduled(needed.phone, shrinkage),
        anything + chat - scheduled(needed.people - needed.phone, shrinkage),
        anything + written - scheduled(for_written, shrinkage),
        anything + phone + chat - scheduled(needed.people, shrinkage),
    )
    return round(missing if missing < 0 else over, 2)


def expected(live: Live, planned: Mapping[ShiftKind, float], shrinkage: float) -> Achieved:
    """What the planned people would achieve."""
    anything, phone, chat, _ = _kinds(planned)
    return achieved_by_planned(live, anything, phone, chat, shrinkage)


def _kinds(planned: Mapping[ShiftKind, float]) -> tuple[float, float, float, float]:
    anything, phone, chat, written = (
        planned.get(kind, 0.0) for kind in (ShiftKind.ANYTHING, ShiftKind.PHONE, ShiftKind.CHAT, ShiftKind.WRITTEN)
    )
    return anything, phone, chat, written
