"""Telephone calls: reported to the desk, answered by calling back. Nothing is sent over this channel."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from channels.channel import Channel
from channels.phone.intake import Intake
from channels.phone.settings import PhoneSettings
from channels.phone.webhook import PATH, Webhook
from inbox.clock import Clock
from inbox.store.database import Database
from inbox.vocabulary import ChannelKind


def phone_channel(
    db: Database,
    clock: Clock,
    settings: PhoneSettings,
    *,
    remote_of: Callable[[web.Request], str] = lambda request: request.remote or "",
) -> Channel:
    """`remote_of`: the network address of a client, also behind the proxies the desk trusts."""
    intake = Intake(db, clock, settings)
    return Channel(
        kind=ChannelKind.PHONE,
        routes=[web.post(PATH, Webhook(db, clock, settings, remote_of).report)],
        background=[intake.running],
        announce=[intake.wake],
    )
