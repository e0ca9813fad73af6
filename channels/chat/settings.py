"""The `[chat]` table of the configuration: which websites embed the widget, and how much a visitor may do."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("write an origin such as https://shop.example.org, without a path")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _address(value: str) -> str:
    if value and urlsplit(value).scheme not in ("http", "https"):
        raise ValueError("write an address that begins with https://")
    return value


class ChatSite(BaseModel):
    """A website. `key` stands in its snippet, `origins` are the only places from which it may connect."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    name: str = Field(min_length=1, max_length=80)
    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    greeting: str = Field("", max_length=300)
    email: str = Field("", max_length=320)  # offered as "write a mail instead"
    phone: str = Field("", max_length=40)
    privacy_url: Annotated[str, AfterValidator(_address)] = ""
    language: str | None = Field(None, pattern="^[a-z]{2,3}$")  # None: the visitor's
    country: str = Field("FI", pattern="^[A-Z]{2}$")  # numbers typed without a country code are from here


class ChatSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sites: tuple[ChatSite, ...] = ()
    token_days: int = Field(90, ge=1, le=400)  # a visitor who stays away longer is a new one
    mail_after_minutes: int = Field(5, ge=0, le=60 * 24)  # after leaving, what is unread goes by mail; 0: never
    rejoin_hours: int = Field(24, ge=0, le=24 * 30)  # a closed chat goes on when its visitor writes within this time
    messages_per_minute: int = Field(40, ge=1)  # of one visitor
    events_per_minute: int = Field(300, ge=1)  # of one visitor: messages, receipts, typing
    connects_per_minute: int = Field(600, ge=1)  # from one network address
    conversations_per_minute: int = Field(20, ge=1)  # begun from one network address
    questions_per_minute: int = Field(20, ge=1)  # over HTTP, from one network address
    uploads_per_minute: int = Field(20, ge=1)  # from one network address

    def site(self, key: object) -> ChatSite | None:
        return next((site for site in self.sites if site.key == key), None)

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(origin for site in self.sites for origin in site.origins)
