"""Mail that the desk writes by itself to one person: reports, digests, surveys, alarms. It stands in no timeline.

Whoever has unsubscribed from the topic gets none; an address that bounced or complained gets nothing of the kind any
more. The same key is one mail, however often it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from inbox import mail_ids, mail_stops
from inbox.errors import BadInput
from inbox.events import DeskMailWritten
from inbox.mail_stops import EVERYTHING, StopReason
from inbox.store import outbox
from inbox.store.models import DeskMail
from inbox.store.outbox import Job
from inbox.store.transaction import Transaction
from inbox.vocabulary import ConversationId, Delivery, DeskMailId
from inbox.words import N_

HANDLER = "desk-mail"
MAX_SUBJECT_CHARS = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """`topic` is a stable word for what one can unsubscribe from: "reports", "ratings" …; empty where one cannot.

    `conversation_id`: an answer to this mail belongs there. `text` is Markdown where `html` is None.
    """

    key: str
    topic: str
    address: str
    subject: str
    text: str
    name: str = ""
    language: str = "en"
    html: str | None = None
    conversation_id: ConversationId | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    id: DeskMailId
    letter: Letter
    message_id: str  # empty until the first attempt
    delivery: Delivery


def write(tx: Transaction, letter: Letter, *, now: datetime) -> DeskMailId | None:
    """Queue it. None when its reader wants none, or no mail reaches them. Raises BadInput for a mail without words."""
    known = tx.conn.execute(select(DeskMail.id).where(DeskMail.client_key == letter.key)).scalar()
    if known is not None:
        return DeskMailId(known)
    if not letter.subject.strip() or not letter.text.strip() or len(letter.subject) > MAX_SUBJECT_CHARS:
        raise BadInput("subject", N_("A mail needs a subject and a text."))
    if mail_stops.is_stopped(tx.conn, letter.address, letter.topic):
        return None
    mail_id = DeskMailId(
        tx.insert(
            DeskMail,
            client_key=letter.key,
            topic=letter.topic,
            address=letter.address,
            name=letter.name[:200],
            language=letter.language,
            subject=" ".join(letter.subject.split()),
            text=letter.text,
            html=letter.html,
            message_id="",
            conversation_id=letter.conversation_id,
            delivery=Delivery.QUEUED,
            created_at=now,
        )
    )
    tx.record(DeskMailWritten(mail_id))
    return mail_id


def get(conn: Connection, mail_id: DeskMailId) -> Outgoing | None:
    row = conn.execute(select(DeskMail.__table__).where(DeskMail.id == mail_id)).first()
    if row is None:
        return None
    letter = Letter(
        row.client_key,
        row.topic,
        row.address,
        row.subject,
        row.text,
        row.name,
        row.language,
        row.html,
        None if row.conversation_id is None else ConversationId(row.conversation_id),
    )
    return Outgoing(DeskMailId(row.id), letter, row.message_id, Delivery(row.delivery))


def begin(tx: Transaction, mail_id: DeskMailId, message_id: str) -> str:
    """Fix the Message-ID before the first attempt; a later attempt gets the same. An answer to it finds its way."""
    row = tx.conn.execute(
        select(DeskMail.message_id, DeskMail.conversation_id).where(DeskMail.id == mail_id).with_for_update()
    ).one()
    if row.message_id:
        return str(row.message_id)
    tx.conn.execute(update(DeskMail).where(DeskMail.id == mail_id).values(message_id=message_id))
    if row.conversation_id is not None:
        mail_ids.register(tx, message_id, ConversationId(row.conversation_id), entry_id=None, ours=True)
    return message_id


def withheld(conn: Connection, outgoing: Outgoing) -> bool:
    """They unsubscribed, or their mail bounced, after it was written."""
    return mail_stops.is_stopped(conn, outgoing.letter.address, outgoing.letter.topic)


def settled(tx: Transaction, job: Job, mail_id: DeskMailId, delivery: Delivery, said: str, *, now: datetime) -> None:
    tx.conn.execute(
        update(DeskMail)
        .where(DeskMail.id == mail_id)
        .values(delivery=delivery, said=said[:1000], sent_at=now if delivery is not Delivery.FAILED else None)
    )
    outbox.done(tx, job.id, now=now)


def failed(
    tx: Transaction, job: Job, outgoing: Outgoing, said: str, *, retry: bool, bounced: bool, now: datetime
) -> None:
    """`bounced`: the server refuses this very address, so nothing of the kind is sent there any more."""
    given_up = outbox.failed(tx, job, said, retry=retry, now=now)
    state = Delivery.FAILED if given_up else Delivery.DELAYED
    tx.conn.execute(update(DeskMail).where(DeskMail.id == outgoing.id).values(delivery=state, said=said[:1000]))
    if given_up and bounced:
        mail_stops.stop(tx, outgoing.letter.address, EVERYTHING, StopReason.BOUNCED, now=now)


def reported(tx: Transaction, message_ids: Sequence[str], said: str, *, complaint: bool, now: datetime) -> bool:
    """A report came back about one of these mails: its address gets no more. False when none of them is ours."""
    row = tx.conn.execute(
        select(DeskMail.id, DeskMail.address)
        .where(DeskMail.message_id.in_([one for one in message_ids if one]))
        .limit(1)
    ).first()
    if row is None:
        return False
    reason = StopReason.COMPLAINED if complaint else StopReason.BOUNCED
    mail_stops.stop(tx, row.address, EVERYTHING, reason, now=now)
    tx.conn.execute(update(DeskMail).where(DeskMail.id == row.id).values(delivery=Delivery.FAILED, said=said[:1000]))
    return True
