"""What the settings screens need to know of the automatic replies; `web/app.py` fills it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SETTING = "texts"


@dataclass(frozen=True, slots=True)
class AutomaticTexts:
    names: Sequence[str]
    explained: Mapping[str, str]  # placeholder → what it stands for
    filters: Sequence[str]
    source_of: Callable[[Mapping[str, Any] | None, str, str], str]  # (edited, language, name) → text in use
    checked: Callable[[object], dict[str, dict[str, str]]]  # raises BadInput naming language.name
