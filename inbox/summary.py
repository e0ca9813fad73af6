"""After a call: what was asked, what was agreed and who does what next, as one mail to the customer.

It goes out reply-all in the mail thread that is there: of this conversation, else of the customer's newest conversation
held by mail. Only where there is none it begins a thread, in the conversation of the call. Once per call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from sqlalchemy import Connection, func, select, update

from inbox.callback_rows import announce, held, refusal, settle
from inbox.errors import BadInput, NotFound
from inbox.people import contacts, handling
from inbox.people.contacts import AddressLine
from inbox.reply import Addressings, Recipients, ReplyDraft, Written, reply
from inbox.store.models import Address, Call, Callback, CallbackAttempt, Contact, Conversation, Entry, Operator
from inbox.store.transaction import Transaction
from inbox.timeline import locked, say
from inbox.vocabulary import (
    AddressId,
    AddressKind,
    AttemptOutcome,
    CallbackId,
    CallbackState,
    CallOutcome,
    ChannelKind,
    ContactId,
    ConversationId,
    EntryId,
    OperatorId,
    Status,
)
from inbox.waits import calendar
from inbox.words import N_, Words

MAX_FIELD_CHARS = 10_000
MAX_STEPS = 20
CALL = N_("thank you for the call on %(day)s. This is what we talked about.")


@dataclass(frozen=True, slots=True)
class NextStep:
    """`who` as the customer knows them; `by` is a calendar date."""

    what: str
    who: str = ""
    by: date | None = None


@dataclass(frozen=True, slots=True)
class WrapUp:
    """The form that is filled after a call."""

    asked: str = ""
    agreed: str = ""
    next_steps: Sequence[NextStep] = ()


@dataclass(frozen=True, slots=True)
class SummaryDraft:
    """`conversation_id` is where the mail goes and `seen` its newest entry; `subject` only where a thread begins."""

    conversation_id: ConversationId
    seen: int
    starts_thread: bool
    subject: str
    text: str
    language: str
    to: Sequence[str]  # mail addresses known of the customer; none: ask for one


def draft_summary(
    conn: Connection, callback_id: CallbackId, form: WrapUp, *, operator_id: OperatorId, words: Words, language: str
) -> SummaryDraft:
    """The mail as it would be sent, in the customer's language (`language` where that is unknown). Raises NotFound."""
    _check(form)
    callback = conn.execute(select(Callback.__table__).where(Callback.id == callback_id)).first()
    if callback is None:
        raise NotFound("callback")
    conversation_id, starts_thread = _thread(conn, callback.conversation_id, callback.contact_id)
    conversation = conn.execute(
        select(Conversation.language, Conversation.last_number).where(Conversation.id == conversation_id)
    ).one()
    contact = conn.execute(
        select(Contact.name, Contact.language, Contact.zone).where(Contact.id == callback.contact_id)
    ).one()
    chosen = words.choose(contact.language, conversation.language, language)
    talked_at = _talked_at(conn, callback)
    zone = ZoneInfo(calendar.current(conn, talked_at).zone)
    day = format_date(talked_at.astimezone(zone).date(), "long", locale=chosen)
    operator = conn.execute(select(Operator.name).where(Operator.id == operator_id)).scalar() or ""
    return SummaryDraft(
        conversation_id=conversation_id,
        seen=conversation.last_number,
        starts_thread=starts_thread,
        subject=words.say(chosen, N_("Our telephone call on %(day)s"), day=day) if starts_thread else "",
        text=_text(words, chosen, form, contact.name, day, operator, CALL),
        language=chosen,
        to=_mail_addresses(conn, callback.contact_id),
    )


def draft_meeting(
    conn: Connection,
    conversation_id: ConversationId,
    form: WrapUp,
    *,
    on: date,
    operator_id: OperatorId,
    words: Words,
    language: str,
) -> SummaryDraft:
    """The same after a meeting, from any conversation; it is sent as an ordinary answer. Raises NotFound."""
    _check(form)
    found = conn.execute(
        select(Conversation.contact_id, Contact.name, Contact.language)
        .join(Contact, Contact.id == Conversation.contact_id)
        .where(Conversation.id == conversation_id)
    ).first()
    if found is None:
        raise NotFound
    target, starts_thread = _thread(conn, conversation_id, found.contact_id)
    conversation = conn.execute(
        select(Conversation.language, Conversation.last_number, Conversation.subject).where(Conversation.id == target)
    ).one()
    chosen = words.choose(found.language, conversation.language, language)
    day = format_date(on, "long", locale=chosen)
    operator = conn.execute(select(Operator.name).where(Operator.id == operator_id)).scalar() or ""
    intro = N_("thank you for the meeting on %(day)s. This is what we talked about.")
    return SummaryDraft(
        conversation_id=target,
        seen=conversation.last_number,
        starts_thread=starts_thread,
        subject="",
        text=_text(words, chosen, form, found.name, day, operator, intro),
        language=chosen,
        to=_mail_addresses(conn, found.contact_id),
    )


def send_summary(
    tx: Transaction,
    callback_id: CallbackId,
    operator_id: OperatorId,
    form: WrapUp,
    *,
    text: str,
    seen: int,
    addressings: Addressings,
    now: datetime,
    subject: str = "",
    recipients: Recipients | None = None,
    even_so: bool = False,
    to_failing: bool = False,
    hold: timedelta = timedelta(),
) -> Written:
    """Send the mail and settle the callback. A second time returns the first result.

    Raises AlreadySettled when there is nothing to sum up, CannotReach without an address, TimelineMoved, BadInput.
    """
    _check(form)
    conversation, callback = held(tx, callback_id)
    sent = callback.summary.get("entry_id")
    if callback.state != CallbackState.WRAP_UP:
        if sent is None:
            raise refusal(tx, callback, operator_id)
        number = tx.conn.execute(select(Entry.number).where(Entry.id == sent)).scalar_one()
        return Written(EntryId(sent), number, duplicate=True)
    recipients = recipients or Recipients()
    target, starts_thread = _thread(tx.conn, callback.conversation_id, callback.contact_id)
    if starts_thread:
        _begin_thread(tx, callback, target, subject, recipients, now)
    written = reply(
        tx,
        ReplyDraft(
            conversation_id=target,
            operator_id=operator_id,
            text=text,
            key=f"summary:{callback_id}",
            seen=seen,
            channel=ChannelKind.EMAIL,
            recipients=recipients,
            even_so=even_so,
            to_failing=to_failing,
            hold=hold,
            data={"summary": {"callback": callback_id, "form": _plain(form), "subject": subject, "seen": seen}},
        ),
        addressings=addressings,
        now=now,
    )
    settle(
        tx,
        callback,
        (CallbackState.WRAP_UP,),
        operator_id,
        state=CallbackState.DONE,
        settled_at=now,
        summary={**_plain(form), "entry_id": written.entry_id, "conversation_id": target},
    )
    if target != conversation.id:
        say(
            tx,
            locked(tx, ConversationId(conversation.id)),
            "summary_sent",
            by=operator_id,
            now=now,
            data={"callback": callback_id, "other": target},
            status=Status.PENDING,
        )
    handling.left(tx, operator_id, ConversationId(conversation.id), at=now)
    announce(tx, conversation, callback)
    return written


def waive_summary(
    tx: Transaction, callback_id: CallbackId, operator_id: OperatorId, reason: str, *, now: datetime
) -> None:
    """No mail is due after this call, because of `reason`. Raises BadInput without one, AlreadySettled."""
    if not reason.strip():
        raise BadInput("reason", N_("Say why no summary is due."))
    conversation, callback = held(tx, callback_id)
    settle(
        tx,
        callback,
        (CallbackState.WRAP_UP,),
        operator_id,
        state=CallbackState.DONE,
        settled_at=now,
        summary={"waived": reason.strip()[:300]},
    )
    data = {"callback": callback_id, "reason": reason.strip()[:300]}
    say(tx, conversation, "summary_waived", by=operator_id, now=now, data=data)
    handling.left(tx, operator_id, ConversationId(conversation.id), at=now)
    announce(tx, conversation, callback)


def _thread(conn: Connection, call_in: int, contact_id: int) -> tuple[ConversationId, bool]:
    """Where the mail belongs, and whether it begins a thread there."""
    by_mail = (
        select(Entry.conversation_id)
        .join(Conversation, Conversation.id == Entry.conversation_id)
        .where(
            Entry.channel == ChannelKind.EMAIL,
            Conversation.merged_into_id.is_(None),
            Conversation.spam.is_(False),
        )
        .order_by(Entry.id.desc())
        .limit(1)
    )
    here = conn.execute(by_mail.where(Conversation.id == call_in)).scalar()
    found = here or conn.execute(by_mail.where(Conversation.contact_id == contact_id)).scalar()
    return ConversationId(found or call_in), found is None


def _begin_thread(
    tx: Transaction,
    callback: Any,
    target: ConversationId,
    subject: str,
    recipients: Recipients,
    now: datetime,
) -> None:
    """Name the thread, and let the customer's addresses take part in it."""
    if subject.strip():
        tx.conn.execute(update(Conversation).where(Conversation.id == target).values(subject=subject.strip()[:1000]))
    contact_id = ContactId(callback.contact_id)
    for written in recipients.to or ():
        contacts.add_address(tx, contact_id, AddressLine(AddressKind.EMAIL, written), now=now)
    for address_id in tx.conn.execute(
        select(Address.id).where(Address.contact_id == contact_id, Address.kind == AddressKind.EMAIL)
    ).scalars():
        contacts.join(tx, target, AddressId(address_id), now=now)


def _talked_at(conn: Connection, callback: Any) -> datetime:
    attempt = conn.execute(
        select(func.max(CallbackAttempt.started_at)).where(
            CallbackAttempt.callback_id == callback.id, CallbackAttempt.outcome == AttemptOutcome.REACHED
        )
    ).scalar()
    call = conn.execute(
        select(func.max(Call.started_at)).where(
            Call.conversation_id == callback.conversation_id, Call.outcome == CallOutcome.ANSWERED
        )
    ).scalar()
    return max((at for at in (attempt, call) if at is not None), default=callback.created_at)


def _mail_addresses(conn: Connection, contact_id: int) -> list[str]:
    return list(
        conn.execute(
            select(Address.written)
            .where(Address.contact_id == contact_id, Address.kind == AddressKind.EMAIL)
            .order_by(Address.id)
        ).scalars()
    )


def _text(words: Words, language: str, form: WrapUp, name: str, day: str, operator: str, intro: str) -> str:
    def said(message: str, **values: object) -> str:
        return words.say(language, message, **values)

    parts = [said(N_("Hello %(name)s,"), name=name) if name else said(N_("Hello,"))]
    parts.append(said(intro, day=day))
    if form.asked.strip():
        parts.append(said(N_("What you asked:")) + "\n" + form.asked.strip())
    if form.agreed.strip():
        parts.append(said(N_("What we agreed:")) + "\n" + form.agreed.strip())
    steps = [_step(words, language, step) for step in form.next_steps if step.what.strip()]
    if steps:
        parts.append(said(N_("What happens next:")) + "\n" + "\n".join(f"- {step}" for step in steps))
    parts.append(said(N_("If we have misunderstood something, just answer this mail.")))
    if operator:
        parts.append(said(N_("Kind regards")) + "\n" + operator)
    return "\n\n".join(parts)


def _step(words: Words, language: str, step: NextStep) -> str:
    by = format_date(step.by, "long", locale=language) if step.by is not None else ""
    values = {"what": step.what.strip(), "who": step.who.strip(), "by": by}
    if step.who.strip() and by:
        return words.say(language, N_("%(what)s (%(who)s, by %(by)s)"), **values)
    if by:
        return words.say(language, N_("%(what)s (by %(by)s)"), **values)
    if step.who.strip():
        return words.say(language, N_("%(what)s (%(who)s)"), **values)
    return step.what.strip()


def _plain(form: WrapUp) -> dict[str, Any]:
    steps = [{**asdict(step), "by": step.by.isoformat() if step.by else None} for step in form.next_steps]
    return {"asked": form.asked, "agreed": form.agreed, "next_steps": steps}


def _check(form: WrapUp) -> None:
    if len(form.next_steps) > MAX_STEPS:
        raise BadInput("next_steps", N_("At most twenty next steps."))
    for field, text in (
        ("asked", form.asked),
        ("agreed", form.agreed),
        *(("next_steps", s.what) for s in form.next_steps),
    ):
        if len(text) > MAX_FIELD_CHARS:
            raise BadInput(field, N_("This text is too long."))
