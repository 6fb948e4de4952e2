"""Notebook 11's drawing of the two towers, and which card reads what."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from .style import BLACK, GREEN, RED, SKY

_BOXES = (  # name, maps or units a tower, side, whether it reads both towers
    ("conv1", 48, 55, False), ("conv2", 128, 27, False), ("conv3", 192, 13, True),
    ("conv4", 192, 13, False), ("conv5", 128, 13, False), ("fc6", 2048, 0, True),
    ("fc7", 2048, 0, True),
)  # fmt: skip
_APART = 1.45  # from one layer to the next
_ARROW = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "linewidth": 1.6}


def draw_towers() -> None:
    """The layers of both cards; black arrows stay on a card, red ones cross."""
    _, axes = plt.subplots(figsize=(9, 3.9))

    def box(x: float, y: float, text: str, colour: str) -> None:
        face = Rectangle((x, y - 0.4), 0.98, 0.8, facecolor=colour, alpha=0.45, edgecolor=BLACK)
        axes.add_patch(face)
        axes.text(x + 0.49, y, text, ha="center", va="center", fontsize=8.5)

    def arrow(start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
        axes.annotate("", end, start, arrowprops=_ARROW | {"color": colour})

    box(-_APART, 1, "image\n224 x 224\n3 colours", "white")
    for i, (name, count, side, reads_both) in enumerate(_BOXES):
        x, size = _APART * i, f"{count} maps\n{side} x {side}" if side else f"{count}\nunits"
        for y, other, colour in ((1.9, 0.1, SKY), (0.1, 1.9, GREEN)):
            box(x, y, f"{name}\n{size}", colour)
            arrow((x - 0.47, y if i else 1), (x, y), BLACK)
            if reads_both:
                arrow((x - 0.47, other), (x, y), RED)
    last = _APART * len(_BOXES)
    box(last, 1.9, "fc8\n1000\nclasses", SKY)
    for y, colour in ((1.9, BLACK), (0.1, RED)):
        arrow((last - 0.47, y), (last, 1.9), colour)
    axes.text(-_APART, 2.2, "card A", fontsize=11)
    axes.text(-_APART, -0.3, "card B", fontsize=11)
    axes.set(xlim=(-1.5, 11.2), ylim=(-0.5, 2.5))
    axes.axis("off")
    plt.show()
