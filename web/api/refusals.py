"""What pydantic found wrong, in words of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from inbox.errors import BadInput
from inbox.words import N_

_COMPLAINTS: Mapping[str, str] = {
    "missing": N_("This is missing."),
    "extra_forbidden": N_("This is not known here."),
    "string_too_long": N_("This is too long."),
    "string_too_short": N_("This is too short."),
    "too_long": N_("These are too many."),
    "enum": N_("This is none of the known values."),
    "literal_error": N_("This is none of the known values."),
    "datetime_from_date_parsing": N_("Write a time with its zone, such as 2026-03-10T10:00:00Z."),
    "datetime_parsing": N_("Write a time with its zone, such as 2026-03-10T10:00:00Z."),
    "timezone_aware": N_("Write a time with its zone, such as 2026-03-10T10:00:00Z."),
}


def refusal(error: ValidationError, whole: str) -> BadInput:
    """The first thing that is wrong, in words of the catalogue; `whole` names the input where no field is to blame."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or whole
    return BadInput(field, _COMPLAINTS.get(first["type"], N_("This value cannot be used here.")))
