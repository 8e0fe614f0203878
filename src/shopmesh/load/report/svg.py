"""Renders plots as SVG: lines, bands, bars and marks in a frame with two axes. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from shopmesh.load.report.escaping import escape

WIDTH, HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 34

Point = tuple[float, float]
Scale = Callable[[float], float]


def linear(low: float, high: float) -> Scale:
    """From 0 at `low` to 1 at `high`."""
    span = high - low or 1.0
    return lambda value: (value - low) / span


def logarithmic(low: float, high: float) -> Scale:
    first, span = math.log(low), math.log(high / low) or 1.0
    return lambda value: (math.log(max(value, low)) - first) / span


def ticks(high: float, most: int = 5) -> list[float]:
    """Round numbers from 0 to `high` or a little less."""
    if high <= 0:
        return [0.0]
    rough = high / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [number * step for number in range(int(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """The powers of ten from the last one not above `low` to the first one not below `high`: two at least."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def between_decades(powers: Sequence[float]) -> list[float]:
    """2 and 5 times each power of ten but the last: where a logarithmic axis has its smaller ticks."""
    return [factor * power for power in powers[:-1] for factor in (2, 5)]


class Plot:
    """One frame; `x` and `y` map values to 0..1. Later elements cover earlier ones."""

    def __init__(self, title: str, x: Scale, y: Scale) -> None:
        self._title = title
        self._x, self._y = x, y
        self._parts: list[str] = []

    def axes(
        self,
        xs: Sequence[tuple[float, str]],
        ys: Sequence[tuple[float, str]],
        x_title: str,
        y_title: str = "",
    ) -> None:
        """Lines and labels at these values; a label may be empty."""
        for value, label in ys:
            y = self._pixel_y(value)
            self._parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            self._parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>')
        for value, label in xs:
            x = self._pixel_x(value)
            self._parts.append(
                f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 15}" text-anchor="middle">{escape(label)}</text>'
            )
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        self._parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_title)}</text>')
        if y_title:
            turned = f"translate(11 {(_TOP + HEIGHT - _BOTTOM) / 2:.1f}) rotate(-90)"
            self._parts.append(f'<text transform="{turned}" text-anchor="middle">{escape(y_title)}</text>')

    def line(self, points: Sequence[Point], style: str) -> None:
        if points:
            path = " ".join(f"{self._pixel_x(x):.1f},{self._pixel_y(y):.1f}" for x, y in points)
            self._parts.append(f'<polyline class="line {style}" points="{path}"/>')

    def band(self, lower: Sequence[Point], upper: Sequence[Point], style: str) -> None:
        """The area between two lines over the same values."""
        if lower:
            path = " ".join(f"{self._pixel_x(x):.1f},{self._pixel_y(y):.1f}" for x, y in [*upper, *reversed(lower)])
            self._parts.append(f'<polygon class="band {style}" points="{path}"/>')

    def bar(self, begin: float, end: float, low: float, high: float, style: str, tooltip: str) -> None:
        x, width = self._pixel_x(begin), max(1.0, self._pixel_x(end) - self._pixel_x(begin) - 1)
        y, height = self._pixel_y(high), max(0.5, self._pixel_y(low) - self._pixel_y(high))
        self._parts.append(
            f'<rect class="bar {style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
            f"<title>{escape(tooltip)}</title></rect>"
        )

    def dot(self, point: Point, style: str, tooltip: str) -> None:
        """A point with a tooltip."""
        x, y = self._pixel_x(point[0]), self._pixel_y(point[1])
        self._parts.append(
            f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(tooltip)}</title></circle>'
        )

    def mark(self, at: float, tooltip: str) -> None:
        """A vertical line with a flag."""
        x = self._pixel_x(at)
        self._parts.append(
            f'<g class="mark"><line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
            f'<path d="M{x:.1f} {_TOP}l7 4l-7 4z"/><title>{escape(tooltip)}</title></g>'
        )

    def to_svg(self) -> str:
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self._title)}">'
            f"{''.join(self._parts)}</svg>"
        )

    def _pixel_x(self, value: float) -> float:
        return _LEFT + min(1.0, max(0.0, self._x(value))) * (WIDTH - _LEFT - _RIGHT)

    def _pixel_y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - min(1.0, max(0.0, self._y(value))) * (HEIGHT - _TOP - _BOTTOM)
