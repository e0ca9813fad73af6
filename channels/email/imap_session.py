"""One signed-in connection to a mailbox, and what its failures mean. Blocking: runs in the mailbox's own thread."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from channels.email.mail_tokens import Access
from channels.email.oauth import OAuthRefused, clean_words
from channels.email.settings import Mailbox, TlsMode
from inbox.mailboxes import MailTrouble

CONNECT_SECONDS, READ_SECONDS = 10, 60

AccessFor = Callable[[str, str], Access]
"""(account, refused token) → a token. Raises OAuthRefused."""


class MailboxFailure(Exception):
    """A mailbox cannot be used; `said` are the server's words."""

    def __init__(self, trouble: MailTrouble, said: str) -> None:
        self.trouble, self.said = trouble, clean_words(said)
        super().__init__(f"{trouble}: {self.said}")


class TokenEnded(Exception):
    """The server ended the session because the access token did. Nothing is wrong."""


class Session:
    """A connection and, where it has one, the token with which it signed in."""

    def __init__(self, client: IMAPClient, access: Access | None) -> None:
        self.client, self.access = client, access


def open_session(mailbox: Mailbox, access_for: AccessFor, opened: Callable[[IMAPClient], None]) -> Session:
    """Connect and sign in. `opened` is told the connection at once, so that somebody else can break it.

    Raises MailboxFailure, or what a broken line raises.
    """
    if not mailbox.account:
        assert mailbox.password is not None
        client = _connect(mailbox, opened)
        try:
            client.login(mailbox.username, mailbox.password.read())
        except (LoginError, ValueError) as error:
            raise MailboxFailure(_of_sign_in(str(error), ours=True), str(error)) from error
        return Session(client, None)
    access = _access(access_for, mailbox, "")
    client = _connect(mailbox, opened)
    try:
        client.oauth2_login(mailbox.username, access.token)
    except LoginError as error:
        trouble = _of_sign_in(str(error), ours=_is_configured(access, mailbox))
        if trouble not in (MailTrouble.REFUSED, MailTrouble.WRONG_ACCOUNT):
            raise MailboxFailure(trouble, str(error)) from error
        # It may have been withdrawn early, by a changed password for instance: only a new token tells.
        renewed = _access(access_for, mailbox, access.token)
        if renewed.token == access.token:
            raise MailboxFailure(trouble, str(error)) from error
        with suppress(Exception):
            client.shutdown()
        access, client = renewed, _connect(mailbox, opened)
        try:
            client.oauth2_login(mailbox.username, access.token)
        except LoginError as again:
            trouble = _of_sign_in(str(again), ours=_is_configured(access, mailbox))
            raise MailboxFailure(trouble, str(again)) from again
    return Session(client, access)


def failure_of(error: Exception, mailbox: Mailbox, access: Access | None) -> MailboxFailure:
    """What an error that ended a session means to people."""
    if isinstance(error, MailboxFailure):
        return error
    if isinstance(error, OAuthRefused):
        return MailboxFailure(error.trouble, error.said)
    said = str(error)
    if isinstance(error, ssl.SSLError):
        return MailboxFailure(MailTrouble.CERTIFICATE, said)
    if isinstance(error, IMAPClientError):
        trouble = _of_words(said, ours=access is None or _is_configured(access, mailbox))
        return MailboxFailure(trouble or MailTrouble.SERVER_FAULT, said)
    return MailboxFailure(MailTrouble.UNREACHABLE, f"{type(error).__name__}: {said}" if said else type(error).__name__)


_EXPIRED = ("accesstokenexpired", "token expired", "session invalidated", "session expired", "token has expired")


def is_expiry(error: Exception) -> bool:
    """Microsoft: "Session invalidated - AccessTokenExpired"."""
    said = str(error).casefold()
    return any(words in said for words in _EXPIRED)


def _connect(mailbox: Mailbox, opened: Callable[[IMAPClient], None]) -> IMAPClient:
    context = ssl.create_default_context()
    client = IMAPClient(
        mailbox.host,
        port=mailbox.port,
        ssl=mailbox.tls is TlsMode.TLS,
        ssl_context=context if mailbox.tls is TlsMode.TLS else None,
        timeout=SocketTimeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
    )
    opened(client)
    client.normalise_times = False  # otherwise INTERNALDATE is naive local time
    if mailbox.tls is TlsMode.STARTTLS:
        client.starttls(context)
    return client


def _access(access_for: AccessFor, mailbox: Mailbox, refused: str) -> Access:
    try:
        return access_for(mailbox.account, refused)
    except OAuthRefused as error:
        raise MailboxFailure(error.trouble, error.said) from error


def _is_configured(access: Access, mailbox: Mailbox) -> bool:
    return not access.connected_as or access.connected_as.casefold() == mailbox.username.casefold()


_IMAP_OFF = (
    "not enabled for imap",
    "imap access is disabled",
    "imap is disabled",
    "disabled for imap",
    "imap4 is disabled",
    "imap access has been disabled",
)
_NO_LICENCE = ("licence", "license", "mailbox not found", "mailboxnotenabled", "no mailbox")
_FAULT = ("[unavailable]", "[serverbug]", "[inuse]", "[limit]", "internal error", "temporar", "try again", "too many")
_NOT_CONNECTED = ("authenticated but not connected",)


def _of_words(said: str, *, ours: bool) -> MailTrouble | None:
    """`ours`: the configured account is the one that consented, as far as is known."""
    lower = said.casefold()
    if any(words in lower for words in _IMAP_OFF):
        return MailTrouble.IMAP_OFF
    if any(words in lower for words in _NOT_CONNECTED):
        return MailTrouble.NO_LICENCE if ours else MailTrouble.WRONG_ACCOUNT
    if any(words in lower for words in _FAULT):
        return MailTrouble.SERVER_FAULT
    if any(words in lower for words in _NO_LICENCE):
        return MailTrouble.NO_LICENCE
    return None


def _of_sign_in(said: str, *, ours: bool) -> MailTrouble:
    return _of_words(said, ours=ours) or (MailTrouble.REFUSED if ours else MailTrouble.WRONG_ACCOUNT)
