"""What excites a unit, and which images the network finds alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minigrad import Tensor, nn

from .layers import Floats, activations


def peaks(model: nn.Module, x: Tensor, layer: str) -> tuple[Floats, NDArray[np.int64]]:
    """The largest value in each map of a layer, (N, units), and its row and column, (N, units, 2).

    A unit that is no map (fc7) has its value, at (0, 0).
    """
    given = activations(model, x, [layer])[layer]
    maps = given if given.ndim == 4 else given.reshape(len(given), -1, 1, 1)
    flat = maps.reshape(*maps.shape[:2], -1)
    best = flat.argmax(axis=2)
    values = np.take_along_axis(flat, best[..., None], axis=2)[..., 0]
    return values, np.stack(np.divmod(best, maps.shape[3]), axis=2)


def excited(values: Floats, count: int = 9) -> NDArray[np.int64]:
    """Of `peaks` over many images, the numbers of the images that excite each unit most, best
    first: (units, count), as in Zeiler and Fergus 2014, figure 2."""
    if not 1 <= count <= len(values):
        raise ValueError(f"excited: got count {count}, expected 1 to {len(values)}")
    return np.argsort(-values, axis=0, kind="stable")[:count].T


def nearest(features: Floats, queries: Floats, count: int) -> NDArray[np.int64]:
    """The `count` rows of features (M, D) nearest to each of queries (N, D), nearest first, by
    Euclidean distance: (N, count) (paper, section 6.1, with the 4096 numbers of fc7)."""
    if not 1 <= count <= len(features):
        raise ValueError(f"nearest: got count {count}, expected 1 to {len(features)}")
    squares = (features.astype(np.float64) ** 2).sum(axis=1)
    distances = squares - 2 * queries.astype(np.float64) @ features.T.astype(np.float64)
    return np.argsort(distances, axis=1, kind="stable")[:, :count]
