"""What a mail says and carries: text, HTML and attachments, resolved from its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape

import structlog

from channels.email import limits
from channels.email.appointment import read_appointment, words_of
from channels.email.charset import decode
from channels.email.headers import one_line, several_lines
from channels.email.html import text_of
from channels.email.html_guard import without_hidden
from channels.email.mime import Part, attached_headers, read_tree
from channels.email.names import INLINE_IMAGES, safe_name, sniff
from channels.email.record import Appointment, AppointmentMethod, MailAttachment, Protection
from channels.email.smime import is_encrypted, signed_content
from channels.email.tnef import unwrap_tnef
from channels.email.wrapped import unwrap_uuencode

log = structlog.get_logger(__name__)

_READABLE = frozenset({"text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown", "text/x-amp-html"})
_SIGNATURES = frozenset({
    "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
})  # fmt: skip
_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_ENRICHED = re.compile(r"<[^<>]{0,60}>")
_PGP_SIGNED = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\n(?:[A-Za-z-]{1,30}:[^\n]{0,200}\n){0,10}[ \t]*\n")
_PGP_SIGNATURE, _PGP_END = "-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"
_ASKS_PEOPLE = frozenset({
    AppointmentMethod.PUBLISH, AppointmentMethod.REQUEST, AppointmentMethod.ADD, AppointmentMethod.CANCEL,
})  # fmt: skip
_MOST_WRAPPINGS = 5
_BREAK = re.compile(r"\n{3,}")


@dataclass(slots=True)
class Piece:
    """A stretch of the body in one or both forms."""

    text: str | None = None
    html: str | None = None


@dataclass(slots=True)
class Content:
    pieces: list[Piece] = field(default_factory=list)
    attachments: list[MailAttachment] = field(default_factory=list)
    leaves: list[Part] = field(default_factory=list)
    protection: Protection = Protection.NONE
    invitation: bool = False
    appointment: Appointment | None = None
    words_of_calendar: str = ""  # shown where the mail says nothing else
    unwrapped: int = 0  # opaque signatures opened
    notes: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    charsets: tuple[str, ...] = ()

    def html(self) -> str | None:
        """All of it as HTML when any stretch is HTML."""
        if not any(piece.html for piece in self.pieces):
            return None
        return "\n".join(
            piece.html if piece.html else f'<pre style="white-space:pre-wrap">{escape(piece.text or "")}</pre>'
            for piece in self.pieces
        )

    def is_only_html(self) -> bool:
        return bool(self.pieces) and all(piece.html and not _says_something(piece) for piece in self.pieces)

    def text(self) -> str:
        parts = [
            text_of(piece.html) if piece.html and not _says_something(piece) else piece.text or ""
            for piece in self.pieces
        ]
        if sum(map(len, parts)) >= limits.TEXT_CHARACTERS:
            self.notes.append("text_truncated")
        said = "\n\n".join(part.strip("\n") for part in parts if part.strip())[: limits.TEXT_CHARACTERS].strip("\n")
        return said or self.words_of_calendar


def _says_something(piece: Piece) -> bool:
    """Some senders put "please view as HTML" or nothing at all into the plain form."""
    text = (piece.text or "").strip()
    return bool(text) and not (len(text) < 160 and len(piece.html or "") > 2000 and "html" in text.lower())


_ANY_TAG = re.compile(r"<[^<>]{0,5000}>")


def _shows_something(html: str) -> bool:
    """Words or pictures; only small pages are looked at, large ones are never empty."""
    if len(html) > 4000 or "<img" in html.lower():
        return True
    return bool(_ANY_TAG.sub("", without_hidden(html)).replace("&nbsp;", "").strip())


def read_content(root: Part) -> Content:
    content = Content(charsets=_declared(root))
    _read(root, content, in_alternative=False)
    return content


def _declared(root: Part) -> tuple[str, ...]:
    found: dict[str, None] = {}
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if charset := part.params.get("charset"):
            found[charset[:60]] = None
        waiting.extend(part.children)
    return tuple(found)[:5]


def _read(part: Part, content: Content, *, in_alternative: bool) -> None:
    if part.main == "multipart":
        _READERS.get(part.kind, _read_mixed)(part, content)
    else:
        _read_leaf(part, content, in_alternative=in_alternative)


def _read_mixed(part: Part, content: Content) -> None:
    for child in part.children:
        _read(child, content, in_alternative=False)


def _read_alternative(part: Part, content: Content) -> None:
    """The richest readable form wins for display, the plainest for text; files of every branch are kept."""
    best = Piece()
    for child in part.children:
        branch = Content(taken=content.taken, charsets=content.charsets, unwrapped=content.unwrapped)
        _read(child, branch, in_alternative=True)
        plain = "\n\n".join(piece.text for piece in branch.pieces if piece.text and piece.text.strip())
        html = branch.html()
        if plain and best.text is None:
            best.text = plain
        if html and (best.html is None or _shows_something(html)):
            best.html = html
        content.attachments.extend(branch.attachments)
        content.leaves.extend(branch.leaves)
        content.notes.extend(branch.notes)
        content.invitation = content.invitation or branch.invitation
        content.appointment = content.appointment or branch.appointment
        content.words_of_calendar = content.words_of_calendar or branch.words_of_calendar
        content.protection = content.protection or branch.protection
    if best.text is not None and best.html is not None and not _shows_something(best.html):
        best.html = None  # some telephones send an empty page beside the words
    if best.text is not None or best.html is not None:
        content.pieces.append(best)


def _read_related(part: Part, content: Content) -> None:
    if not part.children:
        return
    start = part.params.get("start", "").strip("<> ")
    root = next((child for child in part.children if start and child.content_id == start), part.children[0])
    _read(root, content, in_alternative=False)
    for child in part.children:
        if child is root:
            continue
        if child.main == "multipart" or child.disposition == "attachment":
            _read(child, content, in_alternative=False)
        else:
            _attach(child, content, inline=True)


def _read_signed(part: Part, content: Content) -> None:
    content.protection = content.protection or Protection.SIGNED
    _read_mixed(part, content)


def _read_encrypted(part: Part, content: Content) -> None:
    content.protection = Protection.ENCRYPTED
    for child in part.children:
        _attach(child, content)


_READERS = {
    "multipart/alternative": _read_alternative,
    "multipart/related": _read_related,
    "multipart/signed": _read_signed,
    "multipart/encrypted": _read_encrypted,
}


def _read_leaf(part: Part, content: Content, *, in_alternative: bool) -> None:
    content.leaves.append(part)
    reader = _WRAPPED.get(part.kind) or (_read_tnef if part.given_name.lower() == "winmail.dat" else None)
    if reader is not None:
        try:
            reader(part, content)
        except Exception:  # a format too many: the mail itself is readable
            log.exception("a part could not be read", kind=part.kind)
            content.notes.append("part_not_read")
        _attach(part, content, default=_DEFAULT_NAMES.get(part.kind, "winmail"))
        return
    if part.kind not in _READABLE or _is_file(part, content, in_alternative=in_alternative):
        if part.kind in ("message/partial", "message/external-body"):
            content.notes.append(part.kind.partition("/")[2].replace("-", "_"))
        _attach(part, content)
        return
    if part.kind == "text/x-amp-html":
        return
    text = part.text(content.charsets)
    if part.kind == "text/html":
        content.pieces.append(Piece(html=text))
        return
    if part.kind in ("text/enriched", "text/richtext"):
        text = _ENRICHED.sub("", text.replace("<<", "<"))
    if "-----BEGIN PGP" in text:
        text = _read_pgp(text, content)
    text, files = unwrap_uuencode(text)
    for file in files:
        _keep(content, file.name, "application/octet-stream", file.content)
    if text.strip() or not content.pieces:
        content.pieces.append(Piece(text=text))


def _is_file(part: Part, content: Content, *, in_alternative: bool) -> bool:
    """A text with a name is a file, except where a program names the very words of the mail."""
    if part.disposition == "attachment":
        return True
    if not part.given_name or in_alternative:
        return False
    return not (part.disposition == "" and part.kind == "text/html" and (part.depth == 0 or not content.pieces))


def _read_calendar(part: Part, content: Content) -> None:
    found = read_appointment(part.text(content.charsets), part.params.get("method", ""))
    if found is not None:
        content.appointment = content.appointment or found
        content.invitation = content.invitation or found.method in _ASKS_PEOPLE
        if not any(piece.text or piece.html for piece in content.pieces):
            content.words_of_calendar = content.words_of_calendar or words_of(found)
    elif part.params.get("method", "request").lower() in ("request", "cancel"):
        content.invitation = True  # says so, though nothing more can be read


def _read_smime(part: Part, content: Content) -> None:
    """What was only signed can be read; what was encrypted is kept whole."""
    data = part.content()
    inner = signed_content(data) if content.unwrapped < _MOST_WRAPPINGS else None
    declared = part.params.get("smime-type", "").lower()
    if inner is not None:
        content.unwrapped += 1
        content.protection = content.protection or Protection.SIGNED
        tree = read_tree(inner)
        content.notes += tree.notes
        _read(tree.root, content, in_alternative=False)
    elif declared.startswith(("signed", "certs")) and not is_encrypted(data):
        content.protection = content.protection or Protection.SIGNED
    else:
        content.protection = Protection.ENCRYPTED


def _read_pgp(text: str, content: Content) -> str:
    """Armour taken off words that are only signed; the signature becomes a file."""
    if "-----BEGIN PGP MESSAGE-----" in text:
        content.protection = Protection.ENCRYPTED
        return text
    begin = _PGP_SIGNED.search(text)
    signature = text.find(_PGP_SIGNATURE, begin.end()) if begin is not None else -1
    if begin is None or signature < 0:
        return text
    content.protection = content.protection or Protection.SIGNED
    end = text.find(_PGP_END, signature)
    end = len(text) if end < 0 else end + len(_PGP_END)
    _keep(content, "signature.asc", "application/pgp-signature", text[signature:end].encode("utf-8", "replace"))
    said = text[begin.end() : signature]
    said = "\n".join(line.removeprefix("- ") for line in said.split("\n"))
    return text[: begin.start()] + said.rstrip("\n") + "\n" + text[end:]


def _read_tnef(part: Part, content: Content) -> None:
    found = unwrap_tnef(part.content())
    for file in found.files:
        _keep(
            content, file.name, "application/octet-stream", file.content,
            content_id=file.content_id, inline=bool(file.content_id),
        )  # fmt: skip
    text, html = several_lines(found.text).strip(), several_lines(found.html).strip()
    if (text or html) and not any(piece.text or piece.html for piece in content.pieces):
        content.pieces.append(Piece(text=text or None, html=html or None))
    content.notes.append("tnef")


_WRAPPED = {
    **dict.fromkeys(("text/calendar", "application/ics"), _read_calendar),
    **dict.fromkeys(_SMIME, _read_smime),
    **dict.fromkeys(_TNEF, _read_tnef),
}
_DEFAULT_NAMES = {**dict.fromkeys(("text/calendar", "application/ics"), "invitation"), **dict.fromkeys(_SMIME, "smime")}


def _attach(part: Part, content: Content, *, inline: bool = False, default: str = "attachment") -> None:
    if part.main == "multipart":
        for child in part.children:
            _attach(child, content, inline=inline)
        return
    if part not in content.leaves:
        content.leaves.append(part)
    name = part.given_name
    if part.kind in _SIGNATURES:
        content.protection = content.protection or Protection.SIGNED
    if part.kind == "message/rfc822" and not name:
        name = f"{attached_headers(part).text('subject')[:120] or 'message'}.eml"
    _keep(
        content,
        name,
        part.kind,
        part.content(),
        content_id=part.content_id,
        location=one_line(part.headers.text("content-location"))[:300],
        inline=inline or part.disposition == "inline",
        default=default,
    )


def _keep(
    content: Content,
    name: str,
    kind: str,
    data: bytes,
    *,
    content_id: str = "",
    location: str = "",
    inline: bool = False,
    default: str = "attachment",
) -> None:
    if len(content.attachments) >= limits.ATTACHMENTS:
        content.notes.append("too_many_attachments")
        return
    sniffed = sniff(data, kind)
    content.attachments.append(
        MailAttachment(
            name=safe_name(name, content.taken, kind, default),
            original_name=name,
            media_type=sniffed,
            content=data,
            content_id=content_id,
            location=location,
            inline=inline and sniffed in INLINE_IMAGES,
        )
    )


def undecoded(data: bytes) -> str:
    """The beginning of a mail nothing else could be made of."""
    return _BREAK.sub("\n\n", one_line(decode(data[:2000])))
