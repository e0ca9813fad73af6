"""A desk whose alarms leave it: a push service, a mailbox and another program stand outside."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import http_ece
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import web as web_room
from channels.alarms.push import Push
from channels.alarms.settings import Webhook
from channels.alarms.work import RaiseAlarms, SendHooks, SendPush, WriteMails
from inbox import desk_mail
from inbox.alarms import notices, push_subscriptions, rules
from inbox.alarms.notices import SENDERS, STEPS, Notice
from inbox.alarms.rules import Means, Step
from inbox.clock import ManualClock
from inbox.desk_mail import Letter
from inbox.events import AlarmRaised, AnyEvent, DeskMailWritten, WaitMissed, WaitWarned
from inbox.store.database import Database
from inbox.store.outbox_worker import OutboxWorker
from inbox.timers import Watcher
from inbox.vocabulary import DeskMailId, OperatorId, Presence
from inbox.words import Words
from tests.support.verbs import VerbDesk

LOCALES = Path(web_room.__file__).parent / "locales"
SECRET = "a secret that only the test knows"


@pytest.fixture
def durable() -> Mapping[type, Sequence[str]]:
    return {WaitWarned: [STEPS], WaitMissed: [STEPS]}


@dataclass
class Outside:
    """What stands outside the desk and is called by it. `answers` is what it says, 201 when it says nothing else."""

    address: str = ""
    pushed: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    hooked: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    keys: dict[str, tuple[ec.EllipticCurvePrivateKey, bytes]] = field(default_factory=dict)

    def browser(self, name: str) -> dict[str, str]:
        """A new browser's subscription, its private key kept here."""
        key, auth = ec.generate_private_key(ec.SECP256R1()), name.encode().ljust(16, b"-")[:16]
        self.keys[name] = (key, auth)
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "endpoint": f"{self.address}/push/{name}",
            "p256dh": base64.urlsafe_b64encode(point).rstrip(b"=").decode(),
            "auth": base64.urlsafe_b64encode(auth).rstrip(b"=").decode(),
        }

    async def take_push(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        status = self.answers.get(name, 201)
        if status == 201:
            key, auth = self.keys[name]
            assert request.headers["Authorization"].startswith("vapid t=")
            text = http_ece.decrypt(await request.read(), private_key=key, auth_secret=auth, version="aes128gcm")
            self.pushed.append((name, json.loads(text)))
        return web.Response(status=status)

    async def take_hook(self, request: web.Request) -> web.Response:
        self.hooked.append((request.headers, await request.read()))
        return web.Response(status=self.answers.get("hook", 200))


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    standing = Outside()
    app = web.Application()
    app.router.add_post("/push/{name}", standing.take_push)
    app.router.add_post("/hook", standing.take_hook)
    server = TestServer(app)
    await server.start_server()
    standing.address = f"http://127.0.0.1:{server.port}"
    yield standing
    await server.close()


class AlarmingDesk(VerbDesk):
    """`settle` lets time's work be done: timers, rules, and every way out."""

    def __init__(self, db: Database, clock: ManualClock, outside: Outside) -> None:
        super().__init__(db, clock)
        self.outside = outside
        self.letters: list[int] = []
        self.on_screens: list[AlarmRaised] = []
        words = Words(LOCALES)
        self.hooks = [Webhook(name="on-call", url=f"{outside.address}/hook", secret=SECRET)]  # type: ignore[arg-type]
        self.push = Push(SECRET, contact="mailto:desk@desk.test", services=[outside.address.removeprefix("http://")])
        ways: Mapping[Means, Any] = {
            Means.PUSH: SendPush(db, clock, words, self.push),
            Means.MAIL: WriteMails(db, clock, words, address="https://desk.test"),
            Means.WEBHOOK: SendHooks(db, clock, words, self.hooks, address="https://desk.test"),
        }
        self.workers = [
            OutboxWorker(db, clock, STEPS, RaiseAlarms(db, clock, self.hooks)),
            *(OutboxWorker(db, clock, SENDERS[means], handle) for means, handle in ways.items()),
        ]
        self.watcher = Watcher(db, clock)
        db.on_commit(self._hear)

    def _hear(self, happened: Sequence[AnyEvent]) -> None:
        self.on_screens += [event for event in happened if isinstance(event, AlarmRaised)]
        self.letters += [event.mail_id for event in happened if isinstance(event, DeskMailWritten)]

    async def mails(self) -> list[Letter]:
        """What the desk has written, for its post to send."""
        found = [await self.db.read(desk_mail.get, DeskMailId(mail_id)) for mail_id in self.letters]
        return [outgoing.letter for outgoing in found if outgoing is not None]

    async def settle(self) -> None:
        await self.watcher.fire()
        for worker in self.workers:
            await worker.work_off()

    async def rules(self, *steps: Step) -> None:
        by = await self.operator("Ruler", presence=Presence.OFFLINE)
        names = [hook.name for hook in self.hooks]
        await self.db.write(rules.save, steps, webhooks=names, by=by, now=self.clock.now())

    async def subscribe(self, operator_id: OperatorId, name: str) -> None:
        await self.db.write(
            push_subscriptions.subscribe,
            operator_id,
            **self.outside.browser(name),
            user_agent="Firefox",
            now=self.clock.now(),
        )

    async def notices(self) -> list[Notice]:
        """Oldest first."""
        found: list[Notice] = (await self.db.read(notices.latest, self.clock.now()))[::-1]
        return found


@pytest.fixture
def desk(database: Database, clock: ManualClock, outside: Outside) -> AlarmingDesk:
    return AlarmingDesk(database, clock, outside)
