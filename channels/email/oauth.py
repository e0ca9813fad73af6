"""Authorisation code with PKCE and refreshing, as a provider of mailboxes understands it (RFC 6749, 7636, 9700).

Both large providers speak it plainly; what differs between them is data. Identity comes from the `id_token` that the
token endpoint itself hands over TLS, so its signature proves nothing more (OpenID Connect Core, 3.1.3.7, point 6).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp

from channels.email.settings import MicrosoftApp, OAuth, OAuthApp, Provider
from inbox.mailboxes import MailTrouble

ANSWERS_WITHIN_SECONDS = 20
MAX_ANSWER_BYTES = 200_000
USUAL_LIFE_S = 3600

_GOOGLE = "https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token"
_MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{what}"
_SCOPES: Mapping[Provider, tuple[str, ...]] = {
    Provider.GOOGLE: ("openid", "email", "https://mail.google.com/"),
    Provider.MICROSOFT: (
        "openid",
        "email",
        "profile",
        "offline_access",
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "https://outlook.office.com/SMTP.Send",
    ),
}
_ASKED: Mapping[Provider, Mapping[str, str]] = {
    # Without both, Google gives a refresh token only to the very first consent.
    Provider.GOOGLE: {"access_type": "offline", "prompt": "consent select_account"},
    # Otherwise whoever happens to be signed in in this browser is connected.
    Provider.MICROSOFT: {"prompt": "select_account"},
}
_IDENTITY_SCOPES = frozenset({"openid", "email", "profile", "offline_access"})


class OAuthRefused(Exception):
    """The provider gave no tokens. `said` is what it answered, without anything secret."""

    def __init__(self, trouble: MailTrouble, said: str) -> None:
        self.trouble, self.said = trouble, clean_words(said)
        super().__init__(f"{trouble}: {self.said}")


@dataclass(frozen=True, slots=True)
class Tokens:
    access_token: str
    expires_at: datetime
    refresh_token: str
    got_at: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """`connected_as`: the account whose owner consented, as the provider names it; may be empty."""

    tokens: Tokens
    connected_as: str


def clean_words(said: str) -> str:
    """A server's words for people: one line, no control characters, bounded, nothing that looks like a token."""
    line = re.sub(r"[A-Za-z0-9_\-.~+/=]{60,}", "…", re.sub(r"[\x00-\x1f\x7f-\x9f\s]+", " ", said)).strip()
    quoted = re.fullmatch(r"b'(.*)'", line)  # a library's way of saying bytes
    return (quoted[1] if quoted else line)[:300]


def challenge_of(verifier: str) -> str:
    """RFC 7636, 4.2, S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class OAuthClient:
    """This desk at one provider."""

    def __init__(self, provider: Provider, app: OAuthApp, redirect_uri: str) -> None:
        self.provider, self._app, self._redirect_uri = provider, app, redirect_uri
        authorise, token = _GOOGLE
        if isinstance(app, MicrosoftApp):
            authorise = _MICROSOFT.format(tenant=app.tenant, what="authorize")
            token = _MICROSOFT.format(tenant=app.tenant, what="token")
        self.authorise_url, self._token_url = app.authorise_url or authorise, app.token_url or token
        self._scopes = app.scopes or _SCOPES[provider]

    @property
    def secret_ends(self) -> date | None:
        return self._app.secret_ends

    def consent_url(self, *, state: str, verifier: str, username: str) -> str:
        """Where an administrator consents; they come back to the redirect URI with `state` and a code."""
        query = {
            "response_type": "code",
            "client_id": self._app.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._scopes),
            "state": state,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            "login_hint": username,
            **_ASKED[self.provider],
        }
        separator = "&" if "?" in self.authorise_url else "?"
        return f"{self.authorise_url}{separator}{urlencode(query)}"

    async def exchange(self, code: str, verifier: str, *, now: datetime) -> Granted:
        """Raises OAuthRefused."""
        answer = await self._ask(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect_uri,
                "code_verifier": verifier,
            }
        )
        granted = set(str(answer.get("scope", "")).casefold().split())
        needed = {scope.casefold() for scope in self._scopes if scope not in _IDENTITY_SCOPES}
        if granted and not needed <= granted:
            raise OAuthRefused(MailTrouble.CONSENT_PARTIAL, "missing: " + " ".join(sorted(needed - granted)))
        if not answer.get("refresh_token"):
            raise OAuthRefused(MailTrouble.CONSENT_PARTIAL, "The provider gave no refresh token.")
        return Granted(_tokens(answer, "", now), _who(answer.get("id_token")))

    async def refresh(self, refresh_token: str, *, now: datetime) -> Tokens:
        """New tokens; the refresh token of the answer counts from now on. Raises OAuthRefused."""
        answer = await self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})
        return _tokens(answer, refresh_token, now)

    async def _ask(self, form: Mapping[str, str]) -> dict[str, Any]:
        # The scope is repeated each time: some tokens come back for less otherwise.
        form = {**form, "client_id": self._app.client_id, "scope": " ".join(self._scopes)}
        if self._app.client_secret is not None:
            try:
                form["client_secret"] = self._app.client_secret.read()
            except ValueError as error:
                raise OAuthRefused(MailTrouble.CLIENT_REFUSED, str(error)) from error
        timeout = aiohttp.ClientTimeout(total=ANSWERS_WITHIN_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(
                    self._token_url, data=form, headers={"Accept": "application/json"}, allow_redirects=False
                ) as answer,
            ):
                body = bytearray()
                async for piece in answer.content.iter_chunked(16_384):
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        break
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            said = str(error) or type(error).__name__
            raise OAuthRefused(MailTrouble.UNREACHABLE, said) from error
        try:
            said_json = json.loads(body)
        except ValueError:
            said_json = None
        if status == 200 and isinstance(said_json, dict) and isinstance(said_json.get("access_token"), str):
            return said_json
        raise _refusal(status, said_json if isinstance(said_json, dict) else {})


def clients(settings: OAuth, redirect_uri: str) -> dict[Provider, OAuthClient]:
    return {
        provider: OAuthClient(provider, app, redirect_uri)
        for provider in Provider
        if (app := settings.app(provider)) is not None
    }


_SECRET_ENDED = ("AADSTS7000222",)
_CLIENT = ("invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_grant_type")


def _refusal(status: int, answer: Mapping[str, Any]) -> OAuthRefused:
    """RFC 6749, 5.2, and the codes by which Microsoft says more."""
    error = str(answer.get("error", ""))
    said = str(answer.get("error_description") or error or f"HTTP {status}")
    if any(code in said for code in _SECRET_ENDED):
        return OAuthRefused(MailTrouble.SECRET_ENDED, said)
    if status >= 500 or status == 429 or error in ("temporarily_unavailable", "server_error"):
        return OAuthRefused(MailTrouble.SERVER_FAULT, said)
    if error in ("invalid_grant", "interaction_required", "access_denied", "consent_required", "login_required"):
        return OAuthRefused(MailTrouble.CONSENT_WITHDRAWN, said)
    if error in _CLIENT:
        return OAuthRefused(MailTrouble.CLIENT_REFUSED, said)
    return OAuthRefused(MailTrouble.SERVER_FAULT, said)


def _tokens(answer: Mapping[str, Any], refresh_token: str, now: datetime) -> Tokens:
    try:
        life_s = max(60, min(int(answer.get("expires_in", USUAL_LIFE_S)), 7 * 86_400))
    except (TypeError, ValueError):
        life_s = USUAL_LIFE_S
    given = answer.get("refresh_token")
    return Tokens(
        access_token=str(answer["access_token"]),
        expires_at=now + timedelta(seconds=life_s),
        refresh_token=given if isinstance(given, str) and given else refresh_token,
        got_at=now,
    )


def _who(id_token: Any) -> str:
    if not isinstance(id_token, str) or id_token.count(".") != 2:
        return ""
    middle = id_token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, UnicodeDecodeError):
        return ""
    if not isinstance(claims, dict):
        return ""
    for name in ("preferred_username", "email", "upn"):
        value = claims.get(name)
        if isinstance(value, str) and "@" in value:
            return clean_words(value)[:320]
    return ""
