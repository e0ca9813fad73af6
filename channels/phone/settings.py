"""The `[phone]` table of config.toml: which telephone systems may report calls, and how they prove who they are."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from inbox.people import telephone

LEAST_SECRET_CHARS = 16


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PhoneSource(_Table):
    """One telephone system. It signs with `secret`, or sends `token` if it cannot sign.

    `old_secret` is still accepted while a secret is being changed. `default_country` and `zone` are what its numbers
    without country code and its times without zone mean; without a zone such times are refused, not guessed.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    secret: SecretStr = SecretStr("")
    old_secret: SecretStr = SecretStr("")
    token: SecretStr = SecretStr("")
    default_country: str = ""
    zone: str = ""
    lines: Mapping[str, str] = {}  # number that was called → what the desk calls this line

    @field_validator("default_country")
    @classmethod
    def _country(cls, value: str) -> str:
        if value and not telephone.known_country(value):
            raise ValueError(f"{value!r} is not a country; write two capital letters such as FI")
        return value

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(f"{value!r} is not a time zone; write one such as Europe/Helsinki") from None
        return value

    @model_validator(mode="after")
    def _proof(self) -> PhoneSource:
        given = [one.get_secret_value() for one in (self.secret, self.old_secret, self.token)]
        if not given[0] and not given[2]:
            raise ValueError("give it a secret to sign with, or a token")
        if any(one and len(one) < LEAST_SECRET_CHARS for one in given):
            raise ValueError(f"secrets and tokens have at least {LEAST_SECRET_CHARS} characters")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(one.get_secret_value() for one in (self.secret, self.old_secret) if one.get_secret_value())


class PhoneSettings(_Table):
    """`default_country`: what numbers without a country code mean, on screens and for sources that name none."""

    default_country: str = "FI"
    sources: tuple[PhoneSource, ...] = ()

    @field_validator("default_country")
    @classmethod
    def _country(cls, value: str) -> str:
        if not telephone.known_country(value):
            raise ValueError(f"{value!r} is not a country; write two capital letters such as FI")
        return value

    @model_validator(mode="after")
    def _once(self) -> PhoneSettings:
        names = [source.name for source in self.sources]
        if len(names) != len(set(names)):
            raise ValueError("two sources have the same name")
        return self

    def source(self, name: str) -> PhoneSource | None:
        return next((source for source in self.sources if source.name == name), None)

    def country(self, source: PhoneSource) -> str:
        return source.default_country or self.default_country
