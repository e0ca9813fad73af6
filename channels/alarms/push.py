"""Web push (RFC 8030, 8188, 8291) with the desk's own VAPID key (RFC 8292)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from inbox.alarms.push_subscriptions import Subscription
from inbox.errors import BadInput
from inbox.words import N_

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
TTL_S = 600
"""An alarm that could not be shown for this long is of no use any more."""
TIMEOUT_S = 10


class Gone(Exception):
    """The browser has withdrawn its subscription."""


class Push:
    """The key is made from the desk's secret, so every process and every restart has the same one.

    `contact`: a mailto or https address, which RFC 8292 wants for times of trouble.
    """

    def __init__(self, secret: str, *, contact: str, services: Sequence[str]) -> None:
        self._secret, self._contact, self._services = secret, contact, tuple(services)

    @cached_property
    def _key(self) -> EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives.asymmetric import ec

        seed = (
            sha256(b"vuoro web push\0" + self._secret.encode()).digest()
            + sha256(b"vuoro web push more\0" + self._secret.encode()).digest()
        )  # 512 bits: the remainder is as good as evenly spread
        return ec.derive_private_key(int.from_bytes(seed) % (P256_ORDER - 1) + 1, ec.SECP256R1())

    @cached_property
    def public_key(self) -> str:
        """What a browser needs to subscribe: the uncompressed point, base64url without padding."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(point).rstrip(b"=").decode()

    def checked(self, endpoint: str) -> str:
        """The address of a push service that we are willing to call. Raises BadInput: anything else is a trap."""
        try:
            parts = urlsplit(endpoint)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise BadInput("endpoint", N_("The desk does not know this browser's push service.")) from None
        known = any(host == one.partition(":")[0] or host.endswith("." + one) for one in self._services)
        local = f"{host}:{port}" in self._services
        if len(endpoint) > 2_000 or not (local or (known and parts.scheme == "https" and port in (None, 443))):
            raise BadInput("endpoint", N_("The desk does not know this browser's push service."))
        return endpoint

    async def send(self, browser: Subscription, message: Mapping[str, Any]) -> None:
        """Raises Gone, or what the push service answered."""
        from py_vapid import Vapid02
        from pywebpush import WebPushException, webpush_async

        endpoint = self.checked(browser.endpoint)
        async with aiohttp.ClientSession() as session:
            try:
                await asyncio.wait_for(
                    webpush_async(
                        {"endpoint": endpoint, "keys": {"p256dh": browser.p256dh, "auth": browser.auth}},
                        json.dumps(message, ensure_ascii=False),
                        vapid_private_key=Vapid02(self._key),
                        vapid_claims={"sub": self._contact},
                        ttl=TTL_S,
                        timeout=TIMEOUT_S,
                        headers={"Urgency": "high"},
                        aiohttp_session=session,
                    ),
                    TIMEOUT_S + 2,
                )
            except WebPushException as error:
                status = getattr(error.response, "status", None)
                if status in (404, 410):
                    raise Gone from error
                raise RuntimeError(f"the push service answered {status}") from error
