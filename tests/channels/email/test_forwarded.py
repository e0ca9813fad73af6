"""A customer's mail that an operator forwards to the desk becomes the customer's conversation, whatever its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from channels.email.authentication import Authentication
from channels.email.intake import place, store_files
from channels.email.parse import parse
from inbox.reply import Recipients
from inbox.store import arrivals
from inbox.store.attachments import AttachmentFolder
from inbox.vocabulary import EntryKind
from tests.channels.email.desk import MailDesk, mail

WORDS = "Hei, missä paketti on?\n\nTerveisin\nMaija"
OWN = frozenset({"help@desk.test"})


def block(*lines: str, marker: str = "", cover: str = "Can you take this?\n\n", quoted: bool = False) -> str:
    text = "\n".join([*([marker] if marker else []), *lines, "", WORDS])
    if quoted:
        head, _, rest = text.partition("\n") if marker else ("", "", text)
        text = "\n".join([head, "", *(f"> {line}".rstrip() for line in rest.split("\n"))])
    return cover + text


FORMS = {
    "Gmail": (
        "Fwd: Paketti",
        block(
            "From: Maija Virtanen <maija@customers.test>",
            "Date: Tue, Mar 10, 2026 at 9:12 AM",
            "Subject: Paketti",
            "To: <bea@desk.test>",
            "",
            marker="---------- Forwarded message ---------",
        ),
    ),
    "Gmail, bold": (
        "Fwd: Paketti",
        block(
            "From: *Maija Virtanen* <maija@customers.test>",
            "Date: ti 10. maalisk. 2026 klo 9.12",
            "Subject: Paketti",
            "To: Bea <bea@desk.test>",
            marker="---------- Forwarded message ---------",
        ),
    ),
    "Outlook": (
        "FW: Paketti",
        block(
            "From: Maija Virtanen <maija@customers.test>",
            "Sent: Tuesday, March 10, 2026 9:12 AM",
            "To: Bea Berg <bea@desk.test>; Carl",
            "<carl@customers.test>",
            "Subject: Paketti",
            marker="________________________________",
        ),
    ),
    "Outlook, old": (
        "FW: Paketti",
        block(
            "From: Maija Virtanen [mailto:maija@customers.test]",
            "Sent: 10. maaliskuuta 2026 9:12",
            "To: Bea Berg",
            "Subject: Paketti",
            marker="-----Original Message-----",
        ),
    ),
    "Apple": (
        "Fwd: Paketti",
        block(
            "From: Maija Virtanen <maija@customers.test>",
            "Subject: Paketti",
            "Date: 10 March 2026 at 9.12.00 EET",
            "To: bea@desk.test",
            marker="Begin forwarded message:",
            quoted=True,
        ),
    ),
    "Thunderbird": (
        "Fwd: Paketti",
        block(
            "Subject: \tPaketti",
            "Date: \tTue, 10 Mar 2026 09:12:00 +0200",
            "From: \tMaija Virtanen <maija@customers.test>",
            "To: \tbea@desk.test",
            marker="-------- Forwarded Message --------",
        ),
    ),
    "Yahoo": (
        "Fw: Paketti",
        block(
            "From: Maija Virtanen <maija@customers.test>",
            "To: bea@desk.test <bea@desk.test>",
            "Sent: Tuesday, March 10, 2026 at 09:12:00 AM GMT+2",
            "Subject: Paketti",
            marker="----- Forwarded Message -----",
        ),
    ),
    "Finnish Outlook": (
        "VL: Paketti",
        block(
            "Lähettäjä: Maija Virtanen <maija@customers.test>",
            "Lähetetty: tiistai 10. maaliskuuta 2026 9.12",
            "Vastaanottaja: Bea Berg",
            "Aihe: Paketti",
        ),
    ),
    "German": (
        "WG: Paketti",
        block(
            "Von: Maija Virtanen <maija@customers.test>",
            "Gesendet: Dienstag, 10. März 2026 09:12",
            "An: Bea Berg",
            "Betreff: Paketti",
        ),
    ),
    "French": (
        "TR: Paketti",
        block(
            "De : Maija Virtanen <maija@customers.test>",
            "Envoyé : mardi 10 mars 2026 09:12",
            "À : Bea Berg",
            "Objet : Paketti",
        ),
    ),
    "Spanish": (
        "RV: Paketti",
        block(
            "De: Maija Virtanen <maija@customers.test>",
            "Enviado: martes, 10 de marzo de 2026 9:12",
            "Para: Bea Berg",
            "Asunto: Paketti",
        ),
    ),
    "Swedish": (
        "VB: Paketti",
        block(
            "Från: Maija Virtanen <maija@customers.test>",
            "Skickat: den 10 mars 2026 09:12",
            "Till: Bea Berg",
            "Ämne: Paketti",
        ),
    ),
    "Russian": (
        "Fwd: Paketti",
        block(
            "От: Maija Virtanen <maija@customers.test>",
            "Дата: вт, 10 марта 2026 г. в 9:12",
            "Тема: Paketti",
            "Кому: <bea@desk.test>",
            marker="-------- Пересланное сообщение --------",
        ),
    ),
    "Estonian": (
        "Edas: Paketti",
        block(
            "Saatja: Maija Virtanen <maija@customers.test>",
            "Saadetud: teisipäev, 10. märts 2026 9:12",
            "Saaja: Bea Berg",
            "Teema: Paketti",
        ),
    ),
    "Turkish": (
        "ilt: Paketti",
        block(
            "Kimden: Maija Virtanen <maija@customers.test>",
            "Gönderildi: 10 Mart 2026 Salı 09:12",
            "Kime: Bea Berg",
            "Konu: Paketti",
        ),
    ),
    "Hungarian": (
        "Továbbítva: Paketti",
        block(
            "Feladó: Maija Virtanen <maija@customers.test>",
            "Elküldve: 2026. március 10., kedd 9:12",
            "Címzett: Bea Berg",
            "Tárgy: Paketti",
        ),
    ),
    "Georgian": (
        "გადაგზ: Paketti",
        block(
            "გამომგზავნი: Maija Virtanen <maija@customers.test>",
            "თარიღი: 10 მარტი 2026 9:12",
            "მიმღები: Bea Berg",
            "თემა: Paketti",
        ),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_mail_inside_is_found_in_every_programs_form(form: str) -> None:
    subject, text = FORMS[form]
    found = parse(mail(text, from_="Bea <bea@desk.test>", subject=subject), own_addresses=OWN).forwarded
    assert found is not None
    assert (found.author.name, found.author.address) == ("Maija Virtanen", "maija@customers.test")
    assert found.subject == "Paketti"
    assert found.text == WORDS
    assert found.cover == "Can you take this?"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Re: Paketti", FORMS["Outlook"][1]),
        ("Paketti", FORMS["Gmail"][1]),
        ("Fwd: Paketti", "Please see the attached file."),
        ("Fwd: Paketti", block("From: Maija Virtanen", "Sent: today", "Subject: Paketti")),
        ("Fwd: Paketti", "From: a friend\nI heard this."),
        ("Fwd: " + "a" * 5000, "From: " * 20_000),
        ("Fwd: x", ">" * 50_000 + "\nFrom: a@b.test\n" * 5_000),
    ],
)
def test_what_is_no_forward_or_names_no_author_is_nothing(subject: str, text: str) -> None:
    found = parse(mail(text, from_="Bea <bea@desk.test>", subject=subject), own_addresses=OWN).forwarded
    assert found is None or found.author.address == "a@b.test"


def attached(author: str = "Maija Virtanen <maija@customers.test>") -> bytes:
    inner = EmailMessage()
    inner["From"], inner["To"], inner["Subject"] = author, "bea@desk.test", "Paketti"
    inner["Message-ID"], inner["Date"] = "<inner@customers.test>", "Tue, 10 Mar 2026 09:12:00 +0200"
    inner.set_content(WORDS)
    inner.add_attachment(b"%PDF-1.4 receipt", maintype="application", subtype="pdf", filename="receipt.pdf")
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = "Bea <bea@desk.test>", "help@desk.test", "Fwd: Paketti"
    outer["Message-ID"] = "<outer@desk.test>"
    outer.set_content("Can you take this?")
    outer.add_attachment(inner)
    return outer.as_bytes()


async def send(desk: MailDesk, raw: bytes, sender: str = "bea@desk.test") -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=desk.status.ports.smtp, start_tls=False) as client:
        await client.sendmail(sender, ["help@desk.test"], raw)
    await desk.settled()


@pytest.mark.parametrize("form", ["inline", "attached"])
async def test_the_customers_conversation_begins_and_the_answer_goes_to_them(desk: MailDesk, form: str) -> None:
    bea = await desk.operator("Bea Berg")
    raw = (
        attached()
        if form == "attached"
        else mail(FORMS["Gmail"][1], from_="Bea <bea@desk.test>", subject="Fwd: Paketti")
    )
    await send(desk, raw)
    (conversation,) = await desk.conversations()
    (entry,) = await desk.timeline(conversation)
    assert (entry.kind, entry.author_name) == (EntryKind.MESSAGE, "Maija Virtanen")
    assert entry.text == WORDS
    kept = entry.data["mail"]
    assert kept["author"]["address"] == "maija@customers.test"
    assert (kept["brought_by"]["name"], kept["brought_by"]["cover"]) == ("Bea Berg", "Can you take this?")
    assert kept["silence"] == "forwarded"
    assert await desk.waits(conversation) == [True]
    await desk.reply(bea, conversation, "On its way.")
    (answer,) = desk.kept()
    assert answer["To"] == "Maija Virtanen <maija@customers.test>"
    assert answer["Cc"] is None
    assert answer["Subject"] == "Re: Paketti"
    assert answer["In-Reply-To"] == ("<inner@customers.test>" if form == "attached" else None)
    assert "Can you take this?" not in str(answer)
    # What the customer writes next, and the same forward again, arrive in the same conversation or nowhere.
    await send(desk, raw)
    await send(
        desk,
        mail(
            "Thank you!",
            from_="Maija <maija@customers.test>",
            subject="Re: Paketti",
            message_id="<next@customers.test>",
            headers=[f"In-Reply-To: {answer['Message-ID']}"],
        ),
        "maija@customers.test",
    )
    assert await desk.conversations() == [conversation]
    assert await desk.texts(conversation, EntryKind.MESSAGE) == [WORDS, "Thank you!"]


async def test_whoever_is_no_operator_brings_in_nobody_else(desk: MailDesk) -> None:
    await desk.operator("Bea Berg")
    await send(
        desk, mail(FORMS["Gmail"][1], from_="Eve <eve@elsewhere.test>", subject="Fwd: Paketti"), "eve@elsewhere.test"
    )
    (conversation,) = await desk.conversations()
    (entry,) = await desk.timeline(conversation)
    assert entry.author_name == "Eve"
    assert "brought_by" not in entry.data["mail"]


async def test_a_forward_into_a_conversation_of_ours_stays_there(desk: MailDesk) -> None:
    bea = await desk.operator("Bea Berg")
    await send(desk, mail("Where is it?"), "anna@customers.test")
    (conversation,) = await desk.conversations()
    await desk.reply(bea, conversation, "On its way.", recipients=Recipients(cc=["bea@desk.test"]))
    (answer,) = desk.kept()
    await send(
        desk,
        mail(
            FORMS["Gmail"][1],
            from_="Bea <bea@desk.test>",
            subject="Fwd: Paketti",
            message_id="<f@desk.test>",
            headers=[f"In-Reply-To: {answer['Message-ID']}"],
        ),
    )
    assert await desk.conversations() == [conversation]


async def placed(desk: MailDesk, tmp_path: Path, authentication: Authentication) -> Mapping[str, Any]:
    """What is kept of a forward in Bea's name about whose sender this is known."""
    await desk.operator("Bea Berg")
    raw = mail(FORMS["Gmail"][1], from_="Bea <bea@desk.test>", subject="Fwd: Paketti")
    kept = await desk.db.write(
        arrivals.keep, source="test", dedupe_key="forged", raw=raw, envelope={}, now=desk.clock.now()
    )
    understood = store_files(AttachmentFolder(tmp_path / "files"), parse(raw, own_addresses=OWN), raw)
    understood = replace(understood, authentication=authentication)
    await desk.db.write(place, kept.arrival_id, understood, own_addresses=OWN, now=desk.clock.now())
    (conversation,) = await desk.conversations()
    (entry,) = await desk.timeline(conversation)
    found: Mapping[str, Any] = entry.data["mail"]
    return found


async def test_a_forged_operator_brings_in_nobody(desk: MailDesk, tmp_path: Path) -> None:
    found = await placed(desk, tmp_path, Authentication(dmarc="fail"))
    assert found["author"]["address"] == "bea@desk.test"
    assert found["suspicious"][0]["why"] == "dmarc_fail"
    assert "brought_by" not in found


@pytest.mark.parametrize(
    "known",
    [
        Authentication(spf="softfail", spf_domain="desk.test"),
        Authentication(spf="pass", spf_domain="evil.example", dkim="pass", dkim_domain="evil.example"),
        Authentication(dkim="fail", dkim_domain="desk.test"),
        Authentication(dmarc="temperror"),
    ],
)
async def test_where_a_domain_says_nothing_about_forgeries_the_sender_must_be_proven(
    desk: MailDesk, tmp_path: Path, known: Authentication
) -> None:
    found = await placed(desk, tmp_path, known)
    assert found["author"]["address"] == "bea@desk.test"
    assert "brought_by" not in found


@pytest.mark.parametrize(
    "known",
    [
        Authentication(dmarc="pass"),
        Authentication(spf="pass", spf_domain="mail.desk.test"),
        Authentication(dkim="pass", dkim_domain="desk.test"),
    ],
)
async def test_a_proven_operator_brings_the_customer_in(desk: MailDesk, tmp_path: Path, known: Authentication) -> None:
    found = await placed(desk, tmp_path, known)
    assert found["author"]["address"] == "maija@customers.test"
    assert found["brought_by"]["name"] == "Bea Berg"
