"""The plug: what a channel may offer. A part a channel lacks is absent, and callers can see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web
from socketio import AsyncNamespace

from inbox.reply import Addressing
from inbox.store.transaction import Announce
from inbox.vocabulary import ChannelKind, ConversationId, Delivery, EntryId


class DeliveryFailed(Exception):
    """The entry did not get out. `retry`: a later attempt may succeed. The text is shown to people."""

    def __init__(self, message: str, *, retry: bool) -> None:
        self.retry = retry
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Sent:
    """How far a send got, and what to keep with the entry (per-recipient answers, the id given by the server)."""

    delivery: Delivery = Delivery.SENT
    data: dict[str, Any] = field(default_factory=dict)


class Sender(Protocol):
    async def __call__(self, conversation_id: ConversationId, entry_id: EntryId) -> Sent:
        """Send one entry. Called again for the same entry after a crash. Raises DeliveryFailed."""


Background = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Channel:
    kind: ChannelKind
    sender: Sender | None = None  # None: nobody can be answered here
    addressing: Addressing | None = None  # fixes recipients at the moment of sending
    routes: Sequence[web.RouteDef] = ()
    namespaces: Sequence[AsyncNamespace] = ()
    background: Sequence[Background] = ()  # listeners, mailbox threads: started and stopped by the application
    announce: Sequence[Announce] = ()  # told after each commit
