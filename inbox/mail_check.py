"""What the Mail check page says about each domain the desk writes from; the email channel finds it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    GOOD = "good"
    WEAK = "weak"  # works, and could be better
    MISSING = "missing"
    WRONG = "wrong"
    UNKNOWN = "unknown"  # the name servers gave no answer


@dataclass(frozen=True, slots=True)
class Finding:
    """`sentence` is a key of the catalogue; `add` is a whole line of DNS to publish, empty where all is well."""

    what: str  # MX, SPF, DKIM, DMARC
    name: str  # where in DNS
    found: Sequence[str]
    verdict: Verdict
    sentence: str
    values: Mapping[str, str] = field(default_factory=dict)
    add: str = ""


@dataclass(frozen=True, slots=True)
class DomainReport:
    domain: str
    addresses: Sequence[str]
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class MailCheck:
    run: Callable[[], Awaitable[Sequence[DomainReport]]]
