"""LRN by lrn.cu: one pass over the memory."""

from __future__ import annotations

from typing import Any

from ...arrays import Array, array_module
from .. import cuda
from ..layout import as_nchw, as_nhwc
from ..lrn import lrn_backward, lrn_forward


def _channels_a_thread(channels: int, *arrays: Array) -> int:
    """How many channels a thread takes at once: they must be aligned in all its arrays."""
    return 4 if channels % 4 == 0 and all(array.data.ptr % 16 == 0 for array in arrays) else 1


@lrn_forward.instead(lambda x, *_, **__: cuda.supported(x))
def forward(
    x: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1, save: bool = True,
) -> tuple[Array, Array | None]:  # fmt: skip
    """`lrn_forward`."""
    xp, source = array_module(x), as_nhwc(x)
    channels = source.shape[3] // groups
    y = xp.empty(source.shape, x.dtype)
    scale = xp.empty(source.shape, x.dtype) if save else None
    run = _channels_a_thread(channels, y, source)
    cuda.launch("lrn.lrn_forward", y.size // run, y, y if scale is None else scale, source,
                channels, float(k), float(alpha), float(beta), save, WINDOW=n, RUN=run)  # fmt: skip
    return as_nchw(y), None if scale is None else as_nchw(scale)


def _one_dtype(grad: Array, x: Array, scale: Array, *_: Any, **__: Any) -> bool:
    return cuda.supported(grad, x, scale)


@lrn_backward.instead(_one_dtype)
def backward(
    grad: Array, x: Array, scale: Array, n: int = 5, alpha: float = 1e-4, beta: float = 0.75,
    groups: int = 1,
) -> Array:  # fmt: skip
    """`lrn_backward`."""
    g, a, s = as_nhwc(grad), as_nhwc(x), as_nhwc(scale)
    dx, channels = array_module(x).empty(a.shape, a.dtype), a.shape[3] // groups
    run = _channels_a_thread(channels, dx, g, a, s)
    cuda.launch("lrn.lrn_backward", dx.size // run, dx, g, a, s, channels, float(alpha),
                float(beta), WINDOW=n, RUN=run)  # fmt: skip
    return as_nchw(dx)
