"""The queue: most urgent first over all channels, in pieces along one key, with counts that agree."""

from __future__ import annotations

from datetime import timedelta

from inbox import callbacks, lifecycle, queue
from inbox.clock import ManualClock
from inbox.queue import View
from inbox.queue_key import NOT_WAITING, queue_key
from inbox.vocabulary import ChannelKind, ConversationId, OperatorId
from tests.support.verbs import VerbDesk

NOBODY = OperatorId(0)


async def ids(desk: VerbDesk, view: View, viewer: OperatorId = NOBODY) -> list[ConversationId]:
    return [row.id for row in (await desk.db.read(queue.page, view, viewer)).rows]


async def test_who_has_waited_longest_comes_first_whatever_the_channel(desk: VerbDesk, clock: ManualClock) -> None:
    chat = await desk.chat("First")
    clock.advance(timedelta(seconds=1))
    mail = await desk.mail("Second", subject="B")
    clock.advance(timedelta(seconds=1))
    call = await desk.call()
    assert await ids(desk, View.WAITING) == [chat.conversation_id, mail.conversation_id, call.conversation_id]
    await desk.chat("First again")
    assert (await ids(desk, View.WAITING))[0] == chat.conversation_id


async def test_pages_join_without_gap_or_repetition(desk: VerbDesk, clock: ManualClock) -> None:
    asked = [(await desk.chat("Hello?", visitor=f"v{number}")).conversation_id for number in range(7)]
    seen: list[ConversationId] = []
    after = None
    while True:
        page = await desk.db.read(queue.page, View.WAITING, OperatorId(0), after=after, limit=3)
        seen += [row.id for row in page.rows]
        if page.next_after is None:
            break
        after = page.next_after
    assert seen == asked, "the same due time: the id decides"


async def test_views_hold_what_their_names_say(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    names = ("mine", "free", "answered", "snoozed", "closed", "spam", "callback")
    c = {name: (await desk.chat("Hello?", visitor=name)).conversation_id for name in names}
    now = clock.now()
    await desk.db.write(lifecycle.take, c["mine"], ann, now=now)
    await desk.reply(c["answered"], ann, "Hi")
    await desk.db.write(lifecycle.snooze, c["snoozed"], now + timedelta(hours=1), by=ann, now=now)
    await desk.db.write(lifecycle.close, c["closed"], by=ann, now=now)
    await desk.db.write(lifecycle.mark_spam, c["spam"], by=ann, now=now)
    await desk.db.write(callbacks.create, c["callback"], number="+358401234567", now=now)
    waiting = {c["mine"], c["free"], c["callback"]}
    assert set(await ids(desk, View.WAITING)) == waiting
    assert await ids(desk, View.MINE, ann) == [c["mine"]]
    assert set(await ids(desk, View.UNASSIGNED)) == {c["free"], c["callback"]}
    assert set(await ids(desk, View.ALL)) == waiting
    assert await ids(desk, View.PENDING) == [c["answered"]]
    assert await ids(desk, View.SNOOZED) == [c["snoozed"]]
    assert await ids(desk, View.CALLBACKS) == [c["callback"]]
    assert await ids(desk, View.SPAM) == [c["spam"]]
    assert await ids(desk, View.CLOSED) == [c["closed"]]


async def test_counts_follow_the_clock(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    await desk.chat("Late", visitor="a")
    clock.advance(timedelta(minutes=2))
    await desk.chat("Warned", visitor="b")
    clock.advance(timedelta(minutes=3))
    await desk.chat("Fresh", visitor="c")
    counts = await desk.db.read(queue.counts, ann, now=clock.now())
    assert (counts.missed, counts.warned, counts.in_target, counts.waiting) == (1, 1, 1, 3)
    assert (counts.unassigned, counts.mine) == (3, 0)


async def test_a_channel_may_be_looked_at_alone(desk: VerbDesk) -> None:
    await desk.chat("Hello?")
    mail = await desk.mail("Hello", subject="B")
    page = await desk.db.read(queue.page, View.WAITING, OperatorId(0), channel=ChannelKind.EMAIL)
    assert [row.id for row in page.rows] == [mail.conversation_id]


async def test_everybody_has_one_place_over_all_channels(desk: VerbDesk, clock: ManualClock) -> None:
    mail = await desk.mail("First", subject="B")
    clock.advance(timedelta(seconds=1))
    chat = await desk.chat("Second")
    places = await desk.db.read(queue.places)
    assert (places[mail.conversation_id], places[chat.conversation_id]) == (1, 2)
    assert await desk.db.read(queue.places, ChannelKind.CHAT) == {chat.conversation_id: 2}


async def test_a_version_rises_with_every_change_a_screen_shows(desk: VerbDesk, clock: ManualClock) -> None:
    ann = await desk.operator("Ann")
    asked = await desk.chat("Hello?")
    versions = [(await desk.row(asked.conversation_id)).version]
    for verb, args in (
        (lifecycle.take, (ann,)),
        (lifecycle.close, ()),
    ):
        by = {} if verb is lifecycle.take else {"by": ann}
        await desk.db.write(verb, asked.conversation_id, *args, now=clock.now(), **by)  # type: ignore[arg-type]
        versions.append((await desk.row(asked.conversation_id)).version)
    assert versions == sorted(set(versions))


def test_keys_order_waiting_before_the_rest_and_new_activity_first(clock: ManualClock) -> None:
    now = clock.now()
    soon, later = queue_key(now, now), queue_key(now + timedelta(minutes=1), now)
    idle, idle_before = queue_key(None, now), queue_key(None, now - timedelta(minutes=1))
    assert soon < later < NOT_WAITING < idle < idle_before < 2**53


async def test_rows_of_nothing_are_nothing(desk: VerbDesk) -> None:
    assert await desk.db.read(queue.rows_of, []) == []
    assert await desk.db.read(queue.row, ConversationId(404)) is None
