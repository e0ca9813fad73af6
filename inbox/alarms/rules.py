"""Who is told, by which means, when somebody has waited: a short list of steps that people can read and change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from inbox import audit, settings
from inbox.errors import BadInput
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, OperatorId, TeamId
from inbox.words import N_

SETTING = "alarms"
MOST_STEPS = 20
LONGEST_LATER_MIN = 24 * 60


class After(StrEnum):
    WARNING = "warning"  # the warning mark: 3 minutes unless the hours say otherwise
    TARGET = "target"  # the wait is missed: 5 minutes
    LATER = "later"  # `later_min` minutes of opening time after the target


class To(StrEnum):
    OWNER = "owner"
    TEAM = "team"
    SUPERVISORS = "supervisors"


class Means(StrEnum):
    APP = "app"
    PUSH = "push"
    MAIL = "mail"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Step:
    """`key` stays the same when other steps change. No channels and no team: all of them."""

    key: str
    after: After
    to: tuple[To, ...]
    means: tuple[Means, ...]
    later_min: int = 0
    channels: tuple[ChannelKind, ...] = ()
    team_id: TeamId | None = None
    webhooks: tuple[str, ...] = ()

    def is_about(self, channel: ChannelKind, team_id: TeamId | None) -> bool:
        return (not self.channels or channel in self.channels) and self.team_id in (None, team_id)


Rules = tuple[Step, ...]

DEFAULT: Rules = (
    Step("1", After.WARNING, (To.OWNER,), (Means.APP, Means.PUSH)),
    Step("2", After.TARGET, (To.OWNER, To.TEAM, To.SUPERVISORS), (Means.APP, Means.PUSH)),
    Step("3", After.LATER, (To.SUPERVISORS,), (Means.PUSH, Means.MAIL), later_min=10),
)


def load(conn: Connection) -> Rules:
    kept = settings.get(conn, SETTING)
    return DEFAULT if kept is None else tuple(_step(one) for one in kept["steps"])


def save(tx: Transaction, rules: Rules, *, webhooks: Collection[str], by: OperatorId, now: datetime) -> Rules:
    """Replace the rules; steps without a key get one. Raises BadInput naming step and field."""
    if len(rules) > MOST_STEPS:
        raise BadInput("steps", N_("At most %(n)s steps."), n=MOST_STEPS)
    for number, step in enumerate(rules):
        _check(step, f"steps.{number}", webhooks)
    old = load(tx.conn)
    free = max((int(step.key) for step in (*old, *rules) if step.key.isdigit()), default=0)
    keyed: list[Step] = []
    for step in rules:
        if not step.key.isdigit() or any(step.key == other.key for other in keyed):
            free += 1
            step = Step(
                str(free), step.after, step.to, step.means, step.later_min, step.channels, step.team_id, step.webhooks
            )
        keyed.append(step)
    settings.put(tx, SETTING, {"steps": [as_data(step) for step in keyed]}, now=now)
    audit.note(tx, "alarms_changed", by=by, now=now, data={"steps": len(keyed)})
    return tuple(keyed)


def as_data(step: Step) -> dict[str, Any]:
    return {
        "key": step.key,
        "after": step.after.value,
        "later_min": step.later_min,
        "to": [one.value for one in step.to],
        "means": [one.value for one in step.means],
        "channels": [one.value for one in step.channels],
        "team_id": step.team_id,
        "webhooks": list(step.webhooks),
    }


def _step(data: Mapping[str, Any]) -> Step:
    return Step(
        key=data["key"],
        after=After(data["after"]),
        later_min=data["later_min"],
        to=tuple(To(one) for one in data["to"]),
        means=tuple(Means(one) for one in data["means"]),
        channels=tuple(ChannelKind(one) for one in data["channels"]),
        team_id=data["team_id"],
        webhooks=tuple(data["webhooks"]),
    )


def _check(step: Step, path: str, webhooks: Collection[str]) -> None:
    if not step.means:
        raise BadInput(f"{path}.means", N_("Choose at least one way to tell."))
    if set(step.means) - {Means.WEBHOOK} and not step.to:
        raise BadInput(f"{path}.to", N_("Choose whom to tell."))
    if step.after is After.LATER and not 1 <= step.later_min <= LONGEST_LATER_MIN:
        raise BadInput(f"{path}.later_min", N_("Write a number of minutes from 1 to %(n)s."), n=LONGEST_LATER_MIN)
    if Means.WEBHOOK in step.means:
        if not step.webhooks:
            raise BadInput(f"{path}.webhooks", N_("Choose a webhook. They are set up in the configuration."))
        if set(step.webhooks) - set(webhooks):
            raise BadInput(f"{path}.webhooks", N_("The configuration has no such webhook."))
