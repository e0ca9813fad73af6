"""Which conversation a mail belongs to, as a table of evidence: no database, only what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from channels.email.parse import parse
from channels.email.record import InboundMail
from channels.email.threading import Decision, Outcome, decide, thread_index_id
from inbox.mail_ids import KnownMail
from inbox.vocabulary import ConversationId, EntryId
from tests.channels.email.desk import mail

OWN = frozenset({"help@desk.test"})
ANNA, EVE = "anna@customers.test", "eve@elsewhere.test"
NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
TOKEN = "0123456789abcdef0123456789abcdef"
ROOT = "AQHaT1RvbGthcHVua2lpbmd0ZXN0aW5naGVyZQ=="


@dataclass
class Known:
    """Conversation 1: Anna's, about “My parcel”. Conversation 2: Eve's."""

    mails: list[KnownMail] = field(default_factory=list)
    participants: dict[int, set[str]] = field(default_factory=lambda: {1: {ANNA}, 2: {EVE}})
    split_off: dict[ConversationId, ConversationId] = field(default_factory=dict)
    subjects: dict[int, str] = field(default_factory=lambda: {1: "My parcel", 2: "Other"})

    def add(
        self, message_id: str, conversation: int, *, ours: bool = False, entry: int | None = 9, digest: str = ""
    ) -> None:
        entry_id = None if entry is None else EntryId(entry)
        self.mails.append(KnownMail(message_id, ConversationId(conversation), entry_id, ours, digest))

    def find(self, message_ids: Sequence[str]) -> list[KnownMail]:
        return [one for one in self.mails if one.message_id in message_ids]

    def by_token(self, token: str) -> ConversationId | None:
        return ConversationId(1) if token == TOKEN else None

    def split_off_from(self, conversation_id: ConversationId) -> ConversationId | None:
        return self.split_off.get(conversation_id)

    def is_participant(self, conversation_id: ConversationId, folded: str) -> bool:
        return folded in self.participants[conversation_id]

    def subject_of(self, conversation_id: ConversationId) -> str:
        return self.subjects[conversation_id]

    def recent_subjects(self, folded: str, since: datetime) -> list[tuple[ConversationId, str]]:
        return [(ConversationId(n), self.subjects[n]) for n, people in self.participants.items() if folded in people]


def read(from_: str = ANNA, **more: object) -> InboundMail:
    return parse(mail(from_=from_, **more), own_addresses=OWN)  # type: ignore[arg-type]


def decided(one: InboundMail, known: Known, *recipients: str) -> Decision:
    return decide(one, known, own_addresses=OWN, envelope_recipients=recipients, now=NOW)


def test_nothing_known_begins_a_conversation() -> None:
    assert decided(read(), Known()) == Decision(Outcome.NEW, "new")


def test_the_same_mail_again_is_a_copy_and_other_content_is_not() -> None:
    one, known = read(), Known()
    known.add("<one@customers.test>", 1, digest=one.digest)
    assert decided(one, known).outcome is Outcome.COPY
    assert decided(read(text="Other words"), known).outcome is Outcome.NEW


def test_a_mail_without_an_id_is_known_by_its_content() -> None:
    one, known = read(message_id=""), Known()
    known.add(f"digest:{one.digest}", 1, digest=one.digest)
    assert decided(one, known).outcome is Outcome.COPY


def test_our_own_mail_coming_back_is_no_event_but_a_forgery_of_its_id_is_a_mail() -> None:
    known = Known()
    known.add("<ours@desk.test>", 1, ours=True)
    assert decided(read("help@desk.test", message_id="<ours@desk.test>"), known).outcome is Outcome.OWN_COPY
    assert decided(read(EVE, message_id="<ours@desk.test>"), known).outcome is Outcome.NEW


def test_an_id_of_ours_joins_anybody_and_marks_the_stranger() -> None:
    known = Known()
    known.add("<ours@desk.test>", 1, ours=True)
    headers = ["In-Reply-To: <ours@desk.test>"]
    assert decided(read(headers=headers), known) == Decision(Outcome.JOIN, "our_id", ConversationId(1))
    stranger = decided(read(EVE, headers=headers), known)
    assert stranger == Decision(Outcome.JOIN, "our_id", ConversationId(1), stranger=True)


def test_an_id_of_somebody_elses_mail_joins_only_who_takes_part() -> None:
    known = Known()
    known.add("<first@customers.test>", 1)
    headers = ["References: <first@customers.test>"]
    assert decided(read(headers=headers), known) == Decision(Outcome.JOIN, "known_id", ConversationId(1))
    refused = decided(read(EVE, headers=headers, subject="Re: My parcel"), known)
    assert (refused.outcome, refused.named_other) == (Outcome.NEW, ConversationId(1))


def test_in_reply_to_wins_over_references_and_the_newest_reference_over_older_ones() -> None:
    known = Known(participants={1: {ANNA}, 2: {ANNA}})
    known.add("<a@x>", 1)
    known.add("<b@x>", 2)
    assert decided(read(headers=["In-Reply-To: <a@x>", "References: <a@x> <b@x>"]), known).conversation_id == 1
    assert decided(read(headers=["References: <a@x> <b@x>"]), known).conversation_id == 2


def test_a_reply_token_joins_wherever_it_stands() -> None:
    address = f"help+{TOKEN}@desk.test"
    assert decided(read(to=address), Known()).evidence == "reply_token"
    assert decided(read(to="x@y.test", headers=[f"Cc: {address}"]), Known()).evidence == "reply_token"
    assert decided(read(headers=[f"Delivered-To: {address}"]), Known()).evidence == "reply_token"
    assert decided(read(), Known(), address).evidence == "reply_token"
    assert decided(read(EVE, to=address), Known()).stranger
    assert decided(read(to=f"help+{TOKEN[:-1]}0@desk.test"), Known()).outcome is Outcome.NEW
    assert decided(read(to=f"help+{TOKEN}@evil.test"), Known()).outcome is Outcome.NEW


def test_numbers_in_subjects_and_bodies_join_nothing() -> None:
    assert decided(read(subject="[#1] Re: ticket 1", text="Conversation 1"), Known()).outcome is Outcome.NEW


def test_a_subject_joins_only_as_a_reply_of_a_participant() -> None:
    assert decided(read(subject="Re: my  PARCEL"), Known()) == Decision(Outcome.JOIN, "subject", ConversationId(1))
    assert decided(read(subject="My parcel"), Known()).outcome is Outcome.NEW
    assert decided(read(subject="Fwd: My parcel"), Known()).outcome is Outcome.NEW
    assert decided(read("carl@customers.test", subject="Re: My parcel"), Known()).outcome is Outcome.NEW
    assert decided(read(subject="Re:"), Known()).outcome is Outcome.NEW


def test_outlooks_thread_joins_a_participant_with_the_same_topic() -> None:
    headers = [f"Thread-Index: {ROOT}", "Thread-Topic: My parcel"]
    one, known = read(headers=headers), Known()
    known.add(thread_index_id(one.thread_root), 1, entry=None)
    assert decided(one, known).evidence == "thread_index"
    assert decided(read(EVE, headers=headers), known).outcome is Outcome.NEW
    assert decided(read(headers=[headers[0], "Thread-Topic: Unrelated"]), known).outcome is Outcome.NEW


def test_a_parent_that_comes_after_its_answer_joins_it() -> None:
    known = Known()
    known.add("<one@customers.test>", 1, entry=None)
    assert decided(read(), known).evidence == "awaited_parent"
    assert decided(read(EVE), known).outcome is Outcome.NEW


def test_garbage_and_loops_in_references_are_harmless() -> None:
    known = Known()
    headers = ["In-Reply-To: <one@customers.test>", "References: <one@customers.test> <<>> <> x <a@b"]
    assert decided(read(headers=headers), known).outcome is Outcome.NEW
