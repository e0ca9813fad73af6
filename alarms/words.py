"""What an alarm says, in the language of its reader. Names are left out for those who want it so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inbox.alarms.notices import Notice
from inbox.people.operators import OperatorRecord
from inbox.vocabulary import ChannelKind
from inbox.words import N_, Words

CHANNELS = {ChannelKind.CHAT: N_("Chat"), ChannelKind.EMAIL: N_("E-mail"), ChannelKind.PHONE: N_("Telephone")}
MOST_LINES = 50


def push_text(words: Words, person: OperatorRecord, notice: Notice) -> dict[str, Any]:
    """One notification for each conversation: a newer one takes the place of the older."""
    said = N_("Somebody has waited %(time)s: too long") if notice.missed else N_("Somebody has waited %(time)s")
    return {
        "title": words.say(person.language, said, time=_time(notice.waited_s)),
        "body": _who(words, person, notice),
        "tag": f"conversation-{notice.conversation_id}",
        "path": f"/inbox/{notice.conversation_id}",
    }


def mail_text(words: Words, person: OperatorRecord, waiting: Sequence[Notice], *, address: str) -> tuple[str, str]:
    """Subject and text of one mail about everybody in `waiting`."""
    language = person.language
    number = len({notice.wait_id for notice in waiting})
    subject = words.count(language, "%(n)s customer waits for an answer", "%(n)s customers wait for an answer", number)
    lines: list[str] = []
    for notice in {notice.wait_id: notice for notice in waiting}.values():
        if len(lines) >= MOST_LINES:
            lines.append(words.say(language, N_("… and %(n)s more"), n=number - MOST_LINES))
            break
        lines.append(
            f"{_time(notice.waited_s)}  {_who(words, person, notice)}\n  {address}/inbox/{notice.conversation_id}"
        )
    why = words.say(
        language,
        N_("The alarm rules of the desk send you this. Under Account you can turn off alarms by mail."),
    )
    return subject, "\n\n".join([*lines, why])


def _who(words: Words, person: OperatorRecord, notice: Notice) -> str:
    channel = words.say(person.language, CHANNELS[notice.channel])
    if person.preferences.get("alarms_names") == "off":
        return channel
    return " · ".join(part for part in (channel, notice.contact_name, notice.subject) if part)[:200]


def _time(seconds: int) -> str:
    """`m:ss` up to an hour, `h:mm` after."""
    return f"{seconds // 60}:{seconds % 60:02d}" if seconds < 3600 else f"{seconds // 3600}:{seconds // 60 % 60:02d} h"
