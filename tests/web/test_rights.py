"""Every route has a least role, checked in one place."""

from __future__ import annotations

import aiohttp
import pytest

from inbox.vocabulary import Role
from tests.web.conftest import Application, Browser
from web.security import ACCESS, ACCESS_TABLE, Access

ASKED = [(method, path, least) for (method, path), least in ACCESS.items() if isinstance(least.value, Role)]


def filled(path: str) -> str:
    for name in ("{id}", "{token}", "{figure}", "{link}", "{file}", "{table}", "{number}"):
        path = path.replace(name, "999999")
    return path


async def status_of(browser: Browser, method: str, path: str) -> int:
    headers = {"X-CSRF": browser.csrf, "Origin": browser.url, "Content-Type": "application/json"}
    async with browser.http.request(
        method, browser.url + filled(path), data="{}", headers=headers, allow_redirects=False
    ) as answer:
        return answer.status


async def test_no_route_is_missing_from_the_table(application: Application) -> None:
    table = application.app[ACCESS_TABLE]
    missing = [
        (route.method, route.resource.canonical)
        for route in application.app.router.routes()
        if route.resource is not None
        and route.method != "HEAD"
        and (route.method, route.resource.canonical) not in table
    ]
    assert missing == []


async def test_the_table_names_no_route_that_does_not_exist(application: Application) -> None:
    there = {(r.method, r.resource.canonical) for r in application.app.router.routes() if r.resource is not None}
    assert [key for key in ACCESS if key not in there] == []


async def test_a_route_outside_the_table_is_refused(application: Application) -> None:
    del application.app[ACCESS_TABLE]["GET", "/tray"]
    administrator = await application.signed_in("Amir", Role.ADMINISTRATOR)
    assert (await administrator.page("/tray"))[0] == 403


async def test_strangers_get_nothing(application: Application) -> None:
    stranger = application.browser()
    assert {await status_of(stranger, method, path) for method, path, _ in ASKED} == {401}


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_gets_what_the_table_says_and_no_more(application: Application, role: Role) -> None:
    browser = await application.signed_in("Bea", role)
    ranks = [Access.OPERATOR, Access.SUPERVISOR, Access.ADMINISTRATOR]
    mine = ranks.index(Access(role))
    wrong = []
    for method, path, least in ASKED:
        if path in ("/sign-out", "/account/sessions/end-others"):
            continue
        status = await status_of(browser, method, path)
        allowed = mine >= ranks.index(least)
        if (status == 403) == allowed or status >= 500:
            wrong.append((method, path, status))
    assert wrong == []


async def test_a_write_without_this_sessions_token_is_refused(application: Application) -> None:
    browser, other = await application.signed_in(), await application.signed_in("Jonas")
    wanted = {"presence": "online"}
    for token in ("", "nonsense", other.csrf, "ä"):
        status, answer = await browser.call("POST", "/api/presence", wanted, **{"X-CSRF": token})
        assert (status, answer["error"]["code"]) == (403, "csrf")
    assert (await browser.call("POST", "/api/presence", wanted))[0] == 200


async def test_a_write_from_another_sites_page_is_refused_even_with_the_token(application: Application) -> None:
    browser = await application.signed_in()
    for name, value in (("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"), ("Origin", "null")):
        status, answer = await browser.call("POST", "/api/presence", {"presence": "online"}, **{name: value})
        assert (status, answer["error"]["code"]) == (403, "csrf")


async def test_a_form_without_the_token_changes_nothing(application: Application) -> None:
    browser = await application.signed_in()
    browser.csrf = ""
    assert (await browser.form("/account", {"name": "Mallory", "language": "en"}))[0] == 403
    _, html = await browser.page("/account")
    assert 'value="Bea"' in html


async def test_every_answer_carries_the_strict_policy(application: Application) -> None:
    browser = await application.signed_in("Amir", Role.ADMINISTRATOR)
    for path in ("/sign-in", "/inbox", "/account", "/settings/hours", "/nothing", "/api/queue", "/health"):
        await browser.page(path)
        policy = browser.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert browser.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in browser.headers


async def test_no_page_has_inline_script_or_style(application: Application) -> None:
    browser = await application.signed_in("Amir", Role.ADMINISTRATOR)
    pages = [path for (method, path), least in ACCESS.items() if method == "GET" and "{" not in path]
    shown = 0
    for path in pages:
        status, html = await browser.page(path)
        if status != 200 or not browser.headers["Content-Type"].startswith("text/html"):
            continue
        shown += 1
        assert " style=" not in html, path
        assert "<style" not in html, path
        assert " onclick=" not in html, path
        for script in html.split("<script")[1:]:
            head = script.partition(">")[0]
            assert "src=" in head or "application/json" in head, path
    assert shown > 8


async def test_what_a_customer_writes_stays_text_in_pages(application: Application) -> None:
    await application.customers.chat("</script><script>alert(1)</script>", name="<b>Eve</b>")
    browser = await application.signed_in()
    for path in ("/inbox", "/queue", "/search?q=alert"):
        _, html = await browser.page(path)
        assert "<script>alert" not in html
        assert "<b>Eve" not in html


async def test_static_files_are_kept_for_ever_under_the_name_of_their_content(application: Application) -> None:
    browser = application.browser()
    _, html = await browser.page("/sign-in")
    sheet = html.split('rel="stylesheet" href="')[1].split('"')[0]
    async with aiohttp.ClientSession() as http, http.get(application.url + sheet) as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "--accent" in await answer.text()
    for path in ("/static/x/../web/app.py", "/static/x/%2e%2e/app.py", "/static/x/nothing.js"):
        assert (await browser.page(path))[0] == 404
