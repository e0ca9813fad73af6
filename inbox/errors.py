"""Failures in the desk's words. `code` is stable and for programs, the text is for people.

A message is a key of the catalogue and its placeholders are named, so that whoever shows it can say it in the reader's
language: `words.say(language, error.message, **error.values)`. `str(error)` is the English sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inbox.words import N_


class InboxError(Exception):
    """`message` is the English source with `%(name)s` placeholders, `values` what stands in for them."""

    code = "inbox_error"

    def __init__(self, message: str = N_("Something went wrong."), **values: object) -> None:
        self.message, self.values = message, values
        super().__init__(message % values if values else message)


_MISSING: Mapping[str, str] = {
    "conversation": N_("This conversation does not exist, or you may not see it."),
    "entry": N_("This entry does not exist, or you may not see it."),
    "customer": N_("This customer does not exist, or you may not see them."),
    "handoff": N_("This handoff does not exist, or it was not offered to you."),
    "callback": N_("This callback does not exist, or you may not see it."),
    "attachment": N_("This attachment does not exist, or you may not see it."),
    "file": N_("This file does not exist, or you may not see it."),
    "operator": N_("There is no such operator."),
    "team": N_("There is no such team."),
    "arrival": N_("This arrival does not exist, or you may not see it."),
    "planned": N_("This answer does not wait any more."),
    "job": N_("This job does not exist, or it has been done."),
    "page": N_("There is no such page."),
}


class NotFound(InboxError):
    code = "not_found"

    def __init__(self, what: str = "conversation") -> None:
        self.what = what
        super().__init__(_MISSING.get(what, N_("This does not exist, or you may not see it.")))


class NotAllowed(InboxError):
    code = "not_allowed"

    def __init__(self, message: str = N_("Your role does not allow this."), **values: object) -> None:
        super().__init__(message, **values)


class AlreadyTaken(InboxError):
    code = "already_taken"

    def __init__(self, by: str) -> None:
        self.by = by
        super().__init__(N_("%(by)s has just taken this conversation."), by=by)


class TimelineMoved(InboxError):
    """Somebody wrote since the author looked. `last_number` is the newest entry, `since` what the author saw."""

    code = "timeline_moved"

    def __init__(self, since: int, last_number: int) -> None:
        self.since, self.last_number = since, last_number
        super().__init__(N_("There are new entries in this conversation. Read them before you send."))


class AddressFails(InboxError):
    """A mail to these addresses came back the last time. Raised once: who says so sends all the same."""

    code = "address_fails"

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = tuple(addresses)
        super().__init__(
            N_("The last mail to %(addresses)s could not be delivered. Send it all the same?"),
            addresses=", ".join(addresses),
        )


_SETTLED: Mapping[str, str] = {
    "mail": N_("This mail has left already."),
    "planned": N_("This answer has been sent or cancelled already."),
    "handoff": N_("This handoff has already been settled."),
    "callback": N_("This callback has already been settled."),
}


class AlreadySettled(InboxError):
    code = "already_settled"

    def __init__(self, what: str) -> None:
        super().__init__(_SETTLED.get(what, N_("This has already been settled.")))


class BadInput(InboxError):
    """`field` names the part of the input that is wrong."""

    code = "bad_input"

    def __init__(self, field: str, message: str, **values: object) -> None:
        self.field = field
        super().__init__(message, **values)


class CannotReach(InboxError):
    code = "cannot_reach"


class NothingWaiting(InboxError):
    code = "nothing_waiting"

    def __init__(self) -> None:
        super().__init__(N_("Nobody is waiting."))


class StoreBusy(InboxError):
    """The store cannot take more just now; the same call may succeed later."""

    code = "store_busy"

    def __init__(self) -> None:
        super().__init__(N_("The desk is overloaded. Try again in a moment."))
