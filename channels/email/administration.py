"""What administrators do with the mail of a desk: connect accounts, take old mail in, compare, fetch."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeSerializer

from channels.email.listener import Ports
from channels.email.mail_tokens import MailTokens
from channels.email.mailbox_jobs import MailboxJobs
from channels.email.oauth import OAuthClient, OAuthRefused, clean_words
from channels.email.settings import EmailSettings, Mailbox, Provider
from channels.email.settings import Outgoing as MailServer
from inbox import mail_jobs
from inbox.clock import Clock
from inbox.errors import BadInput
from inbox.mail_jobs import JobKind
from inbox.mail_overview import ConfiguredAccount, ConfiguredMailbox, Listening, MailWays, Outgoing
from inbox.mailbox_words import explain_trouble
from inbox.store.database import Database
from inbox.vocabulary import OperatorId
from inbox.words import N_

CALLBACK = "/settings/mailboxes/connected"
CONSENT_LASTS = timedelta(minutes=15)


class MailAdministration:
    """`connected` is told the account for which somebody has just consented."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: EmailSettings,
        secret: str,
        *,
        clients: Mapping[Provider, OAuthClient],
        tokens: MailTokens,
        jobs: MailboxJobs,
        ports: Ports,
        redirect_uri: str,
        connected: Callable[[str], None],
    ) -> None:
        self._db, self._clock, self._settings = db, clock, settings
        self._key = secret.encode()
        self._states = URLSafeSerializer(secret, salt="consent of a mail account")
        self._clients, self._tokens, self.jobs, self._ports = clients, tokens, jobs, ports
        self._redirect_uri, self._connected = redirect_uri, connected

    def ways(self) -> MailWays:
        settings, listener = self._settings, self._settings.listener
        ports = (("smtp", listener.smtp_port, self._ports.smtp), ("lmtp", listener.lmtp_port, self._ports.lmtp))
        out = settings.outgoing
        return MailWays(
            addresses=[(one.address, one.name, one.aliases) for one in settings.addresses],
            mailboxes=[
                ConfiguredMailbox(one.name, one.username, f"{one.host}:{one.port}", one.folder, one.account)
                for one in settings.mailboxes
            ],
            listeners=[
                Listening(protocol, listener.host, open_port)
                for protocol, configured, open_port in ports
                if configured is not None
            ],
            outgoing=None if out is None else Outgoing(f"{out.host}:{out.port}", out.username or "", out.account),
            accounts=list(self._accounts().values()),
            redirect_uri=self._redirect_uri if self._clients else "",
        )

    def _accounts(self) -> dict[str, ConfiguredAccount]:
        """One for each address, however many mailboxes and servers use it."""
        found: dict[str, ConfiguredAccount] = {}
        used: list[Mailbox | MailServer] = [*self._settings.mailboxes]
        if self._settings.outgoing is not None:
            used.append(self._settings.outgoing)
        for one in used:
            if one.oauth is not None and one.account:
                ends: date | None = self._clients[one.oauth].secret_ends
                found.setdefault(one.account, ConfiguredAccount(one.account, one.oauth, one.username or "", ends))
        return found

    def _account(self, name: str) -> ConfiguredAccount:
        found = self._accounts().get(name)
        if found is None:
            raise BadInput("account", N_("There is no such account in the configuration."))
        return found

    # --- consent ----------------------------------------------------------------------------------------------------

    def provider_origin(self, account: str) -> str:
        parts = urlsplit(self._clients[Provider(self._account(account).provider)].authorise_url)
        return f"{parts.scheme}://{parts.netloc}"

    def consent_url(self, account: str, session: str) -> str:
        about = self._account(account)
        nonce = secrets.token_urlsafe(24)
        until = (self._clock.now() + CONSENT_LASTS).isoformat()
        state = self._states.dumps([account, _short(session), nonce, until])
        client = self._clients[Provider(about.provider)]
        return client.consent_url(state=str(state), verifier=self._verifier(nonce), username=about.username)

    async def finish_consent(self, query: Mapping[str, str], session: str, *, by: OperatorId) -> str:
        account, nonce = self._checked_state(query.get("state", ""), session)
        if query.get("error") or not query.get("code"):
            said = clean_words(query.get("error_description") or query.get("error") or "")
            raise BadInput("consent", N_("The consent was not given. %(said)s"), said=said)
        client = self._clients[Provider(self._account(account).provider)]
        try:
            granted = await client.exchange(query["code"], self._verifier(nonce), now=self._clock.now())
        except OAuthRefused as error:
            message = explain_trouble(error.trouble)
            raise ConsentFailed(message, error.said) from error
        await self._tokens.keep(account, granted, by=by)
        self._connected(account)
        return account

    def _checked_state(self, state: str, session: str) -> tuple[str, str]:
        """RFC 9700, 4.7: what comes back was begun in this browser, a moment ago, by a person of this desk."""
        refused = BadInput("consent", N_("This consent was not begun here, or too long ago. Begin again."))
        try:
            account, begun_in, nonce, until = self._states.loads(state)
            late = datetime.fromisoformat(until) < self._clock.now()
        except (BadSignature, ValueError, TypeError) as error:
            raise refused from error
        if late or not hmac.compare_digest(str(begun_in), _short(session)):
            raise refused
        return str(account), str(nonce)

    def _verifier(self, nonce: str) -> str:
        """The same for the same nonce, known to nobody without the desk's secret: nothing has to be kept meanwhile."""
        made = hmac.new(self._key, b"pkce:" + nonce.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()

    # --- jobs -------------------------------------------------------------------------------------------------------

    async def start_job(
        self, kind: JobKind, mailbox: str, options: Mapping[str, Any], *, by: OperatorId | None, holder: str = ""
    ) -> int:
        """Raises BadInput. With a `holder` it is theirs to work on."""
        self.jobs.mailbox(mailbox)
        job_id = await self._db.write(
            mail_jobs.start, kind, mailbox, options, by=by, now=self._clock.now(), holder=holder
        )
        self.jobs.wake()
        return job_id

    async def fetch_missing(self, mailbox: str, *, by: OperatorId | None, holder: str = "") -> int:
        """What the last comparison found missing. Raises BadInput."""
        compared = await self._db.read(mail_jobs.last_comparison, mailbox)
        uids = compared.result.get("missing_uids", []) if compared is not None else []
        if compared is None or not uids:
            raise BadInput("mailbox", N_("The last comparison has found nothing missing."))
        options = {"uid_validity": compared.result["uid_validity"], "uids": uids}
        return await self.start_job(JobKind.FETCH, mailbox, options, by=by, holder=holder)


class ConsentFailed(BadInput):
    """`message` is a key of the catalogue, `said` are the provider's words."""

    def __init__(self, message: str, said: str) -> None:
        self.said = said
        super().__init__("consent", message)


def _short(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()[:32]
