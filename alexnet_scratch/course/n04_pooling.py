"""Checks of notebook 04, pooling."""

from __future__ import annotations

import numpy as np

from minigrad.kernels.pool import max_pool2d_backward, max_pool2d_forward

from .checks import Function, Hint, close, exercise, result_of


def _map(seed: int, height: int, width: int) -> np.ndarray:
    """A map (H, W) without ties, of negative numbers: a shuffled range."""
    values = np.random.default_rng(seed).permutation(height * width).astype(float)
    return values.reshape(height, width) - height * width


def _pooled(x: np.ndarray, size: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """minigrad's max-pooling of one map, and its winners as tap numbers."""
    y, winners = max_pool2d_forward(x[None, None], (size, size), (stride, stride))
    assert winners is not None
    return y[0, 0], winners[0, 0]


def _backward(
    grad: np.ndarray, winners: np.ndarray, shape: tuple[int, int], size: int, stride: int
) -> np.ndarray:
    dx = max_pool2d_backward(
        grad[None, None], winners[None, None], (1, 1, *shape), (size, size), (stride, stride)
    )
    return np.asarray(dx[0, 0])


@exercise
def pool_forward(learner: Function) -> None:
    """pool_forward(x, size, stride) -> (y, winners), for a map x (H, W)."""
    for seed, (height, width), size, stride in ((0, (7, 7), 3, 2), (1, (6, 8), 2, 2)):
        x = _map(seed, height, width)
        y, winners = _pooled(x, size, stride)
        got = result_of(learner, x, size, stride)
        if not isinstance(got, tuple) or len(got) != 2:
            raise Hint("It returns one thing, expected two: y and the winners.")
        if np.shape(got[0]) != y.shape:
            raise Hint(
                f"For a {height}x{width} map, size {size} and stride {stride}, y has shape "
                f"{np.shape(got[0])}, expected {y.shape}: the last window must still fit, so there "
                "are (H - size) // stride + 1 rows."
            )
        if close(got[0], np.maximum(y, 0)) and not close(got[0], y):
            raise Hint(
                "Negative maxima come out as 0: where does your maximum begin? At -infinity."
            )
        if not close(got[0], y):
            raise Hint("y is not the largest value of each window: which pixels does it cover?")
        if close(got[1], winners % size * size + winners // size):
            raise Hint("The winners count down the columns: count along the rows, u * size + v.")
        if not close(got[1], winners):
            raise Hint("y is right and the winners are not: number the taps u * size + v.")
    tie = np.zeros((3, 3))
    tie[1, 2] = tie[0, 1] = 5.0
    if int(result_of(learner, tie, 3, 1)[1][0, 0]) != 1:
        raise Hint(
            "When two pixels tie, the last one wins: does your test say >= where it should say >?"
        )


@exercise
def pool_backward(learner: Function) -> None:
    """pool_backward(grad, winners, shape, size, stride) -> dx (H, W)."""
    for seed, (height, width), size, stride in ((2, (6, 8), 2, 2), (3, (9, 9), 3, 2)):
        x = _map(seed, height, width)
        y, winners = _pooled(x, size, stride)
        grad = np.random.default_rng(seed).standard_normal(y.shape)
        dx = _backward(grad, winners, x.shape, size, stride)
        got = result_of(learner, grad, winners, x.shape, size, stride, shape=x.shape)
        if close(got, dx):
            continue
        once = _backward(np.ones_like(grad), winners, x.shape, size, stride) <= 1
        if close(got[once], dx[once]):
            raise Hint(
                "Right wherever a pixel wins one window, wrong where it wins several: "
                "the gradients of all of them must be added (+=), not written (=)."
            )
        if close(got.sum(), dx.sum()):
            raise Hint(
                "The gradients arrive, but at the wrong pixels: window (i, j) begins at "
                "(i * stride, j * stride), and tap t lies t // size rows and t % size columns on."
            )
        raise Hint("The gradients that arrive do not add up to those that came in.")
