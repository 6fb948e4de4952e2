"""What stands beside the network: the learner's functions that have no backward, and what the
course takes where one is not there, in the same signature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.sgd import Rule, Update
from minigrad.kernels.sgd import sgd_step as in_place
from minigrad.kernels.softmax import softmax_forward

from . import walk
from .halves import Array, Function


class Piece(NamedTuple):
    """A function of the learner, and the one that it stands in the place of."""

    exercise: str
    lesson: str
    ready: Function
    example: Callable[[np.random.Generator], tuple[Any, ...]]
    adapt: Callable[[Function], Function] = lambda function: function  # to `ready`'s signature


def _all_places(image_size: int, size: int) -> list[tuple[int, int, bool]]:
    starts = range(image_size - size + 1)
    return [(top, left, m) for top in starts for left in starts for m in (False, True)]


def _in_order(all_places: Function) -> Function:
    """Places are drawn from: any order of them, and any kind of list, is right."""

    def places(image_size: int, size: int) -> list[tuple[int, ...]]:
        return sorted(tuple(map(int, place)) for place in all_places(image_size, size))

    return places


def _subtract_mean(crop: Array, mean_image: Array, top: int, left: int, mirrored: bool) -> Array:
    mean = mean_image[top : top + len(crop), left : left + len(crop)]
    return crop - (mean[:, ::-1] if mirrored else mean)


def _colour_shift(eigenvectors: Array, eigenvalues: Array, alpha: Array) -> Array:
    return np.asarray(eigenvectors @ (np.sqrt(eigenvalues) * alpha))


def _average_views(logits: Array) -> Array:
    return np.asarray(softmax_forward(logits).mean(0))


def _image_part(outputs: Array) -> tuple[float, float]:
    return float(np.sqrt((outputs**2).mean())), float(np.sqrt(outputs.var(0).mean()))


def _lsuv(weight: Array, x: Array, target: float) -> Array:
    return np.asarray(weight * (target / (x @ weight.T).std()))


def _sgd_step(
    w: Array, v: Array, grad: Array, lr: float, momentum: float, weight_decay: float, rule: str
) -> tuple[Array, Array]:
    w, v = w.copy(), v.copy()
    numbers = Rule(float(lr), momentum, weight_decay, paper=rule == "paper")
    in_place([Update(w, np.ascontiguousarray(grad), v, numbers)])
    return w, v


def _plateau_rates(
    errors: Sequence[float], at_chance: Sequence[bool], lr: float, patience: int, most_drops: int
) -> list[float]:
    lowest, waited, drops, rates = 1.0, 0, 0, []
    for error, chance in zip(errors, at_chance, strict=True):
        rates.append(lr * 0.1**drops)
        lower = error < lowest
        lowest, waited = (error, 0) if lower else (lowest, waited + (not chance))
        if waited > patience and drops < most_drops:
            drops, waited = drops + 1, 0
    return rates


def _crop(rng: np.random.Generator) -> tuple[Any, ...]:
    crop = rng.integers(0, 256, (67, 67, 3)).astype(np.uint8)
    return crop, rng.uniform(90, 150, (72, 72, 3)), 2, 4, True


def _step(rng: np.random.Generator) -> tuple[Any, ...]:
    w, v, grad = rng.standard_normal((3, 24, 8, 3, 3))
    return w, v, grad, 0.01, 0.9, 0.0005, "torch"


PIECES = (
    Piece("backward", "01_autograd", walk.engine, walk.example, walk.by),
    Piece("softmax", "03_linear", softmax_forward, lambda rng: (rng.standard_normal((32, 10)),)),
    Piece("all_places", "10_data", _all_places, lambda rng: (72, 67), _in_order),
    Piece("subtract_mean", "10_data", _subtract_mean, _crop),
    Piece(
        "colour_shift", "10_data", _colour_shift,
        lambda rng: (np.linalg.qr(rng.standard_normal((3, 3)))[0], rng.uniform(1, 9, 3),
                     rng.standard_normal(3)),
    ),
    Piece(
        "average_views", "10_data", _average_views, lambda rng: (rng.standard_normal((10, 10)),)
    ),
    Piece(
        "image_part", "12_stuck_loss", _image_part, lambda rng: (rng.standard_normal((32, 48)),)
    ),
    Piece(
        "lsuv", "12_stuck_loss", _lsuv,
        lambda rng: (rng.standard_normal((48, 64)), rng.standard_normal((32, 64)), 1.0),
    ),
    Piece("sgd_step", "13_optimisers", _sgd_step, _step),
    Piece(
        "plateau_rates", "13_optimisers", _plateau_rates,
        lambda rng: ([0.9, 0.5, 0.5, 0.6, 0.4, 0.4, 0.4], [True] + [False] * 6, 0.01, 1, 3),
    ),
)  # fmt: skip
