"""Line charts as inline SVG, without scripts: axes, grid, labels, and a title under the pointer.

Matplotlib's SVG of the same curve (500 points and their mean, log axis) has 34 to 38 KB, this one 40 KB with the values
under the pointer; it takes 1.2 s to import and three times as long to draw, its colours do not follow the page into the
dark, and it would be a dependency for four curves. So these stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 38
_POINTS = 700  # more points than pixels only make the file larger
_HOVERS = 140
_LOG_FROM = 20  # ratio of largest to smallest value from which a log axis reads better


@dataclass(frozen=True, slots=True)
class Chart:
    """One quantity by step. ``smooth``: also draw a running mean and let the raw line stand back. ``log``: draw a wide
    range on a log axis. ``across``: what is counted from left to right."""

    title: str
    unit: str
    steps: Sequence[float]
    values: Sequence[float]
    smooth: bool = False
    log: bool = False
    across: str = "step"


@dataclass(frozen=True, slots=True)
class Axis:
    """Data to pixels along one side."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(max(value, self.low))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def smoothed(values: Sequence[float], half_life: float) -> list[float]:
    """Mean weighted by distance to both sides, so that it does not lag; weights halve every ``half_life`` points."""
    keep = 0.5 ** (1 / half_life)
    before, after = _decayed(values, keep), _decayed(values[::-1], keep)[::-1]
    pairs = zip(before, after, values, strict=True)
    return [(left[0] + right[0] - value) / (left[1] + right[1] - 1) for left, right, value in pairs]


def _decayed(values: Sequence[float], keep: float) -> list[tuple[float, float]]:
    """For each point the weighted sum of it and all before it, and the sum of the weights."""
    total, weight, sums = 0.0, 0.0, []
    for value in values:
        total, weight = keep * total + value, keep * weight + 1
        sums.append((total, weight))
    return sums


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers (1, 2, 2.5 or 5 times a power of ten) from low to high."""
    if high <= low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= raw * 0.999), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from low to high; the powers alone over more than three decades."""
    multiples = (1,) if high / low > 1000 else (1, 2, 5)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p in powers for m in multiples if low <= m * 10.0**p <= high]


def compact(value: float) -> str:
    """A number for an axis: 0.02, 3.5, 12k, 1.5M, 2e-05."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.3g}M"
    if size >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:.0e}" if 0 < size < 1e-3 else f"{value:.4g}"


def draw(chart: Chart) -> str:
    """The chart as an ``<svg>`` that scales with the page; a note instead if there are no finite values."""
    points = [(s, v) for s, v in zip(chart.steps, chart.values, strict=True) if math.isfinite(s) and math.isfinite(v)]
    if not points:
        return f'<p class="quiet">{escape(chart.title)}: nothing was recorded.</p>'
    points = _thinned(points)
    steps, values = [s for s, _ in points], [v for _, v in points]
    x = Axis(min(steps), max(steps), LEFT, WIDTH - RIGHT)
    y = _value_axis(values, chart.log)
    lines = [_line(points, x, y, "raw" if chart.smooth else "main")]
    means = smoothed(values, max(1.0, len(values) / 100)) if chart.smooth else values
    if chart.smooth:
        lines.append(_line(list(zip(steps, means, strict=True)), x, y, "main"))
    label = escape(f"{chart.title} by step", quote=True)
    head = f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
    return "".join([head, *_grid(x, y, chart.across), *lines, *_hovers(chart, points, means, x, y), "</svg>"])


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most ``_POINTS`` points: means of equal runs, so that no spike is picked or lost by chance."""
    size = math.ceil(len(points) / _POINTS)
    runs = [points[start : start + size] for start in range(0, len(points), size)]
    return [(run[-1][0], sum(v for _, v in run) / len(run)) for run in runs]


def _value_axis(values: Sequence[float], log: bool) -> Axis:
    low, high = min(values), max(values)
    if log and low > 0 and high / low > _LOG_FROM:
        return Axis(low / 1.1, high * 1.1, HEIGHT - BOTTOM, TOP, log=True)
    # A scale that starts at zero unless that would flatten the curve.
    base = 0.0 if low >= 0 and low < 0.5 * high else low - 0.08 * ((high - low) or abs(high) or 1.0)
    return Axis(base, high + 0.06 * ((high - base) or 1.0), HEIGHT - BOTTOM, TOP)


def _grid(x: Axis, y: Axis, across: str) -> list[str]:
    parts = []
    for value in log_ticks(y.low, y.high) if y.log else ticks(y.low, y.high):
        at = y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{compact(value)}</text>')
    floor = HEIGHT - BOTTOM
    for value in ticks(x.low, x.high):
        at = x(value)
        parts.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{floor}" y2="{floor + 4}"/>')
        parts.append(f'<text class="tick" x="{at:.1f}" y="{floor + 17}" text-anchor="middle">{compact(value)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>')
    parts.append(f'<text class="tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(across)}</text>')
    if y.log:
        parts.append(f'<text class="tick" x="4" y="{HEIGHT - 4}">log scale</text>')
    return parts


def _line(points: Sequence[tuple[float, float]], x: Axis, y: Axis, kind: str) -> str:
    if len(points) == 1:
        return f'<circle class="{kind} dot" cx="{x(points[0][0]):.1f}" cy="{y(points[0][1]):.1f}" r="3"/>'
    path = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points)
    return f'<polyline class="{kind}" points="{path}"/>'


def _hovers(
    chart: Chart, points: list[tuple[float, float]], means: Sequence[float], x: Axis, y: Callable[[float], float]
) -> list[str]:
    """Invisible columns over the plot: under the pointer one shows its point, and the browser its title."""
    every = max(1, len(points) // _HOVERS)
    chosen = [(step, raw, mean) for (step, raw), mean in zip(points, means, strict=True)][::every]
    width = (WIDTH - LEFT - RIGHT) / len(chosen)
    return [_hover(chart, item, x(item[0]), y(item[2]), width) for item in chosen]


def _hover(chart: Chart, item: tuple[float, float, float], at: float, height: float, width: float) -> str:
    step, raw, mean = item
    text = f"step {step:,.0f}: {mean:,.6g}{chart.unit}"
    if chart.smooth:
        text = f"step {step:,.0f}: {mean:.4g} smoothed, {raw:.4g} raw"
    box = f'<rect x="{at - width / 2:.1f}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM}"/>'
    return f'<g class="hover"><title>{escape(text)}</title>{box}<circle cx="{at:.1f}" cy="{height:.1f}" r="3.5"/></g>'


def interval(value: float, low: float, high: float, scale: float) -> str:
    """A bar from 0 to ``scale``: filled up to the value, with the interval as a whisker."""

    def at(number: float) -> float:
        return 2 + 116 * min(max(number / scale, 0.0), 1.0)

    title = f"{value:.4g}, 95% interval {low:.4g} to {high:.4g}, on a scale from 0 to {scale:g}"
    return (
        f'<svg class="bar" viewBox="0 0 120 16" role="img" aria-label="{title}"><title>{title}</title>'
        f'<rect class="track" x="2" y="5" width="116" height="6" rx="3"/>'
        f'<rect class="fill" x="2" y="5" width="{at(value) - 2:.1f}" height="6" rx="3"/>'
        f'<path class="whisker" d="M{at(low):.1f} 8H{at(high):.1f}M{at(low):.1f} 4V12M{at(high):.1f} 4V12"/></svg>'
    )
