"""A brief drafted from the timeline, in the entries' own words.

It quotes and counts; it never concludes. What a person must add they add: the draft is a form filled in as far as the
record goes. Every line can be found in the timeline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from sqlalchemy import Connection, select

from inbox.errors import NotFound
from inbox.handoff import Brief
from inbox.reading import TimelineEntry, timeline
from inbox.store.models import Callback, Conversation, Operator
from inbox.vocabulary import OPEN_CALLBACK_STATES, ConversationId, Delivery, EntryKind
from inbox.waits import calendar
from inbox.words import N_, Words

READ_BACK = 200
"""Entries looked at, newest first: a brief about more than this would not be one."""

SENTENCE_CHARS = 240
QUOTED_SENTENCES = 2
DONE_LINES = 6

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_QUOTED = re.compile(r"^\s*(?:>|On .{5,120} wrote:|-{2,}\s*$|Lähettäjä:|From:)", re.IGNORECASE)
_GREETING = re.compile(
    r"^(?:dear|hello|hi|hey|good (?:morning|afternoon|evening|day)|hei|moi|terve|hyvää (?:päivää|huomenta|iltaa)|"
    r"päivää|huomenta|arvoisa|kiitos|thanks|thank you|regards|(?:best|kind) regards|terveisin|ystävällisin "
    r"terveisin|t\.)\b"
    r"(?:\s+[\w'’-]+){0,3}[,.!]?$",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b\d{1,2}[:.]\d{2}\b|\b\d{1,2}\.\s?\d{1,2}\.|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}/\d{1,2}\b|"
    r"\b(?:today|tonight|tomorrow|(?:mon|tues|wednes|thurs|fri|satur|sun)day|next week|this week|within \w+ "
    r"(?:minutes?|hours?|days?|weeks?)|in \w+ (?:minutes?|hours?|days?)|by noon|end of (?:the )?(?:day|week)|"
    r"january|february|march|april|june|july|august|september|october|november|december|"
    r"tänään|huomenna|ylihuomenna|ensi viikolla|tällä viikolla|(?:maanan|tiis|tors|perjan|lauan|sunnun)tai\w*|"
    r"keskiviik\w*|\w+ (?:minuutin|tunnin|päivän|viikon) (?:kuluessa|sisällä|päästä)|\w+kuuta)\b",
    re.IGNORECASE,
)
_COMMITMENT = re.compile(
    r"\b(?:(?:i|we)(?:'|’)ll|(?:i|we) (?:will|shall|promise|guarantee)|(?:i|we)(?:'|’)(?:m|re) going to|"
    r"(?:is|are) going to|you(?:(?:'|’)ll| will) (?:get|have|receive|hear)|"
    r"will be (?:sent|ready|delivered|refunded|repaired|called)|lupaan|lupaamme|palaan|palaamme|soitan|soitamme|"
    r"lähetän|lähetämme|toimitamme|hoidan|hoidamme|selvitän|selvitämme|hyvitän|hyvitämme|vastaan sinulle|vastaamme)\b",
    re.IGNORECASE,
)
_SPOKEN = (EntryKind.MESSAGE, EntryKind.CALL, EntryKind.CALLBACK)


@dataclass(frozen=True, slots=True)
class _Speech:
    """How dates and phrases are said to the reader of the brief."""

    words: Words
    language: str
    zone: ZoneInfo

    def say(self, message: str, **values: object) -> str:
        return self.words.say(self.language, message, **values)

    def at(self, when: datetime) -> str:
        locale = "en_GB" if self.language == "en" else self.language
        pattern = "d.M. 'klo' H.mm" if locale == "fi" else "d MMM HH:mm"
        return format_datetime(when, pattern, tzinfo=self.zone, locale=locale)


def draft_brief(
    conn: Connection, conversation_id: ConversationId, words: Words, language: str, *, now: datetime
) -> Brief:
    """What the timeline says by itself, for the operator to correct. Raises NotFound."""
    head = conn.execute(select(Conversation.__table__).where(Conversation.id == conversation_id)).first()
    if head is None:
        raise NotFound
    entries = timeline(conn, conversation_id, limit=READ_BACK)
    speech = _Speech(words, language, calendar.current(conn, now).hours.zone)
    callback = _open_callback(conn, conversation_id)
    return Brief(
        wants=_lines(_wants(head.subject, entries)),
        done=_lines(_done(entries, speech)),
        next=_lines(_next(entries, callback, speech)),
        promised=_lines(_promised(entries, callback, speech)),
    )


def _wants(subject: str, entries: Sequence[TimelineEntry]) -> Iterable[str]:
    """The subject, how the customer began, and what they said last."""
    if subject.strip():
        yield _short(subject)
    said = [entry for entry in entries if entry.kind is EntryKind.MESSAGE and entry.text.strip()]
    if said:
        yield _opening(said[0])
    if len(said) > 1:
        yield _opening(said[-1])


def _done(entries: Sequence[TimelineEntry], speech: _Speech) -> Iterable[str]:
    """Answers, notes, calls and attempts, each with who and when; the newest of them when there are many."""
    lines = [line for entry in entries if (line := _deed(entry, speech))]
    if len(lines) > DONE_LINES:
        yield speech.words.count(
            speech.language, "(%(n)s earlier step)", "(%(n)s earlier steps)", len(lines) - DONE_LINES
        )
    yield from lines[-DONE_LINES:]


def _deed(entry: TimelineEntry, speech: _Speech) -> str:
    values = {"at": speech.at(entry.created_at), "who": entry.author_name, "text": _opening(entry)}
    what = str(entry.data.get("what", ""))
    match entry.kind:
        case EntryKind.REPLY if entry.delivery is Delivery.FAILED:
            return speech.say(N_("%(at)s %(who)s answered, but it could not be delivered: %(text)s"), **values)
        case EntryKind.REPLY:
            return speech.say(N_("%(at)s %(who)s answered: %(text)s"), **values)
        case EntryKind.NOTE:
            return speech.say(N_("%(at)s %(who)s noted: %(text)s"), **values)
        case EntryKind.CALL:
            call = entry.data.get("call")
            missed = isinstance(call, dict) and call.get("missed")
            said = speech.say(N_("%(at)s missed call") if missed else N_("%(at)s telephone call"), **values)
            return f"{said}: {values['text']}" if values["text"] else said
        case EntryKind.CALLBACK if entry.data.get("outcome"):
            outcome = speech.say(OUTCOMES.get(str(entry.data["outcome"]), str(entry.data["outcome"])))
            said = speech.say(N_("%(at)s %(who)s rang: %(outcome)s"), outcome=outcome, **values)
            return f"{said}: {values['text']}" if values["text"] else said
        case EntryKind.HANDOFF if what == "handed_off":
            return speech.say(N_("%(at)s %(who)s handed it over"), **values)
    return ""


OUTCOMES = {
    "reached": N_("reached"),
    "no_answer": N_("no answer"),
    "busy": N_("busy"),
    "wrong_number": N_("wrong number"),
    "voicemail_left": N_("message left on the voicemail"),
}


def _next(entries: Sequence[TimelineEntry], callback: Any, speech: _Speech) -> Iterable[str]:
    """The call that is owed and what nobody has answered yet."""
    if callback is not None:
        if callback.slot_from is not None:
            yield speech.say(N_("Call back at the agreed time: %(at)s"), at=speech.at(callback.slot_from))
        else:
            yield speech.say(N_("Call back: %(number)s"), number=callback.number or "–")
    unanswered = None
    for entry in entries:
        if entry.kind is EntryKind.REPLY and entry.delivery is not Delivery.FAILED:
            unanswered = None
        elif entry.kind is EntryKind.MESSAGE and entry.text.strip():
            unanswered = entry
    if unanswered is not None:
        yield speech.say(
            N_("Unanswered since %(at)s: %(text)s"), at=speech.at(unanswered.created_at), text=_opening(unanswered)
        )
    failed = next((e for e in reversed(entries) if e.kind is EntryKind.REPLY and e.delivery is Delivery.FAILED), None)
    if failed is not None:
        yield speech.say(N_("The answer of %(at)s could not be delivered."), at=speech.at(failed.created_at))


def _promised(entries: Sequence[TimelineEntry], callback: Any, speech: _Speech) -> Iterable[str]:
    """Sentences of our own answers that bind us: a time together with a commitment, or a commitment alone."""
    if callback is not None and callback.slot_from is not None and callback.slot_to is not None:
        yield speech.say(
            N_("Call between %(start)s and %(end)s"),
            start=speech.at(callback.slot_from),
            end=speech.at(callback.slot_to),
        )
    for entry in entries:
        if entry.kind is EntryKind.REPLY:
            for sentence in _sentences(entry.text):
                if _COMMITMENT.search(sentence) or (_TIME.search(sentence) and not sentence.endswith("?")):
                    yield f"{speech.at(entry.created_at)} {entry.author_name}: {_short(sentence)}"


def _open_callback(conn: Connection, conversation_id: ConversationId) -> Any:
    return conn.execute(
        select(Callback.number, Callback.slot_from, Callback.slot_to, Callback.due_at, Operator.name)
        .outerjoin(Operator, Operator.id == Callback.owner_id)
        .where(Callback.conversation_id == conversation_id, Callback.state.in_(OPEN_CALLBACK_STATES))
        .order_by(Callback.id.desc())
        .limit(1)
    ).first()


def _opening(entry: TimelineEntry) -> str:
    """The first sentences that say something, in the entry's own words."""
    mail = entry.data.get("mail")
    text = str(mail["new_text"]) if isinstance(mail, dict) and mail.get("new_text") else entry.text
    return _short(" ".join(_sentences(text)[:QUOTED_SENTENCES]))


def _sentences(text: str) -> list[str]:
    """Sentences without quotations, greetings and signatures."""
    found: list[str] = []
    for line in text[:20_000].splitlines():
        if _QUOTED.match(line):
            if line.strip().startswith(">"):
                continue
            break
        for sentence in _SENTENCE_END.split(line.strip()):
            sentence = " ".join(sentence.split())
            if sentence and not _GREETING.match(sentence):
                found.append(sentence)
    return found


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SENTENCE_CHARS else text[: SENTENCE_CHARS - 1].rsplit(" ", 1)[0] + "…"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(dict.fromkeys(line for line in lines if line))
