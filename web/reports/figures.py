"""Every figure of a report: its name, how it is defined, where it stands in the record, which waits are behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inbox.reports.behind import WaitsOf
from inbox.reports.report import Figures
from inbox.words import N_

Number = float | int | None


class Unit(StrEnum):
    COUNT = "count"
    PERCENT = "percent"
    SECONDS = "seconds"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True)
class Figure:
    """`of` is on how many cases it stands, where that is something else than the figure itself."""

    key: str
    name: str
    defined: str
    unit: Unit
    value: Callable[[Figures], Number]
    of: Callable[[Figures], int | None] = lambda _: None
    waits: WaitsOf | None = None
    main: bool = False
    percentile: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    key: str
    name: str
    figures: Sequence[Figure]


SECTIONS: Sequence[Section] = (
    Section(
        "waiting",
        N_("Waits"),
        (
            Figure(
                "service_level",
                N_("Answered in target"),
                N_(
                    "Answered within the target of their channel, of all who were owed an answer. Those who left, were "
                    "not reached or were closed without an answer count as missed, and so does who waits past it now. "
                    "People who left within ten seconds are left out."
                ),
                Unit.PERCENT,
                lambda f: f.waiting.service.all_counted.percent,
                lambda f: f.waiting.service.all_counted.whole,
                WaitsOf.COUNTED,
                main=True,
            ),
            Figure(
                "service_level_answered",
                N_("Answered in target, of those answered"),
                N_("Answered within target, of answered waits alone: who left counts nowhere."),
                Unit.PERCENT,
                lambda f: f.waiting.service.answered_only.percent,
                lambda f: f.waiting.service.answered_only.whole,
                WaitsOf.ANSWERED,
            ),
            Figure(
                "service_level_abandoned",
                N_("In target, leaving in time counted as kept"),
                N_("Answered or left within target, of all answered and all who left."),
                Unit.PERCENT,
                lambda f: f.waiting.service.with_abandoned.percent,
                lambda f: f.waiting.service.with_abandoned.whole,
                WaitsOf.COUNTED,
            ),
            Figure(
                "median_wait",
                N_("Median wait"),
                N_("Half of the answered waits were shorter. Opening time less pauses agreed with the customer."),
                Unit.SECONDS,
                lambda f: f.waiting.waits.median_s,
                lambda f: f.waiting.waits.n,
                WaitsOf.ANSWERED,
                main=True,
                percentile=True,
            ),
            Figure(
                "p90_wait",
                N_("P90 wait"),
                N_("Nine of ten answered waits were not longer. Nearest rank of the waits, never an average."),
                Unit.SECONDS,
                lambda f: f.waiting.waits.p90_s,
                lambda f: f.waiting.waits.n,
                WaitsOf.ANSWERED,
                main=True,
                percentile=True,
            ),
            Figure(
                "p95_wait",
                N_("P95 wait"),
                N_("Nineteen of twenty answered waits were not longer. Nearest rank of the waits themselves."),
                Unit.SECONDS,
                lambda f: f.waiting.waits.p95_s,
                lambda f: f.waiting.waits.n,
                WaitsOf.ANSWERED,
                percentile=True,
            ),
            Figure(
                "mean_wait",
                N_("Mean wait (ASA)"),
                N_("Average wait of the answered. Who left is left out; calls back count from the missed call."),
                Unit.SECONDS,
                lambda f: f.waiting.mean_s,
                lambda f: f.waiting.answered,
                WaitsOf.ANSWERED,
            ),
            Figure(
                "arrivals",
                N_("Conversations begun"),
                N_("First waits that began in this period. Merged conversations and spam are left out."),
                Unit.COUNT,
                lambda f: f.waiting.arrivals,
                waits=WaitsOf.ARRIVALS,
                main=True,
            ),
            Figure(
                "counted",
                N_("Owed an answer"),
                N_("Waits that are over or past their target; people who left within ten seconds are left out."),
                Unit.COUNT,
                lambda f: f.waiting.counted,
                waits=WaitsOf.COUNTED,
            ),
        ),
    ),
    Section(
        "leaving",
        N_("Not answered"),
        (
            Figure(
                "abandonment",
                N_("Left before an answer"),
                N_("Left and cannot be reached, of all finished waits. Who waits for a call back has not left."),
                Unit.PERCENT,
                lambda f: f.waiting.abandonment.percent,
                lambda f: f.waiting.abandonment.whole,
                WaitsOf.ABANDONED,
                main=True,
            ),
            Figure(
                "abandonment_long",
                N_("Left after ten seconds or more"),
                N_("The same without those who left within ten seconds, above and below the line."),
                Unit.PERCENT,
                lambda f: f.waiting.abandonment_long.percent,
                lambda f: f.waiting.abandonment_long.whole,
                WaitsOf.ABANDONED,
            ),
            Figure(
                "short_abandoned",
                N_("Left within ten seconds"),
                N_("Too soon for anybody to answer. Counted apart."),
                Unit.COUNT,
                lambda f: f.waiting.short_abandoned,
                waits=WaitsOf.SHORT_ABANDONED,
            ),
            Figure(
                "unreached",
                N_("Not reached"),
                N_("Calls back that were given up: nobody answered at the customer's end."),
                Unit.COUNT,
                lambda f: f.waiting.unreached,
                waits=WaitsOf.UNREACHED,
            ),
            Figure(
                "closed",
                N_("Closed without an answer"),
                N_("The conversation was closed while the customer was owed an answer."),
                Unit.COUNT,
                lambda f: f.waiting.closed,
                waits=WaitsOf.CLOSED,
            ),
            Figure(
                "no_reply",
                N_("No first answer"),
                N_("Conversations whose first wait ended without a person's answer, or is past its target."),
                Unit.COUNT,
                lambda f: f.responses.no_reply,
                waits=WaitsOf.NO_REPLY,
            ),
        ),
    ),
    Section(
        "answers",
        N_("Answers"),
        (
            Figure(
                "first_response",
                N_("First answer, median"),
                N_("First wait of a conversation, if a person answered. Greetings and automatic replies do not count."),
                Unit.SECONDS,
                lambda f: f.responses.first.median_s,
                lambda f: f.responses.first.n,
                WaitsOf.FIRST,
                main=True,
                percentile=True,
            ),
            Figure(
                "first_response_p90",
                N_("First answer, P90"),
                N_("Nine of ten first answers came in this time."),
                Unit.SECONDS,
                lambda f: f.responses.first.p90_s,
                lambda f: f.responses.first.n,
                WaitsOf.FIRST,
                percentile=True,
            ),
            Figure(
                "next_response",
                N_("Later answers, median"),
                N_("Every later wait, from the first message that was not answered."),
                Unit.SECONDS,
                lambda f: f.responses.later.median_s,
                lambda f: f.responses.later.n,
                WaitsOf.LATER,
                percentile=True,
            ),
            Figure(
                "requester_wait",
                N_("Waiting in all, median"),
                N_(
                    "All waits of one conversation added up, of conversations begun in this period; waits up to a week "
                    "after it are counted."
                ),
                Unit.SECONDS,
                lambda f: f.responses.requester.median_s,
                lambda f: f.responses.requester.n,
                percentile=True,
            ),
        ),
    ),
    Section(
        "resolving",
        N_("Resolving"),
        (
            Figure(
                "resolved",
                N_("Conversations resolved"),
                N_("Conversations that were closed in this period; spam and merged ones are left out."),
                Unit.COUNT,
                lambda f: f.resolutions.conversations,
            ),
            Figure(
                "first_resolution",
                N_("Time to first closing, median"),
                N_("From the beginning of the conversation to its first closing, by the clock on the wall."),
                Unit.SECONDS,
                lambda f: f.resolutions.first.median_s,
                lambda f: f.resolutions.first.n,
                percentile=True,
            ),
            Figure(
                "full_resolution",
                N_("Time to last closing, median"),
                N_("From the beginning to the last closing, of conversations that are closed now. Reopening moves it."),
                Unit.SECONDS,
                lambda f: f.resolutions.full.median_s,
                lambda f: f.resolutions.full.n,
                percentile=True,
            ),
            Figure(
                "first_contact",
                N_("Resolved at first contact"),
                N_(
                    "Not reopened, and the customer did not write or call again within seven days. Unknown until these "
                    "have passed, and then left out. A message that needed no answer is no contact."
                ),
                Unit.PERCENT,
                lambda f: f.resolutions.first_contact.percent,
                lambda f: f.resolutions.first_contact.whole,
            ),
            Figure(
                "reopened",
                N_("Reopened"),
                N_("Conversations closed in this period that were opened again at least once."),
                Unit.PERCENT,
                lambda f: f.resolutions.reopened.percent,
                lambda f: f.resolutions.reopened.whole,
            ),
            Figure(
                "satisfaction",
                N_("Satisfied (CSAT)"),
                N_("Ratings of 4 and 5, of all ratings given in this period. One per conversation, the last counts."),
                Unit.PERCENT,
                lambda f: f.satisfaction.percent,
                lambda f: f.satisfaction.whole,
                main=True,
            ),
        ),
    ),
    Section(
        "work",
        N_("Work"),
        (
            Figure(
                "handle_time",
                N_("Handling time (AHT)"),
                N_(
                    "Time spent on conversations, hold and wrap-up included, per conversation handled. Ten minutes "
                    "without a sign of work end it. Chats overlap, so this is not what a conversation costs."
                ),
                Unit.SECONDS,
                lambda f: f.handling.mean_s,
                lambda f: f.handling.conversations,
            ),
            Figure(
                "occupancy",
                N_("Occupancy"),
                N_("Time with at least one conversation in hand, of the time online. Overlapping chats count once."),
                Unit.PERCENT,
                lambda f: f.handling.occupancy,
            ),
            Figure(
                "concurrency",
                N_("Conversations at once"),
                N_("Handling time over the time with at least one in hand: how many one person worked on at once."),
                Unit.RATIO,
                lambda f: f.handling.concurrency,
            ),
            Figure(
                "missed_offers",
                N_("Offers not taken"),
                N_("Conversations that were offered to somebody who did not take them in time."),
                Unit.COUNT,
                lambda f: f.missed_offers,
            ),
        ),
    ),
    Section(
        "calls",
        N_("Calls and calls back"),
        (
            Figure(
                "missed_calls",
                N_("Missed calls"),
                N_("Incoming calls that nobody answered, voicemails included."),
                Unit.COUNT,
                lambda f: f.callbacks.missed_calls,
            ),
            Figure(
                "repeated_calls",
                N_("of these, called again within half an hour"),
                N_("Missed calls of somebody who had missed us less than half an hour before."),
                Unit.COUNT,
                lambda f: f.callbacks.repeats,
            ),
            Figure(
                "called_back",
                N_("Called back"),
                N_("Calls back that were tried at least once, of all that were owed."),
                Unit.PERCENT,
                lambda f: f.callbacks.called_back.percent,
                lambda f: f.callbacks.called_back.whole,
            ),
            Figure(
                "first_try",
                N_("Time to the first try, median"),
                N_("From when the call back was owed to the first try, by the clock on the wall."),
                Unit.SECONDS,
                lambda f: f.callbacks.first_try.median_s,
                lambda f: f.callbacks.first_try.n,
                percentile=True,
            ),
            Figure(
                "time_to_reach",
                N_("Time until reached, median"),
                N_("From when the call back was owed to the call that reached the customer."),
                Unit.SECONDS,
                lambda f: f.callbacks.reached.median_s,
                lambda f: f.callbacks.reached.n,
                percentile=True,
            ),
            Figure(
                "callbacks_unreached",
                N_("Calls back given up"),
                N_("All tries were used and nobody was reached."),
                Unit.COUNT,
                lambda f: f.callbacks.unreached,
            ),
            Figure(
                "tries_per_reached",
                N_("Tries per customer reached"),
                N_("All tries of the calls back that reached somebody, divided by their number."),
                Unit.RATIO,
                lambda f: f.callbacks.tries_per_reached,
                lambda f: f.callbacks.reached.n,
            ),
        ),
    ),
    Section(
        "told",
        N_("What customers were told"),
        (
            Figure(
                "told_inside",
                N_("Inside what was told"),
                N_("Answered in the range of time the customer was told on arrival. The goal is 65 per cent or more."),
                Unit.PERCENT,
                lambda f: f.responses.told.inside.percent,
                lambda f: f.responses.told.n,
                WaitsOf.TOLD_INSIDE,
            ),
            Figure(
                "told_longer",
                N_("Longer than told"),
                N_("Answered later than the upper end of that range. The goal is 20 per cent or less."),
                Unit.PERCENT,
                lambda f: f.responses.told.longer.percent,
                lambda f: f.responses.told.n,
                WaitsOf.TOLD_LONGER,
            ),
        ),
    ),
)

FIGURES: Sequence[Figure] = tuple(figure for section in SECTIONS for figure in section.figures)
