"""Failures in the desk's words. `code` is stable and for programs, the text is for people."""

from __future__ import annotations


class InboxError(Exception):
    code = "inbox_error"


class NotFound(InboxError):
    code = "not_found"

    def __init__(self, what: str = "conversation") -> None:
        self.what = what
        super().__init__(f"This {what} does not exist, or you may not see it.")


class NotAllowed(InboxError):
    code = "not_allowed"

    def __init__(self, message: str = "Your role does not allow this.") -> None:
        super().__init__(message)


class AlreadyTaken(InboxError):
    code = "already_taken"

    def __init__(self, by: str) -> None:
        self.by = by
        super().__init__(f"{by} has just taken this conversation.")


class TimelineMoved(InboxError):
    """Somebody wrote since the author looked. `last_number` is the newest entry, `since` what the author saw."""

    code = "timeline_moved"

    def __init__(self, since: int, last_number: int) -> None:
        self.since, self.last_number = since, last_number
        super().__init__("There are new entries in this conversation. Read them before you send.")


class AlreadySettled(InboxError):
    code = "already_settled"

    def __init__(self, what: str) -> None:
        super().__init__(f"This {what} has already been settled.")


class BadInput(InboxError):
    """`field` names the part of the input that is wrong."""

    code = "bad_input"

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class CannotReach(InboxError):
    code = "cannot_reach"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class NothingWaiting(InboxError):
    code = "nothing_waiting"

    def __init__(self) -> None:
        super().__init__("Nobody is waiting.")


class StoreBusy(InboxError):
    """The store cannot take more just now; the same call may succeed later."""

    code = "store_busy"

    def __init__(self) -> None:
        super().__init__("The desk is overloaded. Try again in a moment.")
