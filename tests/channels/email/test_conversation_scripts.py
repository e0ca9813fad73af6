"""Conversations of several mails, each a file in `conversations/`: where every mail lands, and exactly whom each answer
reaches and under which headers. Everything between the raw mail and the raw answer is the real thing.

`$1` stands for the Message-ID of our first answer, `$2` for the second.
"""

from __future__ import annotations

import json
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from channels.email.intake_worker import IntakeWorker
from channels.email.keeping import fingerprint, keep_from_smtp
from inbox.clock import ManualClock
from inbox.store.attachments import AttachmentFolder
from inbox.vocabulary import ArrivalState, ConversationId, OperatorId
from tests.channels.email.desk import MailDesk, open_desk

SCRIPTS = sorted((Path(__file__).parent / "conversations").glob("*.json"))
SET_ASIDE = "set aside"


class Script:
    """One desk on which a script is played. Conversations are called by letters, given when first met."""

    def __init__(self, desk: MailDesk, worker: IntakeWorker, operator: OperatorId) -> None:
        self.desk, self.worker, self.operator = desk, worker, operator
        self.letters: dict[str, ConversationId] = {}
        self.answers: list[EmailMessage] = []

    def ids(self, written: str) -> str:
        for number, answer in enumerate(self.answers, 1):
            written = written.replace(f"${number}", str(answer["Message-ID"]))
        return written

    async def mail(self, step: dict[str, Any]) -> None:
        before = await self._entries()
        await self._deliver(step)
        letter = step["lands"]
        if letter == SET_ASIDE or letter.startswith("copy of "):
            assert await self._entries() == before, f"{step['id']} made an entry"
            (line, *_) = await self.desk.tray(ArrivalState.SET_ASIDE)
            assert line is not None
            return
        new = {entry: where for entry, where in (await self._entries()).items() if entry not in before}
        assert len(new) == 1, f"{step['id']} made {len(new)} entries"
        ((entry_id, where),) = new.items()
        if letter not in self.letters:
            assert where not in self.letters.values(), f"{step['id']} joined another conversation"
        assert self.letters.setdefault(letter, where) == where, f"{step['id']} landed elsewhere"
        (entry,) = (one for one in await self.desk.timeline(where) if one.id == entry_id)
        assert entry.kind == step.get("kind", "message")
        assert bool(entry.data["mail"].get("stranger")) is step.get("stranger", False)

    async def _deliver(self, step: dict[str, Any]) -> None:
        fields = {"From": "from", "To": "to", "Cc": "cc", "Subject": "subject", "Message-ID": "id"}
        lines = [f"{name}: {step[key]}" for name, key in fields.items() if key in step]
        for name, key in (("In-Reply-To", "in_reply_to"), ("References", "references")):
            if key in step:
                lines.append(f"{name}: {self.ids(step[key])}")
        lines += ["Date: Tue, 10 Mar 2026 12:00:00 +0200", *step.get("headers", ()), "MIME-Version: 1.0"]
        lines += ["Content-Type: text/plain; charset=utf-8", "", step["text"], ""]
        raw = "\r\n".join(lines).encode()
        await self.desk.db.write(
            keep_from_smtp,
            raw,
            source="smtp",
            sender=step.get("envelope_sender", "bounces@customers.test"),
            recipients=step.get("envelope", ["help@desk.test"]),
            peer="127.0.0.1",
            digest=fingerprint(raw),
            now=self.desk.clock.now(),
        )
        await self.worker.work_off()
        await self.worker.all_read()

    async def reply(self, step: dict[str, Any]) -> None:
        known = {str(one["Message-ID"]) for one in self.desk.kept()}
        await self.desk.reply(self.operator, self.letters[step["in"]], step["text"])
        (sent,) = (one for one in self.desk.kept() if str(one["Message-ID"]) not in known)
        for name, wanted in step["sends"].items():
            found = None if sent[name] is None else " ".join(str(sent[name]).split())
            assert found == (wanted if wanted is None else self.ids(wanted)), name
        assert sent["Bcc"] is None
        assert sent["Auto-Submitted"] is None
        self.answers.append(sent)

    async def _entries(self) -> dict[int, ConversationId]:
        """Entries that came by mail, and where they are."""
        return {
            int(entry.id): conversation
            for conversation in await self.desk.conversations()
            for entry in await self.desk.timeline(conversation)
            if "mail" in entry.data and entry.kind in ("message", "report")
        }


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
async def test_a_conversation_goes_as_its_script_says(
    path: Path, tmp_path: Path, sqlite_url: str, clock: ManualClock
) -> None:
    script = json.loads(path.read_text(encoding="utf-8"))
    async with open_desk(sqlite_url, tmp_path, clock=clock, background=False) as desk:
        folder = AttachmentFolder(tmp_path / "attachments")
        async with IntakeWorker(desk.db, clock, folder, desk.settings.own_addresses()) as worker:
            played = Script(desk, worker, await desk.operator())
            for step in script["steps"]:
                ((verb, values),) = step.items()
                await getattr(played, verb)(values)
                clock.advance(timedelta(minutes=5))


def test_there_are_enough_scripts() -> None:
    assert len(SCRIPTS) >= 20
