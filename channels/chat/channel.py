"""The chat channel, assembled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from channels.background import running
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
    goes_on_by_mail: bool = False,
) -> Chat:
    """`own_origin`: whether a socket's request comes from the desk's own pages.

    `goes_on_by_mail`: answers that a visitor leaves unread are sent to the address they gave; the widget says so.
    """
    tokens = Tokens(secret, clock, days=settings.token_days)
    namespace = VisitorNamespace(
        db,
        clock,
        settings,
        tokens,
        words,
        remote_of=remote_of,
        own_origin=own_origin,
        goes_on_by_mail=goes_on_by_mail,
    )
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
        async with AsyncExitStack() as stack:
            if not db.several_processes:
                await db.write(visitor_leaving.all_left, now=clock.now())
            await stack.enter_async_context(outgoing.ticking())
            if db.several_processes:
                await stack.enter_async_context(running(namespace.stay_known(), "visitors' windows"))
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
