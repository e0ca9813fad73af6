"""A short, repeatable part of `python -m tests.fuzz`."""

from __future__ import annotations

import pytest

from tests.fuzz.checks import faults
from tests.fuzz.mutations import seeds
from tests.fuzz.run import made

MAILS = seeds()


@pytest.mark.parametrize("seed", range(6))
def test_mails_nobody_would_write_are_read_shown_stored_and_answered(seed: int) -> None:
    for number in range(150):
        found = faults(made(seed, number, MAILS))
        assert not found, f"seed {seed}, number {number}: {found}"


def test_an_answer_to_a_subject_of_words_ending_in_colons_keeps_its_lines_short() -> None:
    subject = b"ct: " * 240
    assert not faults(b"From: a@b.example\r\nTo: help@shop.example\r\nSubject: " + subject + b"\r\n\r\nhi\r\n")
