"""DNS as the mail checks need it: blocking, so for threads; each question and the whole of a check bounded in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import dns.exception
import dns.rdatatype
import dns.resolver

MOST_ANSWERS = 50
MOST_QUESTIONS = 30
MOST_TROUBLES = 2


class DnsTrouble(Exception):
    """No answer could be had: nothing is known about the name. (An empty answer is an answer.)"""


class Dns(Protocol):
    """Where names are looked up. `kind` is TXT, MX, A, AAAA, PTR or SPF."""

    def ask(self, name: str, kind: str) -> Sequence[Any]:
        """The records as dnspython has them; empty when there are none. Raises DnsTrouble."""
        ...


@dataclass(frozen=True, slots=True)
class SystemDns:
    """By the given name servers, else by those of the system. Made for each check: it remembers nothing."""

    nameservers: Sequence[str] = ()
    port: int = 53
    timeout_seconds: float = 3.0

    def ask(self, name: str, kind: str) -> Sequence[Any]:
        try:
            return list(self._resolver().resolve(name, kind, search=False))[:MOST_ANSWERS]
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.exception.DNSException, UnicodeError, ValueError, OSError) as error:
            raise DnsTrouble(f"{name} {kind}: {error}"[:300]) from error

    def _resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=not self.nameservers)
        if self.nameservers:
            resolver.nameservers = list(self.nameservers)
            resolver.port = self.port
        resolver.lifetime = self.timeout_seconds
        resolver.timeout = min(1.5, self.timeout_seconds)
        return resolver


@dataclass(slots=True)
class Patient:
    """For one check: asks a bounded number of times and gives up after the second name server that does not answer."""

    dns: Dns
    asked: int = 0
    troubles: int = 0
    known: dict[tuple[str, str], Sequence[Any]] = field(default_factory=dict)

    def ask(self, name: str, kind: str) -> Sequence[Any]:
        key = (name.lower().rstrip("."), kind)
        if key in self.known:
            return self.known[key]
        if self.asked >= MOST_QUESTIONS or self.troubles >= MOST_TROUBLES:
            raise DnsTrouble("too many questions for one mail")
        self.asked += 1
        try:
            self.known[key] = self.dns.ask(name, kind)
        except DnsTrouble:
            self.troubles += 1
            raise
        return self.known[key]


def texts(dns: Dns, name: str) -> list[str]:
    """The TXT records of a name, each in one piece. Raises DnsTrouble."""
    return [b"".join(record.strings).decode("ascii", "replace") for record in dns.ask(name, "TXT")]
