"""Needed, planned and present people over a day, as SVG. Shapes differ, so colour is never alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Bar:
    """`label` is written below; `present` is None for what is to come."""

    label: str
    needed: float
    planned: float
    present: float | None


@dataclass(frozen=True, slots=True)
class Legend:
    needed: str
    planned: str
    present: str


@dataclass(frozen=True, slots=True)
class Frame:
    """In units of the drawing; every `every` n-th label is written."""

    width: int
    height: int
    every: int
    kind: str


def people_chart(
    title: str, bars: Sequence[Bar], legend: Legend, *, frame: Frame, shown: Callable[[float], str]
) -> Markup:
    """Planned people as filled bars, needed ones as a stepped line, those who were online as dots."""
    left, right, top, bottom = 30, 8, 30, 24
    highest = _nice(max([1.0, *(max(bar.needed, bar.planned, bar.present or 0) for bar in bars)]))
    width, height = frame.width - left - right, frame.height - top - bottom
    step = width / max(len(bars), 1)

    def y(value: float) -> float:
        return round(top + height * (1 - value / highest), 1)

    parts = []
    for tick in range(highest + 1) if highest <= 6 else range(0, highest + 1, highest // 4):
        parts.append(f'<line class="chart-grid" x1="{left}" x2="{left + width}" y1="{y(tick)}" y2="{y(tick)}"/>')
        parts.append(f'<text class="chart-text end" x="{left - 6}" y="{y(tick) + 4}">{escape(shown(tick))}</text>')
    line, dots = [], []
    for index, bar in enumerate(bars):
        x = left + step * index
        if bar.planned:
            parts.append(
                f'<rect class="people-planned" x="{x + 1:.1f}" y="{y(bar.planned)}" width="{max(step - 2, 1):.1f}" '
                f'height="{round(y(0) - y(bar.planned), 1)}"/>'
            )
        line.append(f"{'M' if not index else 'L'}{x:.1f},{y(bar.needed)}H{x + step:.1f}")
        if bar.present is not None:
            dots.append(f'<circle class="people-present" cx="{x + step / 2:.1f}" cy="{y(bar.present)}" r="3"/>')
        if index % frame.every == 0:
            parts.append(f'<text class="chart-text" x="{x:.1f}" y="{frame.height - 6}">{escape(bar.label)}</text>')
    parts.append(f'<path class="people-needed" d="{"".join(line)}"/>')
    parts += dots
    parts += _legend(legend, left, any(bar.present is not None for bar in bars))
    most = max((bar.needed for bar in bars), default=0)
    said = f"{legend.needed} {shown(most)}"
    return Markup(
        f'<svg class="chart {escape(frame.kind)}" viewBox="0 0 {frame.width} {frame.height}" role="img" '
        f'aria-label="{escape(title)}: {escape(said)}">{"".join(parts)}</svg>'
    )


def _legend(legend: Legend, left: int, with_present: bool) -> list[str]:
    """Each with its shape before it."""
    parts = [
        f'<path class="people-needed" d="M{left},12H{left + 18}"/>',
        f'<text class="chart-text" x="{left + 23}" y="16">{escape(legend.needed)}</text>',
    ]
    at = left + 36 + 7 * len(legend.needed)
    parts.append(f'<rect class="people-planned" x="{at}" y="6" width="14" height="11"/>')
    parts.append(f'<text class="chart-text" x="{at + 19}" y="16">{escape(legend.planned)}</text>')
    if with_present:
        at += 32 + 7 * len(legend.planned)
        parts.append(f'<circle class="people-present" cx="{at + 5}" cy="12" r="3"/>')
        parts.append(f'<text class="chart-text" x="{at + 14}" y="16">{escape(legend.present)}</text>')
    return parts


def _nice(value: float) -> int:
    """A whole number that four grid lines divide, or a small one."""
    if value <= 6:
        return int(-(-value // 1))
    step = 4
    while step < value:
        step += 4
    return step
