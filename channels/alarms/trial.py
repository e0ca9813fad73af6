"""A trial run of each way out, so that nobody learns in an emergency that alarms do not arrive."""

from __future__ import annotations

from collections.abc import Sequence

from channels.alarms.push import Push
from channels.alarms.settings import Webhook
from channels.alarms.webhook import send_webhook
from channels.alarms.work import SendPush
from inbox import desk_mail
from inbox.alarms import push_subscriptions
from inbox.alarms.rules import Means
from inbox.clock import Clock
from inbox.desk_mail import Letter
from inbox.people.operators import OperatorRecord
from inbox.store.database import Database
from inbox.words import N_, Words


class Trial:
    def __init__(self, db: Database, clock: Clock, words: Words, push: Push, hooks: Sequence[Webhook]) -> None:
        self._db, self._clock, self._words = db, clock, words
        self._push = SendPush(db, clock, words, push)
        self._hooks = {hook.name: hook for hook in hooks}

    async def __call__(self, person: OperatorRecord, means: Means, webhook: str) -> str:
        """Nothing when it went out, else what was in the way: our sentence, or the other side's words."""
        said = self._words.say(person.language, N_("This is a trial of the alarms. Nobody waits."))
        try:
            if means is Means.PUSH:
                return await self._push_trial(person, said)
            if means is Means.MAIL:
                return await self._mail_trial(person, said)
            elif means is Means.WEBHOOK:
                now = self._clock.now()
                body = {"event": "trial", "at": now.isoformat()}
                await send_webhook(self._hooks[webhook], f"trial-{int(now.timestamp() * 1000)}", body, now=now)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:300] if not str(error) else str(error)[:300]
        return ""

    async def _mail_trial(self, person: OperatorRecord, said: str) -> str:
        now = self._clock.now()
        letter = Letter(
            f"trial-{person.id}-{now.timestamp()}", "", person.email, said, said, person.name, person.language
        )
        if await self._db.write(desk_mail.write, letter, now=now) is None:
            return self._words.say(person.language, N_("Not sent: they want no such mail, or no mail reaches them."))
        return ""

    async def _push_trial(self, person: OperatorRecord, said: str) -> str:
        browsers = await self._db.read(push_subscriptions.of_operator, person.id)
        if not browsers:
            return self._words.say(
                person.language, N_("None of your browsers is told by push. Turn it on under Account.")
            )
        message = {"title": said, "body": "", "tag": "trial", "path": "/account"}
        reached, problems = await self._push.tell(person, browsers, message)
        return "" if reached else "; ".join(problems)[:300]
