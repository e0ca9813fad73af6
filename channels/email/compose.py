"""From an entry to the mail that leaves: text and HTML alike, signature, quoted history below a person's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from babel.dates import format_date, format_time

from channels.email.addresses import MailAddress
from channels.email.html import clean
from channels.email.html_guard import is_within_guard
from channels.email.record import MailData
from channels.email.serialise import OutgoingFile, OutgoingMail, Unsubscribe
from channels.email.thread_index import child_of
from inbox.words import N_, Words

if TYPE_CHECKING:
    from css_inline import CSSInliner
    from markdown_it import MarkdownIt

QUOTED_CHARACTERS = 20_000
_STYLES = """
.words { font: 15px/1.5 -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif }
.words p { margin: 0 0 1em }
.signature { color: #555; margin-top: 1em }
.points { border-left: 3px solid #2a55cf; margin: 0 0 1.25em; padding: 2px 0 2px 14px }
.points h3 { font-size: 15px; margin: 0 0 .25em }
.points p { margin: 0 0 .75em }
.history { margin-top: 1.5em }
.history blockquote { border-left: 2px solid #c9c9c9; color: #555; margin: .5em 0 0 .8ex; padding-left: 1ex }
.unsubscribe { color: #767676; font-size: 12px; margin-top: 2em }
"""
"""Written into the elements before the mail leaves: half of the mail programs ignore style sheets."""


@lru_cache(1)
def _markdown() -> MarkdownIt:
    """Made when the first answer is sent: loading it would slow down every start."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True}).enable("linkify").disable("image")


ATTRIBUTION = N_("On %(date)s, %(name)s wrote:")
UNSUBSCRIBE = N_("If you do not want such mail from us any more:")
UNSUBSCRIBE_LINK = N_("I do not want such mail any more")


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
    sent_at: datetime
    written_at: datetime
    signature: Sequence[str]  # its lines
    quoted: Quoted | None
    files: Sequence[OutgoingFile]
    automatic: bool
    language: str
    reply_to: str = ""
    generated: bool = False  # written by the desk itself, no answer to anything
    block: Mapping[str, Any] | None = None  # as `inbox.reply.Block.plain` keeps it
    unsubscribe: Unsubscribe | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One heading of the summary and request block, with what stands under it."""

    heading: str
    text: str


def points(block: Mapping[str, Any] | None, language: str, words: Words) -> list[Point]:
    """The headings in the reader's language; what was left empty is left out."""
    said = block or {}
    found = []
    for name, heading in (
        ("understood", N_("What we understood")),
        ("done", N_("What we did")),
        ("needed", N_("What we need from you")),
    ):
        text = str(said.get(name, "")).strip()
        if not text:
            continue
        by = str(said.get("by", "")) if name == "needed" else ""
        if by:
            day = _day(by, words.choose(language))
            found.append(Point(words.say(language, N_("What we need from you by %(day)s"), day=day), text))
        else:
            found.append(Point(words.say(language, heading), text))
    return found


def _day(written: str, locale: str) -> str:
    try:
        return format_date(date.fromisoformat(written), "long", locale=locale)
    except ValueError:
        return written


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
        date=draft.sent_at,
        text=_text(draft, words),
        html=_html(draft, words),
        reply_to=MailAddress(sender.name, draft.reply_to) if draft.reply_to else None,
        in_reply_to=answered[0] if answered else "",
        references=chain,
        files=draft.files,
        automatic=draft.automatic,
        generated=draft.generated,
        language=draft.language,
        thread_index=_thread_index(draft),
        thread_topic=mail.get("thread_topic", ""),
        unsubscribe=draft.unsubscribe,
    )


def _thread_index(draft: Draft) -> str:
    parent = draft.mail.get("thread_index", "")
    return child_of(parent, at=draft.written_at, unique=draft.mail["message_id"]) if parent else ""


def _text(draft: Draft, words: Words) -> str:
    parts = [draft.text.rstrip()]
    points_said = [
        f"{one.heading}:\n" + "\n".join(f"  {line}".rstrip() for line in one.text.split("\n"))
        for one in points(draft.block, draft.language, words)
    ]
    parts = [*points_said, *parts] if draft.block and draft.block.get("on_top") else [*parts, *points_said]
    parts = [one for one in parts if one]
    if draft.signature:
        parts.append("-- \n" + "\n".join(draft.signature))
    if draft.unsubscribe is not None:
        parts.append(words.say(draft.language, UNSUBSCRIBE) + "\n" + draft.unsubscribe.link)
    if draft.quoted is not None:
        quoted = draft.quoted.text[:QUOTED_CHARACTERS].rstrip().split("\n")
        lines = [f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in quoted]
        parts.append(_attribution(draft.quoted, draft.language, words) + "\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _html(draft: Draft, words: Words) -> str:
    cleaned = clean(draft.html) if draft.html else None
    document = _document(draft, cleaned.html if cleaned is not None else html_of(draft.text), words)
    if not is_within_guard(document):  # the inliner ends the process on what is nested too deeply
        document = _document(draft, lines_of(draft.text), words)
    return _inlined(document)


def _document(draft: Draft, body: str, words: Words) -> str:
    parts = [body]
    said = "".join(
        f"<h3>{escape(one.heading)}</h3>{lines_of(one.text)}" for one in points(draft.block, draft.language, words)
    )
    if said:
        block = f'<div class="points">{said}</div>'
        parts = [block, body] if draft.block and draft.block.get("on_top") else [body, block]
    if draft.signature:
        parts.append(f'<div class="signature">{"<br>".join(escape(line) for line in draft.signature)}</div>')
    if draft.unsubscribe is not None:
        link = escape(draft.unsubscribe.link)
        parts.append(
            f'<p class="unsubscribe"><a href="{link}">{escape(words.say(draft.language, UNSUBSCRIBE_LINK))}</a></p>'
        )
    if draft.quoted is not None:
        quoted = escape(draft.quoted.text[:QUOTED_CHARACTERS].rstrip()).replace("\n", "<br>\n")
        parts.append(
            f'<div class="gmail_quote history"><div>{escape(_attribution(draft.quoted, draft.language, words))}</div>'
            f'<blockquote type="cite">{quoted}</blockquote></div>'
        )
    return (
        f'<!doctype html>\n<html><head><meta charset="utf-8"><style>{_STYLES}</style></head>'
        f'<body><div class="words">{"".join(parts)}</div></body></html>\n'
    )


def _inlined(document: str) -> str:
    return str(_inliner().inline(document))


@lru_cache(1)
def _inliner() -> CSSInliner:
    from css_inline import CSSInliner

    return CSSInliner(keep_style_tags=False, load_remote_stylesheets=False)


def lines_of(text: str) -> str:
    """Paragraphs of plain lines: no nesting, whatever the text is."""
    paragraphs = [escape(one).replace("\n", "<br>\n") for one in text.strip().split("\n\n") if one.strip()]
    return "".join(f"<p>{one}</p>" for one in paragraphs)


def html_of(text: str) -> str:
    """An operator's text: paragraphs, lists, emphasis and links; anything that looks like HTML is shown as typed."""
    return str(_markdown().render(text))


def _attribution(quoted: Quoted, language: str, words: Words) -> str:
    locale = words.choose(language)
    time = format_time(quoted.written_at, "short", locale=locale).replace("\u202f", " ")
    when = f"{format_date(quoted.written_at, 'long', locale=locale)} {time}"
    return words.say(language, ATTRIBUTION, date=when, name=quoted.author)
