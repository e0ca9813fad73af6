"""Finds words that people would see and that do not come from the catalogue.

Templates and `html` literals of scripts: text between tags, and attributes that are read or read out. Scripts besides:
what is put into such properties. Python: messages of errors and of `"message"` in answers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

from jinja2 import Environment

from tests.words.extraction import called_name, error_messages
from tests.words.javascript import Token, everywhere, literal, tokens

READ = frozenset({
    "title", "aria-label", "aria-description", "aria-roledescription", "aria-valuetext", "placeholder", "alt", "label",
})  # fmt: skip
PROPERTIES = frozenset({"textContent", "innerText", "title", "placeholder", "ariaLabel", "alt"})
QUIET = frozenset({"script", "style", "code", "kbd", "pre", "svg"})
"""Elements whose text is not language."""

HOLE = "\x01"
"""Stands where a template computes something."""

_WORD = re.compile(r"[^\W\d_]{2,}")
_ENTITY = re.compile(r"&[#\w]+;")
OWN_WORDS = frozenset({"unknown_event", "signed_out", "internal"})
"""Answers of a socket for which its clients have words of their own."""
PROPER_NAMES = frozenset({"Vuoro", "JSON", "CSV", "API"})


@dataclass(frozen=True, slots=True)
class Outside:
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text!r}"


def has_words(text: str) -> bool:
    return any(word not in PROPER_NAMES for word in _WORD.findall(_ENTITY.sub(" ", text)))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[int, str]] = []
        self._quiet: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag in QUIET:
            self._quiet.append(tag)
        for name, value in attrs:
            if name in READ and value and has_words(value):
                self.found.append((self.getpos()[0], value))

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._quiet and self._quiet[-1] == tag:
            self._quiet.pop()

    def handle_data(self, data: str) -> None:
        if not self._quiet and has_words(data):
            self.found.append((self.getpos()[0], data.strip()))


def in_markup(markup: str) -> list[tuple[int, str]]:
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return reader.found


def in_template(source: str, path: str) -> Iterator[Outside]:
    """What remains of a template when its expressions, statements and translated blocks are cut out."""
    kept: list[str] = []
    inside = ""  # of a block whose text is translated already, or a value that the template sets for itself
    block: list[str] | None = None
    for _, kind, text in Environment(extensions=["jinja2.ext.i18n"]).lex(source):
        if kind == "block_begin":
            block = []
        elif kind == "block_end":
            said = [word for word in block or [] if word.strip()]
            if inside and said[:1] == [f"end{inside}"]:
                inside = ""
            elif not inside:
                inside = _begins(said)
            block = None
        elif block is not None:
            block.append(text)
        if kind == "data" and not inside:
            kept.append(text)
        else:
            kept.append(HOLE * (kind == "variable_begin") + "\n" * text.count("\n"))
    for line, found in in_markup(_named("".join(kept))):
        yield Outside(path, line, found.replace(HOLE, "…"))


def _begins(statement: Sequence[str]) -> str:
    """The kind of block that begins here and holds nothing to be checked, else ""."""
    if statement[:1] == ["trans"]:
        return "trans"
    if statement[:1] == ["set"] and "=" not in statement:
        return "set"
    if statement[:1] == ["macro"] and statement[1].endswith("_state"):
        return "macro"  # gives a stable word to programs
    return "block" if statement[:2] == ["block", "width"] else ""


def _named(markup: str) -> str:
    """Elements whose name is computed get one, so that they are read as elements."""
    return markup.replace(f"<{HOLE}", "<hole").replace(f"</{HOLE}", "</hole")


def in_script(source: str, path: str) -> Iterator[Outside]:
    for run in everywhere(tokens(source)):
        for index, token in enumerate(run):
            if token.kind == "template" and index and run[index - 1].text == "html":
                yield from _in_html_literal(token, path)
            yield from _in_property(run, index, path)


def _in_html_literal(token: Token, path: str) -> Iterator[Outside]:
    markup = "".join(part if isinstance(part, str) else HOLE for part in token.parts)
    for line, found in in_markup(_named(markup)):
        yield Outside(path, token.line + line - 1, found.replace(HOLE, "…"))
    before = ""
    for part in token.parts:
        if isinstance(part, str):
            before += part
            continue
        attribute = re.search(r"([\w-]+)=\"?[^\"<>=]*$", before) if before.rfind("<") > before.rfind(">") else None
        if before.rfind("<") <= before.rfind(">") or (attribute and attribute[1] in READ):
            yield from _spoken(part, path)
        before += HOLE


def _spoken(expression: Sequence[Token], path: str) -> Iterator[Outside]:
    """Strings that an expression may itself become: not those it compares, calls with or looks up."""
    depth = 0
    for index, token in enumerate(expression):
        if token.kind == "sign":
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        elif token.kind == "string" and depth == 0 and has_words(token.text):
            before = expression[index - 1].text if index else "?"
            after = expression[index + 1].text if index + 1 < len(expression) else ""
            if before in "?:|&" and after != "=" and after != ".":
                yield Outside(path, token.line, token.text)


def _in_property(run: Sequence[Token], index: int, path: str) -> Iterator[Outside]:
    """`element.title = "…"` and `setAttribute("aria-label", "…")`."""
    token = run[index]
    after = [t.text for t in run[index + 1 : index + 3]]
    if token.text in PROPERTIES and index and run[index - 1].text == "." and after[:1] == ["="] and after[1:] != ["="]:
        value = literal(run[index + 2 : index + 3])
        if value and has_words(value):
            yield Outside(path, token.line, value)
    if token.text == "setAttribute" and len(run) > index + 4 and run[index + 2].text in READ:
        value = literal(run[index + 4 : index + 5])
        if value and has_words(value):
            yield Outside(path, token.line, value)


def in_python(source: str, path: str, known_errors: frozenset[str]) -> Iterator[Outside]:
    tree = ast.parse(source)
    for message in error_messages(tree, known_errors - {"DeliveryFailed"}):  # a mail server's words stay as they came
        built = isinstance(message, ast.Call) and called_name(message.func) in ("format", "join")
        if built or isinstance(message, ast.JoinedStr | ast.BinOp):
            yield Outside(path, message.lineno, ast.unparse(message))
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict) and not any(
            isinstance(v, ast.Constant) and v.value in OWN_WORDS for v in node.values
        ):
            yield from _messages(zip(node.keys, node.values, strict=True), path)


def _messages(items: Iterable[tuple[ast.expr | None, ast.expr]], path: str) -> Iterator[Outside]:
    for key, value in items:
        if isinstance(key, ast.Constant) and key.value == "message":
            literal_words = isinstance(value, ast.Constant) and isinstance(value.value, str) and " " in value.value
            if literal_words or isinstance(value, ast.JoinedStr):
                yield Outside(path, value.lineno, ast.unparse(value))
