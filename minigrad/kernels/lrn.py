"""Local response normalisation across channels (the paper: Krizhevsky et al. 2012).

What libraries call alpha differs. `lrn_forward` is the paper's formula; this is what to pass:

    | source                                       | k   | size | alpha on the plain sum |
    | -------------------------------------------- | --- | ---- | ---------------------- |
    | the paper, section 3.3 (alpha = 1e-4)        | 2   | 5    | 1e-4                   |
    | its own code, cuda-convnet (scale / size)    | 2   | 5    | 1e-4 / 5 = 2e-5        |
    | Caffe (alpha / size)                         | 1   | 5    | 1e-4 / 5 = 2e-5        |
    | PyTorch F.local_response_norm (alpha / size) | arg | arg  | alpha / size           |
    | TensorFlow (depth_radius r; bias is k)       | arg | 2r+1 | alpha                  |
    | Chainer, Theano's pylearn2                   | 2   | 5    | 1e-4                   |
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array, array_module
from .ways import Kernel


@Kernel
def lrn_forward(
    x: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1, save: bool = True,
) -> tuple[Array, Array | None]:  # fmt: skip
    """b_i = a_i / (k + alpha * sum_j a_j^2)^beta, over the n channels j around i (paper, 3.3).

    x (N, C, H, W) -> y of the same shape and the scale s = k + alpha * sum, saved for backward
    (as many bytes as x). The window is clipped at the first and last channel; with `groups` it
    stops at the borders between that many equal parts (the towers). Alpha is on the plain sum.
    """
    scale = k + alpha * _over_channels(x * x, *halves(n), groups)
    return x / scale**beta, (scale if save else None)


@Kernel
def lrn_backward(
    grad: Array, x: Array, scale: Array, n: int = 5, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1,
) -> Array:  # fmt: skip
    """da_i = g_i s_i^-beta - 2 alpha beta a_i * sum_j g_j a_j s_j^(-beta-1).

    The sum runs over the channels j whose window holds i: the mirrored window. All (N, C, H, W).
    """
    before, after = halves(n)
    scaled = grad / scale**beta
    return scaled - 2 * alpha * beta * x * _over_channels(scaled * x / scale, after, before, groups)


def halves(n: int) -> tuple[int, int]:
    """Places before and after the centre: n // 2 before (PyTorch's rule for an even size)."""
    return n // 2, (n - 1) // 2


def window_sum(x: Array, before: int, after: int, axis: int) -> Array:
    """Sums along `axis`, from `before` places before each to `after` behind it, inside the axis.

    Shifted additions, never a running difference: subtracting what leaves the window would leave
    rounding errors behind.
    """
    xp = array_module(x)
    x = xp.moveaxis(x, axis, 0)
    total, last = xp.zeros_like(x), len(x) - 1
    for shift in range(-min(before, last), min(after, last) + 1):
        first, stop = max(0, -shift), len(x) - max(0, shift)
        total[first:stop] += x[first + shift : stop + shift]
    return xp.moveaxis(total, 0, axis)


def _over_channels(x: Array, before: int, after: int, groups: int) -> Array:
    """`window_sum` over the channels of x (N, C, H, W), each group of them for itself."""
    images, channels, height, width = x.shape
    split = x.reshape(images, groups, channels // groups, height, width)
    return window_sum(split, before, after, axis=2).reshape(x.shape)


# ----- the formulas in loops -----


def lrn_naive(
    x: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, groups: int = 1
) -> Array:
    """The paper's formula, channel by channel."""
    y = np.empty_like(x)
    part = x.shape[1] // groups
    before, after = halves(n)
    for i in range(x.shape[1]):
        first, last = i // part * part, i // part * part + part - 1
        total = np.zeros_like(x[:, i])
        for j in range(max(first, i - before), min(last, i + after) + 1):
            total += x[:, j] * x[:, j]
        y[:, i] = x[:, i] / (k + alpha * total) ** beta
    return y


def lrn_backward_naive(
    grad: Array, x: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1,
) -> Array:  # fmt: skip
    """The derivative of `lrn_naive`, pair of channels by pair of channels."""
    dx = np.zeros_like(x)
    part = x.shape[1] // groups
    before, after = halves(n)
    for i in range(x.shape[1]):
        first, last = i // part * part, i // part * part + part - 1
        inside = range(max(first, i - before), min(last, i + after) + 1)
        scale = k + alpha * sum(x[:, j] * x[:, j] for j in inside)
        dx[:, i] += grad[:, i] * scale**-beta
        for j in inside:
            dx[:, j] -= 2 * alpha * beta * grad[:, i] * x[:, i] * scale ** (-beta - 1) * x[:, j]
    return dx
