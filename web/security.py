"""Who may do what: sessions, forgery, roles, headers. One table, one middleware; a route missing from it is refused."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from itsdangerous import Signer

from inbox.errors import BadInput, NotAllowed
from inbox.people import sessions
from inbox.people.sessions import SignedIn
from inbox.vocabulary import Role
from inbox.words import N_
from web.cookies import session_digest
from web.errors import Forged, SignedOut
from web.keys import CLOCK, CONFIG, DB, LANGUAGE, SECRET, SIGNED_IN, TOKEN_DIGEST, WORDS

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Access(Enum):
    """Least right a route asks for. CHANNEL: the channel itself proves who calls (signatures, visitor tokens)."""

    PUBLIC = "public"
    CHANNEL = "channel"
    OPERATOR = Role.OPERATOR
    SUPERVISOR = Role.SUPERVISOR
    ADMINISTRATOR = Role.ADMINISTRATOR


_O, _S, _A, _P = Access.OPERATOR, Access.SUPERVISOR, Access.ADMINISTRATOR, Access.PUBLIC

ACCESS: Mapping[tuple[str, str], Access] = {
    ("GET", "/"): _P,
    ("GET", "/health"): _P,
    ("GET", "/ready"): _P,
    ("GET", "/favicon.ico"): _P,
    ("GET", "/static/{version}/{name}"): _P,
    ("GET", "/sign-in"): _P,
    ("POST", "/sign-in"): _P,
    ("GET", "/socket.io/"): _P,  # each namespace asks on its own
    ("POST", "/socket.io/"): _P,
    ("OPTIONS", "/socket.io/"): _P,
    ("POST", "/sign-out"): _O,
    ("GET", "/inbox"): _O,
    ("GET", "/inbox/{id}"): _O,
    ("GET", "/queue"): _O,
    ("GET", "/search"): _O,
    ("GET", "/account"): _O,
    ("POST", "/account"): _O,
    ("POST", "/account/password"): _O,
    ("POST", "/account/sessions/{id}/end"): _O,
    ("POST", "/account/sessions/end-others"): _O,
    ("GET", "/tray"): _O,
    ("POST", "/tray/arrivals/{id}/run-again"): _O,
    ("POST", "/tray/outbox/{id}/run-again"): _O,
    ("GET", "/tray/arrivals/{id}"): _O,
    ("GET", "/wallboard"): _S,
    ("GET", "/wallboard/board"): _S,
    ("GET", "/wallboard/links"): _S,
    ("POST", "/wallboard/links"): _S,
    ("POST", "/wallboard/links/{id}/revoke"): _S,
    ("GET", "/unsubscribe/{token}"): _P,  # the token is the right
    ("GET", "/rate/{token}"): _P,  # the token is the right
    ("POST", "/rate/{token}"): _P,
    ("POST", "/unsubscribe/{token}"): _P,
    ("GET", "/settings/mail"): _S,
    ("POST", "/settings/mail"): _A,
    ("GET", "/wall/{token}"): _P,  # the link itself is the right
    ("GET", "/wall/{token}/board"): _P,
    ("GET", "/waits"): _S,
    ("GET", "/reports"): _S,
    ("GET", "/reports/waits"): _S,
    ("GET", "/reports/tables/{file}"): _S,
    ("GET", "/reports/mine"): _O,
    ("GET", "/reports/mine/waits"): _O,
    ("GET", "/reports/mine/tables/{file}"): _O,
    ("GET", "/settings/reports"): _S,
    ("POST", "/settings/reports"): _A,
    ("POST", "/account/weekly-report"): _S,
    ("GET", "/staffing"): _S,
    ("GET", "/staffing/what-if"): _S,
    ("GET", "/staffing/busiest"): _S,
    ("GET", "/staffing/shifts"): _S,
    ("POST", "/staffing/shifts"): _S,
    ("POST", "/staffing/shifts/copy"): _S,
    ("GET", "/staffing/shifts/{id}"): _S,
    ("POST", "/staffing/shifts/{id}"): _S,
    ("POST", "/staffing/shifts/{id}/remove"): _S,
    ("GET", "/staffing/settings"): _S,
    ("POST", "/staffing/settings"): _S,
    ("GET", "/my-shifts"): _O,
    ("GET", "/settings"): _S,
    ("GET", "/settings/hours"): _S,
    ("POST", "/settings/hours"): _A,
    ("GET", "/push-worker.js"): _P,  # a script like others
    ("POST", "/account/alarms"): _O,
    ("POST", "/account/alarms/browsers/{id}/remove"): _O,
    ("POST", "/api/push-subscriptions"): _O,
    ("POST", "/api/push-subscriptions/remove"): _O,
    ("GET", "/settings/alarms"): _S,
    ("POST", "/settings/alarms"): _A,
    ("POST", "/settings/alarms/try"): _A,
    ("GET", "/api/settings/alarms"): _S,
    ("PUT", "/api/settings/alarms"): _A,
    ("GET", "/settings/texts"): _S,
    ("POST", "/settings/texts"): _A,
    ("GET", "/settings/mailboxes"): _A,
    ("POST", "/settings/mailboxes/connect"): _A,
    ("GET", "/settings/mailboxes/connected"): _A,
    ("POST", "/settings/mailboxes/disconnect"): _A,
    ("POST", "/settings/mailboxes/import"): _A,
    ("POST", "/settings/mailboxes/compare"): _A,
    ("POST", "/settings/mailboxes/fetch"): _A,
    ("POST", "/settings/mailboxes/again"): _A,
    ("GET", "/settings/mailboxes/jobs/{id}"): _A,
    ("POST", "/settings/mailboxes/jobs/{id}/stop"): _A,
    ("POST", "/tray/arrivals/{id}/dismiss"): _O,
    ("GET", "/settings/teams"): _A,
    ("POST", "/settings/teams"): _A,
    ("GET", "/settings/teams/{id}"): _A,
    ("POST", "/settings/teams/{id}"): _A,
    ("GET", "/settings/operators"): _A,
    ("POST", "/settings/operators"): _A,
    ("GET", "/settings/operators/{id}"): _A,
    ("POST", "/settings/operators/{id}"): _A,
    ("GET", "/settings/mail-check"): _A,
    ("GET", "/settings/audit"): _A,
    ("GET", "/attachments/{id}"): _O,
    ("GET", "/entries/{id}/html"): _O,
    ("GET", "/entries/{id}/images/{number}"): _O,
    ("GET", "/entries/{id}/raw"): _O,
    ("GET", "/api/queue"): _O,
    ("GET", "/api/search"): _O,
    ("GET", "/api/operators"): _O,
    ("POST", "/api/presence"): _O,
    ("POST", "/api/preferences"): _O,
    ("POST", "/api/take-next"): _O,
    ("POST", "/api/conversations"): _O,
    ("GET", "/api/conversations/{id}"): _O,
    ("GET", "/api/conversations/{id}/entries"): _O,
    ("GET", "/api/conversations/{id}/addressing"): _O,
    ("GET", "/api/conversations/{id}/brief"): _O,
    ("PUT", "/api/conversations/{id}/draft"): _O,
    ("POST", "/api/conversations/{id}/take"): _O,
    ("POST", "/api/conversations/{id}/assign"): _O,
    ("POST", "/api/conversations/{id}/team"): _O,
    ("POST", "/api/conversations/{id}/reply"): _O,
    ("POST", "/api/conversations/{id}/note"): _O,
    ("POST", "/api/conversations/{id}/plan"): _O,
    ("PUT", "/api/planned/{id}"): _O,
    ("POST", "/api/planned/{id}/cancel"): _O,
    ("POST", "/api/planned/{id}/send"): _O,
    ("GET", "/api/mail-addresses"): _O,
    ("POST", "/api/conversations/{id}/snooze"): _O,
    ("POST", "/api/conversations/{id}/wake"): _O,
    ("POST", "/api/conversations/{id}/close"): _O,
    ("POST", "/api/conversations/{id}/reopen"): _O,
    ("POST", "/api/conversations/{id}/spam"): _O,
    ("POST", "/api/conversations/{id}/tags"): _O,
    ("POST", "/api/conversations/{id}/priority"): _O,
    ("POST", "/api/conversations/{id}/merge"): _O,
    ("POST", "/api/conversations/{id}/split"): _O,
    ("POST", "/api/conversations/{id}/take-apart"): _O,
    ("POST", "/api/conversations/{id}/handoff"): _O,
    ("POST", "/api/handoffs/{id}/accept"): _O,
    ("POST", "/api/handoffs/{id}/decline"): _O,
    ("POST", "/api/handoffs/{id}/cancel"): _O,
    ("POST", "/api/entries/{id}/try-again"): _O,
    ("POST", "/api/entries/{id}/images"): _O,
    ("POST", "/api/entries/{id}/trust"): _O,
    ("POST", "/api/entries/{id}/take-back"): _O,
    ("POST", "/api/entries/{id}/forward"): _O,
    ("POST", "/api/attachments"): _O,
    ("POST", "/api/callbacks"): _O,
    ("POST", "/api/callbacks/{id}/take"): _O,
    ("POST", "/api/callbacks/{id}/dial"): _O,
    ("POST", "/api/callbacks/{id}/outcome"): _O,
    ("POST", "/api/callbacks/{id}/release"): _O,
    ("POST", "/api/callbacks/{id}/cancel"): _O,
    ("POST", "/api/callbacks/{id}/schedule"): _O,
    ("POST", "/api/callbacks/{id}/summary/draft"): _O,
    ("POST", "/api/callbacks/{id}/waive"): _O,
    ("GET", "/api/callbacks"): _O,
    ("GET", "/api/callbacks/{id}"): _O,
    ("POST", "/api/callbacks/{id}/number"): _O,
    ("POST", "/api/callbacks/{id}/unreached"): _O,
    ("POST", "/api/callbacks/{id}/summary"): _O,
    ("POST", "/api/conversations/{id}/summary/draft"): _O,
    ("POST", "/api/calls"): _O,
    ("GET", "/api/tray"): _O,
    ("POST", "/api/arrivals/{id}/run-again"): _O,
    ("POST", "/api/outbox/{id}/run-again"): _O,
    ("GET", "/api/wallboard"): _S,
    ("GET", "/api/waits"): _S,
    ("GET", "/api/reports/waits"): _S,
    ("GET", "/api/reports/{table}"): _S,
    ("GET", "/api/reports/mine/{table}"): _O,
    ("GET", "/api/staffing/plan"): _S,
    ("GET", "/api/staffing/plan.csv"): _S,
    ("GET", "/api/staffing/what-if"): _S,
    ("GET", "/api/staffing/busiest"): _S,
    ("GET", "/api/staffing/shifts"): _S,
    ("GET", "/api/staffing/shifts.csv"): _S,
    ("POST", "/api/staffing/shifts"): _S,
    ("POST", "/api/staffing/shifts/copy"): _S,
    ("PUT", "/api/staffing/shifts/{id}"): _S,
    ("DELETE", "/api/staffing/shifts/{id}"): _S,
    ("GET", "/api/my-shifts"): _O,
    ("GET", "/api/settings/staffing"): _S,
    ("PUT", "/api/settings/staffing"): _S,
    ("GET", "/api/settings/hours"): _S,
    ("PUT", "/api/settings/hours"): _A,
    ("GET", "/api/settings/texts"): _S,
    ("PUT", "/api/settings/texts"): _A,
}


# --- passwords ------------------------------------------------------------------------------------------------------

LEAST_PASSWORD_CHARS = 10
MOST_PASSWORD_CHARS = 1_000
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_HASHING = asyncio.Semaphore(2)
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXRoaW5nc2FsdHk$2ZoPLiyQxFLV7IkzV9QOSuUaVbQfqwXqjqtH1SVQiVY"
"""Checked when an account does not exist, so that the answer takes as long."""


def hash_password_now(password: str) -> str:
    """Blocking: for programs without a loop."""
    return _HASHER.hash(password)


async def hash_password(password: str) -> str:
    async with _HASHING:
        return await asyncio.to_thread(_HASHER.hash, password)


async def password_fits(hashed: str | None, password: str) -> bool:
    async with _HASHING:
        return await asyncio.to_thread(_fits, hashed or _NOBODY, password) and hashed is not None


def is_outdated(hashed: str) -> bool:
    return _HASHER.check_needs_rehash(hashed)


def _fits(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password[:MOST_PASSWORD_CHARS])
    except (VerificationError, InvalidHashError):
        return False


# --- sessions and forgery -------------------------------------------------------------------------------------------


def csrf_token(request: web.Request) -> str:
    """Belongs to this session: it dies with it."""
    return Signer(request.app[SECRET], salt="csrf").get_signature(request[TOKEN_DIGEST]).decode()


async def who(request: web.Request) -> SignedIn | None:
    held = session_digest(request)
    if held is None:
        return None
    return await request.app[DB].read(sessions.find, held, now=request.app[CLOCK].now())


def remote(request: web.Request) -> str:
    """The address of the client; what a proxy says counts only when it is a trusted one."""
    trusted = request.app[CONFIG].server.trusted_proxies
    address = request.remote or ""
    if address in trusted:
        # Some proxies add a line of their own below the one that the client made up.
        said = ",".join(request.headers.getall("X-Forwarded-For", []))
        for hop in reversed([part.strip() for part in said.split(",")]):
            if hop and hop not in trusted:
                return hop[:64]
    return address


def network(address: str) -> str:
    """Whose tries are counted together: whoever has one IPv6 address has all that share its first 64 bits."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return address
    return str(known.ipv4_mapped or ip_network((int(known), 64), strict=False))


def refuse_foreign(request: web.Request) -> None:
    """Raises Forged for a request that another site's page has made."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Forged
    origin = request.headers.get("Origin")
    if origin is None:
        return
    own = urlsplit(request.app[CONFIG].server.url).netloc
    if urlsplit(origin).netloc not in {request.host, own}:
        raise Forged


async def posted(request: web.Request) -> Mapping[str, Any]:
    """What a form says. Raises BadInput for one that no browser of ours has sent."""
    try:
        return await request.post()
    except (ValueError, LookupError, AssertionError) as error:
        raise BadInput("form", N_("This request is broken.")) from error


async def _refuse_forged(request: web.Request) -> None:
    refuse_foreign(request)
    said = request.headers.get("X-CSRF")
    if said is None and request.content_type == "application/x-www-form-urlencoded":
        field = (await posted(request)).get("csrf")
        said = field if isinstance(field, str) else None
    if said is None or not hmac.compare_digest(said.encode(), csrf_token(request).encode()):
        raise Forged


@web.middleware
async def access(request: web.Request, handler: Any) -> web.StreamResponse:
    resource = request.match_info.route.resource
    words = request.app[WORDS]
    request[LANGUAGE] = words.choose(request.headers.get("Accept-Language"))
    if resource is None:  # no such address: answered as such
        response: web.StreamResponse = await handler(request)
        return response
    method = "GET" if request.method == "HEAD" else request.method
    least = request.app[ACCESS_TABLE].get((method, resource.canonical))
    if least is None:
        raise NotAllowed
    if least is Access.CHANNEL or (least is Access.PUBLIC and resource.canonical != "/sign-in"):
        response = await handler(request)
        return response
    signed_in = await who(request)
    if signed_in is not None:
        held = session_digest(request)
        assert held is not None
        request[SIGNED_IN], request[TOKEN_DIGEST] = signed_in, held
        request[LANGUAGE] = words.choose(signed_in.operator.language, request.headers.get("Accept-Language"))
        await _note_use(request, signed_in)
    if least is Access.PUBLIC:
        if method not in SAFE_METHODS:
            refuse_foreign(request)
        response = await handler(request)
        return response
    if signed_in is None:
        raise SignedOut
    if method not in SAFE_METHODS:
        await _refuse_forged(request)
    if not signed_in.operator.may(least.value):
        raise NotAllowed
    response = await handler(request)
    return response


ACCESS_TABLE = web.AppKey("access", dict[tuple[str, str], Access])


async def _note_use(request: web.Request, signed_in: SignedIn) -> None:
    now = request.app[CLOCK].now()
    if now - signed_in.seen_at > sessions.SEEN_EVERY:
        await request.app[DB].write(sessions.touch, [signed_in.session_id], now=now)


# --- headers --------------------------------------------------------------------------------------------------------

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'{sockets}; frame-src 'self'; manifest-src 'self'; media-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'"
)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer; a handler that has set one of its own keeps it."""
    headers = response.headers
    own = urlsplit(request.app[CONFIG].server.url)
    sockets = f" {'wss' if own.scheme == 'https' else 'ws'}://{own.netloc}"
    headers.setdefault("Content-Security-Policy", POLICY.format(sockets=sockets))
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-DNS-Prefetch-Control", "off")  # looking up a link's host tells its owner that it was read
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
    if "frame-ancestors" not in headers["Content-Security-Policy"]:
        headers["Content-Security-Policy"] += "; frame-ancestors 'none'"
    if "frame-ancestors 'none'" in headers["Content-Security-Policy"]:
        headers.setdefault("X-Frame-Options", "DENY")
    if request.app[CONFIG].https:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if "Server" in headers:
        del headers["Server"]
