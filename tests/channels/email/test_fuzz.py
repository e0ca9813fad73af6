"""A short, repeatable part of `python -m tests.fuzz`."""

from __future__ import annotations

import base64
import struct

import pytest

from channels.email.parse import parse
from tests.fuzz.checks import faults
from tests.fuzz.mutations import seeds
from tests.fuzz.run import made

MAILS = seeds()


@pytest.mark.parametrize("seed", range(6))
def test_mails_nobody_would_write_are_read_shown_stored_and_answered(seed: int) -> None:
    for number in range(150):
        found = faults(made(seed, number, MAILS))
        assert not found, f"seed {seed}, number {number}: {found}"


def test_controls_in_a_winmail_dat_are_not_shown() -> None:
    body = struct.pack("<BII", 1, 0x2800C, 6) + b"a\x00\x1bb\x00\x00" + b"\x00\x00"
    raw = struct.pack("<IH", 0x223E9F78, 1) + body
    head = b"From: a@b.example\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    mail = head + base64.encodebytes(raw)
    assert not faults(mail)
    assert parse(mail).text == "ab"


def test_a_calendar_of_semicolons_is_read_at_once() -> None:
    """One of these made a regular expression run away."""
    line = b"DTSTART" + b";" * 3_000 + b"x"
    head = b"From: a@b.example\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"
    assert not faults(head + line + b"\r\nSUMMARY:Visit\r\nEND:VEVENT\r\n")


def test_an_answer_to_a_subject_of_words_ending_in_colons_keeps_its_lines_short() -> None:
    subject = b"ct: " * 240
    assert not faults(b"From: a@b.example\r\nTo: help@shop.example\r\nSubject: " + subject + b"\r\n\r\nhi\r\n")
