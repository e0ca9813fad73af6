"""What visitors and the desk say to each other, over real sockets and both databases."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import aiohttp

from inbox import lifecycle, timers, visitor_leaving, visitors
from inbox.queue import rows_of
from inbox.vocabulary import CallbackState, ChannelKind, ConversationId, Delivery, EntryKind, Status
from tests.channels.chat.desk import SHOP, ChatDesk
from tests.support.conditions import eventually


async def test_a_message_is_acknowledged_when_it_is_stored(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    answer = await visitor.say("Where is my tent?")
    (row,) = await desk.db.read(rows_of, [answer["conversation"]])
    assert (row.status, row.channel, row.waiting_since, row.snippet) == (
        Status.OPEN,
        ChannelKind.CHAT,
        desk.now,
        "Where is my tent?",
    )


async def test_a_message_sent_again_is_stored_once_and_answered_the_same(desk: ChatDesk) -> None:
    visitor, key = await desk.visitor(), uuid4().hex
    first = await visitor.say("Where is my tent?", key)
    again = await (await desk.visitor(visitor.token)).say("Where is my tent?", key)
    assert (again["number"], again["conversation"], again["duplicate"]) == (
        first["number"],
        first["conversation"],
        True,
    )
    assert await desk.texts(first["conversation"]) == ["Where is my tent?"]


async def test_messages_of_one_visitor_stay_in_order(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    for number in range(20):
        await visitor.client.emit("message", {"id": uuid4().hex, "text": f"{number}"}, namespace="/visitor")
    last = await visitor.say("20")
    assert await desk.texts(last["conversation"]) == [str(n) for n in range(21)]


async def test_a_visitor_who_comes_back_finds_the_conversation_and_what_was_missed(desk: ChatDesk) -> None:
    mia, visitor = await desk.operator(), await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    await visitor.leave()
    await desk.reply(asked["conversation"], mia, "On its way.")
    back = await desk.visitor(visitor.token)
    assert [(e["author"], e["text"]) for e in back.welcome["conversation"]["entries"]] == [
        ("you", "Where is my tent?"),
        ("operator", "On its way."),
    ]
    missed = await back.ask("resume", {"after": asked["number"]})
    assert [e["text"] for e in missed["entries"]] == ["On its way."]


async def test_the_answer_reaches_every_window_and_is_marked_received_and_read(desk: ChatDesk) -> None:
    mia, visitor = await desk.operator(), await desk.visitor()
    other = await desk.visitor(visitor.token)
    asked = await visitor.say("Where is my tent?")
    echo = await other.hears("entry")
    assert (echo["author"], echo["text"], echo["number"]) == ("you", "Where is my tent?", asked["number"])
    written = await desk.reply(asked["conversation"], mia, "On its way.")
    for window in (visitor, other):
        answer = await window.hears("entry")
        assert (answer["author"], answer["author_name"], answer["text"]) == ("operator", "Mia", "On its way.")

    async def delivery() -> Delivery | None:
        return (await desk.timeline(asked["conversation"]))[-1].delivery

    await visitor.ask("received", {"number": written.number})
    assert await delivery() is Delivery.RECEIVED
    await visitor.ask("seen", {"number": written.number})
    assert await delivery() is Delivery.READ
    assert (asked["conversation"], {"seen": written.number}) in desk.news


async def test_notes_and_mail_never_reach_the_visitor(desk: ChatDesk) -> None:
    mia, visitor = await desk.operator(), await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    await desk.take(asked["conversation"], mia)
    await desk.reply(asked["conversation"], mia, "By mail, to somebody else as well.", channel=ChannelKind.EMAIL)
    await desk.reply(asked["conversation"], mia, "Here.")
    assert (await visitor.hears("entry"))["text"] == "Here."
    back = await desk.visitor(visitor.token)
    assert [e["text"] for e in back.welcome["conversation"]["entries"]] == ["Where is my tent?", "Here."]


async def test_each_side_sees_that_the_other_writes(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    for _ in range(3):
        await visitor.ask("typing", {"on": True})
    assert [said for _, said in desk.news if "typing" in said] == [{"typing": True}]
    desk.clock.advance(timedelta(seconds=3))
    await visitor.ask("typing", {"on": True})
    assert len([said for _, said in desk.news if "typing" in said]) == 2
    await desk.chat.namespace.operator_writing(asked["conversation"], "Mia", True)
    assert await visitor.hears("typing") == {"name": "Mia", "on": True}


async def test_operators_hear_who_comes_and_goes(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    second = await desk.visitor(visitor.token)
    await visitor.leave()
    await second.leave()

    async def told() -> bool:
        return desk.news[-1:] == [(asked["conversation"], {"online": False})]

    await eventually(told)
    assert [said["online"] for _, said in desk.news if "online" in said] == [True, True, False]


async def test_the_place_in_the_queue_is_told_and_told_again_when_it_changes(desk: ChatDesk) -> None:
    mia, first, second = await desk.operator(), await desk.visitor(), await desk.visitor()
    ahead = await first.say("I was first")
    desk.clock.advance(timedelta(seconds=30))
    assert (await first.hears("queue"))["place"] == 1
    await second.say("I came later")
    desk.clock.advance(timedelta(seconds=30))
    assert (await second.hears("queue"))["place"] == 2
    await desk.reply(ahead["conversation"], mia, "Hello.")
    desk.clock.advance(timedelta(seconds=90))
    assert (await second.hears("queue"))["place"] == 1
    while (await first.hears("standing"))["waiting"]:
        pass


async def test_who_has_joined_and_that_it_is_closed_is_told(desk: ChatDesk) -> None:
    mia, visitor = await desk.operator(), await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    await visitor.hears("standing")
    await desk.take(asked["conversation"], mia)
    assert (await visitor.hears("standing"))["joined"] == "Mia"
    await desk.db.write(lifecycle.close, asked["conversation"], by=mia, now=desk.now)
    assert (await visitor.hears("standing"))["status"] == "closed"


# --- leaving ---------------------------------------------------------------------------------------------------------


async def _gone(desk: ChatDesk, conversation: ConversationId) -> None:
    async def noted() -> bool:
        return await desk.db.read(visitor_leaving.next_leaving) is not None

    await eventually(noted)


async def _fire(desk: ChatDesk) -> None:
    await desk.db.write(timers.fire_all, timers.TIMERS, now=desk.now)


async def test_a_visitor_who_leaves_for_good_waits_no_longer(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    await visitor.leave()
    await _gone(desk, asked["conversation"])
    desk.clock.advance(visitor_leaving.LEAVING_GRACE - timedelta(seconds=1))
    await _fire(desk)
    (row,) = await desk.db.read(rows_of, [asked["conversation"]])
    assert row.waiting_since is not None
    desk.clock.advance(timedelta(seconds=1))
    await _fire(desk)
    (row,) = await desk.db.read(rows_of, [asked["conversation"]])
    assert (row.waiting_since, row.status) == (None, Status.CLOSED)


async def test_a_visitor_who_comes_back_in_time_has_never_left(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    await visitor.leave()
    await _gone(desk, asked["conversation"])
    desk.clock.advance(timedelta(seconds=30))
    await desk.visitor(visitor.token)
    desk.clock.advance(timedelta(seconds=60))
    await _fire(desk)
    (row,) = await desk.db.read(rows_of, [asked["conversation"]])
    assert row.waiting_since == desk.now - timedelta(seconds=90)


async def test_the_wait_of_somebody_with_a_mail_address_goes_on_by_mail(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    assert (await visitor.ask("contact", {"name": "Olivia", "email": "olivia@hart.example"}))["ok"]
    since = desk.now
    await visitor.leave()
    await _gone(desk, asked["conversation"])
    desk.clock.advance(timedelta(seconds=61))
    await _fire(desk)
    (row,) = await desk.db.read(rows_of, [asked["conversation"]])
    assert (row.waiting_since, row.status, row.contact_name) == (since, Status.OPEN, "Olivia")
    (line,) = [e for e in await desk.timeline(asked["conversation"]) if e.data.get("what") == "visitor_left"]
    assert line.data["goes_on"] == "email"


async def test_a_desk_that_was_away_itself_gives_everybody_time_to_come_back(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    await visitor.say("Where is my tent?")
    assert await desk.db.write(visitor_leaving.all_left, now=desk.now) == 1
    assert await desk.db.read(visitor_leaving.next_leaving) == desk.now + visitor_leaving.LEAVING_GRACE


# --- other ways to be answered ----------------------------------------------------------------------------------------


async def test_a_question_left_outside_hours_can_be_answered_by_mail(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    answer = await visitor.ask(
        "leave_question", {"id": uuid4().hex, "text": "Is the shop open on Sunday?", "email": "Olivia@Hart.example"}
    )
    assert answer["ok"]
    assert answer["reference"] == str(answer["conversation"])
    view = await desk.db.read(visitors.standings, [answer["conversation"]])
    assert view[0][2].answer_by is ChannelKind.EMAIL


async def test_a_call_asked_for_twice_is_owed_once(desk: ChatDesk) -> None:
    visitor, key = await desk.visitor(), uuid4().hex
    await visitor.say("Where is my tent?")
    asked = {"id": key, "number": "040 123 4567", "slot": None}
    first, again = await visitor.ask("callback", asked), await visitor.ask("callback", asked)
    assert first["conversation"] == again["conversation"]
    (row,) = await desk.db.read(rows_of, [first["conversation"]])
    assert row.callback == CallbackState.DUE
    kinds = [e.kind for e in await desk.timeline(first["conversation"])]
    assert kinds.count(EntryKind.CALLBACK) == 1


async def test_a_call_can_be_asked_for_at_an_offered_time(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    slots = (await visitor.ask("slots", {}))["slots"]
    answer = await visitor.ask("callback", {"id": uuid4().hex, "number": "+358401234567", "slot": slots[0]})
    assert answer["ok"], answer
    (row,) = await desk.db.read(rows_of, [answer["conversation"]])
    assert row.callback == CallbackState.SCHEDULED


async def test_asking_for_the_answer_by_mail_keeps_the_place(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    asked = await visitor.say("Where is my tent?")
    assert (await visitor.ask("contact", {"email": "", "answer_by": "email"}))["field"] == "email"
    assert (await visitor.ask("contact", {"email": "olivia@hart.example", "answer_by": "email"}))["ok"]
    (row,) = await desk.db.read(rows_of, [asked["conversation"]])
    assert row.waiting_since == desk.now
    ((_, _, standing),) = await desk.db.read(visitors.standings, [asked["conversation"]])
    assert standing.answer_by is ChannelKind.EMAIL


async def test_files_go_both_ways(desk: ChatDesk) -> None:
    visitor = await desk.visitor()
    headers = {"Origin": SHOP, "X-Visitor-Token": visitor.token}
    async with aiohttp.ClientSession() as http:
        form = aiohttp.FormData()
        form.add_field("file", b"lost and found", filename="receipt.txt")
        async with http.post(f"{desk.url}/widget/api/attachments?site=shop", data=form, headers=headers) as answer:
            stored = await answer.json()
        sent = await visitor.say("", attachments=[stored["id"]])
        back = await desk.visitor(visitor.token)
        (entry,) = back.welcome["conversation"]["entries"]
        assert entry["number"] == sent["number"]
        (file,) = entry["attachments"]
        async with http.get(desk.url + file["url"]) as answer:
            assert (answer.status, await answer.read()) == (200, b"lost and found")
            assert answer.headers["Content-Disposition"].startswith('attachment; filename="receipt.txt"')
