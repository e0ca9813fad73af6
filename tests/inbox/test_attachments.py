"""Files: stored once, found by what they are, under names that are safe anywhere."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inbox.clock import ManualClock
from inbox.errors import BadInput, NotFound
from inbox.store import attachments
from inbox.store.attachments import MAX_NAME_BYTES, AttachmentFolder, media_type, safe_name
from inbox.store.database import Database
from inbox.vocabulary import AttachmentId

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 20


@pytest.fixture
def folder(tmp_path: Path) -> AttachmentFolder:
    return AttachmentFolder(tmp_path / "files", max_bytes=1_000)


def test_the_same_file_is_stored_once(folder: AttachmentFolder, tmp_path: Path) -> None:
    first, second = folder.write(b"hello", "a.txt"), folder.write(b"hello", "b.txt")
    assert first.digest == second.digest
    assert (first.name, second.name) == ("a.txt", "b.txt")
    kept = [p for p in (tmp_path / "files").rglob("*") if p.is_file()]
    assert [p.read_bytes() for p in kept] == [b"hello"]
    assert folder.path(first.digest) == kept[0]


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(folder: AttachmentFolder, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        folder.write(b"x" * 1_001, "big.bin")
    assert refused.value.field == "file"
    assert [p for p in (tmp_path / "files").rglob("*") if p.is_file()] == []


async def test_an_upload_is_stopped_as_soon_as_it_is_too_large(folder: AttachmentFolder) -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 1
            yield b"x" * 400

    with pytest.raises(BadInput):
        await folder.save(endless(), "endless.bin")
    assert given == 3


async def test_an_upload_in_pieces_is_one_file(folder: AttachmentFolder) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"hel"
        yield b"lo"

    stored = await folder.save(pieces(), "a.txt")
    assert folder.path(stored.digest).read_bytes() == b"hello"


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "a" * 63, "/" * 64, "." * 64])
def test_no_path_leads_out_of_the_folder(folder: AttachmentFolder, digest: str) -> None:
    with pytest.raises(NotFound):
        folder.path(digest)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"%PDF-1.7\n", "application/pdf"),
        ("Hyvää päivää".encode(), "text/plain"),
        (b"", "application/octet-stream"),
        (bytes(range(256)) * 4, "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_bytes_say(content: bytes, kind: str) -> None:
    assert media_type(content) == kind


def test_a_page_that_calls_itself_a_picture_is_not_shown_as_one(folder: AttachmentFolder) -> None:
    stored = folder.write(b"<!doctype html><script>alert(1)</script>", "cat.png")
    assert stored.media_type not in attachments.SHOWN_INLINE


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\cv.doc", "cv.doc"),
        ("a\x00b\nc.txt", "abc.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("con.txt", "_con.txt"),
        ("a:b*c?.txt", "a_b_c_.txt"),
        ("  .hidden. ", "hidden"),
        ("", "file"),
        ("...", "file"),
        ("/", "file"),
        ("Päivä.txt", "Päivä.txt"),
    ],
)
def test_names_are_safe_to_show_and_to_save(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["ä" * 500 + ".pdf", "x." + "y" * 500, "🧶" * 300])
def test_long_names_are_cut_to_what_file_systems_take(name: str) -> None:
    cut = safe_name(name)
    assert len(cut.encode()) <= MAX_NAME_BYTES
    assert cut


async def test_facts_are_kept_and_unknown_files_are_not_found(
    database: Database, clock: ManualClock, folder: AttachmentFolder
) -> None:
    stored = folder.write(PNG, "cat.png")
    added = await database.write(
        attachments.add, stored, uploaded_by="operator:1", now=clock.now(), content_id="<cat@shop>"
    )
    facts = await database.read(attachments.get, added)
    assert (facts.name, facts.media_type, facts.size_bytes, facts.entry_id) == ("cat.png", "image/png", len(PNG), None)
    with pytest.raises(NotFound):
        await database.read(attachments.get, AttachmentId(404))


def test_a_stored_file_is_on_the_disk_before_it_is_named(
    folder: AttachmentFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    folder.write(b"hello", "a.txt")
    assert len(synced) == 2, "the file, then the folder that names it"
