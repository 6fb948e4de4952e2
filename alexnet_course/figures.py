"""The paper's pictures of a trained network, as Matplotlib figures.

Figure 3: the filters of the first layer, a tower above the other. Figure 4: test images with their
five likeliest classes; and test images with the training images nearest to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alexnet_scratch.inside.draw import draw_filters, draw_neighbours, filter_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_filters", "draw_neighbours", "draw_predictions", "filter_grid"]

RIGHT, WRONG = "#D55E00", "#0072B2"  # of Okabe and Ito's colours, which all readers tell apart
TOP = 5


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # heavy, and only needed here

    return Figure(figsize=(width, height), layout="constrained")


def draw_predictions(
    images: NDArray[np.uint8],
    probabilities: NDArray[np.floating],
    labels: Sequence[int],
    classes: Sequence[str],
    columns: int = 4,
) -> Figure:
    """The paper's figure 4, left: images (N, H, W, 3), their likeliest classes as bars; the true
    class's bar has another colour. probabilities: (N, C)."""
    rows = -(-len(images) // columns)
    figure = _figure(2.2 * columns, 3.3 * rows)
    axes = figure.subplots(2 * rows, columns, height_ratios=[2, 1.2] * rows, squeeze=False)
    for n in range(rows * columns):
        above, below = axes[n // columns * 2 : n // columns * 2 + 2, n % columns]
        above.axis("off")
        below.axis("off")
        if n >= len(images):
            continue
        above.imshow(images[n])
        above.set_title(classes[labels[n]], fontsize=10)
        best = np.argsort(-probabilities[n], kind="stable")[:TOP]
        places = -np.arange(len(best))
        colours = [RIGHT if c == labels[n] else WRONG for c in best]
        below.barh(places, probabilities[n][best], color=colours, alpha=0.5)
        for place, c in zip(places, best, strict=True):
            below.text(0.02, place, classes[c], va="center", fontsize=9)
        below.set_xlim(0, 1)
    return figure
