"""Reports over HTTP: who may see what, and the same numbers on pages, in tables and for programs."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from inbox.clock import ManualClock
from inbox.reports import settings as report_settings
from inbox.reports.settings import Personal, ReportSettings
from inbox.store.models import AuditLine, DeskMail, Team, TeamMember, table
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, Role
from tests.web.conftest import Application, Browser
from web.reports.weekly import next_due, send_now

TODAY = "?period=today"


async def answered_chat(
    application: Application, by: OperatorId, *, visitor: str, minutes: float, page: str = "/orders", name: str = ""
) -> None:
    """A customer who waited so long for this operator."""
    received = await application.customers.chat(
        "Where is it?", visitor=visitor, name=name, source={"site": "shop", "page": page}
    )
    application.clock.advance(timedelta(minutes=minutes))
    await application.customers.reply(received.conversation_id, by, "On its way.")


@pytest.fixture
async def bea(application: Application) -> Browser:
    """An operator who has answered in one, two and six minutes; one customer was answered by nobody."""
    browser = await application.signed_in("Bea")
    for number, minutes in enumerate((1, 2, 6)):
        await answered_chat(application, browser.operator_id, visitor=f"v{number}", minutes=minutes)
    await application.customers.chat("Hello?", visitor="waits", source={"site": "shop", "page": "/returns"})
    return browser


def figure(answer: Any, key: str) -> Any:
    return next(row for row in answer["rows"] if row["figure"] == key)


async def csv_rows(browser: Browser, path: str) -> list[dict[str, str]]:
    status, text = await browser.page(path)
    assert status == 200
    assert browser.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))


async def test_pages_tables_and_programs_get_the_same_figures(application: Application, bea: Browser) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    status, html = await sari.page(f"/reports{TODAY}&group=operator")
    assert status == 200
    assert "Bea" in html
    answer = await sari.get(f"/api/reports/figures{TODAY}")
    assert answer["zone"] == "Europe/Helsinki"
    assert figure(answer, "arrivals")["value"] == 4
    assert figure(answer, "service_level") == {
        "figure": "service_level", "unit": "percent", "value": 66.7, "cases": 3, "before": None, "cases_before": 0,
    }  # fmt: skip
    assert (figure(answer, "median_wait")["value"], figure(answer, "p90_wait")["value"]) == (120, 360)
    assert await sari.get(f"/reports/tables/figures.json{TODAY}") == answer
    rows = await csv_rows(sari, f"/reports/tables/figures.csv{TODAY}")
    assert next(row for row in rows if row["figure"] == "median_wait")["value"] == "120"
    groups = (await sari.get(f"/api/reports/groups{TODAY}&group=touchpoint"))["rows"]
    assert [(row["name"], row["arrivals"]) for row in groups] == [("shop /orders", 3), ("shop /returns", 1)]


async def test_who_still_waits_past_the_target_is_missed_at_once(application: Application, bea: Browser) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    application.clock.advance(timedelta(minutes=5))
    answer = await sari.get(f"/api/reports/figures{TODAY}")
    assert (figure(answer, "service_level")["value"], figure(answer, "service_level")["cases"]) == (50.0, 4)
    listed = await sari.get(f"/api/reports/waits{TODAY}&figure=counted")
    assert len(listed["rows"]) == 4


async def test_every_figure_opens_as_many_waits_as_it_counts(application: Application, bea: Browser) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    for name, count in (("arrivals", 4), ("answered", 3), ("missed", 1), ("in_target", 2), ("no_reply", 0)):
        listed = await sari.get(f"/api/reports/waits{TODAY}&figure={name}")
        assert len(listed["rows"]) == count, name
    status, html = await sari.page(f"/reports/waits{TODAY}&figure=missed")
    assert status == 200
    assert html.count('<tr>\n      <th scope="row">') == 1


async def test_series_have_universal_and_local_time(application: Application, bea: Browser) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    rows = await csv_rows(sari, f"/reports/tables/series.csv{TODAY}&by=day")
    assert [(row["begins_utc"], row["begins_local"]) for row in rows] == [
        ("2026-03-09T22:00:00Z", "2026-03-10T00:00:00+02:00")
    ]


async def test_no_cell_of_an_export_is_a_formula(application: Application) -> None:
    bea = await application.signed_in("Bea")
    await answered_chat(application, bea.operator_id, visitor="v", minutes=1, page="/x")
    tags = '=HYPERLINK("https://evil.example")'
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    conversation = (await sari.get(f"/api/reports/waits{TODAY}&figure=answered"))["rows"][0]["conversation_id"]
    await bea.post(f"/api/conversations/{conversation}/tags", {"tags": [tags]})
    rows = await csv_rows(sari, f"/reports/tables/groups.csv{TODAY}&group=tag")
    assert all(not cell.startswith(("=", "+", "@", "\t")) for row in rows for cell in row.values())
    assert any("HYPERLINK" in row["name"] for row in rows)


async def test_bad_questions_are_told_so(application: Application, bea: Browser) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    for query, field in (
        ("?period=sometimes", "period"),
        ("?from=2026-13-01", "from"),
        ("?from=2026-03-10&to=2026-03-01", "to"),
        ("?from=2020-01-01&to=2026-03-01", "to"),
        ("?from=2025-01-01&to=2026-03-01&by=half-hour", "by"),
        ("?channel=pigeon", "channel"),
        ("?team=x", "team"),
        ("?period=today&format=xml", "format"),
    ):
        status, answer = await sari.call("GET", f"/api/reports/figures{query}")
        assert (status, answer["error"]["code"], answer["error"].get("field")) == (422, "bad_input", field), query
    status, html = await sari.page("/reports?from=2026-03-10&to=2026-03-01")
    assert status == 422
    assert "A period cannot end before it begins." in html
    status, _ = await sari.call("GET", "/api/reports/nothing")
    assert status == 404


async def test_operators_see_their_own_figures_and_nobody_elses(application: Application, bea: Browser) -> None:
    jonas = await application.signed_in("Jonas")
    await answered_chat(application, jonas.operator_id, visitor="of-jonas", minutes=3)
    for path in ("/reports", "/reports/waits", "/reports/tables/figures.csv", "/settings/reports"):
        assert (await bea.page(path))[0] == 403, path
    for path in ("/api/reports/figures", "/api/reports/waits"):
        assert (await bea.call("GET", path))[0] == 403, path
    mine = await bea.get(f"/api/reports/mine/figures{TODAY}&operator={jonas.operator_id}")
    assert figure(mine, "median_wait") | {"before": 0} == {
        "figure": "median_wait", "unit": "seconds", "value": 120, "cases": 3, "before": 0, "cases_before": 0,
    }  # fmt: skip
    status, html = await bea.page(f"/reports/mine{TODAY}&group=operator")
    assert status == 200
    assert "Jonas" not in html
    assert (await bea.page(f"/reports/mine/waits{TODAY}&figure=answered"))[1].count("Bea") >= 3


async def test_a_supervisor_of_a_team_sees_that_team_and_no_other(application: Application, bea: Browser) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    jonas = await application.signed_in("Jonas")
    await answered_chat(application, jonas.operator_id, visitor="of-jonas", minutes=3)

    def make_teams(tx: Transaction) -> None:
        tx.conn.execute(insert(table(Team)), [{"id": 1, "name": "Shop"}, {"id": 2, "name": "Repairs"}])
        members = [(1, sari.operator_id), (1, bea.operator_id), (2, jonas.operator_id)]
        tx.conn.execute(insert(table(TeamMember)), [{"team_id": team, "operator_id": who} for team, who in members])

    await application.db.write(make_teams)
    answer = await sari.get(f"/api/reports/figures{TODAY}")
    assert figure(answer, "median_wait")["cases"] == 3
    groups = (await sari.get(f"/api/reports/groups{TODAY}&group=operator"))["rows"]
    assert {row["name"] for row in groups} <= {"Bea", "Sari"}
    for query in ("team=2", f"operator={jonas.operator_id}"):
        assert (await sari.call("GET", f"/api/reports/figures{TODAY}&{query}"))[0] == 403
        assert (await sari.page(f"/reports/waits{TODAY}&figure=answered&{query}"))[0] == 403
    amir = await application.signed_in("Amir", Role.ADMINISTRATOR)
    assert figure(await amir.get(f"/api/reports/figures{TODAY}"), "median_wait")["cases"] == 4


async def test_figures_of_single_people_can_be_switched_off(application: Application, bea: Browser) -> None:
    amir = await application.signed_in("Amir", Role.ADMINISTRATOR)
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    form = {"mail_weekday": "0", "mail_at": "8:00"}
    assert (await sari.form("/settings/reports", {**form, "personal": "off"}))[0] == 403
    assert (await amir.form("/settings/reports", {**form, "personal": "own"}))[0] == 303
    assert (await sari.call("GET", f"/api/reports/groups{TODAY}&group=operator"))[0] == 403
    assert (await amir.call("GET", f"/api/reports/figures{TODAY}&operator={bea.operator_id}"))[0] == 403
    assert "Bea" not in (await sari.page(f"/reports{TODAY}"))[1]
    for path in (f"/api/reports/waits{TODAY}&figure=answered", "/api/waits?figure=answered"):
        rows = (await sari.get(path))["rows"]
        assert rows
        assert {row["ended_by"] for row in rows} == {""}
    assert (await sari.call("GET", f"/api/waits?figure=answered&operator={bea.operator_id}"))[0] == 403
    assert (await sari.call("GET", f"/api/waits?figure=waiting&operator={bea.operator_id}"))[0] == 200
    application.clock.advance(timedelta(seconds=2))  # a board is at most a second old
    board = await sari.get("/api/wallboard")
    assert {one["answered_today"] for one in board["operators"]} == {None}
    assert (await bea.page(f"/reports/mine{TODAY}"))[0] == 200
    assert (await amir.form("/settings/reports", {**form, "personal": "off"}))[0] == 303
    assert (await bea.page(f"/reports/mine{TODAY}"))[0] == 403

    def noted(conn: Connection) -> list[str]:
        return list(conn.execute(select(AuditLine.action).where(AuditLine.action == "reports_changed")).scalars())

    assert len(await application.db.read(noted)) == 2
    for wrong in ({"personal": "sometimes"}, {"mail_at": "25:00"}, {"mail_weekday": "9"}):
        assert (await amir.form("/settings/reports", {**form, "personal": "on", **wrong}))[0] == 422


async def test_operators_are_sorted_by_name_until_somebody_asks_for_a_ranking(
    application: Application, bea: Browser
) -> None:
    aki = await application.signed_in("Aki")
    await answered_chat(application, aki.operator_id, visitor="of-aki", minutes=1)
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    by_name = (await sari.page(f"/reports{TODAY}&group=operator"))[1].partition('id="groups"')[2]
    assert 0 < by_name.index(">Aki<") < by_name.index(">Bea<")
    ranked = (await sari.page(f"/reports{TODAY}&group=operator&sort=-answered"))[1].partition('id="groups"')[2]
    assert 0 < ranked.index(">Bea<") < ranked.index(">Aki<")


# --- the weekly mail ------------------------------------------------------------------------------------------------


def mails(conn: Connection) -> list[Any]:
    return list(conn.execute(select(DeskMail.__table__).where(DeskMail.topic == "reports")))


async def test_the_weekly_mail_goes_out_once_to_those_who_want_it(
    application: Application, bea: Browser, clock: ManualClock
) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    await application.signed_in("Amir", Role.ADMINISTRATOR)
    assert (await sari.form("/account/weekly-report", {}))[0] == 303
    await asyncio.gather(*(send_now(application.app, clock.now()) for _ in range(3)))
    assert await application.db.read(mails) == []  # nothing was counted in the week before this one
    due = await application.db.read(next_due, now=clock.now())
    assert due.isoformat() == "2026-03-16T06:00:00+00:00"  # Monday at eight in Helsinki

    clock.set(due + timedelta(hours=30))  # the desk was down
    await asyncio.gather(*(send_now(application.app, clock.now()) for _ in range(3)))
    (mail,) = await application.db.read(mails)  # Sari wants none
    assert mail.address == "amir@desk.test"
    assert "9 Mar 2026 – 15 Mar 2026" in mail.subject
    assert "Conversations begun: 4" in mail.text
    assert "/reports?from=2026-03-09&to=2026-03-15" in mail.text
    assert await application.db.read(next_due, now=clock.now()) > clock.now()


async def test_the_weekly_mail_follows_its_setting(application: Application, clock: ManualClock) -> None:
    amir = await application.account("Amir", Role.ADMINISTRATOR)
    await application.db.write(
        report_settings.save, ReportSettings(Personal.ON, 2, 17 * 60 + 30), by=amir, now=clock.now()
    )
    due = await application.db.read(next_due, now=clock.now())
    assert due.isoformat() == "2026-03-11T15:30:00+00:00"  # this Wednesday at half past five in Helsinki
