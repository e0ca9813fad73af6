"""Reply and forward prefixes of all languages, and the base subject below them."""

from __future__ import annotations

import re

_REPLY = r"re|aw|sv|vs|vl|antw|rif|rép|rep|res|resp|ynt|yan|cevap|vá|válasz|odp|atb|ref|отв|ответ|на|pd|bls|pasu|პას|პასუხი|回复|回覆|답장|返信"
_FORWARD = r"fwd?|fw|wg|tr|vb|vl|rv|enc|i|ilt|iletilen|yönl|továbbítva|továbbítás|pers|пересл|fs|doorst|vidarebefordrat|edas|edastatud|გადაგზ|გადაგზავნილი|転送|转发|轉寄"
_ANY = re.compile(rf"^\s*(?:\[[^\]]{{1,40}}\]\s*)?(?P<word>{_REPLY}|{_FORWARD})\s?(?:\[\d{{1,3}}\]|\(\d{{1,3}}\)|\^\d{{1,3}})?\s?[:：]\s*", re.IGNORECASE)
_IS_REPLY = re.compile(rf"^(?:{_REPLY})$", re.IGNORECASE)
_ONLY_FORWARD = re.compile(r"^(?:fwd?|fw|wg|tr|vb|vl|rv|enc|ilt|iletilen|yönl|továbbítva|továbbítás|pers|пересл|fs|doorst|"
                           r"vidarebefordrat|edas|edastatud|გადაგზ|გადაგზავნილი|転送|转发|轉寄)$", re.IGNORECASE)  # fmt: skip
_MOST = 20


def base_subject(subject: str) -> str:
    """Without prefixes, folded for comparing."""
    for _ in range(_MOST):
        found = _ANY.match(subject)
        if found is None:
            break
        subject = subject[found.end() :]
    return " ".join(subject.split()).casefold()


def is_reply(subject: str) -> bool:
    """The outermost prefix is a reply's."""
    found = _ANY.match(subject)
    return found is not None and _IS_REPLY.match(found["word"]) is not None and not is_forward(subject)


def is_forward(subject: str) -> bool:
    """The outermost prefix is a forward's. Finnish VL: is one too."""
    found = _ANY.match(subject)
    return found is not None and _ONLY_FORWARD.match(found["word"]) is not None


def for_reply(subject: str) -> str:
    """Unchanged, with "Re: " only where no reply prefix of any language stands."""
    return subject if is_reply(subject) else f"Re: {subject}".rstrip()
