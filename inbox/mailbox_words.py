"""What people are told about a mailbox or an account that does not work: what it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from inbox.mailboxes import MailTrouble
from inbox.words import N_

_MEANINGS: Mapping[str, str] = {
    MailTrouble.NOT_CONNECTED: N_("Nobody has connected this account yet. Connect it below."),
    MailTrouble.CONSENT_WITHDRAWN: N_(
        "The consent is no longer valid: it was withdrawn, the password was changed, or it ended. Connect it again."
    ),
    MailTrouble.CONSENT_PARTIAL: N_(
        "Whoever connected it did not allow everything the desk needs. Connect it again and allow all of it."
    ),
    MailTrouble.WRONG_ACCOUNT: N_(
        "Another account was connected than the one that is configured. Connect it again, signed in as that account."
    ),
    MailTrouble.IMAP_OFF: N_("IMAP is switched off for this mailbox. Switch it on at the provider."),
    MailTrouble.NO_LICENCE: N_(
        "Signing in worked, but there is no mailbox behind it: it has no licence, or it does not exist yet."
    ),
    MailTrouble.REFUSED: N_("The mail server refused the sign-in. Check the name and the password, or connect again."),
    MailTrouble.SECRET_ENDED: N_("The client secret has ended. Make a new one at the provider and configure it."),
    MailTrouble.CLIENT_REFUSED: N_("The provider does not accept the client id or the client secret."),
    MailTrouble.SERVER_FAULT: N_("The mail server has a fault of its own. It is tried again; nothing is lost."),
    MailTrouble.UNREACHABLE: N_("The mail server cannot be reached. It is tried again; nothing is lost."),
    MailTrouble.CERTIFICATE: N_("The mail server's certificate is not valid, so nothing was said to it."),
    MailTrouble.NO_FOLDER: N_("The configured folder does not exist in this mailbox."),
}


def explain_trouble(trouble: str) -> str:
    """A key of the catalogue."""
    return _MEANINGS.get(trouble, trouble)
