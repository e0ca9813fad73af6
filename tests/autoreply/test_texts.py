"""Templates: what may be written, what may not, and how a mistake is named."""

from __future__ import annotations

import pytest

from autoreply import texts
from autoreply.texts import LISTS, TEXTS, VALUES, TextError, check, checked, preview, render
from inbox.errors import BadInput
from inbox.words import Words

GIVEN = {"name": "Ann Smith", "desk": "Kauppa", "opens": "tomorrow at 09:00", "hours": ["Monday 9–17", "Tuesday 9–17"]}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("language", ["en", "fi"])
def test_every_built_in_text_can_be_said_with_and_without_its_values(words: Words, name: str, language: str) -> None:
    source = words.say(language, TEXTS[name])
    full = preview(source, {value: f"<{value}>" for value in VALUES})
    bare = preview(source, {})
    assert len(full) >= len(bare) > 20
    assert "{" not in full + bare
    for missing in ("  ", " .", " ,"):
        assert missing not in bare, bare


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Hello {{ name|first_name }}!", "Hello Ann!"),
        ("{% if opens %}We open {{ opens }}.{% else %}We are closed.{% endif %}", "We open tomorrow at 09:00."),
        ("{% if name == 'Ann Smith' and not number %}yes{% endif %}", "yes"),
        ("{% for line in hours %}{{ line }}; {% endfor %}", "Monday 9–17; Tuesday 9–17;"),
        ("{{ number|default('no number', true) }}", "no number"),
        ("{{ desk|upper }}", "KAUPPA"),
        ("100 % {# nobody sees this #}sure", "100 % sure"),
    ],
)
def test_what_a_text_may_do(source: str, said: str) -> None:
    assert preview(source, GIVEN) == said


HOSTILE = [
    "{{ ''.__class__.__mro__ }}",
    "{{ name.__class__ }}",
    "{{ name['x'] }}",
    "{{ name.upper() }}",
    "{{ 'a' * 20000000 }}",
    "{{ 'a' ~ 'b' }}",
    "{{ 2 ** 99999999 }}",
    "{{ '{:>10000000}'.format('x') }}",
    "{{ name|center(10000000) }}",
    "{{ name|replace('A', 'BBBBBBBBBB') }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ self }}",
    "{{ range(1000000000) }}",
    "{% for a in range(9) %}{{ a }}{% endfor %}",
    "{% for a in hours %}{% for b in hours %}{{ a }}{% endfor %}{% endfor %}",
    "{% for a, b in hours %}{% endfor %}",
    "{% for a in hours recursive %}{% endfor %}",
    "{% for a in hours if a %}{% endfor %}",
    "{% for a in name %}{% endfor %}",
    "{% for a in hours|sort %}{% endfor %}",
    "{% set x = name %}{{ x }}",
    "{% macro m() %}{% endmacro %}",
    "{% include 'secret' %}",
    "{% import 'os' as os %}",
    "{% extends 'base' %}",
    "{% block a %}{% endblock %}",
    "{% call name() %}{% endcall %}",
    "{% filter upper %}{% endfilter %}",
    "{{ [name, name] }}",
    "{{ {'a': name} }}",
    "{{ name if name is divisibleby(3) }}",
    "{{ name|default(desk) }}",
    "{{ name|nosuch }}",
    "{{ secret }}",
    "{{ name",
    "{% if name %}",
    "{% endif %}",
    "{{ }}",
    "{{ name | }}",
    "x" * 5_001,
    "{{ " + "(" * 800 + "name" + ")" * 800 + " }}",
]


@pytest.mark.parametrize("source", HOSTILE, ids=[source[:30] for source in HOSTILE])
def test_what_a_text_may_not_do_is_refused_before_it_is_saved(source: str) -> None:
    with pytest.raises(TextError):
        check(source)
    with pytest.raises(TextError):
        render(source, GIVEN)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("Hello\n{{ nmae }}", "Line 2: there is no “nmae”; known are closes, desk, name, number, opens, slot, wait."),
        ("\n\n{{ name|shout }}", "Line 3: there is no filter “shout”; known are " + ", ".join(texts.FILTERS) + "."),
        ("{{ name.upper() }}", "Line 1: “call” is not allowed in a text."),
        ("{% for x in name %}{% endfor %}", "Line 1: a loop goes over one of these lists: hours."),
    ],
)
def test_a_mistake_is_named_with_its_line(source: str, message: str) -> None:
    with pytest.raises(TextError, match="Line") as refused:
        check(source)
    assert str(refused.value) == message


def test_a_text_that_is_not_complete_says_where() -> None:
    with pytest.raises(TextError) as refused:
        check("one\ntwo {% if name %}\nthree")
    assert refused.value.line >= 2


def test_what_grows_too_long_is_stopped() -> None:
    with pytest.raises(TextError, match="longer"):
        render("{% for line in hours %}{{ line }}{% endfor %}", {"hours": ["x" * 300] * 100})


@pytest.mark.parametrize("source", ["{% if name > 5 %}x{% endif %}", "{{ 1 < 2 < name }}", "{{ name|first_name(1) }}"])
def test_what_cannot_be_worked_out_is_a_mistake_of_the_text(source: str) -> None:
    with pytest.raises(TextError):
        render(source, GIVEN)


def test_what_a_customer_wrote_is_never_read_as_a_template() -> None:
    assert render("Hello {{ name }}", {"name": "{{ desk }}{% if %}"}) == "Hello {{ desk }}{% if %}"


def test_a_list_can_only_be_looped_over() -> None:
    assert "hours" in LISTS
    with pytest.raises(TextError, match="no “hours”"):
        check("{{ hours }}")


def test_saving_keeps_what_is_written_and_drops_what_is_empty() -> None:
    assert checked({"fi": {"delayed": "Hetki vielä.", "chat_away": "  "}}) == {"fi": {"delayed": "Hetki vielä."}}


@pytest.mark.parametrize(
    ("edited", "field"),
    [
        ([], "texts"),
        ({"fi": "Hei"}, "fi"),
        ({"fi": {"nosuch": "Hei"}}, "fi.nosuch"),
        ({"fi": {"delayed": 7}}, "fi.delayed"),
        ({"fi": {"delayed": "{{ oops }}"}}, "fi.delayed"),
    ],
)
def test_saving_names_the_text_that_is_wrong(edited: object, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked(edited)
    assert refused.value.field == field
