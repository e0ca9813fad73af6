"""Outbox handler "desk-mail": sends what the desk writes by itself, marked as such and easy to get rid of."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from channels.channel import DeliveryFailed
from channels.email.compose import Draft, compose
from channels.email.dkim_signing import DkimSigning
from channels.email.record import MailData
from channels.email.sender import HandingOver, keep_file
from channels.email.serialise import Unsubscribe, new_message_id, serialise
from channels.email.settings import EmailSettings
from inbox import desk_mail, mail_ids, signature
from inbox.clock import Clock
from inbox.desk_mail import Outgoing
from inbox.mail_stops import UnsubscribeLinks
from inbox.store.database import Database
from inbox.store.outbox import Job
from inbox.vocabulary import Delivery, DeskMailId, RecipientState
from inbox.words import N_, Words

log = structlog.get_logger(__name__)


class DeskPost:
    def __init__(
        self, db: Database, clock: Clock, settings: EmailSettings, words: Words, links: UnsubscribeLinks, house: str
    ) -> None:
        self._db, self._clock, self._settings, self._words = db, clock, settings, words
        self._links, self._house = links, house
        self._signing = DkimSigning(settings.dkim)

    async def __call__(self, job: Job) -> None:
        mail_id = DeskMailId(job.payload["mail_id"])
        outgoing = await self._db.read(desk_mail.get, mail_id)
        now = self._clock.now()
        if outgoing is None or outgoing.delivery in (Delivery.SENT, Delivery.KEPT, Delivery.FAILED):
            await self._db.write(desk_mail.settled, job, mail_id, Delivery.SENT, "", now=now)
            return
        if await self._db.read(desk_mail.withheld, outgoing):
            said = N_("Not sent: they want no such mail, or no mail reaches them.")
            await self._db.write(desk_mail.settled, job, mail_id, Delivery.FAILED, said, now=now)
            return
        try:
            delivery, said = await self._send(outgoing, now)
        except _Refused as error:
            await self._db.write(
                desk_mail.failed, job, outgoing, str(error), retry=error.retry, bounced=not error.retry,
                now=self._clock.now(),
            )  # fmt: skip
        except DeliveryFailed as error:
            await self._db.write(
                desk_mail.failed, job, outgoing, str(error), retry=error.retry, bounced=False, now=self._clock.now()
            )
        else:
            await self._db.write(desk_mail.settled, job, mail_id, delivery, said, now=self._clock.now())

    async def _send(self, outgoing: Outgoing, now: datetime) -> tuple[Delivery, str]:
        if not self._settings.addresses:
            raise DeliveryFailed(N_("This desk has no mail address of its own yet."), retry=False)
        support = self._settings.addresses[0]
        domain = support.address.rpartition("@")[2]
        message_id = await self._db.write(desk_mail.begin, outgoing.id, new_message_id(domain))
        template = await self._db.read(signature.text)
        token = ""
        if outgoing.letter.conversation_id is not None and self._settings.reply_tokens:
            token = await self._db.read(mail_ids.reply_token, outgoing.letter.conversation_id)
        try:
            raw = await asyncio.to_thread(self._composed, outgoing, message_id, template, token, now)
        except ValueError as error:
            raise DeliveryFailed(str(error), retry=False) from error
        if self._settings.outgoing is None:
            name = await asyncio.to_thread(keep_file, self._settings.keep_folder, f"desk-{outgoing.id:08d}.eml", raw)
            return Delivery.KEPT, name
        # Not an empty one: a bounce has to come back, so that this address is written to no more.
        handing_over = HandingOver(self._settings.outgoing, support.address)
        await handing_over.run([([outgoing.letter.address], raw)])
        answer = handing_over.answers[outgoing.letter.address]
        if answer.state is not RecipientState.SENT:
            raise _Refused(answer.said, retry=answer.state is RecipientState.DELAYED)
        return Delivery.SENT, answer.said

    def _composed(self, outgoing: Outgoing, message_id: str, template: str, token: str, now: datetime) -> bytes:
        letter, support = outgoing.letter, self._settings.addresses[0]
        local, _, domain = support.address.rpartition("@")
        mail: MailData = {
            "subject": letter.subject,
            "message_id": message_id,
            "author": {"name": support.name or self._house, "address": support.address},
            "to": [{"name": letter.name, "address": letter.address}],
            "cc": [],
        }
        unsubscribe = None
        if letter.topic:
            link = self._links.link(letter.address, letter.topic)
            named = self._links.token(letter.address, letter.topic)
            unsubscribe = Unsubscribe(link, support.address, f"unsubscribe {named}")
        composed = serialise(
            compose(
                Draft(
                    mail=mail,
                    text=letter.text,
                    html=letter.html,
                    sent_at=now,
                    written_at=now,
                    signature=signature.lines(template, name="", role="", desk=self._house),
                    quoted=None,
                    files=(),
                    automatic=False,
                    generated=True,
                    language=self._words.choose(letter.language),
                    reply_to=f"{local}+{token}@{domain}" if token else "",
                    unsubscribe=unsubscribe,
                ),
                self._words,
            )
        )
        return self._signing.signed(composed, support.address)


class _Refused(DeliveryFailed):
    """This very address was refused."""
