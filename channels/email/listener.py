"""The desk's own SMTP and LMTP ports. 250 only after the mail is committed; LMTP answers once for each recipient."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
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
MOST_HELD_BYTES = 400_000_000
"""Of mails that are being received, all together."""
LOOKED_AT_SECONDS = 2.0
_WORDS = re.compile(r"[^\x20-\x7e]")


def _clean(address: str) -> str:
    return address.encode("utf-8", "replace").decode("utf-8")


class _Limited:
    """Counts peers and what they hold, and refuses beyond the limits before it costs much. Before an SMTP class."""

    line_length_limit = LONGEST_LINE_OCTETS
    event_handler: _Handler
    loop: asyncio.AbstractEventLoop
    _refused = False
    _held_bytes = 0
    _closes: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        handler = self.event_handler
        if self not in handler.peers:
            address = str((transport.get_extra_info("peername") or ("",))[0])
            if not handler.may_connect(address):
                self._refused = True
                transport.write(b"421 4.3.2 Too many connections, try again\r\n")
                transport.close()
                return
            handler.addresses[self] = address
            self._closes = self.loop.call_later(handler.session_seconds, self._hang_up)
        handler.peers[self] = transport  # STARTTLS calls this once more, with its own transport
        super().connection_made(transport)  # type: ignore[misc]

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.peers.pop(self, None)
        self.event_handler.addresses.pop(self, None)
        self._let_go()
        if self._closes is not None:
            self._closes.cancel()
        if not self._refused:
            super().connection_lost(error)  # type: ignore[misc]

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._held_bytes += len(data)
        self.event_handler.held_bytes += len(data)
        if self.event_handler.held_bytes > self.event_handler.most_held_bytes:
            self._hang_up()
            return
        super().data_received(data)  # type: ignore[misc]

    def _set_post_data_state(self) -> None:
        self._let_go()
        super()._set_post_data_state()  # type: ignore[misc]

    def _let_go(self) -> None:
        self.event_handler.held_bytes -= self._held_bytes
        self._held_bytes = 0

    def _hang_up(self) -> None:
        transport = self.event_handler.peers.get(self)
        if transport is not None and not transport.is_closing():
            transport.write(b"421 4.3.2 This takes too much, try again later\r\n")
            transport.close()

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

    def __init__(self, db: Database, clock: Clock, settings: EmailSettings, source: str, room: Room) -> None:
        self._db, self._clock, self._source, self._room = db, clock, source, room
        self._own = settings.own_addresses()
        self._listener = listener = settings.listener
        self._own_networks = [ip_network(one, strict=False) for one in listener.own_networks]
        self.peers: dict[object, asyncio.Transport] = {}
        self.addresses: dict[object, str] = {}
        self.session_seconds = listener.session_seconds
        self.held_bytes = 0
        self.most_held_bytes = max(4 * listener.max_mail_bytes, MOST_HELD_BYTES)
        self._saving: dict[object, float] = {}  # when each began

    def may_connect(self, address: str) -> bool:
        if len(self.peers) >= self._listener.max_connections:
            return False
        try:
            known = ip_address(address)
        except ValueError:
            return True
        if any(known.version == one.version and known in one for one in self._own_networks):
            return True
        return sum(one == address for one in self.addresses.values()) < self._listener.connections_per_peer

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        trouble = await self._why_later()
        if trouble is not None:
            return trouble
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def _why_later(self) -> str | None:
        """An answer that makes the sender keep its mail while we could not: disk full, database not well."""
        if not await self._room():
            log.warning("mail is asked to come later: the disk is full")
            return "452 4.3.1 The disk is full here, try again later"
        if len(self._saving) >= self._listener.most_unsaved_mails:
            return "452 4.3.1 Too much mail at once, try again later"
        now = asyncio.get_running_loop().time()
        if any(now - began > self._listener.slow_store_seconds for began in self._saving.values()):
            return "451 4.3.0 The database is slow here, try again later"
        return None

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
        loop = asyncio.get_running_loop()
        try:
            digest = await asyncio.to_thread(fingerprint, raw) if len(raw) > 100_000 else fingerprint(raw)
            saving = asyncio.ensure_future(
                self._db.write(
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
            )
            self._saving[saving] = loop.time()
            saving.add_done_callback(self._saved)
            # Should it be kept later all the same, the sender's next try is recognised as the same mail.
            await asyncio.wait_for(asyncio.shield(saving), self._listener.slow_store_seconds)
        except StoreBusy:
            return "452 4.3.1 The desk is overloaded, try again"
        except TimeoutError:
            log.warning("mail is asked to come later: the database is slow")
            return "451 4.3.0 The database is slow here, try again"
        except Exception:
            log.exception("mail could not be kept", size_bytes=len(raw))
            return "451 4.3.0 The mail could not be stored, try again"
        return "250 2.0.0 Kept"

    def _saved(self, saving: asyncio.Future[Any]) -> None:
        self._saving.pop(saving, None)
        if not saving.cancelled():
            saving.exception()  # looked at, also where nobody waits for it any more

    async def handle_exception(self, error: Exception) -> str:
        log.error("mail session failed", exc_info=error)
        return "451 4.3.0 Try again"


Room = Callable[[], Awaitable[bool]]
"""Is there room on the disk for more mail?"""


class RoomOnDisk:
    """Asks the file system in a thread, and not for each mail again."""

    def __init__(self, folder: Path, least_free_bytes: int, free: Callable[[Path], int]) -> None:
        self._folder, self._least, self._free = folder, least_free_bytes, free
        self._asked_at, self._enough = -LOOKED_AT_SECONDS, True

    async def __call__(self) -> bool:
        now = asyncio.get_running_loop().time()
        if not self._enough or now - self._asked_at >= LOOKED_AT_SECONDS:
            self._enough = await asyncio.to_thread(self._free, self._folder) >= self._least
            self._asked_at = now
        return self._enough


def free_bytes(folder: Path) -> int:
    """Blocking: what is left on the disk of a folder."""
    return shutil.disk_usage(folder).free


@asynccontextmanager
async def listening(
    db: Database, clock: Clock, settings: EmailSettings, ports: Ports, room: Room
) -> AsyncIterator[None]:
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
            handler = _Handler(db, clock, settings, source, room)
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
