"""Sends one entry as a mail: to the configured server, or into a folder where none is configured."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import aiosmtplib
import structlog
from sqlalchemy import Connection

from channels.channel import DeliveryFailed, Sent
from channels.email.compose import Draft, Quoted, Signature, compose
from channels.email.record import MailData
from channels.email.serialise import OutgoingFile, serialise
from channels.email.settings import EmailSettings, Outgoing, TlsMode
from inbox import deliveries, mail_ids
from inbox.clock import Clock
from inbox.errors import NotFound
from inbox.people import operators
from inbox.store import attachments
from inbox.store.attachments import AttachmentFacts, AttachmentFolder
from inbox.store.database import Database
from inbox.store.transaction import Transaction
from inbox.vocabulary import ConversationId, Delivery, EntryId, EntryKind
from inbox.waits import calendar
from inbox.words import N_, Words

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Loaded:
    entry: mail_ids.SentMail
    html: str | None
    files: Sequence[AttachmentFacts]
    signature: Signature
    quoted: Quoted | None
    language: str | None
    reply_token: str


class EmailSender:
    """The email channel's `Sender`. An entry sent again keeps its Message-ID, so a repeat is recognisable."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: EmailSettings,
        words: Words,
        folder: AttachmentFolder,
        house: str = "",
    ) -> None:
        self._db, self._clock, self._settings = db, clock, settings
        self._words, self._folder, self._house = words, folder, house

    async def __call__(self, conversation_id: ConversationId, entry_id: EntryId) -> Sent:
        now = self._clock.now()
        loaded = await self._db.read(_load, conversation_id, entry_id, now=now, house=self._house)
        fixed = loaded.entry.data.get("mail")
        if not fixed:
            raise DeliveryFailed("This entry has no recipients.", retry=False)
        mail = cast(MailData, fixed)
        await self._db.write(_register, mail["message_id"], conversation_id, entry_id)
        try:
            raw = await asyncio.to_thread(self._composed, loaded, mail, now)
        except (ValueError, OSError) as error:
            raise DeliveryFailed(str(error), retry=isinstance(error, OSError)) from error
        if self._settings.outgoing is None:
            name = await asyncio.to_thread(_keep, self._settings.keep_folder, entry_id, raw)
            return Sent(Delivery.KEPT, {"kept_as": name})
        automatic = loaded.entry.kind is EntryKind.AUTOREPLY
        return await self._send(self._settings.outgoing, entry_id, loaded.entry.data, mail, raw, automatic=automatic)

    def _composed(self, loaded: _Loaded, mail: MailData, now: datetime) -> bytes:
        if sum(one.size_bytes for one in loaded.files) > self._settings.max_attachments_bytes:
            most = self._settings.max_attachments_bytes // 1_000_000
            raise ValueError(f"The attachments are larger than the {most} MB this desk may send in one mail.")
        files = [
            OutgoingFile(one.name, one.media_type, self._folder.path(one.digest).read_bytes(), one.content_id or "")
            for one in loaded.files
        ]
        automatic = loaded.entry.kind is EntryKind.AUTOREPLY
        reply_to = ""
        if self._settings.reply_tokens and not automatic:
            local, _, domain = mail["author"]["address"].rpartition("@")
            reply_to = f"{local}+{loaded.reply_token}@{domain}"
        return serialise(
            compose(
                Draft(
                    mail=mail,
                    text=loaded.entry.text,
                    html=loaded.html,
                    date=now,
                    signature=Signature(house=loaded.signature.house) if automatic else loaded.signature,
                    quoted=None if automatic or not self._settings.quote_history else loaded.quoted,
                    files=files,
                    automatic=automatic,
                    language=self._words.choose(loaded.language),
                    reply_to=reply_to,
                ),
                self._words,
            )
        )

    async def _send(
        self,
        server: Outgoing,
        entry_id: EntryId,
        data: Mapping[str, Any],
        mail: MailData,
        raw: bytes,
        *,
        automatic: bool,
    ) -> Sent:
        everybody = list(dict.fromkeys(one["address"] for one in (*mail["to"], *mail["cc"])))
        answers: dict[str, str] = dict(data.get("recipients", {}))
        left = [one for one in everybody if not answers.get(one, "").startswith("2")]
        if not left:
            return Sent(Delivery.SENT, {"recipients": answers})
        # RFC 3834, 3.3: nothing may answer an automatic answer, so it has no return path.
        envelope_sender = "" if automatic else mail["author"]["address"]
        later = await self._hand_over(server, envelope_sender, left, raw, answers)
        if later:
            await self._db.write(_note_progress, entry_id, answers)
            raise DeliveryFailed("; ".join(f"{one}: {answers[one]}" for one in later)[:1000], retry=True)
        refused_to = [one["address"] for one in mail["to"] if answers.get(one["address"], "").startswith("5")]
        if len(refused_to) == len(mail["to"]):
            await self._db.write(_note_progress, entry_id, answers)
            raise DeliveryFailed("; ".join(f"{one}: {answers[one]}" for one in refused_to)[:1000], retry=False)
        return Sent(Delivery.SENT, {"recipients": answers})

    async def _hand_over(
        self, server: Outgoing, envelope_sender: str, recipients: Sequence[str], raw: bytes, answers: dict[str, str]
    ) -> list[str]:
        """Fill `answers` with what the server said for each recipient; return those worth another try."""
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls is TlsMode.TLS,
            start_tls=server.tls is TlsMode.STARTTLS,
            username=server.username,
            password=server.password.read() if server.password else None,
            timeout=server.timeout_seconds,
        )
        try:
            async with client:
                refused, said = await client.sendmail(envelope_sender, [_ascii(one) for one in recipients], raw)
        except aiosmtplib.SMTPRecipientsRefused as error:
            for refusal in error.recipients:
                answers[_as_given(refusal.recipient, recipients)] = f"{refusal.code} {refusal.message}"[:300]
        except aiosmtplib.SMTPAuthenticationError as error:
            said = f"{error.code} {error.message}"
            raise DeliveryFailed(f"{N_('The mail server refused the sign-in')}: {said}", retry=True) from error
        except aiosmtplib.SMTPResponseException as error:
            # RFC 5321, 4.2.1: replies 4yz may succeed later, 5yz will not.
            raise DeliveryFailed(f"{error.code} {error.message}"[:1000], retry=error.code < 500) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryFailed(f"{N_('The mail server could not be reached')}: {error}"[:1000], retry=True) from error
        else:
            for one in recipients:
                answers[one] = f"250 {said}"[:200]
            for address, response in refused.items():
                answers[_as_given(address, recipients)] = f"{response.code} {response.message}"[:300]
        return [one for one in recipients if answers.get(one, "4").startswith("4")]


def _ascii(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}@{domain.encode('idna').decode('ascii')}"


def _as_given(address: str, recipients: Sequence[str]) -> str:
    return next((one for one in recipients if _ascii(one).casefold() == address.casefold()), address)


def _load(
    conn: Connection, conversation_id: ConversationId, entry_id: EntryId, *, now: datetime, house: str
) -> _Loaded:
    entry = mail_ids.mail(conn, entry_id)
    if entry is None:
        raise DeliveryFailed("The entry is gone.", retry=False)
    facts = mail_ids.outgoing_facts(conn, entry_id)
    signature = Signature(house=house)
    if facts.operator_id is not None:
        try:
            operator = operators.get(conn, facts.operator_id)
            signature = Signature(operator.name, operator.title, house)
        except NotFound:
            pass
    quoted: Quoted | None = None
    answered_id = entry.data.get("answers")
    answered = mail_ids.mail(conn, EntryId(answered_id)) if answered_id else None
    # Somebody who joined by an id of ours has not seen what came before: they get no history with the answer.
    if answered is not None and not answered.data.get("mail", {}).get("stranger"):
        author = answered.data.get("mail", {}).get("author", {})
        zone = ZoneInfo(calendar.timetable(conn, now).at(now).zone)
        quoted = Quoted(
            author=f"{author.get('name', '')} <{author.get('address', '')}>".strip(),
            written_at=answered.created_at.astimezone(zone),
            text=answered.text,
        )
    return _Loaded(
        entry=entry,
        html=facts.html,
        files=attachments.of_entry(conn, entry_id),
        signature=signature,
        quoted=quoted,
        language=facts.language,
        reply_token=mail_ids.reply_token(conn, conversation_id),
    )


def _register(tx: Transaction, message_id: str, conversation_id: ConversationId, entry_id: EntryId) -> None:
    mail_ids.register(tx, message_id, conversation_id, entry_id=entry_id, ours=True)


def _note_progress(tx: Transaction, entry_id: EntryId, answers: dict[str, str]) -> None:
    deliveries.set_delivery(tx, entry_id, Delivery.DELAYED, data={"recipients": answers})


def _keep(folder: Path, entry_id: EntryId, raw: bytes) -> str:
    """Blocking: write the mail where a person can find it; the same entry again replaces its file."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{entry_id:08d}.eml"
    with tempfile.NamedTemporaryFile(dir=folder, delete=False, suffix=".part") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, folder / name)
    return name
