"""Records as JSON: the same field names, times in ISO 8601 UTC, closed sets by their values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from aiohttp import web


def to_json(record: Any) -> Any:
    """Frozen records, mappings, sequences and plain values; raises TypeError for anything else."""
    if record is None or isinstance(record, (bool, int, float)):
        return record
    if isinstance(record, Enum):
        return record.value
    if isinstance(record, str):
        return record
    if isinstance(record, datetime):
        return record.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(record, date):
        return record.isoformat()
    if is_dataclass(record) and not isinstance(record, type):
        return {field.name: to_json(getattr(record, field.name)) for field in fields(record)}
    if isinstance(record, Mapping):
        return {str(key): to_json(value) for key, value in record.items()}
    if isinstance(record, (list, tuple, set, frozenset)):
        return [to_json(value) for value in record]
    raise TypeError(f"{type(record).__name__} does not travel as JSON")


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def answer(record: Any, *, status: int = 200) -> web.Response:
    """An answer of the API. Never cached: it is somebody's view of a moment."""
    return web.json_response(to_json(record), status=status, dumps=dumps, headers={"Cache-Control": "no-store"})
