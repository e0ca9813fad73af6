"""The staffing plan as pages and API: who sees what, forms without script, exports that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inbox.call_facts import CallFacts, Direction
from inbox.calls import record_call
from inbox.store.models import Team, TeamMember
from inbox.store.transaction import Transaction
from inbox.vocabulary import CallOutcome, OperatorId, Role
from tests.web.conftest import Application, Browser

WEEK = "2026-03-16"
SHIFT = {"kind": "anything", "day": "2026-03-17", "from": "09:00", "to": "17:00", "note": ""}


async def calls_of_past_tuesdays(application: Application) -> None:
    """Four Tuesdays with six calls at nine in Helsinki; a first day before them."""
    day = datetime(2026, 3, 3, 7, tzinfo=UTC)
    moments = [day - timedelta(weeks=weeks) + timedelta(minutes=4 * n) for weeks in range(4) for n in range(6)]
    for n, at in enumerate([day - timedelta(weeks=5), *moments]):
        facts = CallFacts(
            provider="pbx",
            account="desk",
            call_id=str(n),
            direction=Direction.INBOUND,
            started_at=at,
            answered_at=at + timedelta(seconds=10),
            ended_at=at + timedelta(seconds=190),
            number=f"+35840{n:07}",
            outcome=CallOutcome.ANSWERED,
        )
        await application.db.write(record_call, facts, now=at + timedelta(seconds=200))


async def add_shift(browser: Browser, operator_id: OperatorId, **more: str) -> tuple[int, str]:
    return await browser.form("/staffing/shifts", {"operator": str(operator_id), **SHIFT, **more})


async def test_a_new_desk_says_what_is_missing(application: Application) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    status, html = await sari.page("/staffing")
    assert status == 200
    assert "No customer has come yet" in html
    assert "Enter shifts" in html


async def test_the_plan_says_how_every_half_hour_came_about(application: Application) -> None:
    await calls_of_past_tuesdays(application)
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    status, html = await sari.page(f"/staffing?week={WEEK}&day=2026-03-17")
    assert status == 200
    assert "6 calls expected: median of this half-hour on 5 like weekdays" in html or "6 calls expected" in html
    assert "5:00 of handling each, as set" in html
    assert "Calls first, chats on the rest." in html
    assert 'class="short"' in html


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
async def test_a_day_on_which_clocks_are_changed_is_shown(application: Application, day: str) -> None:
    await calls_of_past_tuesdays(application)
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    status, html = await sari.page(f"/staffing?week={day}&day={day}")
    assert status == 200
    assert f"it has {46 if '03' in day else 50} half-hours" in html


async def test_a_shift_is_added_changed_and_taken_away_with_forms(application: Application) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    bea = await application.account("Bea")
    assert (await add_shift(sari, bea))[0] == 303
    _, html = await sari.page(sari.location)
    assert "09:00–17:00 Bea" in html
    found = (await sari.get(f"/api/staffing/shifts?week={WEEK}"))["shifts"]
    path = f"/staffing/shifts/{found[0]['id']}"
    status, html = await sari.page(f"{path}?on=2026-03-17")
    assert (status, 'value="09:00"' in html) == (200, True)
    said = {"operator": str(bea), **SHIFT, "from": "10:00", "weekly": "yes", "on": "2026-03-17"}
    assert (await sari.form(path, said))[0] == 303
    (changed,) = (await sari.get("/api/staffing/shifts?week=2026-03-23"))["shifts"]
    assert (changed["from"], changed["weekly"], changed["last_on"]) == ("10:00", True, None)
    assert (await sari.form(f"{path}/remove", {"which": "this_day", "on": "2026-03-24"}))[0] == 303
    assert (await sari.get("/api/staffing/shifts?week=2026-03-23"))["shifts"] == []
    assert (await sari.form(f"{path}/remove", {"which": "all", "on": "2026-03-17"}))[0] == 303
    assert (await sari.page(path))[0] == 404


async def test_a_refused_shift_is_shown_again_with_its_reason(application: Application) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    bea = await application.account("Bea")
    await add_shift(sari, bea)
    status, html = await add_shift(sari, bea, **{"from": "16:00", "to": "20:00", "note": "late <b>"})
    assert status == 422
    assert "Bea has a shift from 09:00 to 17:00 on 2026-03-17 already." in html
    assert 'value="late &lt;b&gt;"' in html
    for wrong in ({"operator": ""}, {"day": "never"}, {"from": "x"}, {"kind": "nap"}, {"operator": "9" * 30}):
        assert (await add_shift(sari, bea, **wrong))[0] == 422


async def test_a_week_is_copied_with_a_form(application: Application) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    await add_shift(sari, await application.account("Bea"))
    status, _ = await sari.form("/staffing/shifts/copy", {"week": WEEK, "copy_to": "2026-03-23"})
    assert status == 303
    _, html = await sari.page(sari.location)
    assert "1 shifts copied." in html
    assert "09:00–17:00 Bea" in html


async def test_a_change_is_tried_without_script_and_without_writing(application: Application) -> None:
    await calls_of_past_tuesdays(application)
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    path = f"/staffing/what-if?week={WEEK}&change=add&day=2026-03-17&from=09:00&to=10:00"
    status, html = await sari.page(path)
    assert status == 200
    assert "0 → <b>1</b>" in html
    assert (await sari.get(f"/api/staffing/shifts?week={WEEK}"))["shifts"] == []
    answer = await sari.get(path.replace("/staffing/", "/api/staffing/"))
    assert len(answer["after"]) == 2
    assert [half_hour["people_planned"] for half_hour in answer["after"]] == [1, 1]
    assert answer["after"][0]["gap"] == answer["before"][0]["gap"] + 1
    assert answer["week"]["after"]["missing_hours"] == answer["week"]["before"]["missing_hours"] - 1
    status, html = await sari.page(f"/staffing/what-if?week={WEEK}&change=move&shift=9@2026-03-17&from=09:00&to=17:00")
    assert (status, "The shift does not come on this day." in html) == (422, True)


async def test_operators_see_their_own_shifts_and_nothing_else(application: Application) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    bea, jonas = await application.signed_in("Bea"), await application.signed_in("Jonas")
    await add_shift(sari, bea.operator_id)
    assert "09:00–17:00" in (await bea.page("/my-shifts"))[1]
    assert "No shift is planned for you." in (await jonas.page("/my-shifts"))[1]
    assert (await jonas.get("/api/my-shifts"))["shifts"] == []
    for path in ("/staffing", "/staffing/shifts", "/staffing/what-if", "/staffing/busiest", "/api/staffing/plan"):
        assert (await bea.page(path))[0] == 403


def in_teams(tx: Transaction, teams: dict[str, list[OperatorId]]) -> dict[str, int]:
    made = {}
    for name, members in teams.items():
        made[name] = tx.insert(Team, name=name)
        for operator_id in members:
            tx.conn.execute(TeamMember.__table__.insert().values(team_id=made[name], operator_id=operator_id))  # type: ignore[attr-defined]
    return made


async def test_supervisors_of_a_team_plan_their_team(application: Application) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    olli = await application.signed_in("Olli", Role.SUPERVISOR)
    bea, jonas = await application.account("Bea"), await application.account("Jonas")
    teams = await application.db.write(
        in_teams, {"Sales": [sari.operator_id, bea], "Repairs": [olli.operator_id, jonas]}
    )
    assert (await add_shift(sari, bea))[0] == 303
    assert (await add_shift(sari, jonas))[0] == 403
    (shift,) = (await sari.get(f"/api/staffing/shifts?week={WEEK}"))["shifts"]
    assert (await olli.get(f"/api/staffing/shifts?week={WEEK}"))["shifts"] == []
    body: dict[str, Any] = {"operator_id": bea, "day": "2026-03-17", "from": "10:00", "to": "12:00"}
    for method, path, said in (
        ("PUT", f"/api/staffing/shifts/{shift['id']}", body),
        ("PUT", f"/api/staffing/shifts/{shift['id']}", {**body, "operator_id": jonas}),
        ("DELETE", f"/api/staffing/shifts/{shift['id']}", None),
        ("POST", "/api/staffing/shifts", {**body, "day": "2026-03-18"}),
    ):
        assert (await olli.call(method, path, said))[0] == 403
    assert (await olli.page(f"/staffing/shifts/{shift['id']}"))[0] == 403
    assert (await sari.get("/api/staffing/plan"))["team"]["name"] == "Sales"
    assert (await sari.page(f"/staffing?team={teams['Repairs']}"))[0] == 404
    assert (await olli.call("POST", "/api/staffing/shifts/copy", {"week": WEEK, "to": "2026-03-23"}))[1]["copied"] == 0
    amir = await application.signed_in("Amir", Role.ADMINISTRATOR)
    assert len((await amir.get(f"/api/staffing/shifts?week={WEEK}"))["shifts"]) == 1


async def test_the_plan_is_exported_in_utc_and_local_time(application: Application) -> None:
    await calls_of_past_tuesdays(application)
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    status, text = await sari.page(f"/api/staffing/plan.csv?week={WEEK}")
    assert (status, sari.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert len(rows) == 336
    assert (rows[0]["begins_utc"], rows[0]["begins_local"]) == ("2026-03-15T22:00:00Z", "2026-03-16T00:00+02:00")
    nine = next(row for row in rows if row["begins_local"].startswith("2026-03-17T09:00"))
    assert (nine["phone_expected"], nine["gap"]) == ("6.0", f"-{nine['needed_scheduled']}.0")
    found = await sari.get(f"/api/staffing/plan?week={WEEK}")
    assert len(found["half_hours"]) == 336
    assert found["half_hours"][48 + 18]["channels"]["phone"]["expected"] == 6


async def test_no_spreadsheet_runs_what_somebody_wrote(application: Application) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    await add_shift(sari, await application.account("=HYPERLINK(1)"), note="@SUM(A1)", weekly="yes")
    _, text = await sari.page(f"/api/staffing/shifts.csv?week={WEEK}")
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert (row["operator"], row["note"]) == ("'=HYPERLINK(1)", "'@SUM(A1)")


async def test_what_is_asked_of_the_plan_is_changed_and_checked(application: Application) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    said = {
        "level_percent": "90", "phone_s": "20", "chat_s": "", "occupancy_percent": "88", "shrinkage_percent": "25",
        "least_people": "2", "patience_s": "120", "callback_minutes": "90", "chats_at_once": "3",
        "phone_handle_s": "240", "chat_handle_s": "500", "email_handle_s": "300",
        "marked_days": "2026-03-03 telephone down",
    }  # fmt: skip
    assert (await sari.form("/staffing/settings", said))[0] == 303
    found = await sari.get("/api/settings/staffing")
    assert (found["level_percent"], found["phone_s"], found["chat_s"]) == (90, 20, None)
    assert found["marked_days"] == {"2026-03-03": "telephone down"}
    assert (await sari.call("PUT", "/api/settings/staffing", found))[0] == 200
    for wrong in (
        {"level_percent": "100"},
        {"shrinkage_percent": "-1"},
        {"least_people": "many"},
        {"marked_days": "yesterday"},
    ):
        status, html = await sari.form("/staffing/settings", {**said, **wrong})
        assert (status, 'aria-invalid="true"' in html) == (422, True)


@pytest.mark.parametrize(
    "query", ["week=x", "week=0001-01-01", "week=9999-12-31", "team=x", "team=77", "day=x", "week=2026-03-16&day=x"]
)
async def test_odd_questions_are_refused_and_break_nothing(application: Application, query: str) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    assert (await sari.page(f"/staffing?{query}"))[0] in (404, 422)


async def test_the_busiest_times_are_listed_per_channel(application: Application) -> None:
    await calls_of_past_tuesdays(application)
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    _, html = await sari.page("/staffing/busiest")
    assert "Tuesday 09:00" in html
    assert (await sari.get("/api/staffing/busiest"))["phone"][0]["clock"] == "09:00"
