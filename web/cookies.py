"""The session cookie: a random token of which the store knows only the digest."""

from __future__ import annotations

import hashlib
import secrets

from aiohttp import web

COOKIE = "vuoro_session"


def new_token() -> str:
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def session_digest(request: web.Request) -> str | None:
    token = request.cookies.get(COOKIE, "")
    return digest(token) if 20 <= len(token) <= 100 else None
