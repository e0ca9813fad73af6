"""The decision alone, as a table of what may stop the desk from speaking."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoreply import rules
from autoreply.rules import DELAYED, GREETING, decide, template_for
from autoreply.settings import AutoreplySettings
from inbox.autoreply_facts import AutoreplyFacts, CallbackFacts
from inbox.vocabulary import ChannelKind, ConversationId, DeskMode, WaitId
from inbox.waits.hours import ALWAYS, read_hours

CLOSED_CHAT = AutoreplyFacts(
    conversation_id=ConversationId(1),
    wait_id=WaitId(1),
    warned=False,
    channel=ChannelKind.CHAT,
    answer_over=ChannelKind.CHAT,
    address="vera",
    waits=True,
    first_wait=True,
    spam=False,
    answered=False,
    visitor_left=False,
    stopped=False,
    silence=None,
    decided=frozenset(),
    said_here=0,
    said_today=0,
    said_this_hour=0,
    mode=DeskMode.CLOSED,
    opens_at=datetime(2026, 3, 11, 7, tzinfo=UTC),
    closes_at=None,
    hours=read_hours("Europe/Helsinki", ALWAYS),
    callback=None,
    name="Vera",
    language="en",
    zone=None,
)
CLOSED_MAIL = replace(CLOSED_CHAT, channel=ChannelKind.EMAIL, answer_over=ChannelKind.EMAIL, address="ann@shop.example")
LATE_CHAT = replace(CLOSED_CHAT, warned=True, mode=DeskMode.STAFFED)

SILENT = [
    ("the wait is over", replace(CLOSED_CHAT, waits=False)),
    ("a person has written", replace(CLOSED_CHAT, answered=True)),
    ("it is spam", replace(CLOSED_CHAT, spam=True)),
    ("somebody is there", replace(CLOSED_CHAT, mode=DeskMode.STAFFED)),
    ("all are busy", replace(CLOSED_CHAT, mode=DeskMode.BUSY)),
    ("three have been said", replace(CLOSED_CHAT, said_here=3)),
    ("a machine wrote the mail", replace(CLOSED_MAIL, silence="auto_replied")),
    ("a stranger wrote the mail", replace(CLOSED_MAIL, silence="stranger")),
    ("its sender is in doubt", replace(CLOSED_MAIL, silence="dmarc_fail")),
    ("they have complained", replace(CLOSED_MAIL, stopped=True)),
    ("one was sent today", replace(CLOSED_MAIL, said_today=1)),
    ("the desk has sent too many", replace(CLOSED_MAIL, said_this_hour=200)),
    ("the mail goes on", replace(CLOSED_MAIL, first_wait=False)),
    ("the caller can't be written to", replace(CLOSED_CHAT, channel=ChannelKind.PHONE, answer_over=None)),
    ("nobody is on it", replace(LATE_CHAT, mode=DeskMode.AWAY)),
    ("it is closed meanwhile", replace(LATE_CHAT, mode=DeskMode.CLOSED)),
    ("mail gets no apology", replace(CLOSED_MAIL, warned=True, mode=DeskMode.STAFFED)),
    ("the visitor has left", replace(LATE_CHAT, visitor_left=True)),
]


@pytest.mark.parametrize("facts", [facts for _, facts in SILENT], ids=[name for name, _ in SILENT])
def test_the_desk_keeps_silent_when(facts: AutoreplyFacts) -> None:
    decision = decide(facts, AutoreplySettings())
    assert not decision.send
    assert decision.reason


def test_every_silence_has_its_own_reason() -> None:
    reasons = {decide(facts, AutoreplySettings()).reason for _, facts in SILENT}
    assert len(reasons) >= 14


@pytest.mark.parametrize("mode", [DeskMode.CLOSED, DeskMode.AWAY])
@pytest.mark.parametrize("facts", [CLOSED_CHAT, CLOSED_MAIL], ids=["chat", "mail"])
def test_who_comes_when_nobody_is_there_is_told_so(facts: AutoreplyFacts, mode: DeskMode) -> None:
    decision = decide(replace(facts, mode=mode), AutoreplySettings())
    assert (decision.send, decision.text_name, decision.template) == (True, GREETING, f"{facts.channel}_{mode}")


def test_a_late_chat_gets_an_apology_under_its_own_name() -> None:
    decision = decide(LATE_CHAT, AutoreplySettings())
    assert (decision.send, decision.text_name, decision.template) == (True, DELAYED, "delayed")


def test_limits_of_mail_do_not_silence_chat() -> None:
    assert decide(replace(CLOSED_CHAT, said_today=5, said_this_hour=500), AutoreplySettings()).send


def test_a_desk_may_acknowledge_every_mail_also_when_staffed() -> None:
    settings = AutoreplySettings(email_when=tuple(DeskMode))
    decision = decide(replace(CLOSED_MAIL, mode=DeskMode.STAFFED), settings)
    assert (decision.send, decision.template) == (True, "email_staffed")


def test_a_desk_may_keep_silent_on_a_channel() -> None:
    decision = decide(CLOSED_MAIL, AutoreplySettings(email_when=()))
    assert (decision.send, decision.reason) == (False, "No automatic text is wanted on this channel.")


def test_who_asked_to_be_called_gets_the_text_about_calls() -> None:
    asked = replace(CLOSED_CHAT, callback=CallbackFacts("+358401234567", None, None))
    assert template_for(asked) == "callback_closed"
    assert template_for(replace(CLOSED_CHAT, channel=ChannelKind.PHONE)) == "callback_closed"


def test_every_rule_stops_something() -> None:
    """A rule that nothing above triggers would be a rule that nobody notices breaking."""
    settings = AutoreplySettings()
    for rule in (*rules._ALWAYS, *rules._GREETING, *rules._APOLOGY):
        assert any(rule(facts, settings) for _, facts in SILENT), rule.__name__
