"""From an entry to the mail that leaves: text and HTML alike, signature, quoted history below a person's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from babel.dates import format_date, format_time

from channels.email.addresses import MailAddress
from channels.email.html import clean
from channels.email.record import MailData
from channels.email.serialise import OutgoingFile, OutgoingMail
from inbox.words import N_, Words

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

QUOTED_CHARACTERS = 20_000
_FONT = "font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5"
_QUOTE = "margin:0 0 0 .8ex;border-left:2px solid #c9c9c9;padding-left:1ex;color:#555"


@lru_cache(1)
def _markdown() -> MarkdownIt:
    """Made when the first answer is sent: loading it would slow down every start."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True}).enable("linkify").disable("image")


ATTRIBUTION = N_("On %(date)s, %(name)s wrote:")


@dataclass(frozen=True, slots=True)
class Signature:
    name: str = ""
    title: str = ""
    house: str = ""

    def lines(self) -> list[str]:
        return [line for line in (self.name, self.title, self.house) if line.strip()]


@dataclass(frozen=True, slots=True)
class Quoted:
    """The mail being answered. `written_at` in the desk's own time zone."""

    author: str
    written_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything the mail is made of; the recipients and ids stand in `mail`, fixed when it was written."""

    mail: MailData
    text: str
    html: str | None
    date: datetime
    signature: Signature
    quoted: Quoted | None
    files: Sequence[OutgoingFile]
    automatic: bool
    language: str
    reply_to: str = ""


def compose(draft: Draft, words: Words) -> OutgoingMail:
    mail = draft.mail
    chain = list(mail.get("references", []))
    answered = mail.get("in_reply_to", [])
    sender = MailAddress(mail["author"]["name"], mail["author"]["address"])
    return OutgoingMail(
        sender=sender,
        to=[MailAddress(one["name"], one["address"]) for one in mail["to"]],
        cc=[MailAddress(one["name"], one["address"]) for one in mail["cc"]],
        subject=mail["subject"],
        message_id=mail["message_id"],
        date=draft.date,
        text=_text(draft, words),
        html=_html(draft, words),
        reply_to=MailAddress(sender.name, draft.reply_to) if draft.reply_to else None,
        in_reply_to=answered[0] if answered else "",
        references=chain,
        files=draft.files,
        automatic=draft.automatic,
        language=draft.language,
    )


def _text(draft: Draft, words: Words) -> str:
    parts = [draft.text.rstrip()]
    signature = draft.signature.lines()
    if signature:
        parts.append("-- \n" + "\n".join(signature))
    if draft.quoted is not None:
        quoted = draft.quoted.text[:QUOTED_CHARACTERS].rstrip().split("\n")
        lines = [f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in quoted]
        parts.append(_attribution(draft.quoted, draft.language, words) + "\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _html(draft: Draft, words: Words) -> str:
    cleaned = clean(draft.html) if draft.html else None
    body = cleaned.html if cleaned is not None else html_of(draft.text)
    parts = [f'<div style="{_FONT}">{body}</div>']
    signature = draft.signature.lines()
    if signature:
        lines = "<br>".join(escape(line) for line in signature)
        parts.append(f'<div style="{_FONT};margin-top:1em;color:#555">{lines}</div>')
    if draft.quoted is not None:
        quoted = escape(draft.quoted.text[:QUOTED_CHARACTERS].rstrip()).replace("\n", "<br>\n")
        parts.append(
            f'<div class="gmail_quote" style="margin-top:1.5em;{_FONT}">'
            f"<div>{escape(_attribution(draft.quoted, draft.language, words))}</div>"
            f'<blockquote type="cite" style="{_QUOTE}">{quoted}</blockquote></div>'
        )
    return f'<!doctype html>\n<html><head><meta charset="utf-8"></head><body>\n{"".join(parts)}\n</body></html>\n'


def html_of(text: str) -> str:
    """An operator's text: paragraphs, lists, emphasis and links; anything that looks like HTML is shown as typed."""
    return str(_markdown().render(text))


def _attribution(quoted: Quoted, language: str, words: Words) -> str:
    locale = words.choose(language)
    time = format_time(quoted.written_at, "short", locale=locale).replace("\u202f", " ")
    when = f"{format_date(quoted.written_at, 'long', locale=locale)} {time}"
    return words.say(language, ATTRIBUTION, date=when, name=quoted.author)
