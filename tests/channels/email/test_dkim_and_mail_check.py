"""Our own mail: signed so that others can tell, and a page that says what DNS still lacks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import ValidationError

from channels.email import dkim_check
from channels.email.dkim_signing import DkimKey, DkimSigning
from channels.email.dns import SystemDns
from channels.email.mail_check import check
from channels.email.settings import EmailSettings, Outgoing, SupportAddress
from inbox.clock import ManualClock
from inbox.mail_check import Finding, Verdict
from tests.channels.email.desk import mail, open_desk
from tests.channels.email.test_listener import deliver_smtp
from tests.support.dns_server import DnsServer, answering

Private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def pem(key: Private, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture(scope="module")
def keys() -> Mapping[str, str]:
    big = rsa.generate_private_key(65537, 2048)
    return {
        "rsa": pem(big),
        "pkcs1": pem(big, serialization.PrivateFormat.TraditionalOpenSSL),
        "crlf": pem(big).replace("\n", "\r\n"),
        "ed25519": pem(ed25519.Ed25519PrivateKey.generate()),
    }


def key_of(text: str, selector: str = "s1", domain: str = "desk.test") -> DkimKey:
    return DkimKey.model_validate({"domain": domain, "selector": selector, "key": text})


@pytest.fixture
def names() -> Iterator[DnsServer]:
    with answering({}, silent=["down.test"]) as server:
        yield server


def dns_of(names: DnsServer) -> SystemDns:
    return SystemDns(("127.0.0.1",), names.port, 1.0)


# --- signing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa", "pkcs1", "crlf", "ed25519"])
async def test_an_answer_bears_a_signature_that_the_published_key_proves(
    kind: str, keys: Mapping[str, str], sqlite_url: str, tmp_path: Path, clock: ManualClock, names: DnsServer
) -> None:
    key = key_of(keys[kind])
    names.txt(key.name, key.record())
    async with open_desk(sqlite_url, tmp_path, clock=clock, dkim=(key,)) as desk:
        await asyncio.to_thread(deliver_smtp, desk, mail("Ärger?", subject="Ääkköset"))
        await desk.settled()
        bea = await desk.operator()
        await desk.reply(bea, (await desk.conversations())[0], "Tässä. 📦 " * 40)
        (path,) = desk.settings.keep_folder.glob("*.eml")
        raw = path.read_bytes()
    assert raw.count(b"DKIM-Signature:") == 1
    assert all(len(line) < 998 for line in raw.split(b"\r\n"))
    (signature,) = dkim_check.verify(raw, dns_of(names))
    assert (signature.domain, signature.selector, signature.result) == ("desk.test", "s1", "pass")
    assert dkim_check.verify(raw.replace(b"Subject:", b"Subject: x", 1), dns_of(names))[0].result == "fail"
    added = raw.replace(b"\r\nTo:", b"\r\nReply-To: mallory@evil.test\r\nTo:", 1)
    assert dkim_check.verify(added, dns_of(names))[0].result == "fail"
    assert BytesParser(policy=default).parsebytes(raw)["From"] == "Shop help <help@desk.test>"


def test_two_keys_make_two_signatures_and_another_domain_none(keys: Mapping[str, str], names: DnsServer) -> None:
    both = [key_of(keys["rsa"], "a"), key_of(keys["ed25519"], "b"), key_of(keys["rsa"], "c", "elsewhere.test")]
    for one in both:
        names.txt(one.name, one.record())
    raw = DkimSigning(both).signed(mail(from_="help@desk.test"), "help@desk.test")
    assert [(one.selector, one.result) for one in dkim_check.verify(raw, dns_of(names))] == [
        ("a", "pass"),
        ("b", "pass"),
    ]
    assert DkimSigning(both).signed(mail(), "anna@customers.test") == mail()
    assert b"d=desk.test" in DkimSigning(both).signed(mail(), "help@sub.desk.test")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not a key", "not a private key in PEM"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "not a private key in PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "RSA and ed25519"),
    ],
    ids=["no key", "broken", "another kind"],
)
def test_a_broken_key_is_named_when_the_desk_starts(text: str, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        key_of(text)
    assert says in str(refused.value)
    assert refused.value.errors()[0]["loc"] == ("key",)


# --- the page --------------------------------------------------------------------------------------------------------


async def findings(
    names: DnsServer, *, domain: str = "desk.test", keys: Sequence[DkimKey] = (), server: str = "smtp.desk.test"
) -> dict[str, Finding]:
    settings = EmailSettings(
        addresses=(SupportAddress(address=f"help@{domain}"),),
        dkim=tuple(keys),
        outgoing=Outgoing(host=server) if server else None,
    )
    (report,) = await check(settings, dns_of(names))
    assert (report.domain, report.addresses) == (domain, [f"help@{domain}"])
    return {one.what: one for one in report.findings}


async def test_a_domain_with_nothing_is_told_what_to_publish(names: DnsServer, keys: Mapping[str, str]) -> None:
    key = key_of(keys["rsa"])
    found = await findings(names, keys=[key])
    assert {one.verdict for one in found.values()} == {Verdict.MISSING}
    assert found["SPF"].add == 'desk.test. IN TXT "v=spf1 a:smtp.desk.test ~all"'
    assert found["MX"].add.startswith("desk.test. IN MX 10 ")
    assert found["DMARC"].add == '_dmarc.desk.test. IN TXT "v=DMARC1; p=quarantine; rua=mailto:postmaster@desk.test"'
    line = found["DKIM"].add
    assert line.startswith('s1._domainkey.desk.test. IN TXT "v=DKIM1; k=rsa; p=')
    assert line.count('"') == 4, "a record this long stands in two pieces"
    assert line.split("IN TXT ")[1].replace('" "', "").strip('"') == key.record()


async def test_what_was_told_to_publish_makes_everything_good(names: DnsServer, keys: Mapping[str, str]) -> None:
    key = key_of(keys["ed25519"])
    names.records["smtp.desk.test"] = {"A": ["192.0.2.1"]}
    names.records["mail.desk.test"] = {"A": ["192.0.2.2"]}
    for one in (await findings(names, keys=[key])).values():
        name, _, line = one.add.partition(". IN ")
        kind, _, record = line.partition(" ")
        names.records.setdefault(name, {})[kind] = [record.replace('" "', "").strip('"')]
    found = await findings(names, keys=[key])
    assert {what: one.verdict for what, one in found.items()} == dict.fromkeys(("MX", "SPF", "DKIM", "DMARC"), "good")
    assert all(not one.add for one in found.values())


@pytest.mark.parametrize(
    ("records", "verdict", "add"),
    [
        (["v=spf1 ip4:192.0.2.0/24 -all"], Verdict.GOOD, ""),
        (["v=spf1 include:other.test -all"], Verdict.WEAK, "v=spf1 include:other.test a:smtp.desk.test -all"),
        (["v=spf1 ip4:10.0.0.1"], Verdict.WEAK, "v=spf1 ip4:10.0.0.1 a:smtp.desk.test"),
        (["v=spf1 +all"], Verdict.WRONG, "v=spf1 ~all"),
        (["v=spf1 a -all", "v=spf1 mx -all"], Verdict.WRONG, "v=spf1 a mx ~all"),
        (["v=spf1 nonsense:x -all"], Verdict.WRONG, ""),
        (["v=spf1 include:down.test -all"], Verdict.UNKNOWN, ""),
    ],
)  # fmt: skip
async def test_an_spf_record_is_judged(records: list[str], verdict: Verdict, add: str, names: DnsServer) -> None:
    names.txt("desk.test", "some other record", *records)
    names.txt("other.test", "v=spf1 -all")
    names.records["smtp.desk.test"] = {"A": ["192.0.2.1"]}
    found = (await findings(names))["SPF"]
    assert found.verdict is verdict
    assert found.add == (f'desk.test. IN TXT "{add}"' if add else "")


async def test_a_known_service_is_named_by_its_own_record(names: DnsServer) -> None:
    names.txt("desk.test", "v=spf1 mx ~all")
    found = (await findings(names, server="smtp.office365.com"))["SPF"]
    assert found.add == 'desk.test. IN TXT "v=spf1 mx include:spf.protection.outlook.com ~all"'


@pytest.mark.parametrize(
    ("published", "verdict"),
    [
        (["v=DKIM1; k=rsa; p=MIIBIjANother"], Verdict.WRONG),
        (["{ours}"], Verdict.GOOD),
        (["{ours}", "v=DKIM1; p=x"], Verdict.WRONG),
        ([], Verdict.MISSING),
    ],
)
async def test_the_published_key_is_compared_with_ours(
    published: list[str], verdict: Verdict, names: DnsServer, keys: Mapping[str, str]
) -> None:
    key = key_of(keys["rsa"])
    if published:
        names.txt(key.name, *(one.format(ours=key.record()) for one in published))
    found = (await findings(names, keys=[key]))["DKIM"]
    assert found.verdict is verdict
    assert bool(found.add) == (verdict in (Verdict.MISSING, Verdict.WRONG) and len(published) < 2)


@pytest.mark.parametrize(
    ("record", "verdict", "add"),
    [
        ("v=DMARC1; p=none; rua=mailto:x@desk.test", Verdict.WEAK, "v=DMARC1; p=quarantine; rua=mailto:x@desk.test"),
        ("v=DMARC1; p=reject", Verdict.GOOD, ""),
        ("v=DMARC1; p=maybe", Verdict.WRONG, "v=DMARC1; p=quarantine; rua=mailto:postmaster@desk.test"),
    ],
)
async def test_a_dmarc_policy_is_judged(record: str, verdict: Verdict, add: str, names: DnsServer) -> None:
    names.txt("_dmarc.desk.test", record)
    for domain in ("desk.test", "support.desk.test"):
        found = (await findings(names, domain=domain))["DMARC"]
        assert found.verdict is verdict
        assert found.add == (f'_dmarc.desk.test. IN TXT "{add}"' if add else "")


async def test_silent_name_servers_are_no_verdict(names: DnsServer) -> None:
    found = await findings(names, domain="down.test", server="")
    assert {what: one.verdict for what, one in found.items() if what != "DKIM"} == dict.fromkeys(
        ("MX", "SPF", "DMARC"), Verdict.UNKNOWN
    )
