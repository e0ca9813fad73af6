"""Uploads that nobody sent are forgotten after a day, the others never."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from inbox import drafts
from inbox.clock import ManualClock
from inbox.errors import NotFound
from inbox.store import attachments, unsent_files
from inbox.store.attachments import AttachmentFolder, Stored
from inbox.store.database import open_database
from inbox.store.models import Attachment
from inbox.store.transaction import Transaction
from inbox.store.unsent_files import UnsentFiles
from inbox.vocabulary import AttachmentId, EntryKind
from tests.support.stores import PostgresServer
from tests.support.verbs import VerbDesk


@pytest.fixture
def folder(tmp_path: Path) -> AttachmentFolder:
    return AttachmentFolder(tmp_path / "files")


async def upload(desk: VerbDesk, folder: AttachmentFolder, content: bytes, *, old: bool = True) -> AttachmentId:
    stored: Stored = await asyncio.to_thread(folder.write, content, "a.txt")
    if old:
        os.utime(folder.path(stored.digest), (0, 0))
    return await desk.db.write(attachments.add, stored, uploaded_by="operator:1", now=desk.clock.now())


async def there(desk: VerbDesk, folder: AttachmentFolder, attachment_id: AttachmentId) -> bool:
    facts = await desk.db.read(attachments.get, attachment_id)
    return folder.path(facts.digest).exists()


async def test_only_what_is_old_and_waits_for_nothing_is_removed(
    desk: VerbDesk, clock: ManualClock, folder: AttachmentFolder
) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.mail("Hello")
    forgotten = await upload(desk, folder, b"forgotten")
    drafted = await upload(desk, folder, b"in a draft")
    sent = await upload(desk, folder, b"sent")
    await desk.note(asked.conversation_id, ann, "See", attachments=[sent])
    await desk.db.write(
        drafts.save,
        asked.conversation_id,
        ann,
        EntryKind.REPLY,
        "x",
        {"attachments": [{"id": drafted}]},
        now=clock.now(),
    )
    digest = (await desk.db.read(attachments.get, forgotten)).digest
    cleaner = UnsentFiles(desk.db, clock, folder)
    assert await cleaner.clean() == 0
    clock.advance(timedelta(days=1, seconds=1))
    fresh = await upload(desk, folder, b"fresh")
    assert await cleaner.clean() == 1
    with pytest.raises(NotFound):
        await desk.db.read(attachments.get, forgotten)
    assert not folder.path(digest).exists()
    assert [await there(desk, folder, one) for one in (drafted, sent, fresh)] == [True, True, True]


async def test_a_file_that_something_else_names_stays(
    desk: VerbDesk, clock: ManualClock, folder: AttachmentFolder
) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.mail("Hello")
    sent = await upload(desk, folder, b"the same")
    await desk.note(asked.conversation_id, ann, "See", attachments=[sent])
    await upload(desk, folder, b"the same")
    clock.advance(timedelta(days=2))
    assert await UnsentFiles(desk.db, clock, folder).clean() == 1
    assert await there(desk, folder, sent)


async def test_a_file_stored_again_just_now_is_not_taken_away(
    desk: VerbDesk, clock: ManualClock, folder: AttachmentFolder
) -> None:
    await upload(desk, folder, b"again")
    clock.advance(timedelta(days=2))
    stored = await asyncio.to_thread(folder.write, b"again", "b.txt")  # its row is not written yet
    assert await UnsentFiles(desk.db, clock, folder).clean() == 1
    assert folder.path(stored.digest).exists()


async def test_a_file_that_is_being_sent_while_others_are_removed_stays(
    postgres: PostgresServer, clock: ManualClock, folder: AttachmentFolder
) -> None:
    url = postgres.copy()
    db = open_database(url, now=clock.now, durable={})
    desk = VerbDesk(db, clock)
    asked = await desk.mail("Hello")
    uploaded = await upload(desk, folder, b"just in time")
    held = asyncio.Event()

    def attach(tx: Transaction) -> None:
        values = {"entry_id": asked.entry_id, "conversation_id": asked.conversation_id}
        tx.conn.execute(update(Attachment).where(Attachment.id == uploaded).values(**values))
        held.set()
        stuck = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE%'")
        while not tx.conn.execute(stuck).scalar():
            tx.conn.execute(text("SELECT pg_sleep(0.01), pg_stat_clear_snapshot()"))

    sending = asyncio.create_task(db.write(attach))
    await held.wait()
    await db.write(unsent_files.forget, clock.now() + timedelta(days=2))
    await sending
    assert (await db.read(attachments.get, uploaded)).digest
    await db.close()
    postgres.drop(url)
