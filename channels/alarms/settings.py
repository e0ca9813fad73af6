"""The `[alarms]` table of the configuration: where alarms may go. When and to whom is set on the desk's own page."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

PUSH_SERVICES = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "notify.windows.com",
    "web.push.apple.com",
)
"""The push services of the browsers in use; a subscription that names another host is refused (it is a stranger's)."""


class Webhook(BaseModel):
    """Where to send alarms as signed JSON (Standard Webhooks)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    url: str = Field(max_length=2_000)
    secret: SecretStr = Field(min_length=16)

    @field_validator("url")
    @classmethod
    def _is_web(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write an address such as https://on-call.example.org/alarms")
        return value


class AlarmSettings(BaseModel):
    """`push_contact`: whom a push service may write to when it has trouble with us (RFC 8292)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    push_contact: str = ""
    push_services: tuple[str, ...] = PUSH_SERVICES
    webhooks: tuple[Webhook, ...] = ()

    @field_validator("push_contact")
    @classmethod
    def _can_be_reached(cls, value: str) -> str:
        if value and not value.startswith(("mailto:", "https://")):
            raise ValueError("write mailto:somebody@example.org or an https address")
        return value

    @field_validator("webhooks")
    @classmethod
    def _names_differ(cls, value: Sequence[Webhook]) -> Sequence[Webhook]:
        names = [hook.name for hook in value]
        if len(set(names)) != len(names):
            raise ValueError("two webhooks have the same name")
        return value
