"""The `[autoreply]` table of the configuration: when the desk answers by itself, and how often at most."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from inbox.vocabulary import ChannelKind, DeskMode

NOBODY_THERE = (DeskMode.AWAY, DeskMode.CLOSED)


class AutoreplySettings(BaseModel):
    """The limits of RFC 3834 in numbers. An empty list of modes keeps the desk silent on that channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chat_when: tuple[DeskMode, ...] = NOBODY_THERE
    email_when: tuple[DeskMode, ...] = NOBODY_THERE
    phone_when: tuple[DeskMode, ...] = NOBODY_THERE
    apologise_on: tuple[ChannelKind, ...] = (ChannelKind.CHAT,)  # "we are on it", after the warning mark
    per_conversation: int = Field(default=3, ge=0, le=100)
    per_address_and_day: int = Field(default=1, ge=0, le=100)  # mail
    per_hour: int = Field(default=200, ge=0, le=1_000)  # mail, the whole desk

    def when(self, channel: ChannelKind) -> tuple[DeskMode, ...]:
        return {
            ChannelKind.CHAT: self.chat_when,
            ChannelKind.EMAIL: self.email_when,
            ChannelKind.PHONE: self.phone_when,
        }[channel]
