"""A plot with two logarithmic axes, as SVG, by hand: no library is worth it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

_WIDTH, _HEIGHT = 420, 300
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 30, 20, 110
_COLOURS = ["#0b6e99", "#c05621", "#2f855a", "#6b46c1"]


@dataclass(frozen=True)
class Curve:
    """One diagram: lines by name, each of (x, seconds)."""

    x_title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]


def curves(diagrams: Sequence[Curve], title: str) -> str:
    """Return the SVG with the diagrams side by side."""
    names = dict.fromkeys(name for curve in diagrams for name in curve.lines)
    colours = dict(zip(names, _COLOURS, strict=False))
    parts = [
        _diagram(curve, number * (_WIDTH + 20), colours)
        for number, curve in enumerate(diagrams)
        if curve.lines
    ]
    width = len(diagrams) * (_WIDTH + 20)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="11">\n'
        f'<rect width="{width}" height="{_HEIGHT}" fill="white"/>\n'
        f'<text x="{_LEFT}" y="16" font-weight="bold">Seconds {escape(title)}</text>\n'
        + "".join(parts) + "</svg>\n"
    )


def _diagram(curve: Curve, left: int, colours: Mapping[str, str]) -> str:
    points = [point for line in curve.lines.values() for point in line]
    across = _Axis([x for x, _ in points], left + _LEFT, left + _WIDTH - _RIGHT)
    up = _Axis([y for _, y in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [_grid(across, up)]
    for number, (name, line) in enumerate(curve.lines.items()):
        colour = colours[name]
        path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in line)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>\n'
        )
        y = _HEIGHT - _BOTTOM + 52 + 16 * number
        parts.append(
            f'<line x1="{across.low}" x2="{across.low + 20}" y1="{y - 4}" y2="{y - 4}" '
            f'stroke="{colour}" stroke-width="2"/>'
            f'<text x="{across.low + 26}" y="{y}">{escape(name)}</text>\n'
        )
    middle, y = (across.low + across.high) / 2, _HEIGHT - _BOTTOM + 32
    title = escape(curve.x_title)
    parts.append(f'<text x="{middle}" y="{y}" text-anchor="middle">{title}</text>\n')
    return "".join(parts)


class _Axis:
    """From values to places on the paper, by powers of ten."""

    def __init__(self, values: Sequence[float], low: int, high: int) -> None:
        self.low, self.high = low, high
        self.first, self.last = floor(log10(min(values))), ceil(log10(max(values)))

    def at(self, value: float) -> float:
        share = (log10(value) - self.first) / max(1, self.last - self.first)
        return self.low + share * (self.high - self.low)

    @property
    def ticks(self) -> list[int]:
        return list(range(self.first, self.last + 1))


def _short(power: int) -> str:
    """Return a power of ten in few letters: 1, 10, 100, 1k, ... 1M."""
    unit = max(0, min(power // 3, 3))
    return f"{10 ** (power - 3 * unit):g}{' kMG'[unit].strip()}"


def _grid(across: _Axis, up: _Axis) -> str:
    lines = []
    for power in across.ticks:
        x = across.at(10**power)
        lines.append(f'<line x1="{x}" x2="{x}" y1="{up.high}" y2="{up.low}" stroke="#ddd"/>')
        lines.append(f'<text x="{x}" y="{up.low + 14}" text-anchor="middle">{_short(power)}</text>')
    for power in up.ticks:
        y = up.at(10**power)
        left, right = across.low, across.high
        lines.append(f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        lines.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{10**power:g}</text>')
    return "\n".join(lines) + "\n"
