"""`make words`: bring the catalogues in step with the code and say what still waits for a translation."""

from __future__ import annotations

from tests.words.catalogues import update

for language, count in update().items():
    print(f"{language}: {count} to translate")
