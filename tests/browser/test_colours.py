"""Every pair of colours that is used together, recomputed from tokens.css in both modes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "web" / "static" / "css" / "tokens.css"
TEXT, SHAPE = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11

PAIRS: dict[float, dict[str, str]] = {
    TEXT: {
        "text": "bg surface sunken accent-soft me ok-soft warn-soft breach-soft",
        "text2": "bg surface sunken accent-soft me",
        "text3": "bg surface sunken",
        "accent": "bg surface sunken accent-soft me",
        "on-accent": "accent",
        "ok": "surface ok-soft",
        "warn": "surface warn-soft",
        "breach": "surface breach-soft",
        "note-ink": "note",
        "surface": "text",
    },
    SHAPE: {
        "control": "bg surface sunken",
        "focus": "bg surface sunken accent-soft note me",
        "accent": "surface bg",
        "note-ink": "bg surface",
        "ok": "sunken",
    },
}


def _tokens() -> dict[str, tuple[str, str]]:
    found = re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", TOKENS.read_text())
    return {name: (light, dark) for name, light, dark in found}


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("mode", "name"), [(0, "light"), (1, "dark")])
def test_no_pair_of_colours_is_hard_to_read(mode: int, name: str) -> None:
    tokens = _tokens()
    weak = [
        f"{ink} on {paper} in {name}: {found:.2f}, needs {least}"
        for least, inks in PAIRS.items()
        for ink, papers in inks.items()
        for paper in papers.split()
        if (found := contrast(tokens[ink][mode], tokens[paper][mode])) < least
    ]
    assert weak == []


def test_the_computation_knows_black_on_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") < TEXT


def test_styles_use_no_colour_beside_the_tokens() -> None:
    for name in ("app.css", "pages.css"):
        styles = re.sub(r"/\*.*?\*/", "", (TOKENS.parent / name).read_text(), flags=re.DOTALL)
        styles = styles.replace("background: #fff; color-scheme: light;", "")  # a mail's own paper is white
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b", styles) == [], name
