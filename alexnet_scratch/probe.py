"""A linear classifier on features: multinomial logistic regression, and how well it does.

A network's layer is worth for new classes what a linear classifier makes of it (Donahue et al.
2014, DeCAF; Zeiler and Fergus 2014, table 7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minigrad.kernels.softmax import log_softmax_forward

from .data import DataError
from .data.folder import hold_out
from .evaluation import count_in_top
from .features import Features

Floats = NDArray[np.float64]
L2S = tuple(10.0**power for power in range(2, -6, -1))  # that are tried, the strongest first
HELD_OUT = 0.2  # of the training images, on which L2 is chosen
MOST_STEPS = 500
MEMORY = 10  # pairs of steps that stand for the curvature
SLOPE = 1e-7  # largest of the gradient at which the minimum is reached


@dataclass(frozen=True)
class Probe:
    """What came out; accuracies are fractions of 1. l2: the one that was chosen."""

    layer: str
    dimensions: int
    classes: int
    train_images: int
    val_images: int
    l2: float
    train_top1: float
    top1: float
    top5: float


def probe(found: Features, seed: int = 0) -> Probe:
    """Fit on the training images, with the L2 that does best on a fifth of them held out, and score
    on the validation images. DataError where one of the two is missing."""
    (x, y), (x_val, y_val) = found.of("train"), found.of("val")
    if not len(y) or not len(y_val):
        raise DataError(
            f"{len(y)} training and {len(y_val)} validation images: a probe needs both"
        )
    count = len(found.classes)
    held = np.zeros(len(y), bool)
    for c, name in enumerate(found.classes.tolist()):
        places = np.flatnonzero(y == c)
        if len(places) > 1:
            held[places[hold_out(len(places), HELD_OUT, seed, name)[0]]] = True
    best = L2S[0]
    if held.any():
        fits = path(x[~held], y[~held], count, L2S)
        rights = [_top(fit(x[held]), y[held], 1) for fit in fits]
        best = L2S[int(np.argmax(rights))]  # of equals the strongest
    *_, fit = path(x, y, count, [l2 for l2 in L2S if l2 >= best])
    logits = fit(x_val)
    return Probe(
        found.layer, x.shape[1], count, len(y), len(y_val), best, _top(fit(x), y, 1),
        _top(logits, y_val, 1), _top(logits, y_val, 5),
    )  # fmt: skip


@dataclass(frozen=True)
class Linear:
    """A linear classifier of standardised features: ((x - mean) / std) @ weight + bias.

    mean, std: (D,). weight: (D, C). bias: (C,).
    """

    mean: Floats
    std: Floats
    weight: Floats
    bias: Floats

    def __call__(self, x: NDArray[np.floating]) -> Floats:
        """(N, D) -> logits (N, C)."""
        return np.asarray((x - self.mean) / self.std @ self.weight + self.bias)


def path(
    x: NDArray[np.floating], y: NDArray[np.int64], classes: int, l2s: Sequence[float]
) -> list[Linear]:
    """The classifier for each strength of L2, each begun where the one before it ended.

    Minimises the mean cross-entropy + l2 / 2 times the sum of the squared weights (not the biases)
    of features (N, D) with mean 0 and variance 1.
    """
    mean, std = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    std[std == 0] = 1.0  # a unit that is always the same tells nothing
    z = (x - mean) / std
    target = np.eye(classes)[y]
    span = None
    if z.shape[1] > len(z):  # the best weights are sums of images: so few numbers say which
        span, within = np.linalg.qr(z.T)
        z = within.T
    size = z.shape[1] * classes
    theta, found = np.zeros(size + classes), []
    for l2 in l2s:

        def loss(theta: Floats, l2: float = l2) -> tuple[float, Floats]:
            weight = theta[:size].reshape(-1, classes)
            log_p = log_softmax_forward(z @ weight + theta[size:])
            error = (np.exp(log_p) - target) / len(y)
            slope = np.concatenate([(z.T @ error + l2 * weight).ravel(), error.sum(axis=0)])
            value = -(log_p * target).sum() / len(y) + l2 / 2 * (weight**2).sum()
            return float(value), slope

        theta = minimised(loss, theta)
        weight = theta[:size].reshape(-1, classes)
        found.append(Linear(mean, std, weight if span is None else span @ weight, theta[size:]))
    return found


def minimised(f: Callable[[Floats], tuple[float, Floats]], x: Floats) -> Floats:
    """Where the convex function f, which gives its value and its gradient, is lowest, from x on.

    L-BFGS: the last steps and how the gradient changed in them stand for the curvature. Source:
    Nocedal and Wright 2006, algorithms 7.4 and 7.5.
    """
    value, slope = f(x)
    pairs: list[tuple[Floats, Floats]] = []
    for _ in range(MOST_STEPS):
        if np.abs(slope).max() < SLOPE:
            break
        direction = -_newton(slope, pairs)
        fall, step = float(slope @ direction), 1.0 if pairs else min(1.0, 1 / np.abs(slope).sum())
        while True:
            there = x + step * direction
            new_value, new_slope = f(there)
            if new_value <= value + 1e-4 * step * fall:
                break
            step /= 2
            if step < 1e-12:  # rounding is all that is left
                return x
        change = new_slope - slope
        if (there - x) @ change > 0:
            pairs = [*pairs[1 - MEMORY :], (there - x, change)]
        x, value, slope = there, new_value, new_slope
    return x


def _newton(slope: Floats, pairs: list[tuple[Floats, Floats]]) -> Floats:
    """The gradient times the inverse of the curvature that the pairs (step, change of the gradient)
    show."""
    shares = []
    for step, change in reversed(pairs):
        shares.append(step @ slope / (step @ change))
        slope = slope - shares[-1] * change
    if pairs:
        step, change = pairs[-1]
        slope = slope * (step @ change / (change @ change))
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        slope = slope + (share - change @ slope / (step @ change)) * step
    return slope


def _top(logits: Floats, labels: NDArray[np.int64], k: int) -> float:
    """The share of rows whose label is among the k largest logits."""
    return float(count_in_top(logits, labels, k)) / len(labels)
