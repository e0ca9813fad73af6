"""Can others tell that our mail is ours? MX, SPF, DKIM and DMARC of each domain we write from, as published now."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

from channels.email import dmarc, spf_check
from channels.email.dkim_signing import DkimKey
from channels.email.dns import Dns, DnsTrouble, Patient, texts
from channels.email.domains import domain_of, organisation
from channels.email.settings import EmailSettings
from inbox.mail_check import DomainReport, Finding, Verdict
from inbox.words import N_

_INCLUDES = {
    "smtp.gmail.com": "include:_spf.google.com",
    "smtp-relay.gmail.com": "include:_spf.google.com",
    "smtp.office365.com": "include:spf.protection.outlook.com",
    "smtp.sendgrid.net": "include:sendgrid.net",
    "smtp.mailgun.org": "include:mailgun.org",
    "smtp.postmarkapp.com": "include:spf.mtasv.net",
}
_AMAZON = re.compile(r"^email-smtp\.[a-z0-9-]+\.amazonaws\.com$")
_NO_ANSWER = N_("The name servers gave no answer. Try again in a while.")
_QUESTIONS_AT_ONCE = 4


async def check(settings: EmailSettings, dns: Dns) -> list[DomainReport]:
    """Asked in threads; every question is bounded in time, so the page is, too."""
    domains: dict[str, list[str]] = {}
    for support in settings.addresses:
        for address in (support.address, *support.aliases):
            domains.setdefault(domain_of(address), []).append(address)
    gate = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

    async def one(domain: str) -> DomainReport:
        async with gate:
            findings = await asyncio.to_thread(_findings, domain, settings, dns)
        return DomainReport(domain, domains[domain], findings)

    return list(await asyncio.gather(*(one(domain) for domain in domains)))


def _findings(domain: str, settings: EmailSettings, dns: Dns) -> list[Finding]:
    dns = Patient(dns)
    keys = [key for key in settings.dkim if domain == key.domain or domain.endswith(f".{key.domain}")]
    return [
        _asked("MX", domain, lambda: _mx(domain, dns)),
        _asked("SPF", domain, lambda: _spf(domain, settings, dns)),
        *(_asked("DKIM", key.name, lambda key=key: _dkim(key, dns)) for key in keys),  # type: ignore[misc]
        *([] if keys else [_unsigned(domain)]),
        _asked("DMARC", f"_dmarc.{domain}", lambda: _dmarc(domain, dns)),
    ]


def _asked(what: str, name: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except DnsTrouble:
        return Finding(what, name, (), Verdict.UNKNOWN, _NO_ANSWER)


def _mx(domain: str, dns: Dns) -> Finding:
    hosts = sorted((record.preference, record.exchange.to_text(True)) for record in dns.ask(domain, "MX"))
    found = [f"{preference} {host or '.'}" for preference, host in hosts]
    if [host for _, host in hosts] == [""]:
        return Finding("MX", domain, found, Verdict.WRONG, N_("The domain says that it takes no mail at all."))
    if not hosts:
        return Finding(
            "MX", domain, found, Verdict.MISSING,
            N_("No mail server is named: answers of customers may not arrive. Name the one that takes your mail."),
            add=f"{domain}. IN MX 10 mail.{domain}.",
        )  # fmt: skip
    missing = [host for _, host in hosts if not dns.ask(host, "A") and not dns.ask(host, "AAAA")]
    if missing:
        return Finding("MX", domain, found, Verdict.WRONG, N_("%(host)s has no address in DNS."), {"host": missing[0]})
    return Finding("MX", domain, found, Verdict.GOOD, N_("Mail for this domain has a server."))


def _spf(domain: str, settings: EmailSettings, dns: Dns) -> Finding:
    found = [one for one in texts(dns, domain) if re.match(r"v=spf1(?: |$)", one, re.IGNORECASE)]
    server = settings.outgoing.host.lower() if settings.outgoing is not None else ""
    names = _mechanism(server)
    if not found:
        record = " ".join(["v=spf1", *([names] if names else ["mx"]), "~all"])
        return Finding(
            "SPF", domain, found, Verdict.MISSING, N_("Nothing says which servers may send for this domain."),
            add=_txt(domain, record),
        )  # fmt: skip
    if len(found) > 1:
        words = list(
            dict.fromkeys(word for one in sorted(found) for word in one.split()[1:] if not word.endswith("all"))
        )
        return Finding(
            "SPF", domain, found, Verdict.WRONG,
            N_("There are several SPF records; then none counts. Put them together into one."),
            add=_txt(domain, " ".join(["v=spf1", *words, "~all"])),
        )  # fmt: skip
    record = found[0]
    if re.search(r"(?:^|\s)\+?all\b", record):
        return Finding(
            "SPF", domain, found, Verdict.WRONG, N_("It lets everybody send in your name."),
            add=_txt(domain, re.sub(r"(^|\s)\+?all\b", r"\1~all", record)),
        )  # fmt: skip
    said = _says_of(server, names, record, domain, dns)
    if said == "permerror":
        return Finding("SPF", domain, found, Verdict.WRONG, N_("The record is broken, or asks too many questions."))
    if said == "temperror":
        return Finding("SPF", domain, found, Verdict.UNKNOWN, _NO_ANSWER)
    if said == "no":
        changed = re.sub(r"\s+([~?-]?all|redirect=\S+)\s*$", rf" {names} \1", record)
        return Finding(
            "SPF", domain, found, Verdict.WEAK,
            N_("It does not name %(server)s, which sends the desk's mail."), {"server": server},
            add=_txt(domain, changed if changed != record else f"{record} {names}"),
        )  # fmt: skip
    if said == "unknown":
        return Finding("SPF", domain, found, Verdict.GOOD, N_("A record is there. No outgoing server is configured."))
    return Finding("SPF", domain, found, Verdict.GOOD, N_("The server that sends the desk's mail may do so."))


def _mechanism(server: str) -> str:
    if not server:
        return ""
    if _AMAZON.match(server):
        return "include:amazonses.com"
    return _INCLUDES.get(server) or f"a:{server}"


def _says_of(server: str, names: str, record: str, domain: str, dns: Dns) -> str:
    if not server:
        return "unknown"
    if names.startswith("include:"):  # a service: it sends from other machines than the one that takes our mail
        return "yes" if names.lower() in record.lower().split() else "no"
    addresses = [one.address for kind in ("A", "AAAA") for one in dns.ask(server, kind)]
    if not addresses:
        return "unknown"
    said = {spf_check.check(dns, peer=one, helo=server, sender=f"postmaster@{domain}") for one in addresses}
    for trouble in ("permerror", "temperror"):
        if trouble in said:
            return trouble
    return "yes" if said == {"pass"} else "no"


def _dkim(key: DkimKey, dns: Dns) -> Finding:
    ours = key.record()
    found = texts(dns, key.name)
    if not found:
        return Finding(
            "DKIM", key.name, found, Verdict.MISSING,
            N_("The desk signs with this key, but nobody can check it: the record is not published."),
            add=_txt(key.name, ours),
        )  # fmt: skip
    if not any(_public_key(one) == _public_key(ours) for one in found):
        return Finding(
            "DKIM", key.name, found, Verdict.WRONG,
            N_("Another key is published: every signature of the desk fails. Publish this one."),
            add=_txt(key.name, ours),
        )  # fmt: skip
    if len(found) > 1:
        return Finding("DKIM", key.name, found, Verdict.WRONG, N_("Several keys are published; keep only ours."))
    return Finding("DKIM", key.name, found, Verdict.GOOD, N_("The published key is the one the desk signs with."))


def _public_key(record: str) -> str:
    tags = dict(part.strip().partition("=")[::2] for part in record.split(";") if "=" in part)
    return re.sub(r"\s", "", {name.strip(): value for name, value in tags.items()}.get("p", ""))


def _unsigned(domain: str) -> Finding:
    return Finding(
        "DKIM", domain, (), Verdict.MISSING,
        N_("The desk does not sign mail of this domain. Make a key and name it under [[email.dkim]], unless your mail "
           "server signs."),
    )  # fmt: skip


def _dmarc(domain: str, dns: Dns) -> Finding:
    name = f"_dmarc.{domain}"
    place = name
    found = [one for one in texts(dns, name) if one.lower().startswith("v=dmarc1")]
    if not found and organisation(domain) != domain:
        place = f"_dmarc.{organisation(domain)}"
        found = [one for one in texts(dns, place) if one.lower().startswith("v=dmarc1")]
    line = _txt(
        f"_dmarc.{organisation(domain)}", f"v=DMARC1; p=quarantine; rua=mailto:postmaster@{organisation(domain)}"
    )
    if not found:
        return Finding(
            "DMARC", name, found, Verdict.MISSING,
            N_("Nothing says what to do with forged mail: others can write in your name. Publish this when SPF and "
               "DKIM are well."),
            add=line,
        )  # fmt: skip
    policy = dmarc.policy_of(dns, domain)
    if len(found) > 1 or policy is None:
        return Finding(
            "DMARC", place, found, Verdict.WRONG, N_("The record is broken, or there are several; then none counts."),
            add=line,
        )  # fmt: skip
    if policy.wants == "none":
        return Finding(
            "DMARC", place, found, Verdict.WEAK,
            N_("It only watches: forged mail is still delivered. Ask for quarantine when the reports look well."),
            add=_txt(place, re.sub(r"\bp\s*=\s*none", "p=quarantine", policy.record)),
        )  # fmt: skip
    return Finding("DMARC", place, found, Verdict.GOOD, N_("Forged mail in your name is refused or put aside."))


def _txt(name: str, record: str) -> str:
    """A line of a zone file. A TXT record consists of pieces of at most 255 characters."""
    pieces: Sequence[str] = [record[at : at + 255] for at in range(0, len(record), 255)]
    return f"{name}. IN TXT " + " ".join(f'"{piece}"' for piece in pieces)
