"""How mail comes in and leaves, as the settings page shows it; and what administrators must know about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, select

from inbox import mail_accounts, mail_jobs, mailboxes
from inbox.accounting import Account, account
from inbox.mail_accounts import MailAccountRecord
from inbox.mail_jobs import JobKind, JobRecord
from inbox.mailbox_words import explain_trouble
from inbox.mailboxes import MailboxRecord, MailTrouble
from inbox.store.models import Arrival
from inbox.vocabulary import OperatorId
from inbox.words import N_

SECRET_WARNINGS = (timedelta(days=30), timedelta(days=7))
LATELY = 2000
"""Arrivals in which the last one of a listener is looked for."""


@dataclass(frozen=True, slots=True)
class ConfiguredAccount:
    """An account that is to be connected with OAuth2. `secret_ends`: when the desk's client secret does."""

    name: str
    provider: str
    username: str
    secret_ends: date | None = None


@dataclass(frozen=True, slots=True)
class ConfiguredMailbox:
    name: str
    username: str
    server: str
    folder: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class Listening:
    """`port` is None while it is not open."""

    protocol: str
    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    server: str
    username: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class MailWays:
    """What the configuration says."""

    addresses: Sequence[tuple[str, str, Sequence[str]]] = ()  # address, name, aliases
    mailboxes: Sequence[ConfiguredMailbox] = ()
    listeners: Sequence[Listening] = ()
    outgoing: Outgoing | None = None
    accounts: Sequence[ConfiguredAccount] = ()
    redirect_uri: str = ""


@dataclass(frozen=True, slots=True)
class MailWarning:
    """A sentence of the catalogue and what stands in for its placeholders; `trouble` is a further sentence."""

    message: str
    values: Mapping[str, object] = field(default_factory=dict)
    trouble: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    mailboxes: Mapping[str, MailboxRecord]
    accounts: Mapping[str, MailAccountRecord]
    comparisons: Mapping[str, JobRecord]
    last_mail: Mapping[str, datetime]  # of the listeners, by protocol
    jobs: Sequence[JobRecord]
    account: Account


class MailDesk(Protocol):
    """What the settings page asks of the channel."""

    def ways(self) -> MailWays: ...

    def consent_url(self, account: str, session: str) -> str:
        """Where to consent; `session` binds the way back to this browser. Raises BadInput."""

    async def finish_consent(self, query: Mapping[str, str], session: str, *, by: OperatorId) -> str:
        """The account that is connected now. Raises BadInput in words for people."""

    async def start_job(
        self, kind: JobKind, mailbox: str, options: Mapping[str, Any], *, by: OperatorId | None
    ) -> int: ...

    async def fetch_missing(self, mailbox: str, *, by: OperatorId | None) -> int: ...

    def provider_origin(self, account: str) -> str:
        """To which a form may lead."""


def overview(conn: Connection, ways: MailWays) -> Overview:
    comparisons = {box.name: mail_jobs.last_comparison(conn, box.name) for box in ways.mailboxes}
    return Overview(
        mailboxes.all_mailboxes(conn),
        mail_accounts.listing(conn),
        {name: job for name, job in comparisons.items() if job is not None},
        _last_mail(conn, [one.protocol for one in ways.listeners]),
        mail_jobs.latest(conn),
        account(conn),
    )


def warnings(conn: Connection, ways: MailWays, *, now: datetime) -> list[MailWarning]:
    """What needs an administrator: what does not work, and what soon will not."""
    found: list[MailWarning] = []
    known, boxes = mail_accounts.listing(conn), mailboxes.all_mailboxes(conn)
    for one in ways.accounts:
        found += _of_account(one, known.get(one.name), now)
    for box in ways.mailboxes:
        record = boxes.get(box.name)
        if record is not None and record.trouble and not _is_of_account(record.trouble, known.get(box.account)):
            found.append(
                MailWarning(
                    N_("No mail is taken from the mailbox “%(name)s”."),
                    {"name": box.name},
                    explain_trouble(record.trouble),
                    record.said,
                )
            )
    told: set[tuple[str, date | None]] = set()
    for one in ways.accounts:
        if (one.provider, one.secret_ends) not in told:
            told.add((one.provider, one.secret_ends))
            found += of_secret(one, now)
    return found


def _is_of_account(trouble: str, known: MailAccountRecord | None) -> bool:
    """It is said at the account already."""
    return trouble == MailTrouble.NOT_CONNECTED or (known is not None and known.trouble == trouble)


def _of_account(one: ConfiguredAccount, known: MailAccountRecord | None, now: datetime) -> list[MailWarning]:
    values = {"account": one.username}
    if known is None or not known.tokens:
        return [MailWarning(N_("The account %(account)s is not connected."), values)]
    found = []
    if known.trouble:
        found.append(
            MailWarning(
                N_("The account %(account)s gets no new tokens."), values, explain_trouble(known.trouble), known.said
            )
        )
    if not is_configured(known, one):
        found.append(
            MailWarning(
                N_("%(other)s is connected, but %(account)s is configured. That is right for a shared mailbox only."),
                {"other": known.connected_as, "account": one.username},
            )
        )
    return found


def is_configured(known: MailAccountRecord, one: ConfiguredAccount) -> bool:
    """The account that consented is the configured one, as far as the provider has said."""
    return not known.connected_as or known.connected_as.casefold() == one.username.casefold()


def of_secret(one: ConfiguredAccount, now: datetime) -> list[MailWarning]:
    """A month before the client secret ends, a week before, and from then on."""
    if one.secret_ends is None:
        return []
    left = one.secret_ends - now.date()
    values = {"provider": one.provider.capitalize(), "date": one.secret_ends.isoformat(), "days": left.days}
    if left <= timedelta():
        return [MailWarning(N_("The client secret for %(provider)s ended on %(date)s. Configure a new one."), values)]
    if left <= SECRET_WARNINGS[1]:
        return [
            MailWarning(
                N_("The client secret for %(provider)s ends on %(date)s, in %(days)s days: no mail after that."), values
            )
        ]
    if left <= SECRET_WARNINGS[0]:
        return [MailWarning(N_("The client secret for %(provider)s ends on %(date)s. Make a new one in time."), values)]
    return []


def _last_mail(conn: Connection, sources: Sequence[str]) -> dict[str, datetime]:
    """Looked for among the newest arrivals only: what came long ago is not worth reading the whole table."""
    newest = select(Arrival.source, Arrival.received_at).order_by(Arrival.id.desc()).limit(LATELY)
    found: dict[str, datetime] = {}
    for row in conn.execute(newest) if sources else ():
        if row.source in sources:
            found.setdefault(row.source, row.received_at)
    return found
