"""How each figure of the staffing plan came about, in sentences of the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton, format_time
from babel.numbers import format_decimal, format_percent

from inbox.staffing.forecast import Basis
from inbox.staffing.half_hours import HalfHour
from inbox.staffing.measured import HandleBasis
from inbox.staffing.plan import ChannelPlan, SlotPlan, Standing, WeekPlan
from inbox.staffing.shifts import ShiftKind
from inbox.vocabulary import ChannelKind
from inbox.words import N_, Words

KINDS: Mapping[ShiftKind, str] = {
    ShiftKind.ANYTHING: N_("Everything"),
    ShiftKind.PHONE: N_("Calls only"),
    ShiftKind.CHAT: N_("Chats only"),
    ShiftKind.WRITTEN: N_("Mail and callbacks only"),
    ShiftKind.OTHER: N_("Not for customers (training, meeting)"),
}
COMING: Mapping[ChannelKind, str] = {
    ChannelKind.PHONE: N_("%(n)s calls"),
    ChannelKind.CHAT: N_("%(n)s chats"),
    ChannelKind.EMAIL: N_("%(n)s mails"),
}
BASES: Mapping[Basis, str] = {
    Basis.WEEKDAY: N_(
        "%(what)s expected: median of this half-hour on %(days)s like weekdays, half of them %(low)s–%(high)s."
    ),
    Basis.HOLIDAYS: N_(
        "%(what)s expected: median of this half-hour on %(days)s holidays, half of them %(low)s–%(high)s."
    ),
    Basis.OTHER_DAYS: N_(
        "%(what)s expected: this weekday has not been seen yet, so the median of %(days)s other days, "
        "half of them %(low)s–%(high)s."
    ),
    Basis.NOTHING: N_("%(what)s expected: this half-hour has never been seen."),
}
HANDLES: Mapping[HandleBasis, str] = {
    HandleBasis.HALF_HOUR: N_("%(time)s of handling each, measured on %(n)s in this half-hour of the week."),
    HandleBasis.WEEKDAY: N_("%(time)s of handling each, measured on %(n)s on this weekday."),
    HandleBasis.MONTH: N_("%(time)s of handling each, measured on %(n)s in the last 30 days."),
    HandleBasis.SETTING: N_("%(time)s of handling each, as set: nothing has been measured yet."),
}


@dataclass(frozen=True, slots=True)
class Teller:
    """Says figures and sentences in one language."""

    words: Words
    language: str

    @property
    def locale(self) -> str:
        return "en_GB" if self.language == "en" else self.language

    def say(self, message: str, **values: object) -> str:
        return self.words.say(self.language, message, **values)

    def number(self, value: float) -> str:
        return str(format_decimal(round(value, 1), "0.#", locale=self.locale))

    def signed(self, value: float) -> str:
        """With its sign before it: a plus, a minus, or none for nothing."""
        shown = self.number(abs(value))
        if round(abs(value), 1) == 0:
            return self.number(0)
        return f"+{shown}" if value > 0 else f"−{shown}"

    def percent(self, share: float | None) -> str:
        """Rounded down: 99.6 % is not everybody."""
        return "–" if share is None else str(format_percent(int(share * 100 + 1e-9) / 100, locale=self.locale))

    def seconds(self, value: float | None) -> str:
        if value is None:
            return "–"
        whole = round(value)
        return f"{whole // 60}:{whole % 60:02}"

    def day(self, day: date) -> str:
        return str(format_skeleton("MMMEd", datetime.combine(day, time(12), UTC), locale=self.locale))

    def full_day(self, day: date) -> str:
        return str(format_skeleton("yMMMEd", datetime.combine(day, time(12), UTC), locale=self.locale))

    def clock(self, moment: datetime, zone: ZoneInfo) -> str:
        return str(format_time(moment, "HH:mm", tzinfo=zone, locale=self.locale))

    def half_hour(self, half_hour: HalfHour) -> str:
        return self.say(N_("%(time)s again"), time=half_hour.clock) if half_hour.again else half_hour.clock


def how(tell: Teller, plan: WeekPlan, slot: SlotPlan) -> list[str]:
    """Where the figures of one half-hour come from, in the order in which they are worked out."""
    standing, settings = plan.standing, plan.settings
    said = []
    if not slot.open:
        said.append(tell.say(N_("Closed: what comes now is worked off after the next opening.")))
    for channel in (ChannelKind.PHONE, ChannelKind.CHAT, ChannelKind.EMAIL):
        said += _coming(tell, standing, channel, slot.channels[channel])
    if slot.callbacks:
        said.append(tell.say(N_("%(n)s callbacks will be asked for."), n=tell.number(slot.callbacks)))
    if slot.live.load:
        said += _calls_and_chats(tell, plan, slot)
    said += _written(tell, slot)
    if slot.least:
        said.append(tell.say(N_("At least %(n)s on the plan while the desk is open, as set."), n=settings.least_people))
    elif slot.at_work:
        said.append(
            tell.say(
                N_("%(at_work)s at work / (1 − %(shrinkage)s for breaks and absence), rounded up: %(n)s on the plan."),
                at_work=slot.at_work,
                shrinkage=tell.percent(settings.shrinkage),
                n=slot.scheduled,
            )
        )
    if slot.by_erlang_a is not None and slot.live.load:
        said.append(tell.say(N_("By Erlang A, since customers leave: %(n)s on the plan."), n=slot.by_erlang_a))
    return said


def _coming(tell: Teller, standing: Standing, channel: ChannelKind, one: ChannelPlan) -> list[str]:
    forecast = one.forecast
    if not (forecast.expected or forecast.high or one.came):
        return []
    what = tell.say(COMING[channel], n=tell.number(forecast.expected))
    said = tell.say(
        BASES[forecast.basis],
        what=what,
        days=forecast.days,
        low=tell.number(forecast.low),
        high=tell.number(forecast.high),
    )
    ratio = standing.trends[channel].ratio
    if ratio != 1:
        said += " " + tell.say(
            N_("Times %(ratio)s, as the last two weeks against the weeks before."),
            ratio=format_decimal(round(ratio, 2), "0.##", locale=tell.locale),
        )
    said += " " + tell.say(HANDLES[one.handle.basis], time=tell.seconds(one.handle.seconds), n=one.handle.n)
    if one.came is not None:
        said += " " + tell.say(N_("Came: %(n)s."), n=one.came)
    return [said]


def _calls_and_chats(tell: Teller, plan: WeekPlan, slot: SlotPlan) -> list[str]:
    standing, settings = plan.standing, plan.settings
    said = []
    if slot.live.chat.load and not standing.mail_like_chat:
        said.append(at_once(tell, standing))
    said.append(
        tell.say(
            N_(
                "%(load)s erlangs. %(level)s in %(phone)s (calls) and %(chat)s (chats), nobody busier than "
                "%(limit)s: "
                "%(people)s people at work, %(calls)s of them for calls (Erlang C). Calls first, chats on the rest."
            ),
            load=tell.number(slot.live.load),
            level=tell.percent(settings.level),
            phone=tell.seconds(standing.target_s[ChannelKind.PHONE]),
            chat=tell.seconds(standing.target_s[ChannelKind.CHAT]),
            limit=tell.percent(settings.occupancy),
            people=slot.need.people,
            calls=slot.need.phone,
        )
    )
    if slot.live.rough:
        said.append(tell.say(N_("Less work than for one person: these formulas are rough here.")))
    return said


def at_once(tell: Teller, standing: Standing) -> str:
    factor = format_decimal(round(standing.concurrency.factor, 2), "0.##", locale=tell.locale)
    if standing.concurrency.chats:
        return tell.say(
            N_("%(factor)s chats at once, measured on %(n)s chats of the last 14 days. An approximation."),
            factor=factor,
            n=standing.concurrency.chats,
        )
    return tell.say(
        N_("An operator gets %(factor)s times as much done with several chats at once: a rule of thumb, not measured."),
        factor=factor,
    )


def _written(tell: Teller, slot: SlotPlan) -> list[str]:
    said = []
    if slot.written.worked_s >= 30:
        said.append(
            tell.say(
                N_("%(time)s hours of mail and callbacks are done, %(people)s more people for that."),
                time=tell.number(slot.written.worked_s / 3600),
                people=slot.written.people,
            )
            if slot.written.people
            else tell.say(
                N_("%(time)s hours of mail and callbacks are done in the time that calls and chats leave."),
                time=tell.number(slot.written.worked_s / 3600),
            )
        )
    if slot.written.late_s >= 30:
        said.append(
            tell.say(N_("%(time)s hours of it are past the promise."), time=tell.number(slot.written.late_s / 3600))
        )
    return said


def standing_lines(tell: Teller, plan: WeekPlan) -> list[str]:
    """What the whole plan stands on."""
    standing, settings = plan.standing, plan.settings
    said = [
        tell.say(
            N_(
                "Learned from %(n)s days of the last eight weeks; arrivals are counted from first waits, with "
                "those who left."
            ),
            n=standing.days,
        )
    ]
    if standing.left_out:
        said.append(
            tell.say(N_("Left out as marked: %(days)s."), days=", ".join(tell.day(day) for day in standing.left_out))
        )
    if standing.holidays:
        said.append(
            tell.say(
                N_("Holidays of this week, planned like holidays before: %(days)s."),
                days=", ".join(tell.day(day) for day in standing.holidays),
            )
        )
    said += _patience(tell, standing)
    if standing.mail_like_chat:
        said.append(
            tell.say(
                N_("Mail is promised within %(time)s, so it is planned like chat."),
                time=tell.seconds(standing.mail_promise_s),
            )
        )
    else:
        said.append(
            tell.say(
                N_(
                    "Mail may wait for %(mail)s hours of opening time and callbacks for %(callback)s: they "
                    "fill what calls and chats leave."
                ),
                mail=tell.number(standing.mail_promise_s / 3600),
                callback=tell.number(standing.callback_promise_s / 3600),
            )
        )
    if any(standing.backlog):
        said.append(
            tell.say(
                N_("Waiting at this moment: %(mails)s mails and %(callbacks)s callbacks."),
                mails=standing.backlog[0],
                callbacks=standing.backlog[1],
            )
        )
    said.append(at_once(tell, standing))
    if standing.rough:
        said.append(
            tell.say(
                N_(
                    "A small desk: never as much work as for one person. Erlang is rough here; what counts is that "
                    "somebody is there, and two where breaks must be covered."
                )
            )
        )
    said.append(
        tell.say(
            N_("Breaks and absence take %(shrinkage)s: of ten planned people %(n)s are at work."),
            shrinkage=tell.percent(settings.shrinkage),
            n=tell.number(10 * (1 - settings.shrinkage)),
        )
    )
    return said


def _patience(tell: Teller, standing: Standing) -> list[str]:
    said = []
    for channel, name in ((ChannelKind.PHONE, N_("callers")), (ChannelKind.CHAT, N_("chat visitors"))):
        found = standing.patience[channel]
        if found.matters:
            said.append(
                tell.say(
                    N_(
                        "%(share)s of %(who)s leave before an answer, so Erlang A is shown beside: they wait "
                        "for %(time)s on average."
                    )
                    if found.measured
                    else N_(
                        "%(share)s of %(who)s leave before an answer, so Erlang A is shown beside, with "
                        "%(time)s of patience as set."
                    ),
                    share=tell.percent(found.share_left),
                    who=tell.say(name),
                    time=tell.seconds(found.seconds),
                )
            )
    return said


def missing_lines(tell: Teller, plan: WeekPlan) -> list[str]:
    """What an empty desk lacks, and when it can plan."""
    standing = plan.standing
    said = []
    if standing.first_day is None:
        said.append(
            tell.say(
                N_("No customer has come yet. A first plan can be made when one whole day has passed with customers.")
            )
        )
    elif not plan.known:
        said.append(
            tell.say(
                N_(
                    "The first customer came on %(day)s, and that day does not count as whole. A first plan "
                    "can be made from %(from)s."
                ),
                **{
                    "day": tell.full_day(standing.first_day),
                    "from": tell.full_day(standing.first_day + timedelta(days=2)),
                },
            )
        )
    elif standing.days < 14:
        said.append(
            tell.say(
                N_(
                    "Only %(n)s whole days are known. Every weekday is known twice from %(day)s; a good plan "
                    "stands on six to eight weeks."
                ),
                n=standing.days,
                day=tell.full_day(standing.first_day + timedelta(days=15)),
            )
        )
    unmeasured = [channel for channel, handle in standing.handle.items() if handle.basis is HandleBasis.SETTING]
    if unmeasured:
        names = {ChannelKind.CHAT: N_("chats"), ChannelKind.EMAIL: N_("mails"), ChannelKind.PHONE: N_("calls")}
        said.append(
            tell.say(
                N_("Handling has not been measured for %(what)s: the time in the settings counts until it has."),
                what=", ".join(tell.say(names[channel]) for channel in unmeasured),
            )
        )
    return said
