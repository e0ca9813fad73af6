"""Whatever customers and operators write, what leaves is ASCII in short lines, and reads back as it was meant."""

from __future__ import annotations

import base64
import email
import email.policy
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.email.addresses import MailAddress
from channels.email.compose import Draft, Quoted, compose
from channels.email.html_guard import is_within_guard
from channels.email.record import MailData
from channels.email.sender import given_ids
from channels.email.serialise import OutgoingFile, OutgoingMail, Unsubscribe, new_message_id, serialise
from channels.email.thread_index import as_kept, child_of
from inbox import signature
from inbox.words import Words

NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
WORDS = Words(Path("web/locales"))
NASTY = st.text(
    st.one_of(
        st.sampled_from("\r\n\x00\t\x0b\x0c\x1b\x7f\x85\u2028\u2029\u202e\ufeff=?<>@,;:\"'()[]\\ ä€😀ა"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=300,
)
LONG = st.one_of(NASTY, st.integers(1, 4000).map(lambda n: "x" * n), st.integers(1, 900).map(lambda n: "ä b" * n))
ADDRESSES = st.builds(MailAddress, LONG, st.from_regex(r"\A[a-z0-9._%+-]{1,30}@[a-z0-9]{1,20}\.(example|test|päivä)\Z"))


def is_clean(raw: bytes) -> bool:
    lines = raw.split(b"\r\n")
    return (
        max(raw) < 128
        and 0 not in raw
        and raw.endswith(b"\r\n")
        and not any(b"\r" in line or b"\n" in line for line in lines)
        and max(len(line) for line in lines) <= 998
    )


@settings(max_examples=150, deadline=None)
@given(
    sender=ADDRESSES, to=st.lists(ADDRESSES, min_size=1, max_size=8), cc=st.lists(ADDRESSES, max_size=8),
    subject=LONG, ids=st.lists(LONG, max_size=90), text=LONG, html=LONG, name=LONG, index=LONG, link=LONG,
)  # fmt: skip
def test_no_value_breaks_out_of_its_place(
    sender: MailAddress, to: list[MailAddress], cc: list[MailAddress], subject: str, ids: list[str], text: str,
    html: str, name: str, index: str, link: str,
) -> None:  # fmt: skip
    raw = serialise(
        OutgoingMail(
            sender, to, cc, subject, new_message_id("desk.test"), NOW, text, html,
            reply_to=sender, in_reply_to=ids[0] if ids else "", references=ids, language=name,
            files=[OutgoingFile(name, name, b"abc"), OutgoingFile(name, "image/png", b"abc", name or "c")],
            thread_index=index, thread_topic=subject, unsubscribe=Unsubscribe(link, "help@desk.test", link),
        )
    )  # fmt: skip
    assert is_clean(raw)
    read = email.message_from_bytes(raw)
    known = {
        "date", "from", "to", "cc", "reply-to", "subject", "message-id", "x-desk-message-id", "in-reply-to",
        "references", "thread-index", "thread-topic", "list-unsubscribe", "list-unsubscribe-post", "content-language",
        "mime-version", "content-type", "content-transfer-encoding",
    }  # fmt: skip
    assert {header.lower() for header in read} <= known
    assert len(read.get_all("To", [])) == 1
    assert read.is_multipart()


@settings(max_examples=60, deadline=None)
@given(text=LONG, understood=LONG, name=LONG, template=LONG, history=LONG)
def test_words_block_signature_and_history_stay_words(
    text: str, understood: str, name: str, template: str, history: str
) -> None:
    raw = composed(
        text, block={"understood": understood, "on_top": True}, name=name, template=template, history=history
    )
    assert is_clean(raw)
    html = part(email.message_from_bytes(raw, policy=email.policy.default), "html")
    assert not re.search(r"<(script|style|iframe|img|form|object)", html, re.IGNORECASE)


def composed(
    text: str, *, block: dict[str, object] | None = None, name: str = "Bea", template: str = signature.BUILT_IN,
    history: str = "", html: str | None = None, index: str = "", language: str = "en",
) -> bytes:  # fmt: skip
    mail: MailData = {
        "subject": "Parcel", "message_id": "<1@desk.test>", "author": {"name": "Help", "address": "help@desk.test"},
        "to": [{"name": "", "address": "ann@shop.example"}], "cc": [],
    }  # fmt: skip
    if index:
        mail["thread_index"], mail["thread_topic"] = index, "Parcel"
    lines = signature.lines(template, name=name, role="Customer care", desk="The Shop")
    quoted = Quoted("Ann <ann@shop.example>", NOW, history) if history else None
    draft = Draft(
        mail=mail, text=text, html=html, sent_at=NOW, written_at=NOW, signature=lines, quoted=quoted, files=(),
        automatic=False, language=language, block=block,
    )  # fmt: skip
    return serialise(compose(draft, WORDS))


def read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def test_styles_stand_in_the_elements_and_the_history_below() -> None:
    html = part(read(composed("Here **it** is.", history="Where is it?")), "html")
    assert "<style" not in html
    assert re.search(r'<div class="signature" style="[^"]*color: ?#555', html)
    assert "<strong" in html
    assert html.index("it") < html.index("Customer care") < html.index("Where is it?")


def test_the_block_is_in_both_parts_in_the_readers_language() -> None:
    block = {"understood": "You wait.", "needed": "A photo\nof it", "by": "2026-03-12", "on_top": True}
    mail = read(composed("Hello Ann,", block=block))
    assert part(mail, "plain").startswith(
        "What we understood:\n  You wait.\n\nWhat we need from you by March 12, 2026:\n  A photo\n  of it\n\nHello Ann,"
    )
    html = part(mail, "html")
    assert html.index("What we understood") < html.index("You wait.") < html.index("Hello Ann")
    assert "What we did" not in html
    below = part(read(composed("Hello Ann,", block={**block, "on_top": False})), "plain")
    assert below.index("Hello Ann") < below.index("What we understood") < below.index("Customer care")


def test_html_nested_without_end_leaves_as_its_words() -> None:
    """The inliner ends the whole process somewhere above ten thousand nested elements."""
    raw = composed("The words themselves.", html="<b>" * 30_000 + "deep")
    assert "The words themselves." in part(read(raw), "html")
    assert is_within_guard(part(read(raw), "html"))
    assert "> " * 40 not in part(read(composed("> " * 30_000 + "deep")), "html")


def test_a_line_of_the_signature_without_values_is_left_out() -> None:
    template = "Best wishes\n{name}, {role}\n{role}\n{desk} · +358 9 1234"
    assert signature.lines(template, name="Bea", role="", desk="The Shop") == [
        "Best wishes", "Bea,", "The Shop · +358 9 1234",
    ]  # fmt: skip
    assert signature.lines("{name}", name="{role}", role="x", desk="") == ["{role}"]
    assert signature.lines("{name}", name="", role="", desk="") == []


def test_thread_index_goes_on_by_one_block_and_is_the_same_when_sent_again() -> None:
    root = base64.b64encode(bytes.fromhex("01dbc0ffee00") + bytes(range(16))).decode()
    kept = as_kept(root.encode())
    child = child_of(kept, at=NOW, unique="<1@desk.test>")
    assert base64.b64decode(child)[:22] == base64.b64decode(root)
    assert len(base64.b64decode(child)) == 27
    assert child == child_of(kept, at=NOW, unique="<1@desk.test>")
    assert child != child_of(kept, at=NOW, unique="<2@desk.test>")
    assert len(base64.b64decode(child_of(child, at=NOW, unique="x"))) == 32
    assert as_kept(b"no base64!") == as_kept(b"c2hvcnQ=") == ""
    mail = read(composed("Hello", index=kept))
    assert str(mail["Thread-Index"]).replace(" ", "") == child
    assert mail["Thread-Topic"] == "Parcel"


def test_a_very_long_thread_index_grows_no_more() -> None:
    index = base64.b64encode(bytes(1000) + bytes(20)).decode()
    for _ in range(50):
        index = child_of(index, at=NOW, unique="x")
    assert len(base64.b64decode(index)) <= 1022


@pytest.mark.parametrize(
    ("said", "host", "ids"),
    [
        ("2.0.0 OK <AM9PR01@AM9PR01.eurprd01.prod.exchangelabs.com> [Hostname=x]", "smtp.office365.com",
         ["<AM9PR01@AM9PR01.eurprd01.prod.exchangelabs.com>"]),
        ("Ok 0102017f1a2b3c4d-11111111-2222-3333-4444-555555555555-000000", "email-smtp.eu-west-1.amazonaws.com",
         ["<0102017f1a2b3c4d-11111111-2222-3333-4444-555555555555-000000@eu-west-1.amazonses.com>"]),
        ("Ok 0102017f1a2b3c4d-11111111-2222-3333-4444-555555555555-000000", "email-smtp.us-east-1.amazonaws.com",
         ["<0102017f1a2b3c4d-11111111-2222-3333-4444-555555555555-000000@email.amazonses.com>"]),
        ("2.0.0 Ok: queued as 4Xyz1234", "mail.example", []),
    ],
)  # fmt: skip
def test_the_id_a_service_gives_the_mail_is_learnt_from_its_answer(said: str, host: str, ids: list[str]) -> None:
    assert given_ids(said, host) == ids
