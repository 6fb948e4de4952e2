"""Convolution with the kernels of im2col.cu and activation.cu, and cuBLAS between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...arrays import Array, array_module
from .. import cuda
from ..conv import Geometry, conv2d_backward, conv2d_forward
from ..fast import conv as fast
from ..fast.memory import scratch
from ..fast.product import STORED

# What im2col.cu writes columns as.
_ELEMENTS: dict[Any, dict[str, Any]] = {dtype: {"element": name} for name, dtype in STORED.items()}


class LaunchSteps(fast.Steps):
    """A launch for each step; array code for what the kernels do not take, such as two dtypes."""

    def columns(self, images: Array, geometry: Geometry, group: int, dtype: Any) -> Array:
        """As `Steps.columns`; 16-bit columns are written at once."""
        defines = {} if images.dtype == dtype else _ELEMENTS.get(np.dtype(dtype))
        if defines is None or not cuda.usable(images):
            return super().columns(images, geometry, group, dtype)
        col = fast.column_scratch(images, geometry, dtype)
        if col.size >= cuda.MOST:
            return super().columns(images, geometry, group, dtype)
        cuda.launch("im2col.im2col", col.size, images, col, *images.shape[1:],
                    *_window(geometry, group), **defines)  # fmt: skip
        return col

    def add_columns(self, col: Array, geometry: Geometry, group: int, images: Array) -> None:
        """As `Steps.add_columns`."""
        if not cuda.usable(images, col):
            return super().add_columns(col, geometry, group, images)
        size = math.prod(images.shape[:3]) * (geometry.channels // geometry.groups)
        cuda.launch("im2col.col2im", size, images, col, *images.shape[1:],
                    *_window(geometry, group))  # fmt: skip
        return None

    def bias_and_relu(
        self, geometry: Geometry, y: Array, bias: Array | None, relu: bool
    ) -> Callable[[Array], None]:
        """As `Steps.bias_and_relu`."""
        if not cuda.usable(y, y if bias is None else bias):
            return super().bias_and_relu(geometry, y, bias, relu)

        def finish(out: Array) -> None:
            cuda.launch("activation.bias_relu", out.size, out, out if bias is None else bias,
                        geometry.out_channels, bias is not None, relu)  # fmt: skip

        return finish

    def relu_backward(self, grad: Array, y: Array) -> Array:
        """As `Steps.relu_backward`."""
        if not cuda.usable(grad, y):
            return super().relu_backward(grad, y)
        out = scratch(array_module(grad), "gradient", grad.shape, grad.dtype)
        cuda.launch("activation.relu_backward", out.size, out, grad, y)
        return out


def _window(geometry: Geometry, group: int) -> tuple[int, ...]:
    """The arguments that the kernels of im2col.cu share, from the first channel on."""
    window, channels = geometry.window, geometry.channels // geometry.groups
    return (group * channels, channels, *window.kernel, *window.stride, *window.padding,
            *window.dilation, *geometry.outputs)  # fmt: skip


STEPS = LaunchSteps()


def _usable(array: Array, *others: Any, **options: Any) -> bool:
    """By the first array: what a step does not take, it does in array code."""
    return cuda.supported(array)


@conv2d_forward.instead(_usable)
def forward(*args: Any, **options: Any) -> Array:
    """`conv2d_forward`, chunk by chunk as `fast/conv.py`."""
    return fast.forward(*args, **options, steps=STEPS)


@conv2d_backward.instead(_usable)
def backward(*args: Any, **options: Any) -> tuple[Array | None, Array | None, Array | None]:
    """`conv2d_backward`, chunk by chunk as `fast/conv.py`."""
    return fast.backward(*args, **options, steps=STEPS)
