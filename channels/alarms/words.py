"""What an alarm says, in the language of its reader. Names are left out for those who want it so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from inbox.alarms.notices import Notice
from inbox.desk_mail import Letter
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


def mail_letter(words: Words, person: OperatorRecord, waiting: Sequence[Notice], *, key: str, address: str) -> Letter:
    """One mail about everybody in `waiting`, longest first."""
    language = person.language
    waits = list({notice.wait_id: notice for notice in waiting}.values())
    subject = words.count(
        language, "%(n)s customer waits for an answer", "%(n)s customers wait for an answer", len(waits)
    )
    lines = [
        (_time(notice.waited_s), _who(words, person, notice), f"{address}/inbox/{notice.conversation_id}")
        for notice in waits[:MOST_LINES]
    ]
    after = [
        words.say(
            language, N_("The alarm rules of the desk send you this. Under Account you can turn off alarms by mail.")
        )
    ]
    if len(waits) > MOST_LINES:
        after.insert(0, words.say(language, N_("… and %(n)s more"), n=len(waits) - MOST_LINES))
    rows = Markup("").join(
        Markup('<tr><td><strong>{}</strong>&nbsp;</td><td><a href="{}">{}</a></td></tr>').format(time, link, who)
        for time, who, link in lines
    )
    said = Markup("").join(Markup("<p>{}</p>").format(sentence) for sentence in after)
    return Letter(
        key=key,
        topic="",  # what one is told at work is chosen under Account, not left out by a link in a mail
        address=person.email,
        subject=subject,
        text="\n\n".join([*(f"{time}  {who}\n  {link}" for time, who, link in lines), *after]),
        name=person.name,
        language=language,
        html=str(Markup("<table>{}</table>{}").format(rows, said)),
    )


def _who(words: Words, person: OperatorRecord, notice: Notice) -> str:
    channel = words.say(person.language, CHANNELS[notice.channel])
    if person.preferences.get("alarms_names") == "off":
        return channel
    return " · ".join(part for part in (channel, notice.contact_name, notice.subject) if part)[:200]


def _time(seconds: int) -> str:
    """`m:ss` up to an hour, `h:mm` after."""
    return f"{seconds // 60}:{seconds % 60:02d}" if seconds < 3600 else f"{seconds // 3600}:{seconds // 60 % 60:02d} h"
