"""One conversation that becomes two, and two that become one again: nobody's wait is lost or restarted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from inbox import deliveries, lifecycle, mail_ids, merging
from inbox.clock import ManualClock
from inbox.errors import BadInput
from inbox.events import ReplyWritten
from inbox.reading import open_conversation
from inbox.receive import Received
from inbox.store.database import Database, open_database
from inbox.store.models import Outbox, Wait
from inbox.store.transaction import Transaction
from inbox.vocabulary import ConversationId, Ending, EntryId, OperatorId, Status, WaitId, WaitStep
from inbox.waits import listing
from tests.support.stores import SqliteTemplate
from tests.support.verbs import VerbDesk

ANN, BOB = "ann@shop.example", "bob@shop.example"


async def mail(
    desk: VerbDesk,
    name: str,
    *,
    into: ConversationId | None = None,
    answering: str = "",
    from_: str = ANN,
    subject: str = "Parcel",
    cc: tuple[str, ...] = (),
) -> Received:
    """A mail as the email channel hands it over: with its id known, and its parent awaited."""
    data: dict[str, Any] = {
        "subject": subject,
        "message_id": f"<{name}@x>",
        "author": {"name": "", "address": from_},
        "to": [{"name": "", "address": "help@desk.example"}],
        "cc": [{"name": "", "address": one} for one in cc],
    }
    if answering:
        data["in_reply_to"] = [f"<{answering}@x>"]
    received = await desk.mail(name, from_=from_, subject=subject, conversation_id=into, data={"mail": data})

    def register(tx: Transaction) -> None:
        mail_ids.register(
            tx, f"<{name}@x>", received.conversation_id, entry_id=received.entry_id, ours=False, digest=name
        )
        if answering:
            mail_ids.register(tx, f"<{answering}@x>", received.conversation_id, entry_id=None, ours=False)

    await desk.db.write(register)
    return received


async def where(desk: VerbDesk, *names: str) -> list[ConversationId]:
    """In which conversation an answer to each of these mails would arrive."""
    found = await desk.db.read(mail_ids.find, [f"<{name}@x>" for name in names])
    at = {one.message_id: one.conversation_id for one in found if one.entry_id is not None}
    return [at[f"<{name}@x>"] for name in names]


async def split(desk: VerbDesk, source: ConversationId, by: OperatorId, *entries: EntryId) -> ConversationId:
    return await desk.db.write(merging.split, source, entries, by=by, now=desk.clock.now())


async def merge(desk: VerbDesk, source: ConversationId, target: ConversationId, by: OperatorId) -> None:
    await desk.db.write(merging.merge, source, target, by=by, now=desk.clock.now())


async def take_apart(desk: VerbDesk, source: ConversationId, by: OperatorId) -> None:
    await desk.db.write(merging.take_apart, source, by=by, now=desk.clock.now())


def _running(conn: Connection, conversation_id: ConversationId) -> tuple[WaitId, datetime] | None:
    row = conn.execute(
        select(Wait.id, Wait.started_at).where(Wait.conversation_id == conversation_id, Wait.ended_at.is_(None))
    ).first()
    return None if row is None else (WaitId(row.id), row.started_at)


async def waiting(desk: VerbDesk, conversation_id: ConversationId) -> datetime | None:
    """Since when somebody waits here, by the ledger; the queue says the same."""
    found = await desk.db.read(_running, conversation_id)
    shown = (await desk.row(conversation_id)).waiting_since
    assert shown == (None if found is None else found[1])
    return shown


async def test_what_is_split_off_is_a_conversation_of_its_own_and_both_say_so(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann = await desk.operator("Ann")
    first = await mail(desk, "one")
    source = first.conversation_id
    await desk.reply(source, ann, "On its way")
    clock.advance(timedelta(hours=1))
    second = await mail(desk, "two", into=source, answering="one", subject="And my invoice?")
    began = clock.now()
    clock.advance(timedelta(minutes=2))

    made = await split(desk, source, ann, second.entry_id)

    assert await desk.texts(source) == ["one", "On its way", ""]
    assert await desk.texts(made) == ["two", ""]
    assert (await desk.happened(source), await desk.happened(made)) == (["split_into"], ["split_from"])
    row = await desk.row(made)
    assert (row.subject, row.status, row.waiting_since, row.unread) == ("And my invoice?", Status.OPEN, began, 1)
    left = await desk.row(source)
    assert (left.status, left.waiting_since, left.unread, left.snippet) == (Status.PENDING, None, 0, "On its way")
    assert await where(desk, "one", "two") == [source, made]


async def test_the_wait_goes_along_with_its_start_and_its_history_says_where_it_was(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann = await desk.operator("Ann")
    first = await mail(desk, "one")
    source, began = first.conversation_id, clock.now()
    await desk.reply(source, ann, "Yes")
    clock.advance(timedelta(minutes=1))
    second = await mail(desk, "two", into=source)
    asked = clock.now()
    clock.advance(timedelta(minutes=1))
    made = await split(desk, source, ann, second.entry_id)
    assert [w.started_at for w in await desk.waits(source)] == [began]
    (moved,) = await desk.waits(made)
    assert moved.started_at == asked
    lines = await desk.db.read(listing.lines, moved.id)
    assert [line.step for line in lines] == [WaitStep.STARTED, WaitStep.MOVED]
    assert lines[-1].data == {"from": source, "to": made}


async def test_what_is_unanswered_in_both_waits_in_both_from_when_it_came(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    first = await mail(desk, "one")
    source, began = first.conversation_id, clock.now()
    clock.advance(timedelta(minutes=3))
    second = await mail(desk, "two", into=source)
    later = clock.now()
    clock.advance(timedelta(minutes=3))
    made = await split(desk, source, ann, second.entry_id)
    assert (await waiting(desk, source), await waiting(desk, made)) == (began, later)
    assert ((await desk.row(source)).unread, (await desk.row(made)).unread) == (1, 1)
    # The other way round: what began the wait goes, what stays waits from its own time.
    third = await mail(desk, "three", into=source)
    other = await split(desk, source, ann, first.entry_id)
    assert (await waiting(desk, other), await waiting(desk, source)) == (began, clock.now())
    assert third.conversation_id == source


async def test_the_receipt_for_what_was_split_off_is_not_written_twice(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    first = await mail(desk, "one")
    second = await mail(desk, "two", into=first.conversation_id)
    happened: list[object] = []
    desk.db.on_commit(happened.extend)
    await split(desk, first.conversation_id, ann, second.entry_id)
    assert not [one for one in happened if type(one).__name__ == "WaitStarted"]


async def test_people_go_with_the_mails_that_name_them(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    first = await mail(desk, "one", cc=("carl@shop.example",))
    second = await mail(desk, "two", into=first.conversation_id, from_=BOB)
    made = await split(desk, first.conversation_id, ann, second.entry_id)
    kept = await desk.db.read(open_conversation, first.conversation_id, ann)
    gone = await desk.db.read(open_conversation, made, ann)
    assert {p.written for p in kept.participants} == {ANN}
    assert {p.written for p in gone.participants} == {BOB}
    assert gone.card.addresses[0].written == BOB
    assert not await desk.db.read(mail_ids.is_participant, first.conversation_id, BOB)


async def test_splitting_back_brings_everything_to_where_it_stood(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    first = await mail(desk, "one")
    source, began = first.conversation_id, clock.now()
    await desk.reply(source, ann, "Yes")
    second = await mail(desk, "two", into=source)
    asked = clock.now()
    third = await mail(desk, "three", into=source)
    made = await split(desk, source, ann, second.entry_id)
    clock.advance(timedelta(minutes=1))
    await desk.note(made, ann, "Looked at it")
    await mail(desk, "four", into=source)
    await merge(desk, made, source, ann)

    texts = [text for text in await desk.texts(source) if text]
    assert texts == ["one", "Yes", "two", "three", "four", "Looked at it"]
    assert [e.number for e in await desk.timeline(source)] == sorted({e.number for e in await desk.timeline(source)})
    assert await where(desk, "one", "two", "three", "four") == [source] * 4
    assert await waiting(desk, source) == asked
    assert [w.started_at for w in await desk.waits(source)][:1] == [began]
    assert third.conversation_id == source
    # A second split of the same mail works as the first did.
    again = await split(desk, source, ann, second.entry_id)
    assert await where(desk, "two") == [again]
    assert await waiting(desk, again) == asked


async def test_an_answer_that_was_split_off_and_bounces_lets_its_own_wait_run_again(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann = await desk.operator("Ann")
    first = await mail(desk, "one")
    source = first.conversation_id
    await desk.reply(source, ann, "Yes")
    clock.advance(timedelta(minutes=1))
    second = await mail(desk, "two", into=source)
    asked = clock.now()
    answer = await desk.reply(source, ann, "That too")
    made = await split(desk, source, ann, second.entry_id, answer.entry_id)
    assert (await waiting(desk, made), [w.ending for w in await desk.waits(made)]) == (None, [Ending.ANSWERED])
    await desk.db.write(deliveries.failed_for_good, answer.entry_id, "550 gone", now=clock.now())
    assert (await waiting(desk, made), await waiting(desk, source)) == (asked, None)
    assert (await desk.row(made)).status is Status.OPEN


async def test_an_answer_on_its_way_leaves_from_where_it_is_now(database_url: str, clock: ManualClock) -> None:
    db = open_database(database_url, now=clock.now, durable={ReplyWritten: ["delivery"]})
    try:
        desk = VerbDesk(db, clock)
        ann = await desk.operator("Ann")
        first = await mail(desk, "one")
        second = await mail(desk, "two", into=first.conversation_id)
        answer = await desk.reply(first.conversation_id, ann, "Yes")
        made = await split(desk, first.conversation_id, ann, second.entry_id, answer.entry_id)
        (row,) = await db.read(lambda conn: conn.execute(select(Outbox.conversation_id, Outbox.payload)).all())
        assert (row.conversation_id, row.payload["conversation_id"]) == (made, made)
        # The sender registers the id with the conversation it was given when it began.
        await db.write(mail_ids.register, "<ours@desk>", first.conversation_id, entry_id=answer.entry_id, ours=True)
        (known,) = await db.read(mail_ids.find, ["<ours@desk>"])
        assert (known.conversation_id, known.ours) == (made, True)
    finally:
        await db.close()


async def test_only_mails_and_notes_are_split_off_and_something_stays(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    first = await mail(desk, "one")
    second = await mail(desk, "two", into=first.conversation_id)
    other = await mail(desk, "three")
    chat = await desk.chat("Hello")
    more = await desk.chat("Are you there?")
    noted = await desk.note(first.conversation_id, ann, "A note")
    source = first.conversation_id
    for at, entries in (
        (source, []),
        (source, [first.entry_id, second.entry_id]),
        (source, [other.entry_id]),
        (source, [noted.entry_id]),
        (source, [EntryId(10**9)]),
        (chat.conversation_id, [more.entry_id]),
    ):
        with pytest.raises(BadInput):
            await split(desk, at, ann, *entries)
    await merge(desk, source, other.conversation_id, ann)
    with pytest.raises(BadInput):
        await split(desk, source, ann, second.entry_id)


async def test_a_mail_is_split_off_with_what_answers_it(desk: VerbDesk, clock: ManualClock) -> None:
    first = await mail(desk, "one")
    source = first.conversation_id
    changed = await mail(desk, "new", into=source, answering="one", subject="Something else")
    old = await mail(desk, "old", into=source, answering="one")
    follows = await mail(desk, "follows", into=source, answering="new")
    deeper = await mail(desk, "deeper", into=source, answering="follows")
    at, entries = await desk.db.read(merging.answers_to, changed.entry_id)
    assert (at, entries) == (source, [changed.entry_id, follows.entry_id, deeper.entry_id])
    assert old.entry_id not in entries


async def test_an_awaited_parent_goes_with_the_only_mail_that_waits_for_it(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    first = await mail(desk, "one", answering="shared")
    source = first.conversation_id
    second = await mail(desk, "two", into=source, answering="lost")
    third = await mail(desk, "three", into=source, answering="shared")
    made = await split(desk, source, ann, second.entry_id, third.entry_id)
    found = {k.message_id: k.conversation_id for k in await desk.db.read(mail_ids.find, ["<lost@x>", "<shared@x>"])}
    assert found == {"<lost@x>": made, "<shared@x>": source}


async def test_a_merge_is_taken_apart_with_the_people_the_mails_and_the_wait_it_brought(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann = await desk.operator("Ann")
    one = await mail(desk, "one")
    began = clock.now()
    clock.advance(timedelta(minutes=1))
    two = await mail(desk, "two", from_=BOB)
    later = clock.now()
    clock.advance(timedelta(minutes=1))
    await merge(desk, one.conversation_id, two.conversation_id, ann)
    assert await where(desk, "one", "two") == [two.conversation_id] * 2
    assert await waiting(desk, two.conversation_id) == began
    await take_apart(desk, one.conversation_id, ann)
    assert await where(desk, "one", "two") == [one.conversation_id, two.conversation_id]
    assert await waiting(desk, one.conversation_id) == began
    assert await waiting(desk, two.conversation_id) == later
    people = {
        c: {p.written for p in (await desk.db.read(open_conversation, c, ann)).participants}
        for c in (one.conversation_id, two.conversation_id)
    }
    assert people == {one.conversation_id: {ANN}, two.conversation_id: {BOB}}
    assert (await desk.happened(one.conversation_id))[-1] == "taken_apart"
    assert (await desk.happened(two.conversation_id))[-1] == "taken_apart"
    assert {(await desk.row(c)).status for c in people} == {Status.OPEN}
    with pytest.raises(BadInput):
        await take_apart(desk, one.conversation_id, ann)


async def test_what_was_answered_before_it_was_merged_is_not_owed_an_answer_afterwards(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann = await desk.operator("Ann")
    one, two = await mail(desk, "one"), await mail(desk, "two")
    await desk.reply(one.conversation_id, ann, "Yes")
    await merge(desk, one.conversation_id, two.conversation_id, ann)
    await take_apart(desk, one.conversation_id, ann)
    row = await desk.row(one.conversation_id)
    assert (row.status, row.waiting_since, row.unread) == (Status.PENDING, None, 0)
    assert await waiting(desk, two.conversation_id) is not None


async def test_two_who_split_off_the_same_mail_at_once_make_one_conversation(
    desk: VerbDesk, clock: ManualClock
) -> None:
    ann, bea = await desk.operator("Ann"), await desk.operator("Bea")
    first = await mail(desk, "one")
    second = await mail(desk, "two", into=first.conversation_id)
    results = await asyncio.gather(
        split(desk, first.conversation_id, ann, second.entry_id),
        split(desk, first.conversation_id, bea, second.entry_id),
        return_exceptions=True,
    )
    assert sorted(type(r).__name__ for r in results) == ["BadInput", "int"]


STEPS = st.lists(
    st.tuples(st.sampled_from(["mail", "answer", "split", "merge", "apart"]), st.integers(0, 7), st.integers(0, 7)),
    min_size=4,
    max_size=16,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_after_any_merges_and_splits_every_mail_stands_once_and_nobody_waits_unseen(
    sqlite_template: SqliteTemplate, steps: list[tuple[str, int, int]]
) -> None:
    """Answers arrive where the mail is that they answer; whoever is owed an answer waits since they asked."""
    url = sqlite_template.copy()
    clock = ManualClock(datetime(2026, 3, 10, 10, tzinfo=UTC))
    db: Database = open_database(url, now=clock.now, durable={})
    try:
        desk = VerbDesk(db, clock)
        ann = await desk.operator("Ann")
        count = 0
        mails: dict[str, tuple[EntryId, datetime]] = {}
        answered: dict[str, bool] = {}
        conversations: list[ConversationId] = []

        async def write(into: ConversationId | None) -> None:
            nonlocal count
            count += 1
            received = await mail(desk, f"m{count}", into=into)
            mails[f"m{count}"] = (received.entry_id, clock.now())
            answered[f"m{count}"] = False
            if into is None:
                conversations.append(received.conversation_id)

        await write(None)
        await write(None)
        for what, one, other in steps:
            clock.advance(timedelta(minutes=1))
            at = conversations[one % len(conversations)]
            alive = await desk.db.read(mail_ids.surviving, at)
            try:
                if what == "mail":
                    await write(alive)
                elif what == "answer":
                    await desk.reply(alive, ann, "Yes")
                    for name in list(mails):
                        if (await where(desk, name)) == [alive]:
                            answered[name] = True
                elif what == "split":
                    here = [e.id for e in await desk.timeline(alive) if e.text.startswith("m")]
                    conversations.append(await split(desk, alive, ann, *here[other % 3 + 1 :]))
                elif what == "merge":
                    await merge(desk, alive, conversations[other % len(conversations)], ann)
                else:
                    await take_apart(desk, at, ann)
            except BadInput:
                continue
        stands: dict[str, ConversationId] = {}
        for conversation_id in conversations:
            for entry in await desk.timeline(conversation_id):
                if entry.text in mails:
                    assert entry.text not in stands
                    stands[entry.text] = await desk.db.read(mail_ids.surviving, conversation_id)
        assert stands == dict(zip(mails, await where(desk, *mails), strict=True))
        for conversation_id in conversations:
            owed = [when for name, (_, when) in mails.items() if not answered[name] and stands[name] == conversation_id]
            assert await waiting(desk, conversation_id) == min(owed, default=None)
            numbers = [e.number for e in await desk.timeline(conversation_id)]
            assert len(numbers) == len(set(numbers))
    finally:
        await db.close()
        sqlite_template.drop(url)


async def test_what_was_closed_before_it_was_merged_is_closed_again(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    one, two = await mail(desk, "one"), await mail(desk, "two")
    await desk.db.write(lifecycle.close, one.conversation_id, by=ann, now=clock.now())
    await merge(desk, one.conversation_id, two.conversation_id, ann)
    await take_apart(desk, one.conversation_id, ann)
    assert (await desk.row(one.conversation_id)).status is Status.CLOSED
