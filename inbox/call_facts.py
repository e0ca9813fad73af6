"""What is known of one call: one report, and the record into which all reports of it are merged.

Merging does not depend on their order: outcomes by weight of evidence, beginnings earliest, ends latest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update

from inbox.people import telephone
from inbox.store.models import Call
from inbox.store.transaction import Transaction
from inbox.vocabulary import ArrivalId, CallbackId, CallOutcome, OperatorId
from inbox.waits import calendar

SHORT = timedelta(seconds=5)
"""A call given up sooner is kept and flagged, and owed no callback by itself."""
WITHHELD = "withheld:"
"""Begins the address of a caller who showed no number: one for every call, so they are never taken for one person."""

RINGING, MISSED, VOICEMAIL, ANSWERED = range(4)

_EVIDENCE = (
    CallOutcome.AFTER_HOURS,
    CallOutcome.FAILED,
    CallOutcome.NO_ANSWER,
    CallOutcome.CANCELED,
    CallOutcome.BUSY,
    CallOutcome.QUEUE_TIMEOUT,
    CallOutcome.ABANDONED_IN_QUEUE,
    CallOutcome.VOICEMAIL,
    CallOutcome.ANSWERED,
)
"""Of two outcomes reported for one call the later in this list stands."""


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Voicemail:
    id: str = ""
    duration_s: int | None = None
    url: str = ""
    transcript: str = ""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What one report says about one call.

    `number` is the customer's in E.164; where there is none `shown` is what the exchange said, "" for a withheld one.
    `outcome=None`: not over yet. `operator` is an id, a mail address or an extension, as the exchange knows it.
    `by_hand`: an operator typed it in.
    """

    provider: str
    account: str
    call_id: str
    direction: Direction
    started_at: datetime
    number: str | None = None
    shown: str = ""
    name: str = ""
    line: str = ""
    queue: str = ""
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: CallOutcome | None = None
    operator: str = ""
    by_hand: OperatorId | None = None
    cause: str = ""
    hangup_by: str = ""
    offers: int | None = None
    voicemail: Voicemail | None = None
    callback_id: CallbackId | None = None
    attempt: int | None = None
    note: str = ""
    arrival_id: ArrivalId | None = None


def merged(tx: Transaction, facts: CallFacts) -> tuple[Any, int]:
    """The call's record with what this report adds, and how far its state had risen before."""
    key = (Call.provider == facts.provider, Call.account == facts.account, Call.call_id == facts.call_id)
    old = tx.conn.execute(select(Call.__table__).where(*key).with_for_update()).first()
    said = _said(facts)
    if old is None:
        tx.conn.execute(
            insert(Call).values(
                provider=facts.provider,
                account=facts.account,
                call_id=facts.call_id,
                direction=facts.direction,
                rank=_rank(facts.outcome),
                outcome=facts.outcome,
                number=facts.number,
                data=said,
                started_at=facts.started_at,
                ended_at=facts.ended_at,
            )
        )
    else:
        outcome = max((outcome_of(old), facts.outcome), key=lambda o: -1 if o is None else _EVIDENCE.index(o))
        data = {**old.data, **said}
        for name, pick in (("answered_at", min), ("ended_at", max)):
            if name in old.data and name in said:
                data[name] = pick(old.data[name], said[name])
        tx.conn.execute(
            update(Call)
            .where(Call.id == old.id)
            .values(
                rank=_rank(outcome),
                outcome=outcome,
                number=old.number or facts.number,
                data=data,
                started_at=min(old.started_at, facts.started_at),
                ended_at=max((t for t in (old.ended_at, facts.ended_at) if t is not None), default=None),
            )
        )
    return tx.conn.execute(select(Call.__table__).where(*key)).one(), RINGING if old is None else old.rank


def _said(facts: CallFacts) -> dict[str, Any]:
    """What a report says beyond the columns; what it leaves out is not known to it, and takes nothing back."""
    said: dict[str, Any] = {
        "shown": facts.shown,
        "name": facts.name,
        "line": facts.line,
        "queue": facts.queue,
        "answered_at": iso(facts.answered_at),
        "ended_at": iso(facts.ended_at),
        "operator": facts.operator,
        "by_hand": facts.by_hand,
        "cause": facts.cause,
        "hangup_by": facts.hangup_by,
        "offers": facts.offers,
        "note": facts.note,
    }
    if facts.voicemail is not None:
        said["voicemail"] = {
            "id": facts.voicemail.id,
            "duration_s": facts.voicemail.duration_s,
            "url": facts.voicemail.url,
            "transcript": facts.voicemail.transcript,
        }
    return {name: value for name, value in said.items() if value not in (None, "")}


def _rank(outcome: CallOutcome | None) -> int:
    match outcome:
        case None:
            return RINGING
        case CallOutcome.ANSWERED:
            return ANSWERED
        case CallOutcome.VOICEMAIL:
            return VOICEMAIL
        case _:
            return MISSED


def not_ahead(facts: CallFacts, now: datetime) -> CallFacts:
    """A clock that runs ahead of ours: everything moves back by as much, so that durations stay."""
    times = [t for t in (facts.started_at, facts.answered_at, facts.ended_at) if t is not None]
    ahead = max(times) - now
    if ahead <= timedelta():
        return facts
    return replace(
        facts,
        started_at=facts.started_at - ahead,
        answered_at=facts.answered_at - ahead if facts.answered_at else None,
        ended_at=facts.ended_at - ahead if facts.ended_at else None,
    )


def address_of(facts: CallFacts) -> str:
    if facts.number is not None:
        return facts.number
    return facts.shown or f"{WITHHELD}{facts.provider}/{facts.account}/{facts.call_id}"


def shown(tx: Transaction, call: Any) -> dict[str, Any]:
    """What the timeline shows of a call: facts, no sentences; times in ISO 8601."""
    data: Mapping[str, Any] = call.data
    answered_at = data.get("answered_at")
    end_of_ringing = datetime.fromisoformat(answered_at) if answered_at else call.ended_at
    missed = call.direction == Direction.INBOUND and call.rank in (MISSED, VOICEMAIL)
    lasted = None if call.ended_at is None else call.ended_at - call.started_at
    open_then = calendar.current(tx.conn, call.started_at).hours.is_open(call.started_at)
    return {
        "direction": call.direction,
        "outcome": call.outcome,
        "missed": missed,
        "number": call.number,
        "withheld": call.number is None and not data.get("shown"),
        "started_at": iso(call.started_at),
        "answered_at": answered_at,
        "ended_at": iso(call.ended_at),
        "ring_s": None if end_of_ringing is None else max(0, round((end_of_ringing - call.started_at).total_seconds())),
        "lasted_s": None if lasted is None else round(lasted.total_seconds()),
        "short": missed and lasted is not None and lasted < SHORT and call.rank == MISSED,
        "after_hours": not open_then or call.outcome == CallOutcome.AFTER_HOURS,
        **{
            name: data[name]
            for name in ("shown", "name", "line", "queue", "operator", "by_hand", "cause", "hangup_by", "offers")
            if name in data
        },
        **({"voicemail": data["voicemail"]} if "voicemail" in data else {}),
    }


def text(call: Any) -> str:
    number = telephone.spoken(call.number) if call.number else call.data.get("shown", "")
    transcript = call.data.get("voicemail", {}).get("transcript", "")
    return "\n".join(part for part in (number, transcript, call.data.get("note", "")) if part)


def outcome_of(call: Any) -> CallOutcome | None:
    return CallOutcome(call.outcome) if call.outcome else None


def iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()
