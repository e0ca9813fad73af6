"""Nothing that people see bypasses the catalogue. The finder itself is tried on planted words first."""

from __future__ import annotations

import tomllib

import pytest

from tests.words import extraction, visible
from tests.words.extraction import ROOT, errors, python_files, script_files, template_files


def found_in_script(source: str) -> list[str]:
    return [one.text for one in visible.in_script(source, "planted.js")]


def found_in_template(source: str) -> list[str]:
    return [one.text for one in visible.in_template(source, "planted.html")]


@pytest.mark.parametrize(
    "source",
    [
        "html`<p>Hello there</p>`",
        "html`<div>${rows.map((r) => html`<b>Hello ${r}</b>`)}</div>`",
        'html`<button title="Close it">×</button>`',
        'html`<button aria-label=${on ? "Switch off" : t("On")}>×</button>`',
        'html`<p>${busy ? "Please wait" : ""}</p>`',
        'html`<p>${name || "Unknown customer"}</p>`',
        'html`<${Row} placeholder="Search here" />`',
        'button.textContent = "Send it";',
        'button.setAttribute("aria-label", "Close it");',
        "const pattern = /`/; html`<p>After a regular expression</p>`",
        "const a = b / c; html`<p>After a division</p>` / 2",
    ],
)
def test_planted_words_in_a_script_are_found(source: str) -> None:
    assert found_in_script(source) != []


@pytest.mark.parametrize(
    "source",
    [
        'html`<p class="open wide">${t("Hello")}</p>`',
        "html`<div>${rows.map((r) => html`<b>${r.name}</b>`)}</div>`",
        'html`<p>${state === "busy" ? t("Busy") : icon("close it")}</p>`',
        'html`<svg><path d="M1 2" /></svg><kbd>Ctrl</kbd> · 3 %`',
        'html`<button type="button" aria-label=${t("Close")} data-kind="one two">×</button>`',
        'element.className = "open wide"; // "Not a word of this"',
        'if (button.title === "Send it") {}',
    ],
)
def test_what_is_no_language_is_left_alone(source: str) -> None:
    assert found_in_script(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hello</p>",
        '<img alt="A cat">',
        '<input placeholder="Your name" value="{{ name }}">',
        "<p>{{ name }} says hello</p>",
        "{% if a %}Yes please{% endif %}",
        "<title>Inbox – {{ desk }}</title>",
    ],
)
def test_planted_words_in_a_template_are_found(source: str) -> None:
    assert found_in_template(source) != []


@pytest.mark.parametrize(
    "source",
    [
        '<p class="open">{{ _("Hello") }}</p>',
        "{% trans n=count %}one thing{% pluralize %}{{ n }} things{% endtrans %}",
        "<script>const hello = 'there';</script><style>p { color: red }</style>",
        '<input placeholder="{{ _("Your name") }}"> {# a comment #} &nbsp;·',
        '<a href="/wallboard" rel="next">{{ title }}</a>',
    ],
)
def test_a_clean_template_is_left_alone(source: str) -> None:
    assert found_in_template(source) == []


def test_planted_error_messages_are_found() -> None:
    source = 'raise BadInput("name", f"{name} is bad.")\nanswer({"message": "Something is wrong"})'
    assert len(list(visible.in_python(source, "planted.py", frozenset({"BadInput"})))) == 2
    clean = 'raise BadInput("name", "%(name)s is bad.", name=name)\nanswer({"message": words.say(language, text)})'
    assert list(visible.in_python(clean, "planted.py", frozenset({"BadInput"}))) == []


def test_strings_of_scripts_are_collected_wherever_they_stand() -> None:
    source = """
      import { t, tn } from "./words.js";
      const nested = html`<p>${ok && html`<b title=${t("In a title")}>${
        tn("%(n)s thing", "%(n)s things", n)}</b>`}</p>`;
      const joined = t("Two " + "parts"); // t("not this one")
      const other = list.t("nor this"); /* t("nor that") */ const text = 't("nor here")';
    """
    marked = {(m.one, m.many) for m in extraction.in_script(source, "planted.js")}
    assert marked == {("In a title", None), ("%(n)s thing", "%(n)s things"), ("Two parts", None)}


def test_strings_of_python_are_collected_with_the_messages_of_errors() -> None:
    source = """
raise BadInput("name", "Write " "a name.")
raise CannotReach("Nobody.")
words.say(language, "Said")
words.count(language, "%(n)s thing", "%(n)s things", n)
class Mine(InboxError):
    def __init__(self):
        super().__init__("Mine alone.")
"text".count("t")
"""
    known = frozenset({"BadInput", "CannotReach", "InboxError", "Mine"})
    assert {m.one for m in extraction.in_python(source, "planted.py", known)} == {
        "Write a name.", "Nobody.", "Said", "%(n)s thing", "Mine alone."
    }  # fmt: skip


def test_words_are_looked_for_in_every_package_of_the_product() -> None:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {package.removesuffix("*") for package in found} - {"migrations"} == set(extraction.PYTHON)


def test_no_template_shows_words_of_its_own() -> None:
    outside = [
        str(one)
        for path in template_files()
        for one in visible.in_template(path.read_text(), path.relative_to(ROOT).as_posix())
    ]
    assert outside == []


def test_no_script_shows_words_of_its_own() -> None:
    outside = [
        str(one)
        for path in script_files()
        for one in visible.in_script(path.read_text(), path.relative_to(ROOT).as_posix())
    ]
    assert outside == []


def test_no_error_is_put_together_in_english() -> None:
    known = errors()
    outside = [
        str(one)
        for path in python_files()
        for one in visible.in_python(path.read_text(), path.relative_to(ROOT).as_posix(), known)
    ]
    assert outside == []
