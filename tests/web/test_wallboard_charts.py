"""Charts are drawings and tables that hold their figures in text."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from web.charts import Band, Heat, Series, Size, heat_table, line_chart, table

SIZE = Size(760, 240, 2)
values = st.lists(st.one_of(st.none(), st.floats(0, 1e5, allow_nan=False)), max_size=40)


def chart(*series: Series, labels: int = 3) -> ElementTree.Element:
    drawn = line_chart(
        "Waits <today> & now",
        [f"{hour:02}:00" for hour in range(labels)],
        series,
        size=SIZE,
        shown=lambda value: f"{value:.1f}",
        band=Band("target 3–5 min", 3, 5),
    )
    return ElementTree.fromstring(drawn)


def test_a_chart_says_its_last_values_and_draws_lines_that_differ_by_more_than_colour() -> None:
    drawn = chart(Series("p50", "median", [1, 2, 3]), Series("p90", "p90", [2, 4, 6]))
    assert drawn.get("role") == "img"
    said = drawn.get("aria-label") or ""
    assert said.startswith("Waits <today> & now: ")
    assert "p50 3.0" in said
    assert "p90 6.0" in said
    assert [line.get("class") for line in drawn.iter("polyline")] == ["chart-line median", "chart-line p90"]


def test_a_gap_interrupts_the_line_and_a_lonely_value_is_a_dot() -> None:
    drawn = chart(Series("p50", "median", [1, 2, None, 3, None, 4, 5]), labels=7)
    assert len(list(drawn.iter("polyline"))) == 2
    assert len(list(drawn.iter("circle"))) == 1


@given(values, values)
def test_any_figures_are_drawn_inside_the_frame(first: list[float | None], second: list[float | None]) -> None:
    size = max(len(first), len(second))
    drawn = chart(Series("a", "median", first), Series("b", "p90", second), labels=size)
    for line in drawn.iter("polyline"):
        for x, y in re.findall(r"([\d.]+),([\d.]+)", line.get("points") or ""):
            assert 0 <= float(x) <= SIZE.width
            assert 0 <= float(y) <= SIZE.height
    names = sorted(
        float(text.get("y") or 0) for text in drawn.iter("text") if "chart-name" in (text.get("class") or "")
    )
    assert all(below - above >= 14.9 for above, below in pairwise(names))
    assert "style" not in ElementTree.tostring(drawn, encoding="unicode")


def test_tables_hold_every_figure_and_escape_what_they_are_given() -> None:
    made = ElementTree.fromstring(table("Waits", ["p50", "p90"], [("<07:00>", ["1:00", "2:00"])], corner="Half-hour"))
    assert [cell.text for cell in made.iter("td")] == ["1:00", "2:00"]
    assert [cell.text for cell in made.iter("th")] == ["Half-hour", "p50", "p90", "<07:00>"]


def test_a_heat_table_prints_its_numbers_and_marks_the_doubtful() -> None:
    cells = [Heat("4.2", "4:12, 2 answers", 3, few=True), None]
    made = ElementTree.fromstring(heat_table("Week", ["07", "08"], [("Mon", cells)], corner="Day"))
    found = list(made.iter("td"))
    assert [(cell.get("class"), cell.text) for cell in found] == [("heat-3 few", "4.2"), ("heat-none", "–")]
    assert found[0].get("title") == "4:12, 2 answers"
