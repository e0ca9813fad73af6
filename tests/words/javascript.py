"""Reads scripts just far enough to find calls and templates: strings, template literals (nested), comments, regular
expressions. Not a parser: what it cannot understand it passes over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_NUMBER = re.compile(r"\d[\w.]*")
_SPACE = re.compile(r"\s+|//[^\n]*|/\*.*?\*/", re.DOTALL)
_BEFORE_A_REGEX = {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "await"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: name, number, string, template, regex or sign. A template's `parts` are texts and the tokens between."""

    kind: str
    text: str
    line: int
    parts: Sequence[str | Sequence[Token]] = field(default=())


def tokens(source: str) -> list[Token]:
    found, _ = _read(source, 0, inside_template=False)
    return found


def everywhere(found: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The sequence itself and those of the expressions in its templates, at any depth."""
    yield found
    for token in found:
        for part in token.parts:
            if not isinstance(part, str):
                yield from everywhere(part)


def arguments(found: Sequence[Token], opening: int) -> list[Sequence[Token]]:
    """The arguments of the call whose "(" is at `opening`, each as its tokens."""
    depth = 0
    given: list[Sequence[Token]] = []
    current: list[Token] = []
    for token in found[opening:]:
        if token.kind == "sign" and token.text in "([{":
            depth += 1
            if depth == 1:
                continue
        elif token.kind == "sign" and token.text in ")]}":
            depth -= 1
            if depth == 0:
                break
        if depth == 1 and token.kind == "sign" and token.text == ",":
            given.append(current)
            current = []
        else:
            current.append(token)
    return [*given, current] if current else given


def literal(argument: Sequence[Token]) -> str | None:
    """The text of a string, a template without expressions, or several joined by "+"; None for anything else."""
    said = ""
    for index, token in enumerate(argument):
        if index % 2:
            if token.text != "+" or index == len(argument) - 1:
                return None
        elif token.kind == "string":
            said += token.text
        elif token.kind == "template" and all(isinstance(part, str) for part in token.parts):
            said += "".join(str(part) for part in token.parts)
        else:
            return None
    return said if argument else None


def _read(source: str, at: int, *, inside_template: bool) -> tuple[list[Token], int]:
    found: list[Token] = []
    depth, line = 0, source.count("\n", 0, at) + 1
    while at < len(source):
        space = _SPACE.match(source, at)
        if space:
            line += space[0].count("\n")
            at = space.end()
            continue
        char = source[at]
        name = _NAME.match(source, at)
        number = _NUMBER.match(source, at)
        if name:
            found.append(Token("name", name[0], line))
            at = name.end()
        elif number:
            found.append(Token("number", number[0], line))
            at = number.end()
        elif char in "\"'":
            text, at = _string(source, at)
            found.append(Token("string", text, line))
        elif char == "`":
            parts, end = _template(source, at + 1)
            found.append(Token("template", "`", line, parts))
            line += source.count("\n", at, end)
            at = end
        elif char == "/" and _regex_may_begin(found):
            at = _regex(source, at)
            found.append(Token("regex", "/", line))
        else:
            if char == "}" and inside_template and depth == 0:
                return found, at + 1
            depth += {"{": 1, "}": -1}.get(char, 0)
            found.append(Token("sign", char, line))
            at += 1
    return found, at


def _regex_may_begin(found: Sequence[Token]) -> bool:
    if not found:
        return True
    last = found[-1]
    if last.kind == "name":
        return last.text in _BEFORE_A_REGEX
    return last.kind == "sign" and last.text not in ")]}"


def _regex(source: str, at: int) -> int:
    in_class = False
    at += 1
    while at < len(source) and source[at] != "\n":
        char = source[at]
        if char == "\\":
            at += 1
        elif char == "[":
            in_class = True
        elif char == "]":
            in_class = False
        elif char == "/" and not in_class:
            return at + 1
        at += 1
    return at


def _string(source: str, at: int) -> tuple[str, int]:
    quote, said = source[at], []
    at += 1
    while at < len(source) and source[at] not in (quote, "\n"):
        if source[at] == "\\":
            char, at = _escaped(source, at)
            said.append(char)
        else:
            said.append(source[at])
            at += 1
    return "".join(said), at + 1


def _escaped(source: str, at: int) -> tuple[str, int]:
    char = source[at + 1 : at + 2]
    if char == "u":
        code = re.compile(r"\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{4})").match(source, at + 2)
        if code:
            return chr(int(code[1] or code[2], 16)), code.end()
    if char == "x":
        code = re.compile(r"([0-9a-fA-F]{2})").match(source, at + 2)
        if code:
            return chr(int(code[1], 16)), code.end()
    return _ESCAPES.get(char, char), at + 2


def _template(source: str, at: int) -> tuple[list[str | Sequence[Token]], int]:
    parts: list[str | Sequence[Token]] = []
    said: list[str] = []
    while at < len(source) and source[at] != "`":
        if source[at] == "\\":
            char, at = _escaped(source, at)
            said.append(char)
        elif source.startswith("${", at):
            parts.append("".join(said))
            said = []
            inside, at = _read(source, at + 2, inside_template=True)
            parts.append(inside)
        else:
            said.append(source[at])
            at += 1
    return [*parts, "".join(said)], at + 1
