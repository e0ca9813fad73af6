"""Signed webhooks as the Standard Webhooks specification has them (version 1.0.0, symmetric signatures)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import aiohttp

from channels.alarms.settings import Webhook

TIMEOUT = aiohttp.ClientTimeout(total=10)


class Refused(Exception):
    """The other program answered with something else than 2xx."""


def signature(secret: str, message_id: str, at: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over "<id>.<unix seconds>.<body>"."""
    digest = hmac.new(secret.encode(), f"{message_id}.{at}.".encode() + body, sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


async def send_webhook(hook: Webhook, message_id: str, content: Mapping[str, Any], *, now: datetime) -> None:
    """Raises Refused or an error of the connection. `message_id` stays the same when it is tried again."""
    body = json.dumps(content, ensure_ascii=False).encode()
    at = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Vuoro",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(hook.secret.get_secret_value(), message_id, at, body),
    }
    async with (
        aiohttp.ClientSession(timeout=TIMEOUT) as session,
        session.post(hook.url, data=body, headers=headers, allow_redirects=False) as answer,
    ):
        if not 200 <= answer.status < 300:
            raise Refused(f"answered {answer.status}")
