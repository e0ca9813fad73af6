"""Whose mail is believed: verdicts of our own receiving host, else SPF, DKIM and DMARC asked of a real name server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from channels.email.authentication import Authentication, TrustedHosts, said_by
from channels.email.dkim_signing import DkimKey, DkimSigning
from channels.email.domains import organisation
from channels.email.lookalikes import imitated
from channels.email.settings import DnsSettings, Listener, Mailbox, Secret
from inbox.clock import ManualClock
from inbox.reading import TimelineEntry
from inbox.vocabulary import ConversationId
from tests.channels.email.desk import MailDesk, mail, open_desk
from tests.channels.email.test_listener import deliver_smtp
from tests.support.dns_server import DnsServer, answering

GMAIL = TrustedHosts(frozenset({"mx.google.com"}))
TOPMOST = TrustedHosts(topmost=True)


def pem(bits: int = 2048) -> str:
    key = rsa.generate_private_key(65537, bits)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture(scope="session")
def key() -> DkimKey:
    return DkimKey.model_validate({"domain": "customers.test", "selector": "s1", "key": pem()})


@pytest.fixture
def names(key: DkimKey) -> Iterator[DnsServer]:
    """customers.test sends only from 127.0.0.1 and by its key, and wants everything else refused."""
    records = {
        "customers.test": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]},
        "elsewhere.test": {"TXT": ["v=spf1 -all"]},
        "_dmarc.customers.test": {"TXT": ["v=DMARC1; p=reject; rua=mailto:dmarc@customers.test"]},
        "_dmarc.strict.test": {"TXT": ["v=DMARC1; p=quarantine; adkim=s; aspf=s"]},
        "strict.test": {"TXT": ["v=spf1 -all"]},
        "mail.strict.test": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]},
        key.name: {"TXT": [key.record()]},
    }
    with answering(records, silent=["down.test"]) as server:
        yield server


@asynccontextmanager
async def checking(
    url: str, folder: Path, clock: ManualClock, names: DnsServer, **more: Any
) -> AsyncIterator[MailDesk]:
    """A desk whose peers on 127.0.0.1 count as strangers, as if they had come from the internet."""
    listener = more.pop("listener", Listener(smtp_port=0, lmtp_port=0, own_networks=()))
    dns = DnsSettings(nameservers=("127.0.0.1",), port=names.port, timeout_seconds=more.pop("timeout", 2.0))
    async with open_desk(url, folder, clock=clock, listener=listener, dns=dns, **more) as desk:
        yield desk


@pytest.fixture
async def desk(sqlite_url: str, tmp_path: Path, clock: ManualClock, names: DnsServer) -> AsyncIterator[MailDesk]:
    async with checking(sqlite_url, tmp_path, clock, names) as opened:
        yield opened


async def newest(desk: MailDesk, conversation: ConversationId | None = None) -> TimelineEntry:
    number = conversation or (await desk.conversations())[-1]
    return [one for one in await desk.timeline(number) if one.data.get("mail")][-1]


async def came(desk: MailDesk, raw: bytes, sender: str = "anna@customers.test") -> TimelineEntry:
    await asyncio.to_thread(deliver_smtp, desk, raw, sender=sender)
    await desk.settled()
    return await newest(desk)


# --- read from our own host ------------------------------------------------------------------------------------------


def test_googles_verdict_is_read_where_google_is_our_host() -> None:
    raw = mail(
        headers=[
            "Authentication-Results: mx.google.com; dkim=pass header.i=@customers.test header.s=a; spf=softfail "
            "(google.com: domain of transitioning a@x.test) smtp.mailfrom=a@x.test; dmarc=fail (p=REJECT dis=NONE) "
            "header.from=customers.test"
        ]
    )
    assert said_by(raw, GMAIL) == Authentication(
        "softfail", "x.test", "pass", "customers.test", "fail", "", "mx.google.com"
    )


@pytest.mark.parametrize(
    "forged",
    [
        "Authentication-Results: mx.attacker.test; dmarc=pass header.from=customers.test",
        "Authentication-Results: mx.google.com.attacker.test; dmarc=pass",
        'Authentication-Results: "mx.google.com (forged)"; dmarc=pass',
        "Authentication-Results: dmarc=pass",
        "ARC-Authentication-Results: i=1; mx.attacker.test; dmarc=pass",
        "X-Authentication-Results: mx.google.com; dmarc=pass",
    ],
)
def test_a_verdict_of_anybody_else_is_not_read(forged: str) -> None:
    assert said_by(mail(headers=[forged]), GMAIL) is None


def test_a_forged_verdict_below_our_own_hop_changes_nothing() -> None:
    raw = (
        b"Authentication-Results: mx.google.com; spf=fail smtp.mailfrom=x.test; dmarc=fail\r\n"
        b"Received: from evil by mx.google.com; Tue, 10 Mar 2026 12:00:00 +0000\r\n"
        b"Authentication-Results: mx.google.com; dkim=pass header.d=customers.test; dmarc=pass\r\n"
    ) + mail()
    found = said_by(raw, GMAIL)
    assert found is not None
    assert (found.dmarc, found.dkim) == ("fail", "none")


def test_several_verdicts_of_one_hop_are_read_together() -> None:
    raw = (
        b"Authentication-Results: mx.desk.test; dmarc=fail (p=none) header.from=customers.test\r\n"
        b"Authentication-Results: mx.desk.test; spf=pass smtp.mailfrom=a@list.test\r\n"
    ) + mail()
    found = said_by(raw, TrustedHosts(frozenset({"mx.desk.test"})))
    assert found is not None
    assert (found.spf, found.dmarc) == ("pass", "fail")


def test_microsofts_verdict_without_a_name_is_read_only_where_the_topmost_counts() -> None:
    raw = (
        b"Authentication-Results: spf=fail (sender IP is 192.0.2.7)\r\n smtp.mailfrom=customers.test; dkim=none "
        b"(message not signed)\r\n header.d=none;dmarc=fail action=oreject\r\n header.from=customers.test;"
        b"compauth=fail reason=000\r\n"
        b"Authentication-Results: spf=pass smtp.mailfrom=customers.test; dmarc=pass header.from=customers.test\r\n"
    ) + mail()
    found = said_by(raw, TOPMOST)
    assert found is not None
    assert (found.spf, found.dkim, found.dmarc) == ("fail", "none", "fail")
    assert said_by(raw, GMAIL) is None
    assert said_by(raw, TrustedHosts()) is None


def test_our_own_hosts_arc_verdict_stands_in_for_a_missing_one() -> None:
    raw = mail(headers=["ARC-Authentication-Results: i=2; mx.google.com; dmarc=fail; spf=none"])
    found = said_by(raw, GMAIL)
    assert found is not None
    assert found.dmarc == "fail"
    older = mail(
        headers=[
            "ARC-Authentication-Results: i=3; mx.attacker.test; dmarc=pass",
            "ARC-Authentication-Results: i=1; mx.google.com; dmarc=pass",
        ]
    )
    assert said_by(older, GMAIL) is None


@pytest.mark.parametrize("value", ["(" * 7000, "a; " + "x=y " * 1900, "a;" + "dkim=pass (" * 700, ";" * 7000, "=", ""])
def test_a_broken_verdict_of_our_host_is_survived(value: str) -> None:
    raw = mail(headers=[f"Authentication-Results: mx.google.com; {value}"])
    found = said_by(raw, GMAIL)
    assert found is None or not found.failed
    assert said_by(mail(headers=[f"Authentication-Results: {value}"]), TOPMOST) is not None


def test_gmail_needs_no_setting() -> None:
    box = Mailbox(name="a", host="imap.gmail.com", username="x", password=Secret.model_validate({"value": "y"}))
    assert box.trusted_hosts.names == {"mx.google.com"}


# --- worked out ------------------------------------------------------------------------------------------------------


async def test_a_mail_from_the_domains_own_server_passes(desk: MailDesk) -> None:
    entry = await came(desk, mail())
    found = entry.data["mail"]["authentication"]
    assert (found["spf"], found["dkim"], found["dmarc"], found["by"]) == ("pass", "none", "pass", "desk")
    assert "suspicious" not in entry.data["mail"]


async def test_a_forged_author_fails_and_is_marked(desk: MailDesk) -> None:
    entry = await came(desk, mail(), sender="mallory@elsewhere.test")
    found = entry.data["mail"]["authentication"]
    assert (found["spf"], found["spf_domain"], found["dmarc"]) == ("fail", "elsewhere.test", "fail")
    assert found["policy"] == "reject"
    assert entry.data["mail"]["suspicious"] == [{"why": "dmarc_fail", "domain": "customers.test"}]
    assert entry.data["mail"]["silence"] == "dmarc_fail"


async def test_a_signature_of_the_authors_domain_is_enough(desk: MailDesk, key: DkimKey) -> None:
    raw = DkimSigning([key]).signed(mail(), "anna@customers.test")
    entry = await came(desk, raw, sender="forwarder@elsewhere.test")
    found = entry.data["mail"]["authentication"]
    assert (found["spf"], found["dkim"], found["dkim_domain"], found["dmarc"]) == (
        "fail", "pass", "customers.test", "pass",
    )  # fmt: skip


async def test_a_changed_body_breaks_the_signature(desk: MailDesk, key: DkimKey) -> None:
    raw = DkimSigning([key]).signed(mail(), "anna@customers.test").replace(b"parcel?", b"money??")
    entry = await came(desk, raw, sender="forwarder@elsewhere.test")
    assert entry.data["mail"]["authentication"]["dkim"] == "fail"
    assert entry.data["mail"]["authentication"]["dmarc"] == "fail"


async def test_a_signature_of_another_domain_proves_nothing_about_the_author(desk: MailDesk, key: DkimKey) -> None:
    raw = dkim.sign(mail(), b"s1", b"customers.test", _traditional(key))
    forged = raw + mail().replace(b"anna@customers.test", b"ceo@strict.test")
    entry = await came(desk, forged, sender="anna@customers.test")
    assert entry.data["mail"]["authentication"]["dmarc"] == "fail"


async def test_strict_alignment_does_not_count_a_subdomain(desk: MailDesk) -> None:
    entry = await came(desk, mail(from_="anna@strict.test"), sender="anna@mail.strict.test")
    assert entry.data["mail"]["authentication"] == {
        "spf": "pass", "spf_domain": "mail.strict.test", "dkim": "none", "dmarc": "fail", "by": "desk",
        "policy": "quarantine",
    }  # fmt: skip


async def test_a_subdomain_falls_under_the_policy_of_its_organisation(desk: MailDesk) -> None:
    entry = await came(desk, mail(from_="anna@shop.customers.test"), sender="mallory@elsewhere.test")
    assert entry.data["mail"]["authentication"]["dmarc"] == "fail"


async def test_a_domain_without_a_policy_is_not_accused(desk: MailDesk) -> None:
    entry = await came(desk, mail(from_="anna@elsewhere.test"), sender="anna@elsewhere.test")
    assert entry.data["mail"]["authentication"]["spf"] == "fail"
    assert entry.data["mail"]["authentication"]["dmarc"] == "none"
    assert "suspicious" not in entry.data["mail"]


async def test_a_forged_verdict_does_not_save_a_forged_author(desk: MailDesk) -> None:
    forged = mail(headers=["Authentication-Results: localhost; dmarc=pass header.from=customers.test"])
    entry = await came(desk, forged, sender="mallory@elsewhere.test")
    assert entry.data["mail"]["authentication"]["dmarc"] == "fail"


async def test_behind_our_own_mail_server_nobody_is_accused_for_its_address(
    sqlite_url: str, tmp_path: Path, clock: ManualClock, names: DnsServer, key: DkimKey
) -> None:
    async with checking(sqlite_url, tmp_path, clock, names, listener=Listener(smtp_port=0)) as desk:
        entry = await came(desk, mail(), sender="mallory@elsewhere.test")
        assert "authentication" not in entry.data["mail"]
        assert names.asked == []
        signed = DkimSigning([key]).signed(mail(message_id="<two@customers.test>"), "anna@customers.test")
        entry = await came(desk, signed)
        assert entry.data["mail"]["authentication"]["dmarc"] == "pass"
        broken = DkimSigning([key]).signed(mail(message_id="<three@customers.test>"), "anna@customers.test")
        entry = await came(desk, broken.replace(b"parcel?", b"money??"))
        assert (entry.data["mail"]["authentication"]["dkim"], entry.data["mail"]["authentication"]["dmarc"]) == (
            "fail", "none",
        )  # fmt: skip


async def test_name_servers_that_do_not_answer_lose_no_mail_and_accuse_nobody(desk: MailDesk) -> None:
    entry = await came(desk, mail(from_="anna@down.test"), sender="anna@down.test")
    assert entry.data["mail"]["authentication"]["spf"] == "temperror"
    assert entry.data["mail"]["authentication"]["dmarc"] == "temperror"
    assert "suspicious" not in entry.data["mail"]


async def test_slow_name_servers_of_many_mails_delay_nobody_else_by_more_than_a_second(desk: MailDesk) -> None:
    def deliver_all() -> None:
        for number in range(7):
            deliver_smtp(
                desk, mail(from_="anna@down.test", message_id=f"<slow-{number}@down.test>"), sender="anna@down.test"
            )
        deliver_smtp(desk, mail("Quick", subject="Quick", message_id="<quick@customers.test>"))

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(deliver_all)
    began = loop.time()
    while ["Quick"] not in [await desk.texts(one) for one in await desk.conversations()]:
        assert loop.time() - began < 3, "the quick mail waits for the slow ones"
        await asyncio.sleep(0.02)
    assert len(await desk.conversations()) < 8, "the slow ones should still be waiting: the test proves nothing"
    await desk.settled()
    assert len(await desk.conversations()) == 8


async def test_a_big_signed_mail_is_verified_without_holding_up_the_loop(desk: MailDesk, key: DkimKey) -> None:
    raw = DkimSigning([key]).signed(mail(("x" * 70 + "\r\n") * 60_000), "anna@customers.test")
    entry = await came(desk, raw, sender="forwarder@elsewhere.test")
    assert entry.data["mail"]["authentication"]["dkim"] == "pass"


@pytest.mark.parametrize(
    "field",
    [
        "v=1; a=rsa-sha256; d=customers.test; s=s1; h=" + ":".join(f"x{n}" for n in range(3000)) + "; bh=; b=",
        "v=1; a=rsa-sha1; d=customers.test; s=s1; h=from; bh=AAAA; b=AAAA",
        "v=1; a=rsa-sha256; d=customers.test; s=s1; l=0; h=from; bh=AAAA; b=AAAA",
        "nonsense", "", "v=1; a=rsa-sha256; d=\xff; s=; h=; b=; bh=",
    ],
)  # fmt: skip
async def test_a_hostile_signature_field_never_counts(desk: MailDesk, field: str) -> None:
    folded = field.replace(":", ":\r\n ")
    raw = f"DKIM-Signature: {folded}\r\n".encode("latin-1") + mail()
    entry = await came(desk, raw, sender="mallory@elsewhere.test")
    assert entry.data["mail"]["authentication"]["dkim"] != "pass"
    assert entry.data["mail"]["authentication"]["dmarc"] == "fail"


async def test_a_giant_key_is_not_calculated_with(desk: MailDesk, names: DnsServer, key: DkimKey) -> None:
    names.txt(key.name, "v=DKIM1; k=rsa; p=" + "A" * 20_000)
    raw = DkimSigning([key]).signed(mail(), "anna@customers.test")
    entry = await came(desk, raw, sender="mallory@elsewhere.test")
    assert entry.data["mail"]["authentication"]["dkim"] == "fail"


def _traditional(key: DkimKey) -> bytes:
    loaded = serialization.load_pem_private_key(key.key.get_secret_value().encode(), None)
    return loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


# --- domains ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "whose"),
    [
        ("mail.shop.co.uk", "shop.co.uk"), ("shop.fi", "shop.fi"), ("a.b.customers.test", "customers.test"),
        ("co.uk", "co.uk"), ("localhost", "localhost"), ("MAIL.Bücher.de.", "xn--bcher-kva.de"), ("", ""),
        ("a..b", "a..b"),
    ],
)  # fmt: skip
def test_the_organisation_behind_a_domain(domain: str, whose: str) -> None:
    assert organisation(domain) == whose


@pytest.mark.parametrize(
    ("domain", "known"),
    [
        ("exarnple.com", "example.com"), ("examp1e.com", "example.com"), ("exampel.com", "example.com"),
        ("examplle.com", "example.com"), ("exmple.com", "example.com"), ("example.co", "example.com"),
        ("xn--pple-43d.com", "apple.com"), ("аpple.com", "apple.com"), ("mail.exarnple.com", "www.example.com"),
        ("ex-ample.com", "example.com"), ("customer.test", "customers.test"),
    ],
)  # fmt: skip
def test_a_domain_made_to_be_mistaken_is_recognised(domain: str, known: str) -> None:
    assert imitated(domain, [known, "unrelated.test"]) is not None


@pytest.mark.parametrize(
    ("domain", "known"),
    [
        ("example.com", "example.com"), ("mail.example.com", "example.com"), ("example.fi", "example.com"),
        ("abc.test", "abd.test"), ("gmail.com", "hotmail.com"), ("shop.co.uk", "shop.com"), ("", "example.com"),
        ("company.test", "elsewhere.test"),
    ],
)  # fmt: skip
def test_an_honest_domain_is_not_accused(domain: str, known: str) -> None:
    assert imitated(domain, [known]) is None
