"""Alarms reach the people the rules name, by the means they name, each once."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import datetime, timedelta
from hashlib import sha256

import pytest

from channels.alarms.push import Push
from inbox import lifecycle, mail_stops, passing_on
from inbox.alarms import notices, push_subscriptions, rules
from inbox.alarms.notices import NoticeState
from inbox.alarms.rules import After, Means, Step, To
from inbox.errors import BadInput
from inbox.mail_stops import StopReason
from inbox.people import operators, teams
from inbox.store.outbox_worker import OutboxWorker
from inbox.vocabulary import ChannelKind, Presence, Role
from inbox.waits.change_hours import set_hours
from inbox.waits.hours import ALWAYS
from tests.channels.alarms.conftest import SECRET, AlarmingDesk

AT_TARGET = Step("", After.TARGET, (To.SUPERVISORS,), (Means.APP,))


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


async def test_a_new_desk_tells_the_owner_at_the_warning_and_everybody_at_the_target(desk: AlarmingDesk) -> None:
    owner, colleague = await desk.operator("Owner"), await desk.operator("Colleague")
    head = await desk.operator("Head", role=Role.SUPERVISOR, presence=Presence.OFFLINE)
    received = await desk.chat("Hello?")
    await desk.db.write(lifecycle.take, received.conversation_id, owner, now=desk.clock.now())
    desk.clock.advance(minutes(3))
    await desk.settle()
    assert [(raised.after, set(raised.operators)) for raised in desk.on_screens] == [("warning", {owner})]
    desk.clock.advance(minutes(2))
    await desk.settle()
    assert desk.on_screens[-1].after == "target"
    assert set(desk.on_screens[-1].operators) == {owner, colleague, head}
    await desk.settle()
    assert len(desk.on_screens) == 2


async def test_a_conversation_without_an_owner_or_with_one_who_is_gone_belongs_to_those_at_work(
    desk: AlarmingDesk,
) -> None:
    here, gone = await desk.operator("Here"), await desk.operator("Gone")
    nobodys, left = await desk.chat("one", visitor="one"), await desk.chat("two", visitor="two")
    await desk.db.write(lifecycle.take, left.conversation_id, gone, now=desk.clock.now())
    await desk.presence(gone, Presence.OFFLINE)
    desk.clock.advance(minutes(3))
    await desk.settle()
    told = {raised.conversation_id: raised.operators for raised in desk.on_screens}
    assert told == {nobodys.conversation_id: (here,), left.conversation_id: (here,)}


async def test_push_reaches_the_browser_encrypted_and_each_browser_once(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.PUSH,)))
    head = await desk.operator("Head", role=Role.SUPERVISOR)
    await desk.subscribe(head, "laptop")
    await desk.subscribe(head, "phone")
    received = await desk.chat("Hello?", name="Aino")
    desk.clock.advance(minutes(5))
    await desk.settle()
    await desk.settle()
    assert sorted(name for name, _ in desk.outside.pushed) == ["laptop", "phone"]
    message = desk.outside.pushed[0][1]
    assert message == {
        "title": "Somebody has waited 5:00: too long",
        "body": "Chat · Aino · Hello?",
        "tag": f"conversation-{received.conversation_id}",
        "path": f"/inbox/{received.conversation_id}",
    }
    assert [notice.state for notice in await desk.notices()] == [NoticeState.SENT]


async def test_a_browser_that_is_gone_is_forgotten_and_the_others_are_told(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.PUSH,)))
    head = await desk.operator("Head", role=Role.SUPERVISOR)
    await desk.subscribe(head, "old")
    await desk.subscribe(head, "new")
    desk.outside.answers["old"] = 410
    await desk.chat("Hello?")
    desk.clock.advance(minutes(5))
    await desk.settle()
    assert [name for name, _ in desk.outside.pushed] == ["new"]
    left = await desk.db.read(push_subscriptions.of_operator, head)
    assert [one.endpoint.rpartition("/")[2] for one in left] == ["new"]


async def test_a_push_service_in_trouble_is_asked_again_and_given_up_in_sight_of_people(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.PUSH,)))
    await desk.subscribe(await desk.operator("Head", role=Role.SUPERVISOR), "laptop")
    desk.outside.answers["laptop"] = 503
    await desk.chat("Hello?")
    desk.clock.advance(minutes(5))
    await desk.settle()
    [notice] = await desk.notices()
    assert (notice.state, notice.error) == (NoticeState.QUEUED, "RuntimeError: the push service answered 503")
    del desk.outside.answers["laptop"]
    desk.clock.advance(minutes(1))
    await desk.settle()
    assert [name for name, _ in desk.outside.pushed] == ["laptop"]
    assert [notice.state for notice in await desk.notices()] == [NoticeState.SENT]


async def test_names_are_left_out_for_those_who_want_it_and_means_can_be_turned_off(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.PUSH, Means.MAIL)))
    head = await desk.operator("Head", role=Role.SUPERVISOR)
    await desk.subscribe(head, "laptop")
    await desk.db.write(operators.prefer, head, {"alarms_names": "off", "alarms_mail": "off"})
    await desk.chat("Hello?", name="Aino")
    desk.clock.advance(minutes(5))
    await desk.settle()
    assert [message["body"] for _, message in desk.outside.pushed] == ["Chat"]
    assert await desk.mails() == []


async def test_one_mail_names_everybody_who_waits_and_the_next_comes_five_minutes_later(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.MAIL,)))
    await desk.operator("Head", role=Role.SUPERVISOR)
    first, second = await desk.chat("one", visitor="one", name="Aino"), await desk.chat("two", visitor="two")
    desk.clock.advance(minutes(1))
    third = await desk.chat("three", visitor="three")
    desk.clock.advance(minutes(4))
    await desk.settle()
    [letter] = await desk.mails()
    text = letter.text
    assert (letter.address, letter.subject) == ("head@desk.example", "2 customers wait for an answer")
    assert "5:00  Chat · Aino · one\n  https://desk.test/inbox/" in text
    assert [str(one.conversation_id) in text for one in (first, second, third)] == [True, True, False]
    desk.clock.advance(minutes(1))
    await desk.settle()
    assert len(await desk.mails()) == 1
    desk.clock.advance(minutes(4))
    await desk.settle()
    assert [letter.subject for letter in (await desk.mails())[1:]] == ["1 customer waits for an answer"]


async def test_a_customers_name_is_only_a_name_in_the_mail(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.MAIL,)))
    await desk.operator("Head", role=Role.SUPERVISOR)
    await desk.chat("Hello?", name="<b onclick=x>Aino</b>")
    desk.clock.advance(minutes(5))
    await desk.settle()
    [letter] = await desk.mails()
    assert "&lt;b onclick=x&gt;" in (letter.html or "")
    assert "<b " not in (letter.html or "")


async def test_an_address_that_mail_does_not_reach_is_named_as_such(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.MAIL,)))
    await desk.operator("Head", role=Role.SUPERVISOR)
    await desk.db.write(
        mail_stops.stop, "head@desk.example", mail_stops.EVERYTHING, StopReason.BOUNCED, now=desk.clock.now()
    )
    await desk.chat("Hello?")
    desk.clock.advance(minutes(5))
    await desk.settle()
    assert [notice.state for notice in await desk.notices()] == [NoticeState.NOWHERE]


async def test_a_webhook_is_signed_and_a_second_try_has_the_same_id(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.WARNING, (), (Means.WEBHOOK,), webhooks=("on-call",)))
    received = await desk.chat("Hello?", name="Aino")
    desk.outside.answers["hook"] = 500
    desk.clock.advance(minutes(3))
    await desk.settle()
    del desk.outside.answers["hook"]
    desk.clock.advance(timedelta(seconds=10))
    await desk.settle()
    (first, _), (headers, body) = desk.outside.hooked
    assert first["webhook-id"] == headers["webhook-id"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    told = json.loads(body)
    assert (told["event"], told["conversation"]["id"]) == ("wait.warned", received.conversation_id)
    assert (told["conversation"]["customer"], told["wait"]["waited_s"]) == ("Aino", 190)


async def test_who_was_answered_in_time_causes_no_alarm(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.APP, Means.PUSH)))
    head = await desk.operator("Head", role=Role.SUPERVISOR)
    await desk.subscribe(head, "laptop")
    received = await desk.chat("Hello?")
    desk.clock.advance(minutes(4))
    await desk.reply(received.conversation_id, head, "Good morning!")
    desk.clock.advance(minutes(4))
    await desk.settle()
    assert (desk.on_screens, desk.outside.pushed, await desk.notices()) == ([], [], [])


async def test_an_answer_between_the_rule_and_the_push_saves_the_push(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.PUSH,)))
    head = await desk.operator("Head", role=Role.SUPERVISOR)
    await desk.subscribe(head, "laptop")
    received = await desk.chat("Hello?")
    desk.clock.advance(minutes(5))
    await desk.watcher.fire()
    await desk.workers[0].work_off()
    await desk.reply(received.conversation_id, head, "Good morning!")
    await desk.settle()
    assert desk.outside.pushed == []
    assert [notice.state for notice in await desk.notices()] == [NoticeState.ENDED]


async def test_a_later_step_counts_opening_time_and_stands_still_in_an_agreed_pause(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.LATER, (To.SUPERVISORS,), (Means.APP,), later_min=10))
    head = await desk.operator("Head", role=Role.SUPERVISOR)
    received = await desk.chat("Hello?")
    desk.clock.advance(minutes(8))
    await desk.settle()
    now = desk.clock.now()
    await desk.db.write(lifecycle.snooze, received.conversation_id, now + minutes(60), by=head, agreed=True, now=now)
    desk.clock.advance(minutes(30))
    await desk.settle()
    assert desk.on_screens == []
    desk.clock.advance(minutes(30))
    await desk.settle()
    desk.clock.advance(minutes(6.5))
    await desk.settle()
    assert desk.on_screens == []
    desk.clock.advance(minutes(0.5))
    await desk.settle()
    [raised] = desk.on_screens
    assert (raised.after, raised.operators) == ("later", (head,))


async def test_a_later_step_does_not_come_at_night(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.LATER, (To.SUPERVISORS,), (Means.APP,), later_min=30))
    await desk.operator("Head", role=Role.SUPERVISOR)
    weekly = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    await desk.db.write(set_hours, "Europe/Helsinki", {"weekly": weekly}, by=None, now=desk.clock.now())
    desk.clock.set(datetime.fromisoformat("2026-03-11T16:50:00+02:00"))
    await desk.chat("Hello?")
    for moment, raised in (("11T16:56", 0), ("11T20:00", 0), ("12T09:00", 0), ("12T09:24", 0), ("12T09:25", 1)):
        desk.clock.set(datetime.fromisoformat(f"2026-03-{moment}:00+02:00"))
        await desk.settle()
        assert len(desk.on_screens) == raised, moment


async def test_a_later_step_counts_the_hours_of_the_team_that_is_to_answer(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.LATER, (To.SUPERVISORS,), (Means.APP,), later_min=30))
    head = await desk.operator("Head", role=Role.SUPERVISOR)
    weekly = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    await desk.db.write(set_hours, "Europe/Helsinki", {"weekly": weekly}, by=None, now=desk.clock.now())
    night = await desk.db.write(teams.add, "Night")
    await desk.db.write(set_hours, "Europe/Helsinki", ALWAYS, by=None, now=desk.clock.now(), team_id=night)
    desk.clock.set(datetime.fromisoformat("2026-03-11T22:00:00+02:00"))
    received = await desk.chat("Hello?")
    await desk.db.write(passing_on.pass_on, received.conversation_id, night, by=head, now=desk.clock.now())
    for moment, raised in (("22:05", 0), ("22:34", 0), ("22:35", 1)):
        desk.clock.set(datetime.fromisoformat(f"2026-03-11T{moment}:00+02:00"))
        await desk.settle()
        assert len(desk.on_screens) == raised, moment


async def test_channels_and_teams_of_a_step_are_minded(desk: AlarmingDesk) -> None:
    await desk.rules(
        Step("", After.TARGET, (To.SUPERVISORS,), (Means.APP,), channels=(ChannelKind.EMAIL,)),
    )
    await desk.operator("Head", role=Role.SUPERVISOR)
    await desk.chat("Hello?")
    mail = await desk.mail("Hello?")
    desk.clock.advance(minutes(5))
    await desk.settle()
    assert [raised.conversation_id for raised in desk.on_screens] == [mail.conversation_id]


async def test_two_workers_of_two_processes_raise_an_alarm_once(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.PUSH,)))
    await desk.subscribe(await desk.operator("Head", role=Role.SUPERVISOR), "laptop")
    await desk.chat("Hello?")
    desk.clock.advance(minutes(5))
    await desk.watcher.fire()
    again = AlarmingDesk(desk.db, desk.clock, desk.outside)  # the process that starts after a crash
    for mine, theirs in zip(desk.workers, again.workers, strict=True):
        await mine.work_off()
        await theirs.work_off()
    assert [name for name, _ in desk.outside.pushed] == ["laptop"]
    assert len(await desk.notices()) == 1


async def test_a_job_whose_lease_ran_out_tells_nobody_twice(desk: AlarmingDesk) -> None:
    await desk.rules(Step("", After.TARGET, (To.SUPERVISORS,), (Means.PUSH,)))
    await desk.subscribe(await desk.operator("Head", role=Role.SUPERVISOR), "laptop")
    received = await desk.chat("Hello?")
    desk.clock.advance(minutes(5))
    await desk.settle()
    [wait] = await desk.waits(received.conversation_id)
    made = await desk.db.write(notices.raise_due, wait.id, After.TARGET, now=desk.clock.now())
    await desk.settle()
    assert made == []
    assert len(desk.outside.pushed) == 1


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (Step("", After.TARGET, (To.OWNER,), ()), "steps.0.means"),
        (Step("", After.TARGET, (), (Means.PUSH,)), "steps.0.to"),
        (Step("", After.LATER, (To.OWNER,), (Means.PUSH,)), "steps.0.later_min"),
        (Step("", After.TARGET, (), (Means.WEBHOOK,)), "steps.0.webhooks"),
        (Step("", After.TARGET, (), (Means.WEBHOOK,), webhooks=("unknown",)), "steps.0.webhooks"),
    ],
)
async def test_a_step_that_could_tell_nobody_is_refused(desk: AlarmingDesk, step: Step, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        await desk.rules(step)
    assert refused.value.field == field


async def test_steps_keep_their_keys_and_new_ones_get_others(desk: AlarmingDesk) -> None:
    await desk.rules(AT_TARGET, AT_TARGET)
    kept = await desk.db.read(rules.load)
    assert len({step.key for step in kept}) == 2
    by = await desk.operator("Head")
    changed = await desk.db.write(rules.save, (kept[1], AT_TARGET), webhooks=[], by=by, now=desk.clock.now())
    assert changed[0].key == kept[1].key
    assert changed[1].key not in {step.key for step in kept}


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com.evil.example/x",
        "http://fcm.googleapis.com/x",
        "https://127.0.0.1/x",
        "https://fcm.googleapis.com:8443/x",
        "https://evil.example/fcm.googleapis.com",
        "https://fcm.googleapis.com@evil.example/",
        "https://fcm.googleapis.com:99999/x",
        "https://[fcm.googleapis.com/x",
        "file:///etc/passwd",
    ],
)
def test_no_stranger_makes_the_desk_call_an_address_of_their_choice(endpoint: str) -> None:
    push = Push(SECRET, contact="", services=["fcm.googleapis.com", "notify.windows.com"])
    with pytest.raises(BadInput):
        push.checked(endpoint)
    assert push.checked("https://fcm.googleapis.com/fcm/send/abc")
    assert push.checked("https://wns2-par02p.notify.windows.com/w/?token=abc")


def test_every_process_of_a_desk_has_the_same_push_key() -> None:
    one, two = (Push(SECRET, contact="", services=[]).public_key for _ in range(2))
    assert one == two
    assert len(base64.urlsafe_b64decode(one + "=")) == 65
    assert Push("another", contact="", services=[]).public_key != one


async def test_the_worker_of_alarms_wakes_for_marks_alone(desk: AlarmingDesk) -> None:
    heedless = OutboxWorker(desk.db, desk.clock, "alarm", desk.workers[0]._handle, heeds=())
    desk.db.on_commit(heedless.wake)
    await desk.chat("Hello?")
    assert not heedless._woken.is_set()
    heedless.look()
    assert heedless._woken.is_set()
