"""Typed places for what `web/app.py` builds once and handlers need."""

from __future__ import annotations

from aiohttp import web

from inbox.clock import Clock
from inbox.mail_check import MailCheck
from inbox.mail_overview import MailDesk
from inbox.mail_stops import UnsubscribeLinks
from inbox.people.sessions import SignedIn
from inbox.rating_links import RatingLinks
from inbox.reply import Addressings
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database
from inbox.words import Words
from web.alarm_ways import AlarmWays
from web.automatic_texts import AutomaticTexts
from web.config import DeskConfig
from web.live import Desk
from web.rates import Rates
from web.realtime import DeskServer
from web.remote_images import RemoteImages
from web.static_files import StaticFiles
from web.templating import Pages
from web.workers import Workers

CONFIG = web.AppKey("config", DeskConfig)
DB = web.AppKey("db", Database)
CLOCK = web.AppKey("clock", Clock)
WORDS = web.AppKey("words", Words)
ATTACHMENTS = web.AppKey("attachments", AttachmentFolder)
ADDRESSINGS = web.AppKey("addressings", Addressings)
DESK = web.AppKey("desk", Desk)
RATES = web.AppKey("rates", Rates)
WORKERS = web.AppKey("workers", Workers)
SECRET = web.AppKey("secret", str)
RATING_LINKS = web.AppKey("rating_links", RatingLinks)
DOORS = web.AppKey("doors", list[str])  # sites and support addresses, as teams name them
COUNTRY = web.AppKey("country", str)  # what telephone numbers without a country code mean
PAGES = web.AppKey("pages", Pages)
MAIL_ADDRESSES = web.AppKey("mail_addresses", list[dict[str, str]])  # the desk's own, name and address
UNSUBSCRIBE = web.AppKey("unsubscribe", UnsubscribeLinks)
REMOTE_IMAGES = web.AppKey("remote_images", RemoteImages)
SERVER = web.AppKey("server", DeskServer)
ALARM_WAYS = web.AppKey("alarm_ways", AlarmWays)
MAIL_DESK = web.AppKey("mail_desk", MailDesk)
MAIL_CHECK = web.AppKey("mail_check", MailCheck)
TEXTS = web.AppKey("texts", AutomaticTexts)
STATIC = web.AppKey("static", StaticFiles)

SIGNED_IN = web.RequestKey("signed_in", SignedIn)
LANGUAGE = web.RequestKey("language", str)
TOKEN_DIGEST = web.RequestKey("token_digest", str)
