"""Mails as they really come: each file in `mails/` is read, and what stands in the JSON beside it must be true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from channels.email.intake import mail_data
from channels.email.parse import parse
from channels.email.record import InboundMail

MAILS = sorted((Path(__file__).parent / "mails").glob("*.eml"))
OWN = frozenset({"help@shop.example"})


def seen(mail: InboundMail) -> dict[str, Any]:
    new, signature = mail.folds.apart(mail.text)
    return {
        "subject": mail.subject,
        "author": mail.author.address,
        "author_name": mail.author.name,
        "message_id": mail.message_id,
        "to": [one.address for one in mail.to],
        "cc": [one.address for one in mail.cc],
        "in_reply_to": list(mail.in_reply_to),
        "references": list(mail.references),
        "text": mail.text,
        "new_text": new,
        "html": mail.html or "",
        "signature": signature,
        "attachments": [[one.name, one.media_type] for one in mail.attachments],
        "machine": mail.machine.kind.value if mail.machine else None,
        "silence": mail.silence,
        "report": [[r.address, r.action.value, r.status] for r in (mail.report.recipients if mail.report else ())],
        "report_ids": list(mail.report.message_ids) if mail.report else [],
        "protection": mail.protection.value,
        "invitation": mail.invitation,
        "appointment": mail_data(mail, ()).get("appointment"),
        "list_post": mail.list_post,
        "notes": list(mail.notes),
        "whole": mail.folds.quoted_from is None and mail.folds.signature_from is None,
    }


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_a_mail_is_read_as_expected(path: Path) -> None:
    expected: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    found = seen(parse(path.read_bytes(), own_addresses=OWN))
    for key, value in expected.items():
        what, _, check = key.rpartition("_")
        if check in ("has", "have"):
            assert value in (found[what] or ""), key
        elif check == "lacks":
            assert found[what] is not None, f"{what} is not there"
            assert value not in found[what], key
        else:
            assert found[key] == value, key
    assert "unreadable" not in found["notes"]


def test_there_are_expectations_for_every_mail() -> None:
    assert len(MAILS) >= 175
    assert all(path.with_suffix(".json").exists() for path in MAILS)
