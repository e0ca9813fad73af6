"""Outbox handler "autoreply": facts, decision, words, and one transaction that says it or keeps why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from autoreply import moments, texts
from autoreply.rules import Decision, decide
from autoreply.settings import AutoreplySettings
from inbox import autoreply_facts, settings, withheld
from inbox.autoreply_facts import AutoreplyFacts
from inbox.clock import Clock
from inbox.errors import CannotReach
from inbox.reply import Addressings, AutomaticText, withhold_or_sent, write_automatic
from inbox.store import outbox
from inbox.store.database import Database
from inbox.store.outbox import Job
from inbox.store.transaction import Transaction
from inbox.vocabulary import ChannelKind, ConversationId, WaitId
from inbox.waits import estimate
from inbox.waits.estimate import Estimate
from inbox.words import Words

log = structlog.get_logger(__name__)

HANDLER = "autoreply"
TEXTS_SETTING = "texts"
MAX_NAME_CHARS = 60


class Respond:
    """Decide about one wait. Asked again for the same wait, it finds its own decision and does nothing."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        words: Words,
        addressings: Addressings,
        rules: AutoreplySettings,
        *,
        desk_name: str,
        language: str,
    ) -> None:
        self._db, self._clock, self._words = db, clock, words
        self._addressings, self._rules = addressings, rules
        self._desk_name, self._language = desk_name, language

    async def __call__(self, job: Job) -> None:
        conversation_id = ConversationId(job.payload["conversation_id"])
        wait_id = WaitId(job.payload["wait_id"])
        warned = job.payload["event"] == "WaitWarned"
        now = self._clock.now()
        known = await self._db.read(_load, conversation_id, wait_id, warned=warned, now=now)
        if known is None:
            await self._db.write(outbox.done, job.id, now=now)
            return
        facts, edited, expected = known
        decision = decide(facts, self._rules)
        text = self._text(facts, decision, edited, expected, now) if decision.send else ""
        await self._db.write(self._settle, job, facts, decision, text, warned=warned, now=now)

    def _text(
        self,
        facts: AutoreplyFacts,
        decision: Decision,
        edited: Mapping[str, Any] | None,
        expected: Estimate | None,
        now: datetime,
    ) -> str:
        language = self._words.choose(facts.language, self._language)
        given = values(self._words, language, facts, expected, desk_name=self._desk_name, now=now)
        source = texts.source_of(self._words, edited, language, decision.template)
        try:
            return texts.render(source, given)
        except texts.TextError as error:  # saved by an older version: the customer still gets the built-in words
            log.warning("an edited text cannot be said", text=decision.template, problem=str(error))
            return texts.render(texts.source_of(self._words, None, language, decision.template), given)

    def _settle(
        self,
        tx: Transaction,
        job: Job,
        before: AutoreplyFacts,
        decision: Decision,
        text: str,
        *,
        warned: bool,
        now: datetime,
    ) -> None:
        facts: AutoreplyFacts | None = before
        if decision.send:
            if before.answer_over is ChannelKind.EMAIL:
                autoreply_facts.hold_address(tx, before.address)
            facts = autoreply_facts.load(tx.conn, before.conversation_id, before.wait_id, warned=warned, now=now)
            decision = decide(facts, self._rules) if facts is not None else decision
        if facts is not None and decision.text_name not in facts.decided:
            self._say(tx, facts, decision, text, now)
        outbox.done(tx, job.id, now=now)

    def _say(self, tx: Transaction, facts: AutoreplyFacts, decision: Decision, text: str, now: datetime) -> None:
        automatic = AutomaticText(
            conversation_id=facts.conversation_id,
            wait_id=facts.wait_id,
            name=decision.text_name,
            text=text,
            channel=facts.answer_over or facts.channel,
            address=facts.address,
            reason=decision.reason,
        )
        if decision.reason == withheld.TOO_MANY:
            log.error("too many automatic mails: a loop?", conversation=facts.conversation_id, address=facts.address)
        if not decision.send or not text:
            withhold_or_sent(tx, automatic, sent=False, now=now)
            return
        try:
            write_automatic(tx, automatic, addressings=self._addressings, now=now)
        except CannotReach as error:
            withhold_or_sent(tx, _because(automatic, error.message), sent=False, now=now)


def _load(
    conn: Connection, conversation_id: ConversationId, wait_id: WaitId, *, warned: bool, now: datetime
) -> tuple[AutoreplyFacts, Mapping[str, Any] | None, Estimate | None] | None:
    facts = autoreply_facts.load(conn, conversation_id, wait_id, warned=warned, now=now)
    if facts is None:
        return None
    return facts, settings.get(conn, TEXTS_SETTING), estimate.expected(conn, facts.conversation_id, now)


def values(
    words: Words,
    language: str,
    facts: AutoreplyFacts,
    expected: Estimate | None,
    *,
    desk_name: str,
    now: datetime,
) -> dict[str, Any]:
    """What a text may name, already in words. Times are in the customer's zone where it is known."""
    zone = _zone(facts.zone) or facts.hours.zone
    same_day = facts.closes_at is not None and facts.closes_at.astimezone(zone).date() == now.astimezone(zone).date()
    given: dict[str, Any] = {
        "name": presentable(facts.name),
        "desk": desk_name,
        "hours": moments.opening_lines(language, facts.hours),
    }
    if facts.opens_at is not None:
        given["opens"] = moments.moment(words, language, facts.opens_at, now=now, zone=zone)
    if facts.closes_at is not None and same_day:
        given["closes"] = moments.clock(language, facts.closes_at, zone)
    if expected is not None and expected.low_s is not None and expected.high_s is not None:
        given["wait"] = moments.span(words, language, expected.low_s, expected.high_s)
    if facts.callback is not None:
        given["number"] = facts.callback.number or ""
        if facts.callback.slot_from is not None and facts.callback.slot_to is not None:
            given["slot"] = moments.between(
                words, language, facts.callback.slot_from, facts.callback.slot_to, now=now, zone=zone
            )
    return given


def presentable(name: str) -> str:
    """A name fit for a mail that nobody reads before it goes: else a stranger's advertisement goes out in our name."""
    name = " ".join(name.split())
    if len(name) > MAX_NAME_CHARS or any(mark in name.lower() for mark in ("://", "www.", "@", "<", ">")):
        return ""
    return name


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, KeyError):
        return None


def _because(text: AutomaticText, reason: str) -> AutomaticText:
    return AutomaticText(text.conversation_id, text.wait_id, text.name, text.text, text.channel, text.address, reason)
