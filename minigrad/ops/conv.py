"""Convolution."""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from ..core import Context, Function, Tensor
from ..kernels.conv import conv2d_backward, conv2d_forward, conv_geometry
from ..kernels.layout import channels_last, pair
from ..rules import check_same_kind
from .shape import pad

__all__ = ["conv2d", "conv2d_relu"]


class Conv2d(Function):
    """Keeps x and weight, and y if ReLU is fused: no columns."""

    @staticmethod
    def forward(
        ctx: Context, x: Array, weight: Array, bias: Array | None, options: tuple[Any, ...],
        relu: bool,
    ) -> Array:  # fmt: skip
        stride, padding, dilation, groups = options
        x = channels_last(x)  # another memory order is converted here, once for both passes
        y = conv2d_forward(x, weight, bias, stride, padding, dilation, groups, relu)
        ctx.save(x, weight, y if relu else None)
        ctx.options = options
        return y

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:
        x, weight, y = ctx.saved
        stride, padding, dilation, groups = ctx.options
        needs = (ctx.needs[0], ctx.needs[1], ctx.needs[2])
        return conv2d_backward(grad, x, weight, stride, padding, dilation, groups, y, needs)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """2-D convolution. input (N, C, H, W) or (C, H, W), weight (out, C / groups, kh, kw).

    stride, padding and dilation are an integer or (rows, columns); padding may be "valid" or, at
    stride 1, "same". Raises ValueError if shapes do not fit.
    """
    return _conv2d(input, weight, bias, stride, padding, dilation, groups, relu=False)


def conv2d_relu(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """relu(conv2d(...)), with the ReLU applied while the output is still in the cache."""
    return _conv2d(input, weight, bias, stride, padding, dilation, groups, relu=True)


def _conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any,
    groups: int, relu: bool,
) -> Tensor:  # fmt: skip
    if input.ndim == 3:
        y = _conv2d(input.unsqueeze(0), weight, bias, stride, padding, dilation, groups, relu)
        return y.squeeze(0)
    strides, spacing = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
    kernel = (weight.shape[2], weight.shape[3]) if weight.ndim == 4 else (1, 1)
    if padding == "same":
        spans = [d * (k - 1) for d, k in zip(spacing, kernel, strict=True)]
        if strides != (1, 1):
            raise ValueError(f"conv2d: padding='same' needs stride 1, got {strides}")
        if any(span % 2 for span in spans):  # the odd row and column go to the end, as in PyTorch
            input = pad(input, (0, spans[1] % 2, 0, spans[0] % 2))
        padding = tuple(span // 2 for span in spans)
    borders = pair(0 if padding == "valid" else padding, "padding")
    conv_geometry(input.shape, weight.shape, strides, borders, spacing, groups)
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"conv2d: bias has shape {bias.shape}, expected {weight.shape[:1]}")
    if input.dtype != weight.dtype or input.dtype.kind not in "fc":
        check_same_kind("conv2d", input=input, weight=weight, bias=bias)
    return Conv2d.apply(input, weight, bias, (strides, borders, spacing, groups), relu)
