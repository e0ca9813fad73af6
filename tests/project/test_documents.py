"""The documents point at what is there, and name every key of the configuration and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from web.app import Config

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
MENTIONED = re.compile(r"`((?:tests|inbox|channels|web|autoreply|migrations)/[\w./-]*\w)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_at_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    linked = [target.partition("#")[0] for target in LINK.findall(text) if "://" not in target]
    missing = [target for target in linked if target and not (document.parent / target).exists()]
    missing += [path for path in MENTIONED.findall(text) if not (ROOT / path).exists()]
    assert not missing


def keys_of_the_models(model: type[BaseModel], at: str = "") -> dict[str, set[str]]:
    """Table → its keys, tables of tables included."""
    found: dict[str, set[str]] = {}
    for name, field in model.model_fields.items():
        found.setdefault(at, set()).add(name)
        for part in _models(field.annotation):
            if part.__name__ != "Secret":
                found |= keys_of_the_models(part, f"{at}.{name}" if at else name)
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def documented_keys() -> dict[str, set[str]]:
    """From the headings `[table]` and the first column of the tables under them."""
    found: dict[str, set[str]] = {}
    table = ""
    for line in (ROOT / "docs" / "administrators.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = re.fullmatch(r"### `\[{1,2}([a-z.]+)\]{1,2}`", line)
            table = heading[1] if heading else ""
        elif table and line.startswith("| `"):
            found.setdefault(table, set()).update(re.findall(r"`([a-z_]+)`", line.split("|")[1]))
        elif table and (listed := re.match(r"Each of `([a-z]+)`: (.*)", line)):
            found[f"{table}.{listed[1]}"] = set(re.findall(r"`([a-z]+)`", listed[2]))
    return found


def test_every_key_of_the_configuration_is_documented_and_no_other() -> None:
    known = keys_of_the_models(Config)
    known.pop("")
    assert documented_keys() == known


def test_the_example_has_every_table_and_nearly_every_key() -> None:
    """What the example may leave out is what only some desks have."""

    def keys(written: Any, at: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for row in written if isinstance(written, list) else [written]:
            for name, value in row.items():
                found.setdefault(at, set()).add(name)
                if at + "." + name in known or (not at and name in known):
                    found |= keys(value, f"{at}.{name}" if at else name)
        return found

    known = keys_of_the_models(Config)
    written = keys(tomllib.loads((ROOT / "config.example.toml").read_text(encoding="utf-8")), "")
    missing = {f"{table}.{key}" for table, names in known.items() for key in names - written.get(table, set())}
    assert missing <= {"email.listener.certificate", "email.listener.key", "email.outgoing.oauth"}
    assert not {f"{table}.{key}" for table, names in written.items() for key in names - known.get(table, set())}
