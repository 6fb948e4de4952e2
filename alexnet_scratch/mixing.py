"""Training images blended with others of their batch: mixup, and the 2013 code's fade before it.

Pure functions of images, labels and what is drawn, for NumPy's, CuPy's and PyTorch's arrays alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .recipe.fields import Recipe

FADED = 0.75  # what is left of an image that another one is faded into


@dataclass(frozen=True)
class Mix:
    """Image i of a batch of N becomes share[i] of itself and the rest of image partner[i].

    partner: (N,) int64. share: (N,) float32, at least a half. labels: do the partners' labels count
    with their share, or only an image's own? Either way its own is the larger part, so that is what
    a prediction is held to.
    """

    partner: NDArray[np.int64]
    share: NDArray[np.float32]
    labels: bool


def drawn_mix(recipe: Recipe, step: int, images: int) -> Mix | None:
    """What is drawn for training step `step` (from 0) on so many images; None for a recipe without.

    A function of the recipe's seed and the step alone.

    mixup: one share for the batch, from Beta(mixup, mixup), and a permutation; a share below a half
    is exchanged with its rest, which for all images together is the inverse permutation (Zhang et
    al. 2018, whose code has one share a batch, too). fade: the share `fade` of the images keeps
    0.75 and gets 0.25 of another one; labels stay (cuda-convnet's convdata_jpeg.py, where chunks of
    images that share their crop are faded, with 5% or 15% probability).
    """
    if not recipe.mixup and not recipe.fade:
        return None
    rng = np.random.default_rng(np.random.SeedSequence([recipe.seed, step], spawn_key=(1,)))
    if recipe.mixup:
        share = rng.beta(recipe.mixup, recipe.mixup)
        shares = np.full(images, max(share, 1 - share), np.float32)
        return Mix(rng.permutation(images), shares, labels=True)
    faded = rng.random(images) < recipe.fade
    other = rng.integers(1, max(images, 2), images)
    shares = np.where(faded, FADED, 1.0).astype(np.float32)
    return Mix((np.arange(images) + other) % images, shares, labels=False)


def mixed(images: Any, partners: Any, share: Any) -> Any:
    """share * images + (1 - share) * partners, for images (n, ...) and shares (n,)."""
    share = share.reshape((-1,) + (1,) * (images.ndim - 1))
    return images * share + partners * (1 - share)


def mixed_labels(labels: NDArray[np.int64], classes: int, mix: Mix) -> NDArray[np.float64]:
    """The probabilities (N, classes) that stand for two labels, each with its share."""
    target, rows = np.zeros((len(labels), classes)), np.arange(len(labels))
    np.add.at(target, (rows, labels), mix.share)
    np.add.at(target, (rows, labels[mix.partner]), 1 - mix.share)
    return target
