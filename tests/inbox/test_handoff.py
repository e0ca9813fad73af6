"""A handoff moves the work, never the customer: settled once, brought back in time, unseen from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from inbox import handoff, lifecycle
from inbox.clock import ManualClock
from inbox.drafts import save
from inbox.errors import AlreadySettled, AlreadyTaken, BadInput, NotAllowed, NotFound
from inbox.handoff import OFFER_LASTS, Brief, Offer
from inbox.reading import open_conversation
from inbox.timers import Watcher
from inbox.vocabulary import ConversationId, EntryKind, HandoffId, OperatorId, Presence, Status
from tests.support.verbs import VerbDesk

BRIEF = Brief(wants="Her parcel.", done="Rang the carrier.", next="Tell her.", promised="An answer by four.")


class Handing:
    """Ann owns a conversation of Vera's; Bea and Cleo are here."""

    def __init__(self, desk: VerbDesk) -> None:
        self.desk = desk
        self.ann = self.bea = self.cleo = OperatorId(0)
        self.conversation_id = ConversationId(0)

    async def begin(self) -> Handing:
        self.ann, self.bea, self.cleo = [await self.desk.operator(name) for name in ("Ann", "Bea", "Cleo")]
        self.conversation_id = (await self.desk.chat("Where is my parcel?")).conversation_id
        await self.do(lifecycle.take, self.conversation_id, self.ann)
        return self

    async def do(self, verb: Callable[..., Any], *args: Any, **more: Any) -> Any:
        return await self.desk.db.write(verb, *args, now=self.desk.clock.now(), **more)

    async def offer(self, to: OperatorId | None, by: OperatorId | None = None, brief: Brief = BRIEF) -> HandoffId:
        handoff_id: HandoffId = await self.do(
            handoff.hand_off, self.conversation_id, by=by or self.ann, to=to, brief=brief
        )
        return handoff_id

    async def offers(self, to: OperatorId) -> list[Offer]:
        return await self.desk.db.read(handoff.offers, operator_id=to)

    async def owner(self) -> OperatorId | None:
        return (await self.desk.row(self.conversation_id)).owner_id

    async def happened(self) -> list[str]:
        return await self.desk.happened(self.conversation_id)


@pytest.fixture
async def handing(desk: VerbDesk) -> Handing:
    return await Handing(desk).begin()


async def test_an_offer_carries_the_whole_story(handing: Handing) -> None:
    await handing.offer(handing.bea)
    [offer] = await handing.offers(handing.bea)
    assert (offer.from_name, offer.to_name) == ("Ann", "Bea")
    assert dict(offer.brief) == {
        "wants": "Her parcel.", "done": "Rang the carrier.", "next": "Tell her.", "promised": "An answer by four."
    }  # fmt: skip
    assert await handing.owner() == handing.ann


async def test_who_accepts_owns_it_and_the_wait_runs_on(handing: Handing, clock: ManualClock) -> None:
    before = await handing.desk.row(handing.conversation_id)
    handoff_id = await handing.offer(handing.bea)
    clock.advance(timedelta(seconds=30))
    await handing.do(handoff.accept, handoff_id, by=handing.bea)
    after = await handing.desk.row(handing.conversation_id)
    assert after.owner_id == handing.bea
    assert (after.waiting_since, after.warn_at, after.due_at) == (before.waiting_since, before.warn_at, before.due_at)
    assert len(await handing.desk.waits(handing.conversation_id)) == 1
    assert await handing.offers(handing.bea) == []


async def test_who_declines_leaves_it_with_the_sender(handing: Handing) -> None:
    handoff_id = await handing.offer(handing.bea)
    await handing.do(handoff.decline, handoff_id, by=handing.bea)
    assert await handing.owner() == handing.ann
    assert (await handing.happened())[-1] == "handoff_declined"


async def test_the_customer_sees_nothing(handing: Handing) -> None:
    handoff_id = await handing.offer(handing.bea)
    await handing.do(handoff.accept, handoff_id, by=handing.bea)
    public = await handing.desk.timeline(handing.conversation_id, public_only=True)
    assert [entry.text for entry in public] == ["Where is my parcel?"]
    kinds = [entry.kind for entry in await handing.desk.timeline(handing.conversation_id)]
    assert EntryKind.HANDOFF in kinds


async def test_nobody_answers_and_it_comes_back_by_itself_once(handing: Handing, clock: ManualClock) -> None:
    handoff_id = await handing.offer(handing.bea)
    watcher = Watcher(handing.desk.db, clock)
    clock.advance(OFFER_LASTS - timedelta(seconds=1))
    await watcher.fire()
    assert len(await handing.offers(handing.bea)) == 1
    clock.advance(timedelta(seconds=1))
    await asyncio.gather(watcher.fire(), Watcher(handing.desk.db, clock).fire())
    assert await handing.offers(handing.bea) == []
    assert await handing.owner() == handing.ann
    assert (await handing.happened()).count("handoff_returned") == 1
    with pytest.raises(AlreadySettled):
        await handing.do(handoff.accept, handoff_id, by=handing.bea)


async def test_it_returns_to_the_queue_when_the_sender_has_gone(handing: Handing, clock: ManualClock) -> None:
    await handing.offer(handing.bea)
    await handing.desk.presence(handing.ann, Presence.OFFLINE)
    clock.advance(OFFER_LASTS)
    await Watcher(handing.desk.db, clock).fire()
    assert await handing.owner() is None


async def test_the_watcher_sleeps_exactly_until_an_offer_runs_out(handing: Handing, clock: ManualClock) -> None:
    watcher = Watcher(handing.desk.db, clock)
    await handing.do(lifecycle.close, handing.conversation_id, by=handing.ann)
    await handing.do(lifecycle.reopen, handing.conversation_id, by=handing.ann)
    await handing.offer(handing.bea)
    assert await watcher.fire() == clock.now() + OFFER_LASTS


async def test_accepting_and_running_out_at_the_same_moment_settle_it_once(
    handing: Handing, clock: ManualClock
) -> None:
    handoff_id = await handing.offer(handing.bea)
    clock.advance(OFFER_LASTS)
    accepting, returning = handing.do(handoff.accept, handoff_id, by=handing.bea), handing.do(handoff.return_due)
    results: Sequence[Any] = await asyncio.gather(accepting, returning, return_exceptions=True)
    accepted, returned = results
    happened = await handing.happened()
    assert ("handoff_accepted" in happened) + ("handoff_returned" in happened) == 1
    if isinstance(accepted, BaseException):
        assert isinstance(accepted, AlreadySettled)
        assert (returned, await handing.owner()) == (1, handing.ann)
    else:
        assert (returned, await handing.owner()) == (0, handing.bea)


async def test_accepting_declining_and_cancelling_at_once_settle_it_once(handing: Handing) -> None:
    handoff_id = await handing.offer(handing.bea)
    results = await asyncio.gather(
        handing.do(handoff.accept, handoff_id, by=handing.bea),
        handing.do(handoff.decline, handoff_id, by=handing.bea),
        handing.do(handoff.cancel, handoff_id, by=handing.ann),
        return_exceptions=True,
    )
    assert [isinstance(r, AlreadySettled) for r in results].count(True) == 2


async def test_of_two_handoffs_at_once_one_is_made(handing: Handing) -> None:
    results = await asyncio.gather(handing.offer(handing.bea), handing.offer(handing.cleo), return_exceptions=True)
    assert [isinstance(r, AlreadySettled) for r in results].count(True) == 1
    open_offers = await handing.desk.db.read(handoff.offers, conversation_id=handing.conversation_id)
    assert len(open_offers) == 1


async def test_two_who_hand_on_what_nobody_owns_do_not_both_own_it(handing: Handing) -> None:
    await handing.do(lifecycle.assign, handing.conversation_id, None, by=handing.ann, expected=handing.ann)
    results = await asyncio.gather(
        handing.offer(handing.cleo, by=handing.ann), handing.offer(handing.cleo, by=handing.bea), return_exceptions=True
    )
    assert [isinstance(r, AlreadyTaken) for r in results].count(True) == 1


async def test_only_the_owner_hands_it_on(handing: Handing) -> None:
    with pytest.raises(AlreadyTaken) as refused:
        await handing.offer(handing.cleo, by=handing.bea)
    assert refused.value.by == "Ann"


async def test_to_the_queue_it_is_anybodys_at_once(handing: Handing) -> None:
    await handing.offer(None)
    row = await handing.desk.row(handing.conversation_id)
    assert (row.owner_id, row.status) == (None, Status.OPEN)
    assert row.waiting_since is not None
    taken = await handing.do(lifecycle.take_next, handing.bea)
    assert taken == handing.conversation_id


async def test_the_unfinished_reply_goes_along(handing: Handing) -> None:
    for kind in ("reply", "note"):
        await handing.do(save, handing.conversation_id, handing.ann, kind, f"Unfinished {kind}", {})
    handoff_id = await handing.offer(handing.bea)
    await handing.do(handoff.accept, handoff_id, by=handing.bea)
    hers = await handing.desk.db.read(open_conversation, handing.conversation_id, handing.bea)
    mine = await handing.desk.db.read(open_conversation, handing.conversation_id, handing.ann)
    assert [d.text for d in hers.drafts] == ["Unfinished reply"]
    assert [d.text for d in mine.drafts] == ["Unfinished note"]


async def test_a_draft_of_the_receivers_own_is_not_overwritten(handing: Handing) -> None:
    await handing.do(save, handing.conversation_id, handing.ann, "reply", "Ann's", {})
    await handing.do(save, handing.conversation_id, handing.bea, "reply", "Bea's", {})
    handoff_id = await handing.offer(handing.bea)
    await handing.do(handoff.accept, handoff_id, by=handing.bea)
    hers = await handing.desk.db.read(open_conversation, handing.conversation_id, handing.bea)
    assert [d.text for d in hers.drafts] == ["Bea's"]


async def test_what_was_given_to_somebody_else_is_no_longer_on_offer(handing: Handing) -> None:
    handoff_id = await handing.offer(handing.bea)
    await handing.do(lifecycle.assign, handing.conversation_id, handing.cleo, by=handing.ann, expected=handing.ann)
    with pytest.raises(AlreadySettled):
        await handing.do(handoff.accept, handoff_id, by=handing.bea)
    assert await handing.owner() == handing.cleo


@pytest.mark.parametrize("verb", [lifecycle.close, lifecycle.mark_spam])
async def test_what_is_over_is_no_longer_on_offer(
    handing: Handing, verb: Callable[..., Any], clock: ManualClock
) -> None:
    await handing.offer(handing.bea)
    await handing.do(verb, handing.conversation_id, by=handing.ann)
    assert await handing.offers(handing.bea) == []
    clock.advance(OFFER_LASTS)
    await Watcher(handing.desk.db, clock).fire()
    assert "handoff_returned" not in await handing.happened()


async def test_only_those_concerned_may_settle_it(handing: Handing) -> None:
    handoff_id = await handing.offer(handing.bea)
    for verb, by in ((handoff.accept, handing.cleo), (handoff.decline, handing.ann), (handoff.cancel, handing.bea)):
        with pytest.raises(NotAllowed):
            await handing.do(verb, handoff_id, by=by)
    with pytest.raises(NotFound):
        await handing.do(handoff.accept, HandoffId(404), by=handing.bea)
    await handing.do(handoff.cancel, handoff_id, by=handing.ann)
    assert (await handing.happened())[-1] == "handoff_cancelled"


async def test_a_handoff_is_refused_where_it_would_strand(handing: Handing) -> None:
    dora = await handing.desk.operator("Dora", presence=Presence.OFFLINE)
    for to in (handing.ann, dora, OperatorId(404)):
        with pytest.raises(BadInput):
            await handing.offer(to)
    with pytest.raises(BadInput):
        await handing.offer(handing.bea, brief=Brief(wants="  "))
    assert await handing.owner() == handing.ann
    assert "handed_off" not in await handing.happened()


async def test_a_refused_handoff_of_what_nobody_owned_leaves_it_with_nobody(handing: Handing) -> None:
    await handing.do(lifecycle.assign, handing.conversation_id, None, by=handing.ann, expected=handing.ann)
    with pytest.raises(BadInput):
        await handing.offer(OperatorId(404), by=handing.bea)
    assert await handing.owner() is None
