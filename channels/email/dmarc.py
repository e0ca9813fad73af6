"""DMARC (RFC 7489): which policy a domain publishes, and whether what was verified belongs to it. Blocking."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from channels.email.dns import Dns, texts
from channels.email.domains import organisation

_TAG = re.compile(r"\s*([a-z]{1,10})\s*=\s*([^;]{0,300}?)\s*(?:;|$)", re.IGNORECASE)
POLICIES = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True)
class Policy:
    """`wants` is what the domain asks for mail that fails."""

    wants: str
    strict_dkim: bool
    strict_spf: bool
    record: str
    found_at: str


def policy_of(dns: Dns, domain: str) -> Policy | None:
    """None when neither the domain nor its organisation publishes one. Raises DnsTrouble."""
    for number, place in enumerate(dict.fromkeys((domain, organisation(domain)))):
        records = [one for one in texts(dns, f"_dmarc.{place}") if re.match(r"v\s*=\s*DMARC1\s*(?:;|$)", one)]
        if len(records) == 1:  # several are none (6.6.3)
            return _read(records[0], place, is_subdomain=number > 0)
    return None


def _read(record: str, place: str, *, is_subdomain: bool) -> Policy | None:
    tags = {found[1].lower(): found[2] for found in _TAG.finditer(record)}
    wants = tags.get("p", "").lower()
    if is_subdomain:
        wants = tags.get("sp", wants).lower()
    if wants not in POLICIES:
        if "rua" not in tags:
            return None
        wants = "none"
    return Policy(wants, tags.get("adkim", "r").lower() == "s", tags.get("aspf", "r").lower() == "s", record, place)


def is_aligned(author_domain: str, verified: str, *, strict: bool) -> bool:
    return verified == author_domain if strict else organisation(verified) == organisation(author_domain)


def result(
    author_domain: str, policy: Policy, *, spf_passed: Iterable[str], dkim_passed: Iterable[str], trouble: bool
) -> str:
    """pass, fail, or temperror where a lookup failed that might have made it pass."""
    if any(is_aligned(author_domain, one, strict=policy.strict_spf) for one in spf_passed):
        return "pass"
    if any(is_aligned(author_domain, one, strict=policy.strict_dkim) for one in dkim_passed):
        return "pass"
    return "temperror" if trouble else "fail"
