"""Hours of teams, waits that are passed on, clocks that are wrong: the ledger and a slow calculation agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inbox import passing_on
from inbox.clock import ManualClock
from inbox.eventlog.book import Calendars, MemoryConversation, MemoryWait
from inbox.people import teams
from inbox.people.contacts import AddressLine, Sender
from inbox.receive import Incoming, receive
from inbox.store.database import Database
from inbox.vocabulary import AddressKind, ChannelKind, Ending
from inbox.waits import calendar, ledger, listing
from inbox.waits.change_hours import follow_desk, set_hours
from inbox.waits.clockwork import clocks, reached
from inbox.waits.hours import ALWAYS, WEEKDAYS, read_hours
from inbox.waits.timetable import Version
from tests.inbox.waits.test_random_days import MINUTE
from tests.support.verbs import VerbDesk

BEGINS = (
    datetime(2026, 3, 28, 20, tzinfo=UTC),
    datetime(2026, 10, 24, 20, tzinfo=UTC),
    datetime(2026, 6, 3, tzinfo=UTC),
)
"""Before both nights in which clocks are changed, and before an ordinary day."""
ZONES = ("Europe/Helsinki", "Asia/Tbilisi", "America/New_York")
windows = st.sampled_from([[], [["00:00", "24:00"]], [["02:30", "03:30"]], [["00:00", "04:10"], ["09:00", "12:00"]],
                           [["08:15", "12:00"], ["12:30", "16:00"], ["23:00", "24:00"]]])  # fmt: skip
minute = st.integers(0, 36 * 60)
weeks = st.fixed_dictionaries(dict.fromkeys(WEEKDAYS, windows))
change = st.tuples(minute, st.sampled_from([None, 1, 2]), st.sampled_from(ZONES), st.one_of(st.none(), weeks))


def is_open(changes: list[tuple[datetime, int | None, str, Any]], team: int | None, at: datetime) -> bool:
    """In the plainest words: the last that was said about the team, unless that is to follow the desk."""
    own = [found for found in changes if found[1] == team and found[0] <= at]
    if team is None or not own or own[-1][3] is None:
        desk = [found for found in changes if found[1] is None]
        own = [found for found in desk if found[0] <= at] or desk[:1]
    _, _, zone, weekly = own[-1]
    wall = at.astimezone(ZoneInfo(zone))
    return any(a <= f"{wall:%H:%M}" < b for a, b in weekly[WEEKDAYS[wall.weekday()]])


@settings(max_examples=150)
@given(
    begins=st.sampled_from(BEGINS),
    first=st.tuples(st.sampled_from(ZONES), weeks),
    said=st.lists(change, max_size=5),
    moves=st.lists(st.tuples(minute, st.sampled_from([None, 1, 2])), max_size=3),
    pauses=st.lists(st.tuples(minute, st.integers(1, 300)), max_size=2),
    started=st.integers(0, 12 * 60),
    lasted=st.integers(0, 24 * 60),
)
def test_every_minute_is_counted_by_the_hours_of_the_team_it_was_with(
    begins: datetime, first: Any, said: Any, moves: Any, pauses: Any, started: int, lasted: int
) -> None:
    changes = [(begins - timedelta(hours=1), None, *first)]
    changes += sorted(
        ((begins + m * MINUTE, team, zone, weekly) for m, team, zone, weekly in said if weekly or team),
        key=lambda found: found[0],
    )
    calendars = Calendars([])
    for number, (at, team, zone, weekly) in enumerate(changes, 1):
        if weekly is None:
            calendars.follow_desk(team or 0, at)
        else:
            data = {"weekly": weekly}
            calendars.add(Version(number, at, zone, data, read_hours(zone, data)), team)
    began_at = begins + started * MINUTE
    ended_at = began_at + lasted * MINUTE
    moved = sorted({begins + m * MINUTE: team for m, team in moves if m > started}.items())
    teams_then = [None, *(team for _, team in moved)]
    conversation = MemoryConversation(1, "c", 1, ChannelKind.CHAT, began_at)
    wait = MemoryWait(1, conversation, None, ChannelKind.CHAT, teams_then[-1], True, 1, began_at, 180, 300)
    wait.teams = [(at, before) for (at, _), before in zip(moved, teams_then, strict=False)]
    stood, after = [], began_at
    for m, length in sorted(pauses):
        since = max(after, begins + m * MINUTE)
        after = since + length * MINUTE
        stood.append((since, after))

    opened = net = 0
    at, due = began_at, None
    while at < ended_at:
        team = [None, *(team for when, team in moved if when <= at)][-1]
        if is_open(changes, team, at):
            opened += 1
            if not any(a <= at < b for a, b in stood):
                net += 1
                if net == 5:
                    due = at + MINUTE
        at += MINUTE
    shown = clocks(calendars.for_wait(wait), began_at, stood, ended_at)
    assert (shown.wall, shown.open, shown.net) == (lasted * MINUTE, opened * MINUTE, net * MINUTE)
    if due is not None:
        assert reached(calendars.for_wait(wait), began_at, stood, timedelta(minutes=5)) == due


@pytest.fixture
def verbs(database: Database, clock: ManualClock) -> VerbDesk:
    return VerbDesk(database, clock)


NEVER_OPEN: dict[str, Any] = {"weekly": {}, "targets": {"default": {"warn_s": 60, "target_s": 120}}}


async def test_a_wait_that_is_passed_on_counts_by_the_hours_of_each_team_while_it_was_there(verbs: VerbDesk) -> None:
    db, clock = verbs.db, verbs.clock
    night = await db.write(teams.add, "Night")
    await db.write(set_hours, "Europe/Helsinki", NEVER_OPEN, by=None, now=clock.now(), team_id=night)
    conversation = (await verbs.chat("Hello?")).conversation_id
    clock.advance(2 * MINUTE)
    await db.write(passing_on.pass_on, conversation, night, by=None, now=clock.now())
    clock.advance(30 * MINUTE)
    await db.write(passing_on.pass_on, conversation, None, by=None, now=clock.now())
    clock.advance(MINUTE)
    await db.write(ledger.end, conversation, Ending.CLOSED, at=clock.now())
    [wait] = await verbs.waits(conversation)
    assert (wait.wall_s, wait.open_s, wait.net_s) == (33 * 60, 3 * 60, 3 * 60)
    steps = [(line.step, line.data.get("team")) for line in await db.read(listing.lines, wait.id)]
    assert [step for step in steps if step[1]] == [("moved", [None, night]), ("moved", [night, None])]


async def test_a_team_follows_the_desk_before_and_after_it_has_hours_of_its_own(verbs: VerbDesk) -> None:
    db, clock = verbs.db, verbs.clock
    night = await db.write(teams.add, "Night")
    clock.advance(MINUTE)
    began = clock.now()
    await db.write(set_hours, "Europe/Helsinki", NEVER_OPEN, by=None, now=began, team_id=night)
    clock.advance(10 * MINUTE)
    await db.write(follow_desk, night, by=None, now=clock.now())
    await db.write(follow_desk, night, by=None, now=clock.now())  # it does already
    clock.advance(MINUTE)
    await db.write(set_hours, "Europe/Helsinki", ALWAYS, by=None, now=clock.now())
    timetable = await db.read(calendar.timetable, began - MINUTE, night)
    assert timetable.open_time(began - MINUTE, clock.now() + MINUTE) == 3 * MINUTE
    assert not await db.read(calendar.has_own, clock.now(), night)


@pytest.mark.parametrize(
    ("told", "counted", "kept"),
    [
        (timedelta(minutes=-3), timedelta(minutes=-3), False),
        (timedelta(days=-6), timedelta(days=-6), False),
        (timedelta(days=-8), timedelta(), True),
        (timedelta(hours=2), timedelta(), True),
        (timedelta(), timedelta(), False),
    ],
)
async def test_a_clock_that_is_wrong_is_not_believed_and_said_so(
    verbs: VerbDesk, told: timedelta, counted: timedelta, kept: bool
) -> None:
    present = verbs.clock.now()
    sender = Sender(AddressLine(AddressKind.PHONE, "+358401234567"))
    incoming = Incoming(ChannelKind.PHONE, sender, "Hello?", occurred_at=present + told)
    received = await verbs.db.write(receive, incoming, now=present)
    [wait] = await verbs.waits(received.conversation_id)
    assert wait.started_at == present + counted
    [line] = await verbs.db.read(listing.lines, wait.id)
    assert line.data.get("said") == ((present + told).isoformat() if kept else None)


async def test_news_of_what_the_customer_did_first_moves_the_start_back(verbs: VerbDesk) -> None:
    present = verbs.clock.now()
    conversation = (await verbs.mail("second")).conversation_id
    verbs.clock.advance(2 * MINUTE)
    for earlier, started in ((present - 4 * MINUTE, present - 4 * MINUTE), (present - MINUTE, present - 4 * MINUTE)):
        await verbs.mail("first", conversation_id=conversation, occurred_at=earlier)
        [wait] = await verbs.waits(conversation)
        assert (wait.started_at, wait.due_at) == (started, started + 5 * MINUTE)
    ann = await verbs.operator("Ann")
    await verbs.reply(conversation, ann, "Here I am.")
    verbs.clock.advance(MINUTE)
    await verbs.mail("third", conversation_id=conversation)
    await verbs.mail("unanswered, though from before the answer", conversation_id=conversation, occurred_at=present)
    assert [wait.started_at for wait in await verbs.waits(conversation)] == [present - 4 * MINUTE, verbs.clock.now()]
