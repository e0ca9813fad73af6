"""Did this mail come from the domain it names? Read from our own receiving host's verdict (RFC 8601), else worked out.

A header of anybody else's, or one that stands below where ours would, is a stranger's claim and is not looked at.
What cannot be found out is said to be so ("none", "temperror"); no mail is ever lost or held over it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from multiprocessing import get_context
from types import TracebackType
from typing import Any

import authres
import structlog

from channels.email import dkim_check, dmarc, spf_check
from channels.email.dkim_check import Signature
from channels.email.dns import Dns, DnsTrouble, Patient
from channels.email.domains import domain_of
from channels.email.headers import one_line, split_head
from channels.email.record import AuthenticationData

log = structlog.get_logger(__name__)

CHECKS_AT_ONCE = 48
OF_ONE_PEER = 8
LONGEST_CHECK_SECONDS = 10.0
BIG_MAIL_BYTES = 1_000_000
"""The signature of a bigger mail is verified in a process of its own: its arithmetic would hold up everybody."""
OURS = "desk"
"""In place of a host's name: the desk worked it out itself."""

_HEAD_BYTES = 100_000
_MOST_FIELDS = 6
_MOST_CHARACTERS = 8_000
_LIBRARY_CHARACTERS = 3_000
_MARKS = re.compile(rb"^(?:arc-)?authentication-results[ \t]*:", re.IGNORECASE | re.MULTILINE)
_METHODS = ("spf", "dkim", "dmarc")
_PASSED = frozenset({"pass", "bestguesspass"})
_DMARC_WORDS = frozenset({"pass", "fail", "none", "temperror", "permerror", "bestguesspass"})


@dataclass(frozen=True, slots=True)
class TrustedHosts:
    """Whose Authentication-Results count: these names, and where `topmost` the first field whoever it names."""

    names: frozenset[str] = frozenset()
    topmost: bool = False

    def __bool__(self) -> bool:
        return self.topmost or bool(self.names)


@dataclass(frozen=True, slots=True)
class Authentication:
    """The results in the words of RFC 8601; `by` is the host that found them, or "desk"."""

    spf: str = "none"
    spf_domain: str = ""
    dkim: str = "none"
    dkim_domain: str = ""
    dmarc: str = "none"
    policy: str = ""
    by: str = OURS

    @property
    def failed(self) -> bool:
        return self.dmarc == "fail"

    def proves(self, author_domain: str) -> bool:
        """Something that passed belongs to this domain, whatever it publishes about forgeries."""
        return self.dmarc in _PASSED or any(
            result == "pass" and bool(domain) and dmarc.is_aligned(author_domain, domain, strict=False)
            for result, domain in ((self.spf, self.spf_domain), (self.dkim, self.dkim_domain))
        )

    def data(self) -> AuthenticationData:
        found: AuthenticationData = {"spf": self.spf, "dkim": self.dkim, "dmarc": self.dmarc, "by": self.by}
        if self.spf_domain:
            found["spf_domain"] = self.spf_domain
        if self.dkim_domain:
            found["dkim_domain"] = self.dkim_domain
        if self.policy:
            found["policy"] = self.policy
        return found


# --- read ------------------------------------------------------------------------------------------------------------


def said_by(raw: bytes, hosts: TrustedHosts) -> Authentication | None:
    """What a trusted host found; None when the mail bears no such field."""
    if not hosts or _MARKS.search(raw, 0, _HEAD_BYTES) is None:
        return None
    fields = split_head(raw, 0, min(len(raw), _HEAD_BYTES))[0].fields
    plain = [(hop, value) for hop, name, value in _by_hop(fields) if name == "authentication-results"]
    if hosts.topmost:
        return _together([_read(value) for _, value in plain[:1]])
    ours = [(hop, read) for hop, value in plain[:50] if (read := _read(value)).host in hosts.names]
    if ours:
        # One block, written at one hop: what stands below a further Received field, a sender may have forged.
        return _together([read for hop, read in ours if hop == ours[0][0]][:_MOST_FIELDS])
    sealed = [value for _, name, value in _by_hop(fields) if name == "arc-authentication-results"]
    newest = max(
        (one for value in sealed[:50] if (one := _read(value)).instance), key=lambda r: r.instance, default=None
    )
    return _together([newest]) if newest is not None and newest.host in hosts.names else None


def _by_hop(fields: Sequence[tuple[str, bytes]]) -> Iterator[tuple[int, str, str]]:
    hop = 0
    for name, value in fields:
        if name == "received":
            hop += 1
        elif name in ("authentication-results", "arc-authentication-results"):
            yield hop, name, one_line(value[:_MOST_CHARACTERS].decode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class _Result:
    method: str
    word: str
    properties: Mapping[str, str]  # "header.from" → its value


@dataclass(frozen=True, slots=True)
class _Field:
    host: str
    results: Sequence[_Result]
    instance: int = 0


def _read(value: str) -> _Field:
    """By authres, else tolerantly: Microsoft 365 names no host, others add words of their own."""
    instance = re.match(r"\s*i\s*=\s*(\d{1,3})\s*;", value)
    if instance:
        value = value[instance.end() :]
    number = int(instance[1]) if instance else 0
    if len(value) <= _LIBRARY_CHARACTERS:
        try:
            parsed: Any = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {value}")
        except Exception:  # also RecursionError, on nested comments
            pass
        else:
            return _Field(parsed.authserv_id.lower(), [_of_library(one) for one in parsed.results if _has(one)], number)
    first, *others = _without_comments(value).split(";")
    host = ""
    if "=" in first:
        others.insert(0, first)
    else:
        quoted = re.match(r'\s*"([^"]*)"', first)
        host = (quoted[1] if quoted else first.split()[0] if first.split() else "").lower()
    return _Field(host, [one for part in others[:50] if (one := _tolerant(part)) is not None], number)


def _has(one: Any) -> bool:
    return hasattr(one, "method")


def _of_library(one: Any) -> _Result:
    properties: dict[str, str] = {}
    for found in one.properties:
        properties.setdefault(f"{found.type}.{found.name}".lower(), str(found.value or ""))
    return _Result(str(one.method).lower(), str(one.result).lower(), properties)


def _tolerant(part: str) -> _Result | None:
    words = [word.partition("=") for word in part.split() if "=" in word]
    if not words:
        return None
    properties: dict[str, str] = {}
    for name, _, value in words[1:]:
        properties.setdefault(name.lower(), value.strip('"'))
    return _Result(words[0][0].lower().partition("/")[0], words[0][2].lower().strip('"'), properties)


def _without_comments(value: str) -> str:
    kept: list[str] = []
    depth, quoted = 0, False
    for character in value:
        if character == '"' and not depth:
            quoted = not quoted
        if quoted:
            kept.append(character)
        elif character == "(":
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(character)
    return "".join(kept)


def _together(read: Sequence[_Field]) -> Authentication | None:
    """The first word for each method counts; of several signatures one that passes."""
    if not read:
        return None
    results = [one for each in read for one in each.results]
    first = {method: next((one for one in results if one.method == method), None) for method in _METHODS}
    spf, dkim, policy = first["spf"], first["dkim"], first["dmarc"]
    dkim = next((one for one in results if one.method == "dkim" and one.word == "pass"), dkim)
    word = policy.word if policy is not None and policy.word in _DMARC_WORDS else "none"
    return Authentication(
        spf=_word(spf),
        spf_domain=_domain(spf, "smtp.mailfrom", "smtp.helo"),
        dkim=_word(dkim),
        dkim_domain=_domain(dkim, "header.d", "header.i"),
        dmarc=word,
        by=read[0].host[:200] or "topmost",
    )


def _word(one: _Result | None) -> str:
    return re.sub(r"[^a-z]", "", one.word)[:20] or "none" if one is not None else "none"


def _domain(one: _Result | None, *names: str) -> str:
    value = next((one.properties[name] for name in names if one.properties.get(name)), "") if one is not None else ""
    return value.rpartition("@")[2].strip("<>").lower()[:253]


# --- work out --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passage:
    """How a mail reached us. `peer` is empty where the one who connected was not the sender's own server."""

    peer: str = ""
    helo: str = ""
    sender: str = ""


def work_out(raw: bytes, author_domain: str, passage: Passage, dns: Dns) -> Authentication:
    """Blocking: SPF where the sender's own server connected, DKIM, and what the author's domain says about both."""
    dns = Patient(dns)
    spf, spf_domain = "none", ""
    if passage.peer:
        spf = spf_check.check(dns, peer=passage.peer, helo=passage.helo, sender=passage.sender)
        spf_domain = domain_of(passage.sender) or passage.helo.lower()
    signatures = dkim_check.verify(raw, dns)
    best = _best(signatures, author_domain)
    passed = [one.domain for one in signatures if one.result == "pass"]
    try:
        policy = dmarc.policy_of(dns, author_domain) if author_domain else None
    except DnsTrouble:
        word, wants = "temperror", ""
    else:
        wants = policy.wants if policy is not None else ""
        if policy is None:
            word = "none"
        else:
            word = dmarc.result(
                author_domain,
                policy,
                spf_passed=[spf_domain] if spf == "pass" else [],
                dkim_passed=passed,
                trouble=spf == "temperror" or any(one.result == "temperror" for one in signatures),
            )
            if word == "fail" and not passage.peer:
                word = "none"  # it may have passed by its sender's server, which we cannot know any more
    return Authentication(
        spf, spf_domain, best.result if best else "none", best.domain if best else "", word, wants, OURS
    )


def _best(signatures: Sequence[Signature], author_domain: str) -> Signature | None:
    """One that passes, of the author's domain where there is one."""
    order = {"pass": 0, "fail": 1, "temperror": 2}
    return min(
        signatures,
        key=lambda one: (order.get(one.result, 3), not dmarc.is_aligned(author_domain, one.domain, strict=False)),
        default=None,
    )


class SenderChecks:
    """`async with` it for its threads; called for each mail. Bounded in time, in number, and for each peer."""

    def __init__(self, dns: Dns, trusted: Callable[[str], TrustedHosts], own_networks: Sequence[str]) -> None:
        """`trusted`: whose verdict counts for arrivals from a source; `own_networks`: of our own mail servers."""
        self._dns, self._trusted = dns, trusted
        self._own_networks = [ip_network(one, strict=False) for one in own_networks]
        self._threads: ThreadPoolExecutor | None = None
        self._process: ProcessPoolExecutor | None = None
        self._running: Counter[str] = Counter()
        self._freed = asyncio.Condition()

    async def __aenter__(self) -> SenderChecks:
        self._threads = ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="mail-sender-check")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        if self._process is not None:
            self._process.shutdown(wait=False, cancel_futures=True)

    async def __call__(
        self, raw: bytes, source: str, envelope: Mapping[str, Any], author_address: str
    ) -> Authentication | None:
        """None when nothing can be known: no trusted field, no signature, and not from the sender's own server."""
        try:
            said = said_by(raw, self._trusted(source))
            if said is not None:
                return said
            passage = self._passage(source, envelope)
            if not passage.peer and not dkim_check.is_signed(raw):
                return None
            return await asyncio.wait_for(
                self._worked_out(raw, domain_of(author_address), passage), LONGEST_CHECK_SECONDS
            )
        except TimeoutError:
            return Authentication(spf="temperror", dkim="temperror", dmarc="temperror")
        except Exception:
            log.exception("a mail's sender could not be checked")
            return Authentication(spf="temperror", dkim="temperror", dmarc="temperror")

    def _passage(self, source: str, envelope: Mapping[str, Any]) -> Passage:
        if source != "smtp":
            return Passage()
        peer = str(envelope.get("peer") or "")
        try:
            address = ip_address(peer)
        except ValueError:
            return Passage()
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        if any(address.version == one.version and address in one for one in self._own_networks):
            return Passage()
        return Passage(str(address), str(envelope.get("helo") or "")[:255], str(envelope.get("sender") or "")[:320])

    async def _worked_out(self, raw: bytes, author_domain: str, passage: Passage) -> Authentication:
        assert self._threads is not None, "use it in an `async with`"
        loop = asyncio.get_running_loop()
        async with self._freed:
            await self._freed.wait_for(
                lambda: self._running[passage.peer] < OF_ONE_PEER and self._running.total() < CHECKS_AT_ONCE
            )
            self._running[passage.peer] += 1
        pool = self._threads if len(raw) <= BIG_MAIL_BYTES else self._apart()
        job = loop.run_in_executor(pool, work_out, raw, author_domain, passage, self._dns)
        # Freed when the thread ends, not when nobody waits for it any more.
        job.add_done_callback(lambda done: self._ended(done, passage.peer))
        return await asyncio.shield(job)

    def _ended(self, job: asyncio.Future[Authentication], peer: str) -> None:
        if not job.cancelled():
            job.exception()  # looked at, also where nobody waits for it any more
        asyncio.ensure_future(self._free(peer))

    async def _free(self, peer: str) -> None:
        async with self._freed:
            self._running[peer] -= 1
            if self._running[peer] <= 0:
                del self._running[peer]
            self._freed.notify_all()

    def _apart(self) -> ProcessPoolExecutor:
        if self._process is None:
            self._process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return self._process
