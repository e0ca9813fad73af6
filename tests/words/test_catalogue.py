"""Every visible word is in the catalogue, in every language, with its placeholders."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from inbox.words import Words
from tests.words.catalogues import LOCALES, PLURAL_FORMS, complete, marked_by_key, path_of, read
from tests.words.extraction import TEMPLATES, Marked, everything

_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\{.*?\}\}|\{%.*?%\}")

_ENDS = ".…?:"

LANGUAGES = sorted(PLURAL_FORMS)


@pytest.fixture(scope="module")
def marked() -> dict[str, list[Marked]]:
    return marked_by_key(everything())


def ids(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def strings(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_string_in_the_code_is_in_the_catalogue_and_no_other(
    language: str, marked: dict[str, list[Marked]]
) -> None:
    known = {ids(message)[0] for message in read(language) if message.id}
    assert sorted(set(marked) - known) == [], "run `make words`"
    assert sorted(known - set(marked)) == [], "run `make words`"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_string_is_translated_and_none_is_a_guess(language: str) -> None:
    catalogue = read(language)
    assert [ids(m)[0] for m in catalogue if m.id and not complete(m)] == []
    assert [ids(m)[0] for m in catalogue if m.id and m.fuzzy] == []
    assert not catalogue.obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_their_placeholders(language: str) -> None:
    wrong = []
    for message in read(language):
        if not message.id:
            continue
        wanted = set(_PLACEHOLDER.findall(" ".join(ids(message))))
        for said in strings(message):
            found = set(_PLACEHOLDER.findall(said))
            # One form of a plural may leave the number out: "in a minute".
            if found - wanted or (len(ids(message)) == 1 and wanted - found):
                wrong.append((ids(message)[0], said))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lone_percent_sign_breaks_no_page(language: str) -> None:
    """Templates fill in values even where there are none, so that a bare "%" is an error there."""
    broken = []
    for message in read(language):
        if not message.id or not any(path.startswith(TEMPLATES) for path, _ in message.locations):
            continue
        values = {name: 1 for text in ids(message) for name in re.findall(r"%\((\w+)\)", text)}
        for said in strings(message):
            try:
                said % values
            except (KeyError, TypeError, ValueError) as error:
                broken.append((said, str(error)))
    assert broken == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_end_as_their_sources_do(language: str) -> None:
    """A missing full stop or a line break too many shows at once on a screen."""
    wrong = []
    for message in read(language):
        for one, said in zip(ids(message), strings(message), strict=False):
            if one and (one[-1] in _ENDS or said[-1:] in _ENDS) and one[-1] != said[-1:]:
                wrong.append((one, said))
            if one and (one != one.strip()) != (said != said.strip()):
                wrong.append((one, said))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_written_out(language: str) -> None:
    assert PLURAL_FORMS[language] in path_of(language).read_text()


def test_one_key_is_not_both_a_single_string_and_a_plural(marked: dict[str, list[Marked]]) -> None:
    both = [key for key, places in marked.items() if len({place.many for place in places}) > 1]
    assert both == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_gettext_itself_accepts_the_catalogue(language: str, tmp_path: Path) -> None:
    checked = subprocess.run(
        ["msgfmt", "--check-format", "--check-header", "-o", str(tmp_path / "out.mo"), str(path_of(language))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_the_desk_says_its_words() -> None:
    words = Words(LOCALES)
    assert words.languages == LANGUAGES
    assert words.say("fi", "%(by)s has just taken this conversation.", by="Ann") == "Ann otti juuri tämän keskustelun."
    assert words.count("fi", "%(n)s try", "%(n)s tries", 1) == "1 yritys"
    assert words.count("fi", "%(n)s try", "%(n)s tries", 3) == "3 yritystä"
    assert words.count("en", "%(n)s try", "%(n)s tries", 3) == "3 tries"
    assert words.say("tlh", "Save") == "Save"
    assert words.say("fi", "never heard of") == "never heard of"
    assert words.catalogue("fi")["Save"] == "Tallenna"


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (("fi",), "fi"),
        (("fi-FI,fi;q=0.9,en;q=0.8",), "fi"),
        (("sv-SE,fi;q=0.5",), "fi"),
        ((None, "fi_FI"), "fi"),
        (("sv",), "en"),
        ((None, ""), "en"),
        ((";;,,--,",), "en"),
    ],
)
def test_a_reader_gets_the_first_language_the_desk_speaks(wanted: tuple[str | None, ...], chosen: str) -> None:
    assert Words(LOCALES).choose(*wanted) == chosen
