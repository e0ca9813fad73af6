"""The eight seconds in which a mail can be taken back survive the death of the process: it leaves once, or never."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, select

from inbox.store.models import Conversation, Entry, Wait
from inbox.vocabulary import Delivery
from tests.flows.test_three_channels import mail
from tests.support.conditions import eventually
from tests.support.postfix import Postfix
from tests.support.program import Program


def conversation_about(conn: Connection, subject: str) -> int | None:
    return conn.execute(select(Conversation.id).where(Conversation.subject == subject)).scalar()


async def asked(program: Program, now: datetime, name: str) -> int:
    """A customer has written; their conversation."""
    await program.send_mail(mail(f"Where is it, asks {name}?", subject=name, sender=f"{name}@customers.test"))
    store = program.open_store(now)
    try:
        await eventually(lambda: store.read(conversation_about, name), seconds=20)
        found = await store.read(conversation_about, name)
    finally:
        await store.close()
    assert found is not None
    return found


def state_of(conn: Connection, conversation_id: int) -> tuple[str | None, bool]:
    """How far the answer has got, and whether the customer waits."""
    delivery = conn.execute(
        select(Entry.delivery)
        .where(Entry.conversation_id == conversation_id, Entry.author == "operator", Entry.kind == "reply")
        .order_by(Entry.number.desc())
    ).scalar()
    waits = conn.execute(select(Wait.ended_at).where(Wait.conversation_id == conversation_id)).scalars()
    return delivery, any(ended is None for ended in waits)


async def test_killed_within_the_eight_seconds_the_mail_leaves_once_and_what_was_taken_back_never(
    program: Program, postfix: Postfix, wall_clock: datetime
) -> None:
    ann = await program.operator("ann@desk.test")
    matti, teppo = f"matti-{uuid4().hex[:8]}", f"teppo-{uuid4().hex[:8]}"
    sent, taken = await asked(program, wall_clock, matti), await asked(program, wall_clock, teppo)
    body = {"seen": 9999, "undo": True}
    await ann.post(f"/api/conversations/{sent}/reply", {**body, "text": "It is here.", "key": "k1"})
    written = await ann.post(f"/api/conversations/{taken}/reply", {**body, "text": "Not this.", "key": "k2"})
    returned = await ann.post(f"/api/entries/{written['entry_id']}/take-back", {})
    assert returned["draft"]["text"] == "Not this."
    await ann.leave()
    program.kill()
    assert answers(postfix, matti) + answers(postfix, teppo) == []
    await program.start()
    store = program.open_store(wall_clock + timedelta(minutes=1))
    try:
        await eventually(lambda: store.read(is_sent, sent), seconds=40)
        assert await store.read(state_of, sent) == (Delivery.SENT, False)
        assert await store.read(state_of, taken) == (None, True)
    finally:
        await store.close()
    assert answers(postfix, teppo) == []
    await postfix.arrives(matti)
    assert len(answers(postfix, matti)) == 1


def is_sent(conn: Connection, conversation_id: int) -> bool:
    return state_of(conn, conversation_id)[0] == Delivery.SENT


def answers(postfix: Postfix, name: str) -> list[str]:
    """What people have answered, without what the desk says by itself."""
    return [str(one["Message-ID"]) for one in postfix.mailbox(name) if one["Auto-Submitted"] is None]
