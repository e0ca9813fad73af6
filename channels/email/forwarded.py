"""The mail inside a mail that somebody forwarded: who wrote it, what it says. In the form of any mail program.

Believed by nobody here: whether the one who forwards may bring in somebody else's words is decided by the intake.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from channels.email import limits
from channels.email.addresses import MailAddress, first_address, is_usable
from channels.email.headers import moment
from channels.email.quote_words import FORWARD, HEADER_FROM, HEADER_OTHER, SEPARATOR
from channels.email.record import Forwarded, InboundMail, MailAttachment
from channels.email.subjects import is_forward, without_forward

MOST_LINES = 600
"""Among which the head of the forwarded mail is looked for."""
_LONGEST_HEAD = 14
_QUOTE = re.compile(r"^\s{0,2}>\s?")
_LABEL = re.compile(r"^[\s*]{0,4}(?P<label>[^:：]{1,30}?)\s?\*?\s?[:：]\s?\*?\s*(?P<value>.*)$")
_SUBJECT_WORDS = (
    "subject aihe konu tárgy თემა სათაური betreff objet asunto ämne тема teema oggetto assunto onderwerp emne temat "
    "předmět 主题 件名"
)
_SUBJECTS = frozenset(_SUBJECT_WORDS.split())
_DATE_WORDS = (
    "date sent lähetetty päiväys päivämäärä tarih gönderildi dátum elküldve თარიღი datum gesendet envoyé fecha enviado "
    "skickat дата отправлено kuupäev saadetud data"
)
_DATES = frozenset(_DATE_WORDS.split())
_RULE = re.compile(r"^[\s>]*[-_*=‐-―]{5,}\s*$")
_MAILTO = re.compile(r"\[mailto:([^\]\s]{3,320})\]|<mailto:([^>\s]{3,320})>", re.IGNORECASE)


def find(mail: InboundMail, attached: Sequence[InboundMail] = ()) -> Forwarded | None:
    """None when nothing was forwarded, or when it cannot be told who wrote it. `attached`: mails among its files."""
    if len(attached) == 1 and not mail.machine:
        return _attached(mail, attached[0])
    if not is_forward(mail.subject):
        return None
    return _inline(mail)


def attached_mails(files: Sequence[MailAttachment]) -> list[bytes]:
    return [one.content for one in files if one.media_type == "message/rfc822" and one.content]


def _attached(mail: InboundMail, inner: InboundMail) -> Forwarded | None:
    if not inner.author.address or inner.machine is not None:
        return None
    return Forwarded(
        author=inner.author,
        subject=inner.subject,
        text=inner.text,
        html=inner.html,
        date=inner.date,
        message_id=inner.message_id,
        references=inner.references,
        in_reply_to=inner.in_reply_to,
        language=inner.language,
        cover=mail.new_text.strip()[: limits.FOLDING_CHARACTERS],
        remote_images=inner.remote_images,
    )


def _inline(mail: InboundMail) -> Forwarded | None:
    lines = mail.text[: limits.FOLDING_CHARACTERS].split("\n")
    head = _head(lines[:MOST_LINES])
    if head is None:
        return None
    begin, end, quoted = head
    block = [_unquoted(line) for line in lines[begin:end]]
    author = _author(block)
    if author is None:
        return None
    rest = [_QUOTE.sub("", line) for line in lines[end:]] if quoted else lines[end:]
    tail = mail.text[limits.FOLDING_CHARACTERS :]
    return Forwarded(
        author=author,
        subject=(_value(block, _SUBJECTS) or without_forward(mail.subject))[: limits.SUBJECT_CHARACTERS],
        text=("\n".join(rest) + tail).strip("\n\u00a0 "),
        html=mail.html,
        date=moment((_value(block, _DATES) or "").encode("utf-8", "replace")),
        message_id="",
        references=(),
        in_reply_to=(),
        language=None,
        cover=_cover(lines[:begin]),
        remote_images=mail.remote_images,
    )


def _head(lines: Sequence[str]) -> tuple[int, int, bool] | None:
    """First and last line of the forwarded mail's header block, and whether it stands behind quote marks."""
    begin = 0
    while begin < len(lines):
        if not _is_field(_unquoted(lines[begin])):
            begin += 1
            continue
        end, fields, named = begin, 0, False
        while end < len(lines) and end - begin < _LONGEST_HEAD:
            line = _unquoted(lines[end])
            if _is_field(line):
                fields += 1
                named = named or bool(HEADER_FROM.match(line))
            elif not line.strip() or not _goes_on(_unquoted(lines[end - 1]), line):
                break
            end += 1
        if named and fields >= 2:
            return begin, end, bool(_QUOTE.match(lines[begin]))
        begin = max(end, begin + 1)
    return None


def _is_field(line: str) -> bool:
    return bool(HEADER_FROM.match(line) or HEADER_OTHER.match(line))


def _goes_on(before: str, line: str) -> bool:
    """A field that was wrapped: the one above is open, or this line is what is left of an address."""
    return before.rstrip().endswith((",", ";")) or len(before) > 60 or line.strip().startswith(("<", "[mailto:"))


def _author(block: Sequence[str]) -> MailAddress | None:
    for number, line in enumerate(block):
        if not HEADER_FROM.match(line):
            continue
        value = _field(line)[1]
        if number + 1 < len(block) and not _is_field(block[number + 1]):
            value += " " + block[number + 1].strip()
        value = _MAILTO.sub(lambda found: f"<{found[1] or found[2]}>", value.replace("*", ""))
        found = first_address(value.encode("utf-8", "replace"))
        if found is not None and found.address and is_usable(found.address):
            return found
    return None


def _value(block: Sequence[str], labels: frozenset[str]) -> str | None:
    for number, line in enumerate(block):
        label, value = _field(line)
        if label.split(" ")[0] in labels or label in labels:
            if number + 1 < len(block) and not _is_field(block[number + 1]):
                value += " " + block[number + 1].strip()
            return " ".join(value.replace("*", "").split())
    return None


def _field(line: str) -> tuple[str, str]:
    found = _LABEL.match(line)
    return (found["label"].strip(" *").casefold(), found["value"].strip()) if found else ("", "")


def _unquoted(line: str) -> str:
    return _QUOTE.sub("", line)


def _cover(lines: Sequence[str]) -> str:
    """What stands above, without the line by which the program announces the mail below."""
    kept = list(lines)
    while kept and (
        not kept[-1].strip(" >\u00a0") or FORWARD.match(kept[-1]) or SEPARATOR.match(kept[-1]) or _RULE.match(kept[-1])
    ):
        kept.pop()
    return "\n".join(kept).strip()
