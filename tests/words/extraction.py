"""Collects every string that is marked for the catalogue.

Python: `N_("…")`, `say(language, "…")`, `count(language, "one", "many", n)`, and the message of every InboxError (and
of `DeliveryFailed`) where it is raised. Templates: `_("…")`, `gettext`, `ngettext`, `{% trans %}`. Scripts: `t("…")`,
`tn("one", "many", n)`, `N_("…")`.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2.ext import babel_extract

from tests.words.javascript import arguments, everywhere, literal, tokens

ROOT = Path(__file__).parents[2]
PYTHON = ("inbox", "channels", "autoreply", "web")
TEMPLATES = "web/templates"
SCRIPTS = "web/static"
NOT_OURS = ("web/static/vendor",)

MARKERS = {"N_": (0,), "_": (0,), "gettext": (0,), "say": (1,), "count": (1, 2), "ngettext": (0, 1)}
SCRIPT_MARKERS = {"t": (0,), "N_": (0,), "tn": (0, 1)}
MESSAGE_AT = {"BadInput": 1}
"""Errors take their message first, these elsewhere."""
WITHOUT_MESSAGE = frozenset({"NotFound", "AlreadySettled", "AlreadyTaken", "TimelineMoved", "NoPicture"})
"""Errors with words of their own: what they take is no message."""


@dataclass(frozen=True, slots=True)
class Marked:
    """One string in the code; `many` for the plural."""

    one: str
    many: str | None
    path: str
    line: int


def everything(root: Path = ROOT) -> list[Marked]:
    known = errors(root)
    found = [m for path in python_files(root) for m in in_python(path.read_text(), _name(path, root), known)]
    found += [m for path in template_files(root) for m in in_template(path.read_bytes(), _name(path, root))]
    found += [m for path in script_files(root) for m in in_script(path.read_text(), _name(path, root))]
    return found


def python_files(root: Path = ROOT) -> list[Path]:
    return sorted(path for folder in PYTHON for path in (root / folder).rglob("*.py"))


def template_files(root: Path = ROOT) -> list[Path]:
    return sorted(path for path in (root / TEMPLATES).rglob("*") if path.suffix in (".html", ".txt", ".jinja"))


def script_files(root: Path = ROOT) -> list[Path]:
    return sorted(
        path
        for path in (root / SCRIPTS).rglob("*.js")
        if not any(path.is_relative_to(root / part) for part in NOT_OURS)
    )


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def errors(root: Path = ROOT) -> frozenset[str]:
    """Names of the classes whose message is shown to people."""
    bases: dict[str, set[str]] = {}
    for path in python_files(root):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(called_name(base) for base in node.bases)
    known = {"InboxError", "DeliveryFailed"}
    while more := {name for name, of in bases.items() if of & known} - known:
        known |= more
    return frozenset(known)


def called_name(node: ast.expr) -> str:
    """The last part of a dotted name, "" for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def error_messages(tree: ast.AST, known: frozenset[str]) -> Iterator[ast.expr]:
    """The message argument wherever an error is made, and what an error class hands to its base."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called_name(node.func) in known:
            name = called_name(node.func)
            at = MESSAGE_AT.get(name, 0)
            if len(node.args) > at and name not in WITHOUT_MESSAGE:
                yield node.args[at]
        elif isinstance(node, ast.ClassDef) and node.name in known:
            for inner in ast.walk(node):
                if (
                    isinstance(inner, ast.Call)
                    and isinstance(inner.func, ast.Attribute)
                    and inner.func.attr == "__init__"
                    and isinstance(inner.func.value, ast.Call)
                    and called_name(inner.func.value.func) == "super"
                    and inner.args
                ):
                    yield inner.args[0]


def in_python(source: str, path: str, known_errors: frozenset[str]) -> Iterator[Marked]:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (positions := MARKERS.get(called_name(node.func))):
            said = [_constant(node.args[at]) if len(node.args) > at else None for at in positions]
            if all(said):
                yield Marked(str(said[0]), said[1] if len(said) > 1 else None, path, node.lineno)
    for message in error_messages(tree, known_errors):
        text = _constant(message)
        if text:
            yield Marked(text, None, path, message.lineno)


def _constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def in_template(source: bytes, path: str) -> Iterator[Marked]:
    options = {"trimmed": "true", "silent": "false", "encoding": "utf-8", "extensions": "jinja2.ext.do"}
    for line, _, message, _ in babel_extract(io.BytesIO(source), ("_", "gettext", "ngettext"), [], options):
        said = message if isinstance(message, tuple) else (message,)
        strings = [part for part in said if isinstance(part, str)]
        if strings:
            yield Marked(strings[0], strings[1] if len(strings) > 1 else None, path, line)


def in_script(source: str, path: str) -> Iterator[Marked]:
    for run in everywhere(tokens(source)):
        for index, token in enumerate(run):
            positions = SCRIPT_MARKERS.get(token.text) if token.kind == "name" else None
            if positions is None or index + 1 >= len(run) or run[index + 1].text != "(":
                continue
            if index and run[index - 1].text in (".", "function"):
                continue
            given = arguments(run, index + 1)
            said = [literal(given[at]) if len(given) > at else None for at in positions]
            if all(said):
                yield Marked(str(said[0]), said[1] if len(said) > 1 else None, path, token.line)
