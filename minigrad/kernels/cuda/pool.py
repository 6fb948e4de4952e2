"""Max-pooling by pool.cu: the winners in one pass, the gradient without a scatter."""

from __future__ import annotations

from typing import Any

from ...arrays import Array, array_module
from .. import cuda, pool
from ..im2col import Pair, Window
from ..layout import as_nchw, as_nhwc


def _arguments(window: Window, out: Pair) -> tuple[int, ...]:
    """What the kernels of pool.cu share, after the channels."""
    return (*window.kernel, *window.stride, *window.padding, *window.dilation, *out)


@pool.max_pool2d_forward.instead(lambda x, *_, **__: cuda.supported(x))
def forward(
    x: Array, kernel: Pair, stride: Pair | None = None, padding: Pair = (0, 0),
    dilation: Pair = (1, 1), ceil_mode: bool = False, winners: bool = True,
) -> tuple[Array, Array | None]:  # fmt: skip
    """`max_pool2d_forward`."""
    xp, window = array_module(x), Window(kernel, stride or kernel, padding, dilation)
    out = pool.pool_output(x, window, ceil_mode)
    source, dtype = as_nhwc(x), pool.winner_dtype(kernel)
    y = xp.empty((len(x), *out, x.shape[1]), x.dtype)
    won = xp.empty(y.shape if winners else 1, dtype)
    cuda.launch(f"pool.max_forward{8 * dtype.itemsize}", y.size, y, won, source,
                *source.shape[1:], *_arguments(window, out), winners)  # fmt: skip
    return as_nchw(y), as_nchw(won) if winners else None


def _real(grad: Array, *_: Any, **__: Any) -> bool:
    return cuda.supported(grad)


@pool.max_pool2d_backward.instead(_real)
def backward(
    grad: Array, winners: Array, shape: tuple[int, int, int, int], kernel: Pair,
    stride: Pair | None = None, padding: Pair = (0, 0), dilation: Pair = (1, 1),
) -> Array:  # fmt: skip
    """`max_pool2d_backward`."""
    window = Window(kernel, stride or kernel, padding, dilation)
    dy, won = as_nhwc(grad), as_nhwc(winners)
    n, channels, height, width = shape
    dx = array_module(grad).empty((n, height, width, channels), grad.dtype)
    cuda.launch(f"pool.max_backward{8 * won.itemsize}", dx.size, dx, dy, won,
                *dx.shape[1:], *_arguments(window, dy.shape[1:3]))  # fmt: skip
    return as_nchw(dx)
