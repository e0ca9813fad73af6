"""What the demonstration desk begins with: a day's work behind it, and customers who wait now.

Everything enters by the desk's own doors, dated in the past.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from inbox import handoff, lifecycle, past, visitors
from inbox.call_facts import CallFacts, Direction
from inbox.calls import record_call
from inbox.handoff import Brief
from inbox.people import operators
from inbox.people.contacts import AddressLine, Sender
from inbox.receive import Incoming, receive
from inbox.reply import Addressings, ReplyDraft, note, reply
from inbox.staffing import shifts
from inbox.staffing.shifts import ShiftKind, ShiftPlan
from inbox.store import arrivals
from inbox.store.database import Database
from inbox.vocabulary import (
    AddressKind,
    ArrivalId,
    CallOutcome,
    ChannelKind,
    ConversationId,
    OperatorId,
    Presence,
    Role,
    Status,
)
from inbox.waits.change_hours import set_hours
from inbox.waits.hours import ALWAYS
from web.demo_history import history
from web.security import hash_password

ZONE = "Europe/Helsinki"
SUPPORT_ADDRESS = "help@demo.example"
SUPPORT_NUMBER = "+358 2 555 0100"


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    email: str
    password: str
    role: Role
    title: str


ACCOUNTS = (
    Account("Bea Lindholm", "bea@demo.example", "bea likes short waits", Role.OPERATOR, "Customer service"),
    Account("Jonas Weber", "jonas@demo.example", "jonas answers the phone", Role.OPERATOR, "Customer service"),
    Account("Sari Korhonen", "sari@demo.example", "sari watches the wall", Role.SUPERVISOR, "Head of customer service"),
    Account("Amir Demir", "amir@demo.example", "amir keeps the keys", Role.ADMINISTRATOR, "Administrator"),
)


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str = ""
    phone: str = ""
    language: str = "en"


ANN = Person("Ann Carter", "ann.carter@post.example", "+358401112221")
MIKKO = Person("Mikko Salonen", "mikko.salonen@posti.example", "+358402223332", "fi")
ELIF = Person("Elif Yıldız", "elif.yildiz@mail.example", "+905321234567")
NINO = Person("Nino Beridze", "nino@kartuli.example", "+995555123456")
GABOR = Person("Gábor Tóth", "gabor.toth@level.example", "+36301234567")
LAURA = Person("Laura Mäkinen", "laura.makinen@posti.example", "+358405556667", "fi")
TOM = Person("Tom Becker", "tom@becker.example")
PRIYA = Person("Priya Nair", "priya.nair@mail.example")
OLIVER = Person("Oliver Grant", "oliver.grant@post.example", "+447911123456")
HANNA = Person("Hanna Virtanen", "hanna@virtanen.example", "+358407778889", "fi")


@dataclass(slots=True)
class Story:
    """The doors of the desk, with times given in minutes before now."""

    db: Database
    addressings: Addressings
    take_in_mail: Callable[[ArrivalId, bytes, datetime], Awaitable[ConversationId]]
    now: datetime
    staff: dict[str, OperatorId] = field(default_factory=dict)
    _count: int = 0

    def at(self, minutes_ago: float) -> datetime:
        return self.now - timedelta(minutes=minutes_ago)

    def key(self, what: str) -> str:
        self._count += 1
        return f"demo:{what}:{self._count}"

    async def chat(
        self, who: Person, ago: float, *lines: str, page: str = "/products/teapot", visitor: str = ""
    ) -> ConversationId:
        """Each line a minute after the one before."""
        conversation_id = ConversationId(0)
        visitor = visitor or f"demo-{who.name.split()[0].casefold()}"
        for number, line in enumerate(lines):
            at = self.at(max(0.0, ago - number * 0.4))
            claimed = [AddressLine(AddressKind.EMAIL, who.email)] if who.email else []
            received = await self.db.write(
                receive,
                Incoming(
                    channel=ChannelKind.CHAT,
                    sender=Sender(visitors.visitor_line(visitor), who.name, who.language, claimed=claimed),
                    text=line,
                    client_key=self.key("chat"),
                    join_open=True,
                    source={"site": "shop", "page": page},
                ),
                now=at,
            )
            conversation_id = received.conversation_id
        return conversation_id

    async def mail(
        self, who: Person, ago: float, subject: str, text: str, *, html: str = "", cc: str = "", file: str = ""
    ) -> ConversationId:
        at = self.at(ago)
        mail = EmailMessage()
        mail["From"] = f"{who.name} <{who.email}>"
        mail["To"] = SUPPORT_ADDRESS
        if cc:
            mail["Cc"] = cc
        mail["Subject"] = subject
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = f"<{self.key('mail').replace(':', '.')}@{who.email.partition('@')[2]}>"
        mail.set_content(text)
        if html:
            mail.add_alternative(html, subtype="html")
        if file:
            mail.add_attachment(file.encode(), maintype="text", subtype="csv", filename="order.csv")
        raw = mail.as_bytes()
        own = [SUPPORT_ADDRESS]
        kept = await self.db.write(
            arrivals.keep,
            source="smtp",
            dedupe_key=self.key("arrival"),
            raw=raw,
            envelope={"sender": who.email, "recipients": own, "peer": "demonstration"},
            now=at,
        )
        return await self.take_in_mail(kept.arrival_id, raw, at)

    async def missed_call(self, who: Person, ago: float, *, withheld: bool = False) -> ConversationId | None:
        began = self.at(ago)
        recorded = await self.db.write(
            record_call,
            CallFacts(
                provider="demo",
                account="demo",
                call_id=self.key("call"),
                direction=Direction.INBOUND,
                started_at=began,
                ended_at=began + timedelta(seconds=27),
                number=None if withheld else who.phone,
                line="Support",
                outcome=CallOutcome.ABANDONED_IN_QUEUE,
            ),
            now=began + timedelta(seconds=28),
        )
        return recorded.conversation_id

    async def answer(
        self, conversation_id: ConversationId, by: str, ago: float, text: str, *, then: Status = Status.PENDING
    ) -> None:
        draft = ReplyDraft(conversation_id, self.staff[by], text, self.key("reply"), seen=0, even_so=True, then=then)
        await self.db.write(reply, draft, addressings=self.addressings, now=self.at(ago))

    async def remark(self, conversation_id: ConversationId, by: str, ago: float, text: str) -> None:
        draft = ReplyDraft(conversation_id, self.staff[by], text, self.key("note"), seen=0)
        await self.db.write(note, draft, now=self.at(ago))

    async def do(self, verb: Any, *args: Any, ago: float, **more: Any) -> None:
        await self.db.write(verb, *args, now=self.at(ago), **more)


async def seed(story: Story) -> None:
    """Fill an empty desk."""
    await story.db.write(set_hours, ZONE, ALWAYS, by=None, now=story.at(60 * 24 * 100))
    hashes = await asyncio.gather(*(hash_password(account.password) for account in ACCOUNTS))
    for account, hashed in zip(ACCOUNTS, hashes, strict=True):
        story.staff[account.name.split()[0]] = await story.db.write(
            operators.add,
            email=account.email,
            name=account.name,
            role=account.role,
            password_hash=hashed,
            title=account.title,
            now=story.at(60 * 24 * 100),
        )
    for name in ("Bea", "Jonas"):
        await story.db.write(operators.set_presence, story.staff[name], Presence.ONLINE, now=story.at(400))
    # Side by side, so that they share commits; but nobody waits before being answered earlier.
    await _weeks_before(story)
    await asyncio.gather(*_earlier_today(story))
    await asyncio.gather(*_now(story))
    for name in ("Bea", "Jonas"):
        await story.db.write(operators.set_presence, story.staff[name], Presence.OFFLINE, now=story.at(0))


async def _weeks_before(story: Story) -> None:
    """What reports, the heat map and the staffing plan know of the weeks before."""
    conversations, presence = history([story.staff["Bea"], story.staff["Jonas"]], story.now)
    await story.db.write(past.write, conversations)
    await story.db.write(past.write_presence, presence)
    monday = story.now.date() - timedelta(days=story.now.weekday(), weeks=8)
    weekly = [
        ShiftPlan(
            story.staff[name], ShiftKind.ANYTHING, monday + timedelta(days=day), first * 60, last * 60, weekly=True
        )
        for name, first, last in (("Bea", 8, 16), ("Jonas", 12, 20))
        for day in range(5)
    ]
    await asyncio.gather(
        *(story.db.write(shifts.add, plan, ZONE, by=story.staff["Sari"], now=story.now) for plan in weekly)
    )


def _earlier_today(s: Story) -> list[Coroutine[Any, Any, None]]:
    """Answered and closed: the figures of the wallboard come from these."""
    questions = (
        (ANN, "Do you ship to Norway?", "Yes, in four working days. Duties are paid at the door."),
        (TOM, "Is the blue teapot dishwasher safe?", "It is, on the upper rack. The lid too."),
        (PRIYA, "My discount code does not work.", "It was for the spring sale. I have given you a new one: TEA10."),
        (GABOR, "Can I pick up the order myself?", "Gladly, from tomorrow noon at the Turku shop."),
        (LAURA, "Onko teillä lahjakortteja?", "On, 20 eurosta ylöspäin. Lähetän linkin."),
        (OLIVER, "What is the weight of the cast iron pot?", "4.2 kg with its lid."),
        (NINO, "Is the green cup back in stock?", "From Thursday on. Shall I keep one for you?"),
        (HANNA, "Voiko tilauksen perua?", "Voi, kunnes se on lähtenyt. Peruin sen nyt."),
    )

    async def answered(number: int, who: Person, question: str, said: str) -> None:
        ago = 380.0 - number * 34
        waited = (0.8, 1.6, 2.4, 2.9, 1.1, 3.6, 6.2, 2.0)[number]
        by = ("Bea", "Jonas")[number % 2]
        conversation = await s.chat(who, ago, question)
        await s.do(lifecycle.take, conversation, s.staff[by], ago=ago - waited / 2)
        await s.answer(conversation, by, ago - waited, said)
        await s.do(lifecycle.close, conversation, by=s.staff[by], ago=ago - waited - 5)

    async def invoice() -> None:
        text = "Hello,\n\nI need the invoice for order 20418 for my taxes.\n\nTom Becker"
        asked = await s.mail(TOM, 300, "Invoice for order 20418", text)
        said = "Hello Tom,\n\nthe invoice is in your account now, under “Orders”."
        await s.answer(asked, "Jonas", 292, said)

    return [*(answered(number, *question) for number, question in enumerate(questions)), invoice()]


def _now(s: Story) -> list[Coroutine[Any, Any, None]]:
    """Waiting, from long ago to a moment ago, over all channels; and what is on its way to somebody else."""

    async def broken_cups() -> None:
        conversation = await s.mail(
            ELIF,
            9.5,
            "Broken cup in order 20455",
            "Hello,\n\ntwo of the six cups arrived broken. I need them for Saturday.\n\nElif Yıldız",
            html="<p>Hello,</p><p>two of the <b>six</b> cups arrived broken. I need them for <b>Saturday</b>.</p>"
            '<p>Elif Yıldız</p><img src="https://pictures.example/cup.jpg" width="200" height="120" alt="broken cup">',
            cc="Deniz Yıldız <deniz.yildiz@mail.example>",
            file="article,amount\ncup,6\n",
        )
        await s.do(lifecycle.set_tags, conversation, ["damaged"], by=s.staff["Bea"], ago=8)

    async def calls() -> None:
        await s.missed_call(MIKKO, 6.5)
        await s.missed_call(MIKKO, 5.2)
        await s.missed_call(OLIVER, 1.6)

    async def waiting_chats() -> None:
        parcel = ("Hi, my parcel has been in Turku for three days now.", "The number is JJFI6012.")
        await s.chat(ANN, 4.3, *parcel, page="/orders")
        await s.chat(HANNA, 2.4, "Hei! Mistä näen palautuksen tilan?", page="/returns")
        await s.chat(NINO, 0.9, "Hello, does the kettle work on induction?", page="/products/kettle")

    async def waiting_mails() -> None:
        office = "Dear support,\n\nplease send order 20460 to my office: Museokatu 4, Helsinki.\n\nPriya"
        await s.mail(PRIYA, 3.7, "Change of address", office)
        mugs = "Hello,\n\nwhat is the price for 200 mugs with our logo?\n\nGábor"
        await s.mail(GABOR, 0.5, "Question about bulk orders", mugs)

    async def handed_over() -> None:
        refund = await s.chat(LAURA, 14, "The refund for order 20377 has not come.", "It has been ten days.")
        await s.do(lifecycle.take, refund, s.staff["Bea"], ago=13)
        await s.answer(refund, "Bea", 12.5, "I am sorry. I am asking our bookkeeping and come back to you today.")
        await s.remark(refund, "Bea", 11, "Bookkeeping: sent on Monday to the old account. They send it again today.")
        await s.chat(LAURA, 4.8, "Thank you. Is there any news?")
        brief = Brief(
            wants="The refund of order 20377, ten days late.",
            done="Bookkeeping found it: sent to the old account, they send it again.",
            next="Ask bookkeeping for the confirmation and send it to Laura.",
            promised="An answer today.",
        )
        await s.do(handoff.hand_off, refund, by=s.staff["Bea"], to=None, brief=brief, ago=0.2)

    async def engraving() -> None:
        conversation = await s.mail(OLIVER, 120, "Engraving", "Hello,\n\ncan you engrave the pot?\n\nOliver Grant")
        await s.answer(conversation, "Jonas", 110, "Hello Oliver,\n\nI am asking our workshop; they are back tomorrow.")
        await s.do(lifecycle.snooze, conversation, s.at(-60 * 26), by=s.staff["Jonas"], ago=109, agreed=True)

    return [broken_cups(), calls(), waiting_chats(), waiting_mails(), handed_over(), engraving()]
