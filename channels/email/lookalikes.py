"""Domains made to be mistaken for one that is known: other letters of the same look, or one letter off."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from channels.email.domains import organisation, public_suffix

LEAST_LETTERS = 5
"""Short names are one letter off each other by chance."""

_SAME_LOOK = str.maketrans(
    {
        # Cyrillic, Greek and Latin letters that are drawn like an ASCII one
        "а": "a", "в": "b", "е": "e", "ё": "e", "һ": "h", "і": "l", "ї": "l", "ј": "j", "к": "k", "м": "m", "н": "h",
        "о": "o", "р": "p", "с": "c", "т": "t", "у": "y", "х": "x", "ѕ": "s", "ԁ": "d", "ԛ": "q", "ԝ": "w", "ӏ": "l",
        "п": "n", "г": "r", "α": "a", "β": "b", "ε": "e", "η": "n", "ι": "l", "κ": "k", "ν": "v", "ο": "o", "ρ": "p",
        "σ": "o", "τ": "t", "υ": "u", "χ": "x", "γ": "y", "ω": "w", "ı": "l", "ł": "l", "ø": "o", "đ": "d", "ɡ": "g",
        "ɑ": "a", "ʏ": "y", "ß": "b", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t", "օ": "o", "ո": "n", "ս": "u",
        # ASCII ones drawn like each other
        "0": "o", "1": "l", "i": "l", "5": "s", "-": None, "_": None,
    }
)  # fmt: skip
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


@lru_cache(maxsize=1024)
def _name(domain: str) -> str:
    """What stands before the public suffix, with its Unicode letters."""
    suffix = public_suffix(domain)
    name = domain.removesuffix(suffix).rstrip(".") or domain
    try:
        return name.encode("ascii").decode("idna")
    except UnicodeError:
        return name


@lru_cache(maxsize=1024)
def skeleton(name: str) -> str:
    """The same for names that look the same."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    drawn = plain.translate(_SAME_LOOK)
    for pair, single in _PAIRS:
        drawn = drawn.replace(pair, single)
    return drawn


def imitated(domain: str, known: Iterable[str]) -> str | None:
    """Which of the `known` domains this one looks like without being it. None: of none, or it is one of them."""
    own = organisation(domain)
    others = {organisation(one) for one in known if one}
    if not own or own in others:
        return None
    return next((other for other in sorted(others) if _looks_like(own, other)), None)


def _looks_like(one: str, other: str) -> bool:
    name, known = _name(one), _name(other)
    if name == known:
        # The same name elsewhere is mostly the same house; a suffix that lost a letter (.com, .co) is not.
        shorter, longer = sorted((public_suffix(one), public_suffix(other)), key=len)
        return len(longer) - len(shorter) == 1 and "." not in longer and _one_off(shorter, longer)
    if skeleton(name) == skeleton(known):
        return True
    return min(len(name), len(known)) >= LEAST_LETTERS and _one_off(name, known)


def _one_off(one: str, other: str) -> bool:
    """One letter added, left out or changed, or two neighbours exchanged. In linear time."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return max(len(a), len(b)) <= 1 or (len(a) == 2 and a == b[::-1])
