"""Where the writer's own words end in a text mail. For display only: the full text is always stored.

One pass over at most 100,000 characters; every pattern is tried on one short line or on four joined ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.email import limits
from channels.email.quote_words import (
    ANY_FIELD,
    BY_ADDRESS,
    CLOSING,
    CONTACT,
    DATE_AND_ADDRESS,
    DAY,
    DEVICE,
    DISCLAIMER,
    FORWARD,
    HEADER_FROM,
    HEADER_OTHER,
    LIST_FOOTER,
    OPENER,
    REPLY_ABOVE,
    RULED,
    SAME_LINE,
    SEPARATOR,
    WHEN,
    WROTE,
    WROTE_LAST,
    WROTE_THEN,
)
from channels.email.record import Folds

_LINE = 400
_RULES = frozenset("_-=*‐‑‒–—―")
_SIGNATURE_LINES = 40
_LONGEST_SIGNATURE_LINE = 160


@dataclass(frozen=True, slots=True)
class _History:
    """Lines [begin, end); `cut` characters of line `begin` are still the writer's own."""

    begin: int
    end: int
    cut: int = 0


def folds(text: str, *, is_forward: bool = False) -> Folds:
    """Nothing is folded when nothing would remain, and when the writer answered between the quotes.

    `is_forward`: the subject says so; then header blocks belong to what the writer wants us to read.
    """
    lines = text[: limits.FOLDING_CHARACTERS].split("\n")
    history = _history(lines, is_forward)
    if history is None:
        signature = _signature(lines, 0, len(lines))
        return Folds(signature_from=None if signature is None else _offset(lines, signature))
    quoted_from = _offset(lines, history.begin) + history.cut
    if history.end < len(lines):
        signature = _signature(lines, history.end, len(lines))
        return Folds(
            quoted_from,
            _offset(lines, history.end),
            None if signature is None else _offset(lines, signature),
        )
    signature = _signature(lines, 0, history.begin)
    return Folds(quoted_from, None, None if signature is None else _offset(lines, signature))


def _offset(lines: list[str], index: int) -> int:
    return sum(len(line) + 1 for line in lines[:index])


def _history(lines: list[str], is_forward: bool) -> _History | None:
    """None when there is no history, when nothing else is there, and when it is answered piece by piece."""
    found = _first_history(lines, is_forward)
    if found is None:
        return None
    above = any(line.strip() for line in lines[: found.begin]) or found.cut
    below = any(line.strip() for line in lines[found.end :])
    return found if above or below else None


def _first_history(lines: list[str], is_forward: bool) -> _History | None:
    everything = len(lines)
    for index, line in enumerate(lines):
        stripped = line.strip()
        if not stripped:
            continue
        if stripped[0] == ">":
            if _is_decoration(lines, index):
                continue
            return _quoted_block(lines, index, _bare_attribution(lines, index))
        head = line[:_LINE]
        if FORWARD.match(head):
            return None
        last = stripped[-1]
        if last in ":：":
            if "wrote" in line and (same := SAME_LINE.search(line[: 2 * _LINE])):
                return _History(index, everything, same.start())
            begin = _attribution(lines, index)
            if begin is not None:
                following = _next_words(lines, index + 1)
                if following is not None and lines[following].lstrip()[:1] == ">":
                    return _quoted_block(lines, following, begin)
                if following is None or _is_certain(lines[begin : index + 1]):
                    return _History(begin, everything)
        if last in _RULES:
            if SEPARATOR.match(head) or RULED.match(head):
                return _History(index, everything)
            if not is_forward and _is_rule(stripped) and _is_foreign_block(lines, index + 1):
                return _History(index, everything)
        if not is_forward and _is_header_block(lines, index):
            return _History(_with_rule_above(lines, index), everything)
        if REPLY_ABOVE.match(head):
            return _History(index, everything)
    return None


def _quoted_block(lines: list[str], index: int, begin: int) -> _History | None:
    """The block of quoted lines that starts at `index`; None when more of them come below the writer's words."""
    end = position = index
    is_broken = False
    while position < len(lines):
        stripped = lines[position].strip()
        if not stripped:
            position += 1
            continue
        broken = stripped[0] != ">" and _is_broken_line(lines, position, index)
        if stripped[0] == ">" or broken:
            is_broken = is_broken or broken
            position += 1
            end = position
            continue
        nested = _nested_attribution(lines, position)
        if nested is None:
            break
        position = nested
    if position >= len(lines) or _is_footer(lines, position):
        return _History(begin, len(lines))
    if is_broken:
        return None  # words between quotes may be the writer's: below them somebody certainly wrote
    for later in range(position, len(lines)):
        if lines[later].lstrip()[:1] == ">" and not _is_decoration(lines, later):
            return None
    return _History(begin, end)  # answered below: the quotes fold away, the words above and below stay


def _is_broken_line(lines: list[str], position: int, first: int) -> bool:
    """A quoted line that a mail program broke in two: short, and more quotes follow at once."""
    stripped = lines[position].strip()
    before = position > 0 and lines[position - 1].lstrip()[:1] == ">" and len(lines[position - 1]) >= 60
    after = position + 1 < len(lines) and lines[position + 1].lstrip()[:1] == ">"
    return before and after and len(stripped) < 30 and len(stripped.split()) < 4 and position > first


def _nested_attribution(lines: list[str], position: int) -> int | None:
    """Behind an attribution without quote marks that stands between quotes."""
    for index in range(position, min(position + 4, len(lines))):
        stripped = lines[index].strip()
        if not stripped:
            return None
        if stripped[-1] in ":：":
            following = _next_words(lines, index + 1)
            is_quote = following is not None and lines[following].lstrip()[:1] == ">"
            return following if is_quote and _attribution(lines, index) is not None else None
    return None


def _is_footer(lines: list[str], index: int) -> bool:
    """Only what programs put under every mail: a signature, a telephone's line, a list's or a lawyer's words."""
    stripped = lines[index].strip()
    if _is_delimiter(lines[index]) or _is_device(lines[index]) or set(stripped) <= _RULES:
        return True
    return bool(DISCLAIMER.match(_joined(lines, index)) or LIST_FOOTER.search(stripped[:_LINE]))


def _is_decoration(lines: list[str], index: int) -> bool:
    """A line like ">>> look here <<<" alone among ordinary ones."""
    stripped = lines[index].strip()
    alone = not any(0 <= other < len(lines) and lines[other].lstrip()[:1] == ">" for other in (index - 1, index + 1))
    # ">From" is what old mailbox files make of a line that begins so.
    return alone and (stripped.endswith("<") or stripped.count(">>>") > 1 or stripped.startswith(">From "))


def _bare_attribution(lines: list[str], index: int) -> int:
    """Where the history begins whose first quoted line is `index`: above it an old program's date and address."""
    above = index - 1
    while above >= 0 and not lines[above].strip():
        above -= 1
    if above >= 0 and DATE_AND_ADDRESS.match(lines[above][:_LINE]):
        return above
    return index


def _attribution(lines: list[str], index: int) -> int | None:
    """First line of the attribution that ends in line `index`; None when it is an ordinary sentence."""
    joined = ""
    for begin in range(index, max(-1, index - 4), -1):
        line = lines[begin].strip()
        if not line or line[0] == ">" or len(line) > _LINE:
            break
        joined = f"{line} {joined}"
        if len(joined) > 2 * _LINE:
            break
        if WHEN.search(joined) and (WROTE.search(joined) or BY_ADDRESS.search(joined.rstrip())):
            above = lines[begin - 1].strip() if begin else ""
            is_wrapped = OPENER.match(above) or (not DAY.search(joined) and DAY.search(above))
            return begin - 1 if above and len(above) < 120 and not OPENER.match(line) and is_wrapped else begin
    following = _next_words(lines, index + 1)
    if following is not None and lines[following].lstrip()[:1] == ">" and WROTE.search(lines[index][:_LINE]):
        return index
    return None


def _is_certain(attribution: list[str]) -> bool:
    """Without quote marks below it, a line ending in a colon must be more than a sentence about somebody's writing."""
    joined = " ".join(line.strip() for line in attribution)
    if "@" in joined:
        return True
    if not DAY.search(joined):
        return False
    opened = OPENER.match(joined) and WROTE.search(joined)
    return bool(opened or WROTE_LAST.search(joined) or WROTE_THEN.search(joined))


def _next_words(lines: list[str], index: int) -> int | None:
    for following in range(index, min(len(lines), index + 10)):
        if lines[following].strip():
            return following
    return None


def _is_header_block(lines: list[str], index: int) -> bool:
    """From, date, to, subject as a program repeats them, in any order; one of them must be the sender."""
    head = lines[index][:_LINE]
    is_from = HEADER_FROM.match(head) is not None
    if not is_from and not HEADER_OTHER.match(head):
        return False
    others = 0 if is_from else 1
    for line in lines[index + 1 : index + 8]:
        if HEADER_OTHER.match(line[:_LINE]):
            others += 1
        elif HEADER_FROM.match(line[:_LINE]):
            is_from = True
    if is_from and others >= 2:
        return True
    above = lines[index - 1].strip() if index else ""
    return is_from and others >= 1 and len(above) >= 10 and set(above) <= _RULES


def _is_foreign_block(lines: list[str], index: int) -> bool:
    """Below a rule: three lines of "word: value" with an address among them, in whatever language."""
    first = _next_words(lines, index)
    if first is None:
        return False
    block = [line for line in lines[first : first + 5] if ANY_FIELD.match(line[:_LINE])]
    return len(block) >= 3 and ANY_FIELD.match(lines[first][:_LINE]) is not None and any("@" in one for one in block)


def _is_rule(stripped: str) -> bool:
    """A rule, with or without a few words in it: "---- Eredeti üzenet ----"."""
    if len(stripped) < 10 or len(stripped) > 100:
        return False
    if set(stripped) <= _RULES:
        return True
    words = stripped.strip("".join(_RULES))
    return len(stripped) - len(words) >= 8 and stripped[0] in _RULES and len(words.split()) <= 5


def _with_rule_above(lines: list[str], index: int) -> int:
    above = index - 1
    while above > 0 and not lines[above].strip():
        above -= 1
    if above >= 0 and (stripped := lines[above].strip()) and len(stripped) > 3 and set(stripped) <= _RULES:
        return above
    return index


def _signature(lines: list[str], first: int, last: int) -> int | None:
    """Where the signature begins in lines [first, last); None when there is none or nothing would remain above it."""
    begin: int | None = None
    for index in range(last - 1, max(first - 1, last - _SIGNATURE_LINES), -1):
        if _begins_signature(lines, index, last):
            begin = index
            if _is_delimiter(lines[index]):
                break
    if begin is None:
        return None
    if begin > first and _is_delimiter(lines[begin - 1]):
        begin -= 1
    return begin if any(line.strip() for line in lines[first:begin]) else None


def _begins_signature(lines: list[str], index: int, last: int) -> bool:
    line = lines[index]
    stripped = line.strip()
    if not stripped:
        return False
    if _is_delimiter(line) or _is_device(line):
        return True
    starts_paragraph = index == 0 or not lines[index - 1].strip()
    if len(stripped) >= 10 and set(stripped) <= _RULES:
        return bool(LIST_FOOTER.search(" ".join(lines[index + 1 : index + 4])[:_LINE])) or (
            DISCLAIMER.match(_joined(lines, index + 1)) is not None
        )
    if starts_paragraph and DISCLAIMER.match(_joined(lines, index)):
        return True
    return len(stripped) < 60 and CLOSING.match(line) is not None and _is_contact_block(lines[index + 1 : last])


def _is_contact_block(below: list[str]) -> bool:
    """Short lines with a telephone number, a web or a mail address among them; no letter goes on below a closing."""
    written = [line.strip() for line in below if line.strip()]
    if not 2 <= len(written) <= 25:
        return False
    block = written[:10]
    is_short = all(len(line) <= _LONGEST_SIGNATURE_LINE for line in block[:4])
    return is_short and any(CONTACT.search(line) for line in block)


def _joined(lines: list[str], index: int) -> str:
    return " ".join(lines[index : index + 4])[:_LINE]


def _is_device(line: str) -> bool:
    return len(line) <= _LONGEST_SIGNATURE_LINE and DEVICE.match(line) is not None


def _is_delimiter(line: str) -> bool:
    return line.rstrip("\r") in ("-- ", "--", "—", "-- \u00a0", "--\u00a0", "---", "__", "--  ")
