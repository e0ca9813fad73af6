"""Teams: who belongs to them, by which doors customers come to them, and hours of their own."""

from __future__ import annotations

from datetime import timedelta

from inbox.people import teams
from inbox.vocabulary import ChannelKind, Role, TeamId
from tests.web.conftest import Application

ALWAYS_OPEN = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "00:00–24:00")


async def test_an_administrator_makes_a_team_and_customers_come_to_it_by_its_door(application: Application) -> None:
    amir = await application.signed_in("Amir", Role.ADMINISTRATOR)
    bea = await application.account("Bea")
    assert (await amir.form("/settings/teams", {"name": "Sales"}))[0] == 303
    team = amir.location.partition("?")[0]
    fields = {"name": "Sales team", "members": str(bea), "doors": "chat:shop", "lines": "Sales line\n"}
    assert (await amir.form(team, fields))[0] == 303
    status, html = await amir.page(team)
    assert status == 200
    assert f'value="{bea}" checked' in html
    assert "sales line" in html
    [kept] = await application.db.read(teams.every)
    assert (kept.name, list(kept.members), list(kept.doors)) == ("Sales team", [bea], ["chat:shop", "phone:sales line"])
    assert "Sales team" in (await amir.page("/settings/teams"))[1]
    received = await application.customers.chat("Hello?", source={"site": "Shop", "page": "/cups"})
    row = await amir.get(f"/api/conversations/{received.conversation_id}")
    [wait] = await application.customers.waits(received.conversation_id)
    assert wait.team_id == kept.id, row


async def test_a_door_leads_to_one_team_and_what_is_none_is_refused(application: Application) -> None:
    amir = await application.signed_in("Amir", Role.ADMINISTRATOR)
    for name in ("Sales", "Help"):
        await amir.form("/settings/teams", {"name": name})
    await amir.form("/settings/teams/1", {"name": "Sales", "doors": "email:help@shop.example"})
    await amir.form("/settings/teams/2", {"name": "Help", "doors": "email:help@shop.example"})
    source = {"support_address": "Help@shop.example"}
    assert await application.db.read(teams.team_of, ChannelKind.EMAIL, source) == TeamId(2)
    assert (await amir.form("/settings/teams/2", {"name": "Help", "doors": "fax:1"}))[0] == 422
    assert (await amir.form("/settings/teams/2", {"name": "Sales"}))[0] == 422
    assert (await amir.form("/settings/teams", {"name": " "}))[0] == 422
    assert (await amir.page("/settings/teams/99"))[0] == 404


async def test_a_team_has_hours_of_its_own_until_it_follows_the_desk_again(application: Application) -> None:
    amir = await application.signed_in("Amir", Role.ADMINISTRATOR)
    await amir.form("/settings/teams", {"name": "Sales"})
    status, html = await amir.page("/settings/hours?team=1")
    assert (status, "follows the hours of the desk" in html) == (200, True)
    fields = {"zone": "Asia/Tbilisi", "tue": "18:00–20:00", "warn_default": "2", "target_default": "4"}
    assert (await amir.form("/settings/hours?team=1", fields))[0] == 303
    assert "18:00–20:00" in (await amir.page("/settings/hours?team=1"))[1]
    assert "18:00–20:00" not in (await amir.page("/settings/hours"))[1]
    received = await application.customers.chat("Hello?")
    passed_on = f"/api/conversations/{received.conversation_id}/team"
    await amir.post(passed_on, {"team_id": 1})
    [wait] = await application.customers.waits(received.conversation_id)
    assert (wait.team_id, wait.target_s) == (1, 240)
    assert wait.due_at == application.clock.now() + timedelta(hours=4, minutes=4)  # opens at six in Tbilisi
    application.clock.advance(timedelta(minutes=1))
    assert (await amir.form("/settings/hours?team=1", {"follow": "1"}))[0] == 303
    assert "follows the hours of the desk" in (await amir.page("/settings/hours?team=1"))[1]
    [wait] = await application.customers.waits(received.conversation_id)
    assert wait.due_at == application.clock.now() + timedelta(minutes=4)
    assert (await amir.call("POST", passed_on, {"team_id": 77}))[0] == 404
    assert (await amir.page("/settings/hours?team=77"))[0] == 404


async def test_only_administrators_see_teams(application: Application) -> None:
    sari = await application.signed_in("Sari", Role.SUPERVISOR)
    assert (await sari.page("/settings/teams"))[0] == 403
