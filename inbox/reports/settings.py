"""How personal reports are, and when the weekly mail goes out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from inbox import audit, settings
from inbox.errors import BadInput, NotAllowed
from inbox.people.operators import OperatorRecord
from inbox.reports.personal import SETTING
from inbox.reports.personal import Personal as Personal
from inbox.reports.question import WHOLE_DESK, Filter, Group, Scope, scope_of_teams
from inbox.store.models import TeamMember
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, Role, TeamId
from inbox.words import N_


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """`mail_weekday` 0 is Monday; `mail_minute` counts from midnight in the desk's zone."""

    personal: Personal = Personal.ON
    mail_weekday: int = 0
    mail_minute: int = 8 * 60


def read(conn: Connection) -> ReportSettings:
    found = settings.get(conn, SETTING) or {}
    return ReportSettings(
        Personal(found.get("personal", Personal.ON)), found.get("mail_weekday", 0), found.get("mail_minute", 8 * 60)
    )


def save(tx: Transaction, wanted: ReportSettings, *, by: OperatorId, now: datetime) -> None:
    """Raises BadInput."""
    if not 0 <= wanted.mail_weekday <= 6:
        raise BadInput("mail_weekday", N_("Choose a day of the week."))
    if not 0 <= wanted.mail_minute < 1440:
        raise BadInput("mail_at", N_("Write a time such as 8:00."))
    before = read(tx.conn)
    if before == wanted:
        return
    value = {
        "personal": wanted.personal.value,
        "mail_weekday": wanted.mail_weekday,
        "mail_minute": wanted.mail_minute,
    }
    settings.put(tx, SETTING, value, now=now)
    audit.note(tx, "reports_changed", by=by, now=now, data={**value, "personal_before": before.personal.value})


def scope_of(conn: Connection, who: OperatorRecord) -> Scope:
    """What a supervisor or an administrator may look at. Raises NotAllowed for operators."""
    personal = read(conn).personal is Personal.ON
    if not who.may(Role.SUPERVISOR):
        raise NotAllowed
    if who.may(Role.ADMINISTRATOR):
        return WHOLE_DESK if personal else Scope(personal=False)
    teams = conn.execute(select(TeamMember.team_id).where(TeamMember.operator_id == who.id)).scalars()
    return scope_of_teams(conn, [TeamId(team) for team in teams], personal=personal)


def own_scope(conn: Connection) -> Scope:
    """For somebody who looks at their own figures. Raises NotAllowed where those are switched off."""
    if read(conn).personal is Personal.OFF:
        raise NotAllowed(N_("Figures of single people are switched off here."))
    return WHOLE_DESK


def check(wanted: Filter, group: Group | None, scope: Scope) -> None:
    """Raises NotAllowed for a question beyond the scope."""
    if wanted.team_id is not None and not scope.of(wanted.team_id):
        raise NotAllowed(N_("This is not one of your teams."))
    if wanted.operator_id is not None and not scope.may_see(wanted.operator_id):
        raise NotAllowed(N_("You may not see the figures of this person."))
    if group is Group.OPERATOR and not scope.personal:
        raise NotAllowed(N_("Figures of single people are switched off here."))
