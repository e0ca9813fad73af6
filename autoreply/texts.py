"""The texts the desk says by itself: built in, editable, in a sandbox.

A text is a small Jinja2 template. Allowed are output, `if`, one level of `for` over a given list, comparisons and a few
named filters: no calls, no arithmetic, nothing that can make a short text long. The sandbox alone would stop escapes,
not memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from inbox.errors import BadInput
from inbox.words import N_, Words

MAX_SOURCE_CHARS = 5_000
MAX_SAID_CHARS = 10_000

VALUES: Mapping[str, str] = {
    "name": N_("the customer's name, when it is known"),
    "desk": N_("the name of this desk"),
    "opens": N_("when the desk opens next, such as “tomorrow at 09:00”"),
    "closes": N_("the time at which the desk closes today"),
    "wait": N_("how long an answer is likely to take, such as “4 to 7 minutes”"),
    "number": N_("the number that will be called back"),
    "slot": N_("the time agreed for the call"),
}
LISTS: Mapping[str, str] = {"hours": N_("the opening hours, one line for each day")}
FILTERS = ("capitalize", "default", "first_name", "lower", "trim", "upper")

TEXTS: Mapping[str, str] = {
    "chat_closed": N_(
        "Thank you for your message. We are closed at the moment{% if opens %} and open again {{ opens }}{% endif %}. "
        "Your message keeps its place in our queue. If you can't wait here, leave your mail address or telephone "
        "number, and we will answer there."
    ),
    "chat_away": N_(
        "Thank you for your message. Nobody is at the desk at this moment, but we are open{% if closes %} until "
        "{{ closes }}{% endif %} and answer as soon as somebody is back. If you can't wait here, leave your mail "
        "address or telephone number, and we will answer there."
    ),
    "chat_busy": N_(
        "Thank you for your message. All of us are with other customers right now; you are in our queue{% if wait %} "
        "and can expect an answer in {{ wait }}{% endif %}."
    ),
    "chat_staffed": N_(
        "Thank you for your message. Somebody will be with you shortly{% if wait %}, as a rule in {{ wait }}"
        "{% endif %}."
    ),
    "email_closed": N_(
        "Hello{% if name %} {{ name }}{% endif %},\n\nthank you for your mail. We are closed at the moment"
        "{% if opens %} and open again {{ opens }}{% endif %}. Your mail is in our queue, and a person will "
        "answer it.\n\n{{ desk }}"
    ),
    "email_away": N_(
        "Hello{% if name %} {{ name }}{% endif %},\n\nthank you for your mail. Nobody is at the desk at this moment. "
        "Your mail is in our queue, and a person will answer it as soon as somebody is back.\n\n{{ desk }}"
    ),
    "email_busy": N_(
        "Hello{% if name %} {{ name }}{% endif %},\n\nthank you for your mail. It is in our queue, and a person will "
        "answer it. Many people are writing to us right now, so it may take longer than usual.\n\n{{ desk }}"
    ),
    "email_staffed": N_(
        "Hello{% if name %} {{ name }}{% endif %},\n\nthank you for your mail. It is in our queue, and a person will "
        "answer it{% if wait %}, as a rule in {{ wait }}{% endif %}.\n\n{{ desk }}"
    ),
    "callback_closed": N_(
        "Thank you. We will call you back{% if number %} on {{ number }}{% endif %}{% if slot %} {{ slot }}"
        "{% endif %}. "
        "We are closed at the moment{% if opens %} and open again {{ opens }}{% endif %}."
    ),
    "callback_away": N_(
        "Thank you. We will call you back{% if number %} on {{ number }}{% endif %}{% if slot %} {{ slot }}"
        "{% endif %}. "
        "Nobody is at the telephone at this moment; we ring as soon as somebody is back."
    ),
    "callback_busy": N_(
        "Thank you. We will call you back{% if number %} on {{ number }}{% endif %}{% if slot %} {{ slot }}"
        "{% endif %}. "
        "All of us are with other customers right now, so it may take a while."
    ),
    "callback_staffed": N_(
        "Thank you. We will call you back{% if number %} on {{ number }}{% endif %}{% if slot %} {{ slot }}{% endif %}."
    ),
    "delayed": N_(
        "We are sorry that you have to wait. Your question is not forgotten{% if wait %}: you can expect an answer in "
        "{{ wait }}{% endif %}."
    ),
}
"""Name → built-in text. A name says what the customer did and how the desk stood."""

_PLAIN = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
)


class TextError(BadInput):
    """A text that can't be said. `line` counts from 1."""

    def __init__(self, line: int, message: str, **values: object) -> None:
        self.line = line
        super().__init__("text", message, line=line, **values)


class _Lenient(Undefined):
    """Says nothing: a customer is not shown what an administrator mistyped."""

    __slots__ = ()

    def __str__(self) -> str:
        return ""


def _environment(undefined: type[Undefined]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=undefined, autoescape=False, keep_trailing_newline=False)
    environment.globals.clear()
    kept = {name: environment.filters[name] for name in FILTERS if name in environment.filters}
    environment.filters.clear()
    environment.filters.update(kept)
    environment.filters["first_name"] = first_name
    return environment


def first_name(name: object) -> str:
    return str(name).split(" ")[0]


_STRICT, _LENIENT = _environment(StrictUndefined), _environment(_Lenient)


def check(source: str) -> None:
    """Raises TextError naming the line and what is wrong with it."""
    if len(source) > MAX_SOURCE_CHARS:
        raise TextError(1, N_("Line %(line)s: a text has at most %(most)s characters."), most=MAX_SOURCE_CHARS)
    try:
        tree = _STRICT.parse(source)
    except TemplateSyntaxError as error:
        raise TextError(
            error.lineno,
            N_("Line %(line)s: this is not complete or not understood (%(problem)s)."),
            problem=error.message,
        ) from error
    except RecursionError as error:
        raise TextError(1, N_("Line %(line)s: this is nested too deeply.")) from error
    for node in tree.body:
        _walk(node, frozenset(VALUES))


def _walk(node: nodes.Node, known: frozenset[str], *, inside_for: bool = False) -> None:
    match node:
        case nodes.For():
            _check_for(node, inside_for=inside_for)
            assert isinstance(node.target, nodes.Name)
            for child in (*node.body, *node.else_):
                _walk(child, known | {node.target.name}, inside_for=True)
            return
        case nodes.Name():
            if node.name not in known:
                raise TextError(
                    node.lineno,
                    N_("Line %(line)s: there is no “%(name)s”; known are %(known)s."),
                    name=node.name,
                    known=", ".join(sorted(known)),
                )
        case nodes.Filter():
            if node.name not in FILTERS:
                raise TextError(
                    node.lineno,
                    N_("Line %(line)s: there is no filter “%(name)s”; known are %(known)s."),
                    name=node.name,
                    known=", ".join(FILTERS),
                )
            if (
                node.kwargs
                or node.dyn_args
                or node.dyn_kwargs
                or any(not isinstance(a, nodes.Const) for a in node.args)
            ):
                raise _not_allowed(node)
        case nodes.Test():
            if node.name not in ("defined", "undefined") or node.args:
                raise _not_allowed(node)
        case _ if not isinstance(node, _PLAIN):
            raise _not_allowed(node)
    for child in node.iter_child_nodes():
        _walk(child, known, inside_for=inside_for)


def _check_for(node: nodes.For, *, inside_for: bool) -> None:
    if inside_for:
        raise TextError(node.lineno, N_("Line %(line)s: one loop inside another is not allowed."))
    if not isinstance(node.iter, nodes.Name) or node.iter.name not in LISTS:
        raise TextError(
            node.lineno, N_("Line %(line)s: a loop goes over one of these lists: %(known)s."), known=", ".join(LISTS)
        )
    if not isinstance(node.target, nodes.Name) or node.test is not None or node.recursive:
        raise _not_allowed(node)


def _not_allowed(node: nodes.Node) -> TextError:
    what = type(node).__name__.lower()
    return TextError(node.lineno, N_("Line %(line)s: “%(what)s” is not allowed in a text."), what=what)


def preview(source: str, values: Mapping[str, Any]) -> str:
    """What would be said; refuses what `check` refuses. Raises TextError."""
    check(source)
    return _said(_STRICT, source, values)


def render(source: str, values: Mapping[str, Any]) -> str:
    """What is sent. A value that is missing says nothing. Raises TextError."""
    check(source)
    return _said(_LENIENT, source, values)


def _said(environment: ImmutableSandboxedEnvironment, source: str, values: Mapping[str, Any]) -> str:
    given = {**dict.fromkeys(VALUES, ""), **dict.fromkeys(LISTS, ()), **values}
    said: list[str] = []
    length = 0
    try:
        for piece in environment.from_string(source).generate(given):
            length += len(piece)
            if length > MAX_SAID_CHARS:
                raise TextError(
                    1, N_("Line %(line)s: the text grows longer than %(most)s characters."), most=MAX_SAID_CHARS
                )
            said.append(piece)
    except (TemplateError, TypeError) as error:  # TypeError: words compared with a number
        line = getattr(error, "lineno", None) or 1
        raise TextError(line, N_("Line %(line)s: %(problem)s."), problem=str(error) or type(error).__name__) from error
    return "".join(said).strip()


def source_of(words: Words, edited: Mapping[str, Any] | None, language: str, name: str) -> str:
    """The text to use: edited for this language, else built in."""
    of_language = (edited or {}).get(language)
    written = of_language.get(name) if isinstance(of_language, Mapping) else None
    return written if isinstance(written, str) and written.strip() else words.say(language, TEXTS[name])


def checked(edited: object) -> dict[str, dict[str, str]]:
    """What an administrator saves: language → name → text; empty texts fall back to the built-in ones.

    Raises TextError, or BadInput naming `language.name`.
    """
    if not isinstance(edited, Mapping):
        raise BadInput("texts", N_("Texts are given by language and name."))
    kept: dict[str, dict[str, str]] = {}
    for language, name, source in _each(edited):
        field = f"{language}.{name}"
        if name not in TEXTS:
            raise BadInput(field, N_("There is no text called %(name)s."), name=name)
        if not isinstance(source, str):
            raise BadInput(field, N_("A text is written as words."))
        if source.strip():
            try:
                check(source)
            except TextError as error:
                error.field = field
                raise
            kept.setdefault(language, {})[name] = source
    return kept


def _each(edited: Mapping[Any, Any]) -> Iterator[tuple[str, str, object]]:
    for language, texts in edited.items():
        if not isinstance(texts, Mapping):
            raise BadInput(str(language), N_("Texts are given by language and name."))
        for name, source in texts.items():
            yield str(language), str(name), source
