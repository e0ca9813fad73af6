"""Address fields, split tolerantly in one pass (no recursion, bounded length). Kept as written, compared folded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from channels.email import limits
from channels.email.headers import decode_words, one_line

_WORD = re.compile(r"=\?[^?*\s]{1,60}(?:\*[^?\s]{0,40})?\?[bBqQ]\?.{0,4000}?\?=")
_LONGEST_WORD = 4_200
_UNFIT = re.compile(r"[\s<>()\[\],;:\"\\\x00-\x20\x7f]")
_SIMPLE = re.compile(
    rb"^[ \t]*([A-Za-z0-9 ._'-]{0,200})<([A-Za-z0-9._%+=-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]|\.(?!\.)){1,250})>[ \t]*$"
)
"""One ordinary address: most fields are this and need no splitting."""
_SCHEME = re.compile(r"^(?:mailto|smtp):", re.IGNORECASE)
_PLUS = re.compile(r"^([^+]+)\+[^@]*@")


@dataclass(frozen=True, slots=True)
class MailAddress:
    """`address` as written, empty when the field named nobody who could be written to."""

    name: str
    address: str

    @property
    def folded(self) -> str:
        return fold(self.address)

    def shown(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


@lru_cache(maxsize=4096)
def fold(address: str) -> str:
    """For comparing: lower case, the domain in its ASCII form (IDNA), no trailing dot."""
    local, at, domain = address.strip().rpartition("@")
    if not at:
        return address.strip().casefold()
    domain = domain.rstrip(".").lower()
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = domain.casefold()
    return f"{local.casefold()}@{domain}"


def without_plus(folded: str) -> str:
    """`help+token@shop.example` → `help@shop.example`."""
    return _PLUS.sub(r"\1@", folded)


def plus_part(folded: str) -> str:
    local = folded.rpartition("@")[0]
    return local.partition("+")[2]


def is_usable(address: str) -> bool:
    """Could be written to: one @, something on both sides, nothing that belongs to header syntax."""
    local, at, domain = address.rpartition("@")
    return bool(
        at and local and domain and len(address) <= limits.ADDRESS_CHARACTERS
        and "@" not in local.strip('"')
        and not _UNFIT.search(local.strip('"') if local[0] == '"' else local)
        and not _UNFIT.search(domain.removeprefix("[").removesuffix("]").replace(":", ""))
        and domain[0] not in ".-" and ".." not in domain
    )  # fmt: skip


def first_address(field: bytes) -> MailAddress | None:
    """The author of a From, Sender or Reply-To field; with an empty address when only a name can be read."""
    everybody = _split(field, 50) or _split(_decoded(field), 50)
    if not any(one.address for one in everybody):
        everybody = [one for one in _split(_decoded(field), 50) if one.address] or everybody
    names: list[str] = []
    for one in everybody:
        if one.address:
            # "Doe, John <j@x>" without quotes is one person.
            name = ", ".join((*names, one.name)) if len(names) == 1 and one.name else one.name
            return MailAddress(name[:300], one.address)
        names.append(one.name)
    return everybody[0] if everybody else None


def _decoded(field: bytes) -> bytes:
    """Where a program hid the whole field, address and all, in encoded words."""
    return decode_words(field[: limits.HEADER_FIELD_BYTES]).encode("utf-8", "replace") if b"=?" in field else b""


def address_list(fields: Iterable[bytes]) -> tuple[MailAddress, ...]:
    """Everybody who could be written to, each once, at most 500. Groups and "undisclosed recipients" name nobody."""
    found: dict[str, MailAddress] = {}
    for field in fields:
        for one in _split(field, limits.RECIPIENTS * 2):
            if one.address and one.folded not in found:
                found[one.folded] = one
                if len(found) == limits.RECIPIENTS:
                    return tuple(found.values())
    return tuple(found.values())


def _split(field: bytes, most: int) -> list[MailAddress]:
    simple = _SIMPLE.match(field)
    if simple:
        name, address = simple[1].strip().decode("ascii"), simple[2].decode("ascii")
        return [MailAddress("" if name.lower() == address.lower() else name, address)]
    text = field[: limits.HEADER_FIELD_BYTES].decode("latin-1")
    found: list[MailAddress] = []
    phrase: list[str] = []
    angle: list[str] | None = None
    comment: list[str] = []
    quoted, depth, closed = False, 0, ""
    position, length = 0, len(text)
    ending = -1  # of the next encoded word: begun words without one are searched for it once, not each

    def finish() -> None:
        nonlocal phrase, comment, angle, closed
        words = "".join(phrase)
        if not closed and angle is None and words.count("@") > 1 and all("@" in word for word in words.split()):
            found.extend(one for word in words.split()[:most] if (one := _address(word, "", "")) is not None)
        else:
            one = _address(words, closed if closed else "".join(angle or ()), "".join(comment))
            if one is not None:
                found.append(one)
        phrase, comment, angle, closed = [], [], None, ""

    while position < length and len(found) < most:
        character = text[position]
        if character == "=" and text.startswith("=?", position) and angle is None:
            if ending < position + 2:
                ending = text.find("?=", position + 2)
                ending = length + _LONGEST_WORD if ending < 0 else ending
            word = _WORD.match(text, position) if ending - position < _LONGEST_WORD else None
            if word:
                (comment if depth else phrase).append(word[0])
                position = word.end()
                continue
        position += 1
        if quoted:
            if character == "\\" and position < length:
                (angle if angle is not None else phrase).append(text[position])
                position += 1
            elif character == '"':
                quoted = False
                if angle is not None or text[position : position + 1] == "@":
                    (angle if angle is not None else phrase).append('"')
            else:
                (angle if angle is not None else phrase).append(character)
        elif depth:
            depth += (character == "(") - (character == ")")
            if depth:
                comment.append(character)
        elif character == '"':
            quoted = text.find('"', position) >= 0  # a lone quote is only a character
            if quoted and angle is not None:
                angle.append('"')
        elif character == "(":
            if text.find(")", position) >= 0:
                depth = 1
        elif angle is not None:
            if character == ">":
                closed, angle = "".join(angle), None
            else:
                angle.append(character)
        elif character == "<":
            if not closed:
                angle = []
        elif character in ",;":
            finish()
        elif character == ":" and not closed:
            if "@" not in "".join(phrase[-80:]):
                phrase = []  # the name of a group
            else:
                phrase.append(character)
        else:
            phrase.append(character)
    if len(found) < most:
        finish()
    return found


def _address(phrase: str, angle: str, comment: str) -> MailAddress | None:
    if angle.strip():
        written, name = angle, phrase
    else:
        words = phrase.split()
        at = [word for word in words if "@" in word and "=?" not in word]
        if not at:
            name = decode_words(phrase)
            return MailAddress(name[:300], "") if name else None
        written = at[-1]
        name = " ".join(word for word in words if word is not written)
    address = _cleaned(written)
    shown = decode_words(name).strip("\"' ") or decode_words(comment)
    if shown and fold(shown) == fold(address):
        shown = ""
    if not is_usable(address):
        return MailAddress((shown or one_line(written))[:300], "")
    return MailAddress(shown[:300], address)


def _cleaned(written: str) -> str:
    text = decode_words(written) if "=?" in written or not written.isascii() else written
    if text.startswith("@") and ":" in text:  # a source route of RFC 822
        text = text.rpartition(":")[2]
    text = _SCHEME.sub("", text.strip().strip("<>"))
    text = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
    return text if text.startswith('"') else "".join(text.split()).strip("'")
