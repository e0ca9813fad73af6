"""Reply and forward prefixes of all languages, and the base subject below them."""

from __future__ import annotations

import re

_REPLY = (
    "re aw sv vs antw rif rép rep res resp ynt yan cevap vá válasz odp atb ref отв ответ на pd bls pasu პას პასუხი "
    "回复 回覆 답장 返信"
)
_FORWARD = (
    "fwd fw wg tr vb vl rv enc ilt iletilen yönl továbbítva továbbítás pers пересл fs doorst vidarebefordrat edas "
    "edastatud გადაგზ გადაგზავნილი 転送 转发 轉寄"
)
_FORWARDS = frozenset(_FORWARD.split())
_PREFIX = re.compile(
    rf"^\s*(?:\[[^\]]{{1,40}}\]\s*)?(?P<word>{'|'.join((_REPLY + ' ' + _FORWARD).split())})"
    r"\s?(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s?[:：]\s*",
    re.IGNORECASE,
)
_MOST = 20


def base_subject(subject: str) -> str:
    """Without prefixes, folded for comparing."""
    for _ in range(_MOST):
        found = _PREFIX.match(subject)
        if found is None:
            break
        subject = subject[found.end() :]
    return " ".join(subject.split()).casefold()


def is_reply(subject: str) -> bool:
    """The outermost prefix is a reply's."""
    found = _PREFIX.match(subject)
    return found is not None and found["word"].casefold() not in _FORWARDS


def is_forward(subject: str) -> bool:
    """The outermost prefix is a forward's; Finnish VL: is one."""
    found = _PREFIX.match(subject)
    return found is not None and found["word"].casefold() in _FORWARDS


def without_forward(subject: str) -> str:
    """The subject of the mail that was forwarded."""
    for _ in range(_MOST):
        found = _PREFIX.match(subject)
        if found is None or found["word"].casefold() not in _FORWARDS:
            break
        subject = subject[found.end() :]
    return subject


def for_reply(subject: str) -> str:
    """Unchanged, with "Re: " only where no reply prefix of any language stands."""
    return subject if is_reply(subject) else f"Re: {subject}".rstrip()


def bare_subject(subject: str) -> str:
    """Without prefixes, as written: what Outlook calls the topic."""
    for _ in range(_MOST):
        found = _PREFIX.match(subject)
        if found is None:
            break
        subject = subject[found.end() :]
    return subject.strip()
