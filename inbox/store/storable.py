"""Text as both databases take it.

PostgreSQL refuses NUL and neither can encode half a surrogate pair; both arrive in chat messages, mails and file names.
They become U+FFFD at the database's door, so that no sender can make the desk lose a message.
"""

from __future__ import annotations

import json
import re
from typing import Any

import sqlalchemy
from sqlalchemy import Dialect, TypeDecorator

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def json_text(value: Any) -> str:
    """How JSON columns are written."""
    return storable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


class String(TypeDecorator[str]):
    impl, cache_ok = sqlalchemy.String, True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Text(TypeDecorator[str]):
    impl, cache_ok = sqlalchemy.Text, True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)
