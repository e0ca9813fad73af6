"""An OAuth2 provider of mailboxes, as strict as the real ones, that hands out tokens a Dovecot of ours believes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from yarl import URL

from channels.email.settings import MicrosoftApp, OAuth, Secret

CLIENT_ID, CLIENT_SECRET = "desk", "client-secret"
SCOPE = "openid email offline_access https://outlook.office.com/IMAP.AccessAsUser.All"


class MailProvider:
    """`signed_in` is who sits in the browser; `token_for` makes an access token for an account and a life."""

    def __init__(self, token_for: Callable[[str, timedelta], str]) -> None:
        self._token_for = token_for
        self.url = ""
        self.signed_in = ""
        self.life = timedelta(hours=1)
        self.refuses: tuple[int, dict[str, str]] | None = None
        self.refreshes = 0
        self.complaints: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh_token, self._owner = "", ""

    def oauth(self) -> OAuth:
        return OAuth(
            microsoft=MicrosoftApp(
                client_id=CLIENT_ID,
                client_secret=Secret.model_validate(CLIENT_SECRET),
                authorise_url=f"{self.url}/authorize",
                token_url=f"{self.url}/token",
                scopes=tuple(SCOPE.split()),
            )
        )

    async def consent(self, url: str) -> dict[str, str]:
        """What a browser brings back to the desk after its person has said yes."""
        async with aiohttp.ClientSession() as http, http.get(url, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return dict(URL(answer.headers["Location"]).query)

    async def authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        code = f"code-{len(self._codes)}"
        self._codes[code] = query
        back = {"code": code, "state": query["state"]}
        return web.Response(status=302, headers={"Location": f"{query['redirect_uri']}?{urlencode(back)}"})

    async def token(self, request: web.Request) -> web.Response:
        said = {name: str(value) for name, value in (await request.post()).items()}
        if self.refuses is not None:
            return web.json_response(self.refuses[1], status=self.refuses[0])
        if (said.get("client_id"), said.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        if said.get("scope") != SCOPE:
            self.complaints.append(f"scope: {said.get('scope')}")
        if said["grant_type"] == "authorization_code":
            begun = self._codes.pop(said["code"], None)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(said["code_verifier"].encode()).digest())
            if begun is None or begun["code_challenge"] != challenge.rstrip(b"=").decode():
                return web.json_response({"error": "invalid_grant"}, status=400)
            self._owner = self.signed_in
        else:
            self.refreshes += 1
            if said["refresh_token"] != self._refresh_token:  # each is good for one use
                return web.json_response({"error": "invalid_grant", "error_description": "used"}, status=400)
        self._refresh_token = f"refresh-{hashlib.sha256((self._refresh_token + 'x').encode()).hexdigest()[:20]}"
        answer = {
            "token_type": "Bearer",
            "access_token": self._token_for(self._owner, self.life),
            "expires_in": int(self.life.total_seconds()),
            "refresh_token": self._refresh_token,
            "scope": SCOPE,
        }
        if said["grant_type"] == "authorization_code":
            claims = base64.urlsafe_b64encode(json.dumps({"email": self._owner}).encode()).rstrip(b"=").decode()
            answer["id_token"] = f"e30.{claims}.c2ln"
        return web.json_response(answer)


@asynccontextmanager
async def mail_provider(token_for: Callable[[str, timedelta], str]) -> AsyncIterator[MailProvider]:
    provider = MailProvider(token_for)
    app = web.Application()
    app.add_routes([web.get("/authorize", provider.authorize), web.post("/token", provider.token)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
