"""Attachments: bytes in a folder under their SHA-256, facts in a table. The same file is stored once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import unicodedata
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import puremagic
from sqlalchemy import Connection, select

from inbox.errors import BadInput, NotFound
from inbox.store.models import Attachment
from inbox.store.transaction import Transaction
from inbox.vocabulary import AttachmentId, ConversationId, EntryId

SHOWN_INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
"""Everything else is only ever a download."""

MAX_NAME_BYTES = 200
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that lies in the folder: durable, not yet in any table."""

    digest: str
    size_bytes: int
    media_type: str
    name: str
    original_name: str


@dataclass(frozen=True, slots=True)
class AttachmentFacts:
    id: AttachmentId
    conversation_id: ConversationId | None
    entry_id: EntryId | None
    uploaded_by: str
    name: str
    media_type: str
    size_bytes: int
    digest: str
    content_id: str | None


class AttachmentFolder:
    """The bytes. Writing is atomic and synced; blocking work runs in a thread."""

    def __init__(self, folder: Path, *, max_bytes: int = 25_000_000) -> None:
        self._folder, self.max_bytes = folder, max_bytes
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def root(self) -> Path:
        return self._folder

    def path(self, digest: str) -> Path:
        if len(digest) != 64 or not digest.isalnum():
            raise NotFound("file")
        return self._folder / digest[:2] / digest

    def write(self, content: bytes, name: str) -> Stored:
        """Blocking. Raises BadInput above the size limit."""
        if len(content) > self.max_bytes:
            raise _too_large(self.max_bytes)
        digest = hashlib.sha256(content).hexdigest()
        target = self.path(digest)
        try:
            os.utime(target)  # in use again: see `remove`
        except FileNotFoundError:
            target.parent.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, target)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return Stored(digest, len(content), media_type(content), safe_name(name), name[:1000])

    def remove(self, digest: str, *, untouched_since: datetime) -> bool:
        """Blocking. Remove a file that nothing names, unless it has been stored again since. False when it stays."""
        target = self.path(digest)
        aside = target.with_name(f"{digest}.removed")
        try:
            os.replace(target, aside)  # from here on, storing it again makes a new file
            if aside.stat().st_mtime < untouched_since.timestamp():
                aside.unlink()
                return True
            if not target.exists():
                os.replace(aside, target)
            else:
                aside.unlink()
        except FileNotFoundError:
            return False
        return False

    async def save(self, chunks: AsyncIterator[bytes], name: str) -> Stored:
        """Take an upload, refusing it as soon as it is too large."""
        content = bytearray()
        async for chunk in chunks:
            content += chunk
            if len(content) > self.max_bytes:
                raise _too_large(self.max_bytes)
        return await asyncio.to_thread(self.write, bytes(content), name)


def _too_large(max_bytes: int) -> BadInput:
    return BadInput("file", "A file may have at most %(megabytes)s MB.", megabytes=max_bytes // 1_000_000)


def add(
    tx: Transaction,
    stored: Stored,
    *,
    uploaded_by: str,
    now: datetime,
    conversation_id: ConversationId | None = None,
    entry_id: EntryId | None = None,
    content_id: str | None = None,
) -> AttachmentId:
    """Note a stored file. Without an entry it waits for the message it will be sent with."""
    return AttachmentId(
        tx.insert(
            Attachment,
            conversation_id=conversation_id,
            entry_id=entry_id,
            uploaded_by=uploaded_by[:40],
            name=stored.name,
            original_name=stored.original_name,
            media_type=stored.media_type,
            size_bytes=stored.size_bytes,
            digest=stored.digest,
            content_id=content_id[:300] if content_id else None,
            created_at=now,
        )
    )


def get(conn: Connection, attachment_id: AttachmentId) -> AttachmentFacts:
    """Raises NotFound."""
    found = _facts(conn, Attachment.id == attachment_id)
    if not found:
        raise NotFound("attachment")
    return found[0]


def of_entry(conn: Connection, entry_id: EntryId) -> Sequence[AttachmentFacts]:
    return _facts(conn, Attachment.entry_id == entry_id)


def _facts(conn: Connection, condition: object) -> list[AttachmentFacts]:
    return [
        AttachmentFacts(
            AttachmentId(r.id),
            r.conversation_id,
            r.entry_id,
            r.uploaded_by,
            r.name,
            r.media_type,
            r.size_bytes,
            r.digest,
            r.content_id,
        )
        for r in conn.execute(select(Attachment.__table__).where(condition).order_by(Attachment.id))  # type: ignore[arg-type]
    ]


def media_type(content: bytes) -> str:
    """What the bytes are, whatever they were called."""
    if not content:
        return "application/octet-stream"
    try:
        return puremagic.from_string(content[:8192], mime=True) or "application/octet-stream"
    except (puremagic.PureError, ValueError, IndexError):
        pass
    try:
        content[:8192].decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        if error.start < min(len(content), 8192) - 4:
            return "application/octet-stream"
    return "text/plain"


def safe_name(name: str) -> str:
    """A name that is safe to show and to save anywhere: no path, control, bidi or reserved parts, at most 200 bytes."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
    name = "".join("_" if c in '<>:"|?*' else c for c in name).strip(" .")
    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = name, ""
    if stem.casefold() in _RESERVED:
        stem = f"_{stem}"
    extension = extension[:20]
    while len(f"{stem}{dot}{extension}".encode()) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}{dot}{extension}" if stem or extension else "file"
