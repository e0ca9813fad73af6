"""Doors that the import contracts in pyproject.toml can't say without listing every file."""

from __future__ import annotations

import grimp
import pytest

GROUND = {"clock", "errors", "events", "queue_key", "vocabulary", "words"}
"""Files of `inbox` that know nothing of the store, and that everybody may import."""

ROOMS = {
    "store": GROUND | {"store"},
    "waits": GROUND | {"store", "waits"},
    "people": GROUND | {"store", "waits", "people"},
}


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("inbox")


@pytest.mark.parametrize("room", ROOMS)
def test_store_waits_and_people_know_nothing_of_the_verbs_above_them(imports: grimp.ImportGraph, room: str) -> None:
    wrong = {
        f"{module} imports {imported}"
        for module in imports.modules
        if module.startswith(f"inbox.{room}")
        for imported in imports.find_modules_directly_imported_by(module)
        if imported != "inbox" and imported.split(".")[1] not in ROOMS[room]
    }
    assert wrong == set()


@pytest.mark.parametrize("module", sorted(GROUND))
def test_the_ground_stands_on_nothing_but_itself(imports: grimp.ImportGraph, module: str) -> None:
    imported = imports.find_modules_directly_imported_by(f"inbox.{module}")
    assert {name for name in imported if name != "inbox" and name.split(".")[1] not in GROUND} == set()
