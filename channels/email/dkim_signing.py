"""DKIM signatures on what leaves (RFC 6376, 8463), with the key of the author's domain. Blocking: for threads."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import dkim
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from channels.email.addresses import is_usable
from channels.email.domains import ascii_domain, domain_of

LEAST_BITS = 1024
"""RFC 8301: shorter keys are ignored by everybody."""
_RAW = serialization.Encoding.Raw
SIGNED = (
    b"from", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id", b"in-reply-to", b"references",
    b"mime-version", b"content-type", b"auto-submitted", b"list-unsubscribe", b"list-unsubscribe-post",
)  # fmt: skip
SEALED = (b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to")
"""Signed once more than they occur, so that nobody can add another one."""


class DkimKey(BaseModel):
    """`key`: a private key in PEM, RSA or ed25519, written `file:PATH` or `env:NAME`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: str
    selector: str
    key: SecretStr

    @field_validator("domain")
    @classmethod
    def _is_domain(cls, value: str) -> str:
        if not is_usable(f"postmaster@{value}") or "." not in value:
            raise ValueError(f"{value!r} is not a domain")
        return ascii_domain(value)

    @field_validator("selector")
    @classmethod
    def _is_selector(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value):
            raise ValueError(f"{value!r} is not a selector; write one such as vuoro2026")
        return value.lower()

    @field_validator("key", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        """Secrets of the configuration come as `{"value": …}`."""
        return value["value"] if isinstance(value, dict) and set(value) == {"value"} else value

    @field_validator("key")
    @classmethod
    def _is_key(cls, value: SecretStr) -> SecretStr:
        _private(value)
        return value

    def record(self) -> str:
        """The TXT record to publish at `name`."""
        private = _private(self.key)
        if isinstance(private, Ed25519PrivateKey):
            public = private.public_key().public_bytes(_RAW, serialization.PublicFormat.Raw)
            kind = "ed25519"
        else:
            public = private.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            kind = "rsa"
        return f"v=DKIM1; k={kind}; p={base64.b64encode(public).decode()}"

    @property
    def name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"


def _private(key: SecretStr) -> RSAPrivateKey | Ed25519PrivateKey:
    """Raises ValueError in words fit for a configuration error."""
    try:
        found = serialization.load_pem_private_key(key.get_secret_value().strip().encode() + b"\n", password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, UnicodeError):
        raise ValueError("this is not a private key in PEM without a password") from None
    if isinstance(found, Ed25519PrivateKey):
        return found
    if not isinstance(found, RSAPrivateKey):
        raise ValueError("DKIM knows RSA and ed25519 keys; this is another kind")
    if found.key_size < LEAST_BITS:
        raise ValueError(f"an RSA key needs {LEAST_BITS} bits at least, better 2048; this one has {found.key_size}")
    return found


class _Ready:
    """A key in the forms the library wants, made once."""

    __slots__ = ("algorithm", "domain", "private", "selector")

    def __init__(self, key: DkimKey) -> None:
        private = _private(key.key)
        self.domain, self.selector = key.domain.encode(), key.selector.encode()
        if isinstance(private, Ed25519PrivateKey):
            self.algorithm = b"ed25519-sha256"
            self.private = base64.b64encode(
                private.private_bytes(_RAW, serialization.PrivateFormat.Raw, serialization.NoEncryption())
            )
        else:
            self.algorithm = b"rsa-sha256"
            self.private = private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )


class DkimSigning:
    """All keys of the desk. A domain may have several: then a mail bears several signatures."""

    def __init__(self, keys: Sequence[DkimKey]) -> None:
        self._keys = [_Ready(key) for key in keys]

    def signed(self, raw: bytes, author: str) -> bytes:
        """The mail with a signature for each key of its author's domain; as it is where there is none."""
        domain = domain_of(author).encode()
        fields = b""
        for key in self._keys:
            if domain == key.domain or domain.endswith(b"." + key.domain):
                mail = dkim.DKIM(raw)
                present = [name.lower() for name, _ in mail.headers]
                names = [name for name in present if name in SIGNED] + list(SEALED)
                fields += mail.sign(
                    key.selector,
                    key.domain,
                    key.private,
                    signature_algorithm=key.algorithm,
                    canonicalize=(b"relaxed", b"relaxed"),
                    include_headers=names,
                )
        return fields + raw
