"""Delivery reports: RFC 3464 and 6533 by recipient, free-form ones of the big systems as a fallback."""

from __future__ import annotations

import re

from channels.email.addresses import is_usable
from channels.email.headers import Headers, message_ids, split_head
from channels.email.mime import Part, attached_headers
from channels.email.record import DeliveryReport, ReportAction, ReportedRecipient

STATUS_KINDS = ("message/delivery-status", "message/global-delivery-status")
_ORIGINALS = (
    "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers",
)  # fmt: skip
_CODE = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_BASIC = re.compile(r"\b([45])\d\d\b")
_TEXT_ID = re.compile(rb"^[ \t>]{0,8}Message-ID:[ \t]{0,8}(<[^<>\s]{3,300}>)", re.IGNORECASE | re.MULTILINE)
_TEXT_ADDRESS = re.compile(r"<?([^\s<>@:\"']{1,64}@[^\s<>@:\"']{1,255}?)>?[:.]?\s*$", re.MULTILINE)
_FAILED_WORDS = re.compile(
    r"could ?n[o']t be delivered|undeliver|delivery (?:has )?failed|permanent(?:ly)? (?:error|fail)|user unknown|"
    r"does not exist|mailbox (?:is )?full|returned mail|failure notice|delivery status notification \(failure\)|"
    r"unzustellbar|non remis|no se pudo entregar|не доставлено|"
    r"toimittaminen epäonnistui|kézbesíthetetlen|teslim edilemedi",
    re.IGNORECASE,
)
_DELAY_WORDS = re.compile(r"delay|will (?:be )?retr|warning|still trying|viivästy|verzögert|\(delay\)", re.IGNORECASE)
_COPY = re.compile(
    r"^[-_* ]{3,}.{0,40}(?:copy of (?:the|your) message|original message|unsent message|"
    r"message follows|header follows)",
    re.IGNORECASE | re.MULTILINE,
)
"""Where a report in free form repeats the mail; addresses below are ours and others'."""
_IMPLIED = {"5.": ReportAction.FAILED, "4.": ReportAction.DELAYED, "2.": ReportAction.DELIVERED}
_MOST_RECIPIENTS = 100


def read_report(root: Part, leaves: list[Part], subject: str, text: str) -> DeliveryReport | None:
    """What the report says; None when nothing in it names a mail or a recipient."""
    ids: list[str] = []
    recipients: list[ReportedRecipient] = []
    for part in leaves:
        if part.kind in STATUS_KINDS or part.kind == "message/disposition-notification":
            blocks = _blocks(part.content())
            for block in blocks:
                for name in ("original-message-id", "x-original-message-id", "original-envelope-id"):
                    ids.extend(message_ids(block.raw(name)))
                recipient = _recipient(block) if part.kind in STATUS_KINDS else None
                if recipient is not None and len(recipients) < _MOST_RECIPIENTS:
                    recipients.append(recipient)
        elif part.kind in _ORIGINALS:
            original = attached_headers(part)
            for name in ("message-id", "x-microsoft-original-message-id", "x-google-original-message-id"):
                ids.extend(message_ids(original.raw(name)))
    if not ids:
        ids.extend(found.decode("utf-8", "replace") for found in _TEXT_ID.findall(root.raw_body()[:500_000])[:5])
    if not ids:
        for name in ("in-reply-to", "references"):
            ids.extend(reversed(message_ids(root.headers.raw(name))))
    if not recipients:
        recipients = [one for one in _free_form(root.headers, subject, text) if f"<{one.address}>" not in ids]
    if not ids and not recipients:
        return None
    return DeliveryReport(tuple(dict.fromkeys(ids))[:20], tuple(recipients))


def _blocks(content: bytes) -> list[Headers]:
    blocks: list[Headers] = []
    position = 0
    while position < len(content) and len(blocks) < _MOST_RECIPIENTS + 5:
        headers, following = split_head(content, position)
        if headers.fields:
            blocks.append(headers)
        position = max(following, position + 1)
    return blocks


def _recipient(block: Headers) -> ReportedRecipient | None:
    try:
        action = ReportAction(block.plain("action").partition("(")[0].strip().lower())
    except ValueError:
        # Some leave the action out; the status says as much.
        implied = _IMPLIED.get(block.plain("status")[:2]) if "final-recipient" in block else None
        if implied is None:
            return None
        action = implied
    # The address we sent to comes first: the final one may be what a forwarding rule made of it.
    written = block.plain("original-recipient") or block.plain("final-recipient")
    address = written.partition(";")[2].strip().strip("<>") if ";" in written else written.strip("<> ")
    words = block.text("diagnostic-code")
    status = block.plain("status").split(" ")[0]
    spoken = _CODE.search(words)
    if spoken and (not status or status.endswith(".0.0")):
        status = spoken[0]
    return ReportedRecipient(address[:320], action, status[:12], (words.partition(";")[2] or words).strip()[:500])


def _free_form(headers: Headers, subject: str, text: str) -> list[ReportedRecipient]:
    copy = _COPY.search(text, 0, 4000)
    start = text[: copy.start()] if copy else text[:4000]
    status = _CODE.search(start)
    code = status[0] if status else ""
    basic = _BASIC.search(start)
    if _DELAY_WORDS.search(subject) or (code.startswith("4") and not _FAILED_WORDS.search(subject)):
        action = ReportAction.DELAYED
    elif code.startswith("5") or (basic and basic[1] == "5") or _FAILED_WORDS.search(f"{subject}\n{start}"):
        action = ReportAction.FAILED
    else:
        return []
    named = [one.strip() for one in headers.plain("x-failed-recipients").split(",") if is_usable(one.strip())]
    if not named:
        named = [one for one in dict.fromkeys(_TEXT_ADDRESS.findall(start)) if is_usable(one)][:3]
    words = next((line.strip() for line in start.splitlines() if _CODE.search(line) or _BASIC.search(line)), "")
    return [ReportedRecipient(one, action, code, words[:500]) for one in named[:_MOST_RECIPIENTS]]
