"""The first layer's filters: the paper's figure 3, and its claim about colour in numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minigrad import arrays, nn

from .layers import Floats


def first_filters(model: nn.Module) -> tuple[str, list[NDArray[np.float32]]]:
    """The name of the first convolution, and its filters (F, 3, kh, kw), in two parts where the
    network has two towers: the next convolution then has groups, and reads half of them in each.

    Filters of a grey image come with three times the same colour. Raises ValueError for a network
    whose first convolution reads neither.
    """
    convolutions = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    if not convolutions or convolutions[0][1].weight.shape[1] not in (1, 3):
        raise ValueError("first_filters: the network has no first convolution of grey or colours")
    name, first = convolutions[0]
    weight = arrays.to_numpy(first.weight.data)
    if weight.shape[1] == 1:
        weight = np.repeat(weight, 3, axis=1)
    towers = convolutions[1][1].groups if len(convolutions) > 1 else 1
    return name, np.split(weight, towers if len(weight) % towers == 0 else 1)


def colourfulness(weight: Floats) -> Floats:
    """How far each filter (F, 3, kh, kw) is from grey, (F,): the share of its squared weights that
    is left when each place's mean over the colours is taken off. 0 is grey; 1 weighs colours
    against each other, whatever the brightness; independent random weights have about 2/3.

    The paper (section 6.1) says of its figure 3 that the filters of one GPU are "largely
    color-agnostic", those of the other "largely color-specific".
    """
    squares = (weight**2).sum(axis=(1, 2, 3))
    colour = ((weight - weight.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2, 3))
    return np.asarray(colour / np.where(squares > 0, squares, 1))


def random_halves(values: Floats, halves: int = 2000, seed: int = 0) -> float:
    """The share of random halves of values (F,) whose means differ as much as those of the first
    and the second half. Near 1: the halves differ no more than any; below 0.01: hardly by chance.
    """
    half = len(values) // 2
    rng = np.random.default_rng(seed)
    drawn = np.array([values, *(rng.permutation(values) for _ in range(halves))])
    gaps = np.abs(drawn[:, :half].mean(axis=1) - drawn[:, half:].mean(axis=1))
    return float((gaps[1:] >= gaps[0] * (1 - 1e-6)).mean())
