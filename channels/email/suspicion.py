"""Why a mail may not be what it seems: its author cannot be verified, or a domain is made to be mistaken for another.

Such a mail is shown with a banner and joins, but nothing happens by itself until an operator trusts it.
"""

from __future__ import annotations

from collections.abc import Collection

from channels.email.authentication import Authentication
from channels.email.domains import domain_of, organisation
from channels.email.lookalikes import imitated
from channels.email.record import InboundMail, SuspicionData


def suspicions(
    mail: InboundMail,
    authentication: Authentication | None,
    *,
    own_addresses: Collection[str],
    participants: Collection[str],
) -> list[SuspicionData]:
    """`participants`: folded addresses of the conversation it joins, empty for a new one."""
    found: list[SuspicionData] = []
    if authentication is not None and authentication.failed:
        found.append({"why": "dmarc_fail", "domain": domain_of(mail.author.folded)})
    author = domain_of(mail.author.folded)
    own = {domain_of(one) for one in own_addresses}
    theirs = {domain_of(one) for one in participants if one != mail.author.folded}
    if mail.author.folded not in participants:
        known = imitated(author, own | theirs)
        if known is not None:
            found.append({"why": "lookalike", "domain": author, "known": known})
    if participants and not mail.list_post:
        houses = {organisation(one) for one in (*own, *theirs, author) if one}
        strange = [
            one for one in (domain_of(to.folded) for to in mail.reply_to) if one and organisation(one) not in houses
        ]
        if strange:
            found.append({"why": "new_reply_to", "domain": strange[0]})
    return found
