"""What a mail says and carries: text, HTML and attachments, resolved from its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape

from channels.email import limits
from channels.email.charset import decode
from channels.email.headers import one_line
from channels.email.html import text_of
from channels.email.mime import Part, attached_headers
from channels.email.names import INLINE_IMAGES, safe_name, sniff
from channels.email.record import MailAttachment, Protection
from channels.email.wrapped import unwrap_tnef, unwrap_uuencode

_READABLE = frozenset({"text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown", "text/x-amp-html"})
_SIGNATURES = frozenset({
    "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
})  # fmt: skip
_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_ENRICHED = re.compile(r"<[^<>]{0,60}>")
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
        return "\n\n".join(part.strip("\n") for part in parts if part.strip())[: limits.TEXT_CHARACTERS].strip("\n")


def _says_something(piece: Piece) -> bool:
    """Some senders put "please view as HTML" or nothing at all into the plain form."""
    text = (piece.text or "").strip()
    return bool(text) and not (len(text) < 160 and len(piece.html or "") > 2000 and "html" in text.lower())


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
        _read_leaf(part, content)


def _read_mixed(part: Part, content: Content) -> None:
    for child in part.children:
        _read(child, content, in_alternative=False)


def _read_alternative(part: Part, content: Content) -> None:
    """The richest readable form wins for display, the plainest for text; files of every branch are kept."""
    best = Piece()
    for child in part.children:
        branch = Content(taken=content.taken, charsets=content.charsets)
        _read(child, branch, in_alternative=True)
        plain = "\n\n".join(piece.text for piece in branch.pieces if piece.text and piece.text.strip())
        html = branch.html()
        if plain and best.text is None:
            best.text = plain
        if html:
            best.html = html
        content.attachments.extend(branch.attachments)
        content.leaves.extend(branch.leaves)
        content.notes.extend(branch.notes)
        content.invitation = content.invitation or branch.invitation
        content.protection = content.protection or branch.protection
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


def _read_leaf(part: Part, content: Content) -> None:
    content.leaves.append(part)
    if part.kind == "text/calendar":
        content.invitation = content.invitation or part.params.get("method", "").upper() in ("", "REQUEST", "CANCEL")
        _attach(part, content, default="invitation")
        return
    if part.kind in _SMIME:
        signed = part.params.get("smime-type", "").lower().startswith(("signed", "certs"))
        content.protection = Protection.SIGNED if signed else Protection.ENCRYPTED
        _attach(part, content, default="smime")
        return
    if part.kind in _TNEF or (part.given_name.lower() == "winmail.dat"):
        _read_tnef(part, content)
        return
    is_file = part.disposition == "attachment" or bool(part.given_name and part.kind != "text/html")
    if part.kind not in _READABLE or is_file:
        _attach(part, content)
        return
    if part.kind == "text/html":
        if part.disposition != "inline" and part.given_name:
            _attach(part, content)
            return
        content.pieces.append(Piece(html=part.text(content.charsets)))
        return
    text = part.text(content.charsets)
    if part.kind in ("text/enriched", "text/richtext"):
        text = _ENRICHED.sub("", text.replace("<<", "<"))
    if part.kind == "text/x-amp-html":
        return
    if "-----BEGIN PGP" in text:
        protected = Protection.ENCRYPTED if "-----BEGIN PGP MESSAGE-----" in text else Protection.SIGNED
        content.protection = content.protection or protected
    text, files = unwrap_uuencode(text)
    for file in files:
        _keep(content, file.name, "application/octet-stream", file.content)
    if text.strip() or not content.pieces:
        content.pieces.append(Piece(text=text))


def _read_tnef(part: Part, content: Content) -> None:
    data = part.content()
    body, files = unwrap_tnef(data)
    for file in files:
        _keep(content, file.name, "application/octet-stream", file.content)
    if body.strip() and not any(piece.text or piece.html for piece in content.pieces):
        content.pieces.append(Piece(text=body))
    _attach(part, content, default="winmail")
    content.notes.append("tnef")


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
