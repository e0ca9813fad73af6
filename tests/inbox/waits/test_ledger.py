"""When a wait starts, runs on, pauses and ends. Ten o'clock UTC is noon at this desk, and it is open."""

from __future__ import annotations

from datetime import datetime

import pytest

from inbox.vocabulary import ChannelKind, Ending
from inbox.waits.listing import WaitRecord
from tests.support.eventlog import DrivenDesk, minutes

OFFICE = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def at(written: str) -> datetime:
    """A time of that Tuesday at the desk, or of the day given before it."""
    day, _, time = written.rpartition(" ")
    return datetime.fromisoformat(f"{day or '2026-03-10'}T{time}:00+02:00")


def line(written: str, what: str, conversation: str = "aino", **more: object) -> dict[str, object]:
    return {"at": at(written).isoformat(), "what": what, "in": conversation, **more}


async def only_wait(desk: DrivenDesk, conversation: str = "aino") -> WaitRecord:
    [wait] = await desk.waits(conversation)
    return wait


async def test_an_answer_ends_the_wait_and_fixes_its_clocks(desk: DrivenDesk) -> None:
    await desk.play([line("12:00", "message"), line("12:02", "reply", by="mia")])
    wait = await only_wait(desk)
    assert (wait.started_at, wait.ended_at, wait.ending) == (at("12:00"), at("12:02"), Ending.ANSWERED)
    assert (wait.wall_s, wait.open_s, wait.net_s, wait.first, wait.ended_by) == (120, 120, 120, True, "Mia")


async def test_a_second_message_moves_nothing(desk: DrivenDesk) -> None:
    await desk.play([line("12:00", "message"), line("12:01", "message"), line("12:04", "reply", by="mia")])
    wait = await only_wait(desk)
    assert (wait.started_at, wait.net_s) == (at("12:00"), 240)


async def test_what_the_desk_does_among_itself_stops_no_clock(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message"),
            line("12:00", "automatic"),
            {"at": at("12:01").isoformat(), "what": "presence", "by": "ben", "presence": "online"},
            line("12:01", "take", by="mia"),
            line("12:01", "note", by="mia"),
            line("12:02", "hand_off", by="mia", to="ben"),
            line("12:05", "assign", by="mia", to="ben"),  # the offer has returned to the queue: Mia is offline
            line("12:06", "assign", by="ben", expected="ben"),
            line("12:07", "snooze", by="ben", until=at("12:20").isoformat()),
            line("12:25", "reply", by="ben"),
        ]
    )
    wait = await only_wait(desk)
    assert (wait.started_at, wait.net_s, wait.ended_by) == (at("12:00"), 25 * 60, "Ben")
    assert (wait.warned_at, wait.missed_at) == (at("12:03"), at("12:05"))


async def test_machine_mail_starts_nothing(desk: DrivenDesk) -> None:
    await desk.play([line("12:00", "message", channel="email", machine=True)])
    assert await desk.waits("aino") == []


async def test_a_call_has_waited_since_it_rang_but_never_since_the_future(desk: DrivenDesk) -> None:
    rang, skewed = at("11:59").isoformat(), at("13:00").isoformat()
    await desk.play(
        [
            line("12:00", "message", channel="phone", began=rang),
            line("12:00", "message", "otso", channel="phone", began=skewed),
        ]
    )
    assert (await only_wait(desk)).started_at == at("11:59")
    assert (await only_wait(desk, "otso")).started_at == at("12:00")


async def test_warned_and_missed_are_written_once_at_their_second(desk: DrivenDesk) -> None:
    await desk.play([line("12:00", "message")])
    await desk.until(at("18:00"))
    assert await desk.steps("aino") == [
        ("started", at("12:00")),
        ("warned", at("12:03")),
        ("missed", at("12:05")),
    ]


async def test_an_answer_in_the_last_second_is_in_time(desk: DrivenDesk) -> None:
    desk.clock.set(at("12:00"))
    await desk.play([line("12:00", "message")])
    desk.clock.set(at("12:05") - minutes(1 / 60_000))
    await desk.play([{"at": desk.clock.now().isoformat(), "what": "reply", "in": "aino", "by": "mia"}])
    wait = await only_wait(desk)
    assert (wait.missed_at, wait.net_s) == (None, 300)


async def test_what_was_due_while_nobody_watched_is_written_with_the_ending(desk: DrivenDesk) -> None:
    await desk.play([line("12:00", "message")])
    desk.clock.set(at("12:09"))  # no watcher ran since
    await desk._reply(by="mia", **{"in": "aino"})
    assert await desk.steps("aino") == [
        ("started", at("12:00")),
        ("warned", at("12:03")),
        ("missed", at("12:05")),
        ("ended", at("12:09")),
    ]


async def test_an_agreed_snooze_pauses_the_third_clock(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message"),
            line("12:02", "snooze", by="mia", until=at("14:00").isoformat(), agreed=True),
        ]
    )
    await desk.until(at("14:02"))
    assert ("resumed", at("14:00")) in await desk.steps("aino")
    await desk.play([line("14:02", "reply", by="mia")])
    wait = await only_wait(desk)
    assert (wait.wall_s, wait.open_s, wait.net_s) == (122 * 60, 122 * 60, 4 * 60)
    assert (wait.warned_at, wait.missed_at) == (at("14:01"), None)


async def test_an_agreed_pause_ends_when_it_was_agreed_even_when_the_desk_stood_still_then(desk: DrivenDesk) -> None:
    await desk.play(
        [line("12:00", "message"), line("12:02", "snooze", by="mia", until=at("14:00").isoformat(), agreed=True)]
    )
    desk.clock.set(at("14:30"))
    await desk.watcher.fire()
    steps = await desk.steps("aino")
    assert steps[-3:] == [("resumed", at("14:00")), ("warned", at("14:01")), ("missed", at("14:03"))]


async def test_a_customer_who_writes_during_an_agreed_pause_waits_again(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message"),
            line("12:02", "snooze", by="mia", until=at("14:00").isoformat(), agreed=True),
            line("13:00", "message"),
            line("13:02", "reply", by="mia"),
        ]
    )
    wait = await only_wait(desk)
    assert (wait.net_s, wait.warned_at) == (240, at("13:01"))


async def test_a_snooze_that_is_no_longer_agreed_runs_again(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message"),
            line("12:01", "snooze", by="mia", until=at("14:00").isoformat(), agreed=True),
            line("13:00", "snooze", by="mia", until=at("15:00").isoformat()),
        ]
    )
    await desk.until(at("13:30"))
    wait = await only_wait(desk)
    assert (wait.warned_at, wait.missed_at) == (at("13:02"), at("13:04"))


async def test_an_undelivered_answer_lets_the_wait_run_again_from_its_start(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message"),
            line("12:01", "reply", by="mia"),
            line("12:30", "undelivered"),
        ]
    )
    assert await desk.steps("aino") == [
        ("started", at("12:00")),
        ("ended", at("12:01")),
        ("runs_again", at("12:30")),
        ("warned", at("12:03")),
        ("missed", at("12:05")),
    ]
    await desk.play([line("12:40", "again", by="mia")])
    wait = await only_wait(desk)
    assert (wait.started_at, wait.net_s, wait.ending) == (at("12:00"), 40 * 60, Ending.ANSWERED)


async def test_an_undelivered_automatic_text_changes_no_clock(desk: DrivenDesk) -> None:
    await desk.play([line("12:00", "message"), line("12:00", "automatic")])
    before = await desk.steps("aino")
    await desk.play([line("12:01", "undelivered", automatic=True)])
    assert await desk.steps("aino") == before


async def test_a_wait_begun_before_the_failure_is_known_is_folded_into_the_older(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message"),
            line("12:01", "reply", by="mia"),
            line("12:10", "message"),
            line("12:11", "undelivered"),
        ]
    )
    first, second = await desk.waits("aino")
    assert (first.started_at, first.ended_at) == (at("12:00"), None)
    assert (second.ending, second.ended_at) == (Ending.MERGED, at("12:11"))


@pytest.mark.parametrize(
    ("what", "more", "ending"),
    [
        ("close", {}, Ending.CLOSED),
        ("close", {"ending": "no_answer_needed"}, Ending.NO_ANSWER_NEEDED),
        ("spam", {}, Ending.SPAM),
    ],
)
async def test_closing_ends_the_wait_with_its_reason(
    desk: DrivenDesk, what: str, more: dict[str, str], ending: Ending
) -> None:
    await desk.play([line("12:00", "message"), line("12:02", what, by="mia", **more)])
    wait = await only_wait(desk)
    assert (wait.ending, wait.net_s) == (ending, 120)


async def test_reopening_later_starts_no_wait_but_the_next_message_does(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message"),
            line("12:01", "close", by="mia"),
            line("12:09", "reopen", by="mia"),
        ]
    )
    assert [wait.ending for wait in await desk.waits("aino")] == [Ending.CLOSED]
    await desk.play([line("12:10", "message")])
    [_, next_wait] = await desk.waits("aino")
    assert (next_wait.started_at, next_wait.first) == (at("12:10"), False)


async def test_a_mistaken_closing_taken_back_at_once_never_ended_the_wait(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message"),
            line("12:01", "close", by="mia"),
            line("12:02", "reopen", by="mia"),
            line("12:04", "reply", by="mia"),
        ]
    )
    wait = await only_wait(desk)
    assert (wait.started_at, wait.ending, wait.net_s) == (at("12:00"), Ending.ANSWERED, 240)


async def test_merging_keeps_the_older_wait(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message", "aino"),
            line("12:01", "message", "otso"),
            line("12:02", "merge", "aino", by="mia", into="otso"),
            line("12:04", "reply", "otso", by="mia"),
        ]
    )
    assert await desk.waits("aino") == []
    moved, folded = await desk.waits("otso")
    assert (moved.started_at, moved.net_s, moved.ending) == (at("12:00"), 240, Ending.ANSWERED)
    assert (folded.started_at, folded.ending) == (at("12:01"), Ending.MERGED)


async def test_merging_into_the_older_one_ends_the_younger(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message", "otso"),
            line("12:01", "message", "aino"),
            line("12:02", "merge", "aino", by="mia", into="otso"),
        ]
    )
    assert (await only_wait(desk, "otso")).ended_at is None
    assert (await only_wait(desk, "aino")).ending is Ending.MERGED


async def test_an_undelivered_answer_of_a_merged_conversation_is_owed_where_it_goes_on(desk: DrivenDesk) -> None:
    await desk.play(
        [
            line("12:00", "message", "aino"),
            line("12:01", "reply", "aino", by="mia"),
            line("12:02", "message", "otso"),
            line("12:03", "merge", "aino", by="mia", into="otso"),
            line("12:04", "undelivered", "aino"),
        ]
    )
    assert await desk.waits("aino") == []
    again, folded = await desk.waits("otso")
    assert (again.started_at, again.ended_at) == (at("12:00"), None)
    assert (folded.started_at, folded.ending) == (at("12:02"), Ending.MERGED)


async def test_a_visitor_who_leaves_before_an_answer_has_abandoned(desk: DrivenDesk) -> None:
    await desk.play([line("12:00", "message"), line("12:02", "abandoned")])
    wait = await only_wait(desk)
    assert (wait.ending, wait.net_s) == (Ending.ABANDONED, 120)


async def test_a_visitor_who_left_an_address_goes_on_as_mail_from_the_same_start(desk: DrivenDesk) -> None:
    targets = {"email": {"warn_s": 600, "target_s": 1200}}
    await desk.play(
        [
            {"at": at("12:00").isoformat(), "what": "hours", "weekly": OFFICE, "targets": targets},
            line("12:00", "message"),
            line("12:02", "goes_on_by", channel="email"),
            line("12:30", "reply", by="mia"),
        ]
    )
    wait = await only_wait(desk)
    assert (wait.channel, wait.started_at) == (ChannelKind.EMAIL, at("12:00"))
    assert (wait.warned_at, wait.missed_at, wait.net_s) == (at("12:10"), at("12:20"), 1800)


async def test_nothing_is_missed_at_night_and_the_wall_clock_shows_it_all(desk: DrivenDesk) -> None:
    await desk.play(
        [
            {"at": at("12:00").isoformat(), "what": "hours", "weekly": OFFICE},
            line("16:58", "message"),
            line("2026-03-11 09:04", "reply", by="mia"),
        ]
    )
    wait = await only_wait(desk)
    assert (wait.warned_at, wait.missed_at) == (at("2026-03-11 09:01"), at("2026-03-11 09:03"))
    assert (wait.wall_s, wait.open_s, wait.net_s) == (16 * 3600 + 6 * 60, 360, 360)


async def test_changed_hours_move_what_is_ahead_and_leave_what_was(desk: DrivenDesk) -> None:
    await desk.play(
        [
            {"at": at("12:00").isoformat(), "what": "hours", "weekly": OFFICE},
            line("16:00", "message", "early"),
            line("16:10", "reply", "early", by="mia"),
            line("16:58", "message", "late"),
            {
                "at": at("16:59").isoformat(),
                "what": "hours",
                "weekly": {"tue": [["09:00", "12:00"], ["18:00", "20:00"]]},
            },
        ]
    )
    late = await only_wait(desk, "late")
    assert (late.warn_at, late.due_at) == (at("18:02"), at("18:04"))
    await desk.play([line("18:10", "reply", "late", by="mia")])
    late = await only_wait(desk, "late")
    assert (late.wall_s, late.open_s, late.missed_at) == (72 * 60, 11 * 60, at("18:04"))
    assert (await only_wait(desk, "early")).open_s == 600


async def test_targets_edited_later_leave_running_waits_their_own(desk: DrivenDesk) -> None:
    edited = {"default": {"warn_s": 600, "target_s": 900}}
    await desk.play(
        [
            line("12:00", "message", "before"),
            {"at": at("12:01").isoformat(), "what": "hours", "weekly": OFFICE, "targets": edited},
            line("12:01", "message", "after"),
        ]
    )
    await desk.until(at("13:00"))
    assert (await only_wait(desk, "before")).missed_at == at("12:05")
    assert (await only_wait(desk, "after")).missed_at == at("12:16")


async def test_on_a_desk_that_never_opens_nothing_is_missed(desk: DrivenDesk) -> None:
    await desk.play([{"at": at("12:00").isoformat(), "what": "hours", "weekly": {}}, line("12:01", "message")])
    await desk.until(at("2026-05-10 12:00"))
    assert (await only_wait(desk)).warned_at is None
