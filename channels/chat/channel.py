"""The chat channel, assembled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from channels.channel import Channel, Sent
from channels.chat.http import RenderPanel, WidgetHttp
from channels.chat.namespace import VisitorNamespace
from channels.chat.outgoing import Outgoing
from channels.chat.settings import ChatSettings
from channels.chat.tokens import Tokens
from inbox import visitor_leaving
from inbox.clock import Clock
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database
from inbox.vocabulary import ChannelKind, ConversationId, Delivery, EntryId
from inbox.words import Words


@dataclass(frozen=True, slots=True)
class WidgetAssets:
    """What of the widget lies outside this folder: its scripts' sources and the page around the panel."""

    loader: str
    panel_scripts: str  # for the words they say
    render_panel: RenderPanel


@dataclass(frozen=True, slots=True)
class Chat:
    """The channel, and its two parts that operators' screens talk with (see VisitorNamespace.news)."""

    channel: Channel
    namespace: VisitorNamespace
    outgoing: Outgoing


def chat_channel(
    db: Database,
    clock: Clock,
    settings: ChatSettings,
    secret: str,
    *,
    words: Words,
    folder: AttachmentFolder,
    assets: WidgetAssets,
    own_origin: Callable[[Mapping[str, Any]], bool],
    remote_of: Callable[[web.Request], str] = lambda request: request.remote or "",
) -> Chat:
    """`own_origin`: whether a socket's request comes from the desk's own pages."""
    tokens = Tokens(secret, clock, days=settings.token_days)
    namespace = VisitorNamespace(db, clock, settings, tokens, words, remote_of=remote_of, own_origin=own_origin)
    outgoing = Outgoing(db, clock, namespace, tokens, words)
    http = WidgetHttp(
        db,
        clock,
        settings,
        tokens,
        words,
        folder,
        namespace,
        loader=assets.loader,
        panel_scripts=assets.panel_scripts,
        render_panel=assets.render_panel,
        remote_of=remote_of,
    )

    async def kept(conversation_id: ConversationId, entry_id: EntryId) -> Sent:
        """A chat answer is delivered by being in the timeline: the widget is told, or fetches it when it comes back."""
        return Sent(Delivery.SENT)

    @asynccontextmanager
    async def background() -> AsyncIterator[None]:
        if not db.several_processes:
            await db.write(visitor_leaving.all_left, now=clock.now())
        async with outgoing.ticking():
            yield

    return Chat(
        Channel(
            kind=ChannelKind.CHAT,
            sender=kept,
            routes=http.routes(),
            namespaces=(namespace,),
            background=(background,),
            announce=(outgoing.announce,),
        ),
        namespace,
        outgoing,
    )
