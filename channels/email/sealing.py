"""Secrets kept in the store: sealed with a key made from the desk's secret, readable by nobody who has the store alone.

AES-256-GCM (NIST SP 800-38D) with a random nonce; the name under which a value is kept is bound to it, so that rows
cannot be exchanged. The key comes from the secret by HKDF (RFC 5869).
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
_PURPOSE = b"vuoro: tokens of mail accounts, 1"


class SealBroken(Exception):
    """It was sealed with another secret, under another name, or it was altered."""


class Seal:
    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._cipher: AESGCM | None = None

    def close(self, value: str, name: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._aead().encrypt(nonce, value.encode(), name.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, name: str) -> str:
        """Raises SealBroken."""
        from cryptography.exceptions import InvalidTag

        try:
            raw = base64.urlsafe_b64decode(sealed.encode())
            value = self._aead().decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error
        return value.decode()

    def _aead(self) -> AESGCM:
        if self._cipher is None:  # loaded when first needed: most desks never do
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF

            key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(self._secret.encode())
            self._cipher = AESGCM(key)
        return self._cipher
