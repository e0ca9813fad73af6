"""Raw bytes to a frozen `InboundMail`. Never raises; time and memory are bounded by the limits of `limits.py`."""

from __future__ import annotations

import binascii
import re
from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256
from html import escape, unescape
from urllib.parse import unquote

import structlog

from channels.email import forwarded, limits, thread_index
from channels.email.addresses import MailAddress, address_list, first_address, fold
from channels.email.content import Content, read_content, undecoded
from channels.email.headers import Headers, message_ids, moment, split_head
from channels.email.html import clean, new_text_of
from channels.email.html_guard import plain_of
from channels.email.machine import Facts, why_silent, written_by
from channels.email.mime import Part, read_tree
from channels.email.quotes import folds
from channels.email.record import (
    NOBODY,
    DeliveryReport,
    Folds,
    InboundMail,
    Machine,
    MachineKind,
    MailAttachment,
    not_read,
)
from channels.email.reports import STATUS_KINDS, read_report
from channels.email.subjects import is_forward

log = structlog.get_logger(__name__)

_WORD = re.compile(r"\w+")
_REPORT_PARTS = frozenset({*STATUS_KINDS, "message/disposition-notification", "message/feedback-report"})
_LANGUAGE = re.compile(r"^\s*([A-Za-z]{2,3})\b")
_LIST_POST = re.compile(r"<mailto:([^>?\s]{3,320})")
_SOURCE = re.compile(
    r"(<img(?=[\s/])[^<>]{0,4000}?\ssrc\s{0,5}=\s{0,5})(?:\"([^\"<>]{1,400})\"|'([^'<>]{1,400})'|([^\s\"'<>]{1,400}))",
    re.IGNORECASE,
)


def parse(raw: bytes, *, own_addresses: Collection[str] = (), return_path: str | None = None) -> InboundMail:
    """`own_addresses` folded; `return_path` from the SMTP envelope where there was one ("" is the empty sender)."""
    try:
        return _with_forwarded(_parse(raw, own_addresses, return_path), own_addresses)
    except Exception:
        log.exception("mail could not be understood", size_bytes=len(raw))
        return unreadable(raw, return_path)


def _with_forwarded(mail: InboundMail, own_addresses: Collection[str]) -> InboundMail:
    """A mail among its files is read as well; what lies in that one is not."""
    inner = forwarded.attached_mails(mail.attachments)
    if len(inner) != 1 and not is_forward(mail.subject):
        return mail
    read = [_parse(one, own_addresses, None) for one in inner] if len(inner) == 1 else []
    return replace(mail, forwarded=forwarded.find(mail, read))


def _parse(raw: bytes, own_addresses: Collection[str], return_path: str | None) -> InboundMail:
    tree = read_tree(raw)
    root = tree.root
    notes = list(tree.notes)
    content = read_content(root)
    headers = root.headers.in_unicode(content.charsets)
    if len(headers.all("from")) > 1:
        notes.append("several_from")
    author = first_address(headers.raw("from")) or NOBODY
    sender = first_address(headers.raw("sender")) if "sender" in headers else None
    if not author.address:
        # Some mail programs leave From out; the one who posted it is the next best.
        notes.append("no_from")
        if sender is not None and sender.address:
            author = sender
    subject = headers.text("subject")[: limits.SUBJECT_CHARACTERS]
    text, html = content.text(), content.html()
    notes += content.notes
    cleaned = clean(_named_images(html, content.attachments)) if html else None
    if html and cleaned is None:
        notes.append("html_not_shown")
        text = text or plain_of(html)
    if return_path is None and "return-path" in headers:
        return_path = headers.plain("return-path").strip("<> ")
    report_type = ""
    if root.kind == "multipart/report":
        report_type = root.params.get("report-type", "").lower() or next(
            (leaf.kind.partition("/")[2] for leaf in content.leaves if leaf.kind in _REPORT_PARTS), ""
        )
    to, cc = address_list(headers.all("to")), address_list(headers.all("cc"))
    facts = Facts(
        headers=headers,
        kind=root.kind,
        report_type=report_type,
        author=author,
        reply_to=address_list(headers.all("reply-to")[:1]),
        subject=subject,
        return_path=return_path,
        is_report=any(leaf.kind in STATUS_KINDS for leaf in content.leaves),
        own_addresses=own_addresses,
        named=[one.folded for one in (*to, *cc)],
    )
    machine = written_by(facts)
    report: DeliveryReport | None = None
    if machine is not None and machine.kind in (
        MachineKind.DELIVERY_REPORT, MachineKind.READ_RECEIPT, MachineKind.COMPLAINT
    ):  # fmt: skip
        report = read_report(root, content.leaves, subject, text)
    own_ids = message_ids(headers.raw("message-id"))
    if not own_ids:
        notes.append("no_message_id")
    thread_root, topic = _thread_index(headers)
    recipients_beyond = max(len(to), len(cc)) >= limits.RECIPIENTS or any(
        len(one) > limits.HEADER_FIELD_BYTES - 10 for one in (*headers.all("to"), *headers.all("cc"))
    )
    if recipients_beyond:
        notes.append("recipients_truncated")
    return InboundMail(
        message_id=own_ids[0][: limits.MESSAGE_ID_CHARACTERS] if own_ids else "",
        digest=_digest(author, headers, text, html, content),
        author=author,
        sender=sender,
        reply_to=facts.reply_to,
        to=to,
        cc=cc,
        delivered_to=_delivered_to(headers),
        return_path=return_path,
        subject=subject,
        date=moment(headers.raw("date")),
        in_reply_to=message_ids(headers.raw("in-reply-to")),
        references=message_ids(headers.raw("references")),
        thread_root=thread_root,
        thread_topic=topic,
        thread_index=thread_index.as_kept(headers.raw("thread-index")),
        desk_id=next(iter(message_ids(headers.raw("x-desk-message-id"))), ""),
        language=_language(headers),
        text=text,
        folds=_folds(text, html, subject, only_html=content.is_only_html()),
        html=cleaned.html if cleaned else None,
        remote_images=cleaned.remote_images if cleaned else 0,
        attachments=tuple(content.attachments),
        machine=machine,
        silence=why_silent(facts, machine),
        report=report,
        list_post=_list_post(headers),
        list_id=headers.plain("list-id")[:200],
        invitation=content.invitation,
        appointment=content.appointment,
        protection=content.protection,
        notes=tuple(dict.fromkeys(notes)),
    )


_QUOTE_MARKUP = re.compile(
    r"<blockquote|gmail_quote|divRplyFwdMsg|appendonsend|yahoo_quoted|moz-cite-prefix|OLK_SRC|border-top:|stopSpelling|"
    r"protonmail_quote|tutanota_quote|mail-editor-reference|reply-intro|replyHeader|isReplyContent|zmail_extra|"
    r"__QUOTED_TEXT__|zwchr|name=.quote",
    re.IGNORECASE,
)


def _folds(text: str, html: str | None, subject: str, *, only_html: bool) -> Folds:
    """By the words of the text; where they say nothing, by the markup of the HTML, in whatever language."""
    if not text:
        return Folds()
    forward = is_forward(subject)
    found = folds(text, is_forward=forward)
    if html is None or found.quoted_from is not None or forward or not _QUOTE_MARKUP.search(html):
        return found
    new = new_text_of(html)
    if new is None:
        return found
    if new.is_above:
        end = _end_of_words(text, new.text)
        if end is None or not text[end:].strip():
            return found
        return Folds(quoted_from=end, signature_from=folds(text[:end]).signature_from)
    if only_html and text.endswith(new.text) and len(new.text) < len(text):
        return Folds(quoted_from=0, quoted_until=len(text) - len(new.text))
    return found


def _end_of_words(text: str, beginning: str) -> int | None:
    """Where in `text` the words of `beginning` end; None when it begins with other words."""
    if text.startswith(beginning):
        return len(beginning)
    wanted = _WORD.findall(beginning)
    end = count = 0
    for word, found in zip(wanted, _WORD.finditer(text), strict=False):
        if found[0] != word:
            return None
        end, count = found.end(), count + 1
    if not wanted or count < len(wanted):
        return None
    line = text.find("\n", end)
    return len(text) if line < 0 else line


def _digest(author: MailAddress, headers: Headers, text: str, html: str | None, content: Content) -> str:
    """Of what the mail says, not of how it travelled: two deliveries of one mail have the same."""
    digest = sha256()
    for value in (author.folded, headers.text("subject"), headers.plain("date"), text, html or ""):
        digest.update(" ".join(value.split()).encode("utf-8", "replace"))
        digest.update(b"\x00")
    for attachment in content.attachments:
        digest.update(sha256(attachment.content).digest())
    return digest.hexdigest()


def _delivered_to(headers: Headers) -> tuple[str, ...]:
    fields = [*headers.all("delivered-to")[:10], *headers.all("x-original-to")[:10], *headers.all("envelope-to")[:3]]
    return tuple(one.folded for one in address_list(fields))


def _thread_index(headers: Headers) -> tuple[str, str]:
    """MS-OXOMSG: 22 bytes name the thread; each answer adds five."""
    try:
        index = binascii.a2b_base64(headers.raw("thread-index")[:4000])
    except (binascii.Error, ValueError):
        index = b""
    return (index[:22].hex() if len(index) >= 22 else ""), headers.text("thread-topic")[: limits.SUBJECT_CHARACTERS]


def _language(headers: Headers) -> str | None:
    for name in ("content-language", "accept-language"):
        found = _LANGUAGE.match(headers.plain(name))
        if found:
            return found[1].lower()
    return None


def _list_post(headers: Headers) -> str:
    found = _LIST_POST.search(headers.plain("list-post"))
    return fold(found[1]) if found else ""


def _named_images(html: str, attachments: list[MailAttachment]) -> str:
    """Pictures named by file name or Content-Location instead of by Content-ID, or by one written another way."""
    if not attachments or "<img" not in html.lower():
        return html
    places: dict[str, str] = {}
    for one in attachments:
        if one.media_type.startswith("image/"):
            for name in (one.content_id and f"cid:{one.content_id.lower()}", one.original_name, one.location, one.name):
                if name:
                    places.setdefault(name, one.content_id or one.name)
    if not places:
        return html

    def placed(found: re.Match[str]) -> str:
        source = unescape(found[2] or found[3] or found[4]).strip()
        if source[:4].lower() == "cid:":
            place = places.get("cid:" + unquote(source[4:]).lower())
        else:
            place = places.get(source) or places.get(source.rpartition("/")[2] if ":" not in source else "")
        return f'{found[1]}"cid:{escape(place)}"' if place else found[0]

    return _SOURCE.sub(placed, html)


def unreadable(raw: bytes, return_path: str | None) -> InboundMail:
    """A mail that broke our own code: headers if they can be had, its beginning as text, everything kept raw."""
    try:
        headers = split_head(raw[: limits.HEADER_BLOCK_BYTES])[0]
        author = first_address(headers.raw("from")[:2000]) or NOBODY
        subject = headers.text("subject")[: limits.SUBJECT_CHARACTERS]
        ids = message_ids(headers.raw("message-id")[:2000])
        text = undecoded(raw)
    except Exception:
        return not_read(raw, return_path)
    return not_read(raw, return_path, author=author, subject=subject, message_id=ids[0] if ids else "", text=text)


__all__ = ["Machine", "Part", "parse"]
