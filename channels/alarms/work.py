"""The outbox handlers of alarms: which steps apply, and one handler for each way out of the desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from channels.alarms.push import Gone, Push
from channels.alarms.settings import Webhook
from channels.alarms.webhook import send_webhook
from channels.alarms.words import mail_letter, push_text
from inbox import desk_mail
from inbox.alarms import notices, push_subscriptions
from inbox.alarms.notices import Notice, NoticeId, NoticeState
from inbox.alarms.push_subscriptions import Subscription
from inbox.alarms.rules import After
from inbox.clock import Clock
from inbox.people import operators
from inbox.people.operators import OperatorRecord
from inbox.store import outbox
from inbox.store.database import Database
from inbox.store.outbox import Job
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId, WaitId
from inbox.words import Words

log = structlog.get_logger(__name__)

AFTER: Mapping[str, After] = {"WaitWarned": After.WARNING, "WaitMissed": After.TARGET, "AlarmStepDue": After.LATER}


class RaiseAlarms:
    """Handler of `notices.STEPS`: a wait was warned of, missed, or has a later step due."""

    def __init__(
        self, db: Database, clock: Clock, webhooks: Sequence[Webhook], *, queued: Sequence[Callable[[], None]] = ()
    ) -> None:
        self._db, self._clock = db, clock
        self._names = [hook.name for hook in webhooks]
        self._queued = queued

    async def __call__(self, job: Job) -> None:
        if await self._db.write(self._raise, job, now=self._clock.now()):
            for wake in self._queued:
                wake()

    def _raise(self, tx: Transaction, job: Job, *, now: datetime) -> int:
        made = notices.raise_due(
            tx,
            WaitId(job.payload["wait_id"]),
            AFTER[job.payload["event"]],
            key=job.payload.get("step"),
            webhooks=self._names,
            now=now,
        )
        outbox.done(tx, job.id, now=now)
        return len(made)


class _Handler:
    def __init__(self, db: Database, clock: Clock, words: Words) -> None:
        self._db, self._clock, self._words = db, clock, words

    async def _settled(self, job: Job, ids: Sequence[NoticeId], state: NoticeState, error: str = "") -> None:
        await self._db.write(_settle, job, ids, state, error=error, now=self._clock.now())

    async def _failed(self, job: Job, ids: Sequence[NoticeId], error: str, *, retry: bool = True) -> None:
        log.warning("an alarm could not be sent", notices=list(ids), problem=error)
        await self._db.write(_fail, job, ids, error, retry=retry, now=self._clock.now())

    async def _person(self, operator_id: OperatorId) -> OperatorRecord:
        return await self._db.read(operators.get, operator_id)


class SendPush(_Handler):
    """Every browser of one operator; those that are gone for good are forgotten."""

    def __init__(self, db: Database, clock: Clock, words: Words, push: Push) -> None:
        super().__init__(db, clock, words)
        self._push = push

    async def __call__(self, job: Job) -> None:
        now = self._clock.now()
        notice = await self._db.read(notices.get, NoticeId(job.payload["notice_id"]), now)
        if notice is None or notice.operator_id is None or notice.state is not NoticeState.QUEUED:
            await self._db.write(outbox.done, job.id, now=now)
            return
        if not notice.running:
            await self._settled(job, [notice.id], NoticeState.ENDED)
            return
        person = await self._person(notice.operator_id)
        browsers = await self._db.read(push_subscriptions.of_operator, notice.operator_id)
        reached, problems = await self.tell(person, browsers, push_text(self._words, person, notice))
        if reached:
            await self._settled(job, [notice.id], NoticeState.SENT)
        elif problems:
            await self._failed(job, [notice.id], problems[0])
        else:
            await self._settled(job, [notice.id], NoticeState.NOWHERE)

    async def tell(
        self, person: OperatorRecord, browsers: Sequence[Subscription], message: Mapping[str, Any]
    ) -> tuple[int, list[str]]:
        """How many browsers took it, and what the others said. Retried as a whole: a browser replaces by its tag."""
        reached, problems = 0, []
        for browser in browsers:
            try:
                await self._push.send(browser, message)
                reached += 1
            except Gone:
                await self._db.write(push_subscriptions.forget, browser.endpoint)
            except Exception as error:
                problems.append(f"{type(error).__name__}: {error}"[:300])
        return reached, problems


class WriteMails(_Handler):
    """One mail with everything its reader has not been told yet; the desk's own post takes it from here."""

    def __init__(self, db: Database, clock: Clock, words: Words, *, address: str) -> None:
        super().__init__(db, clock, words)
        self._address = address

    async def __call__(self, job: Job) -> None:
        await self._db.write(self._write, job, now=self._clock.now())

    def _write(self, tx: Transaction, job: Job, *, now: datetime) -> None:
        outbox.done(tx, job.id, now=now)
        about = notices.get(tx.conn, NoticeId(job.payload["notice_id"]), now)
        if about is None or about.operator_id is None or about.state is not NoticeState.QUEUED:
            return
        unsent = notices.unsent_mail(tx.conn, about.recipient, now)
        notices.settle(tx, [notice.id for notice in unsent if not notice.running], NoticeState.ENDED, now=now)
        waiting = [notice for notice in unsent if notice.running]
        if not waiting:
            return
        person = operators.get(tx.conn, about.operator_id)
        letter = mail_letter(self._words, person, waiting, key=f"alarm-{job.id}", address=self._address)
        written = desk_mail.write(tx, letter, now=now)
        state = NoticeState.NOWHERE if written is None else NoticeState.SENT
        notices.settle(tx, [notice.id for notice in waiting], state, now=now)


class SendHooks(_Handler):
    """Signed JSON to another program. It hears of every step, also when the wait ended a moment ago."""

    def __init__(self, db: Database, clock: Clock, words: Words, hooks: Sequence[Webhook], *, address: str) -> None:
        super().__init__(db, clock, words)
        self._hooks = {f"webhook:{hook.name}": hook for hook in hooks}
        self._address = address

    async def __call__(self, job: Job) -> None:
        now = self._clock.now()
        notice = await self._db.read(notices.get, NoticeId(job.payload["notice_id"]), now)
        if notice is None or notice.state is not NoticeState.QUEUED:
            await self._db.write(outbox.done, job.id, now=now)
            return
        hook = self._hooks.get(notice.recipient)
        if hook is None:
            await self._failed(job, [notice.id], "The configuration has no such webhook any more.", retry=False)
            return
        try:
            await send_webhook(hook, f"alarm-{notice.id}", hook_body(notice, self._address, now), now=now)
        except Exception as error:
            await self._failed(job, [notice.id], f"{type(error).__name__}: {error}")
        else:
            await self._settled(job, [notice.id], NoticeState.SENT)


def hook_body(notice: Notice, address: str, now: datetime) -> dict[str, Any]:
    """What a webhook is told; documented in docs/alarms.md."""
    return {
        "event": "wait.missed" if notice.missed else "wait.warned",
        "at": now.isoformat(),
        "step": notice.step,
        "conversation": {
            "id": notice.conversation_id,
            "url": f"{address}/inbox/{notice.conversation_id}",
            "channel": notice.channel.value,
            "subject": notice.subject,
            "customer": notice.contact_name,
        },
        "wait": {
            "id": notice.wait_id,
            "started_at": notice.started_at.isoformat(),
            "waited_s": notice.waited_s,
            "target_s": notice.target_s,
            "running": notice.running,
        },
    }


def _settle(
    tx: Transaction, job: Job, ids: Sequence[NoticeId], state: NoticeState, *, error: str, now: datetime
) -> None:
    notices.settle(tx, ids, state, error=error, now=now)
    outbox.done(tx, job.id, now=now)


def _fail(tx: Transaction, job: Job, ids: Sequence[NoticeId], error: str, *, retry: bool, now: datetime) -> None:
    if outbox.failed(tx, job, error, retry=retry, now=now):
        notices.settle(tx, ids, NoticeState.FAILED, error=error, now=now)
    else:
        notices.note_failure(tx, ids, error)
