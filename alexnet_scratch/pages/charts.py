"""Curves of training as SVG inside a page: in the page's colours, readable at a phone's width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .parts import text

WIDTH, HEIGHT = 400, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 38  # around the plot, in the SVG's own units
MOST_POINTS = 400  # of a line; a screen shows no more
FEW_POINTS = 30  # each of which gets a dot


@dataclass(frozen=True)
class Line:
    """A curve: its name, and a value for each epoch."""

    name: str
    values: Sequence[float]


def chart(
    title: str,
    epochs: Sequence[int],
    lines: Sequence[Line],
    most: float,
    form: Callable[[float], str],
    guess: tuple[str, float],
) -> str:
    """A figure: up to three lines over the epochs, from 0 to `most`.

    form: how a value is written. guess: what guessing gives, its name and its value.
    """
    last = max(epochs[-1], 2)

    def x(epoch: float) -> float:
        return LEFT + (epoch - 1) / (last - 1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (1 - min(value, most) / most) * (HEIGHT - TOP - BOTTOM)

    parts = [_grid(x, y, last, most, form)]
    parts.append(_rule("guess", x(1), y(guess[1]), x(last), y(guess[1])))
    for number, line in enumerate(lines, 1):
        points = [(x(e), y(v)) for e, v in _thinned(list(zip(epochs, line.values, strict=True)))]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline class="line s{number}" points="{path}"/>')
        if len(points) <= FEW_POINTS:
            parts += [f'<circle class="dot s{number}" cx="{a:.1f}" cy="{b:.1f}" r="2.6"/>'
                      for a, b in points]  # fmt: skip
    said = "; ".join(
        f"{line.name} from {form(line.values[0])} to {form(line.values[-1])}" for line in lines
    )
    words = f"{title} over {len(epochs)} epochs: {said}; {guess[0]} is {form(guess[1])}."
    keys = [_key(f"line s{n}", line.name) for n, line in enumerate(lines, 1)]
    return (
        f"<figure><figcaption>{text(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(words)}">'
        f"{''.join(parts)}</svg>"
        f'<ul class="legend">{"".join([*keys, _key("guess", guess[0])])}</ul></figure>'
    )


def _grid(
    x: Callable[[float], float], y: Callable[[float], float], last: int, most: float,
    form: Callable[[float], str],
) -> str:  # fmt: skip
    """Horizontal lines with their values, and the epochs below."""
    parts = []
    for value in ticks(most):
        parts.append(_rule("grid", LEFT, y(value), WIDTH - RIGHT, y(value)))
        parts.append(
            f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{form(value)}</text>'
        )
    for epoch in sorted({1, *(int(t) for t in ticks(last) if t >= 1 and t == int(t))}):
        parts.append(
            f'<text x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{epoch}'
            "</text>"
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">epoch</text>')
    return "".join(parts)


def ticks(most: float) -> list[float]:
    """Four to six round numbers from 0 to `most`."""
    step = 10 ** math.floor(math.log10(most / 2))
    step = next(step * factor for factor in (1, 2, 5, 10) if most / (step * factor) < 6)
    return [i * step for i in range(int(most / step + 1e-9) + 1)]


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The points, or every so manieth and the last, where a screen shows no more."""
    every = -(-len(points) // MOST_POINTS)
    return points[::every] + points[-1:] * (every > 1)


def _rule(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _key(kind: str, name: str) -> str:
    rule = f'<line class="{kind}" x1="0" y1="5" x2="28" y2="5"/>'
    return f'<li><svg viewBox="0 0 28 10" aria-hidden="true">{rule}</svg>{text(name)}</li>'
