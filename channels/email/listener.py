"""The desk's own SMTP and LMTP ports. 250 only after the mail is committed; LMTP answers once for each recipient."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from channels.email.addresses import fold, is_usable, without_plus
from channels.email.keeping import fingerprint, keep_from_smtp
from channels.email.settings import EmailSettings
from inbox.clock import Clock
from inbox.errors import StoreBusy
from inbox.store.database import Database

log = structlog.get_logger(__name__)

LONGEST_LINE_OCTETS = 1_000_000
"""RFC 5321 allows 998; real senders exceed it, and refusing a customer's mail for it helps nobody."""
MAX_RECIPIENTS = 100
_WORDS = re.compile(r"[^\x20-\x7e]")


def _clean(address: str) -> str:
    return address.encode("utf-8", "replace").decode("utf-8")


class _Limited:
    """Counts peers and refuses those beyond the limit before they cost anything. Mixed in before an SMTP class."""

    line_length_limit = LONGEST_LINE_OCTETS
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        peers = self.event_handler.peers  # type: ignore[attr-defined]
        if self not in peers and len(peers) >= self.event_handler.most_peers:  # type: ignore[attr-defined]
            self._refused = True
            transport.write(b"421 4.3.2 Too many connections, try again\r\n")
            transport.close()
            return
        peers[self] = transport  # STARTTLS calls this once more, with its own transport
        super().connection_made(transport)  # type: ignore[misc]

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.peers.pop(self, None)  # type: ignore[attr-defined]
        if not self._refused:
            super().connection_lost(error)  # type: ignore[misc]

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)  # type: ignore[misc]

    def eof_received(self) -> bool | None:
        return None if self._refused else super().eof_received()  # type: ignore[misc]


class _Smtp(_Limited, SMTP):  # type: ignore[misc]  # published without types
    pass


class _Lmtp(_Limited, LMTP):  # type: ignore[misc]
    """RFC 2033, 4.2: one answer after DATA for each recipient, also where aiosmtpd itself refuses the data."""

    _waiting_for = 0

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        self._waiting_for = len(self.envelope.rcpt_tos) if self.envelope is not None else 0
        try:
            await super().smtp_DATA(arg)
        finally:
            self._waiting_for = 0

    async def push(self, status: Any) -> None:
        if self._waiting_for > 1 and status.startswith(("552 Error: Too much", "500 Line too long")):
            status = "\r\n".join([status] * self._waiting_for)
        await super().push(status)


@dataclass(slots=True)
class Ports:
    """Where the listeners listen; None when that one is off."""

    smtp: int | None = None
    lmtp: int | None = None


class _Handler:
    """What aiosmtpd asks at each step of one peer's session."""

    def __init__(self, db: Database, clock: Clock, settings: EmailSettings, source: str) -> None:
        self._db, self._clock, self._source = db, clock, source
        self._own = settings.own_addresses()
        self.peers: dict[object, asyncio.Transport] = {}
        self.most_peers = settings.listener.max_connections

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if not is_usable(address):
            return "553 5.1.3 This is not a mail address"
        if without_plus(fold(address)) not in self._own:
            return "550 5.1.1 No such address here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await self._kept(session, envelope)
        if self._source == "lmtp":
            return "\r\n".join(f"{answer} <{_WORDS.sub('?', one)}>" for one in envelope.rcpt_tos)
        return answer

    async def _kept(self, session: Session, envelope: Envelope) -> str:
        raw = bytes(envelope.original_content or b"")
        try:
            digest = await asyncio.to_thread(fingerprint, raw) if len(raw) > 100_000 else fingerprint(raw)
            await self._db.write(
                keep_from_smtp,
                raw,
                source=self._source,
                sender=_clean(envelope.mail_from or ""),
                recipients=tuple(dict.fromkeys(_clean(one) for one in envelope.rcpt_tos)),
                peer=str(session.peer[0]) if session.peer else "",
                helo=_clean(str(session.host_name or ""))[:255],
                digest=digest,
                now=self._clock.now(),
            )
        except StoreBusy:
            return "452 4.3.1 The desk is overloaded, try again"
        except Exception:
            log.exception("mail could not be kept", size_bytes=len(raw))
            return "451 4.3.0 The mail could not be stored, try again"
        return "250 2.0.0 Kept"

    async def handle_exception(self, error: Exception) -> str:
        log.error("mail session failed", exc_info=error)
        return "451 4.3.0 Try again"


@asynccontextmanager
async def listening(db: Database, clock: Clock, settings: EmailSettings, ports: Ports) -> AsyncIterator[None]:
    """Open the configured ports; `ports` says afterwards which. Raises OSError when one is taken."""
    listener = settings.listener
    tls: ssl.SSLContext | None = None
    if listener.certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(listener.certificate, listener.key)
    loop = asyncio.get_running_loop()
    servers: list[asyncio.Server] = []
    handlers: list[_Handler] = []
    options: dict[str, Any] = {
        "data_size_limit": listener.max_mail_bytes,
        "enable_SMTPUTF8": True,
        "decode_data": False,
        "hostname": listener.hostname,
        "ident": "ESMTP Vuoro",
        "timeout": listener.idle_seconds,
        "command_call_limit": {"MAIL": 200, "RCPT": 2_000, "RSET": 200, "DATA": 200, "*": 100},
        "loop": loop,
    }
    try:
        for source, kind, port in (("smtp", _Smtp, listener.smtp_port), ("lmtp", _Lmtp, listener.lmtp_port)):
            if port is None:
                continue
            handler = _Handler(db, clock, settings, source)
            handlers.append(handler)
            extra = {"tls_context": tls, "require_starttls": listener.require_tls} if source == "smtp" else {}

            def session(kind: type[SMTP] = kind, handler: _Handler = handler, extra: dict[str, Any] = extra) -> SMTP:
                return kind(handler, **options, **extra)

            server = await loop.create_server(session, listener.host, port, backlog=512)
            servers.append(server)
            bound = server.sockets[0].getsockname()[1]
            if source == "smtp":
                ports.smtp = bound
            else:
                ports.lmtp = bound
            log.info("mail listener ready", protocol=source, host=listener.host, port=bound)
        yield
    finally:
        for server in servers:
            server.close()
        for handler in handlers:
            for transport in list(handler.peers.values()):
                transport.close()
