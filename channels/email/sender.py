"""Sends one entry as a mail: to the configured server, or into a folder where none is configured."""

from __future__ import annotations

import asyncio
import os
import re
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
from channels.email.compose import Draft, Quoted, compose
from channels.email.dkim_signing import DkimSigning
from channels.email.mail_tokens import Access, MailTokens
from channels.email.oauth import OAuthRefused
from channels.email.record import MailData
from channels.email.serialise import OutgoingFile, Unsubscribe, serialise
from channels.email.settings import EmailSettings, Outgoing, TlsMode
from inbox import deliveries, mail_ids, outgoing, signature
from inbox.clock import Clock
from inbox.deliveries import Answer
from inbox.errors import NotFound
from inbox.mail_stops import UnsubscribeLinks
from inbox.mailbox_words import explain_trouble
from inbox.people import contacts, operators
from inbox.people.contacts import AddressLine
from inbox.store import attachments
from inbox.store.attachments import AttachmentFacts, AttachmentFolder
from inbox.store.database import Database
from inbox.store.transaction import Transaction
from inbox.vocabulary import AddressKind, ConversationId, Delivery, EntryId, EntryKind, RecipientState
from inbox.waits import calendar
from inbox.words import N_, Words

log = structlog.get_logger(__name__)


_GIVEN_ID = re.compile(r"<([^<>@\s]{6,200}@[^<>@\s]{3,200})>")
_SES = re.compile(r"^(?:250 )?Ok ([0-9a-f-]{40,90})$", re.IGNORECASE)
_SES_HOST = re.compile(r"^email-smtp\.([a-z0-9-]+)\.amazonaws\.com$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Loaded:
    entry: mail_ids.SentMail
    html: str | None
    files: Sequence[AttachmentFacts]
    writer: tuple[str, str]  # name and role; empty for what the desk says by itself
    signature: str  # the house's template
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
        links: UnsubscribeLinks | None = None,
        tokens: MailTokens | None = None,
    ) -> None:
        self._db, self._clock, self._settings = db, clock, settings
        self._words, self._folder, self._house = words, folder, house
        self._links = links
        self._tokens = tokens
        self._signing = DkimSigning(settings.dkim)

    async def __call__(self, conversation_id: ConversationId, entry_id: EntryId) -> Sent:
        now = self._clock.now()
        loaded = await self._db.read(_load, conversation_id, entry_id, now=now)
        fixed = loaded.entry.data.get("mail")
        if not fixed:
            raise DeliveryFailed("This entry has no recipients.", retry=False)
        mail = cast(MailData, fixed)
        await self._db.write(_register, mail, conversation_id, entry_id, now=now)
        copies = _copies(loaded.entry.data)
        if not copies:
            return Sent(Delivery.SENT)
        try:
            raw = await asyncio.to_thread(lambda: [self._composed(loaded, mail, now, copy) for copy in copies])
        except (ValueError, OSError) as error:
            raise DeliveryFailed(str(error), retry=isinstance(error, OSError)) from error
        if self._settings.outgoing is None:
            name = await asyncio.to_thread(keep_file, self._settings.keep_folder, f"{entry_id:08d}.eml", raw[0])
            return Sent(Delivery.KEPT, {"kept_as": name})
        # RFC 3834, 3.3: nothing may answer an automatic answer, so it has no return path.
        envelope_sender = "" if loaded.entry.kind is EntryKind.AUTOREPLY else mail["author"]["address"]
        handing_over = HandingOver(self._settings.outgoing, envelope_sender, self._tokens)
        try:
            await handing_over.run(list(zip(copies, raw, strict=True)))
        finally:
            if handing_over.answers:
                await self._db.write(_note, conversation_id, entry_id, handing_over, now=self._clock.now())
        answers = handing_over.answers
        to = {one["address"] for one in mail["to"]}
        refused = [one for one, answer in answers.items() if answer.state is RecipientState.FAILED and one in to]
        later = [one for one, answer in answers.items() if answer.state is RecipientState.DELAYED]
        if later:
            if refused:  # who is answered will not get it: said now, not when the copies are through
                await self._db.write(deliveries.tell_lost, entry_id, now=self._clock.now())
            raise DeliveryFailed("; ".join(f"{one}: {answers[one].said}" for one in later)[:1000], retry=True)
        if refused:
            raise DeliveryFailed("; ".join(f"{one}: {answers[one].said}" for one in refused)[:1000], retry=False)
        return Sent(Delivery.SENT)

    def _composed(self, loaded: _Loaded, mail: MailData, now: datetime, copy: Sequence[str]) -> bytes:
        if sum(one.size_bytes for one in loaded.files) > self._settings.max_attachments_bytes:
            most = self._settings.max_attachments_bytes // 1_000_000
            raise ValueError(f"The attachments are larger than the {most} MB this desk may send in one mail.")
        files = [
            OutgoingFile(one.name, one.media_type, self._folder.path(one.digest).read_bytes(), one.content_id or "")
            for one in loaded.files
        ]
        automatic = loaded.entry.kind is EntryKind.AUTOREPLY
        name, role = ("", "") if automatic else loaded.writer
        topic = _topic(loaded.entry.data)
        unsubscribe = None
        if topic and self._links is not None:
            token = self._links.token(copy[0], topic)
            unsubscribe = Unsubscribe(
                self._links.link(copy[0], topic), mail["author"]["address"], f"unsubscribe {token}"
            )
        reply_to = ""
        if self._settings.reply_tokens and not automatic:
            local, _, domain = mail["author"]["address"].rpartition("@")
            reply_to = f"{local}+{loaded.reply_token}@{domain}"
        composed = serialise(
            compose(
                Draft(
                    mail=mail,
                    text=loaded.entry.text,
                    html=loaded.html,
                    sent_at=now,
                    written_at=loaded.entry.created_at,
                    signature=signature.lines(loaded.signature, name=name, role=role, desk=self._house),
                    quoted=None if automatic or not self._settings.quote_history else loaded.quoted,
                    files=files,
                    automatic=automatic,
                    language=self._words.choose(loaded.language),
                    reply_to=reply_to,
                    block=loaded.entry.data.get("block"),
                    unsubscribe=unsubscribe,
                ),
                self._words,
            )
        )
        return self._signing.signed(composed, mail["author"]["address"])


class HandingOver:
    """One connection to the server; what it says about each recipient is kept even when the line breaks."""

    def __init__(self, server: Outgoing, envelope_sender: str, tokens: MailTokens | None = None) -> None:
        self._server, self._envelope_sender, self._tokens = server, envelope_sender, tokens
        self.answers: dict[str, Answer] = {}
        self.given_ids: list[str] = []  # under which the server sends it on, where it says so

    async def run(self, copies: Sequence[tuple[Sequence[str], bytes]]) -> None:
        """Raises DeliveryFailed when no recipient in particular is the reason."""
        server = self._server
        access = await self._access()

        async def token() -> str:
            assert access is not None
            return access.token

        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls is TlsMode.TLS,
            start_tls=server.tls is TlsMode.STARTTLS,
            username=server.username,
            password=server.password.read() if server.password else None,
            oauth_token_generator=token if access is not None else None,
            timeout=server.timeout_seconds,
        )
        try:
            async with client:
                for recipients, raw in copies:
                    await self._one(client, recipients, raw)
        except aiosmtplib.SMTPAuthenticationError as error:
            if access is not None:  # it may have been withdrawn early: the next try has another one
                await self._access(refused=access.token)
            said = f"{error.code} {error.message}"
            raise DeliveryFailed(f"{N_('The mail server refused the sign-in')}: {said}", retry=True) from error
        except aiosmtplib.SMTPResponseException as error:
            # RFC 5321, 4.2.1: replies 4yz may succeed later, 5yz will not.
            raise DeliveryFailed(f"{error.code} {error.message}"[:1000], retry=error.code < 500) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryFailed(f"{N_('The mail server could not be reached')}: {error}"[:1000], retry=True) from error

    async def _access(self, refused: str = "") -> Access | None:
        """None where there is a password, or nothing. Raises DeliveryFailed."""
        account = self._server.account
        if not account or self._tokens is None:
            return None
        try:
            return await self._tokens.access(account, refused=refused)
        except OAuthRefused as error:
            raise DeliveryFailed(explain_trouble(error.trouble), retry=True) from error

    async def _one(self, client: aiosmtplib.SMTP, recipients: Sequence[str], raw: bytes) -> None:
        try:
            refused, said = await client.sendmail(self._envelope_sender, [_ascii(one) for one in recipients], raw)
        except aiosmtplib.SMTPRecipientsRefused as error:
            for refusal in error.recipients:
                self._note(_as_given(refusal.recipient, recipients), refusal.code, refusal.message)
            return
        for one in recipients:
            self._note(one, 250, said)
        for address, response in refused.items():
            self._note(_as_given(address, recipients), response.code, response.message)
        self.given_ids += given_ids(said, self._server.host)

    def _note(self, address: str, code: int, said: str) -> None:
        state = RecipientState.SENT if code < 400 else RecipientState.DELAYED if code < 500 else RecipientState.FAILED
        self.answers[address] = Answer(state, f"{code} {said}"[:300])


def given_ids(said: str, host: str) -> list[str]:
    """The Message-ID under which the server sends the mail on, where its answer says so (Exchange Online, SES)."""
    found = [f"<{one}>" for one in _GIVEN_ID.findall(said[:1000])]
    ses, region = _SES.match(said.strip()), _SES_HOST.match(host)
    if ses and region:
        domain = "email" if region[1] == "us-east-1" else region[1]
        found.append(f"<{ses[1]}@{domain}.amazonses.com>")
    return found


def _topic(data: Mapping[str, Any]) -> str:
    """What this mail can be unsubscribed from; empty for an answer and for a mail to somebody."""
    return outgoing.TOPIC if data.get("bulk") else ""


def _copies(data: Mapping[str, Any]) -> list[list[str]]:
    """Who gets the same bytes. Mail that can be unsubscribed from names each recipient's own link."""
    left = deliveries.still_to_send(data)
    if _topic(data):
        return [[one] for one in left]
    return [left] if left else []


def _ascii(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}@{domain.encode('idna').decode('ascii')}"


def _as_given(address: str, recipients: Sequence[str]) -> str:
    return next((one for one in recipients if _ascii(one).casefold() == address.casefold()), address)


def _load(conn: Connection, conversation_id: ConversationId, entry_id: EntryId, *, now: datetime) -> _Loaded:
    entry = mail_ids.mail(conn, entry_id)
    if entry is None:
        raise DeliveryFailed("The entry is gone.", retry=False)
    facts = mail_ids.outgoing_facts(conn, entry_id)
    writer = ("", "")
    if facts.operator_id is not None:
        try:
            operator = operators.get(conn, facts.operator_id)
            writer = (operator.name, operator.title)
        except NotFound:
            pass
    quoted: Quoted | None = None
    answered_id = entry.data.get("answers")
    answered = mail_ids.mail(conn, EntryId(answered_id)) if answered_id else None
    # Fixed when the answer was written: who has not seen the mail gets it only where a person has said so.
    if answered is not None and entry.data.get("mail", {}).get("quotes", True):
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
        writer=writer,
        signature=signature.text(conn),
        quoted=quoted,
        language=facts.language,
        reply_token=mail_ids.reply_token(conn, conversation_id),
    )


def _register(
    tx: Transaction, mail: MailData, conversation_id: ConversationId, entry_id: EntryId, *, now: datetime
) -> None:
    """Before the first attempt: whoever gets it may answer it, also who was added by the operator."""
    mail_ids.register(tx, mail["message_id"], conversation_id, entry_id=entry_id, ours=True)
    for one in (*mail["to"], *mail["cc"]):
        line = AddressLine(AddressKind.EMAIL, one["address"])
        contacts.join(tx, conversation_id, contacts.ensure_address(tx, line, one["name"], now=now), now=now)


def _note(
    tx: Transaction, conversation_id: ConversationId, entry_id: EntryId, done: HandingOver, *, now: datetime
) -> None:
    deliveries.note_answers(tx, entry_id, done.answers, now=now)
    for given in dict.fromkeys(done.given_ids):
        mail_ids.register(tx, given, conversation_id, entry_id=entry_id, ours=True)


def keep_file(folder: Path, name: str, raw: bytes) -> str:
    """Blocking: write the mail where a person can find it; the same one again replaces its file."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False, suffix=".part") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, folder / name)
    return name
