"""Who gets in, how long, and who does not."""

from __future__ import annotations

from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from yarl import URL

from inbox.people import operators
from inbox.vocabulary import Presence, Role
from tests.web.conftest import PASSWORD, Application, Browser
from web import keys
from web.app import Config
from web.config import ServerTable
from web.security import network, remote


async def test_the_right_password_opens_the_page_that_was_wanted(application: Application) -> None:
    await application.account("Bea")
    browser = application.browser()
    status, _ = await browser.page("/tray")
    assert (status, browser.location) == (303, "/sign-in?next=/tray")
    status, _ = await browser.form("/sign-in", {"email": "BEA@desk.test", "password": PASSWORD, "next": "/tray"})
    assert (status, browser.location) == (303, "/tray")
    cookie = browser.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert (await browser.page("/tray"))[0] == 200


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(application: Application) -> None:
    await application.account("Bea")
    browser = application.browser()
    answers = []
    for email, password in (("bea@desk.test", "wrong password"), ("nobody@desk.test", PASSWORD)):
        status, html = await browser.form("/sign-in", {"email": email, "password": password})
        answers.append((status, html.replace(email, "")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 422
    assert "Set-Cookie" not in browser.headers


async def test_after_signing_in_nobody_is_led_to_another_site(application: Application) -> None:
    await application.account("Bea")
    for wanted in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/sign-in"):
        browser = application.browser()
        await browser.form("/sign-in", {"email": "bea@desk.test", "password": PASSWORD, "next": wanted})
        assert browser.location == "/inbox"


async def test_guessing_passwords_is_slowed_down(application: Application) -> None:
    await application.account("Bea")
    browser = application.browser()
    statuses = [
        (await browser.form("/sign-in", {"email": "bea@desk.test", "password": f"guess number {n}"}))[0]
        for n in range(9)
    ]
    assert statuses == [422] * 8 + [429]
    assert int(browser.headers["Retry-After"]) > 0
    status, _ = await browser.form("/sign-in", {"email": "bea@desk.test", "password": PASSWORD})
    assert status == 429


async def browser_at(application: Application, address: str) -> Browser:
    browser = application.browser()
    await browser.http.close()
    browser.http = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(local_addr=(address, 0)), cookie_jar=aiohttp.CookieJar(unsafe=True)
    )
    return browser


async def test_a_stranger_who_guesses_passwords_locks_nobody_out_where_they_have_been(application: Application) -> None:
    await application.account("Bea")
    assert await (await browser_at(application, "127.0.0.2")).sign_in("bea@desk.test") == 200
    stranger = await browser_at(application, "127.0.0.3")
    said = [await stranger.sign_in("bea@desk.test", f"guess {number}") for number in range(9)]
    assert said == [422] * 7 + [429] * 2
    assert await (await browser_at(application, "127.0.0.4")).sign_in("bea@desk.test") == 429
    assert await (await browser_at(application, "127.0.0.2")).sign_in("bea@desk.test") == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"email=a", {"Content-Type": "application/x-www-form-urlencoded; charset=nonsense"}, 422),
        (b"email=\xff\xfe", {"Content-Type": "application/x-www-form-urlencoded"}, 422),
        (b"email=a", {"Content-Type": "multipart/form-data"}, 422),
        (b"email=a", {"Content-Type": "multipart/form-data; boundary=x"}, 422),
        (b"email=a", {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}, 400),
    ],
)
async def test_a_form_that_no_browser_sends_is_refused_and_no_fault_of_ours(
    application: Application, body: bytes, headers: dict[str, str], status: int
) -> None:
    browser = application.browser()
    async with browser.http.post(f"{browser.url}/sign-in", data=body, headers=headers) as answer:
        assert answer.status == status, await answer.text()


async def test_another_site_cannot_sign_a_browser_in(application: Application) -> None:
    await application.account("Bea")
    browser = application.browser()
    status, _ = await browser.form(
        "/sign-in", {"email": "bea@desk.test", "password": PASSWORD}, Origin="https://evil.example"
    )
    assert status == 403
    assert "Set-Cookie" not in browser.headers


async def test_a_session_expires(application: Application) -> None:
    browser = await application.signed_in()
    application.clock.advance(timedelta(hours=24 * 14 - 1))
    assert (await browser.page("/account"))[0] == 200
    application.clock.advance(timedelta(hours=2))
    assert (await browser.page("/account"))[0] == 303
    status, answer = await browser.call("GET", "/api/queue")
    assert (status, answer["error"]["code"]) == (401, "signed_out")


async def test_signing_out_ends_the_session_for_whoever_holds_the_cookie(application: Application) -> None:
    browser = await application.signed_in()
    thief = application.browser()
    url = URL(browser.url)
    thief.http.cookie_jar.update_cookies(browser.http.cookie_jar.filter_cookies(url), url)
    assert (await thief.page("/account"))[0] == 200
    assert (await browser.form("/sign-out", {}))[0] == 303
    assert (await thief.page("/account"))[0] == 303


async def test_signing_out_of_the_last_browser_takes_the_operator_offline(application: Application) -> None:
    browser = await application.signed_in()
    await browser.post("/api/presence", {"presence": "online"})
    await browser.form("/sign-out", {})
    assert (await application.db.read(operators.get, browser.operator_id)).presence is Presence.OFFLINE


async def test_a_new_password_signs_out_all_other_browsers(application: Application) -> None:
    browser, elsewhere = await application.signed_in(), application.browser()
    assert await elsewhere.sign_in("bea@desk.test") == 200
    status, html = await browser.form("/account/password", {"old": "not this one", "new": "another good password"})
    assert status == 422
    assert "This is not your present password." in html
    assert (await browser.form("/account/password", {"old": PASSWORD, "new": "short"}))[0] == 422
    assert (await browser.form("/account/password", {"old": PASSWORD, "new": "another good password"}))[0] == 303
    assert (await elsewhere.page("/account"))[0] == 303
    assert (await browser.page("/account"))[0] == 200
    assert await application.browser().sign_in("bea@desk.test", "another good password") == 200


async def test_operators_list_their_browsers_and_end_one(application: Application) -> None:
    browser, elsewhere = await application.signed_in(), application.browser()
    await elsewhere.sign_in("bea@desk.test")
    stranger = await application.signed_in("Jonas")
    _, html = await browser.page("/account")
    other = int(html.split("/account/sessions/")[1].split("/")[0])
    assert (await stranger.form(f"/account/sessions/{other}/end", {}))[0] == 404
    assert (await browser.form(f"/account/sessions/{other}/end", {}))[0] == 303
    assert (await elsewhere.page("/account"))[0] == 303


async def test_a_disabled_account_is_out_at_once(application: Application) -> None:
    administrator = await application.signed_in("Amir", Role.ADMINISTRATOR)
    browser = await application.signed_in()
    fields = {"name": "Bea", "email": "bea@desk.test", "role": "operator", "disabled": "1"}
    assert (await administrator.form(f"/settings/operators/{browser.operator_id}", fields))[0] == 303
    assert (await browser.page("/account"))[0] == 303
    assert await application.browser().sign_in("bea@desk.test") == 422


async def test_administrators_cannot_lock_themselves_out(application: Application) -> None:
    administrator = await application.signed_in("Amir", Role.ADMINISTRATOR)
    fields = {"name": "Amir", "email": "amir@desk.test", "role": "operator"}
    status, html = await administrator.form(f"/settings/operators/{administrator.operator_id}", fields)
    assert status == 403
    assert "You cannot take away your own rights." in html


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix:", "unix:"),
        ("", ""),
    ],
)
def test_a_household_with_many_addresses_has_the_tries_of_one(address: str, counted: str) -> None:
    assert network(address) == counted


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        (["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7, 10.0.0.1"], "192.0.2.7"),
        ([], "10.0.0.1"),
    ],
)
def test_a_client_cannot_make_up_its_address_behind_a_proxy(lines: list[str], found: str) -> None:
    app = web.Application()
    app[keys.CONFIG] = Config(server=ServerTable(trusted_proxies=("10.0.0.1",)))
    headers = CIMultiDict([("X-Forwarded-For", line) for line in lines])
    assert remote(make_mocked_request("GET", "/", headers=headers, app=app).clone(remote="10.0.0.1")) == found
    assert (
        remote(make_mocked_request("GET", "/", headers=headers, app=app).clone(remote="203.0.113.9")) == "203.0.113.9"
    )
