"""Whom an answer goes to: one pure function for screens, API and automatic texts (EMAIL.md "Reply and reply-all")."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from channels.email.addresses import MailAddress, address_list, fold, is_usable, without_plus
from channels.email.record import AddressData, MailData
from inbox.errors import BadInput
from inbox.words import N_

MOST_REFERENCES = 40


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Computed recipients. `only_author`: we were in Bcc, so the others were not told that we have it."""

    to: tuple[MailAddress, ...]
    cc: tuple[MailAddress, ...]
    only_author: bool = False
    others: tuple[MailAddress, ...] = ()  # on request, where we were in Bcc


def recipients_for_reply(
    mail: MailData, *, own_addresses: Collection[str], ours: bool = False, automatic: bool = False
) -> ReplyTo:
    """`mail` is the one being answered; `ours`: we wrote it, so its own recipients get the next one too.

    Nobody twice, never ourselves in any form: aliases and plus-addresses count as ourselves.
    """
    to, cc = _people(mail["to"]), _people(mail["cc"])
    if ours:
        return _apart(to, cc, own_addresses)
    author = _people([mail["author"]])
    if mail.get("suspicious") and not mail.get("trusted_by"):
        # Nobody is taken from a doubtful mail but the one it claims to be from.
        return _apart(author, [], own_addresses)
    if automatic:
        return _apart(author, [], own_addresses)
    asked = [one for one in _people(mail.get("reply_to", [])) if not _is_own(one, own_addresses)]
    list_post = mail.get("list_post", "")
    if not any(_is_own(one, own_addresses) for one in (*to, *cc)):
        if list_post and any(one.folded == list_post for one in (*to, *cc)):
            return _apart([MailAddress("", list_post)], [], own_addresses)
        alone = _apart(asked or author, [], own_addresses).to
        others = _apart([*alone], [*to, *cc], own_addresses).cc
        return ReplyTo(alone, (), only_author=bool(to or cc), others=others)
    return _apart(asked or author, [*to, *cc], own_addresses)


def chosen(
    wanted_to: Sequence[str] | None,
    wanted_cc: Sequence[str] | None,
    computed: ReplyTo,
    own_addresses: Collection[str],
) -> ReplyTo:
    """What the operator chose, else what was computed. Raises BadInput naming the field that is wrong."""
    to = computed.to if wanted_to is None else _written("to", wanted_to)
    cc = computed.cc if wanted_cc is None else _written("cc", wanted_cc)
    return _apart(to, cc, own_addresses)


def _written(field: str, lines: Iterable[str]) -> list[MailAddress]:
    found: list[MailAddress] = []
    for line in lines:
        if not line.strip():
            continue
        if any(mark in line for mark in "\r\n\x00"):
            raise BadInput(field, N_("An address has no line breaks."))
        several = address_list([line.encode("utf-8", "replace")])
        loose = "<" not in line and any(" " in one.strip() for one in line.split(","))
        if not several or loose or not all(is_usable(one.address) for one in several):
            raise BadInput(field, N_("“%(written)s” is not a mail address."), written=line[:80])
        found.extend(several)
    return found


def _apart(to: Iterable[MailAddress], cc: Iterable[MailAddress], own_addresses: Collection[str]) -> ReplyTo:
    seen: set[str] = set()
    kept: tuple[list[MailAddress], list[MailAddress]] = ([], [])
    for place, people in zip(kept, (to, cc), strict=True):
        for one in people:
            if one.address and one.folded not in seen and not _is_own(one, own_addresses):
                seen.add(one.folded)
                place.append(one)
    return ReplyTo(tuple(kept[0]), tuple(kept[1]))


def _is_own(one: MailAddress, own_addresses: Collection[str]) -> bool:
    return without_plus(one.folded) in own_addresses


def _people(people: Iterable[AddressData]) -> list[MailAddress]:
    return [MailAddress(one["name"], one["address"]) for one in people if is_usable(one["address"])]


def references_for_reply(mail: MailData) -> tuple[str, list[str]]:
    """In-Reply-To exactly as received, and References: theirs (or their In-Reply-To) and it, first and last 40 kept."""
    message_id = mail.get("message_id", "")
    before = list(mail.get("references") or mail.get("in_reply_to", [])[:1])
    chain = list(dict.fromkeys([*before, message_id] if message_id else before))
    if len(chain) > 2 * MOST_REFERENCES:
        chain = chain[:MOST_REFERENCES] + chain[-MOST_REFERENCES:]
    return message_id, chain


def folded(people: Iterable[MailAddress]) -> list[str]:
    return [fold(one.address) for one in people]
