"""The waits behind a figure of a report: the same conditions as in `outcome`, as a question to the store."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, true

from inbox.reports.period import Period
from inbox.reports.question import Filter, Scope
from inbox.store.models import Conversation, Tag, TeamMember, Wait
from inbox.vocabulary import Ending
from inbox.waits.figures import COUNTED_ENDINGS, past_target, short_abandon
from inbox.waits.listing import Behind, began_between


class WaitsOf(StrEnum):
    """Figures of a report that stand on waits."""

    ARRIVALS = "arrivals"
    COUNTED = "counted"
    ANSWERED = "answered"
    IN_TARGET = "in_target"
    MISSED = "missed"
    ABANDONED = "abandoned"
    SHORT_ABANDONED = "short_abandoned"
    UNREACHED = "unreached"
    CLOSED = "closed"
    FIRST = "first"
    NO_REPLY = "no_reply"
    LATER = "later"
    TOLD = "told"
    TOLD_INSIDE = "told_inside"
    TOLD_LONGER = "told_longer"


def condition(figure: WaitsOf, *, now: datetime) -> ColumnElement[bool]:
    answered = Wait.ending == Ending.ANSWERED
    late = and_(Wait.ended_at.is_(None), Wait.paused_at.is_(None), past_target(now))
    counted = or_(and_(Wait.ending.in_(COUNTED_ENDINGS), ~short_abandon()), late)
    told = and_(answered, Wait.told_low_s.is_not(None))
    longer = and_(Wait.told_high_s.is_not(None), Wait.net_s > Wait.told_high_s)
    match figure:
        case WaitsOf.ARRIVALS:
            real = or_(Wait.ending.is_(None), Wait.ending.not_in((Ending.MERGED, Ending.SPAM)))
            return and_(Wait.first.is_(True), real)
        case WaitsOf.COUNTED:
            return counted
        case WaitsOf.ANSWERED:
            return answered
        case WaitsOf.IN_TARGET:
            return and_(answered, Wait.net_s <= Wait.target_s)
        case WaitsOf.MISSED:
            return and_(counted, or_(Wait.ending.is_(None), ~answered, Wait.net_s > Wait.target_s))
        case WaitsOf.ABANDONED:
            return and_(Wait.ending == Ending.ABANDONED, ~short_abandon())
        case WaitsOf.SHORT_ABANDONED:
            return short_abandon()
        case WaitsOf.UNREACHED:
            return Wait.ending == Ending.UNREACHED
        case WaitsOf.CLOSED:
            return Wait.ending == Ending.CLOSED
        case WaitsOf.FIRST:
            return and_(answered, Wait.first.is_(True))
        case WaitsOf.NO_REPLY:
            gone = Wait.ending.in_((Ending.ABANDONED, Ending.UNREACHED, Ending.CLOSED))
            return and_(Wait.first.is_(True), or_(gone, late))
        case WaitsOf.LATER:
            return and_(answered, Wait.first.is_(False))
        case WaitsOf.TOLD:
            return told
        case WaitsOf.TOLD_INSIDE:
            return and_(told, Wait.net_s >= Wait.told_low_s, ~longer)
        case WaitsOf.TOLD_LONGER:
            return and_(told, longer)


def behind(
    conn: Connection,
    figure: WaitsOf,
    period: Period,
    wanted: Filter,
    scope: Scope,
    *,
    now: datetime,
    after: tuple[int, int] | None = None,
) -> Behind:
    """The waits that the figure of a report counts, latest first."""
    which = and_(condition(figure, now=now), _fits(wanted), _in_scope(scope))
    return began_between(conn, which, since=period.since, until=period.until, now=now, after=after)


def _fits(wanted: Filter) -> ColumnElement[bool]:
    parts: list[ColumnElement[bool]] = [true()]
    if wanted.channel is not None:
        parts.append(Wait.channel == wanted.channel)
    if wanted.team_id is not None:
        parts.append(Wait.team_id == wanted.team_id)
    if wanted.operator_id is not None:
        parts.append(Wait.ended_by == wanted.operator_id)
    if wanted.touchpoint_id is not None:
        parts.append(Conversation.touchpoint_id == wanted.touchpoint_id)
    if wanted.tag is not None:
        parts.append(
            select(Tag.name)
            .where(Tag.conversation_id == Wait.conversation_id, Tag.name == wanted.tag)
            .correlate(Wait)
            .exists()
        )
    return and_(*parts)


def _in_scope(scope: Scope) -> ColumnElement[bool]:
    if scope.teams is None:
        return true()
    members = select(TeamMember.operator_id).where(TeamMember.team_id.in_(scope.teams))
    return or_(Wait.team_id.in_(scope.teams) if scope.teams else false(), Wait.ended_by.in_(members))
