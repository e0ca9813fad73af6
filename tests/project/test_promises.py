"""What the project promises about itself: licence, locks, vendored files, and no loose ends."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "web" / "static" / "vendor"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def project_files() -> list[Path]:
    """Every file that belongs to the project: what git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [ROOT / name for name in os.fsdecode(listed.stdout).split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    found = []
    for path in project_files():
        try:
            found.append((str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # pictures, and mails in other charsets
    return found


def lines_with(pattern: str, *, ending: tuple[str, ...] = ()) -> list[str]:
    """`file:line` of each line that matches."""
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts()
        if not ending or name.endswith(ending)
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]


def pins(lock: str) -> dict[str, str]:
    """Package → version."""
    found: dict[str, str] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            name, separator, pinned = line.split("#")[0].strip().partition("==")
            assert separator, f"{lock}: {line} is not pinned"
            found[canonicalize_name(name)] = pinned
    return found


def test_the_licence_is_mit_and_the_package_says_so() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
    assert PROJECT["license"] == "MIT"
    assert PROJECT["license-files"] == ["LICENSE"]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    assert lines_with(r"(^|[\s\"'(=:])/(wo" + r"rk|ro" + r"ot|home/[a-z]+|Users/[a-z]+)/") == []


def test_nothing_is_left_for_later() -> None:
    unfinished = (
        r"\b(TO"
        + r"DO|FIX"
        + r"ME|XX"
        + r"X|raise NotImpl"
        + r"ementedError|x"
        + r"fail\b(?!_strict)|pytest\.sk"
        + r"ip|mark\.sk"
        + r"ip)"
    )
    assert lines_with(unfinished, ending=(".py", ".js", ".mjs", ".html", ".css", ".toml", ".md")) == []


def test_no_drawer_is_named_after_nothing() -> None:
    nothing = {"ut" + "ils", "hel" + "pers", "com" + "mon", "mi" + "sc"}
    assert [path for path in project_files() if nothing & {*path.relative_to(ROOT).parts, path.stem}] == []


def test_every_dependency_is_pinned_and_nothing_names_an_index() -> None:
    locked, locked_for_development = pins("requirements.lock"), pins("requirements-dev.lock")
    needed = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    for_development = {canonicalize_name(Requirement(line).name) for line in PROJECT["optional-dependencies"]["dev"]}
    assert needed - locked.keys() == set()
    assert for_development - locked_for_development.keys() == set()
    assert locked.items() <= locked_for_development.items()
    for lock in ("requirements.lock", "requirements-dev.lock"):
        assert "://" not in (ROOT / lock).read_text()


def test_every_pin_is_a_version_that_the_project_file_allows() -> None:
    locked = pins("requirements-dev.lock")
    refused = [
        line
        for line in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"])
        if not (asked := Requirement(line)).specifier.contains(locked[canonicalize_name(asked.name)])
    ]
    assert refused == []


def test_the_tests_run_with_the_locked_versions() -> None:
    different = {
        name: version(name) for name, pinned in pins("requirements-dev.lock").items() if version(name) != pinned
    }
    assert different == {}


def test_browser_packages_are_locked_without_naming_a_registry() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    asked = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", pinned) for pinned in asked.values())
    for name, pinned in asked.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == pinned
    assert not any("resolved" in package for package in lock["packages"].values())


def test_vendored_files_are_what_their_recipe_made() -> None:
    manifest: dict[str, str] = json.loads((VENDOR / "manifest.json").read_text())
    hashes = {
        name: "sha256-" + base64.b64encode(hashlib.sha256((VENDOR / name).read_bytes()).digest()).decode()
        for name in manifest
    }
    assert hashes == manifest
    assert {path.name for path in VENDOR.iterdir() if path.suffix in {".js", ".css", ".woff2"}} <= manifest.keys()


@pytest.mark.parametrize("path", sorted(VENDOR.glob("*.js")), ids=lambda path: path.name)
def test_a_vendored_file_begins_with_its_version_licence_and_recipe(path: Path) -> None:
    opening = "\n".join(path.read_text(encoding="utf-8").splitlines()[:4])
    assert re.search(r"\d+\.\d+\.\d+", opening)
    assert "MIT" in opening
    assert "make vendor" in opening
    assert (VENDOR / "LICENSES.txt").exists()


def test_every_vendored_module_has_types() -> None:
    assert [path.name for path in VENDOR.glob("*.js") if not path.with_suffix(".d.ts").exists()] == []


def test_continuous_integration_runs_the_same_as_everybody() -> None:
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    assert "make test" in run.read_text()


def test_every_make_command_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        command
        for name, text in texts()
        if name.endswith(".md")
        for command in re.findall(r"(?:^ {4}|`)make ([a-z]+)", text, re.MULTILINE)
    }
    assert named
    assert named <= targets


def test_an_installed_desk_has_its_pages_texts_words_and_migrations(tmp_path: Path) -> None:
    files = project_files()
    for path in files:
        copy = tmp_path / "source" / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, copy)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    made = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=tmp_path / "source",
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = set(wheel.namelist())
    rooms = ("inbox", "channels", "autoreply", "web", "migrations")
    wanted = {str(path.relative_to(ROOT)) for path in files if path.relative_to(ROOT).parts[0] in rooms}
    assert wanted - packed == set()
    assert not [name for name in packed if name.startswith(("tests/", "docs/")) or "__pycache__" in name]
