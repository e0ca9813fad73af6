"""The catalogues beside the code: `update` brings them in step with what is marked and keeps what is translated."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from tests.words.extraction import ROOT, Marked, everything

LOCALES = ROOT / "web" / "locales"
PLURAL_FORMS = {
    "en": "nplurals=2; plural=(n != 1);",
    "fi": "nplurals=2; plural=(n != 1);",
}
"""Written out for each language: Babel's own table and gettext's disagree about some of them."""

_DATED = datetime(2026, 1, 1, tzinfo=UTC)
_HEADER = """\
# Vuoro: words of the desk.
# `make words` adds and removes entries; translate the empty ones."""


def path_of(language: str) -> Path:
    return LOCALES / language / "LC_MESSAGES" / "vuoro.po"


def read(language: str) -> Catalog:
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def marked_by_key(found: list[Marked]) -> dict[str, list[Marked]]:
    by_key: dict[str, list[Marked]] = {}
    for marked in found:
        by_key.setdefault(marked.one, []).append(marked)
    return by_key


def update() -> dict[str, int]:
    """Write every catalogue; how many strings of each language still wait for a translation."""
    by_key = marked_by_key(everything())
    waiting = {}
    for language, plural_forms in PLURAL_FORMS.items():
        old = read(language) if path_of(language).exists() else Catalog(locale=language)
        new = _empty(language, plural_forms)
        for one, places in sorted(by_key.items()):
            many = next((place.many for place in places if place.many), None)
            key = (one, many) if many else one
            before = old.get(key)
            new.add(
                key,
                _said(language, one, many, before),
                locations=sorted({(place.path, 0) for place in places}),
                flags=("python-format",) if "%(" in one else (),
            )
        target = path_of(language)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            write_po(file, new, width=120, include_lineno=False, sort_output=True)
        waiting[language] = sum(1 for message in new if message.id and not complete(message))
    return waiting


def complete(message: Message) -> bool:
    if isinstance(message.string, tuple | list):
        return all(message.string)
    return bool(message.string)


def _said(language: str, one: str, many: str | None, before: Message | None) -> str | tuple[str, ...]:
    if language == "en":
        return (one, many) if many else one
    if before is None or not before.string:
        return ("", "") if many else ""
    said = before.string
    if many:
        return tuple(said) if isinstance(said, tuple | list) else ("", "")
    return said if isinstance(said, str) else ""


def _empty(language: str, plural_forms: str) -> Catalog:
    catalogue = Catalog(
        locale=language,
        project="vuoro",
        version="1",
        header_comment=_HEADER,
        creation_date=_DATED,
        revision_date=_DATED,
        last_translator="The Vuoro authors",
        language_team=language,
        charset="utf-8",
        fuzzy=False,
    )
    assert catalogue.plural_forms == plural_forms, f"{language}: {catalogue.plural_forms}"
    return catalogue
