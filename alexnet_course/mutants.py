"""Notebook 08's operations, their wrong backwards (mutants), and checkers that see some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigrad.kernels.activation import relu_backward, relu_forward
from minigrad.kernels.linear import linear_backward, linear_forward
from minigrad.kernels.lrn import lrn_backward, lrn_forward
from minigrad.kernels.pool import max_pool2d_backward, max_pool2d_forward
from minigrad.kernels.softmax import softmax_backward, softmax_forward

from .checks import Function

Forward = Callable[[Any], Any]
Backward = Callable[[Any, Any], Any]  # (grad, x) -> dx
STEP = 1e-30  # of the complex step


class Operation(NamedTuple):
    """y = forward(x), dx = backward(grad, x), and an x to look at them."""

    forward: Forward
    backward: Backward
    x: np.ndarray


class Mutant(NamedTuple):
    """An operation whose backward is wrong; `blind` names the checkers that cannot see it."""

    operation: str
    wrong: str
    blind: str
    forward: Forward
    backward: Backward
    x: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.operation}: {self.wrong}"


# ----- the operations -----


def _linear(weight: np.ndarray, x: np.ndarray) -> Operation:
    return Operation(
        lambda x: linear_forward(x, weight, None),
        lambda grad, x: linear_backward(grad, x, weight, (True, False, False))[0],
        x,
    )


def _pool(x: Any) -> tuple[Any, Any]:
    y, winners = max_pool2d_forward(x, (3, 3), (2, 2))
    return y, winners


def _pool_backward(grad: Any, x: Any) -> Any:
    return max_pool2d_backward(grad, _pool(x)[1], x.shape, (3, 3), (2, 2))


def _lrn(alpha: float, n: int = 5) -> Forward:
    return lambda x: lrn_forward(x, n, 2.0, alpha, 0.75)[0]


def lrn_backward_with(
    alpha: float, n: int = 5, *, wrong_n: int | None = None, factor: float = 1.0
) -> Backward:
    """LRN's backward (k = 2, beta = 0.75): its second term has `wrong_n` channels for n, and is
    multiplied by `factor`."""

    def backward(grad: Any, x: Any) -> Any:
        _, scale = lrn_forward(x, n, 2.0, alpha, 0.75)
        return lrn_backward(grad, x, scale, wrong_n or n, alpha * factor, 0.75)

    return backward


def _numbers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    signs = rng.permutation(40).reshape(8, 5) % 2 * 2 - 1
    clear = signs * rng.uniform(0.2, 1.5, (8, 5))  # no pixel near ReLU's kink
    near = clear.copy()
    near[1, :3] = 2e-5, -3e-5, 4e-5
    logits = rng.standard_normal((4, 6))
    sure = logits.copy()
    sure[[0, 1], [2, 4]] += 30  # their softmax is 1 there, and its slopes are about 1e-13
    return {
        "clear": clear,
        "near": near,
        "weight": rng.standard_normal((3, 5)),
        "logits": logits,
        "sure": sure,
        "map": rng.permutation(98).reshape(1, 2, 7, 7).astype(float),  # no two pixels are close
        "channels": rng.standard_normal((2, 7, 2, 2)),
    }


_X = _numbers()
_SOFTMAX = Operation(
    softmax_forward, lambda g, x: softmax_backward(g, softmax_forward(x)), _X["logits"]
)
RIGHT = {
    "linear": _linear(_X["weight"], _X["clear"]),
    "linear, small weights": _linear(_X["weight"] * 1e-10, _X["clear"]),
    "ReLU": Operation(relu_forward, lambda g, x: relu_backward(g, relu_forward(x)), _X["clear"]),
    "softmax": _SOFTMAX,
    "softmax, nearly sure": _SOFTMAX._replace(x=_X["sure"]),
    "max-pool": Operation(lambda x: _pool(x)[0], _pool_backward, _X["map"]),
    "LRN": Operation(_lrn(1e-4), lrn_backward_with(1e-4), _X["channels"]),
    "LRN, alpha = 1": Operation(_lrn(1.0), lrn_backward_with(1.0), _X["channels"]),
}
NEAR_A_KINK = RIGHT["ReLU"]._replace(x=_X["near"])


# ----- the mutants -----


def _overwriting_pool(grad: Any, x: Any) -> Any:
    winners = _pool(x)[1]
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*grad.shape):
        u, v = divmod(int(winners[n, c, i, j]), 3)
        dx[n, c, 2 * i + u, 2 * j + v] = grad[n, c, i, j]
    return dx


def _last_row_zero(grad: Any, x: Any) -> Any:
    dx = np.array(RIGHT["linear"].backward(grad, x))
    dx[-1] = 0
    return dx


def _mean_softmax(grad: Any, x: Any) -> Any:
    return softmax_forward(x) * (grad - grad.mean(axis=-1, keepdims=True))


MUTANTS = [
    Mutant(operation, wrong, blind, RIGHT[operation].forward, backward, RIGHT[operation].x)
    for operation, wrong, blind, backward in (
        ("softmax", "dx is 0", "ones", lambda g, x: np.zeros_like(x)),
        ("softmax", "a plain mean is subtracted", "ones", _mean_softmax),
        ("ReLU", "grad is left out", "ones", lambda g, x: np.where(x > 0, 1.0, 0.0)),
        ("linear", "grad's rows in reverse order", "ones",
         lambda g, x: RIGHT["linear"].backward(g[::-1], x)),
        ("ReLU", "negative gradients are stopped", "sign",
         lambda g, x: np.where((x > 0) & (g > 0), g, 0.0)),
        ("ReLU", "positive gradients are stopped", "sign",
         lambda g, x: np.where((x > 0) & (g < 0), g, 0.0)),
        ("linear", "the last row of dx is 0", "sample", _last_row_zero),
        ("max-pool", "overlapping windows overwrite", "sample", _overwriting_pool),
        ("linear, small weights", "dx is doubled", "absolute",
         lambda g, x: 2 * RIGHT["linear, small weights"].backward(g, x)),
        ("LRN", "the second term is left out", "loose", lrn_backward_with(1e-4, factor=0.0)),
        ("LRN", "the second term has the wrong sign", "loose", lrn_backward_with(1e-4, factor=-1)),
        ("LRN", "the factor 2 is left out", "loose", lrn_backward_with(1e-4, factor=0.5)),
        ("LRN", "neighbours are left out", "loose", lrn_backward_with(1e-4, wrong_n=1)),
        ("LRN", "3 neighbours for 5", "loose", lrn_backward_with(1e-4, wrong_n=3)),
        ("linear", "dx has the wrong sign", "size", lambda g, x: -RIGHT["linear"].backward(g, x)),
    )
]  # fmt: skip

_TINY = _linear(_X["weight"] * 1e-14, _X["clear"])
TINY_DOUBLED = _TINY._replace(backward=lambda g, x: 2 * _TINY.backward(g, x))  # a finer "absolute"


# ----- checkers -----


def mismatch(forward: Forward, backward: Backward, x: np.ndarray, grad: np.ndarray) -> float:
    """The largest error of backward's dx, over the largest element of the right one, for one
    upstream gradient. The right one is found element by element, by the complex step."""
    dx, slopes = backward(grad, x), np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        point = x.astype(complex)
        point[place] += 1j * STEP
        slopes[place] = (grad * forward(point).imag).sum() / STEP
    error = float(abs(dx - slopes).max())
    return error / max(float(abs(slopes).max()), 1e-9)  # 1e-9: where the right dx is 0


def _recipe(
    upstream: str, *, absolute: float = 0.0, relative: float = 0.0, one: bool = False
) -> Function:
    """A checker by central differences at every element, or at one. It allows `absolute`, and
    `relative` times the largest element, and what the rounding of y does to a slope."""

    def check(forward: Forward, backward: Backward, x: np.ndarray) -> bool:
        rng = np.random.default_rng(0)
        y, eps = forward(x), 1e-6
        grad = {
            "ones": np.ones(y.shape), "positive": rng.random(y.shape),
            "signed": rng.uniform(-1, 1, y.shape),
        }[upstream]  # fmt: skip
        dx, slopes = backward(grad, x), np.zeros(x.shape)
        places = list(np.ndindex(*x.shape))
        chosen = [places[rng.integers(len(places))]] if one else places
        for place in chosen:
            move = np.zeros(x.shape)
            move[place] = eps
            slopes[place] = (grad * (forward(x + move) - forward(x - move))).sum() / (2 * eps)
        error = max(abs(dx[place] - slopes[place]) for place in chosen)
        return bool(error <= absolute + relative * abs(slopes).max() + 1e-9 * abs(y).max())

    return check


def _complex_checker(forward: Forward, backward: Backward, x: np.ndarray) -> bool:
    grad = np.random.default_rng(0).uniform(-1, 1, forward(x).shape)
    return mismatch(forward, backward, x, grad) <= 1e-9


RECIPES: dict[str, Function] = {
    "grad is\nall ones": _recipe("ones", relative=1e-6),
    "grad is\npositive": _recipe("positive", relative=1e-6),
    "one element\nof dx": _recipe("signed", relative=1e-6, one=True),
    "absolute\ntolerance 1e-5": _recipe("signed", absolute=1e-5),
    "relative\ntolerance 1e-3": _recipe("signed", relative=1e-3),
    "signed grad,\ncomplex step,\ntolerance 1e-9": _complex_checker,
}
