"""Every visible word comes from one catalogue: the English source string is the key.

Marking: in Python `N_("…")` marks a string for extraction, `words.say(language, "…")` speaks it; templates use
`_("…")` and `{% trans %}`, scripts `t("…")` and `tn("one", "many", n)`. Placeholders are named: `%(name)s`.
`make words` collects what is marked (tests/words/extraction.py lists every marker).
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE_LANGUAGE = "en"


def N_(message: str) -> str:
    """Mark for extraction, say later."""
    return message


class Words:
    """The catalogues of one folder: `<folder>/<language>/LC_MESSAGES/vuoro.po`."""

    def __init__(self, folder: Path) -> None:
        self._catalogues: dict[str, gettext.NullTranslations] = {}
        self._messages: dict[str, dict[str, str | list[str]]] = {}
        for path in sorted(folder.glob("*/LC_MESSAGES/vuoro.po")):
            language = path.parent.parent.name
            with path.open("rb") as file:
                catalogue = read_po(file, locale=language)
            compiled = io.BytesIO()
            write_mo(compiled, catalogue)
            compiled.seek(0)
            self._catalogues[language] = gettext.GNUTranslations(compiled)
            self._messages[language] = {
                (m.id if isinstance(m.id, str) else m.id[0]): (
                    m.string if isinstance(m.string, str) else list(m.string)
                )
                for m in catalogue
                if m.id and m.string
            }
        self._catalogues.setdefault(SOURCE_LANGUAGE, gettext.NullTranslations())

    @property
    def languages(self) -> list[str]:
        return sorted(self._catalogues)

    def choose(self, *wanted: str | None) -> str:
        """The first language of `wanted` (codes or Accept-Language values) the desk speaks, else English."""
        for value in wanted:
            for part in (value or "").split(","):
                code = part.split(";")[0].strip().replace("_", "-").split("-")[0].casefold()
                if code in self._catalogues:
                    return code
        return SOURCE_LANGUAGE

    def say(self, language: str, message: str, **values: object) -> str:
        """A message in a language, in English where the catalogue lacks it."""
        said = self._of(language).gettext(message) if message else ""
        return said % values if values else said

    def count(self, language: str, one: str, many: str, n: int, **values: object) -> str:
        """The right plural form; `%(n)s` is the number."""
        return self._of(language).ngettext(one, many, n) % {"n": n, **values}

    def catalogue(self, language: str) -> Mapping[str, str | list[str]]:
        """All strings of a language, for scripts. A list holds plural forms."""
        return self._messages.get(language, {})

    def translations(self, language: str) -> gettext.NullTranslations:
        return self._of(language)

    def name(self, language: str) -> str:
        try:
            return Locale.parse(language).get_display_name(language) or language
        except (UnknownLocaleError, ValueError):
            return language

    def _of(self, language: str) -> gettext.NullTranslations:
        return self._catalogues.get(language) or self._catalogues[SOURCE_LANGUAGE]
