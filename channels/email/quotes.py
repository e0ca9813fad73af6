"""Where the writer's own words end in a text mail. For display only: the full text is always stored.

One pass over at most 100,000 characters; every pattern is tried on one short line or on four joined ones.
"""

from __future__ import annotations

from channels.email import limits
from channels.email.quote_words import (
    BY_ADDRESS,
    DEVICE,
    FORWARD,
    HEADER_FROM,
    HEADER_OTHER,
    OPENER,
    SEPARATOR,
    WHEN,
    WROTE,
    WROTE_LAST,
)
from channels.email.record import Folds

_LINE = 400
_RULES = frozenset("_-=*")


def folds(text: str, *, is_forward: bool = False) -> Folds:
    """Nothing is folded when nothing would remain, and when the writer answered between or below the quotes.

    `is_forward`: the subject says so; then header blocks belong to what the writer wants us to read.
    """
    lines = text[: limits.FOLDING_CHARACTERS].split("\n")
    quoted = _first_quoted_line(lines, is_forward)
    if quoted is not None and not any(line.strip() for line in lines[:quoted]):
        quoted = None
    last = len(lines) if quoted is None else quoted
    signature = _signature_line(lines, last)
    return Folds(
        quoted_from=None if quoted is None else _offset(lines, quoted),
        signature_from=None if signature is None else _offset(lines, signature),
    )


def _offset(lines: list[str], index: int) -> int:
    return sum(len(line) + 1 for line in lines[:index])


def _first_quoted_line(lines: list[str], is_forward: bool) -> int | None:
    for index, line in enumerate(lines):
        stripped = line.strip()
        if not stripped:
            continue
        if stripped[0] == ">":
            return index if _is_all_quoted(lines, index) else None
        if FORWARD.match(line[:_LINE]):
            return None
        last = stripped[-1]
        if last in ":：":
            begin = _attribution(lines, index)
            if begin is not None:
                following = _next_words(lines, index + 1)
                if following is not None and lines[following].lstrip()[:1] == ">":
                    return begin if _is_all_quoted(lines, following) else None
                if following is None or _is_certain(lines[begin : index + 1]):
                    return begin
        if last in _RULES and SEPARATOR.match(line[:_LINE]):
            return index
        if not is_forward and HEADER_FROM.match(line[:_LINE]):
            others = sum(HEADER_OTHER.match(one[:_LINE]) is not None for one in lines[index + 1 : index + 7])
            if others >= 2:
                return _with_rule_above(lines, index)
    return None


def _attribution(lines: list[str], index: int) -> int | None:
    """First line of the attribution that ends in line `index`; None when it is an ordinary sentence."""
    joined = ""
    for begin in range(index, max(-1, index - 4), -1):
        line = lines[begin].strip()
        if not line or line[0] == ">" or len(line) > _LINE:
            return None
        joined = f"{line} {joined}"
        if len(joined) > 2 * _LINE:
            return None
        if WHEN.search(joined) and (WROTE.search(joined) or BY_ADDRESS.search(joined.rstrip())):
            above = lines[begin - 1].strip() if begin else ""
            return begin - 1 if above and len(above) < 120 and not OPENER.match(line) and OPENER.match(above) else begin
    following = _next_words(lines, index + 1)
    if following is not None and lines[following].lstrip()[:1] == ">" and WROTE.search(lines[index][:_LINE]):
        return index
    return None


def _is_certain(attribution: list[str]) -> bool:
    """Without quote marks below it, a line ending in a colon must be more than a sentence about somebody's writing."""
    joined = " ".join(line.strip() for line in attribution)
    return "@" in joined or WROTE_LAST.search(joined) is not None


def _next_words(lines: list[str], index: int) -> int | None:
    for following in range(index, min(len(lines), index + 10)):
        if lines[following].strip():
            return following
    return None


def _is_all_quoted(lines: list[str], index: int) -> bool:
    """From here on only quotes, blanks, and at the very end a signature."""
    for position in range(index, len(lines)):
        stripped = lines[position].strip()
        if not stripped or stripped[0] == ">":
            continue
        if _is_delimiter(lines[position]) or DEVICE.match(lines[position][:_LINE]) or set(stripped) <= _RULES:
            return True
        # A quoted line that a mail program broke in two: short, and more quotes follow at once.
        before = lines[position - 1].lstrip()[:1] == ">" if position else False
        after = position + 1 < len(lines) and lines[position + 1].lstrip()[:1] == ">"
        if not (before and after and len(stripped) < 30 and len(stripped.split()) < 4 and position > index):
            return False
    return True


def _with_rule_above(lines: list[str], index: int) -> int:
    above = index - 1
    while above > 0 and not lines[above].strip():
        above -= 1
    if above >= 0 and (stripped := lines[above].strip()) and len(stripped) > 3 and set(stripped) <= _RULES:
        return above
    return index


def _signature_line(lines: list[str], last: int) -> int | None:
    """Where the signature begins above line `last`; None when there is none or nothing would remain above it."""
    for index in range(last - 1, max(-1, last - 30), -1):
        if _is_delimiter(lines[index]) or DEVICE.match(lines[index][:_LINE]):
            if index and _is_delimiter(lines[index - 1]):
                index -= 1
            return index if any(line.strip() for line in lines[:index]) else None
    return None


def _is_delimiter(line: str) -> bool:
    return line.rstrip("\r") in ("-- ", "--", "—", "-- \u00a0")
