"""The paper's pictures of a trained network, as Matplotlib figures.

Figure 3: the filters of the first layer, a tower above the other. Figure 4: test images with their
five likeliest classes; and test images with the training images nearest to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RIGHT, WRONG = "#D55E00", "#0072B2"  # of Okabe and Ito's colours, which all readers tell apart
TOP = 5


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # heavy, and only needed here

    return Figure(figsize=(width, height), layout="constrained")


def filter_grid(weight: NDArray[np.floating], columns: int = 16) -> NDArray[np.float32]:
    """The filters (F, 3, kh, kw) side by side as an RGB picture (H, W, 3) of numbers from 0 to 1.

    Each filter is stretched by itself around grey, so that 0.5 is a weight of 0.
    """
    count, _, kh, kw = weight.shape
    rows = -(-count // columns)
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    shown = 0.5 + 0.5 * weight / np.where(largest > 0, largest, 1)
    grid = np.ones((rows * (kh + 1) - 1, columns * (kw + 1) - 1, 3), np.float32)
    for n, picture in enumerate(shown.transpose(0, 2, 3, 1)):
        i, j = n // columns * (kh + 1), n % columns * (kw + 1)
        grid[i : i + kh, j : j + kw] = picture
    return grid


def draw_filters(weight: NDArray[np.floating], towers: int = 2) -> Figure:
    """The paper's figure 3: the first layer's filters, the first tower's above the second's."""
    parts = np.split(weight, towers)
    columns = min(16, len(parts[0]))
    figure = _figure(8, 0.55 * towers * -(-len(parts[0]) // columns) + 0.4 * towers)
    for i, (axes, part) in enumerate(zip(np.ravel(figure.subplots(towers, 1)), parts, strict=True)):
        axes.imshow(filter_grid(part, columns), interpolation="nearest")
        axes.set_title(f"tower {i + 1}" if towers > 1 else "filters of conv1", fontsize=10)
        axes.axis("off")
    return figure


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


def draw_neighbours(queries: NDArray[np.uint8], found: Sequence[NDArray[np.uint8]]) -> Figure:
    """The paper's figure 4, right: each query (H, W, 3) and, after a gap, the images found for it,
    nearest first: found[n] (K, H, W, 3)."""
    columns = 1 + len(found[0])
    figure = _figure(1.1 * columns + 0.3, 1.15 * len(queries))
    axes = figure.subplots(
        len(queries), columns + 1, width_ratios=[1, 0.25, *[1] * (columns - 1)], squeeze=False
    )
    for n, query in enumerate(queries):
        axes[n, 0].imshow(query)
        for k, image in enumerate(found[n]):
            axes[n, k + 2].imshow(image)
    for each in axes.ravel():
        each.axis("off")
    axes[0, 0].set_title("test", fontsize=10)
    axes[0, 2].set_title("nearest", fontsize=10)
    return figure
