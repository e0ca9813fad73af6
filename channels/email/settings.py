"""The `[email]` table of config.toml."""

from __future__ import annotations

import os
from datetime import date, timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from channels.email import limits
from channels.email.addresses import MailAddress, fold, is_usable, without_plus
from channels.email.authentication import TrustedHosts
from channels.email.dkim_signing import DkimKey
from channels.email.dns import Dns, SystemDns


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsMode(StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class Secret(_Table):
    """A password: in the file, in an environment variable, or in a file of its own. One of the three."""

    value: SecretStr | None = None
    env: str | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _written_as_text(cls, given: Any) -> Any:
        return {"value": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _just_one(self) -> Secret:
        if sum(one is not None for one in (self.value, self.env, self.file)) != 1:
            raise ValueError("give exactly one of value, env or file")
        return self

    def read(self) -> str:
        """Raises ValueError naming what is missing."""
        if self.value is not None:
            return self.value.get_secret_value()
        if self.env is not None:
            found = os.environ.get(self.env)
            if not found:
                raise ValueError(f"the environment variable {self.env} is not set")
            return found
        assert self.file is not None
        try:
            return self.file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"{self.file}: {error.strerror}") from error


class Provider(StrEnum):
    """Whose accounts can be connected with OAuth2 instead of a password."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"


_SERVERS = {
    Provider.GOOGLE: ("imap.gmail.com", "smtp.gmail.com"),
    Provider.MICROSOFT: ("outlook.office365.com", "smtp.office365.com"),
}


class OAuthApp(_Table):
    """This desk as it is registered at a provider. The addresses are the provider's own unless given."""

    client_id: str = Field(min_length=1)
    client_secret: Secret | None = None
    secret_ends: date | None = None  # administrators are warned 30 and 7 days before
    authorise_url: str = ""
    token_url: str = ""
    scopes: tuple[str, ...] = ()


class MicrosoftApp(OAuthApp):
    tenant: str = Field(default="organizations", pattern=r"^[A-Za-z0-9.-]{1,100}$")


class OAuth(_Table):
    google: OAuthApp | None = None
    microsoft: MicrosoftApp | None = None

    def app(self, provider: Provider) -> OAuthApp | None:
        return self.google if provider is Provider.GOOGLE else self.microsoft


class SupportAddress(_Table):
    """One address customers write to. `name` stands before it in the mails we send."""

    address: str
    name: str = ""
    aliases: tuple[str, ...] = ()

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not is_usable(value):
            raise ValueError(f"{value!r} is not a mail address")
        return value

    @field_validator("aliases")
    @classmethod
    def _are_addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not is_usable(value):
                raise ValueError(f"{value!r} is not a mail address")
        return values


class DnsSettings(_Table):
    """Whom to ask about other people's domains."""

    nameservers: tuple[str, ...] = ()  # empty: those of the system
    port: int = Field(default=53, ge=1, le=65535)
    timeout_seconds: float = Field(default=3.0, gt=0, le=10)

    @field_validator("nameservers")
    @classmethod
    def _are_addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            try:
                ip_address(value)
            except ValueError:
                raise ValueError(f"{value!r} is not the IP address of a name server") from None
        return values

    def dns(self) -> Dns:
        return SystemDns(self.nameservers, self.port, self.timeout_seconds)


OWN_NETWORKS = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")


class Listener(_Table):
    """The desk's own SMTP and LMTP ports. Port 0 takes a free one; no port, no listener."""

    host: str = "127.0.0.1"
    smtp_port: int | None = Field(default=None, ge=0, le=65535)
    lmtp_port: int | None = Field(default=None, ge=0, le=65535)
    hostname: str = "localhost"
    certificate: Path | None = None  # PEM; with a key, STARTTLS is offered
    key: Path | None = None
    require_tls: bool = False
    idle_seconds: int = Field(default=300, ge=1)
    max_connections: int = Field(default=200, ge=1)
    max_mail_bytes: int = Field(default=50_000_000, ge=10_000)
    least_free_mb: int = Field(default=500, ge=0)  # with less room on the disk, mail is asked to come later
    most_unsaved_mails: int = Field(default=100, ge=1)  # taken in, and still waiting for the database
    slow_store_seconds: float = Field(default=30.0, gt=0)  # a database that takes longer is not well
    session_seconds: float = Field(default=1800.0, gt=0)
    connections_per_peer: int = Field(default=20, ge=1)  # our own networks may have all of them
    own_networks: tuple[str, ...] = OWN_NETWORKS  # our own mail servers: SPF cannot be told from their address
    authserv_ids: tuple[str, ...] = ()
    topmost_results: bool = False

    @field_validator("own_networks")
    @classmethod
    def _are_networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            try:
                ip_network(value, strict=False)
            except ValueError:
                raise ValueError(f"{value!r} is not a network; write one such as 192.0.2.0/24") from None
        return values

    @property
    def trusted_hosts(self) -> TrustedHosts:
        return TrustedHosts(frozenset(one.lower() for one in self.authserv_ids), self.topmost_results)

    @model_validator(mode="after")
    def _key_with_certificate(self) -> Listener:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        if self.require_tls and self.certificate is None:
            raise ValueError("require_tls needs a certificate and a key")
        return self


class Mailbox(_Table):
    """One mailbox watched over IMAP."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    host: str = ""  # may be left out where the provider is known
    port: int = Field(default=993, ge=1, le=65535)
    tls: TlsMode = TlsMode.TLS
    username: str
    password: Secret | None = None
    oauth: Provider | None = None  # instead of a password
    folder: str = "INBOX"
    max_mail_bytes: int = Field(default=limits.MAIL_BYTES, ge=100_000)  # of larger mail, only headers and text
    import_existing: bool = False  # False: only mail that comes after the first connection
    authserv_ids: tuple[str, ...] = ()  # whose Authentication-Results count; for Gmail they are known
    topmost_results: bool = False  # the topmost counts whoever it names: Microsoft 365 names nobody
    poll_seconds: int = Field(default=60, ge=1)  # where the server cannot wait with us
    idle_seconds: int = Field(default=420, ge=1, le=1500)

    @model_validator(mode="before")
    @classmethod
    def _server_of_provider(cls, given: Any) -> Any:
        return _with_server(given, 0)

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Mailbox:
        if (self.password is None) == (self.oauth is None):
            raise ValueError("give either password or oauth")
        if not self.host:
            raise ValueError("host must be given")
        return self

    @property
    def account(self) -> str:
        """The name of the account that must be connected; empty where there is a password."""
        return account_name(self.oauth, self.username)

    @property
    def trusted_hosts(self) -> TrustedHosts:
        names = self.authserv_ids or _KNOWN_HOSTS.get(self.host.lower(), ())
        return TrustedHosts(frozenset(one.lower() for one in names), self.topmost_results)


_KNOWN_HOSTS = {"imap.gmail.com": ("mx.google.com",), "imap.googlemail.com": ("mx.google.com",)}


class Outgoing(_Table):
    """The mail server that takes our mail. Without one, mail is kept as files and the screens say so."""

    host: str = ""  # may be left out where the provider is known
    port: int = Field(default=587, ge=1, le=65535)
    tls: TlsMode = TlsMode.STARTTLS
    username: str | None = None
    password: Secret | None = None
    oauth: Provider | None = None  # instead of a password
    timeout_seconds: int = Field(default=60, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _server_of_provider(cls, given: Any) -> Any:
        return _with_server(given, 1)

    @model_validator(mode="after")
    def _password_with_name(self) -> Outgoing:
        if self.oauth is not None and self.password is not None:
            raise ValueError("give either password or oauth")
        if (self.username is None) != (self.password is None and self.oauth is None):
            raise ValueError("username and password (or oauth) belong together")
        if not self.host:
            raise ValueError("host must be given")
        return self

    @property
    def account(self) -> str:
        """The name of the account that must be connected; empty where there is none."""
        return account_name(self.oauth, self.username or "")


def account_name(provider: Provider | None, username: str) -> str:
    return "" if provider is None else f"{provider}:{fold(username)}"


def _with_server(given: Any, which: int) -> Any:
    """Where a provider is named and no host, its own servers are meant."""
    if isinstance(given, dict) and not given.get("host") and given.get("oauth") in set(Provider):
        return {**given, "host": _SERVERS[Provider(given["oauth"])][which]}
    return given


class EmailSettings(_Table):
    addresses: tuple[SupportAddress, ...] = ()
    listener: Listener = Listener()
    dns: DnsSettings = DnsSettings()
    dkim: tuple[DkimKey, ...] = ()
    check_senders: bool = True  # SPF, DKIM and DMARC of what comes in without a trusted verdict
    mailboxes: tuple[Mailbox, ...] = ()
    outgoing: Outgoing | None = None
    oauth: OAuth = OAuth()
    keep_folder: Path = Path("var/outgoing-mail")  # where mail goes as .eml while no server is configured
    reply_tokens: bool = False  # answers go to help+token@…: only where the mail server knows plus-addresses
    max_attachments_bytes: int = Field(default=25_000_000, ge=0)
    quote_history: bool = True
    reopen_days: int | None = Field(default=None, ge=0)  # what was closed longer ago is continued in a new one

    @model_validator(mode="after")
    def _addresses_where_mail_comes(self) -> EmailSettings:
        comes = bool(self.mailboxes) or self.listener.smtp_port is not None or self.listener.lmtp_port is not None
        if comes and not self.addresses:
            raise ValueError("mail comes in, but addresses is empty: which addresses are the desk's?")
        names = [mailbox.name for mailbox in self.mailboxes]
        if len(names) != len(set(names)):
            raise ValueError("two mailboxes have the same name")
        outgoing = (self.outgoing,) if self.outgoing is not None else ()
        for one in (*self.mailboxes, *outgoing):
            if one.oauth is not None and self.oauth.app(one.oauth) is None:
                raise ValueError(f"{one.host} signs in with {one.oauth}, but there is no [email.oauth.{one.oauth}]")
        return self

    def own_addresses(self) -> frozenset[str]:
        """All addresses that are ours, folded, without plus-parts."""
        return frozenset(
            without_plus(fold(one)) for support in self.addresses for one in (support.address, *support.aliases)
        )

    def written_to(self, folded: str) -> MailAddress | None:
        """The address of ours that this is, as configured, with the name of its desk."""
        wanted = without_plus(folded)
        for support in self.addresses:
            for one in (support.address, *support.aliases):
                if without_plus(fold(one)) == wanted:
                    return MailAddress(support.name, one)
        return None

    def trusted_hosts(self, source: str) -> TrustedHosts:
        """Whose verdict about senders counts for arrivals from `source` ("smtp", "lmtp", "imap:<mailbox>")."""
        if not source.startswith("imap:"):
            return self.listener.trusted_hosts
        name = source.removeprefix("imap:")
        return next((one.trusted_hosts for one in self.mailboxes if one.name == name), TrustedHosts())

    @property
    def smtp_timeout(self) -> timedelta:
        return timedelta(seconds=self.outgoing.timeout_seconds if self.outgoing else 60)
