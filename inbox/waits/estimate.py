"""What a customer is told about the wait ahead: a range that was true for most of the last ones, or nothing.

The method is measured in the study behind the desk: the 10th to the 90th percentile of the last answered waits of that
channel, told honestly more often than means, moving averages or queue lengths. Nothing is said from too few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, and_, func, or_, select, update

from inbox.queue_key import NOT_WAITING
from inbox.store.models import Conversation, Wait
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, ConversationId, DeskMode, Ending, Status, WaitId
from inbox.waits import calendar, ledger
from inbox.waits.figures import half_hour
from inbox.waits.metrics import nearest_rank
from inbox.waits.mode import ModeNow, desk_mode
from inbox.words import N_, Words

LAST = 30
RECENT = timedelta(hours=2)
FEWEST = 5
"""Answered waits without which no range is told."""

WEEKS_BACK = 4
GROWING = 1.5
GROWTH_OVER = timedelta(minutes=10)
STEPS_MIN = (0, 1, 2, 3, 5, 10, 15, 20, 30)
LONGEST_S = STEPS_MIN[-1] * 60
OFFER_OTHERS_S = 300
"""Above this a callback or an answer by mail is offered as well."""

GROW_AFTER = timedelta(minutes=1)


class Because(StrEnum):
    """Why an estimate says what it says."""

    RECENT = "recent"  # a range from the last hours
    USUAL = "usual"  # a range from the same half-hour of other weeks
    FEW = "few"  # too few answers to tell a range
    LONGER = "longer"  # waits longer than any of the sample
    AWAY = "away"  # open, but nobody takes work
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Estimate:
    """`low_s` to `high_s` remain, in the steps in which they are spoken; None where no range is told.

    `high_s` None beside a `low_s`: more than that. Closed: `opens_at`, and the usual time of an answer after it.
    """

    because: Because
    place: int | None = None
    low_s: int | None = None
    high_s: int | None = None
    opens_at: datetime | None = None
    answer_from: datetime | None = None
    answer_to: datetime | None = None

    @property
    def offers_other_ways(self) -> bool:
        if self.because in (Because.AWAY, Because.CLOSED, Because.LONGER):
            return True
        return self.low_s is not None and (self.high_s is None or self.high_s > OFFER_OTHERS_S)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known about one channel at one moment; made once, then asked for every visitor."""

    mode: ModeNow
    because: Because
    sample: Sequence[int]
    """Net seconds of answered waits, ascending."""
    at_least_s: int = 0
    """While the queue grows: how long the oldest one has waited already."""

    def expect(self, waited: timedelta = timedelta(), place: int | None = None) -> Estimate:
        """For somebody whose third clock shows `waited`."""
        if self.mode.mode is DeskMode.CLOSED:
            return self._after_opening(place)
        if self.mode.mode is DeskMode.AWAY:
            return Estimate(Because.AWAY, place)
        if len(self.sample) < FEWEST:
            return Estimate(Because.FEW, place)
        waited_s = int(waited.total_seconds())
        still = [seconds - waited_s for seconds in self.sample if seconds > waited_s]
        if not still:
            return Estimate(Because.LONGER, place)
        low_s, high_s = _tenth_to_ninetieth(still)
        if not waited_s:
            low_s = max(low_s, self.at_least_s)
        low_s, high = spoken(low_s, max(low_s, high_s))
        return Estimate(self.because, place, low_s, high)

    def _after_opening(self, place: int | None) -> Estimate:
        opens_at = self.mode.opens_at
        if opens_at is None or len(self.sample) < FEWEST:
            return Estimate(Because.CLOSED, place, opens_at=opens_at)
        low_s, high_s = _tenth_to_ninetieth(self.sample)
        return Estimate(
            Because.CLOSED,
            place,
            opens_at=opens_at,
            answer_from=opens_at + timedelta(minutes=_step_below(low_s)),
            answer_to=opens_at + timedelta(minutes=_step_above(high_s) or -(-high_s // 3600) * 60),
        )


def outlook(conn: Connection, channel: ChannelKind, now: datetime) -> Outlook:
    """What a customer who comes over this channel now can expect."""
    mode = desk_mode(conn, now)
    if mode.mode is DeskMode.CLOSED:
        return Outlook(mode, Because.CLOSED, _usual(conn, channel, mode.opens_at) if mode.opens_at else ())
    recent = _ascending(
        conn.execute(
            select(Wait.net_s)
            .where(Wait.channel == channel, Wait.ending == Ending.ANSWERED, Wait.ended_at >= now - RECENT, Wait.first)
            .order_by(Wait.ended_at.desc())
            .limit(LAST)
        ).scalars()
    )
    if len(recent) < FEWEST:
        return Outlook(mode, Because.USUAL, _usual(conn, channel, now))
    return Outlook(mode, Because.RECENT, recent, _age_while_growing(conn, channel, now))


def expected(conn: Connection, conversation_id: ConversationId, now: datetime) -> Estimate | None:
    """What the customer of this conversation can expect now. None when no wait runs there."""
    wait = conn.execute(
        select(Wait.__table__).where(Wait.conversation_id == conversation_id, Wait.ended_at.is_(None))
    ).first()
    if wait is None:
        return None
    waited = ledger.clocks(conn, wait, now).net
    return outlook(conn, ChannelKind(wait.channel), now).expect(waited, place(conn, conversation_id))


def place(conn: Connection, conversation_id: ConversationId) -> int | None:
    """1 is next. None when nobody waits in this conversation, or it is paused as agreed."""
    mine = conn.execute(
        select(Conversation.queue_key).where(Conversation.id == conversation_id, Conversation.spam.is_(False))
    ).scalar()
    if mine is None or mine >= NOT_WAITING:
        return None
    ahead = conn.execute(
        select(func.count())
        .select_from(Conversation)
        .where(
            Conversation.status == Status.OPEN,
            Conversation.spam.is_(False),
            or_(
                Conversation.queue_key < mine,
                and_(Conversation.queue_key == mine, Conversation.id < conversation_id),
            ),
        )
    ).scalar_one()
    return ahead + 1


def tell(tx: Transaction, conversation_id: ConversationId, estimate: Estimate) -> WaitId | None:
    """Keep with the running wait what its customer was told first; later tellings change nothing."""
    if estimate.low_s is None:
        return None
    wait_id = tx.conn.execute(
        select(Wait.id).where(
            Wait.conversation_id == conversation_id, Wait.ended_at.is_(None), Wait.told_low_s.is_(None)
        )
    ).scalar()
    if wait_id is None:
        return None
    tx.conn.execute(
        update(Wait)
        .where(Wait.id == wait_id, Wait.told_low_s.is_(None))
        .values(told_low_s=estimate.low_s, told_high_s=estimate.high_s)
    )
    return WaitId(wait_id)


def steady(before: Estimate, before_at: datetime, fresh: Estimate, now: datetime) -> Estimate:
    """What to show next: it may shrink at any time, but grows at most once a minute, and a place never jumps back
    within it."""
    if now - before_at >= GROW_AFTER or before.because is not fresh.because:
        return fresh
    grown = _end(fresh) > _end(before)
    low_s, high_s = (before.low_s, before.high_s) if grown else (fresh.low_s, fresh.high_s)
    places = [p for p in (before.place, fresh.place) if p is not None]
    return replace(fresh, low_s=low_s, high_s=high_s, place=min(places, default=None))


def words(catalogue: Words, language: str, estimate: Estimate) -> str:
    """One short phrase for a place where it stands alone; "" when there is nothing to say."""
    if estimate.because is Because.LONGER:
        return catalogue.say(language, N_("longer than expected"))
    low_s, high_s = estimate.low_s, estimate.high_s
    if low_s is None:
        return ""
    if high_s is None:
        return catalogue.say(language, N_("more than %(n)s min"), n=low_s // 60)
    if high_s <= 60:
        return catalogue.say(language, N_("less than a minute"))
    if not low_s:
        return catalogue.say(language, N_("less than %(n)s min"), n=high_s // 60)
    return catalogue.say(language, N_("about %(low)s–%(high)s min"), low=low_s // 60, high=high_s // 60)


def spoken(low_s: int, high_s: int) -> tuple[int, int | None]:
    """A range widened to the steps in which it is said; the end is open above the last step."""
    high = _step_above(high_s)
    low = _step_below(low_s)
    if high is None:
        return min(low, STEPS_MIN[-1]) * 60, None
    if low == high:
        low = STEPS_MIN[max(0, STEPS_MIN.index(high) - 1)]
    return low * 60, high * 60


def _step_below(seconds: int) -> int:
    return max(step for step in STEPS_MIN if step * 60 <= seconds)


def _step_above(seconds: int) -> int | None:
    return next((step for step in STEPS_MIN[1:] if step * 60 >= seconds), None)


def _tenth_to_ninetieth(sample: Sequence[int]) -> tuple[int, int]:
    ordered = sorted(sample)
    return ordered[nearest_rank(len(ordered), 10)], ordered[nearest_rank(len(ordered), 90)]


def _ascending(seconds: Iterable[int | None]) -> list[int]:
    return sorted(s for s in seconds if s is not None)


def _end(estimate: Estimate) -> float:
    if estimate.low_s is None:
        return 0
    return float("inf") if estimate.high_s is None else estimate.high_s


def _usual(conn: Connection, channel: ChannelKind, at: datetime) -> list[int]:
    """Net waits of the same half-hour of the week, by the clock on the wall, in the weeks before."""
    zone = calendar.current(conn, at).hours.zone
    wall = at.astimezone(zone).replace(tzinfo=None)
    begins = [
        half_hour(wall - timedelta(weeks=weeks)).replace(tzinfo=zone).astimezone(at.tzinfo)
        for weeks in range(1, WEEKS_BACK + 1)
    ]
    return _ascending(
        conn.execute(
            select(Wait.net_s).where(
                Wait.channel == channel,
                Wait.ending == Ending.ANSWERED,
                Wait.first,
                or_(*(and_(Wait.started_at >= b, Wait.started_at < b + timedelta(minutes=30)) for b in begins)),
            )
        ).scalars()
    )


def _age_while_growing(conn: Connection, channel: ChannelKind, now: datetime) -> int:
    then = now - GROWTH_OVER
    waiting = select(func.count()).select_from(Wait).where(Wait.channel == channel)
    before = conn.execute(
        waiting.where(Wait.started_at <= then, or_(Wait.ended_at.is_(None), Wait.ended_at > then))
    ).scalar_one()
    current = conn.execute(waiting.where(Wait.ended_at.is_(None))).scalar_one()
    if current <= GROWING * max(before, 1):
        return 0
    oldest = conn.execute(
        select(Wait.__table__)
        .where(Wait.channel == channel, Wait.ended_at.is_(None), Wait.paused_at.is_(None))
        .order_by(Wait.started_at)
        .limit(1)
    ).first()
    return 0 if oldest is None else int(ledger.clocks(conn, oldest, now).net.total_seconds())
