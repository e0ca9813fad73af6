"""Whether the desk says something by itself, and why not: facts in, decision and reason out. Pure.

Each rule is one small function that names the reason for silence, or None; the first that fires decides. Reasons are
sentences of the catalogue, because the conversation shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autoreply.settings import AutoreplySettings
from inbox import withheld
from inbox.autoreply_facts import AutoreplyFacts
from inbox.mail_words import explain
from inbox.vocabulary import ChannelKind, DeskMode
from inbox.words import N_

GREETING = "greeting"
DELAYED = "delayed"


@dataclass(frozen=True, slots=True)
class Decision:
    """`text_name` is what one wait gets at most once; `template` is which text says it."""

    send: bool
    text_name: str
    template: str
    reason: str


Rule = Callable[[AutoreplyFacts, AutoreplySettings], str | None]


def decide(facts: AutoreplyFacts, settings: AutoreplySettings) -> Decision:
    name = DELAYED if facts.warned else GREETING
    rules = (*_ALWAYS, *(_APOLOGY if facts.warned else _GREETING))
    for rule in rules:
        reason = rule(facts, settings)
        if reason is not None:
            return Decision(False, name, "", reason)
    return Decision(True, name, template_for(facts), _why_sent(facts))


def template_for(facts: AutoreplyFacts) -> str:
    """The text's name in the settings: what the customer did, and the mode of the desk."""
    if facts.warned:
        return "delayed"
    if facts.callback is not None or facts.channel is ChannelKind.PHONE:
        return f"callback_{facts.mode}"
    return f"{facts.channel}_{facts.mode}"


def nobody_waits_any_more(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    return None if facts.waits else withheld.NOBODY_WAITS


def a_person_has_written(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    return withheld.ANSWERED if facts.answered else None


def it_is_spam(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    return N_("The conversation is marked as spam.") if facts.spam else None


def mail_wants_no_answer(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    """RFC 3834, 2; what fired is kept with the entry."""
    if facts.silence is None:
        return None
    if facts.silence == "stranger":
        return N_("The sender was no participant of the conversation before.")
    return explain(facts.silence)


def they_want_none(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    if facts.answer_over is not ChannelKind.EMAIL or not facts.stopped:
        return None
    return N_("This address has complained about automatic mail, or wants none.")


def there_is_no_way(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    return N_("No way to write to the customer is known.") if facts.answer_over is None else None


def enough_was_said_here(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    if facts.said_here < settings.per_conversation:
        return None
    return N_("This conversation has had enough automatic texts.")


def enough_was_said_today(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    if facts.answer_over is not ChannelKind.EMAIL or facts.said_today < settings.per_address_and_day:
        return None
    return N_("This address has had an automatic mail in the last 24 hours.")


def too_many_mails_this_hour(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    if facts.answer_over is not ChannelKind.EMAIL or facts.said_this_hour < settings.per_hour:
        return None
    return withheld.TOO_MANY


def somebody_is_there(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    if facts.mode in settings.when(facts.channel):
        return None
    if facts.mode in (DeskMode.STAFFED, DeskMode.BUSY):
        return withheld.STAFFED
    return withheld.NOT_WANTED


def mail_goes_on(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    """A receipt is for new matters: who is in a conversation knows that we have it."""
    if facts.channel is not ChannelKind.EMAIL or facts.first_wait:
        return None
    return withheld.NOT_NEW


def nobody_to_apologise(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    """ "We are on it" must be true: somebody has to be there."""
    if facts.mode in (DeskMode.AWAY, DeskMode.CLOSED):
        return withheld.NOBODY_THERE
    return None


def no_apology_here(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    if facts.answer_over not in settings.apologise_on or facts.channel not in settings.apologise_on:
        return withheld.NO_APOLOGY
    return None


def visitor_is_gone(facts: AutoreplyFacts, settings: AutoreplySettings) -> str | None:
    if facts.answer_over is ChannelKind.CHAT and facts.visitor_left:
        return N_("The visitor has left the page.")
    return None


_ALWAYS: tuple[Rule, ...] = (
    nobody_waits_any_more,
    a_person_has_written,
    it_is_spam,
    mail_wants_no_answer,
    they_want_none,
    there_is_no_way,
    enough_was_said_here,
    enough_was_said_today,
    too_many_mails_this_hour,
)
_GREETING: tuple[Rule, ...] = (somebody_is_there, mail_goes_on)
_APOLOGY: tuple[Rule, ...] = (nobody_to_apologise, no_apology_here, visitor_is_gone)


def _why_sent(facts: AutoreplyFacts) -> str:
    if facts.warned:
        return N_("The wait has passed its warning mark.")
    if facts.mode is DeskMode.CLOSED:
        return N_("The desk is closed.")
    if facts.mode is DeskMode.AWAY:
        return N_("Nobody is at the desk.")
    return N_("The desk is set to acknowledge this channel.")
