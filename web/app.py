"""The composition root: builds the whole desk once, from a configuration.

The only place that knows concrete channels and the automatic replies, and the one list of what must follow what.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from pydantic import Field

from autoreply import respond, texts
from autoreply.settings import AutoreplySettings
from channels import delivery
from channels.alarms.push import Push
from channels.alarms.settings import AlarmSettings
from channels.alarms.trial import Trial
from channels.alarms.work import RaiseAlarms, SendHooks, SendPush, WriteMails
from channels.channel import Channel
from channels.chat.channel import WidgetAssets, chat_channel
from channels.chat.settings import ChatSettings
from channels.email import mail_check
from channels.email.channel import EmailStatus, email_channel
from channels.email.desk_post import DeskPost
from channels.email.settings import EmailSettings
from channels.phone.channel import phone_channel
from channels.phone.settings import PhoneSettings
from inbox import chat_by_mail, desk_mail, later, timers
from inbox.alarms.notices import SENDERS, STEPS
from inbox.alarms.rules import Means
from inbox.clock import Clock, SystemClock
from inbox.events import DeskMailWritten, MessageReceived, ReplyWritten, WaitMissed, WaitStarted, WaitWarned
from inbox.mail_check import MailCheck
from inbox.mail_stops import UnsubscribeLinks
from inbox.rating_links import RatingLinks
from inbox.reply import Addressings
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database, open_database
from inbox.store.outbox_worker import Handle, OutboxWorker
from inbox.store.unsent_files import UnsentFiles
from inbox.waits import calendar
from inbox.waits.change_hours import set_hours
from inbox.waits.hours import ALWAYS
from inbox.words import Words
from web import api, keys, pages
from web.alarm_ways import AlarmWays
from web.automatic_texts import AutomaticTexts
from web.config import DeskConfig, read_config
from web.errors import errors
from web.live import Desk
from web.rates import Rates
from web.realtime import PATH, is_own_origin, make_server
from web.remote_images import RemoteImages
from web.security import ACCESS, ACCESS_TABLE, Access, access, add_headers, network, remote
from web.static_files import StaticFiles
from web.templating import Pages
from web.viewers import Viewers
from web.wall import WALL, WallPusher
from web.workers import Workers

log = structlog.get_logger(__name__)

WEB = Path(__file__).parent

VIEWERS = web.AppKey("viewers", Viewers)
EMAIL_STATUS = web.AppKey("email_status", EmailStatus)
PUSH = web.AppKey("push", Push)

DURABLE: Mapping[type, Sequence[str]] = {
    ReplyWritten: ["delivery"],
    DeskMailWritten: [desk_mail.HANDLER],
    WaitStarted: ["autoreply"],
    WaitWarned: ["autoreply", STEPS],
    WaitMissed: [STEPS],
}
"""What must follow what. Stored in the same commit, worked off until it is done or given up in sight of people."""

REPORTS_AFTER = timedelta(seconds=20)
"""So long after the start the desk begins to look after its reports."""

QUIET = {MessageReceived} - DURABLE.keys()
"""What happens so often that the workers of the outbox had better not look each time for work it never makes."""


class Config(DeskConfig):
    """The whole config.toml."""

    chat: ChatSettings = ChatSettings.model_validate({})
    email: EmailSettings = Field(default_factory=EmailSettings)
    phone: PhoneSettings = Field(default_factory=PhoneSettings)
    autoreply: AutoreplySettings = Field(default_factory=AutoreplySettings)
    alarms: AlarmSettings = Field(default_factory=AlarmSettings)


def load_config(path: Path) -> Config:
    """Raises ConfigError naming all that is wrong, missing secrets included."""
    config = read_config(path, Config)
    keep_folder = (path.parent / config.email.keep_folder).absolute()
    return config.model_copy(update={"email": config.email.model_copy(update={"keep_folder": keep_folder})})


def secret_of(config: DeskConfig) -> str:
    """The configured secret, or one made at the first start and kept beside the data. Blocking."""
    configured = config.security.secret.get_secret_value()
    if configured:
        return configured
    path = config.store.folder / "secret"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = secrets.token_urlsafe(48)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made)
        return made


def build(config: Config, *, clock: Clock | None = None, db: Database | None = None) -> web.Application:
    """The application, not yet running. A given `db` is migrated already and stays open when the desk stops."""
    clock = clock or SystemClock()
    app = web.Application(
        middlewares=[errors, access],
        client_max_size=config.security.upload_mb * 1_000_000 + 100_000,
        handler_args={"tcp_keepalive": True},
    )
    own_db = db is None
    db = db or open_database(config.store.url, now=clock.now, durable=DURABLE)
    words = Words(WEB / "locales")
    static = StaticFiles(WEB / "static")
    server = make_server(redis_url=config.store.redis or None, foreign_origins=_foreign_origins(config))
    app[VIEWERS] = Viewers(_redis(config), secrets.token_hex(4))
    desk = Desk(server, db, clock, words, app[VIEWERS])
    folder = AttachmentFolder(config.store.folder / "attachments", max_bytes=config.security.upload_mb * 1_000_000)
    secret = secret_of(config)
    addressings: Addressings = {}

    app[keys.CONFIG], app[keys.DB], app[keys.CLOCK], app[keys.WORDS] = config, db, clock, words
    app[keys.ATTACHMENTS], app[keys.DESK], app[keys.SECRET] = folder, desk, secret
    app[keys.STATIC] = static
    app[keys.PAGES] = Pages(words, static, desk_name=config.desk.name, zone=config.desk.zone)
    app[keys.RATES] = Rates(config.store.redis, sign_in_tries_per_minute=config.security.sign_in_tries_per_minute)
    app[keys.WORKERS] = Workers(clock)
    app[keys.ADDRESSINGS] = addressings
    app[keys.SERVER] = server
    app[keys.REMOTE_IMAGES] = RemoteImages(clock)
    app[WALL] = WallPusher(server, db, clock)
    app[keys.TEXTS] = AutomaticTexts(
        names=list(texts.TEXTS),
        explained={**texts.VALUES, **texts.LISTS},
        filters=texts.FILTERS,
        source_of=partial(texts.source_of, words),
        checked=texts.checked,
    )
    app[keys.COUNTRY] = config.phone.default_country
    sites, addresses = [site.key for site in config.chat.sites], [one.address for one in config.email.addresses]
    app[keys.DOORS] = [f"chat:{key}".casefold() for key in sites] + [f"email:{one}".casefold() for one in addresses]

    push = Push(secret, contact=_push_contact(config), services=config.alarms.push_services)
    app[PUSH] = push
    app[keys.ALARM_WAYS] = AlarmWays(
        webhooks=[hook.name for hook in config.alarms.webhooks],
        push_key=lambda: push.public_key,
        checked=push.checked,
        try_out=Trial(db, clock, words, push, config.alarms.webhooks),
    )

    app[keys.RATING_LINKS] = RatingLinks(secret, config.server.url)
    app[keys.UNSUBSCRIBE] = UnsubscribeLinks(secret, config.server.url)
    app[keys.MAIL_ADDRESSES] = [{"name": one.name, "address": one.address} for one in config.email.addresses]
    app[keys.MAIL_CHECK] = MailCheck(partial(mail_check.check, config.email, config.email.dns.dns()))
    email_status = EmailStatus()
    app[EMAIL_STATUS] = email_status
    channels = _channels(
        config,
        db=db,
        clock=clock,
        folder=folder,
        secret=secret,
        words=words,
        pages=app[keys.PAGES],
        desk=desk,
        remote_of=remote,
        email_status=email_status,
        links=app[keys.UNSUBSCRIBE],
    )
    assert email_status.administration is not None
    app[keys.MAIL_DESK] = email_status.administration
    addressings |= {c.kind: c.addressing for c in channels if c.addressing is not None}
    table = dict(ACCESS)
    for channel in channels:
        for route in channel.routes:
            table[route.method, route.path] = Access.CHANNEL
        app.add_routes(channel.routes)
        for namespace in channel.namespaces:
            server.register_namespace(namespace)
    app[ACCESS_TABLE] = table
    server.register_namespace(desk)
    app.add_routes([*api.routes(), *pages.routes()])
    server.attach(app, socketio_path=PATH)
    app.on_response_prepare.append(add_headers)

    app.cleanup_ctx.append(partial(_store, config=config, own=own_db))
    app.cleanup_ctx.append(partial(_working, channels=channels, config=config))
    app.on_shutdown.append(_hang_up)

    app.on_cleanup.append(_leave_redis)
    app.on_cleanup.append(_fetch_no_more)
    return app


def _channels(
    config: Config,
    *,
    db: Database,
    clock: Clock,
    folder: AttachmentFolder,
    secret: str,
    words: Words,
    pages: Pages,
    desk: Desk,
    remote_of: Callable[[web.Request], str],
    email_status: EmailStatus,
    links: UnsubscribeLinks,
) -> list[Channel]:
    """All channels of the desk, with what they and the operators' screens tell each other."""
    chat = chat_channel(
        db,
        clock,
        config.chat,
        secret,
        words=words,
        folder=folder,
        assets=_widget_assets(pages),
        own_origin=is_own_origin,
        remote_of=lambda request: network(remote_of(request)),
        goes_on_by_mail=_goes_on_by_mail(config),
    )
    chat.namespace.news.append(desk.visitor_news)
    desk.on_operator_writing.append(chat.namespace.operator_writing)
    desk.on_operator_read.append(chat.namespace.operators_have_read)
    email = email_channel(
        db,
        clock,
        config.email,
        words,
        folder,
        house=config.desk.name,
        status=email_status,
        links=links,
        secret=secret,
        own_url=config.server.url,
    )
    phone = phone_channel(db, clock, config.phone, remote_of=remote_of)
    return [chat.channel, email, phone]


def _widget_assets(pages: Pages) -> WidgetAssets:
    widget = WEB / "static" / "widget"
    scripts = "\n".join(path.read_text() for path in sorted(widget.glob("*.js")) if path.name != "loader.js")
    return WidgetAssets(
        loader=(widget / "loader.js").read_text(),
        panel_scripts=scripts,
        render_panel=lambda language, values: pages.render(language, "widget/panel.html", values),
    )


def _foreign_origins(config: Config) -> list[str]:
    return sorted({origin for site in config.chat.sites for origin in site.origins})


def _redis(config: DeskConfig) -> Any | None:
    if not config.store.redis:
        return None
    import redis.asyncio

    return redis.asyncio.from_url(config.store.redis)


async def _store(app: web.Application, *, config: DeskConfig, own: bool) -> AsyncIterator[None]:
    """Bring the schema up to date before anything reads; drain what was accepted at the end."""
    if own:
        from migrations.run import upgrade

        await asyncio.to_thread(upgrade, config.store.url)
    db, clock = app[keys.DB], app[keys.CLOCK]
    if not await db.read(calendar.exists):
        await db.write(set_hours, config.desk.zone, ALWAYS, by=None, now=clock.now())
    yield
    if own:
        await db.close()


async def _working(app: web.Application, *, channels: Sequence[Channel], config: Config) -> AsyncIterator[None]:
    """Timers, outbox and whatever the channels need to listen."""
    db, clock, workers, desk = app[keys.DB], app[keys.CLOCK], app[keys.WORKERS], app[keys.DESK]
    planned = timers.Timer("planned", later.next_due, partial(later.fire_due, addressings=app[keys.ADDRESSINGS]))
    watcher = timers.Watcher(db, clock, (*timers.TIMERS, planned, *_chat_by_mail(config, app[keys.ADDRESSINGS])))
    senders = {c.kind: c.sender for c in channels if c.sender is not None}
    deliveries = OutboxWorker(db, clock, delivery.HANDLER, delivery.Deliver(db, clock, senders), quiet=QUIET)
    answers = OutboxWorker(
        db,
        clock,
        respond.HANDLER,
        respond.Respond(
            db,
            clock,
            app[keys.WORDS],
            app[keys.ADDRESSINGS],
            config.autoreply,
            desk_name=config.desk.name,
            language=config.desk.language,
        ),
        quiet=QUIET,
    )
    post = DeskPost(db, clock, config.email, app[keys.WORDS], app[keys.UNSUBSCRIBE], config.desk.name)
    letters = OutboxWorker(db, clock, desk_mail.HANDLER, post, heeds=(DeskMailWritten,))
    alarms = _alarms(app, config)
    for told in (watcher.wake, deliveries.wake, answers.wake, desk.announcer, app[WALL].announce):
        db.on_commit(told)
    for worker in (letters, *alarms.values()):
        db.on_commit(worker.wake)
    for channel in channels:
        for announce in channel.announce:
            db.on_commit(announce)
    workers.start("timers", watcher.run)
    workers.start("delivery", deliveries.run)
    workers.start("unsent-files", UnsentFiles(db, clock, app[keys.ATTACHMENTS]).run)
    workers.start("autoreply", answers.run)
    workers.start("desk-mail", letters.run)
    for name, worker in alarms.items():
        workers.start(name, worker.run)
    workers.start("presence", desk.heartbeat)
    workers.start("wall", app[WALL].run)
    workers.start("reports", partial(_keep_reports, app))
    for channel in channels:
        for number, background in enumerate(channel.background, 1):
            workers.start_context(f"{channel.kind}-{number}", background)
    yield
    await workers.stop()
    await desk.announcer.stop()


def _alarms(app: web.Application, config: Config) -> dict[str, OutboxWorker]:
    """One loop that looks which alarms are due, and one for each way out, so that a slow one holds up no other."""
    db, clock, words, address = app[keys.DB], app[keys.CLOCK], app[keys.WORDS], config.server.url
    hooks = config.alarms.webhooks
    ways: dict[Means, Handle] = {
        Means.PUSH: SendPush(db, clock, words, app[PUSH]),
        Means.MAIL: WriteMails(db, clock, words, address=address),
        Means.WEBHOOK: SendHooks(db, clock, words, hooks, address=address),
    }
    senders = {
        SENDERS[means]: OutboxWorker(db, clock, SENDERS[means], handle, heeds=()) for means, handle in ways.items()
    }
    raising = RaiseAlarms(db, clock, hooks, queued=[sender.look for sender in senders.values()])
    return {STEPS: OutboxWorker(db, clock, STEPS, raising, heeds=(WaitWarned, WaitMissed)), **senders}


def _push_contact(config: Config) -> str:
    if config.alarms.push_contact or config.https:
        return config.alarms.push_contact or config.server.url
    return f"mailto:postmaster@{urlsplit(config.server.url).hostname}"


def _chat_by_mail(config: Config, addressings: Addressings) -> Sequence[timers.Timer]:
    """What visitors left unread in the chat goes out by mail, where the desk has an address to write from."""
    if not _goes_on_by_mail(config):
        return ()
    after = timedelta(minutes=config.chat.mail_after_minutes)
    return (
        timers.Timer(
            "chat-by-mail",
            partial(chat_by_mail.next_due, after=after),
            partial(chat_by_mail.fire_due, after=after, addressings=addressings),
        ),
    )


def _goes_on_by_mail(config: Config) -> bool:
    return bool(config.chat.mail_after_minutes and config.email.addresses)


async def _keep_reports(app: web.Application) -> None:
    """Loaded when the desk has started: what counts takes time to load."""
    await app[keys.CLOCK].wait_until(app[keys.CLOCK].now() + REPORTS_AFTER, asyncio.Event())
    from web.reports.keeping import keep

    await keep(app)


async def _hang_up(app: web.Application) -> None:
    """Websockets first: the server would otherwise wait for them. Clients come back by themselves."""
    app[keys.SERVER].hang_up()


async def _fetch_no_more(app: web.Application) -> None:
    await app[keys.REMOTE_IMAGES].close()


async def _leave_redis(app: web.Application) -> None:
    await app[VIEWERS].close()
    await app[keys.RATES].close()
