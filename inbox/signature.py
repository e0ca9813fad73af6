"""What stands under every mail: one text for the house, with the name and role of whoever wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from inbox import audit, settings
from inbox.errors import BadInput
from inbox.store.transaction import Transaction
from inbox.vocabulary import OperatorId
from inbox.words import N_

SETTING = "signature"
BUILT_IN = "{name}\n{role}\n{desk}"
MAX_CHARS = 2_000
VALUES: Mapping[str, str] = {
    "name": N_("The name of the person who answers; empty in automatic mail"),
    "role": N_("Their role, as it stands in their account"),
    "desk": N_("The name of the desk"),
}
_PLACE = re.compile(r"\{(name|role|desk)\}")


def text(conn: Connection) -> str:
    return str((settings.get(conn, SETTING) or {}).get("text") or BUILT_IN)


def change(tx: Transaction, wanted: str, *, by: OperatorId, now: datetime) -> None:
    """An empty text is the built-in one again. Raises BadInput."""
    kept = "\n".join(line.rstrip() for line in wanted.replace("\r\n", "\n").strip("\n").split("\n"))
    if len(kept) > MAX_CHARS:
        raise BadInput("text", N_("A signature has at most %(most)s characters."), most=MAX_CHARS)
    settings.put(tx, SETTING, {"text": kept if kept.strip() else ""}, now=now)
    audit.note(tx, "signature_changed", by=by, now=now, data={})


def lines(template: str, *, name: str, role: str, desk: str) -> list[str]:
    """A line whose values are all empty is left out."""
    values = {"name": name.strip(), "role": role.strip(), "desk": desk.strip()}
    filled: list[str] = []
    for line in template.split("\n"):
        named = _PLACE.findall(line)
        if named and not any(values[one] for one in named):
            continue
        filled.append(_PLACE.sub(lambda found: values[found[1]], line).strip())
    return "\n".join(filled).strip("\n").split("\n") if any(filled) else []
