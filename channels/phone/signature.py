"""How a telephone system proves that an event is its own: a signature over time and body, or a fixed token."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from channels.phone.settings import PhoneSource

OLDEST_S = 300
"""A signature older or newer than this many seconds is refused: what was overheard cannot be sent again later."""

_HEADER = re.compile(r"t=(\d{1,12})((?:\s*,\s*v1=[0-9a-fA-F]{64})+)")
_VALUE = re.compile(r"v1=([0-9a-fA-F]{64})")


def sign(secret: str, body: bytes, *, now: datetime) -> str:
    """The value of X-Signature: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>." + body>`."""
    at = int(now.timestamp())
    return f"t={at},v1={_digest(secret, at, body)}"


def is_signed(header: str, body: bytes, secrets: Sequence[str], *, now: datetime) -> bool:
    found = _HEADER.fullmatch(header.strip())
    if found is None:
        return False
    at = int(found[1])
    if abs(now.timestamp() - at) > OLDEST_S:
        return False
    said = [value.lower() for value in _VALUE.findall(found[2])]
    # Every pair is compared, so that the time taken does not tell which one fits.
    fits = [hmac.compare_digest(_digest(secret, at, body), value) for secret in secrets for value in said]
    return any(fits)


def is_proved(source: PhoneSource, headers: Mapping[str, str], body: bytes, *, now: datetime) -> bool:
    """Whether the body comes from `source`. A signature that is there must be right, whatever else is sent."""
    signature = headers.get("X-Signature")
    if signature is not None:
        return is_signed(signature, body, source.secrets, now=now)
    token = source.token.get_secret_value()
    scheme, _, said = headers.get("Authorization", "").partition(" ")
    return bool(token) and scheme.lower() == "bearer" and hmac.compare_digest(said.strip().encode(), token.encode())


def _digest(secret: str, at: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()
