"""The look of the notebooks' plots: colours that the colour-blind tell apart, readable sizes."""

from __future__ import annotations

import io
from typing import Any

import matplotlib.pyplot as plt
from cycler import cycler

# Okabe and Ito, Color Universal Design (2008).
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip


def use_style() -> None:
    """Set matplotlib's defaults for the plots of the course."""
    plt.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY]),
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "figure.figsize": (7.0, 3.6),
            "font.size": 11,
            "grid.alpha": 0.3,
            "image.cmap": "cividis",
            "image.interpolation": "nearest",
        }
    )


class Jpeg:
    """What a cell ends with to show a JPEG."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return "<JPEG>"

    def _repr_jpeg_(self) -> bytes:
        return self.data


def as_jpeg(figure: Any, dpi: int = 80, quality: int = 55) -> Jpeg:
    """The figure for a cell to end with: a notebook that shows noisy images stays light."""
    file = io.BytesIO()
    figure.savefig(file, format="jpeg", dpi=dpi, pil_kwargs={"quality": quality})
    plt.close(figure)
    return Jpeg(file.getvalue())
