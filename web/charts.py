"""Charts as SVG and tables made on the server: no script, no inline style, the same on screens, paper and in mail.

Colour is never alone: lines differ by dash and are labelled at their end, cells of the heat table hold their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Number = float | None


@dataclass(frozen=True, slots=True)
class Series:
    """`kind` is a class of the style sheet, which gives it colour and dash."""

    name: str
    kind: str
    values: Sequence[Number]


@dataclass(frozen=True, slots=True)
class Band:
    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Size:
    """In units of the drawing, which is scaled to its place; `every` n-th label of the x axis is written."""

    width: int
    height: int
    every: int
    kind: str = ""


def line_chart(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    size: Size,
    shown: Callable[[float], str],
    band: Band | None = None,
) -> Markup:
    """Lines over equal steps. A None interrupts its line; a value between two of them is drawn as a dot."""
    left, right, top, bottom = 34, 86, 12, 26
    values = [v for line in series for v in line.values if v is not None]
    highest = _nice(max([*values, band.high * 1.15 if band else 0, 1]))
    width, height = size.width - left - right, size.height - top - bottom

    def x(index: int) -> float:
        return round(left + (width * index / max(len(labels) - 1, 1)), 1)

    def y(value: float) -> float:
        return round(top + height * (1 - min(value, highest) / highest), 1)

    parts = []
    if band is not None:
        parts.append(
            f'<rect class="chart-band" x="{left}" y="{y(band.high)}" width="{width}" '
            f'height="{round(y(band.low) - y(band.high), 1)}"/>'
        )
    for step in range(5):
        value = highest * step / 4
        parts.append(f'<line class="chart-grid" x1="{left}" x2="{left + width}" y1="{y(value)}" y2="{y(value)}"/>')
        parts.append(f'<text class="chart-text end" x="{left - 6}" y="{y(value) + 4}">{escape(shown(value))}</text>')
    if band is not None:
        label = f'<text class="chart-text chart-label" x="{left + 6}" y="{y(band.high) - 5}">{escape(band.name)}</text>'
    for index in range(0, len(labels), size.every):
        parts.append(
            f'<text class="chart-text middle" x="{x(index)}" y="{size.height - 6}">{escape(labels[index])}</text>'
        )
    ends: list[tuple[float, int, str]] = []
    for place, line in enumerate(series):
        parts += _line(line, x, y)
        last = next((v for v in reversed(line.values) if v is not None), None)
        if last is not None:
            ends.append((y(last), -place, f"{line.name} {shown(last)}"))
    if band is not None:
        parts.append(label)
    for at, name in _apart(ends, 15, top + height):
        parts.append(
            f'<text class="chart-text chart-name" x="{left + width + 8}" y="{round(at + 4, 1)}">{escape(name)}</text>'
        )
    said = "; ".join(name for *_, name in sorted(ends))
    return Markup(
        f'<svg class="chart {escape(size.kind)}" viewBox="0 0 {size.width} {size.height}" role="img" '
        f'aria-label="{escape(title)}: {escape(said)}">{"".join(parts)}</svg>'
    )


def _line(line: Series, x: Callable[[int], float], y: Callable[[float], float]) -> list[str]:
    pieces: list[list[int]] = [[]]
    for index, value in enumerate(line.values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(index)
    drawn = []
    for piece in pieces:
        points = " ".join(f"{x(i)},{y(line.values[i] or 0)}" for i in piece)
        if len(piece) == 1:
            centre = x(piece[0]), y(line.values[piece[0]] or 0)
            drawn.append(f'<circle class="chart-dot {escape(line.kind)}" cx="{centre[0]}" cy="{centre[1]}" r="3"/>')
        elif piece:
            drawn.append(f'<polyline class="chart-line {escape(line.kind)}" points="{points}"/>')
    return drawn


def table(caption: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], *, corner: str) -> Markup:
    """The figures of a chart for readers and for copying."""
    head = "".join(f'<th scope="col" class="number">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells)
        + "</tr>"
        for name, cells in rows
    )
    return Markup(
        f'<table class="table"><caption>{escape(caption)}</caption><thead><tr><th scope="col">{escape(corner)}</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table>"
    )


@dataclass(frozen=True, slots=True)
class Heat:
    """`step` 0 to 5 by the target and never by the highest value; `few` marks a cell of too few cases."""

    text: str
    said: str
    step: int
    few: bool = False


def heat_table(
    caption: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Heat | None]]], *, corner: str
) -> Markup:
    """A real table whose cells are coloured in six steps and print their number."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = []
    for name, cells in rows:
        line = [f'<tr><th scope="row">{escape(name)}</th>']
        for cell in cells:
            if cell is None:
                line.append('<td class="heat-none">–</td>')
                continue
            few = " few" if cell.few else ""
            line.append(f'<td class="heat-{cell.step}{few}" title="{escape(cell.said)}">{escape(cell.text)}</td>')
        body.append("".join(line) + "</tr>")
    return Markup(
        f'<table class="heat"><caption class="for-readers">{escape(caption)}</caption><thead><tr>'
        f'<th scope="col"><span class="for-readers">{escape(corner)}</span></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """`kind` is a class of the style sheet."""

    name: str
    value: float
    said: str
    kind: str = ""


def bar_chart(title: str, bars: Sequence[Bar]) -> Markup:
    """One lying bar below the other, its name before it and its number after it."""
    left, right, row = 110, 110, 30
    width, height = 620, row * len(bars) + 4
    highest = max([bar.value for bar in bars] + [1])
    parts = []
    for place, bar in enumerate(bars):
        middle = place * row + row / 2 + 2
        long = round((width - left - right) * bar.value / highest, 1)
        parts.append(f'<text class="chart-text end" x="{left - 8}" y="{middle + 4}">{escape(bar.name)}</text>')
        parts.append(
            f'<rect class="chart-bar {escape(bar.kind)}" x="{left}" y="{middle - 9}" '
            f'width="{long}" height="18" rx="3"/>'
        )
        parts.append(f'<text class="chart-text" x="{left + long + 8}" y="{middle + 4}">{escape(bar.said)}</text>')
    said = "; ".join(f"{bar.name}: {bar.said}" for bar in bars)
    return Markup(
        f'<svg class="chart chart-bars" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}: {escape(said)}">{"".join(parts)}</svg>'
    )


def _nice(value: float) -> float:
    """The next value that four grid lines divide into round steps."""
    step = 1.0
    while True:
        for factor in (1, 2, 4, 6, 8):
            if value <= step * factor:
                return step * factor
        step *= 10


def _apart(ends: list[tuple[float, int, str]], least: float, lowest: float) -> list[tuple[float, str]]:
    """Labels moved so that none covers another and none falls below the axis."""
    placed: list[tuple[float, str]] = []
    for at, _, name in sorted(ends):
        placed.append((max(at, placed[-1][0] + least) if placed else at, name))
    over = placed[-1][0] - lowest if placed else 0
    return [(at - over, name) for at, name in placed] if over > 0 else placed
