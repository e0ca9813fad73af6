"""Whose a domain is: the organisational domain of RFC 7489, 3.2, by the public suffix list a package brings along."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@lru_cache(1)
def _suffixes() -> PublicSuffixList:
    """Read when first needed: it takes a tenth of a second."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def domain_of(address: str) -> str:
    """The domain of a mail address, lower case, in its ASCII form; empty when it has none."""
    return ascii_domain(address.rpartition("@")[2]) if "@" in address else ""


def ascii_domain(domain: str) -> str:
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


@lru_cache(maxsize=4096)
def organisation(domain: str) -> str:
    """`mail.shop.co.uk` → `shop.co.uk`. A public suffix itself, or a name without dots, stands for itself."""
    domain = ascii_domain(domain)
    try:
        found = _suffixes().privatesuffix(domain)
    except (ValueError, UnicodeError):
        found = None
    return found or domain


def public_suffix(domain: str) -> str:
    """`shop.co.uk` → `co.uk`."""
    domain = ascii_domain(domain)
    try:
        return _suffixes().publicsuffix(domain) or domain
    except (ValueError, UnicodeError):
        return domain


def same_organisation(one: str, other: str) -> bool:
    return bool(one) and organisation(one) == organisation(other)
